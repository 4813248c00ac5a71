"""Clock and calendar by market: `/v3/clock` and `/v3/calendar`, with the phases of a trading day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NamedTuple

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.sessions import NEW_YORK, Session, TradingCalendar
from quant_trading_system.simulation.admission import not_found
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.reference_routes import days_asked_for, trading_days
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Parameter, Route
from quant_trading_system.simulation.alpaca_server.wire import Json, new_york
from quant_trading_system.simulation.trading_hours import hours_of


class Market(NamedTuple):
    """A market as it names itself: by its short name, its four letters (ISO 10383), and in words."""

    acronym: str
    mic: str
    name: str


_MARKETS = (Market("NYSE", "XNYS", "New York Stock Exchange"), Market("NASDAQ", "XNAS", "Nasdaq"))
_BY_NAME = {name: market for market in _MARKETS for name in (market.acronym, market.mic)}


class Phase(NamedTuple):
    """``pre``, ``core``, ``post`` or ``closed``, and its end."""

    name: str
    until: datetime


def get_clocks(call: Call) -> Answer:
    """What the markets do now, or at another time."""
    wanted = read.words(call.query, "markets") or tuple(market.acronym for market in _MARKETS)
    now = read.moment(call.query, "time") or max(call.host.clock.now(), call.host.now)
    try:
        return Answer({"clocks": [_clock(_market(name), now, call.host.scene.calendar) for name in wanted]})
    except MarketDataError:
        raise read.refuse("time", "the calendar does not reach so far") from None


def _clock(market: Market, now: datetime, calendar: TradingCalendar) -> Json:
    phase = phase_at(now, calendar)
    return {
        "market": _market_json(market),
        "timestamp": new_york(now),
        "is_market_day": calendar.session_on(now.astimezone(NEW_YORK).date()) is not None,
        "next_market_open": new_york(calendar.next_open(now)),
        "next_market_close": new_york(calendar.next_close(now)),
        "phase": phase.name,
        "phase_until": new_york(phase.until),
    }


def phase_at(now: datetime, calendar: TradingCalendar) -> Phase:
    """What the market does at a moment.

    Raises:
        MarketDataError: the calendar does not reach so far.
    """
    session = calendar.session_at(now)
    if session is not None:
        return Phase("core", session.close)
    today = calendar.session_on(now.astimezone(NEW_YORK).date())
    if today is not None:
        hours = hours_of(today)
        if hours.pre_open <= now < hours.open:
            return Phase("pre", hours.open)
        if hours.close <= now < hours.post_close:
            return Phase("post", hours.post_close)
    following = calendar.session_at(calendar.next_open(now))
    assert following is not None
    return Phase("closed", hours_of(following).pre_open)


async def get_market_calendar(call: Call) -> Answer:
    """The trading days of a market with the phases of each."""
    market = _market(call.path["market"])
    in_utc = read.choice(call.query, "timezone", ("", "UTC"), "") == "UTC"
    show = _in_utc if in_utc else new_york
    first, last = days_asked_for(call)

    def days() -> list[Json]:
        return [_day(session, settled, show) for session, settled in trading_days(call, first, last)]

    return Answer({"market": _market_json(market), "calendar": await call.in_background(days)})


def _day(session: Session, settlement: date, show: Callable[[datetime], str]) -> Json:
    hours = hours_of(session)
    return {
        "date": session.date.isoformat(),
        "settlement_date": settlement.isoformat(),
        "pre_start": show(hours.pre_open),
        "pre_end": show(hours.open),
        "core_start": show(hours.open),
        "core_end": show(hours.close),
        "post_start": show(hours.close),
        "post_end": show(hours.post_close),
    }


def _market(name: str) -> Market:
    market = _BY_NAME.get(name.upper())
    if market is None:
        raise not_found(f"market not found: {name[:40]}")
    return market


def _market_json(market: Market) -> Json:
    return {"acronym": market.acronym, "mic": market.mic, "name": market.name, "timezone": NEW_YORK.key}


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_DATE = {"format": "date"}

MARKET_ROUTES = (
    Route(
        "GET",
        "/v3/clock",
        get_clocks,
        "Get the clocks of markets",
        parameters=(
            Parameter(
                "markets", description="NYSE or NASDAQ, separated by commas.", more={"pattern": "^(NYSE|NASDAQ)$"}
            ),
            Parameter("time", description="RFC 3339; now without it.", more={"format": "date-time"}),
        ),
    ),
    Route(
        "GET",
        "/v3/calendar/{market}",
        get_market_calendar,
        "Get the calendar of a market",
        parameters=(
            Parameter("start", description="A date; included.", more=_DATE),
            Parameter("end", description="A date; included.", more=_DATE),
            Parameter("timezone", description="New York's without it.", values=("UTC",)),
        ),
    ),
)
