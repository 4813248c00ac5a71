"""When a stormy day begins, when its exchange closes, and the night that may lie in it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import cache
from typing import NamedTuple

from quant_trading_system.market.sessions import Session, TradingCalendar
from quant_trading_system.simulation.models import stream

EARLY_CLOSE, NIGHT, UNSCHEDULED_CLOSE = "session.early_close", "session.night", "session.unscheduled_close"
EARLY = timedelta(minutes=2)
"""The world begins so long before the opening."""

FIRST, LAST = date(2026, 1, 2), date(2027, 2, 2)
_USUAL = date(2026, 3, 10)
_SHORT = date(2026, 11, 27)
"""The day after Thanksgiving, a Friday: New York closes at one."""
_BEFORE_A_NIGHT = (date(2026, 3, 10), date(2026, 3, 6), date(2026, 11, 25))
"""A Tuesday; a Friday before the clocks are set forward; and the eve of a holiday."""
_MOURNING = timedelta(hours=3)
"""So much earlier New York closes on a day that no calendar knew of beforehand."""
_EVENING = timedelta(minutes=5)
"""After the close, until everybody goes to bed."""
_NOTHING = timedelta(0)


@cache
def exchange() -> TradingCalendar:
    """The sessions around all days of storms."""
    return TradingCalendar.nyse(FIRST, LAST)


class Timetable(NamedTuple):
    """A day, or the end of one and the beginning of the next.

    Attributes:
        start: when the world begins; `last_day`: the date of the last session in it.
        evening: spans since the start at which the night begins, None without a night; `night`: how long it is.
        calendar: the exchange's own; `closing`: the kind of fault by which it closes before its time, if it does.
    """

    start: datetime
    last_day: date
    evening: timedelta | None = None
    night: timedelta = _NOTHING
    calendar: TradingCalendar = exchange()
    closing: str = ""

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
        return Timetable(max(session.close - length / 2, session.open - EARLY), _SHORT, closing=EARLY_CLOSE)
    if UNSCHEDULED_CLOSE in kinds:
        short = _shortened()
        session = short.sessions_between(_USUAL, _USUAL)[0]
        start = max(session.close - length / 2, session.open - EARLY)
        return Timetable(start, _USUAL, calendar=short, closing=UNSCHEDULED_CLOSE)
    return Timetable(calendar.sessions_between(_USUAL, _USUAL)[0].open - EARLY, _USUAL)


@cache
def _shortened() -> TradingCalendar:
    """The broker's calendar of a day on which New York closes early without a word beforehand."""
    calendar = TradingCalendar.nyse(FIRST, LAST)
    (usual,) = calendar.sessions_between(_USUAL, _USUAL)
    calendar.correct([Session(_USUAL, usual.open, usual.close - _MOURNING, is_half_day=True)], _USUAL, _USUAL)
    return calendar
