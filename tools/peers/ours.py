"""Our own side of each workload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.trading.strategy import Strategy
from tests.support.bare_loops import CASH_CENTS, SHARES, Told
from tests.support.road import account
from tests.support.workloads import EmaCross, EmaCrossVector, EveryBar, heard, swept, told, traded
from tools.peers.work import USUAL, Given, Run, total

SYMBOL = "S0000"
APART = timedelta(milliseconds=2)
"""Between two quotes of W3b: no limit on pace may be so high that a million orders and cancels pass at one moment."""


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
    hear = heard(given.quotes)
    return lambda: Told(0, hear(), CASH_CENTS)


def sweep(given: Given, jobs: int = 1) -> Run:
    """W7."""
    history = given.history
    fasts, slows = (sorted({pair[place] for pair in given.pairs}) for place in (0, 1))
    return lambda: total(swept(history, fasts, slows, jobs=jobs))


OURS: dict[str, Callable[[Given], Run]] = {
    "W1": crosses,
    "W2": crosses,
    "W3": every_bar,
    "W3b": resting,
    "W5": quotes,
    "W7": sweep,
}
ASKED_ONCE: dict[str, Callable[[Given], Run]] = {"W1": crosses_asked_once, "W2": crosses_asked_once}
ON_TWO: dict[str, Callable[[Given], Run]] = {"W7": partial(sweep, jobs=2)}
