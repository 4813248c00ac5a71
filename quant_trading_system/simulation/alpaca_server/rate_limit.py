"""How many requests an account may send in a minute, and the headers that tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.errors import RATE_LIMITED

WINDOW = timedelta(minutes=1)
UNLIMITED = 1_000_000
"""What the headers say where there is no limit."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class Allowance(NamedTuple):
    """What is left of a minute.

    Attributes:
        remaining: requests that may still come; `reset`: unix seconds at which the minute is over.
        wait_s: whole seconds until then.
    """

    limit: int
    remaining: int
    reset: int
    wait_s: int

    @property
    def headers(self) -> dict[str, str]:
        """As they stand in every answer."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }

    def refusal(self) -> VenueRefusal:
        """The answer to a request beyond the limit."""
        return VenueRefusal(RATE_LIMITED, 429, "rate limit exceeded")


class RateLimiter:
    """Counts the requests of everybody in windows of a minute of real time, whatever the venue's clock does."""

    def __init__(self, clock: Clock, per_minute: int) -> None:
        """Allow `per_minute` requests; 0 allows any number."""
        self._clock = clock
        self.per_minute = per_minute
        self._windows: dict[str, tuple[datetime, int]] = {}

    def count(self, name: str) -> tuple[Allowance, bool]:
        """Count a request of `name`: what is left, and whether this one is within the limit."""
        now = self._clock.now()
        began, used = self._windows.get(name, (now, 0))
        if now - began >= WINDOW:
            began, used = now, 0
        self._windows[name] = (began, used + 1)
        end = began + WINDOW
        reset, wait_s = -((_EPOCH - end) // _SECOND), -((now - end) // _SECOND)
        if not self.per_minute:
            return Allowance(UNLIMITED, UNLIMITED, reset, wait_s), True
        left = self.per_minute - used - 1
        return Allowance(self.per_minute, max(left, 0), reset, wait_s), left >= 0
