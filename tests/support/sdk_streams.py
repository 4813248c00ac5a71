"""The streams of `alpaca-py` in threads of their own, with what they have heard in a queue for the test."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.alpaca_sdk import StockDataStream, TradingStream
from tests.support.venue_process import Keys, VenueProcess, until

HEAR_S = 10


class Heard:
    """What a stream has told, in its order."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Any] = queue.Queue()

    async def note(self, message: Any) -> None:
        self._queue.put(message)

    def next(self, seconds: float = HEAR_S) -> Any:
        return self._queue.get(timeout=seconds)

    def take(self, count: int) -> list[Any]:
        return [self.next() for _ in range(count)]

    def until_event(self, *events: str) -> list[Any]:
        """Everything up to the first update of one of these events."""
        heard = [self.next()]
        while heard[-1].event not in events:
            heard.append(self.next())
        return heard


@contextmanager
def order_stream(venue: VenueProcess, keys: Keys) -> Iterator[Heard]:
    """The updates of an account, listened to from now on."""
    heard = Heard()
    stream = TradingStream(keys.key, keys.secret, url_override=venue.order_stream)
    stream.subscribe_trade_updates(heard.note)
    with _running(stream, venue, "trade_updates"):
        yield heard


@contextmanager
def data_stream(venue: VenueProcess, keys: Keys, feed: str = "iex", **channels: list[str]) -> Iterator[Heard]:
    """Market data; channels are named as the methods of the SDK, such as ``trades`` or ``daily_bars``."""
    heard = Heard()
    stream = StockDataStream(keys.key, keys.secret, url_override=venue.data_stream.replace("iex", feed))
    for channel, symbols in channels.items():
        getattr(stream, f"subscribe_{channel}")(heard.note, *symbols)
    with _running(stream, venue, "data"):
        yield heard


@contextmanager
def _running(stream: Any, venue: VenueProcess, name: str) -> Iterator[None]:
    def listeners() -> int:
        return int(venue.control("/connections")[name])

    before = listeners()
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    until(lambda: listeners() > before, "the stream to listen")
    try:
        yield
    finally:
        stream.stop()
        venue.control("/faults/stream", {"stream": name, "fault": "cut"})  # it looks up from waiting for a message
        thread.join(HEAR_S)
