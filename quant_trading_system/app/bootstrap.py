"""The object graph, built in one place; nowhere else are adapters named.

`simulated_account` gives a whole account on the in-process venue: for backtests, for the demo, and for
trying things out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from quant_trading_system import __version__
from quant_trading_system.app.account_files import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.config.loader import default_limits, limits_as_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.ids import run_id
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import ONE
from quant_trading_system.journal.keys import KEY_SUFFIX, key_from_seed, load_or_create_key
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import Journal, LateJournal
from quant_trading_system.market.history import Floats, PriceHistory
from quant_trading_system.market.sessions import Calendar, TradingCalendar
from quant_trading_system.market.universes import universe_of
from quant_trading_system.research.pay_outs import PayOuts
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.kill_switch import stops
from quant_trading_system.risk.latch import FileLatch, Latch, MemoryLatch, SoleLatch
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight, PositionSizer
from quant_trading_system.simulation.broker import SimulatedBroker
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.models import FillModel, LatencyModel, SlippageModel
from quant_trading_system.simulation.price_rows import PriceRows
from quant_trading_system.simulation.printed import SimulatedVolume
from quant_trading_system.simulation.realism import PLAIN, Realism
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import TradingSystem, assemble

_MARGIN = timedelta(days=14)
_PLAIN = (str, int, float, Decimal, bool, tuple)
BATCH = 1000
"""Entries in one commit of a backtest that need not be durable one by one."""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What trading at the simulated venue costs and how fast it is.

    Attributes:
        spread_bps: width of the quoted spread, basis points of the price.
        latency: to the venue and back; `slippage`: beyond the quote; `fills`: how completely it fills.

    Queues, impact, and how spread and volume go through the day: `Setup.realism`.
    """

    spread_bps: Decimal = Decimal(4)
    fees: FeeSchedule = FeeSchedule.alpaca()
    latency: LatencyModel = LatencyModel(order=timedelta(milliseconds=40), report=timedelta(milliseconds=15), sigma=0.4)
    slippage: SlippageModel = SlippageModel(bps=Decimal("0.5"))
    fills: FillModel = FillModel()


class _Batched:
    """A journal that is written in batches: a simulated broker forgets with us, so nothing need be durable first."""

    def __init__(self, journal: Journal) -> None:
        self.append = journal.append
        self.sync = journal.sync

    async def durable(self) -> None:
        """Nothing to wait for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a simulated account is made of; everything has a sensible default.

    Attributes:
        cash: dollars at the start.
        seed: decides every random number; the same inputs and seed give the same journal to the last bit.
        limits: `risk_params.yaml` as read; the shipped limits by default.
        universe: what may be traded; by default every symbol of the prices.
        sizer: equal weight by default.
        own_weights: a signal's own weight comes before the sizer.
        directory: keep journal and kill latch there; in memory by default.
        durable_orders: sync the journal before every order (as live) instead of once in a while.
        realism: what the market does beyond filling at the quote; nothing by default.
        ended: fraction of its last close at which a holding is paid out once the prices of its symbol have ended;
            None holds it on at that close. All of it by default.
        mode: what kind of run goes on record.
        first_bar: number of the first bar to trade; earlier ones are the strategies' past.
        data: names the source of the prices on record.
        run: names the run, and with it every order; made from all of this by default.
    """

    strategies: Sequence[Strategy] = ()
    cash: Decimal = Decimal(100_000)
    seed: int = 7
    limits: RiskLimits | None = None
    universe: Universe | None = None
    sizer: PositionSizer | None = None
    own_weights: bool = True
    policy: ExecutionPolicy | None = None
    costs: Costs = field(default_factory=Costs)
    realism: Realism = PLAIN
    ended: Decimal | None = ONE
    directory: Path | None = None
    durable_orders: bool = False
    mode: str = "backtest"
    first_bar: int = 0
    data: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayAccount:
    """An account that trades history, whether its venue is in this process or in another.

    Attributes:
        run: id of the run; every client order id begins with it.
        history: what is traded; `first_bar`: number of the first bar that is, earlier ones are the past.
    """

    run: str
    strategies: Sequence[Strategy]
    system: TradingSystem
    clock: ManualClock
    journal: Journal
    history: PriceHistory
    first_bar: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAccount(ReplayAccount):
    """An account on the in-process venue, ready to trade.

    Attributes:
        pay_outs: what becomes of holdings whose prices have ended; None holds them on.
    """

    market: SimulatedMarket
    venue: Venue
    correlations: RollingCorrelations
    pay_outs: PayOuts | None


class Tape(NamedTuple):
    """What the market does before anybody trades. Accounts of one setup but for their strategies can share it."""

    calendar: TradingCalendar
    rows: PriceRows


def tape_of(history: PriceHistory, setup: Setup, make_rows: type[PriceRows] = PriceRows) -> Tape:
    """The tape of the accounts that `simulated_account` builds from these.

    Args:
        make_rows: `KeptRows`, where the tape is for many accounts, one after the other.
    """
    calendar = _calendar(history)
    rows = make_rows(
        history,
        calendar,
        seed=setup.seed,
        first_bar=setup.first_bar,
        realism=setup.realism,
        spread_bps=setup.costs.spread_bps,
    )
    return Tape(calendar, rows)


def simulated_account(history: PriceHistory, setup: Setup, tape: Tape | None = None) -> SimulatedAccount:
    """Build an account that trades `history` on the in-process venue.

    Args:
        tape: of this history and setup, where there is one already.
    """
    calendar, rows = tape or tape_of(history, setup)
    limits = setup.limits or default_limits()
    universe = Universe((setup.universe or universe_of(history)).values())
    sizer = setup.sizer or EqualWeight()
    market = SimulatedMarket(
        history, calendar, seed=setup.seed, first_bar=setup.first_bar, realism=setup.realism, rows=rows
    )
    clock = ManualClock(market.next_at or history.time_at(setup.first_bar))
    names = tuple(strategy.name for strategy in setup.strategies)
    run = setup.run or run_id(history.fingerprint(), limits.version, *_words(setup, universe))
    journal, latch = _stores(setup)
    journal.set_config(limits.version)
    journal.append(_start(run, setup, names, limits, universe, clock.now()))
    venue = _venue(setup, clock, calendar, market, universe, limits)
    correlations = _correlations(history, market, limits)
    ports = Ports(
        clock=clock,
        market_clock=clock,
        calendar=calendar,
        quotes=market,
        broker=SimulatedBroker(venue, latch=lambda approved: stops(latch, approved.order, shrinking=approved.shrinks)),
        journal=journal if setup.durable_orders else _Batched(journal),
        latch=latch,
        correlations=correlations,
        volumes=SimulatedVolume(market, clock),
    )
    system = assemble(
        ports,
        run=run,
        cash=setup.cash,
        limits=limits,
        universe=universe,
        strategies=setup.strategies,
        sizer=OwnWeight(sizer) if setup.own_weights else sizer,
        policy=setup.policy,
    )
    return SimulatedAccount(
        run=run,
        strategies=setup.strategies,
        system=system,
        clock=clock,
        journal=journal,
        history=history,
        first_bar=setup.first_bar,
        market=market,
        venue=venue,
        correlations=correlations,
        pay_outs=None if setup.ended is None else PayOuts(history, venue, system, setup.ended),
    )


def _words(setup: Setup, universe: Universe) -> Iterator[str]:
    """Everything else that a run depends on, spelt the same in every process."""
    yield f"{setup.mode} {setup.seed} {setup.first_bar} {setup.cash} {setup.costs} {setup.policy}"
    if setup.realism != PLAIN:
        yield str(setup.realism)
    if setup.ended != ONE:
        yield f"ended {setup.ended}"
    yield from (f"{i.symbol} {i.sector} {i.lot} {i.shortable} {i.fractionable} {i.tradable}" for i in universe.values())
    if setup.sizer is not None:
        yield f"{setup.sizer} {setup.own_weights}"
    for part in (*setup.strategies, setup.sizer):
        yield type(part).__qualname__
        known = sorted(vars(part).items()) if hasattr(part, "__dict__") else ()
        yield from (f"{name}={value}" for name, value in known if isinstance(value, _PLAIN))


def _calendar(history: PriceHistory) -> TradingCalendar:
    first, last = history.time_at(0).date(), history.time_at(len(history) - 1).date()
    return TradingCalendar.nyse(first - _MARGIN, last + _MARGIN)


def _venue(
    setup: Setup,
    clock: ManualClock,
    calendar: Calendar,
    market: SimulatedMarket,
    universe: Universe,
    limits: RiskLimits,
) -> Venue:
    costs = setup.costs
    return Venue(
        clock,
        calendar,
        instruments=universe,
        market=market,
        cash=setup.cash,
        seed=setup.seed,
        fees=costs.fees,
        latency=costs.latency,
        slippage=costs.slippage,
        fills=costs.fills,
        multiplier=limits.buying_power_multiplier,
        realism=setup.realism,
        movable=market,
    )


def _correlations(history: PriceHistory, market: SimulatedMarket, limits: RiskLimits) -> RollingCorrelations:
    returns = history.returns()

    def recent(bars: int) -> Floats:
        """The last returns of finished bars; the returns of bar i stand in row i - 1."""
        end = max(market.finished_bars - 1, 0)
        return returns[max(end - bars, 0) : end]

    return RollingCorrelations(
        history.symbols,
        recent,
        window=limits.correlation_window,
        min_observations=limits.correlation_min_observations,
        within_days=lambda bars: history.returns_within_days(bars, market.finished_bars),
    )


def _stores(setup: Setup) -> tuple[Journal, Latch]:
    directory = setup.directory
    if directory is None:
        return LateJournal(key_from_seed(setup.seed)), MemoryLatch()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / JOURNAL_FILE
    if path.exists():
        raise ConfigurationError(f"{directory} holds the journal of another run; a simulated account begins anew")
    key = load_or_create_key(path.with_name(path.name + KEY_SUFFIX), lambda _: key_from_seed(setup.seed))
    latch = FileLatch(directory / LATCH_FILE)
    if setup.durable_orders:
        return SqliteJournal(path, key), latch
    return SqliteJournal(path, key, batch=BATCH), SoleLatch(latch)


def _start(
    run: str, setup: Setup, strategies: tuple[str, ...], limits: RiskLimits, universe: Universe, at: datetime
) -> RunStarted:
    return RunStarted(
        at=at,
        run=run,
        mode=setup.mode,
        strategies=strategies,
        seed=setup.seed,
        version=__version__,
        limits=limits_as_text(limits),
        limits_version=limits.version,
        universe=tuple(universe.values()),
        data=setup.data,
    )
