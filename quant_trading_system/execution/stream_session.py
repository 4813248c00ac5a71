"""A stream that is kept alive: connect, agree, catch up, listen; and again, with growing pauses.

A session is up only after the other side has confirmed the subscription and the history of the gap has been
read. Silence where something was due, a backlog that does not fit, or a listener that cannot follow make a gap,
and a gap is closed from the history, never guessed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.transport import Frame, Socket

T = TypeVar("T")

_FRAMES_IN_A_ROW = 50  # then others have their turn, so that a burst delays no fill and no cancel
_LONGEST_TURN = timedelta(milliseconds=2)  # a frame may hold a thousand quotes


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a session.

    Attributes:
        handshake: from connecting to the confirmed subscription.
        silence: how long nothing may come before it is asked whether that is normal.
        stable: how long a connection must hold before pauses begin anew.
        backlog: frames that may wait; one more is a gap.
        refused: the pause after the other side refused the keys or the subscription.
    """

    handshake: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=35)
    stable: timedelta = timedelta(seconds=60)
    backlog: int = 10_000
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(seconds=30)
    refused: timedelta = timedelta(seconds=60)


class Dialect(Protocol):
    """What is said on a stream."""

    name: str

    async def open(self) -> Socket:
        """Connect.

        Raises:
            ConnectionError: it did not work.
        """

    async def agree(self, socket: Socket) -> None:
        """Authenticate, subscribe, and return when both are confirmed.

        Raises:
            ConnectionError: the line broke, or what came is no answer.
            PermissionError: the other side said no; trying again at once will not help. It has been told as a notice.
        """

    def hear(self, frame: Frame) -> None:
        """Take in one message, however strange.

        Raises:
            ConnectionError: the other side has ended the subscription.
        """

    async def catch_up(self) -> bool:
        """Read from the history what the stream may have missed; False when it has to be tried again."""

    async def silence_is_normal(self) -> bool:
        """Nothing has come for a while; True when nothing was due."""


class StreamSession:
    """Keeps one stream alive as long as `run` runs.

    Attributes:
        is_up: the subscription is confirmed and the gap before it is closed.
        connections: how often a subscription was confirmed; `gaps`: how often messages were lost within one.
    """

    def __init__(
        self, dialect: Dialect, clock: Clock, notify: Notify, *, seed: int = 0, limits: StreamLimits | None = None
    ) -> None:
        """Prepare; nothing happens before `run`."""
        self.is_up = False
        self.connections = 0
        self.gaps = 0
        self._dialect = dialect
        self._clock = clock
        self._notify = notify
        self._limits = limits or StreamLimits()
        self._backoff = Backoff(
            self._limits.first_pause, self._limits.longest_pause, seed=seed, name=f"stream/{dialect.name}"
        )
        self._inbox: deque[Frame] = deque()
        self._wake = asyncio.Event()
        self._must_catch_up = asyncio.Event()
        self._last_heard = self._excused = clock.monotonic()
        self._ups: list[Callable[[bool], None]] = []

    def on_change(self, listener: Callable[[bool], None]) -> None:
        """Call `listener` with True when the session comes up and with False when it goes down."""
        self._ups.append(listener)

    @property
    def backlog(self) -> int:
        """Frames that were received and not yet heard."""
        return len(self._inbox)

    @property
    def silent_for(self) -> timedelta:
        """Since the last frame of any kind."""
        return timedelta(seconds=self._clock.monotonic() - self._last_heard)

    def lost_something(self, why: str) -> None:
        """Messages of this connection are missing: down until the history has been read."""
        self.gaps += 1
        self._tell(NoticeKind.GAP, why)
        self._set_up(up=False)
        self._must_catch_up.set()

    async def run(self) -> None:
        """Connect and listen until cancelled."""
        try:
            while True:
                pause = await self._one_connection()
                self._set_up(up=False)
                await self._clock.sleep(pause)
        finally:
            self._set_up(up=False)

    # -- one connection ------------------------------------------------------------------------------------------

    async def _one_connection(self) -> timedelta:
        """Live through one connection; the pause before the next."""
        since = self._clock.monotonic()
        try:
            await self._connect_and_listen()
        except PermissionError as error:
            self._tell(NoticeKind.STREAM_DOWN, str(error))
            return self._limits.refused
        except (ConnectionError, TimeoutError) as error:
            self._tell(NoticeKind.STREAM_DOWN, str(error) or "no answer in time")
        if self._clock.monotonic() - since >= self._limits.stable.total_seconds():
            self._backoff.reset()
        return self._backoff.next_pause()

    async def _connect_and_listen(self) -> None:
        span = self._limits.handshake
        socket = await within(self._clock, span, self._dialect.open())
        try:
            await within(self._clock, span, self._dialect.agree(socket))
            self.connections += 1
            self._inbox.clear()
            self._heard()
            self._must_catch_up.set()
            await run_together(self._read(socket), self._digest(), self._follow_history(), self._watch_silence())
        finally:
            await socket.close()

    async def _read(self, socket: Socket) -> None:
        while True:
            frame = await socket.receive()
            self._heard()
            if len(self._inbox) >= self._limits.backlog:
                self._inbox.clear()
                self.lost_something(f"more than {self._limits.backlog} messages waited; they were dropped")
            self._inbox.append(frame)
            self._wake.set()

    async def _digest(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._inbox:
                turn_ends = self._clock.monotonic() + _LONGEST_TURN.total_seconds()
                for _ in range(min(_FRAMES_IN_A_ROW, len(self._inbox))):
                    self._dialect.hear(self._inbox.popleft())
                    if self._clock.monotonic() >= turn_ends:
                        break
                await asyncio.sleep(0)

    async def _follow_history(self) -> None:
        """Read the history whenever something may be missing, and come up when it has been read."""
        while True:
            await self._must_catch_up.wait()
            self._must_catch_up.clear()
            while not await self._dialect.catch_up():
                self._tell(NoticeKind.NO_HISTORY, "the history cannot be read; trying again")
                await self._clock.sleep(self._backoff.next_pause())
            if not self._must_catch_up.is_set():
                self._set_up(up=True)

    async def _watch_silence(self) -> None:
        while True:
            quiet = min(self.silent_for, timedelta(seconds=self._clock.monotonic() - self._excused))
            if quiet < self._limits.silence:
                await self._clock.sleep(self._limits.silence - quiet)
            elif await self._dialect.silence_is_normal():
                self._excused = self._clock.monotonic()
            elif self.silent_for >= self._limits.silence:
                self._tell(NoticeKind.STREAM_SILENT, f"nothing for {self.silent_for.total_seconds():.0f} s")
                raise ConnectionError("the stream is connected but mute")

    # -- inside --------------------------------------------------------------------------------------------------

    def _heard(self) -> None:
        self._last_heard = self._clock.monotonic()

    def _set_up(self, *, up: bool) -> None:
        if self.is_up is up:
            return
        self.is_up = up
        if up:
            self._tell(NoticeKind.STREAM_UP, "subscribed, and the history is read")
        for listener in self._ups:
            listener(up)

    def _tell(self, kind: NoticeKind, message: str) -> None:
        self._notify(Notice(kind=kind, source=self._dialect.name, message=message))


async def within(clock: Clock, span: timedelta, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, if it comes within `span` on `clock`.

    Raises:
        TimeoutError: it did not; the work was cancelled.
    """
    task, alarm = asyncio.ensure_future(work), asyncio.ensure_future(clock.sleep(span))
    try:
        await asyncio.wait((task, alarm), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError(f"no answer within {span.total_seconds():.0f} s")
        return task.result()
    finally:
        await _end(task, alarm)


async def run_together(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends; then stop the others and pass on its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(*tasks)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
