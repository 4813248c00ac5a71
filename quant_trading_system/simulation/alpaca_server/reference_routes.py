"""What the market is made of: assets, the clock, and the calendar of the exchange."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache

from quant_trading_system.market.sessions import NEW_YORK, Session, TradingCalendar
from quant_trading_system.simulation.admission import NOT_FOUND, VenueRefusal, not_found
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.answers import ASSET, CLOCK, DAY, list_of
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Parameter, Route
from quant_trading_system.simulation.alpaca_server.venue_time import FIRST_DAY
from quant_trading_system.simulation.alpaca_server.wire import US_EQUITY, Json, asset_json, new_york
from quant_trading_system.simulation.trading_hours import hours_of

_LAST_MINUTE = timedelta(minutes=1)
_ONE_DAY = timedelta(days=1)
_LONGEST_SETTLEMENT = timedelta(days=10)
_KEPT_DAYS = 16_384
"""Rows of the calendar that are remembered: all of them, so that whoever asks for forty years holds up nobody."""


def symbol_of(call: Call, name: str) -> str:
    """The symbol of an asset that is named by symbol or by id; anything else as it is."""
    return call.host.symbols_by_id.get(name.lower(), name)


def known_symbol(call: Call, name: str) -> str:
    """The symbol of an asset that is traded here.

    Raises:
        VenueRefusal: nothing of that name is.
    """
    symbol = symbol_of(call, name)
    if symbol not in call.host.scene.instruments:
        raise VenueRefusal(NOT_FOUND, 404, f"symbol not found: {name[:64]}")
    return symbol


def list_assets(call: Call) -> Answer:
    """Everything that is traded here."""
    status = read.choice(call.query, "status", ("", "active", "inactive"), "")
    asset_class, exchange = call.query.get("asset_class") or US_EQUITY, call.query.get("exchange", "")
    attributes = set(read.words(call.query, "attributes"))
    if status == "inactive" or asset_class != US_EQUITY:
        return Answer([])
    assets = [asset_json(instrument) for instrument in call.host.scene.instruments.values()]
    chosen = [asset for asset in assets if not exchange or asset["exchange"] == exchange.upper()]
    return Answer([asset for asset in chosen if attributes <= set(asset["attributes"])])


def get_asset(call: Call) -> Answer:
    """One asset by symbol or id."""
    name = call.path["symbol_or_asset_id"]
    instrument = call.host.scene.instruments.get(symbol_of(call, name))
    if instrument is None:
        raise not_found(f"asset not found for {name[:64]}")
    return Answer(asset_json(instrument))


def get_clock(call: Call) -> Answer:
    """The venue's time, and when the market opens and closes next."""
    now, calendar = max(call.host.clock.now(), call.host.now), call.host.scene.calendar
    return Answer(
        {
            "timestamp": new_york(now),
            "is_open": call.host.session is not None,
            "next_open": new_york(calendar.next_open(now)),
            "next_close": new_york(calendar.next_close(now)),
        }
    )


async def get_calendar(call: Call) -> Answer:
    """Trading days; a venue that is always open shows its own days until today, and the exchange's after them."""
    return Answer(await call.in_background(lambda: _calendar(call)))


def _calendar(call: Call) -> list[Json]:
    by = read.choice(call.query, "date_type", ("TRADING", "SETTLEMENT"), "TRADING")
    first, last = days_asked_for(call)
    if by == "TRADING":
        return [_day(session, settled) for session, settled in trading_days(call, first, last)]
    earlier = trading_days(call, max(first, FIRST_DAY + _LONGEST_SETTLEMENT) - _LONGEST_SETTLEMENT, last)
    return [_day(session, settled) for session, settled in earlier if first <= settled <= last]


def days_asked_for(call: Call) -> tuple[date, date]:
    """The first and the last day of a question about the calendar; all that is known without them."""
    covered = call.host.scene.calendar
    return read.day(call.query, "start") or covered.first_day, read.day(call.query, "end") or covered.last_day


def trading_days(call: Call, first: date, last: date) -> list[tuple[Session, date]]:
    """Sessions with the days on which they settle: the venue's own until today, the exchange's after that."""
    calendar, exchange = call.host.scene.calendar, call.host.scene.exchange
    first, last = max(first, calendar.first_day), min(last, calendar.last_day)
    today = call.host.now.astimezone(NEW_YORK).date()
    found: list[tuple[Session, date]] = []
    if first <= min(last, today):
        found += _settled(calendar, first, min(last, today))
    later = max(first, today + _ONE_DAY)
    if later <= last:
        found += _settled(exchange, later, last)
    return found


def _settled(calendar: TradingCalendar, first: date, last: date) -> list[tuple[Session, date]]:
    sessions = calendar.sessions_between(first, last)
    if not sessions:
        return []
    settlements = [*(session.date for session in sessions[1:]), _settlement(sessions[-1].date, calendar)]
    return list(zip(sessions, settlements, strict=True))


@lru_cache(maxsize=_KEPT_DAYS)
def _day(session: Session, settlement: date) -> Json:
    """The row of a day, which nobody changes."""
    hours = hours_of(session)
    opened, closed = session.open.astimezone(NEW_YORK), _shown_end(session)
    begins, ends = hours.pre_open.astimezone(NEW_YORK), hours.post_close.astimezone(NEW_YORK)
    round_the_clock = closed.date() == opened.date() and closed.hour == 23
    return {
        "date": session.date.isoformat(),
        "open": f"{opened:%H:%M}",
        "close": f"{closed:%H:%M}",
        "session_open": f"{begins:%H%M}",
        "session_close": f"{closed:%H%M}" if round_the_clock else f"{ends:%H%M}",
        "settlement_date": settlement.isoformat(),
    }


def _shown_end(session: Session) -> datetime:
    """The close; midnight is written as the last minute of the day, for it has no time of its own."""
    closed = session.close.astimezone(NEW_YORK)
    return closed if closed.date() == session.date else closed - _LAST_MINUTE


def _settlement(day: date, calendar: TradingCalendar) -> date:
    """The trading day after."""
    later = calendar.sessions_between(day, min(day + _LONGEST_SETTLEMENT, calendar.last_day))
    return later[1].date if len(later) > 1 else day


_ASSET_FILTERS = (
    Parameter("status", values=("active", "inactive")),
    Parameter("asset_class"),
    Parameter("exchange"),
    Parameter("attributes", description="Separated by commas."),
)
_DAYS = (
    Parameter("start", description="A date; included.", more={"format": "date"}),
    Parameter("end", description="A date; included.", more={"format": "date"}),
    Parameter("date_type", values=("TRADING", "SETTLEMENT")),
)

REFERENCE_ROUTES = (
    Route("GET", "/v2/assets", list_assets, "List assets", parameters=_ASSET_FILTERS, answer=list_of(ASSET)),
    Route("GET", "/v2/assets/{symbol_or_asset_id}", get_asset, "Get an asset", answer=ASSET),
    Route("GET", "/v2/clock", get_clock, "Get the clock", answer=CLOCK),
    Route("GET", "/v2/calendar", get_calendar, "Get the calendar", parameters=_DAYS, answer=list_of(DAY)),
)
