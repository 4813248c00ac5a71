"""An account at Alpaca, or at a venue that speaks its wire: connect, reconcile, trade, stop in good order.

The start has a fixed order: lock and journal, latch, broker, books, streams, reconciliation. Only then may a
strategy speak.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from quant_trading_system import __version__
from quant_trading_system.app.bootstrap import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock, SystemClock
from quant_trading_system.core.events import PositionAdopted, RunStarted
from quant_trading_system.core.exceptions import ConfigurationError, NotReconciled
from quant_trading_system.core.ids import run_id
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.numbers import LEDGER
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.alpaca_history import history_of
from quant_trading_system.execution.broker import BrokerPosition
from quant_trading_system.execution.credentials import Access, TradingMode
from quant_trading_system.execution.http_transport import HttpTransport, WebSockets
from quant_trading_system.execution.notices import Notice
from quant_trading_system.execution.reconciliation import Break, reconcile
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.market.sessions import AlwaysOpen, Calendar, TradingCalendar
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.kill_switch import stops
from quant_trading_system.risk.latch import FileLatch
from quant_trading_system.risk.position_sizer import EqualWeight, OwnWeight
from quant_trading_system.trading.live_bars import LiveBars
from quant_trading_system.trading.live_loop import LiveLoop, OnStop
from quant_trading_system.trading.strategy import Strategy
from quant_trading_system.trading.system import Past, Ports, TradingSystem, assemble

HEARTBEAT_FILE = "heartbeat"
START_PATIENCE = timedelta(seconds=30)
"""How long the streams may take to come up."""
_LOOK = timedelta(milliseconds=200)

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
        adopted_by: who answers for positions that were there before the first run.
        always_open: the venue trades around the clock; for local venues only.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """The connections to the broker."""

    client: AlpacaClient
    data: AlpacaData
    sockets: WebSockets


async def trade(setup: LiveSetup, stop: asyncio.Event, tell: Tell) -> None:
    """Trade until `stop` is set.

    Args:
        tell: takes one line about what happens, for people.

    Raises:
        ConfigurationError: host, account or settings do not agree, or positions have nobody to answer for them.
        NotReconciled: our books and the broker's differ; nothing was sent.
        JournalUnavailable: another engine has the account, or the journal cannot be written.
    """
    setup.access.endpoints.require_permission(setup.mode, armed=setup.armed, account_id=setup.account_id)
    if setup.always_open and setup.mode is not TradingMode.LOCAL:
        raise ConfigurationError("only a venue on this machine can be open always")
    async with AsyncExitStack() as stack:
        journal = _open_journal(setup.directory)
        stack.callback(journal.close)
        lines = await _connect(setup, stack, tell)
        account = await _Account.prepare(setup, journal, lines, tell)
        await account.run(stop)


def _open_journal(directory: Path) -> SqliteJournal:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / JOURNAL_FILE
    return SqliteJournal(path, journal_key(path), group_commit=True)


async def _connect(setup: LiveSetup, stack: AsyncExitStack, tell: Tell) -> _Lines:
    credentials, endpoints = setup.access.credentials, setup.access.endpoints
    clock, sockets = SystemClock(), WebSockets()
    stack.push_async_callback(sockets.close)
    apis = []
    for source, origin in (("trading", endpoints.trading), ("data", endpoints.data)):
        transport = HttpTransport(origin, credentials.headers())
        api = AlpacaApi(transport, clock, _teller(tell), source=source, hide=credentials.hidden_in)
        stack.push_async_callback(api.close)
        apis.append(api)
    return _Lines(client=AlpacaClient(apis[0]), data=AlpacaData(apis[1], feed=setup.feed), sockets=sockets)


def _teller(tell: Tell) -> Callable[[Notice], None]:
    def notify(notice: Notice) -> None:
        tell(f"{notice.source}: {notice.kind.value.replace('_', ' ')}: {notice.message}")

    return notify


class _Account:
    """One account while it is being traded."""

    def __init__(
        self,
        setup: LiveSetup,
        run: str,
        system: TradingSystem,
        broker: AlpacaBroker,
        feed: AlpacaFeed,
        bars: _Bars,
        tell: Tell,
    ) -> None:
        self._setup = setup
        self._run = run
        self._system = system
        self._broker = broker
        self._feed = feed
        self._bars = bars
        self._tell = tell

    @classmethod
    async def prepare(cls, setup: LiveSetup, journal: SqliteJournal, lines: _Lines, tell: Tell) -> _Account:
        """Everything up to the point where streams may begin."""
        clock, calendar, board = SystemClock(), _calendar(setup), QuoteBoard()
        latch = FileLatch(setup.directory / LATCH_FILE)
        symbols = tuple(setup.universe)
        broker = AlpacaBroker(
            lines.client,
            lines.sockets,
            setup.access,
            clock,
            _teller(tell),
            latch=lambda approved: stops(latch, shrinking=approved.shrinks),
            account_id=setup.account_id,
        )
        feed = AlpacaFeed(
            lines.sockets,
            lines.data,
            setup.access,
            clock,
            _teller(tell),
            subscriptions={"quotes": symbols},
            board=board,
            is_open=calendar.is_open,
            feed=setup.feed,
        )
        bars = LiveBars(
            partial(_fetch, lines.data, symbols, calendar, setup.span),
            calendar,
            clock,
            span=setup.span,
            lookback=setup.lookback,
        )
        await bars.load()
        correlations = RollingCorrelations(
            symbols,
            bars.recent_returns,
            window=setup.limits.correlation_window,
            min_observations=setup.limits.correlation_min_observations,
        )
        ports = Ports(
            clock=clock,
            calendar=calendar,
            quotes=board,
            broker=broker,
            journal=journal,
            latch=latch,
            correlations=correlations,
        )
        run, system = await _assemble(setup, ports, journal, broker)
        return cls(setup, run, system, broker, feed, _Bars(bars, correlations), tell)

    async def run(self, stop: asyncio.Event) -> None:
        """Bring the streams up, reconcile, trade until `stop`."""
        system = self._system
        loop = LiveLoop(
            system, self._bars, run=self._run, on_stop=self._setup.on_stop, heartbeat=self._beat, tell=self._tell
        )
        board = system.ports.quotes
        if isinstance(board, QuoteBoard):
            board.subscribe(lambda _: loop.wake())
        self._broker.subscribe(lambda _: loop.wake())
        streams = [asyncio.ensure_future(work) for work in (self._broker.run(), self._feed.run())]
        try:
            await self._wait_for_streams(streams)
            self._require_clean(await reconcile(self._broker, system.portfolio, system.orders))
            self._tell(f"reconciled; trading with {', '.join(s.name for s in self._setup.strategies)}")
            stopper = asyncio.ensure_future(_stop_when(stop, loop))
            trading = asyncio.ensure_future(loop.run())
            await asyncio.wait([trading, *streams], return_when=asyncio.FIRST_COMPLETED)
            stopper.cancel()
            _raise_failure(streams)
            await trading
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _wait_for_streams(self, streams: Sequence[asyncio.Future[None]]) -> None:
        clock: Clock = self._system.ports.clock
        deadline = clock.now() + START_PATIENCE
        while not (self._broker.session.is_up and self._feed.session.is_up):
            _raise_failure(streams)
            if clock.now() > deadline:
                raise NotReconciled("the streams did not come up; nothing was sent")
            await clock.sleep(_LOOK)

    def _require_clean(self, breaks: Sequence[Break]) -> None:
        for found in breaks:
            self._tell(f"{found.kind.value} {found.subject}: ours {found.ours}, the broker's {found.theirs}")
        blocking = [found.subject for found in breaks if found.blocks]
        if blocking:
            raise NotReconciled(
                f"our books and the broker's differ in {', '.join(blocking)}; explain it, then start again"
            )

    def _beat(self) -> None:
        path = self._setup.directory / HEARTBEAT_FILE
        path.touch(mode=0o600)
        os.utime(path)


class _Bars:
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


async def _fetch(
    data: AlpacaData, symbols: tuple[str, ...], calendar: Calendar, span: timedelta | None, start: datetime
) -> PriceHistory:
    timeframe = "1Day" if span is None else f"{span // timedelta(minutes=1)}Min"
    found = await data.bars(symbols, timeframe, start=start, adjustment="split")
    return history_of({symbol: found.get(symbol, ()) for symbol in symbols}, calendar, span)


async def _assemble(
    setup: LiveSetup, ports: Ports, journal: SqliteJournal, broker: AlpacaBroker
) -> tuple[str, TradingSystem]:
    """The account as its journal left it, or a new one with the broker's cash and positions."""
    account, held = await broker.account(), await broker.positions()
    begun = sum(1 for _ in journal.entries(kinds=("run_started",)))
    past = Past(replay(journal).projection, journal) if begun else None
    if past is None and held and not setup.adopted_by:
        names = ", ".join(position.symbol for position in held)
        raise ConfigurationError(f"the account holds {names}; name who answers for these positions (--adopt NAME)")
    run = run_id("live", account.account_id, begun, *(strategy.name for strategy in setup.strategies))
    journal.set_config(setup.limits.version)
    journal.append(_started(setup, run, ports.clock.now()))
    system = assemble(
        ports,
        run=run,
        cash=account.cash,
        limits=setup.limits,
        universe=setup.universe,
        strategies=setup.strategies,
        sizer=OwnWeight(EqualWeight()),
        past=past,
    )
    if past is None:
        _adopt(setup, system, journal, held)
    journal.sync()
    return run, system


def _adopt(
    setup: LiveSetup, system: TradingSystem, journal: SqliteJournal, positions: Sequence[BrokerPosition]
) -> None:
    for position in positions:
        cost = LEDGER.multiply(position.quantity, position.average_price)
        journal.append(
            PositionAdopted(
                at=system.ports.clock.now(),
                symbol=position.symbol,
                quantity=position.quantity,
                cost=cost,
                approved_by=setup.adopted_by,
                reason="held before the first run",
            )
        )
        system.portfolio.adopt(position.symbol, position.quantity, cost)


def _started(setup: LiveSetup, run: str, at: datetime) -> RunStarted:
    return RunStarted(
        at=at,
        run=run,
        mode=setup.mode.value,
        strategies=tuple(strategy.name for strategy in setup.strategies),
        seed=0,
        version=__version__,
        limits=limits_as_text(setup.limits),
        limits_version=setup.limits.version,
        universe=tuple(setup.universe.values()),
        data=setup.access.endpoints.data,
    )


def _calendar(setup: LiveSetup) -> Calendar:
    if setup.always_open:
        return AlwaysOpen()
    today = SystemClock().now().date()
    return TradingCalendar.nyse(today - setup.lookback - timedelta(days=30), today + timedelta(days=30))


async def _stop_when(stop: asyncio.Event, loop: LiveLoop) -> None:
    await stop.wait()
    loop.stop()


def _raise_failure(streams: Sequence[asyncio.Future[None]]) -> None:
    for stream in streams:
        if stream.done():
            stream.result()
