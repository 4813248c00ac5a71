"""The parts of a live account: settings, connections, journal, bars, and the books that it begins with."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

from quant_trading_system import __version__
from quant_trading_system.app.adoption import Ledger, adopt_positions
from quant_trading_system.app.governing import SHIPPED, begin_governed, limits_at_start, told, told_settled
from quant_trading_system.app.watchdog_record import RecordEntry, take_record
from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import (
    AnyEvent,
    FillCorrected,
    FillEvent,
    KillSwitchEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    RunStarted,
    SenderLocked,
    StrategyStopped,
    WatchdogActed,
    WishNotSized,
)
from quant_trading_system.core.exceptions import BrokerRejected, ConfigurationError, MarketDataError
from quant_trading_system.core.ids import sender_run_id
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.wording import is_asked_by_strategy
from quant_trading_system.execution.account_lock import Holder
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_errors import UNAUTHORIZED
from quant_trading_system.execution.alpaca_history import history_of
from quant_trading_system.execution.credentials import Access, TradingMode
from quant_trading_system.journal.snapshot import Folded, SnapshotKeeper, folding
from quant_trading_system.journal.store import Journal
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.sessions import AlwaysOpen, Calendar, TradingCalendar
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight, PositionSizer
from quant_trading_system.risk.risk_book import Returns
from quant_trading_system.trading.live_bars import LiveBars
from quant_trading_system.trading.live_loop import OnStop
from quant_trading_system.trading.planning import ExecutionPolicy
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import Past, TradingSystem, assemble

_HORIZON = timedelta(days=3 * 365)
"""How far ahead the calendar reaches; nobody runs an engine that long without a restart."""
TOLD_EVERY = 100_000
"""Entries of a journal between two signs of life of a start that has to read all of it."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSetup:
    """What a live account is made of.

    Attributes:
        mode: what the configuration says it is; must agree with the host.
        account_id: id or number of the account that the keys must belong to; required for live.
        armed: somebody said for this run that real money may be moved.
        directory: of the account: journal, key, latch and heartbeat.
        span: length of the bars that strategies see; None for daily ones.
        lookback: how much past they see.
        adopted_by: who answers for what the broker's account has and our books do not.
        always_open: the venue trades around the clock; for local venues only.
        keep_finished: finished orders stay in memory, for a run whose statistics look at all of them.
        run: names the run, and with it every order; made from the account by default.
        source: names where the prices come from, for the record; the host by default.
        sizer: decides about every size; by default the signal's own weight, else equal weight.
        policy: how orders are worked.
        watchdog: the command that starts the account's watchdog; empty to do without, which goes on record.
        limits: what the limits file wants; what lets more through than was approved waits for people.
        limits_name: how that file is called on record; `operator`: who started the run.
        limits_path: the file to watch while the account trades; None watches none.
    """

    access: Access
    mode: TradingMode
    directory: Path
    strategies: Sequence[Strategy]
    universe: Universe
    limits: RiskLimits
    account_id: str = ""
    armed: bool = False
    span: timedelta | None = None
    lookback: timedelta = timedelta(days=400)
    feed: str = "iex"
    on_stop: OnStop = OnStop.CANCEL
    adopted_by: str = ""
    always_open: bool = False
    keep_finished: bool = False
    run: str = ""
    source: str = ""
    sizer: PositionSizer | None = None
    policy: ExecutionPolicy | None = None
    watchdog: Sequence[str] = ()
    limits_name: str = SHIPPED
    limits_path: Path | None = None
    operator: str = "whoever started the run"


def narrate(event: AnyEvent, tell: Tell) -> None:
    """What a person wants to see pass by; everything else is in the journal."""
    if isinstance(event, FillEvent):
        tell(f"filled: {event.side} {plain(event.quantity)} {event.symbol} at {plain(event.price)} ({event.order_id})")
    elif isinstance(event, FillCorrected):
        was, now = (
            f"{plain(event.was_quantity)} at {plain(event.was_price)}",
            f"{plain(event.quantity)} at {plain(event.price)}",
        )
        tell(f"fill corrected: {event.side} {event.symbol} was {was}, is {now} ({event.order_id})")
    elif isinstance(event, OrderEvent) and event.trigger in (OrderTrigger.DENY, OrderTrigger.REJECT):
        tell(f"{event.status}: {event.reason} ({event.order_id})")
    elif isinstance(event, OrderEvent) and event.asks_for_cancel and is_asked_by_strategy(event.reason):
        tell(f"cancel asked for by {event.reason} ({event.order_id})")
    elif isinstance(event, ParentEvent) and _begins_to_stop(event) and is_asked_by_strategy(event.reason):
        tell(f"cancel asked for by {event.reason} ({event.parent_id})")
    elif isinstance(event, KillSwitchEvent):
        tell(f"kill switch: {event.level.name} by {event.by}: {event.reason}")
    elif isinstance(event, RiskEvent) and event.reason is RiskEventKind.LIMIT_NEARED and event.actual is not None:
        limit = "" if event.limit is None else f" of {plain(event.limit)}"
        tell(f"warning: {event.rule} stands at {plain(event.actual)}{limit}")
    elif isinstance(event, WishNotSized):
        tell(f"no order for {event.symbol}: {event.bound_by}: {event.detail}")
    elif isinstance(event, StrategyStopped):
        tell(f"strategy {event.strategy} was stopped: {event.error}")
    elif isinstance(event, WatchdogActed):
        tell(f"the watchdog, at {event.at:%Y-%m-%d %H:%M:%S}: {event.what}")
    elif line := told(event):
        tell(line)


def _begins_to_stop(event: ParentEvent) -> bool:
    return event.status == ParentStatus.STOPPING and "status" in event.change


def tell_what_stands_still(system: TradingSystem, tell: Tell) -> None:
    """At a start: strategies that nobody listens to, and a kill switch that is active."""
    for name, is_armed in system.engine.strategies.items():
        if not is_armed:
            tell(f"strategy {name} is disarmed; `qts strategy arm {shlex.quote(name)}` lets it speak")
    state = system.kill_switch.state
    if state.level:
        tell(f"{state.level.name} since {state.at} by {state.by}: {state.reason}; `qts resume` ends it")


@contextmanager
def named_keys() -> Iterator[None]:
    """Keys that are refused are said to be the ones of the environment.

    Raises:
        ConfigurationError: in the place of the refusal.
    """
    try:
        yield
    except BrokerRejected as error:
        if error.code != UNAUTHORIZED:
            raise
        raise ConfigurationError(
            "the broker refuses the keys; check APCA_API_KEY_ID, APCA_API_SECRET_KEY and APCA_API_BASE_URL"
        ) from error


class MeasuredBars:
    """Finished bars, with the correlations measured anew after each."""

    def __init__(self, bars: LiveBars, correlations: RollingCorrelations) -> None:
        self._bars = bars
        self._correlations = correlations

    async def finished(self) -> HistoryView | None:
        """The history up to a bar that has ended since the last call."""
        view = await self._bars.finished()
        if view is not None:
            self._correlations.next_bar()
        return view


async def fetch(
    data: AlpacaData, symbols: tuple[str, ...], calendar: Calendar, span: timedelta | None, start: datetime
) -> PriceHistory:
    """All bars from `start` on, side by side."""
    timeframe = "1Day" if span is None else f"{span // timedelta(minutes=1)}Min"
    found = await data.bars(symbols, timeframe, start=start, adjustment="split")
    if not any(found.values()):
        raise MarketDataError(
            f"the broker has no {timeframe} bars of {', '.join(symbols)} since {start:%Y-%m-%d}; "
            "are they spelt right, and is --lookback long enough?"
        )
    return history_of({symbol: found.get(symbol, ()) for symbol in symbols}, calendar, span)


async def loaded_bars(setup: LiveSetup, data: AlpacaData, calendar: Calendar, clock: Clock) -> LiveBars:
    """The finished bars of the look-back, and those to come.

    Raises:
        MarketDataError: the broker has none.
    """
    symbols = tuple(setup.universe)
    read = partial(fetch, data, symbols, calendar, setup.span)
    bars = LiveBars(symbols, read, calendar, clock, span=setup.span, lookback=setup.lookback)
    await bars.load()
    return bars


def measured_correlations(setup: LiveSetup, bars: LiveBars) -> RollingCorrelations:
    """Correlations over the bars that have ended."""
    return RollingCorrelations(
        tuple(setup.universe),
        bars.recent_returns,
        window=setup.limits.correlation_window,
        min_observations=setup.limits.correlation_min_observations,
        within_days=bars.recent_returns_within_days,
    )


def returns_of(setup: LiveSetup, bars: LiveBars) -> Returns:
    """The past that risk numbers are about: bars that have ended."""
    return Returns(
        tuple(setup.universe), bars.recent_returns, bars.recent_returns_within_days, is_daily=setup.span is None
    )


def bind_account(directory: Path, account_id: str) -> None:
    """Let one directory keep one account, and one account have one directory: a halt cannot be walked around.

    Raises:
        ConfigurationError: the account is kept elsewhere, or the directory keeps another account.
    """
    bindings = directory.parent / "accounts"
    bindings.mkdir(mode=0o700, exist_ok=True)
    notes = (
        (bindings / account_id, directory.name, f"account {account_id} is kept in"),
        (directory / "account_id", account_id, f"{directory} keeps account"),
    )
    for note, ours, what in notes:
        known = note.read_text(encoding="utf-8").strip() if note.exists() else ours
        if known != ours:
            raise ConfigurationError(f"{what} {known}; choose the directory with --name")
    for note, ours, _ in notes:
        note.write_text(ours, encoding="utf-8")


async def folded_books(journal: Journal, tell: Tell) -> Folded:
    """The books of `journal`; a start that takes long tells how far it has come, and hears a stop meanwhile.

    Raises:
        JournalDamaged: as `journal.snapshot.fold`.
    """
    pieces, last, told = folding(journal), journal.head[0], -1
    while True:
        try:
            seq = next(pieces)
        except StopIteration as end:
            folded: Folded = end.value
            return folded
        if told < 0 or seq - told >= TOLD_EVERY:
            if told >= 0:
                tell(f"reading the journal without a snapshot that can be used: {seq:,} of {last:,} entries")
            told = seq
        await asyncio.sleep(0)


async def assemble_live(
    setup: LiveSetup,
    ports: Ports,
    journal: Journal,
    broker: AlpacaBroker,
    sender: Holder,
    watchdog_record: Iterable[RecordEntry],
    tell: Tell,
) -> tuple[str, TradingSystem, Past | None]:
    """The account as its journal left it, or a new one with the broker's cash and positions."""
    account, held = await broker.account(), await broker.positions()
    if setup.mode is not TradingMode.LOCAL:
        bind_account(setup.directory, account.account_id)
    begun = sum(1 for _ in journal.entries(kinds=("run_started",)))
    folded = await folded_books(journal, tell)
    SnapshotKeeper(journal, folded)
    past = None if folded.projection.opened is None else Past(folded.projection, journal)  # a start may have failed
    if past is None and held and not setup.adopted_by:
        symbols = ", ".join(position.symbol for position in held)
        raise ConfigurationError(f"the account holds {symbols}; name who answers for these positions (--adopt NAME)")
    names = [strategy.name for strategy in setup.strategies]
    run = setup.run or sender_run_id(sender.epoch, sender, begun, *names)
    limits = limits_at_start(folded.projection, setup.limits, ports.clock.now())
    journal.set_config(limits.version)
    started = _started(setup, run, limits, ports.clock.now())
    journal.append(started)
    journal.append(_locked(setup, sender, ports.clock.now()))
    take_record(watchdog_record, journal)
    governance, settled = begin_governed(
        started,
        folded.projection,
        journal,
        ports.clock,
        file=setup.limits,
        name=setup.limits_name,
        by=setup.operator,
        is_live=setup.mode is TradingMode.LIVE,
    )
    for line in told_settled(settled):
        tell(line)
    system = assemble(
        ports,
        run=run,
        cash=account.cash,
        limits=governance.limits,
        universe=setup.universe,
        strategies=setup.strategies,
        sizer=setup.sizer or OwnWeight(EqualWeight()),
        policy=setup.policy,
        past=past,
        history=None if setup.keep_finished else journal,
        governance=governance,
    )
    if past is None:
        adopt_positions(Ledger.of(system), held, approved_by=setup.adopted_by, reason="held before the first run")
    journal.sync()
    return run, system, past


def _started(setup: LiveSetup, run: str, limits: RiskLimits, at: datetime) -> RunStarted:
    return RunStarted(
        at=at,
        run=run,
        mode=setup.mode.value,
        strategies=tuple(strategy.name for strategy in setup.strategies),
        seed=0,
        version=__version__,
        limits=limits_as_text(limits),
        limits_version=limits.version,
        universe=tuple(setup.universe.values()),
        data=setup.source or setup.access.endpoints.data,
    )


def _locked(setup: LiveSetup, sender: Holder, at: datetime) -> SenderLocked:
    return SenderLocked(
        at=at,
        account=sender.account,
        epoch=sender.epoch,
        pid=sender.pid,
        host=sender.host,
        directory=sender.directory,
        watchdog=bool(setup.watchdog),
    )


def calendar_of(setup: LiveSetup, today: date) -> Calendar:
    """The exchange's sessions around `today`, or a venue that never closes."""
    if setup.always_open:
        return AlwaysOpen()
    return TradingCalendar.nyse(today - setup.lookback - timedelta(days=30), today + _HORIZON)
