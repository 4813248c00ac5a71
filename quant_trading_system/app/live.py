"""An account at Alpaca, or at a venue that speaks its wire: connect, reconcile, trade, stop in good order.

The start has a fixed order: lock and journal, latch, broker, books, streams, reconciliation. Only then may a
strategy speak.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

from quant_trading_system.app.alarms import Alarms
from quant_trading_system.app.collection import start_is_kept
from quant_trading_system.app.crash_loop import refuse_crash_loop
from quant_trading_system.app.limits_file import LimitsFile
from quant_trading_system.app.live_parts import (
    LiveSetup,
    MeasuredBars,
    Tell,
    assemble_live,
    calendar_of,
    loaded_bars,
    measured_correlations,
    named_keys,
    narrate,
    returns_of,
    tell_what_stands_still,
)
from quant_trading_system.app.price_feed import price_feed
from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.app.sender import EngineGuard, LastLook, last_epoch
from quant_trading_system.app.stopping import end_all, unless_stopped
from quant_trading_system.app.surroundings import Lines, Surroundings
from quant_trading_system.app.vitals import vitals_of
from quant_trading_system.core.events import RunFinished
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    ConfigurationError,
    NotReconciled,
    NotSent,
    OutcomeUnknown,
)
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import EXTERNAL
from quant_trading_system.execution.account_lock import AccountLock, account_key
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.alpaca_statement import AlpacaStatements
from quant_trading_system.execution.broker_times import told_times
from quant_trading_system.execution.credentials import TradingMode
from quant_trading_system.execution.doubts import ABSENT_AFTER, MISSES
from quant_trading_system.execution.halt_board import HaltBoard
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.store import Journal
from quant_trading_system.market.market_clock import MarketClock
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.risk.latch import Latch
from quant_trading_system.trading.live_loop import LiveLoop, OnStop
from quant_trading_system.trading.operations import Operations
from quant_trading_system.trading.ports import Ports
from quant_trading_system.trading.system import TradingSystem

START_PATIENCE = timedelta(seconds=30)
"""How long the streams may take to come up."""
DOUBT_PATIENCE = ABSENT_AFTER + timedelta(minutes=1)
"""How long a start waits for orders in doubt; one that never arrived is given up within, a few hundred take longer."""
STOPPED_EARLY = "stopped before anything was sent; orders of earlier runs are as they were, `qts orders` lists them"
AT_ONCE = 8
"""Symbols whose slices wait for the broker at the same time: half of the connections, the others are for cancels."""
_LOOK = timedelta(seconds=5)


async def trade(
    setup: LiveSetup,
    stop: asyncio.Event,
    tell: Tell,
    surroundings: Surroundings | None = None,
    hurry: asyncio.Event | None = None,
) -> None:
    """Trade until `stop` is set.

    Args:
        tell: takes one line about what happens, for people.
        surroundings: clock, lines and storage; this machine's by default.
        hurry: set when the stop is to wait for the broker no longer.

    Raises:
        ConfigurationError: host, account or settings do not agree, positions have nobody to answer for them,
            another engine has the account, or the watchdog did not come up.
        NotReconciled: our books and the broker's differ; nothing was sent.
        JournalUnavailable: another engine has the directory, or the journal cannot be written.
    """
    async with AsyncExitStack() as stack:
        opening = open_account(setup, surroundings or Surroundings(), stack, tell)
        account = await unless_stopped(stop, opening)
        if account is not None:
            stack.enter_context(start_is_kept())
            await account.run(stop, hurry)
        else:
            tell(STOPPED_EARLY)


async def open_account(setup: LiveSetup, around: Surroundings, stack: AsyncExitStack, tell: Tell) -> LiveAccount:
    """Everything up to the point where streams may begin; `stack` closes what was opened.

    Raises:
        ConfigurationError, JournalUnavailable: as for `trade`.
    """
    setup.access.endpoints.require_permission(setup.mode, armed=setup.armed, account_id=setup.account_id)
    if setup.always_open and setup.mode is not TradingMode.LOCAL:
        raise ConfigurationError("only a venue on this machine can be open always")
    journal = around.open_journal(setup.directory)
    stack.callback(journal.close)
    journal.on_warning(tell)
    alarms = Alarms(tell, lambda notice: around.record_notice(setup.directory, around.clock.now(), notice))
    lines = await around.connect(setup.access, setup.feed, around.clock, stack, alarms)
    journal.subscribe(lambda _, event: narrate(event, tell))
    with named_keys():
        identity = account_key(setup.access.endpoints, (await lines.client.account()).id)
        lock = around.take_lock(setup.directory, identity, last_epoch(journal), around.clock)
        stack.callback(lock.release)
        await refuse_crash_loop(journal, around.open_latch(setup.directory), around.clock, lines.client)
        return await LiveAccount.prepare(setup, around, journal, lines, tell, alarms, lock)


def _guard(setup: LiveSetup, around: Surroundings, lock: AccountLock, host_latch: Latch, alarms: Alarms) -> EngineGuard:
    return EngineGuard(
        around.clock,
        lock,
        host_latch,
        alarms,
        beat=partial(around.beat, setup.directory),
        watchdog=partial(around.watchdog_heartbeat, setup.directory),
        launch=partial(around.launch, setup.watchdog, setup.directory) if setup.watchdog else None,
    )


class LiveAccount:
    """One account while it is being traded.

    Attributes:
        name: of the run; every client order id begins with it. `system`: everything that decides.
        broker, feed: both sides of the line to the broker.
    """

    def __init__(
        self,
        setup: LiveSetup,
        around: Surroundings,
        guard: EngineGuard,
        run: str,
        system: TradingSystem,
        journal: Journal,
        broker: AlpacaBroker,
        feed: AlpacaFeed,
        bars: MeasuredBars,
        reconciliation: Reconciliation,
        tell: Tell,
    ) -> None:
        self._setup = setup
        self._around = around
        self._guard = guard
        self.name = run
        self.system = system
        self._journal = journal
        self.broker = broker
        self.feed = feed
        self._bars = bars
        self._reconciliation = reconciliation
        self._tell = tell
        self._streams: list[asyncio.Future[None]] = []

    @classmethod
    async def prepare(
        cls,
        setup: LiveSetup,
        around: Surroundings,
        journal: Journal,
        lines: Lines,
        tell: Tell,
        alarms: Alarms,
        lock: AccountLock,
    ) -> LiveAccount:
        """Everything up to the point where streams may begin."""
        clock, board, market_clock = around.clock, QuoteBoard(), MarketClock(around.clock, setup.limits)
        source = None if around.is_stepped else lines.client
        times, calendar = await told_times(source, market_clock, partial(calendar_of, setup), alarms)
        latch, host_latch = around.open_latch(setup.directory), around.open_host_latch(setup.directory)
        guard = _guard(setup, around, lock, host_latch, alarms)
        broker = AlpacaBroker(
            lines.client,
            lines.sockets,
            setup.access,
            clock,
            alarms,
            market_clock=market_clock,
            latch=LastLook(lock, latch, host_latch, alarms),
            account_id=setup.account_id,
        )
        halts = HaltBoard(market_clock.now, tell)
        feed = price_feed(setup, lines, market_clock, calendar, board, halts, alarms)
        bars = await loaded_bars(setup, lines.data, calendar, market_clock)
        correlations = measured_correlations(setup, bars)
        ports = Ports(
            clock=clock,
            market_clock=market_clock,
            calendar=calendar,
            quotes=board,
            broker=broker,
            journal=journal,
            latch=latch,
            correlations=correlations,
            volumes=board,
            is_halted=halts.is_halted,
            unwatched=guard.unwatched,
            crowded=lines.client.crowded,
            returns=returns_of(setup, bars),
            at_once=1 if around.is_stepped else AT_ONCE,
        )
        record, sender = around.watchdog_record(setup.directory), lock.holder
        run, system, past = await assemble_live(setup, ports, journal, broker, sender, record, tell)
        for part in (correlations, market_clock):
            part.use_limits(system.limits)
            system.governance.on_change(part.use_limits)
        alarms.kill_switch = guard.kill_switch = system.kill_switch
        guard.vitals = partial(vitals_of, clock, system.monitor, {"orders": broker.session, "prices": feed.session})
        system.orders.lives.watch.on_notice(alarms)
        statements = AlpacaStatements(lines.client, broker.names, broker.submitted)
        reconciliation = Reconciliation(system, statements, past.books if past else None, alarms, tell, times, source)
        if not around.is_stepped:  # then prices are those of a recorded market
            system.monitor.doubt_single_prices()
            broker.session.on_change(reconciliation.reconciler.stream_changed)
        measured = MeasuredBars(bars, correlations)
        return cls(setup, around, guard, run, system, journal, broker, feed, measured, reconciliation, tell)

    async def run(self, stop: asyncio.Event, hurry: asyncio.Event | None = None) -> None:
        """Bring the streams up, reconcile, trade until `stop`; a `stop` before that ends the start at once."""
        async with AsyncExitStack() as stack:
            try:
                loop = await unless_stopped(stop, stack.enter_async_context(self.following()))
            except (NotReconciled, OutcomeUnknown, NotSent, BrokerRejected):
                self._end_unstarted()  # nothing is wrong with this program
                raise
            if loop is None:
                self._end_unstarted()
                self._tell(STOPPED_EARLY)
                return
            stopper = asyncio.ensure_future(_stop_when(stop, hurry or asyncio.Event(), loop))
            trading = asyncio.ensure_future(loop.run())
            try:
                await asyncio.wait([trading, *self._streams], return_when=asyncio.FIRST_COMPLETED)
                _raise_failure(self._streams)
                await trading
            finally:
                await end_all([trading, stopper])

    @asynccontextmanager
    async def following(self) -> AsyncIterator[LiveLoop]:
        """Streams that are up, books that agree, and somebody who watches: now the loop may turn.

        Raises:
            NotReconciled: they do not come up, or the books differ.
            ConfigurationError: the watchdog does not come up.
        """
        self._guard.trading = self._has_orders_to_withdraw()
        async with self._guard.watched(), self._connected() as loop:
            self._guard.starting, self._guard.trading = False, True
            yield loop

    def _end_unstarted(self) -> None:
        """On record, so that it does not count as a start that failed."""
        journal, now, system = self.system.ports.journal, self.system.ports.clock.now(), self.system
        orders, fills = system.orders.count, system.tracker.fills  # those of others, taken into the books meanwhile
        journal.append(RunFinished(at=now, run=self.name, orders=orders, fills=fills, policy="not started"))
        journal.sync()

    def _has_orders_to_withdraw(self) -> bool:
        """An earlier process left orders that were not meant to stay; a failed start leaves them to the watchdog."""
        own = (record for record in self.system.orders.open_orders() if record.order.strategy != EXTERNAL)
        return self._setup.on_stop is OnStop.CANCEL and any(own)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[LiveLoop]:
        loop = self._loop()
        self._streams = [asyncio.ensure_future(stream) for stream in (self.broker.run(), self.feed.run())]
        try:
            await self._wait_for_streams()
            await self._settle_doubts()
            await self._reconciliation.start(self._setup.adopted_by)
            if not self._around.is_stepped:
                self._streams.append(asyncio.ensure_future(self._reconciliation.reconciler.run()))
                self._streams += [asyncio.ensure_future(file.run()) for file in self._limits_files()]
            self._tell(f"reconciled; trading with {', '.join(s.name for s in self._setup.strategies)}")
            tell_what_stands_still(self.system, self._tell)
            async with self._around.open_door(self._setup.directory, self._operations(loop), self._tell):
                yield loop
        finally:
            await end_all(reversed(self._streams))

    async def _settle_doubts(self) -> None:
        """Ask about orders in doubt until the broker has shown them, or has denied them for long enough.

        First by lists, which deny nothing, then by id. A process that asks once and gives up can never find out that
        an order did not arrive. For hundreds of orders the broker's rate limit leaves no time to ask as often as it
        takes within `DOUBT_PATIENCE`: as long as it answers, every order gets so many questions.
        """
        orders, clock = self.system.orders, self.system.ports.clock
        began = clock.monotonic()

        def in_doubt() -> list[OrderRecord]:
            return [record for record in orders.open_orders() if record.status is OrderStatus.IN_DOUBT]

        await orders.resolve_listed(record.order_id for record in in_doubt())
        rounds, is_answered = 0, True
        while doubtful := in_doubt():
            _raise_failure(self._streams)
            for record in doubtful:
                try:
                    await orders.resolve(record.order_id)
                except (OutcomeUnknown, BrokerRejected, NotSent) as error:
                    is_answered = False
                    self._tell(f"{record.order_id} stays in doubt: {error}")
            rounds += 1
            is_late = clock.monotonic() - began > DOUBT_PATIENCE.total_seconds()
            if is_late and (rounds >= MISSES or not is_answered):
                return  # the reconciliation names what is left
            await clock.sleep(_LOOK)

    def _limits_files(self) -> Iterator[LimitsFile]:
        """What is watched for changes: the limits file that was named, if any."""
        setup, ports = self._setup, self.system.ports
        if setup.limits_path is not None:
            yield LimitsFile(
                setup.limits_path,
                self.system.governance,
                self._journal,
                ports.clock,
                by=setup.operator,
                tell=self._tell,
            )

    def _loop(self) -> LiveLoop:
        loop = LiveLoop(
            self.system,
            self._bars,
            run=self.name,
            on_stop=self._setup.on_stop,
            heartbeat=self._guard.turned,
            reconciler=None if self._around.is_stepped else self._reconciliation.reconciler,
            tell=self._tell,
            tick=self._around.tick,
            is_stepped=self._around.is_stepped,
        )
        board = self.system.ports.quotes
        if isinstance(board, QuoteBoard):
            board.subscribe(lambda _: loop.wake())
        self.broker.subscribe(lambda _: loop.wake())
        return loop

    def _operations(self, loop: LiveLoop) -> Operations:
        reconciler = None if self._around.is_stepped else self._reconciliation.reconciler
        return Operations(self.system, source=self._journal, reconciler=reconciler, wake=loop.wake)

    async def _wait_for_streams(self) -> None:
        changed = asyncio.Event()
        for session in (self.broker.session, self.feed.session):
            session.on_change(lambda _: changed.set())
        for stream in self._streams:
            stream.add_done_callback(lambda _: changed.set())
        patience = asyncio.ensure_future(self.system.ports.clock.sleep(START_PATIENCE))
        patience.add_done_callback(lambda _: changed.set())
        try:
            while not (self.broker.session.is_up and self.feed.session.is_up):
                _raise_failure(self._streams)
                if patience.done():
                    raise NotReconciled("the streams did not come up; nothing was sent")
                await changed.wait()
                changed.clear()
        finally:
            await end_all([patience])


async def _stop_when(stop: asyncio.Event, hurry: asyncio.Event, loop: LiveLoop) -> None:
    await stop.wait()
    loop.stop()
    await hurry.wait()
    loop.hurry()


def _raise_failure(streams: Sequence[asyncio.Future[None]]) -> None:
    for stream in streams:
        if stream.done():
            stream.result()
