"""Our clock and calendar against the broker's: it decides when its exchange opens, and its clock stamps our fills.

The broker's time is read now and then; between two readings it goes on by our monotonic clock, so that a wall clock
that is moved shows at once and without a request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, MarketDataError, NotSent, OutcomeUnknown
from quant_trading_system.execution.alpaca_models import CalendarDay, MarketClock
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
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

    async def clock(self) -> MarketClock:
        """Its clock."""

    async def calendar(self, start: date, end: date) -> tuple[CalendarDay, ...]:
        """Its trading days from `start` to `end`, both included."""


class _Reading(NamedTuple):
    """The broker's time, at which monotonic second of ours it held, and how far off that may be."""

    theirs: datetime
    at: float
    doubt: timedelta


class BrokerTimes:
    """Compares clocks and calendars, and shuts new risk while nobody knows what time it is."""

    def __init__(
        self,
        source: TimeSource,
        clock: Clock,
        agreement: Agreement,
        calendar: Calendar,
        notify: Notify,
        most: Callable[[], Decimal],
    ) -> None:
        """Nothing is known before `read`.

        Args:
            calendar: is corrected where the broker's differs; one that never closes is left alone.
            most: seconds beyond which new risk is refused: `max_clock_skew_s`.
        """
        self._source = source
        self._clock = clock
        self._agreement = agreement
        self._calendar = calendar if isinstance(calendar, TradingCalendar) else None
        self._notify = notify
        self._most = most
        self._reading: _Reading | None = None
        self._days_at: float | None = None
        self._is_told = False
        self._is_shut = False
        agreement.doubt(_SOURCE, "the broker's clock has not been read yet")

    @property
    def is_known(self) -> bool:
        """The broker has told its time."""
        return self._reading is not None

    @property
    def skew(self) -> timedelta | None:
        """How far our wall clock is ahead of the broker's now, negative behind; None before the first reading."""
        if self._reading is None:
            return None
        passed = timedelta(seconds=self._clock.monotonic() - self._reading.at)
        return self._clock.now() - (self._reading.theirs + passed)

    def now(self) -> datetime:
        """The time by our wall clock, or by the broker's where the two differ by more than is allowed."""
        skew = self.skew if self._is_shut else None
        return self._clock.now() - (skew or timedelta())

    async def read(self) -> None:
        """Ask the broker; without an answer the last reading goes on."""
        left = self._clock.monotonic()
        try:
            told = await self._source.clock()
            back = self._clock.monotonic()
            half = (back - left) / 2  # the answer was true at some moment between the two
            self._reading = _Reading(told.timestamp.astimezone(UTC), left + half, timedelta(seconds=half))
            await self._read_days()
        except _NO_ANSWER as error:
            self._say(f"the broker's clock and calendar could not be read: {error}")
        self.look()

    def look(self) -> bool:
        """Compare now, without asking; True when a difference has just shut new risk.

        Only what the time of travel cannot explain counts.
        """
        skew, reading = self.skew, self._reading
        if skew is None or reading is None:
            return False
        proven = max(abs(skew) - reading.doubt, timedelta())
        side = "ahead of" if skew > timedelta() else "behind"
        words = f"our clock is {abs(skew).total_seconds():.1f} s {side} the broker's"
        self._warn(proven, words)
        was_shut, self._is_shut = self._is_shut, Decimal(str(proven.total_seconds())) > self._most()
        if self._is_shut:
            self._agreement.doubt(_SOURCE, f"{words}; max_clock_skew_s is {self._most()}")
        else:
            self._agreement.trust(_SOURCE)
        return self._is_shut and not was_shut

    def _warn(self, proven: timedelta, words: str) -> None:
        if proven > WARN_ABOVE and not self._is_told:
            self._say(f"{words}; set this machine's clock (chrony, systemd-timesyncd)")
        if proven > WARN_ABOVE or proven < WARN_ABOVE / 2:
            self._is_told = proven > WARN_ABOVE

    async def _read_days(self) -> None:
        """Where the broker's trading days differ from ours, its days are the true ones: it takes the orders."""
        now, calendar = self._clock.monotonic(), self._calendar
        if calendar is None or self._reading is None:
            return
        if self._days_at is not None and now - self._days_at < DAYS_EVERY.total_seconds():
            return
        first = self._reading.theirs.astimezone(NEW_YORK).date()
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
