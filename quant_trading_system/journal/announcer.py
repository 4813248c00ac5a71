"""Tells listeners what has become durable: each entry once, in order, never two at a time."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection
from typing import get_args

from quant_trading_system.core.events import AnyEvent

Listener = Callable[[int, AnyEvent], object]
Announcement = tuple[int, AnyEvent]
Kinds = frozenset[type[AnyEvent]]
Listeners = tuple[Listener, ...]

EVERYTHING: Kinds = frozenset(get_args(AnyEvent))

_log = logging.getLogger(__name__)


class Announcer:
    """A queue between the journal and those who watch it.

    Listeners run on the thread that made the entries durable, and hold none of the journal's locks. While
    one thread is telling, others only add to the queue, so a listener may append and sync itself.

    Attributes:
        heard: whom to tell of events of a class, in the order of their subscriptions; classes that nobody would hear of
            are left out. The same dictionary always.
        queue: what has become durable and is still to be told.
        failures: listeners that raised, with their error. They are logged and not called again; the
            others go on.
    """

    def __init__(self) -> None:
        self.heard: dict[type[AnyEvent], Listeners] = {}
        self.failures: list[tuple[Listener, Exception]] = []
        self._listeners: list[tuple[Listener, Kinds]] = []
        self.queue: deque[Announcement] = deque()
        self._to_tell = deque([True])  # whoever takes it out is the one who tells; a lock costs four times as much

    def subscribe(self, listener: Listener, kinds: Collection[type[AnyEvent]] = EVERYTHING) -> Callable[[], None]:
        """Call `listener` with events of these classes from now on; the answer ends that, however often called."""
        subscription = listener, frozenset(kinds)
        self._listen([*self._listeners, subscription])
        return lambda: self._listen([other for other in self._listeners if other is not subscription])

    def _listen(self, listeners: list[tuple[Listener, Kinds]]) -> None:
        self._listeners = listeners
        for kind in EVERYTHING:
            hearing = tuple([listener for listener, kinds in listeners if kind in kinds])
            if hearing:
                self.heard[kind] = hearing
            else:
                self.heard.pop(kind, None)

    def tell(self) -> None:
        """Empty the queue, unless somebody is already at it."""
        queue, heard = self.queue, self.heard
        while queue:
            try:
                self._to_tell.pop()
            except IndexError:
                return  # another one is at it, perhaps further up in this very thread
            try:
                while queue:
                    seq, event = queue.popleft()
                    for listener in heard.get(type(event), ()):
                        try:
                            listener(seq, event)
                        except Exception as error:  # noqa: BLE001 - a watcher must not stop the trading that it watches
                            self._drop(listener, error, seq)
            finally:
                self._to_tell.append(True)

    def _drop(self, listener: Listener, error: Exception, seq: int) -> None:
        _log.critical("journal listener %r failed at entry %d and is no longer called", listener, seq, exc_info=error)
        self.failures.append((listener, error))
        self._listen([other for other in self._listeners if other[0] is not listener])
