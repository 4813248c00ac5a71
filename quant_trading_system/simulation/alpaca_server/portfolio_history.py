"""What an account was worth over time: pure arithmetic on the values that the venue has kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from quant_trading_system.core.numbers import CENT
from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar
from quant_trading_system.simulation.account import EquityPoint
from quant_trading_system.simulation.alpaca_server.parameters import refuse

TIMEFRAMES = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1H": timedelta(hours=1),
    "1D": timedelta(days=1),
}
_PERIOD = re.compile(r"(\d{1,3})([DWMA])")
_DAYS_IN = {"D": 1, "W": 7, "M": 30, "A": 365}
_MILLIONTH = Decimal("1E-6")
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


class HistoryQuery(NamedTuple):
    """What is asked for.

    Attributes:
        start, end: aware; everything in between.
        daily_reset: profit and loss begin anew on each day, in steps shorter than a day.
    """

    start: datetime
    end: datetime
    timeframe: str
    daily_reset: bool = True


def span_of(period: str) -> timedelta:
    """The length of ``1D``, ``2W``, ``1M`` or ``1A``.

    Raises:
        VenueRefusal: it is none of these.
    """
    found = _PERIOD.fullmatch(period)
    if found is None or not int(found[1]):
        raise refuse("period")
    return int(found[1]) * _DAYS_IN[found[2]] * _DAY


def usual_timeframe(span: timedelta) -> str:
    """The steps that a span is shown in unless something else is asked for."""
    if span < 7 * _DAY:
        return "1Min"
    return "15Min" if span < 30 * _DAY else "1D"


def portfolio_history(
    query: HistoryQuery, points: Sequence[EquityPoint], opened: EquityPoint, calendar: TradingCalendar
) -> dict[str, Any]:
    """Equity at the end of each step, and the profit since the beginning, as the broker answers.

    Args:
        points: oldest first, the last one being the present.
        opened: the account at its beginning; nothing is known before it.
    """
    known = [opened, *(point for point in points if point.at >= opened.at)]
    steps = _steps(query, calendar, known)
    before = [point.equity for point in known if point.at < query.start]
    base = before[-1] if before else opened.equity
    rows = _rows(steps, base, reset=query.daily_reset and query.timeframe != "1D")
    return {
        "timestamp": [int(at.timestamp()) for at, _ in steps],
        "equity": [_number(equity) for _, equity in steps],
        "profit_loss": [_number(profit) for profit, _ in rows],
        "profit_loss_pct": [float((profit / basis).quantize(_MILLIONTH)) if basis else None for profit, basis in rows],
        "base_value": _number(base),
        "base_value_asof": query.start.astimezone(NEW_YORK).date().isoformat(),
        "timeframe": query.timeframe,
        "cashflow": {},
    }


def _steps(
    query: HistoryQuery, calendar: TradingCalendar, known: Sequence[EquityPoint]
) -> list[tuple[datetime, Decimal]]:
    """The beginning of each step in which the market was open, with the equity at its end."""
    length = TIMEFRAMES[query.timeframe]
    found: dict[datetime, Decimal] = {}
    for point in known:
        if query.start <= point.at <= query.end:
            at = max(point.at - _INSTANT, known[0].at)  # a value at the end of a step belongs to it
            found[_step_of(at, length, calendar)] = point.equity
    return sorted(found.items())


def _step_of(at: datetime, length: timedelta, calendar: TradingCalendar) -> datetime:
    """The beginning of the step of a moment: the session's open for days, else a round time."""
    day = _trading_day(at, calendar)
    session = calendar.session_on(day)
    if length >= _DAY:
        return at if session is None else session.open
    moment = at if session is None else min(max(at, session.open), session.close - _INSTANT)
    midnight = moment.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length


def _trading_day(at: datetime, calendar: TradingCalendar) -> date:
    """The day of a value: that of a closed day belongs to the session before."""
    day = at.astimezone(NEW_YORK).date()
    session = calendar.session_on(day)
    return day if session is not None and session.open <= at else calendar.previous_session(day).date


def _rows(steps: list[tuple[datetime, Decimal]], base: Decimal, *, reset: bool) -> list[tuple[Decimal, Decimal]]:
    """Profit since the beginning, or of the day so far, and what it is a fraction of."""
    rows: list[tuple[Decimal, Decimal]] = []
    basis, day, last = base, None, base
    for at, equity in steps:
        today = at.astimezone(NEW_YORK).date()
        if reset and today != day:
            basis, day = last, today
        rows.append((equity - basis, basis))
        last = equity
    return rows


def _number(value: Decimal) -> float:
    return float(value.quantize(CENT))
