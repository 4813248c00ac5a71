"""When a stormy day begins, when its exchange closes, and the night that may lie in it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple

from quant_trading_system.simulation.models import stream
from quant_trading_system.simulation.storm.scenery import exchange

EARLY_CLOSE, NIGHT = "session.early_close", "session.night"
EARLY = timedelta(minutes=2)
"""The world begins so long before the opening."""

_USUAL = date(2026, 3, 10)
_SHORT = date(2026, 11, 27)
"""The day after Thanksgiving, a Friday: New York closes at one."""
_BEFORE_A_NIGHT = (date(2026, 3, 10), date(2026, 3, 6), date(2026, 11, 25))
"""A Tuesday; a Friday before the clocks are set forward; and the eve of a holiday."""
_EVENING = timedelta(minutes=5)
"""After the close, until everybody goes to bed."""
_NOTHING = timedelta(0)


class Timetable(NamedTuple):
    """A day, or the end of one and the beginning of the next.

    Attributes:
        start: when the world begins; `last_day`: the date of the last session in it.
        evening: spans since the start at which the night begins, None without a night; `night`: how long it is.
    """

    start: datetime
    last_day: date
    evening: timedelta | None = None
    night: timedelta = _NOTHING

    @property
    def morning(self) -> timedelta:
        """Since the start, when the night is over; the beginning without a night."""
        return _NOTHING if self.evening is None else self.evening + self.night

    def since_start(self, awake: timedelta) -> timedelta:
        """When so much of the day has passed, nights left out."""
        return awake if self.evening is None or awake < self.evening else awake + self.night


def timetable_of(seed: int, kinds: Collection[str], minutes: int) -> Timetable:
    """The timetable of a day of so many minutes."""
    calendar, length = exchange(), timedelta(minutes=minutes)
    if NIGHT in kinds:
        day = stream(seed, "clock/night").choice(_BEFORE_A_NIGHT)
        close = calendar.sessions_between(day, day)[0].close
        start, evening = close - length / 2, length / 2 + _EVENING
        opening = calendar.next_open(close + _EVENING)
        return Timetable(start, opening.date(), evening, opening - EARLY - (start + evening))
    if EARLY_CLOSE in kinds:
        session = calendar.sessions_between(_SHORT, _SHORT)[0]
        return Timetable(max(session.close - length / 2, session.open - EARLY), _SHORT)
    return Timetable(calendar.sessions_between(_USUAL, _USUAL)[0].open - EARLY, _USUAL)
