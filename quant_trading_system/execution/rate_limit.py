"""Keeps within the broker's requests per minute, and keeps a lane free for whatever stops trading.

The broker counts requests in windows and tells with every answer how many are left. Reads yield first, then
new orders; cancels never wait here, whatever else is going on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import IntEnum

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import NotSent

WINDOW = timedelta(seconds=60)
MAX_WAITING = 500
"""Requests that may queue; the next one is turned away."""

_MARGIN = timedelta(seconds=1)  # both times in the headers are whole seconds
_STOPPING_SHARE = 10  # one tenth of the window is for cancels alone
_TOO_MANY = 429
_ORDERS_SHARE = 5  # one fifth more is for cancels and orders alone


class Lane(IntEnum):
    """Who goes first."""

    STOPPING = 0  # cancels and the kill: never wait
    ORDERS = 1
    READS = 2


class RateLimiter:
    """Requests left in the present window, as the broker counts them and as we do, whichever is less.

    Before the first answer `per_minute` is assumed. A broker that names no limit with its answers has none.

    Attributes:
        refusals: answers that said that the limit was exceeded.
    """

    def __init__(self, clock: Clock, *, per_minute: int = 200) -> None:
        """Start with a full window of `per_minute` requests."""
        self.refusals = 0
        self._clock = clock
        self._limit = per_minute
        self._left = per_minute
        self._window = 0  # the broker's name of the window: the unix second of its end
        self._ends = self._in(WINDOW)
        self._shut_until = clock.monotonic()
        self._waiting = 0
        self._on_the_way = 0

    @property
    def left(self) -> int:
        """Requests that the present window still holds, as far as we know."""
        self._roll()
        return self._left

    def wait_for(self, lane: Lane) -> timedelta:
        """How long a request of `lane` would have to wait now; nothing for what stops trading."""
        self._roll()
        if lane is Lane.STOPPING:
            return timedelta(0)
        free = self._shut_until
        if self._limit and self._left <= self._reserve(lane):
            free = max(free, self._ends)
        return max(timedelta(seconds=free - self._clock.monotonic()), timedelta(0))

    def crowded(self, patience: timedelta) -> str:
        """Why an order that waits for at most `patience` could not go now; empty when it could."""
        pause = self.wait_for(Lane.ORDERS)
        return _used_up(pause) if pause > patience else ""

    async def admit(self, lane: Lane, patience: timedelta = WINDOW + 2 * _MARGIN) -> None:
        """Return when a request of `lane` may go, and count it; every admission ends with `heard` or `lost`.

        Raises:
            NotSent: it would have to wait longer than `patience`, or too many wait already.
        """
        deadline = self._in(patience)
        while pause := self.wait_for(lane):
            if self._waiting >= MAX_WAITING:
                raise NotSent(f"{self._waiting} requests wait for the broker's rate limit already", held_back=True)
            if self._in(pause) > deadline:
                raise NotSent(_used_up(pause), held_back=True)
            self._waiting += 1
            try:
                await self._clock.sleep(pause)
            finally:
                self._waiting -= 1
        self._left -= 1
        self._on_the_way += 1

    def lost(self) -> None:
        """No answer came."""
        self._on_the_way -= 1

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Note an answer.

        Args:
            headers: by lower-case name.
        """
        self._on_the_way -= 1
        limit = _number(headers, "x-ratelimit-limit")
        if limit is not None or 200 <= status < 300:  # gateways that answer in the broker's place name no limit
            self._limit = limit or 0
        self._note_window(headers)
        if status == _TOO_MANY:
            self.refusals += 1
            self._shut_until = max(self._shut_until, self._reopening(headers))

    def _note_window(self, headers: Mapping[str, str]) -> None:
        left, window = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
        if left is None or window is None or window < self._window:
            return
        if window > self._window:
            self._window = window
            self._left = left - self._on_the_way
            self._ends = self._in(_bounded(timedelta(seconds=window) - self._broker_time(headers)))
        else:
            self._left = min(self._left, left)

    def _reopening(self, headers: Mapping[str, str]) -> float:
        """When the broker takes requests again after it refused one."""
        seconds = _number(headers, "retry-after")
        if seconds is not None:
            return self._in(_bounded(timedelta(seconds=seconds)))
        return self._ends if "x-ratelimit-reset" in headers else self._in(WINDOW)

    def _roll(self) -> None:
        if self._clock.monotonic() >= self._ends:
            self._left = self._limit
            self._ends = self._in(WINDOW)

    def _in(self, span: timedelta) -> float:
        return self._clock.monotonic() + span.total_seconds()

    def _reserve(self, lane: Lane) -> int:
        stopping = self._limit // _STOPPING_SHARE
        return stopping if lane is Lane.ORDERS else stopping + self._limit // _ORDERS_SHARE

    def _broker_time(self, headers: Mapping[str, str]) -> timedelta:
        """Since 1970, by the broker's own clock where it tells it: ours may be wrong."""
        now = self._clock.now()
        with suppress(KeyError, ValueError):
            now = parsedate_to_datetime(headers["date"])
        return now.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)


def _used_up(pause: timedelta) -> str:
    return f"the broker's rate limit is used up for the next {pause.total_seconds():.0f} s"


def _bounded(span: timedelta) -> timedelta:
    """No window is longer than a minute, whatever a header says, and both its times are whole seconds."""
    return min(max(span, timedelta(0)), WINDOW) + _MARGIN


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None
