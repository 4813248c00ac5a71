"""Tells listeners what has become durable: each entry once, in order, never two at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock

from quant_trading_system.core.events import AnyEvent

Listener = Callable[[int, AnyEvent], object]
Announcement = tuple[int, AnyEvent]

_log = logging.getLogger(__name__)


class Announcer:
    """A queue between the journal and those who watch it.

    Listeners run on the thread that made the entries durable, and hold none of the journal's locks. While
    one thread is telling, others only add to the queue, so a listener may append and sync itself.

    Attributes:
        has_listeners: False while nobody would hear.
        failures: listeners that raised, with their error. They are logged and not called again; the
            others go on.
    """

    def __init__(self) -> None:
        self.has_listeners = False
        self.failures: list[tuple[Listener, Exception]] = []
        self._listeners: list[Listener] = []
        self._queue: deque[Announcement] = deque()
        self._telling = Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` from now on; the answer ends that, however often it is called."""
        self._listeners = [*self._listeners, listener]
        self.has_listeners = True
        return lambda: self._remove(listener)

    def add(self, announcements: Iterable[Announcement]) -> None:
        """Queue what has become durable."""
        self._queue.extend(announcements)

    def tell(self) -> None:
        """Empty the queue, unless somebody is already at it."""
        queue = self._queue
        while queue and self._telling.acquire(blocking=False):
            try:
                while queue:
                    seq, event = queue.popleft()
                    for listener in self._listeners:
                        try:
                            listener(seq, event)
                        except Exception as error:  # noqa: BLE001 - a watcher must not stop the trading that it watches
                            self._drop(listener, error, seq)
            finally:
                self._telling.release()

    def _drop(self, listener: Listener, error: Exception, seq: int) -> None:
        _log.critical("journal listener %r failed at entry %d and is no longer called", listener, seq, exc_info=error)
        self.failures.append((listener, error))
        self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        self._listeners = [other for other in self._listeners if other is not listener]
        self.has_listeners = bool(self._listeners)
