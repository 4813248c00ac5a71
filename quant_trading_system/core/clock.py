"""Time comes in through the door: nothing else in the package reads a clock.

`SystemClock` is the wall; `ManualClock` moves only when somebody advances it, so six hours pass in
milliseconds and every run of a simulation sees the same times.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Protocol


class Clock(Protocol):
    """Now, and a way to wait. Times are aware and in UTC."""

    def now(self) -> datetime:
        """The current time, aware, UTC."""

    def monotonic(self) -> float:
        """Seconds that never run backwards; only differences have a meaning."""

    async def sleep(self, span: timedelta) -> None:
        """Return after `span` has passed on this clock."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never run backwards; a suspend counts where the platform has a clock for it.

        `sleep` and the event loop leave a suspend out, so whoever has slept looks here again for how long it was.
        """
        return _passing()

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(max(span.total_seconds(), 0.0))


class ManualClock:
    """A clock that stands still until it is moved, never backwards."""

    def __init__(self, start: datetime) -> None:
        """Start at `start`, which must be aware.

        Raises:
            ValueError: `start` has no time zone.
        """
        if start.tzinfo is None:
            raise ValueError(f"{start.isoformat()} has no time zone; add tzinfo=UTC")
        self._now = self._measured_at = start.astimezone(UTC)
        self._start = self._now
        self._passed = 0.0
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        if self._measured_at is not self._now:  # many ask while time stands still
            self._measured_at, self._passed = self._now, (self._now - self._start).total_seconds()
        return self._passed

    def monotonic_at(self, moment: datetime) -> float:
        """What `monotonic` answers at `moment`."""
        return (moment - self._start).total_seconds()

    async def sleep(self, span: timedelta) -> None:
        wake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + span, next(self._order), wake))
        await wake

    def move_to(self, moment: datetime) -> None:
        """Jump to `moment` without waking sleepers; for drivers that call everything themselves.

        Raises:
            ValueError: `moment` lies in the past of this clock.
        """
        if moment < self._now:
            raise ValueError(f"time cannot go back from {self._now.isoformat()} to {moment.isoformat()}")
        self._now = moment if moment.tzinfo is UTC else moment.astimezone(UTC)

    async def advance(self, span: timedelta) -> None:
        """Let `span` pass and give every sleeper that is due its turn at its own time.

        Raises:
            ValueError: `span` is negative.
        """
        if span < timedelta(0):
            raise ValueError(f"time cannot go back by {-span}")
        until = self._now + span
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, wake = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)  # `move_to` may have passed it
            if not wake.done():
                wake.set_result(None)
            await asyncio.sleep(0)  # the sleeper runs before time moves on
        self._now = max(self._now, until)  # a sleeper may have moved the clock itself


def reader(boot_clock: int | None, read: Callable[[int], float]) -> Callable[[], float]:
    """What reads the clock `boot_clock`, which goes on while the machine is suspended, or else `time.monotonic`.

    Args:
        boot_clock: its number, None on a platform without it; `read`: reads the clock of a number.
    """
    if boot_clock is None:
        return time.monotonic
    try:
        read(boot_clock)
    except OSError:  # a system may know the number and not the clock
        return time.monotonic
    return partial(read, boot_clock)


_passing = reader(getattr(time, "CLOCK_BOOTTIME", None), getattr(time, "clock_gettime", lambda _: 0.0))


async def wait_for_either(clock: Clock, event: asyncio.Event, span: timedelta) -> bool:
    """Wait until `event` is set, but no longer than `span` on `clock`; True when it is set."""
    tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(span))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return event.is_set()
