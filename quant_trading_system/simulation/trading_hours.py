"""When an order may trade and how long it lives: the regular session, the hours around it, and the auctions.

Source:
    Alpaca, "Placing orders": extended hours from 04:00 to the open and for four hours after the close, good-till-
    cancelled orders for 90 days, entry windows of the auctions.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple

from quant_trading_system.core.orders import Order, TimeInForce
from quant_trading_system.market.sessions import NEW_YORK, Calendar, Session

GTC_LIFETIME = timedelta(days=90)
"""Good-till-cancelled orders are cancelled after this span, at a quarter past four in New York."""

AFTER_HOURS = timedelta(hours=4)
"""How long trading goes on after the close."""

_PRE_MARKET = time(4)
_GTC_SWEEP = time(16, 15)
_OPENING_CUT_OFF, _CLOSING_CUT_OFF = timedelta(minutes=2), timedelta(minutes=10)
_AUCTIONS_REOPEN = time(19)
_LONGEST_SESSION = timedelta(hours=12)


class Phase(StrEnum):
    """What the market does at a moment."""

    REGULAR = "regular"
    EXTENDED = "extended"
    CLOSED = "closed"


class DayHours(NamedTuple):
    """A trading day with its extended hours; every moment belongs to the phase that it begins."""

    pre_open: datetime
    open: datetime
    close: datetime
    post_close: datetime


def hours_of(session: Session) -> DayHours:
    """The trading day around a session."""
    begins = datetime.combine(session.date, _PRE_MARKET, NEW_YORK).astimezone(session.open.tzinfo)
    return DayHours(min(begins, session.open), session.open, session.close, session.close + AFTER_HOURS)


def extended_since(calendar: Calendar, moment: datetime) -> datetime | None:
    """The beginning of the extended hours in progress, None during the session and at night."""
    session = calendar.session_on(moment.astimezone(NEW_YORK).date())
    if session is None:
        return None
    hours = hours_of(session)
    if hours.pre_open <= moment < hours.open:
        return hours.pre_open
    return hours.close if hours.close <= moment < hours.post_close else None


def expires_at(order: Order, submitted_at: datetime, calendar: Calendar) -> datetime:
    """When an order of that time in force ends if nothing ends it before.

    Raises:
        MarketDataError: the calendar does not reach so far.
    """
    if order.time_in_force is TimeInForce.GTC:
        day = submitted_at.astimezone(NEW_YORK).date() + GTC_LIFETIME
        return datetime.combine(day, _GTC_SWEEP, NEW_YORK).astimezone(submitted_at.tzinfo)
    if order.time_in_force is TimeInForce.OPG:
        return calendar.next_open(submitted_at)
    close = calendar.next_close(submitted_at)
    if not order.extended_hours:
        return close
    earlier = calendar.session_on(submitted_at.astimezone(NEW_YORK).date())
    if earlier is not None and earlier.close <= submitted_at < earlier.close + AFTER_HOURS:
        return earlier.close + AFTER_HOURS
    return close + AFTER_HOURS


def auction_closed(order: Order, now: datetime, calendar: Calendar, *, strict: bool) -> str:
    """Why the auction takes no orders now, empty when it does. A market that never closes takes them at any time.

    Args:
        strict: orders for the next day's auctions are taken from 19:00 on, as the broker does it; otherwise as
            soon as the auction is over.
    """
    if order.time_in_force is not TimeInForce.OPG and order.time_in_force is not TimeInForce.CLS:
        return ""
    session = calendar.session_at(now)
    if session is not None and session.close - session.open > _LONGEST_SESSION:
        return ""
    if order.time_in_force is TimeInForce.OPG:
        return _opening_closed(session, now, calendar, strict=strict)
    return _closing_closed(session, now, calendar, strict=strict)


def _opening_closed(session: Session | None, now: datetime, calendar: Calendar, *, strict: bool) -> str:
    is_past = session is not None or calendar.next_open(now) - now < _OPENING_CUT_OFF
    if is_past or (strict and _waits_for_the_evening(now, calendar)):
        return "opg orders are taken until 2 minutes before the open"
    return ""


def _closing_closed(session: Session | None, now: datetime, calendar: Calendar, *, strict: bool) -> str:
    if session is not None and session.close - now < _CLOSING_CUT_OFF:
        return "cls orders are taken until 10 minutes before the close"
    if strict and _waits_for_the_evening(now, calendar):
        return "cls orders are taken from 19:00 on for the next day"
    return ""


def _waits_for_the_evening(now: datetime, calendar: Calendar) -> bool:
    """The session of the day is over, and the evening has not come."""
    there = now.astimezone(NEW_YORK)
    session = calendar.session_on(there.date())
    return session is not None and session.close <= now and there.time() < _AUCTIONS_REOPEN
