"""Days on which one order is traded by an algorithm, on the whole road: desk, gate, order manager and venue.

Every day is a stock of its own on the same date, so one account works many parent orders at once. Prices are random
walks without drift, and our executions move them by known parameters.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.config.loader import default_limits
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.numbers import BASIS_POINT, ONE, ZERO, floor_to_tick, tick_of
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder, Placement
from quant_trading_system.execution.algo.schedule import weighted_schedule
from quant_trading_system.execution.algo.slicing import exact_weights
from quant_trading_system.execution.parent_history import parents_of, results_of
from quant_trading_system.execution.tca import ParentResult
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.research.backtest import Backtest, Progress
from quant_trading_system.risk.correlation import CorrelationSource, RollingCorrelations
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.position_sizer import EqualWeight
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.models import NO_LATENCY, NO_SLIPPAGE
from quant_trading_system.simulation.printed import SimulatedVolume
from quant_trading_system.simulation.realism import MarketImpact, Realism, VolumeCurve
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import TradingSystem, assemble

Floats = NDArray[np.float64]

_YESTERDAY, _TODAY = date(2024, 1, 8), date(2024, 1, 9)
_CALENDAR = TradingCalendar.nyse(date(2024, 1, 1), date(2024, 1, 31))
_CASH = Decimal(10) ** 14
"""So much that no limit by equity is in the way; limits by number are raised, the others are the shipped ones."""
_MOST = Decimal(10) ** 12
_REACH = Decimal("0.045")
"""How far an aggressive slice may pay beyond the quote, fraction of the price; within the price collar."""
_AT_ONCE = 100
_FINE = Decimal(100)
"""Prices are simulated so many times as high: theory knows no ticks, and they would blur a few basis points."""
_NO_TIME = timedelta(0)


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """One order, and the market of its day.

    Attributes:
        quantity: shares; `price`: dollars a share at the opening of the day before.
        daily_volume: shares that others trade on the day.
        volatility: of a day's return, relative.
        impact: what our own executions do to prices.
        spread_bps: quoted, at least one tick.
        curve: how the volume is spread over the day.
        steps: the schedule's slices; the market moves once for each, and at the close.
        participation: of POV, own shares per share of others.
        risk_aversion: λ, 1/dollar.

    Raises:
        InvalidOrder: names the field that is out of range.
    """

    quantity: Decimal
    price: Decimal
    daily_volume: int
    volatility: float
    impact: MarketImpact
    spread_bps: Decimal = ZERO
    side: OrderSide = OrderSide.BUY
    curve: VolumeCurve = VolumeCurve()
    steps: int = 13
    participation: Decimal = Decimal("0.2")
    risk_aversion: float = 0.0

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.quantity % 1:
            raise InvalidOrder("quantity", f"{self.quantity} must be whole shares above zero")
        if self.price <= 0 or self.daily_volume < 1 or not 0 < self.volatility < 1:
            raise InvalidOrder("price", "price and daily volume must be above 0, the volatility between 0 and 1")
        if self.steps < 3 or not 0 < self.participation <= 1 or self.risk_aversion < 0:
            raise InvalidOrder("steps", "at least 3 steps, a participation within 0 to 1, no negative risk aversion")

    @property
    def notional(self) -> float:
        """Dollars at the price."""
        return float(self.quantity * self.price)

    @property
    def sigma(self) -> float:
        """Dollars a share per square root of a session; the night has its own part of the day's variance."""
        return float(float(self.price) * self.volatility * (1 - paths.OVERNIGHT_SHARE) ** 0.5)

    @property
    def half_spread(self) -> float:
        """Dollars a share that an aggressive slice pays."""
        price = self.price * _FINE
        tick = tick_of(price)
        return float(max((self.spread_bps * BASIS_POINT * price / tick).to_integral_value(), ONE) * tick / _FINE) / 2

    @property
    def volumes(self) -> list[float]:
        """Shares that others trade in each step, the close left out."""
        parts = paths.volume_profile(self.steps + 1, float(self.curve.at_open), float(self.curve.at_close))
        return [self.daily_volume / 1e6 * part for part in parts[: self.steps].tolist()]

    @property
    def problem(self) -> ShortfallProblem:
        """Of Almgren and Chriss, time in sessions, with the impact made linear at the average rate of a TWAP."""
        price, mean = float(self.price), sum(self.volumes) / self.steps
        rate = float(self.quantity) / self.steps / mean
        temporary = float(self.impact.temporary_bps) / 1e4 * price * rate ** (float(self.impact.exponent) - 1)
        return ShortfallProblem(
            quantity=float(self.quantity),
            horizon=1,
            slices=self.steps,
            volatility=self.sigma,
            temporary=max(temporary / (mean * self.steps), 1e-15),
            permanent=float(self.impact.permanent_bps) / 1e4 * price / self.daily_volume,
            fixed=self.half_spread,
            risk_aversion=self.risk_aversion,
        )

    def with_urgency(self, urgency: float) -> Study:
        """The same with the risk aversion at which κT is about `urgency`."""
        problem = self.problem
        aversion = urgency**2 * problem.temporary / problem.volatility**2
        return msgspec.structs.replace(self, risk_aversion=aversion)


class Traded(NamedTuple):
    """What the order cost on each day; [days], dollars.

    Attributes:
        cost: implementation shortfall against arrival.
        luck: the part of it that the same trades would have paid at the mids of a market that nobody moves.
        filled: shares in all.
    """

    cost: Floats
    luck: Floats
    filled: Decimal


def trade(study: Study, kind: Algorithm, quantities: Sequence[float], count: int, seed: int) -> Traded:
    """Trade the order on `count` days by `kind`; the prices depend on the seed alone.

    Up to a hundred days share an engine: its gate compares every order with every position that is held.

    Args:
        quantities: shares of each slice; of POV what is expected, for it follows the volume.

    Raises:
        InvalidOrder: the gate refuses the order.
    """
    days = _random_days(study, count, seed)
    costs: list[Decimal] = []
    lucks: list[Decimal] = []
    filled = ZERO
    for first in range(0, count, _AT_ONCE):
        some = days.select(list(days.symbols[first : first + _AT_ONCE]))
        mids = _unmoved(study, some, seed)
        for result in _Day(study, some, seed).run(kind, quantities):
            costs.append(result.side.sign * (result.value - result.arrival_price * result.filled))
            lucks.append(_luck(result, mids[result.symbol]))
            filled += result.filled
    return Traded(_dollars(costs), _dollars(lucks), filled)


def _luck(result: ParentResult, mids: dict[datetime, Decimal]) -> Decimal:
    """What the fills would have paid at `mids`, against the first of them."""
    moments = list(mids)
    arrival, paid = mids[moments[0]], ZERO
    for fill in result.fills:
        paid += fill.quantity * (mids[moments[bisect_right(moments, fill.at) - 1]] - arrival)
    return result.side.sign * paid


def _dollars(values: Sequence[Decimal]) -> Floats:
    return np.array([float(value / _FINE) for value in values])


def _unmoved(study: Study, history: PriceHistory, seed: int) -> dict[str, dict[datetime, Decimal]]:
    """The mid of every stock at every step of a market that nobody moves."""
    market = _market(study, history, seed, MarketImpact())
    found: dict[str, dict[datetime, Decimal]] = {symbol: {} for symbol in history.symbols}
    for step in market:
        for symbol, mids in found.items():
            quote = market.quote(symbol)
            assert quote is not None  # there are prices of every day
            mids[step.at] = quote.mid
    return found


def _market(study: Study, history: PriceHistory, seed: int, impact: MarketImpact) -> SimulatedMarket:
    return SimulatedMarket(
        history, _CALENDAR, seed=seed, first_bar=1, steps_per_session=study.steps + 1, spread_bps=study.spread_bps,
        default_volatility=Decimal(str(study.volatility)), realism=Realism(impact=impact, volume=study.curve),
    )  # fmt: skip


class _Day:
    """An account, and a market of stocks that are independent draws of one."""

    def __init__(self, study: Study, history: PriceHistory, seed: int) -> None:
        self.study = study
        self.history = history
        session = _CALENDAR.session_on(_TODAY)
        assert session is not None  # a Tuesday without holiday
        self.session: Session = session
        self.market = _market(study, history, seed, study.impact)
        self.clock = ManualClock(self.market.next_at or session.open)
        self.journal = MemoryJournal()
        universe = Universe(Instrument(symbol=symbol, shortable=True) for symbol in self.history.symbols)
        limits = _limits(len(history.symbols))
        self.venue = Venue(
            self.clock, _CALENDAR, cash=_CASH, seed=seed, fees=FeeSchedule.zero(), market=self.market,
            instruments=universe, latency=NO_LATENCY, slippage=NO_SLIPPAGE, movable=self.market,
            realism=Realism(impact=study.impact, volume=study.curve),
        )  # fmt: skip
        ports = Ports(
            clock=self.clock, market_clock=self.clock, calendar=_CALENDAR, quotes=self.market,
            broker=SimulatedBroker(self.venue), journal=_Unsynced(self.journal), latch=MemoryLatch(),
            correlations=_Independent(), volumes=SimulatedVolume(self.market, self.clock),
        )  # fmt: skip
        self.system: TradingSystem = assemble(
            ports, run="study", cash=_CASH, limits=limits, universe=universe, sizer=EqualWeight()
        )
        self.returns = RollingCorrelations(
            self.history.symbols, lambda _: self.history.returns(), window=2, min_observations=2
        )

    def run(self, kind: Algorithm, quantities: Sequence[float]) -> list[ParentResult]:
        """Work all parents through the day."""
        orders = [self._parent(symbol, kind, quantities) for symbol in self.history.symbols]

        async def begin(progress: Progress) -> None:
            if progress.at != self.session.open:
                return
            for order in orders:
                answer = self.system.desk.start(order)
                if isinstance(answer, Rejection):
                    raise InvalidOrder("quantity", f"the gate refuses it: {answer.message}")
            await self.system.engine.on_step()

        test = Backtest(
            run="study", system=self.system, clock=self.clock, market=self.market, venue=self.venue,
            history=self.history, correlations=self.returns, watch=begin,
        )  # fmt: skip
        asyncio.run(test.run())
        return results_of(parents_of(self.journal))

    def _parent(self, symbol: str, kind: Algorithm, quantities: Sequence[float]) -> ParentOrder:
        study, session = self.study, self.session
        schedule = weighted_schedule(study.quantity, session.open, session.close, exact_weights(quantities))
        follows = kind is Algorithm.POV
        return ParentOrder(
            symbol=symbol,
            side=study.side,
            quantity=study.quantity,
            algorithm=kind,
            start=session.open,
            end=session.close,
            schedule=None if follows else schedule,
            rate=study.participation if follows else None,
            interval=(session.close - session.open) / study.steps if follows else timedelta(seconds=10),
            placement=Placement.AGGRESSIVE,
            limits=ParentLimits(cutoff=_NO_TIME, catch_up=Decimal(1000)),
            reach=floor_to_tick(study.price * _FINE * _REACH),
        )


class _Independent(CorrelationSource):
    """Correlations of stocks that are draws of their own."""

    def correlation(self, symbol: str, other: str) -> Decimal | None:  # noqa: ARG002 - all are alike
        return ZERO


class _Unsynced:
    """A journal in memory: nothing need be durable."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.append = journal.append

    def sync(self) -> None:
        """Nothing to write."""

    async def durable(self) -> None:
        """Nothing to wait for."""


def _limits(count: int) -> RiskLimits:
    """The shipped limits; those that count orders, dollars and positions leave room for as many paths."""
    many = min(100 * count, 10**6)
    return msgspec.structs.replace(
        default_limits(), max_portfolio_positions=count, max_order_quantity=10**9, max_position_quantity=10**9,
        max_order_notional=_MOST, max_open_orders=10_000, max_orders_per_minute=many, max_messages_per_minute=many,
        max_notional_per_minute=_MOST, max_orders_per_day=many, max_notional_per_day=_MOST, max_repeated_orders=many,
        allow_short=True, max_slippage_bps=Decimal(10_000),
    )  # fmt: skip


def _random_days(study: Study, count: int, seed: int) -> PriceHistory:
    """Two closes of `count` stocks: the price, and one that is normal around it; the path between is a random walk."""
    symbols = tuple(f"P{number:05}" for number in range(count))
    moves = np.random.Generator(np.random.PCG64(seed)).normal(0.0, study.volatility, count)
    first = np.full(count, int(study.price * _FINE * MICROS))
    close = np.stack([first, np.rint(first * (1 + moves) / 10_000).astype(np.int64) * 10_000])
    dates = np.array([_YESTERDAY, _TODAY], dtype="datetime64[D]")
    volume = np.full(close.shape, study.daily_volume)
    return PriceHistory(symbols, daily_axis(dates, _CALENDAR), close, np.ones(close.shape, np.bool_), volume=volume)
