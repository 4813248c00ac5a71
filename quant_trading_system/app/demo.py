"""The demonstration: twenty real stocks, 100 000 dollars, the whole road, and its safety at work.

A momentum strategy trades the bundled S&P 500 prices. Beside it a *planted rogue* sends orders that no
account should ever send, so that the gate can be seen refusing them. With `crash` the same account goes
through 2008: the drawdown limit halts it, working orders are cancelled and confirmed, one reset is refused
for lack of authority, and a named risk officer resumes trading.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec

from quant_trading_system.app.bootstrap import Costs, ReplayAccount, Setup, SimulatedAccount, simulated_account
from quant_trading_system.config.loader import default_limits, limits_version
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.events import AnyEvent, KillSwitchEvent
from quant_trading_system.core.exceptions import ResetRefused
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.ids import run_id
from quant_trading_system.core.numbers import ceil_to_tick, floor_to_tick
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.bundled import SP500_SOURCE, load_sp500
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.research.backtest import Progress
from quant_trading_system.research.strategies import Momentum
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import NO_LATENCY, NO_SLIPPAGE
from quant_trading_system.trading.strategy import MarketView, Strategy

CASH = Decimal(100_000)
RISK_OFFICER = "risk.officer@example.com"
INTERN = "intern@example.com"
_DAYS_BEFORE_RESET = 15
_NORMAL = (date(2021, 1, 4), date(2022, 12, 28))
_CRASH = (date(2008, 1, 2), date(2009, 6, 30))
WARM_UP_BARS = 260
"""Days before the first one that strategies know."""


class Rogue(Strategy):
    """The planted rogue: one bad idea a week, each of a kind that the gate must refuse."""

    name = "rogue (planted)"

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """Take turns through the bad ideas."""
        if market.bar % 5 == 0:
            symbol = market.symbols[market.bar // 5 % len(market.symbols)]
            close = market.close(symbol)
            if close is not None:
                ideas = _bad_ideas(symbol, close)
                yield from ideas[market.bar // 5 % len(ideas)]


def _bad_ideas(symbol: str, close: Decimal) -> tuple[tuple[Order, ...], ...]:
    dear = ceil_to_tick(close * 2)
    return (
        (_order("GME", 10),),  # not in the approved universe
        (_order(symbol, 5_000_000),),  # a fat finger
        (_order(symbol, 10, limit=dear),),  # a price far through the market
        (_order(symbol, 10, limit=floor_to_tick(close) + Decimal("0.001")),),  # a sub-penny price
        (_order(symbol, 4000, side=OrderSide.SELL),),  # sells what it does not hold
        (_order(symbol, int(25_000 / close) + 1),),  # a quarter of the account in one stock
        (_order(symbol, 10, in_force=TimeInForce.OPG),),  # the opening auction, while the market is open
        (_order(symbol, 1), _order(symbol, 1)),  # the same order twice
    )


def _order(
    symbol: str,
    quantity: int,
    *,
    side: OrderSide = OrderSide.BUY,
    limit: Decimal | None = None,
    in_force: TimeInForce = TimeInForce.DAY,
) -> Order:
    return Order(
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        limit_price=limit,
        time_in_force=in_force,
    )


class BargainHunter(Strategy):
    """Leaves good-till-cancelled buy limits 12 % below the market, so that a halt finds working orders to cancel."""

    name = "bargain hunter"

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """One new limit a month, on the next symbol in turn."""
        if market.bar % 21 == 10:
            symbol = market.symbols[market.bar // 21 % len(market.symbols)]
            close = market.close(symbol)
            if close is not None:
                yield _order(
                    symbol,
                    int(3000 / close) + 1,
                    limit=floor_to_tick(close * Decimal("0.88")),
                    in_force=TimeInForce.GTC,
                )


class Operator:
    """The people of the demonstration: after a halt an intern tries to resume, then the risk officer does."""

    def __init__(self, account: ReplayAccount) -> None:
        self._switch = account.system.kill_switch
        self._halted_days = 0
        self.story: list[str] = []
        account.journal.subscribe(self._hear)

    def watch(self, progress: Progress) -> None:
        """Look in at the end of every day."""
        if not progress.is_day_end or not self._switch.is_active():
            return
        self._halted_days += 1
        if self._halted_days == 2:
            self._try_reset(INTERN, "looks fine to me", progress)
        elif self._halted_days > _DAYS_BEFORE_RESET:
            self._try_reset(RISK_OFFICER, "losses reviewed, limits confirmed, books reconciled", progress)
            self._halted_days = 0

    def _hear(self, _: int, event: AnyEvent) -> None:
        if isinstance(event, KillSwitchEvent) and event.level:
            self.story.append(f"{event.at:%Y-%m-%d %H:%M:%S} {event.level.name} by the {event.by}: {event.reason}")
        elif isinstance(event, CancelsConfirmed):
            done = f"{len(event.orders)} working orders cancelled, confirmed after {event.seconds:.3f} s"
            self.story.append(f"{event.at:%Y-%m-%d %H:%M:%S} {done}")

    def _try_reset(self, person: str, reason: str, progress: Progress) -> None:
        try:
            self._switch.reset(authorized_by=person, reason=reason, accept_loss=True)
        except ResetRefused as refusal:
            self.story.append(f"{progress.at:%Y-%m-%d %H:%M:%S} RESET REFUSED: {refusal}")
        else:
            self.story.append(f"{progress.at:%Y-%m-%d %H:%M:%S} RESUMED by {person}: {reason}")


def demo_limits() -> RiskLimits:
    """The shipped limits, with the risk officer as the only one who may resume."""
    limits = msgspec.structs.replace(default_limits(), authorized_resetters=(RISK_OFFICER,))
    return msgspec.structs.replace(limits, version=limits_version(limits))


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What the demonstration trades.

    Attributes:
        seed: decides the prices within each day.
        crash: 2008 and 2009 instead of 2021 and 2022.
        last: the last day, that of the plan without it.
    """

    seed: int = 7
    crash: bool = False
    last: date | None = None

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day that is traded."""
        first, last = _CRASH if self.crash else _NORMAL
        return first, self.last or last

    @property
    def run(self) -> str:
        """Names the run and every order of it, wherever the venue is."""
        return run_id("demo", self.seed, *self.days)

    @property
    def title(self) -> str:
        """For people."""
        return "2008 and 2009, real prices" if self.crash else "2021 and 2022, real prices"

    def prices(self) -> PriceHistory:
        """Everything that strategies may see in the end, `WARM_UP_BARS` days before the first included."""
        first, last = self.days
        known = load_sp500(end=last)
        return known.between(known.time_at(known.index_of(first) - WARM_UP_BARS), last)

    def strategies(self) -> list[Strategy]:
        """Fresh ones."""
        found: list[Strategy] = [Momentum(gross=Decimal("0.9"), hold=10) if self.crash else Momentum(), Rogue()]
        return [*found, BargainHunter()] if self.crash else found


def demo_account(plan: DemoPlan, directory: Path | None) -> SimulatedAccount:
    """The account of the demonstration on the in-process venue, ready to run.

    Its costs are those of a paper account: the spread, and nothing else.

    Args:
        directory: where journal and kill latch are kept; None keeps them in memory.
    """
    setup = Setup(
        strategies=plan.strategies(),
        cash=CASH,
        seed=plan.seed,
        limits=demo_limits(),
        universe=sp500_20(),
        costs=Costs(fees=FeeSchedule.zero(), latency=NO_LATENCY, slippage=NO_SLIPPAGE),
        directory=directory,
        durable_orders=True,
        mode="demo-crash" if plan.crash else "demo",
        first_bar=WARM_UP_BARS,
        data=SP500_SOURCE,
        run=plan.run,
    )
    return simulated_account(plan.prices(), setup)
