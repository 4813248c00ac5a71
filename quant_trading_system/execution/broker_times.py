"""Our clock and calendar against the broker's: it decides when its exchange opens, and its clock stamps our fills.

What is read of its time goes to the `MarketClock`, which decides what time it is; what follows from that is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from quant_trading_system.core.exceptions import BrokerRejected, MarketDataError, NotSent, OutcomeUnknown
from quant_trading_system.execution.alpaca_models import BrokerClock, CalendarDay
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.market.market_clock import MarketClock, Reading
from quant_trading_system.market.sessions import NEW_YORK, Calendar, Session, TradingCalendar
from quant_trading_system.risk.agreement import Agreement

WARN_ABOVE = timedelta(seconds=2)
"""A difference that is told; it shuts nothing."""
DAYS_EVERY = timedelta(minutes=15)
"""How often the broker's calendar is read; an exchange that closes early says so within the day."""
_AHEAD = timedelta(days=14)
_REGULAR_CLOSE = time(16)
_NO_ANSWER = (OutcomeUnknown, BrokerRejected, NotSent)
_SOURCE = "clock"


class TimeSource(Protocol):
    """A broker that tells the time and its trading days."""

    async def clock(self) -> BrokerClock:
        """Its clock."""

    async def calendar(self, start: date, end: date) -> tuple[CalendarDay, ...]:
        """Its trading days from `start` to `end`, both included."""


class BrokerTimes:
    """Compares clocks and calendars, and shuts new risk while nobody knows what time it is."""

    def __init__(self, source: TimeSource, clock: MarketClock, calendar: Calendar | None, notify: Notify) -> None:
        """Nothing is known before `read`.

        Args:
            clock: is told what the broker says.
            calendar: is corrected where the broker's differs; one that never closes is left alone. None to `follow` one
                later.
        """
        self._source = source
        self._clock = clock
        self._agreement: Agreement | None = None
        self._calendar = calendar if isinstance(calendar, TradingCalendar) else None
        self._notify = notify
        self._days_at: float | None = None
        self._doubted = ""
        self._is_told = False
        self._was_wrong = False
        clock.on_change(self._judge)

    def guard(self, agreement: Agreement) -> None:
        """From now on shut new risk there while it is not known what time it is."""
        self._agreement = agreement
        self._judge()

    @property
    def is_settled(self) -> bool:
        """The broker has told its time, and nothing speaks against its latest word."""
        return self._clock.is_known and self._clock.unproven is None

    async def read(self) -> None:
        """Ask the broker; without an answer what it said before goes on.

        The first answer that nothing bears out is asked for once more, later ones at the next look.
        """
        with self._telling():
            if not self._clock.hear(await self._ask()) and not self._clock.is_known:
                self._clock.hear(await self._ask())
            if self._clock.unproven is not None:
                self._say(f"{_of_theirs(self._clock.unproven)}; it is not believed before it says so again")
            await self._read_days()
        self._judge()

    async def follow(self, calendar: Calendar) -> None:
        """Correct this calendar from now on, beginning at once."""
        self._calendar = calendar if isinstance(calendar, TradingCalendar) else None
        with self._telling():
            await self._read_days()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except _NO_ANSWER as error:
            self._say(f"the broker's clock and calendar could not be read: {error}")

    async def _ask(self) -> Reading:
        left = self._clock.monotonic()
        told = await self._source.clock()
        half = (self._clock.monotonic() - left) / 2  # the answer was true at some moment of its travel
        return Reading(told.timestamp.astimezone(UTC), left + half, timedelta(seconds=half))

    def look(self) -> bool:
        """Compare now, without asking; True when our clock was found to be wrong since the last look."""
        self._judge()
        was_wrong, self._was_wrong = self._was_wrong, self._clock.is_wrong
        return self._was_wrong and not was_wrong

    def _judge(self) -> None:
        """Tell what is odd, and shut new risk or open it again."""
        skew, ahead, proven = self._clock.skew, self._clock.unproven, self._clock.proven_skew
        words = "" if skew is None else f"our clock is {_seconds(skew)} {_side(skew)} the broker's"
        if ahead is not None:
            self._doubt("theirs", _of_theirs(ahead))
        elif skew is None:
            self._doubt("unread", "the broker's clock has not been read yet")
        elif self._clock.is_wrong:
            self._doubt("ours", f"{words}; max_clock_skew_s is {self._clock.limit_s}")
        else:
            self._doubt("", "")
        if words:
            self._warn(proven, words)  # last, for telling may fail

    def _doubt(self, which: str, why: str) -> None:
        """Shut new risk because of that clock, or open it again; the reason stays that of the first sight of it."""
        if self._agreement is None:
            return
        if which != self._doubted:
            self._agreement.trust(_SOURCE)
        if which:
            self._agreement.doubt(_SOURCE, why)
        self._doubted = which

    def _warn(self, proven: timedelta, words: str) -> None:
        if proven > WARN_ABOVE and not self._is_told:
            self._say(f"{words}; set this machine's clock (chrony, systemd-timesyncd)")
        if proven > WARN_ABOVE or proven < WARN_ABOVE / 2:
            self._is_told = proven > WARN_ABOVE

    async def _read_days(self) -> None:
        """Where the broker's trading days differ from ours, its days are the true ones: it takes the orders."""
        now, calendar = self._clock.monotonic(), self._calendar
        if calendar is None or not self._clock.is_known:
            return
        if self._days_at is not None and now - self._days_at < DAYS_EVERY.total_seconds():
            return
        first = self._clock.now().astimezone(NEW_YORK).date()
        last = min(first + _AHEAD, calendar.last_day)
        told = await self._source.calendar(first, last)
        self._days_at = now
        try:
            differing = calendar.correct([_session(day) for day in told], first, last)
        except (ValueError, MarketDataError) as error:
            self._say(f"the broker's calendar is not understood: {error}")
            return
        for words in differing:
            self._say(f"the broker's calendar differs from the library's, and is followed: {words}")

    def _say(self, message: str) -> None:
        self._notify(Notice(kind=NoticeKind.CLOCK, source="clock", message=message))


async def told_times(
    source: TimeSource | None, clock: MarketClock, calendar_around: Callable[[date], Calendar], notify: Notify
) -> tuple[BrokerTimes | None, Calendar]:
    """What the broker says of time and days, asked once already: before anything else asks for the time.

    Args:
        source: None where nobody is asked, and the clock is right.
        calendar_around: gives a calendar that covers a day of the market; our clock may be wrong by years.
    """
    if source is None:
        return None, calendar_around(clock.now().date())
    times = BrokerTimes(source, clock, None, notify)
    await times.read()
    calendar = calendar_around(clock.now().date())
    await times.follow(calendar)
    return times, calendar


def _of_theirs(ahead: timedelta) -> str:
    return f"the broker's clock is {_seconds(ahead)} {_side(ahead)} the time that was known"


def _seconds(skew: timedelta) -> str:
    return f"{abs(skew).total_seconds():.1f} s"


def _side(skew: timedelta) -> str:
    return "ahead of" if skew > timedelta() else "behind"


def _session(day: CalendarDay) -> Session:
    """A trading day as the broker writes it, in New York time.

    Raises:
        ValueError: its times are none, or it closes before it opens.
    """
    opened, closed = time.fromisoformat(day.open), time.fromisoformat(day.close)
    if closed <= opened:
        raise ValueError(f"{day.date} opens at {day.open} and closes at {day.close}")
    begin, end = (datetime.combine(day.date, at, NEW_YORK).astimezone(UTC) for at in (opened, closed))
    return Session(day.date, begin, end, closed < _REGULAR_CLOSE)
