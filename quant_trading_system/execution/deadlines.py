"""Deadlines of everything that waits for an answer, kept with one timer of the event loop.

Hardly a deadline is ever reached. A timer for each, set and taken back a moment later, is a good part of what a request
costs; here waiting is one entry in a table, and the one timer rings no more often than the shortest wait lasts.
"""

from __future__ import annotations

import asyncio


class Wait:
    """Something that must not take too long.

    Attributes:
        due: in the loop's time; may be put off at any time. Who brings it forward tells `Deadlines.add` again.
        limit: entered for as long as it lasts.
    """

    __slots__ = ("due", "limit")

    def __init__(self, due: float) -> None:
        self.due = due
        self.limit = asyncio.timeout(None)


class Deadlines:
    """Ends waits that take too long. Belongs to one event loop."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waits: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, wait: Wait, earliest: float) -> None:
        """Watch over `wait`, whose limit was entered; it is not due before `earliest`."""
        self._waits.add(wait)
        timer = self._timer
        if timer is None or earliest < timer.when():
            self._set_timer(earliest)

    def drop(self, wait: Wait) -> None:
        """It is over."""
        self._waits.discard(wait)

    def close(self) -> None:
        """Nothing will wait any more."""
        self._waits.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for wait in [wait for wait in self._waits if wait.due <= now]:
            self.drop(wait)
            wait.limit.reschedule(now)
        if self._waits:
            self._set_timer(min(wait.due for wait in self._waits))
