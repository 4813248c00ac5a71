"""Tells listeners what has become durable: each entry once, in order, never two at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

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
        queue: what has become durable and is still to be told.
        failures: listeners that raised, with their error. They are logged and not called again; the
            others go on.
    """

    def __init__(self) -> None:
        self.has_listeners = False
        self.failures: list[tuple[Listener, Exception]] = []
        self._listeners: list[Listener] = []
        self.queue: deque[Announcement] = deque()
        self._to_tell = deque([True])  # whoever takes it out is the one who tells; a lock costs four times as much

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` from now on; the answer ends that, however often it is called."""
        self._listeners = [*self._listeners, listener]
        self.has_listeners = True
        return lambda: self._remove(listener)

    def tell(self) -> None:
        """Empty the queue, unless somebody is already at it."""
        queue = self.queue
        while queue:
            try:
                self._to_tell.pop()
            except IndexError:
                return  # another one is at it, perhaps further up in this very thread
            try:
                while queue:
                    seq, event = queue.popleft()
                    for listener in self._listeners:
                        try:
                            listener(seq, event)
                        except Exception as error:  # noqa: BLE001 - a watcher must not stop the trading that it watches
                            self._drop(listener, error, seq)
            finally:
                self._to_tell.append(True)

    def _drop(self, listener: Listener, error: Exception, seq: int) -> None:
        _log.critical("journal listener %r failed at entry %d and is no longer called", listener, seq, exc_info=error)
        self.failures.append((listener, error))
        self._remove(listener)

    def _remove(self, listener: Listener) -> None:
        self._listeners = [other for other in self._listeners if other is not listener]
        self.has_listeners = bool(self._listeners)
