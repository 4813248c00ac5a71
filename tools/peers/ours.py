"""Our own side of each workload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.app.sweeping.pools import InProcess, Processes
from quant_trading_system.app.sweeping.sweep import Sweep, SweepPlan
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.research.sweep import Outcome, Window
from quant_trading_system.trading.strategy import Strategy
from tests.support.bare_loops import CASH_CENTS, SHARES, Told
from tests.support.road import NOON, account
from tests.support.workloads import EmaCross, EmaCrossVector, EveryBar, setup, told, traded
from tools.peers.work import USUAL, Given, Run, total

SYMBOL = "S0000"
APART = timedelta(milliseconds=1)
"""Between two quotes of W3b, for no limit on pace may be so high that a million orders pass at one moment."""


def crosses(given: Given) -> Run:
    """W1 and W2."""
    return _traded(given, EmaCross(*USUAL))


def crosses_asked_once(given: Given) -> Run:
    """The same by a strategy that is asked once for all bars."""
    return _traded(given, EmaCrossVector(*USUAL))


def every_bar(given: Given) -> Run:
    """W3."""
    return _traded(given, EveryBar(len(given.closes)))


def _traded(given: Given, strategy: Strategy) -> Run:
    history = given.history
    return lambda: told(traded(strategy, history))


def resting(given: Given) -> Run:
    """W3b: each close is a quote, the engine takes its step, and the limit before makes room for the next one."""
    system, venue = account()
    clock, board = system.ports.clock, system.ports.quotes
    assert isinstance(clock, ManualClock)
    assert isinstance(board, QuoteBoard)
    prices = [(Decimal(cents) / 100, Decimal(cents + 1) / 100) for (cents,) in given.cents]
    limit = given.limit()

    async def run() -> Told:
        sent = cancelled = 0
        working = ""
        for bid, ask in prices:
            now = clock.now() + APART
            clock.move_to(now)
            board.publish(_quote(bid, ask, now))
            await system.engine.on_step()
            if working:
                await system.orders.cancel(working)
                venue.run_until(now)
                record = system.orders.order(working)
                cancelled += record is not None and record.status is OrderStatus.CANCELED
            price = limit(float(bid))
            if price is not None:
                working = (await system.orders.submit(_far(Decimal(str(price))))).order_id
                venue.run_until(now)
                sent += 1
        return Told(sent, cancelled, int(system.portfolio.equity * 100))

    return lambda: asyncio.run(run())


def _far(price: Decimal) -> Order:
    return Order(
        symbol=SYMBOL, side=OrderSide.BUY, quantity=Decimal(SHARES), order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, limit_price=price, repeat=True,
    )  # fmt: skip


def _quote(bid: Decimal, ask: Decimal, now: datetime) -> Quote:
    return Quote(SYMBOL, bid, ask, now, now, bid, source="bench")


def quotes(given: Given) -> Run:
    """W5."""
    system, _ = account()
    board = system.ports.quotes
    assert isinstance(board, QuoteBoard)
    exact = [(Decimal(str(bid)), Decimal(str(ask))) for bid, ask in given.quotes]

    async def feed() -> int:
        for bid, ask in exact:
            board.publish(_quote(bid, ask, NOON))
            await system.engine.on_step()
        return len(exact)

    return lambda: Told(0, asyncio.run(feed()), CASH_CENTS)


def sweep(given: Given) -> Run:
    """W7, one trial after the other."""
    return _swept(given, 1)


def sweep_on_two(given: Given) -> Run:
    """W7 on two processes."""
    return _swept(given, 2)


def _swept(given: Given, jobs: int) -> Run:
    history = given.history
    spans = {name: sorted({pair[place] for pair in given.pairs}) for place, name in enumerate(("fast", "slow"))}
    plan = SweepPlan(
        source=StrategySource("tests.support.workloads:EmaCross"),
        params=tuple(f"{name}={','.join(map(str, values))}" for name, values in spans.items()),
        window=Window(history.dates[0].item(), history.dates[-1].item()),
        setup=setup(),
    )

    def run() -> Told:
        with TemporaryDirectory() as place:
            asked, directory = Sweep(plan, history), Path(place) / "sweep"
            pool = (
                InProcess(asked.work, history)
                if jobs == 1
                else Processes(asked.work, history, jobs=jobs, directory=directory)
            )
            outcomes = asked.run(pool, directory).outcomes
        return total(_outcome(one) for one in outcomes)

    return run


def _outcome(one: Outcome) -> Told:
    assert (one.refused, one.halts, one.equity_end is None) == (0, 0, False)
    return Told(one.orders, one.fills, int((one.equity_end or 0) * 100))


OURS: dict[str, Callable[[Given], Run]] = {
    "W1": crosses,
    "W2": crosses,
    "W3": every_bar,
    "W3b": resting,
    "W5": quotes,
    "W7": sweep,
}
ASKED_ONCE: dict[str, Callable[[Given], Run]] = {"W1": crosses_asked_once, "W2": crosses_asked_once}
ON_TWO: dict[str, Callable[[Given], Run]] = {"W7": sweep_on_two}
