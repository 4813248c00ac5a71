"""Ids are pure functions of what they name: the same intent has the same id across retries and restarts."""

from __future__ import annotations

from hashlib import blake2b
from threading import Lock

MAX_CLIENT_ORDER_ID = 128


def run_id(*parts: object) -> str:
    """Twelve hex digits that depend only on `parts`, such as strategy name, seed and configuration hash."""
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=6).hexdigest()


def client_order_id(run: str, intent: int, slice_no: int = 0) -> str:
    """Same inputs, same id: a crash between writing and sending cannot make two orders.

    >>> client_order_id("5f1c", 12, 3)
    '5f1c-12-3'
    """
    return f"{run}-{intent}-{slice_no}"


def execution_id(venue_order: str, fill_no: int) -> str:
    """The id of the n-th execution of one order at a simulated venue."""
    return f"{venue_order}:{fill_no}"


class IntentCounter:
    """Numbers the intents of one run, starting after the last one that the journal knows."""

    def __init__(self, run: str, last: int = 0) -> None:
        self.run = run
        self._last = last
        self._lock = Lock()

    def next_order_id(self) -> str:
        """A fresh client order id for a new intent."""
        with self._lock:
            self._last += 1
            return client_order_id(self.run, self._last)
