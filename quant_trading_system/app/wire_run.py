"""A live account on a venue whose time stands still between steps: history over real HTTP and WebSocket.

It is the account of `app.live` with its own loop, client and streams; only the clock is the venue's. Time goes on
when everything has been heard and nobody wants anything any more, so a run does not depend on how fast the
machine is, and ends with the same fills and the same cash as a backtest with equal costs.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

from quant_trading_system.app.live import LiveAccount, open_account
from quant_trading_system.app.live_parts import LiveSetup, Tell
from quant_trading_system.app.surroundings import Lines, Surroundings, connect
from quant_trading_system.app.venue_process import Frames, SteppedVenue, VenueMoment
from quant_trading_system.core.clock import Clock, ManualClock, SystemClock
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.account_lock import AccountLock, Holder, UnsharedLock
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.http_transport import OpenSocket, WebSockets
from quant_trading_system.execution.notices import Notify
from quant_trading_system.execution.stream_session import within
from quant_trading_system.execution.transport import Frame
from quant_trading_system.journal.store import Journal
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.research.backtest import EquityPoint, Progress, Watcher
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.trading.live_loop import LiveLoop

AFTER_CLOSE = timedelta(seconds=5)
"""A day is looked back on when its last bar is finished."""
_PATIENCE = timedelta(seconds=60)
_MOST_TURNS = 1000


class CountedSockets:
    """WebSockets that know how many messages have come on the latest connection to each URL."""

    def __init__(self) -> None:
        self._sockets = WebSockets()
        self._received: Counter[str] = Counter()
        self._news = asyncio.Event()

    async def open(self, url: str, headers: dict[str, str]) -> CountedSocket:
        socket = await self._sockets.open(url, headers)
        self._received[url] = 0
        return CountedSocket(socket, lambda: self._count(url))

    def has(self, wanted: Mapping[str, int]) -> bool:
        """So many messages have come from each URL."""
        return all(self._received[url] >= count for url, count in wanted.items())

    async def until(self, wanted: Mapping[str, int]) -> None:
        """Wait until `has(wanted)`."""
        while not self.has(wanted):
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Hang up every socket."""
        await self._sockets.close()

    def _count(self, url: str) -> None:
        self._received[url] += 1
        self._news.set()


class CountedSocket:
    """One WebSocket of `CountedSockets`."""

    def __init__(self, socket: OpenSocket, count: Callable[[], None]) -> None:
        self._socket = socket
        self._count = count
        self.send = socket.send
        self.close = socket.close

    async def receive(self) -> Frame:
        frame = await self._socket.receive()
        self._count()
        return frame


class WireRun:
    """One account on one stepped venue, from where the venue stands to the end of a day.

    Attributes:
        account: what trades; `journal`: what it wrote.
        curve: the account at each close, the first point before anything was traded.
    """

    def __init__(
        self, account: LiveAccount, journal: Journal, venue: SteppedVenue, clock: ManualClock, sockets: CountedSockets
    ) -> None:
        """Join what `open_run` has opened."""
        self.account = account
        self.journal = journal
        self.clock = clock
        self.curve: list[EquityPoint] = []
        self._venue = venue
        self._sockets = sockets

    async def run(self, last: date, watch: Watcher | None = None) -> None:
        """Trade until the close of `last`, or until there are no prices any more."""
        first = self.clock.now()
        self._note(first)
        async with self.account.following() as loop:
            moment = await self._venue.hold_orders()
            await self._turn(loop, moment)
            while (step := self._next(moment, last)) is not None:
                moment, is_day_end = await self._go(step)
                await self._turn(loop, moment)
                if is_day_end:
                    self._note(self.account.system.ports.calendar.last_close(moment.now))
                await _tell(watch, moment.now, first, last, is_day_end=is_day_end)
            await loop.end()

    def _note(self, at: datetime) -> None:
        portfolio = self.account.system.portfolio
        gross = sum((abs(position.market_value) for position in portfolio.positions.values()), ZERO)
        self.curve.append(EquityPoint(at, portfolio.equity, gross, len(portfolio.positions)))

    # -- time ----------------------------------------------------------------------------------------------------

    def _next(self, moment: VenueMoment, last: date) -> datetime | None:
        """When to look next: at the next price or slice, or after the close when there is none before it."""
        session, wake = self.account.system.ports.calendar.session_at(moment.now), self.account.system.engine.wake_at
        due = moment.next_price
        if wake is not None and due is not None and moment.now < wake < due:
            due = wake
        if session is not None and (due is None or due >= session.close):
            return session.close + AFTER_CLOSE
        return None if due is None or due.astimezone(NEW_YORK).date() > last else due

    async def _go(self, step: datetime) -> tuple[VenueMoment, bool]:
        """Let the venue's time come to `step`; whether a day ended on the way."""
        calendar = self.account.system.ports.calendar
        before = calendar.session_at(self.clock.now())
        self.clock.move_to(step)  # first: what the venue sends is stamped with the time at which it comes
        waits = self.account.system.engine.wake_at is not None  # parents look at the market between its prices, too
        return await self._venue.go_to(step, confirm=waits), before is not None and step > before.close

    async def _turn(self, loop: LiveLoop, moment: VenueMoment) -> None:
        """Let the engine act until nobody has anything more to say at this moment."""
        for _ in range(_MOST_TURNS):
            await self._hear(moment.frames)
            await loop.turn()
            settled = await self._venue.settle()
            if settled.frames == moment.frames:
                return
            moment = settled
        raise MarketDataError(f"venue and engine do not come to rest at {moment.now.isoformat()}")

    async def _hear(self, sent: Frames) -> None:
        """Wait until everything that the venue has sent has been taken in."""
        broker, feed = self.account.broker, self.account.feed
        wanted = {broker.stream.url: sent.trade_updates, feed.stream.url: sent.data}
        if not self._sockets.has(wanted):
            try:
                await within(SystemClock(), _PATIENCE, self._sockets.until(wanted))
            except TimeoutError:
                raise MarketDataError("the venue's messages do not arrive; was its process ended?") from None
        while broker.session.backlog or feed.session.backlog:
            await asyncio.sleep(0)


async def open_run(
    setup: LiveSetup, venue: SteppedVenue, stack: AsyncExitStack, tell: Tell, journal: Callable[[Path], Journal]
) -> WireRun:
    """Open the account of `setup` at `venue`; `stack` closes everything.

    Args:
        journal: opens the journal in a directory.
    """
    clock, sockets = ManualClock((await venue.settle()).now), CountedSockets()
    stack.push_async_callback(sockets.close)
    opened: list[Journal] = []

    async def lines(access: Access, feed: str, time: Clock, closing: AsyncExitStack, notify: Notify) -> Lines:
        usual = await connect(access, feed, time, closing, notify)
        return Lines(client=usual.client, data=usual.data, sockets=sockets)

    def open_journal(directory: Path) -> Journal:
        opened.append(journal(directory))
        return opened[0]

    around = Surroundings(
        clock=clock,
        connect=lines,
        open_journal=open_journal,
        open_host_latch=lambda _: MemoryLatch(),
        take_lock=_own_venue,
        beat=lambda _, __: None,
        record_notice=lambda _, __, ___: None,
        is_stepped=True,
    )
    account = await open_account(setup, around, stack, tell)
    return WireRun(account, opened[0], venue, clock, sockets)


def _own_venue(_: Path, __: str, after: int, clock: Clock) -> AccountLock:
    """Nobody else knows the venue, and a run that is repeated gives its orders the same names."""
    return UnsharedLock(Holder(account="venue", epoch=after, pid=0, host="", since=clock.now(), directory=""))


async def _tell(watch: Watcher | None, now: datetime, first: datetime, last: date, *, is_day_end: bool) -> None:
    if watch is None:
        return
    days = (last - first.date()).days + 1
    done = min(((now.date() - first.date()).days + 1) / days, 1.0)
    answer = watch(Progress(now, done, is_day_end))
    if answer is not None:
        await answer
