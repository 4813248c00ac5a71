"""What time it is on the market, also while this machine's clock is wrong.

The broker's time is read now and then. Between two readings it goes on by our monotonic clock, so that a wall clock
that is moved shows at once and without a request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock

_NO_TIME = timedelta(0)


class Reading(NamedTuple):
    """The broker's time, at which monotonic second of ours it held, and how far off that may be."""

    theirs: datetime
    at: float
    doubt: timedelta

    def time_at(self, moment: float) -> datetime:
        """The broker's time at a monotonic second of ours."""
        return self.theirs + timedelta(seconds=moment - self.at)


class MarketClock:
    """This machine's clock; while that is proven wrong, the broker's.

    Wrong is what differs from the broker's by more than `max_clock_skew_s` and the travel of its answer. Everything
    that asks about the market goes by this clock: how old a quote is, whether the exchange is open, which day it is.
    What is put on record is stamped by the machine's own, as other processes of this machine stamp theirs.

    Attributes:
        limit_s: `max_clock_skew_s`, seconds.
    """

    def __init__(self, clock: Clock, limits: RiskLimits) -> None:
        """Nothing is held against `clock` before `hear`."""
        self._clock = clock
        self._reading: Reading | None = None
        self._unproven: Reading | None = None
        self._is_wrong = False
        self._listeners: list[Callable[[], None]] = []
        self.use_limits(limits)

    def use_limits(self, limits: RiskLimits) -> None:
        """Go by the `max_clock_skew_s` of these from now on."""
        self.limit_s = limits.max_clock_skew_s
        self._most = timedelta(microseconds=int(self.limit_s * 1_000_000))

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` as soon as our clock is found to be wrong or right again, before anybody is told the time."""
        self._listeners.append(listener)

    # -- time ----------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The time by our wall clock, or by the broker's while ours is proven wrong; aware, UTC."""
        wall, reading = self._clock.now(), self._reading
        if reading is None:
            return wall
        theirs = reading.time_at(self._clock.monotonic())
        is_wrong = abs(wall - theirs) - reading.doubt > self._most
        if is_wrong is not self._is_wrong:
            self._is_wrong = is_wrong
            for listener in self._listeners:
                listener()
        return theirs if is_wrong else wall

    def monotonic(self) -> float:
        """Seconds of the machine that never run backwards."""
        return self._clock.monotonic()

    async def sleep(self, span: timedelta) -> None:
        await self._clock.sleep(span)

    # -- what is known of the two clocks -------------------------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """The broker has told its time, and something bears it out."""
        return self._reading is not None

    @property
    def is_wrong(self) -> bool:
        """Our wall clock is proven wrong now."""
        self.now()
        return self._is_wrong

    @property
    def skew(self) -> timedelta | None:
        """How far our wall clock is ahead of the broker's now, negative behind; None while that is not known."""
        if self._reading is None:
            return None
        return self._clock.now() - self._reading.time_at(self._clock.monotonic())

    @property
    def proven_skew(self) -> timedelta:
        """How much of it the travel of the broker's answer cannot explain; at least 0."""
        if self.skew is None or self._reading is None:
            return _NO_TIME
        return max(abs(self.skew) - self._reading.doubt, _NO_TIME)

    @property
    def unproven(self) -> timedelta | None:
        """By how much the broker's latest word is ahead of this clock, negative behind; None when it is believed."""
        if self._unproven is None:
            return None
        return self._unproven.time_at(self._clock.monotonic()) - self.now()

    def hear(self, reading: Reading) -> bool:
        """Take the broker's word; False when nothing bears it out, and time goes on as before.

        It is believed when our own clock agrees with it, or the broker's word of before: a clock of the broker that
        jumps moves ours only when it says the same again. An answer that travelled for longer than the clocks may
        differ tells nothing new.
        """
        if self._reading is not None and reading.doubt > self._most:
            return self._unproven is None
        ours = Reading(self._clock.now(), self._clock.monotonic(), _NO_TIME)
        witnesses = (ours, self._reading, self._unproven)
        self._unproven = None
        if any(known is not None and self._agree(known, reading) for known in witnesses):
            self._reading = reading
        else:
            self._unproven = reading
        self.now()  # whoever listens hears at once what follows from it
        return self._unproven is None

    def _agree(self, one: Reading, other: Reading) -> bool:
        """The two say the same, as far as their travel tells."""
        apart = abs(one.time_at(other.at) - other.theirs)
        return apart - one.doubt - other.doubt <= self._most
