"""Which of many subscriptions have gone mute while the others go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from quant_trading_system.core.clock import Clock

Subscription = tuple[str, str]
"""Channel and symbol; the symbol ``*`` stands for all."""

ALL = "*"


class SilenceWatch:
    """When each subscription was last heard.

    >>> from datetime import UTC, datetime
    >>> from quant_trading_system.core.clock import ManualClock
    >>> clock = ManualClock(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
    >>> watch = SilenceWatch(clock, {"quotes": timedelta(seconds=35)}, [("quotes", "KO"), ("quotes", "XOM")])
    >>> clock.move_to(datetime(2026, 3, 2, 15, 1, tzinfo=UTC))
    >>> watch.heard("quotes", "XOM")
    >>> watch.silent()
    (('quotes', 'KO'),)
    """

    def __init__(self, clock: Clock, limits: Mapping[str, timedelta], subscriptions: Iterable[Subscription]) -> None:
        """Watch those `subscriptions` whose channel has a limit; in the others silence means nothing."""
        self._clock = clock
        self._limits = {channel: span.total_seconds() for channel, span in limits.items()}
        now = clock.monotonic()
        self._heard = {key: now for key in subscriptions if key[0] in limits}

    def heard(self, channel: str, symbol: str) -> None:
        """A message of this subscription came."""
        key = (channel, symbol)
        if key not in self._heard:
            key = (channel, ALL)
        if key in self._heard:
            self._heard[key] = self._clock.monotonic()

    def excuse(self) -> None:
        """Begin anew: until now nothing was due."""
        self._heard = dict.fromkeys(self._heard, self._clock.monotonic())

    def silent(self) -> tuple[Subscription, ...]:
        """The subscriptions that have been mute for longer than their channel allows."""
        now = self._clock.monotonic()
        return tuple(key for key, last in self._heard.items() if now - last > self._limits[key[0]])
