"""When bars begin, when they are known, and to which trading day they belong.

A daily bar spans the session of its date and is known at the close. An intraday bar is known at its end,
whichever of its two times the source wrote down. What is known at a moment follows from these ends alone,
so that no study can see a bar before its time.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.sessions import Calendar

Stamps = NDArray[np.datetime64]
TimestampsAre = Literal["start", "end"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST_BEFORE_OPEN = timedelta(hours=13, minutes=30)
"""A trading day begins at 20:00 New York time on the evening before."""


class TimeAxis(NamedTuple):
    """The times of T bars, rising, as read-only arrays of length T.

    Attributes:
        starts, ends: datetime64[ns], UTC.
        dates: datetime64[D], the exchange's date.
        span: the nominal length of an intraday bar; None for daily bars.
    """

    starts: Stamps
    ends: Stamps
    dates: Stamps
    span: timedelta | None = None

    def cut(self, rows: slice) -> TimeAxis:
        """The axis of some of the bars; shares memory with this one."""
        return TimeAxis(self.starts[rows], self.ends[rows], self.dates[rows], self.span)


def daily_axis(dates: Stamps, calendar: Calendar) -> TimeAxis:
    """The axis of daily bars.

    Args:
        dates: datetime64[D], strictly rising, at least one.

    Raises:
        MarketDataError: a date is no session; names up to ten of them.
    """
    closed = closed_dates(dates, calendar)
    if closed:
        raise MarketDataError(
            f"the exchange is closed on {_listed(closed)}; remove these bars or pass another calendar"
        )
    wanted = set(dates.tolist())
    sessions = [one for one in calendar.sessions_between(*_first_and_last(dates)) if one.date in wanted]
    starts = _stamps([session.open for session in sessions])
    ends = _stamps([session.close for session in sessions])
    return _frozen(TimeAxis(starts, ends, dates.astype("datetime64[D]")))


def intraday_axis(stamps: Stamps, span: timedelta, timestamps_are: TimestampsAre, calendar: Calendar) -> TimeAxis:
    """The axis of bars that last `span` each and carry their first or their last moment.

    Args:
        stamps: datetime64, UTC, strictly rising, at least one.

    Raises:
        MarketDataError: two bars overlap.
    """
    stamps = stamps.astype("datetime64[ns]")
    length = np.timedelta64(span // _MICROSECOND, "us").astype("timedelta64[ns]")
    _require_apart(stamps, length)
    starts = stamps if timestamps_are == "start" else stamps - length
    return _frozen(TimeAxis(starts, starts + length, _trade_dates(starts, calendar), span))


def require_in_session(axis: TimeAxis, calendar: Calendar) -> None:
    """Refuse intraday bars whose times are those of another zone than was said.

    On most days most of them lie outside of the session, and none in its first half, or none in its second half.
    Bars of extended hours beside those of the session are no reason.

    Raises:
        MarketDataError: tells of the first such day, in hours of UTC.
    """
    hours = {
        session.date: (session.open, session.close)
        for session in calendar.sessions_between(*_first_and_last(axis.dates))
    }
    days, day_of = np.unique(axis.dates, return_inverse=True)
    opens, closes = (_stamps([hours[day][edge] for day in days.tolist()]) for edge in (0, 1))
    middles = opens + (closes - opens) // 2
    early = (axis.ends > opens[day_of]) & (axis.starts < middles[day_of])
    late = (axis.ends > middles[day_of]) & (axis.starts < closes[day_of])
    mornings, afternoons, inside = (np.bincount(day_of, weights=one) for one in (early, late, early | late))
    shifted = (2 * inside < np.bincount(day_of)) & ((mornings == 0) | (afternoons == 0))
    if 2 * shifted.sum() <= len(days):
        return
    day = shifted.argmax()
    rows = (day_of == day).nonzero()[0]
    edges = (axis.starts[rows[0]], axis.ends[rows[-1]], opens[day], closes[day])
    first, last, opened, closed = (f"{moment_of(edge):%H:%M}" for edge in edges)
    raise MarketDataError(
        f"on {shifted.sum()} of {len(days)} days most bars lie outside of the session, and none in one half of it:"
        f" those of {days[day]} go from {first} to {last} UTC, the session from {opened} to {closed};"
        " give the time zone that they are written in"
    )


def usual_span(stamps: Stamps) -> timedelta | None:
    """The most common distance between neighbouring bars, or None when there is only one bar."""
    if len(stamps) < 2:
        return None
    distances, counts = np.unique(np.diff(stamps.astype("datetime64[us]")).astype(np.int64), return_counts=True)
    return int(distances[np.argmax(counts)]) * _MICROSECOND


def distinct(stamps: Stamps) -> Stamps:
    """The times without those that come again, rising; quickly where they rise already."""
    if (stamps[1:] < stamps[:-1]).any():
        stamps = np.sort(stamps, kind="stable")
    new: Stamps = stamps[np.append(True, stamps[1:] != stamps[:-1])]
    return new


def united(known: Stamps, stamps: Stamps) -> Stamps:
    """Times of two rising arrays, rising."""
    if not len(known):
        return stamps
    places = np.minimum(np.searchsorted(known, stamps), len(known) - 1)
    new = stamps[known[places] != stamps]
    return np.sort(np.concatenate([known, new]), kind="stable") if len(new) else known


def closed_dates(dates: Stamps, calendar: Calendar) -> list[date]:
    """Those of the rising `dates` on which there is no session."""
    sessions = {session.date for session in calendar.sessions_between(*_first_and_last(dates))}
    return [day for day in dates.astype("datetime64[D]").tolist() if day not in sessions]


def outside_trading_days(stamps: Stamps, calendar: Calendar) -> NDArray[np.bool_]:
    """Which of the UTC `stamps` fall on weekends or holidays; extended hours belong to their trading day."""
    hours, hour_of = np.unique(stamps.astype("datetime64[h]"), return_inverse=True)
    outside = [_is_outside(hour, calendar) for hour in _moments(hours)]
    return np.array(outside, dtype=np.bool_)[hour_of]


def moment_of(stamp: np.datetime64) -> datetime:
    """The stamp as an aware datetime in UTC."""
    return _EPOCH + int(stamp.astype("datetime64[us]").astype(np.int64)) * _MICROSECOND


def stamp_of(moment: datetime) -> np.datetime64:
    """The aware datetime as a stamp in UTC.

    Raises:
        MarketDataError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise MarketDataError(f"{moment.isoformat()} has no time zone; add tzinfo=UTC")
    return np.datetime64((moment - _EPOCH) // _MICROSECOND, "us")


def _is_outside(hour: datetime, calendar: Calendar) -> bool:
    session = calendar.session_on(calendar.trade_date(hour))
    return session is None or hour < session.open - _EARLIEST_BEFORE_OPEN


def _trade_dates(stamps: Stamps, calendar: Calendar) -> Stamps:
    hours, hour_of = np.unique(stamps.astype("datetime64[h]"), return_inverse=True)
    dates = [calendar.trade_date(hour) for hour in _moments(hours)]
    return np.array(dates, dtype="datetime64[D]")[hour_of]


def _require_apart(stamps: Stamps, length: np.timedelta64) -> None:
    (overlapping,) = np.nonzero(np.diff(stamps) < length)
    if len(overlapping):
        early, late = stamps[overlapping[0]], stamps[overlapping[0] + 1]
        raise MarketDataError(
            f"bars of {_seconds(length)} s overlap: {moment_of(late).isoformat()} comes only {_seconds(late - early)} s"
            f" after the bar before; correct the times or give the true length as bar_span"
        )


def _seconds(distance: np.timedelta64) -> str:
    return f"{distance / np.timedelta64(1, 's'):g}"


def _moments(stamps: Stamps) -> list[datetime]:
    return [moment.replace(tzinfo=UTC) for moment in stamps.astype("datetime64[us]").tolist()]


def _stamps(moments: list[datetime]) -> Stamps:
    return np.array([stamp_of(moment) for moment in moments], dtype="datetime64[ns]")


def _first_and_last(dates: Stamps) -> tuple[date, date]:
    first, last = dates[[0, -1]].astype("datetime64[D]").tolist()
    return first, last


def _listed(dates: list[date]) -> str:
    text = ", ".join(day.isoformat() for day in dates[:10])
    return text if len(dates) <= 10 else f"{text} and {len(dates) - 10} more dates"


def _frozen(axis: TimeAxis) -> TimeAxis:
    for stamps in (axis.starts, axis.ends, axis.dates):
        stamps.setflags(write=False)
    return axis
