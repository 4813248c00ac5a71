"""When the exchange is open: trading sessions with their holidays, half days and clock changes.

A calendar answers only for the days that it covers and raises for all others: a guess about a holiday
could trade on a closed market.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from itertools import chain, pairwise
from typing import Protocol

import msgspec

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.nyse_hours import NEW_YORK as NEW_YORK  # the zone of all that a session tells
from quant_trading_system.market.nyse_hours import HoursTable, hours_by_rule, hours_table

_FIRST_DAY = date(1990, 1, 1)
_LAST_DAY = date(2027, 12, 31)
_UNTIL_MIDNIGHT = timedelta(hours=4)
_ONE_DAY = timedelta(days=1)


class Session(msgspec.Struct, frozen=True):
    """One trading day of an exchange, regular hours.

    Attributes:
        date: the exchange's own date.
        open, close: aware, UTC; the session holds every moment with open <= moment < close.
        is_half_day: it closes earlier than usual.
    """

    date: date
    open: datetime
    close: datetime
    is_half_day: bool = False


class Calendar(Protocol):
    """Whoever knows the sessions of a market. Moments are aware; days are the exchange's dates.

    Every method raises `MarketDataError` for a day or moment that the calendar does not cover.
    """

    def session_on(self, day: date) -> Session | None:
        """The session of that date, or None when the exchange is closed on it."""

    def session_at(self, moment: datetime) -> Session | None:
        """The session in progress, or None outside regular hours."""

    def is_open(self, moment: datetime) -> bool:
        """True while a session is in progress."""

    def next_open(self, moment: datetime) -> datetime:
        """The first opening after `moment`."""

    def next_close(self, moment: datetime) -> datetime:
        """The first closing after `moment`: today's while the exchange is open."""

    def last_close(self, moment: datetime) -> datetime:
        """The latest closing at or before `moment`."""

    def previous_session(self, day: date) -> Session:
        """The last session before `day`, whether or not `day` has one itself."""

    def sessions_between(self, first: date, last: date) -> tuple[Session, ...]:
        """All sessions from `first` to `last`, both included."""

    def trade_date(self, moment: datetime) -> date:
        """The session date that a trade at `moment` belongs to. It changes on full hours only."""


class TradingCalendar:
    """The sessions of one exchange over a span of days."""

    def __init__(self, sessions: Sequence[Session], first_day: date, last_day: date) -> None:
        """Take the sessions, which must rise; all other days of the span are closed.

        Raises:
            MarketDataError: no session at all.
        """
        if not sessions:
            raise MarketDataError(f"no trading session between {first_day} and {last_day}; choose a longer span")
        self.first_day = first_day
        self.last_day = last_day
        self._covered_from = datetime.combine(first_day, time(), NEW_YORK).astimezone(UTC)
        self._covered_until = datetime.combine(last_day + _ONE_DAY, time(), NEW_YORK).astimezone(UTC)
        self._take(sessions)

    def _take(self, sessions: Sequence[Session]) -> None:
        self._sessions = tuple(sessions)
        self._dates = [session.date for session in sessions]
        self._opens = [session.open for session in sessions]
        self._closes = [session.close for session in sessions]
        self._by_date = dict(zip(self._dates, self._sessions, strict=True))
        self._latest = self._sessions[-1]

    @classmethod
    def nyse(cls, start: date, end: date) -> TradingCalendar:
        """The New York Stock Exchange from `start` to `end`, both included.

        From 1970 to 2039 it comes from a table and takes some milliseconds. For other years, and after an upgrade
        of the library that brought other rules, the library is asked, which takes a third of a second once.

        Raises:
            MarketDataError: `end` is before `start`, or the exchange calendar does not reach so far.

        Source: the ``XNYS`` calendar of exchange_calendars.
        """
        if end < start:
            raise MarketDataError(f"a calendar cannot end on {end}, before it starts on {start}")
        sessions = _nyse_sessions(start, end)
        low = bisect_left(sessions, start, key=_date_of)
        high = bisect_right(sessions, end, key=_date_of)
        return cls(sessions[low:high], start, end)

    def __repr__(self) -> str:
        return f"TradingCalendar({self.first_day} to {self.last_day}, {len(self._sessions)} sessions)"

    def session_on(self, day: date) -> Session | None:
        self._require_day(day)
        return self._by_date.get(day)

    def session_at(self, moment: datetime) -> Session | None:
        latest = self._latest  # questions come in bunches about the same day
        try:
            if latest.open <= moment < latest.close:
                return latest
            number = self._last_opened(moment)
        except TypeError:
            raise _naive(moment) from None
        if number < 0 or moment >= self._closes[number]:
            return None
        self._latest = session = self._sessions[number]
        return session

    def is_open(self, moment: datetime) -> bool:
        return self.session_at(moment) is not None

    def next_open(self, moment: datetime) -> datetime:
        return self._first_after(self._opens, moment)

    def next_close(self, moment: datetime) -> datetime:
        return self._first_after(self._closes, moment)

    def last_close(self, moment: datetime) -> datetime:
        self._require_moment(moment)
        number = bisect_right(self._closes, moment)
        if not number:
            raise self._beyond(f"the close before {moment.isoformat()}")
        return self._closes[number - 1]

    def previous_session(self, day: date) -> Session:
        self._require_day(day)
        number = bisect_left(self._dates, day)
        if not number:
            raise self._beyond(f"the session before {day}")
        return self._sessions[number - 1]

    def sessions_between(self, first: date, last: date) -> tuple[Session, ...]:
        self._require_day(first)
        self._require_day(last)
        if last < first:
            raise MarketDataError(f"{last} is before {first}; give the earlier date first")
        return self._sessions[bisect_left(self._dates, first) : bisect_right(self._dates, last)]

    def trade_date(self, moment: datetime) -> date:
        """The session date that a trade at `moment` belongs to.

        A trading day ends at 20:00 New York time, with extended hours; later trades, and those of closed
        days, belong to the next session.
        """
        self._require_moment(moment)
        day = (moment.astimezone(NEW_YORK) + _UNTIL_MIDNIGHT).date()
        number = bisect_left(self._dates, day)
        if number == len(self._dates):
            raise self._beyond(f"the session after {moment.isoformat()}")
        return self._dates[number]

    def correct(self, sessions: Sequence[Session], first: date, last: date) -> tuple[str, ...]:
        """From `first` to `last` these are the sessions, as somebody knows who knows better; what differed, in words.

        Raises:
            MarketDataError: there is none, one lies outside, a day has two, or a moment would lie in two.
        """
        before = {session.date: session for session in self.sessions_between(first, last)}
        after = {session.date: session for session in sessions}
        if not sessions or len(after) < len(sessions) or any(not first <= day <= last for day in after):
            raise MarketDataError(f"these are not the sessions from {first} to {last}")
        merged = sorted([s for s in self._sessions if not first <= s.date <= last] + list(after.values()), key=_date_of)
        if any(one.close > other.open for one, other in pairwise(merged)):
            raise MarketDataError(f"sessions between {first} and {last} overlap")
        differing = tuple(
            f"{day} {_hours(after.get(day))} instead of {_hours(before.get(day))}"
            for day in sorted(before.keys() | after.keys())
            if _hours(before.get(day)) != _hours(after.get(day))
        )
        if differing:
            self._take(merged)
        return differing

    def _last_opened(self, moment: datetime) -> int:
        if not self._covered_from <= moment < self._covered_until:
            raise self._beyond(moment.isoformat())
        return bisect_right(self._opens, moment) - 1

    def _first_after(self, times: list[datetime], moment: datetime) -> datetime:
        self._require_moment(moment)
        number = bisect_right(times, moment)
        if number == len(times):
            raise self._beyond(f"what follows {moment.isoformat()}")
        return times[number]

    def _require_day(self, day: date) -> None:
        if isinstance(day, datetime):
            raise MarketDataError(f"{day.isoformat()} is a moment; ask for a date, such as trade_date(moment)")
        if not self.first_day <= day <= self.last_day:
            raise self._beyond(day.isoformat())

    def _require_moment(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise _naive(moment)
        if not self._covered_from <= moment < self._covered_until:
            raise self._beyond(moment.isoformat())

    def _beyond(self, what: str) -> MarketDataError:
        return MarketDataError(
            f"the trading calendar covers {self.first_day} to {self.last_day} and does not know {what}; "
            f"build it over a longer span with TradingCalendar.nyse(start, end)"
        )


class AlwaysOpen:
    """A market that never closes: every UTC day is one session, from midnight to midnight."""

    def session_on(self, day: date) -> Session:
        opened = datetime.combine(day, time(), UTC)
        return Session(day, opened, opened + _ONE_DAY)

    def session_at(self, moment: datetime) -> Session:
        return self.session_on(self.trade_date(moment))

    def is_open(self, moment: datetime) -> bool:
        return self.session_at(moment).open <= moment

    def next_open(self, moment: datetime) -> datetime:
        return self.session_at(moment).close

    def next_close(self, moment: datetime) -> datetime:
        return self.session_at(moment).close

    def last_close(self, moment: datetime) -> datetime:
        return self.session_at(moment).open

    def previous_session(self, day: date) -> Session:
        return self.session_on(day - _ONE_DAY)

    def sessions_between(self, first: date, last: date) -> tuple[Session, ...]:
        if last < first:
            raise MarketDataError(f"{last} is before {first}; give the earlier date first")
        return tuple(self.session_on(first + number * _ONE_DAY) for number in range((last - first).days + 1))

    def trade_date(self, moment: datetime) -> date:
        if moment.tzinfo is None:
            raise _naive(moment)
        return moment.astimezone(UTC).date()


EXTENDED_BEFORE_OPEN = timedelta(hours=5, minutes=30)
"""Alpaca takes orders for extended hours from 4:00 in New York."""
EXTENDED_AFTER_CLOSE = timedelta(hours=4)
"""… and until four hours after the close."""


def in_extended_hours(calendar: Calendar, moment: datetime) -> bool:
    """True while the regular session is closed and orders for extended hours may trade."""
    if calendar.is_open(moment):
        return False
    before_open = calendar.next_open(moment) - moment <= EXTENDED_BEFORE_OPEN
    return before_open or moment - calendar.last_close(moment) < EXTENDED_AFTER_CLOSE


def _naive(moment: datetime) -> MarketDataError:
    return MarketDataError(f"{moment.isoformat()} has no time zone; add tzinfo=UTC")


def _hours(session: Session | None) -> str:
    """In New York time, as a person says them."""
    if session is None:
        return "closed"
    return f"{session.open.astimezone(NEW_YORK):%H:%M}-{session.close.astimezone(NEW_YORK):%H:%M}"


def _date_of(session: Session) -> date:
    return session.date


def _nyse_sessions(start: date, end: date) -> Sequence[Session]:
    """All from `start` to `end`, and perhaps some more around them."""
    table = hours_table()
    if table is None or not table.covers(start, end):
        return _sessions_by_rule(min(start, _FIRST_DAY), max(end, _LAST_DAY))
    return list(chain.from_iterable(_sessions_of_year(table, year) for year in range(start.year, end.year + 1)))


@cache
def _sessions_of_year(table: HoursTable, year: int) -> tuple[Session, ...]:
    return tuple(Session(*hours) for hours in table.hours(date(year, 1, 1), date(year, 12, 31)))


@lru_cache(maxsize=4)
def _sessions_by_rule(first_day: date, last_day: date) -> tuple[Session, ...]:
    return tuple(Session(*hours) for hours in hours_by_rule(first_day, last_day))
