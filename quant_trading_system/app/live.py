"""An account at Alpaca, or at a venue that speaks its wire: connect, reconcile, trade, stop in good order.

The start has a fixed order: lock and journal, latch, broker, books, streams, reconciliation. Only then may a
strategy speak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from functools import partial

from quant_trading_system.app.adoption import adopt_cash, adopt_positions
from quant_trading_system.app.alarms import Alarms
from quant_trading_system.app.live_parts import (
    LiveSetup,
    MeasuredBars,
    Tell,
    assemble_live,
    calendar_of,
    fetch,
    narrate,
)
from quant_trading_system.app.surroundings import Lines, Surroundings
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, ConfigurationError, NotReconciled
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_errors import UNAUTHORIZED
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.credentials import TradingMode
from quant_trading_system.execution.reconciliation import Break, BreakKind, reconcile
from quant_trading_system.journal.store import Journal
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.kill_switch import stops
from quant_trading_system.trading.live_bars import LiveBars
from quant_trading_system.trading.live_loop import LiveLoop
from quant_trading_system.trading.system import Ports, TradingSystem

START_PATIENCE = timedelta(seconds=30)
"""How long the streams may take to come up."""
_ORDERS = frozenset({BreakKind.MISSING_ORDER, BreakKind.FOREIGN_ORDER})
_LOOK = timedelta(milliseconds=200)


async def trade(setup: LiveSetup, stop: asyncio.Event, tell: Tell, surroundings: Surroundings | None = None) -> None:
    """Trade until `stop` is set.

    Args:
        tell: takes one line about what happens, for people.
        surroundings: clock, lines and storage; this machine's by default.

    Raises:
        ConfigurationError: host, account or settings do not agree, or positions have nobody to answer for them.
        NotReconciled: our books and the broker's differ; nothing was sent.
        JournalUnavailable: another engine has the account, or the journal cannot be written.
    """
    setup.access.endpoints.require_permission(setup.mode, armed=setup.armed, account_id=setup.account_id)
    if setup.always_open and setup.mode is not TradingMode.LOCAL:
        raise ConfigurationError("only a venue on this machine can be open always")
    around = surroundings or Surroundings()
    async with AsyncExitStack() as stack:
        journal = around.open_journal(setup.directory)
        stack.callback(journal.close)
        alarms = Alarms(tell)
        lines = await around.connect(setup.access, setup.feed, around.clock, stack, alarms)
        journal.subscribe(lambda _, event: narrate(event, tell))
        with _named_keys():
            account = await _Account.prepare(setup, around, journal, lines, tell, alarms)
        await account.run(stop)


@contextmanager
def _named_keys() -> Iterator[None]:
    """Keys that are refused are said to be the ones of the environment."""
    try:
        yield
    except BrokerRejected as error:
        if error.code != UNAUTHORIZED:
            raise
        raise ConfigurationError(
            "the broker refuses the keys; check APCA_API_KEY_ID, APCA_API_SECRET_KEY and APCA_API_BASE_URL"
        ) from error


class _Account:
    """One account while it is being traded."""

    def __init__(
        self,
        setup: LiveSetup,
        around: Surroundings,
        run: str,
        system: TradingSystem,
        broker: AlpacaBroker,
        feed: AlpacaFeed,
        bars: MeasuredBars,
        tell: Tell,
    ) -> None:
        self._setup = setup
        self._around = around
        self._run = run
        self._system = system
        self._broker = broker
        self._feed = feed
        self._bars = bars
        self._tell = tell

    @classmethod
    async def prepare(
        cls, setup: LiveSetup, around: Surroundings, journal: Journal, lines: Lines, tell: Tell, alarms: Alarms
    ) -> _Account:
        """Everything up to the point where streams may begin."""
        clock, calendar, board = around.clock, calendar_of(setup, around.clock.now().date()), QuoteBoard()
        latch = around.open_latch(setup.directory)
        symbols = tuple(setup.universe)
        broker = AlpacaBroker(
            lines.client,
            lines.sockets,
            setup.access,
            clock,
            alarms,
            latch=lambda approved: stops(latch, shrinking=approved.shrinks),
            account_id=setup.account_id,
        )
        feed = AlpacaFeed(
            lines.sockets,
            lines.data,
            setup.access,
            clock,
            alarms,
            subscriptions={"quotes": symbols, "trades": symbols},
            board=board,
            is_open=calendar.is_open,
            feed=setup.feed,
        )
        bars = LiveBars(
            symbols,
            partial(fetch, lines.data, symbols, calendar, setup.span),
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
        run, system = await assemble_live(setup, ports, journal, broker)
        alarms.kill_switch = system.kill_switch
        return cls(setup, around, run, system, broker, feed, MeasuredBars(bars, correlations), tell)

    async def run(self, stop: asyncio.Event) -> None:
        """Bring the streams up, reconcile, trade until `stop`."""
        system = self._system
        loop = LiveLoop(
            system,
            self._bars,
            run=self._run,
            on_stop=self._setup.on_stop,
            heartbeat=lambda: self._around.beat(self._setup.directory),
            tell=self._tell,
        )
        board = system.ports.quotes
        if isinstance(board, QuoteBoard):
            board.subscribe(lambda _: loop.wake())
        self._broker.subscribe(lambda _: loop.wake())
        streams = [asyncio.ensure_future(stream) for stream in (self._broker.run(), self._feed.run())]
        work = list(streams)
        try:
            await self._wait_for_streams(streams)
            await self._reconcile()
            self._tell(f"reconciled; trading with {', '.join(s.name for s in self._setup.strategies)}")
            self._tell_halt()
            stopper = asyncio.ensure_future(_stop_when(stop, loop))
            trading = asyncio.ensure_future(loop.run())
            work += [stopper, trading]
            await asyncio.wait([trading, *streams], return_when=asyncio.FIRST_COMPLETED)
            _raise_failure(streams)
            await trading
        finally:
            await _end(reversed(work))  # the loop first: it needs the streams to stop in good order

    def _tell_halt(self) -> None:
        state = self._system.kill_switch.state
        if state.level:
            self._tell(f"{state.level.name} since {state.at} by {state.by}: {state.reason}; `qts resume` ends it")

    async def _wait_for_streams(self, streams: Sequence[asyncio.Future[None]]) -> None:
        clock: Clock = self._system.ports.clock
        deadline = clock.now() + START_PATIENCE
        while not (self._broker.session.is_up and self._feed.session.is_up):
            _raise_failure(streams)
            if clock.now() > deadline:
                raise NotReconciled("the streams did not come up; nothing was sent")
            await clock.sleep(_LOOK)

    async def _reconcile(self) -> None:
        system, person = self._system, self._setup.adopted_by
        breaks = await reconcile(self._broker, system.portfolio, system.orders)
        if breaks and person and not any(found.kind in _ORDERS for found in breaks):
            self._tell_breaks(breaks)
            adopt_positions(system, await self._broker.positions(), approved_by=person, reason="differed at a start")
            adopt_cash(system, await self._broker.account(), approved_by=person)
            await system.ports.journal.durable()
            self._tell(f"taken over from the broker on the word of {person}")
            breaks = await reconcile(self._broker, system.portfolio, system.orders)
        self._require_clean(breaks)

    def _tell_breaks(self, breaks: Sequence[Break]) -> None:
        for found in breaks:
            self._tell(f"{found.kind.value} {found.subject}: ours {found.ours}, the broker's {found.theirs}")

    def _require_clean(self, breaks: Sequence[Break]) -> None:
        self._tell_breaks(breaks)
        blocking = [found.subject for found in breaks if found.blocks]
        if blocking:
            raise NotReconciled(
                f"our books and the broker's differ in {', '.join(blocking)}; find out why, then start again, "
                "with --adopt NAME to take over the broker's positions and cash"
            )


async def _end(work: Iterable[asyncio.Future[None]]) -> None:
    for task in work:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _stop_when(stop: asyncio.Event, loop: LiveLoop) -> None:
    await stop.wait()
    loop.stop()


def _raise_failure(streams: Sequence[asyncio.Future[None]]) -> None:
    for stream in streams:
        if stream.done():
            stream.result()
