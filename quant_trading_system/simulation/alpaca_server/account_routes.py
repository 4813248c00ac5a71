"""The account by request: `/v2/account` with its settings, its past and its activities."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quant_trading_system.core.numbers import plain
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.account import EquityPoint
from quant_trading_system.simulation.account_rules import AccountConfiguration
from quant_trading_system.simulation.activities import OTHERS, TRADES, Activity, ActivityQuery, FillActivity
from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.answers import ACCOUNT, ACTIVITY, PORTFOLIO, SETTINGS, list_of
from quant_trading_system.simulation.alpaca_server.portfolio_history import (
    TIMEFRAMES,
    HistoryQuery,
    portfolio_history,
    span_of,
    usual_timeframe,
)
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Field, Parameter, Route
from quant_trading_system.simulation.alpaca_server.venue_time import new_york_midnight
from quant_trading_system.simulation.alpaca_server.wire import AccountFacts, Json, account_json, utc

_MOST_ROWS = 100
_ONE_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


def get_account(call: Call) -> Answer:
    """Cash, equity, buying power."""
    desk = call.desk
    facts = AccountFacts(desk.account_id, desk.opened_at, desk.venue.configuration.suspend_trade)
    return Answer(account_json(desk.venue.account(), facts))


def get_configurations(call: Call) -> Answer:
    """The settings of the account."""
    return Answer(_settings(call.desk.venue.configuration))


def change_configurations(call: Call) -> Answer:
    """Change some settings; what is null or missing stays as it is."""
    changed = call.desk.venue.configure(call.body)
    call.host.changed()
    return Answer(_settings(changed))


def _settings(configuration: AccountConfiguration) -> Json:
    return {**msgspec.to_builtins(configuration), **_GONE}


_GONE = {"dtbp_check": "entry", "pdt_check": "entry"}
"""Settings of the old rule for pattern day traders. They do nothing; clients of before July 2026 insist on them."""


# -- history -----------------------------------------------------------------------------------------------------------


def get_portfolio_history(call: Call) -> Answer:
    """What the account was worth."""
    desk, now = call.desk, call.host.now
    present = EquityPoint(now, desk.venue.account().equity)
    opened = EquityPoint(desk.opened_at, desk.spec.cash)
    points = [*desk.venue.equity_history(), present]
    return Answer(portfolio_history(_history_query(call), points, opened, call.host.scene.calendar))


def _history_query(call: Call) -> HistoryQuery:
    query, now = call.query, call.host.now
    start = read.moment(query, "start") or read.moment(query, "date_start")
    end = read.moment(query, "end", end_of_day=True) or read.moment(query, "date_end", end_of_day=True)
    period = query.get("period", "")
    if start is not None and end is not None and period:
        raise VenueRefusal(MALFORMED, 422, "only two of start, end and period are accepted")
    span = span_of(period or "1M")
    until = end or (start + span if start is not None and period else now)
    since = start or new_york_midnight((until - span).astimezone(NEW_YORK).date())
    if since > until:
        raise VenueRefusal(MALFORMED, 422, "end should not be before start")
    timeframe = read.choice(query, "timeframe", tuple(TIMEFRAMES), usual_timeframe(until - since))
    read.choice(query, "intraday_reporting", _REPORTING, "market_hours")
    reset = read.choice(query, "pnl_reset", ("per_day", "no_reset"), "per_day")
    return HistoryQuery(since, until, timeframe, reset == "per_day")


# -- activities --------------------------------------------------------------------------------------------------------


def list_activities(call: Call) -> Answer:
    """Executions and charges of all kinds, or of some."""
    return _activities(call, frozenset(read.words(call.query, "activity_types")))


def list_activities_of(call: Call) -> Answer:
    """Activities of one kind, such as ``FILL``."""
    return _activities(call, frozenset({call.path["activity_type"]}))


def _activities(call: Call, types: frozenset[str]) -> Answer:
    query = call.query
    after, until = read.moment(query, "after"), read.moment(query, "until")
    day = read.day(query, "date")
    if day is not None:
        if after or until:
            raise VenueRefusal(MALFORMED, 422, "date goes with neither after nor until")
        after, until = new_york_midnight(day) - _INSTANT, new_york_midnight(day + _ONE_DAY)
    wanted = ActivityQuery(
        types=types,
        category=read.choice(query, "category", ("", TRADES, OTHERS), ""),
        after=after,
        until=until,
        ascending=read.choice(query, "direction", ("asc", "desc"), "desc") == "asc",
        page_size=read.whole_number(query, "page_size", default=_MOST_ROWS, least=1, most=_MOST_ROWS),
        page_token=query.get("page_token", ""),
    )
    return Answer([activity_json(row) for row in call.desk.venue.activities(wanted)])


def activity_json(row: Activity) -> Json:
    """A row of the list of activities."""
    if isinstance(row, FillActivity):
        return {
            "id": row.id,
            "activity_type": row.activity_type,
            "transaction_time": utc(row.at),
            "type": row.kind,
            "price": plain(row.price),
            "qty": plain(row.quantity),
            "side": row.side,
            "symbol": row.symbol,
            "leaves_qty": plain(row.leaves_quantity),
            "order_id": row.order_id,
            "cum_qty": plain(row.cumulative_quantity),
            "order_status": row.order_status,
        }
    return {
        "id": row.id,
        "activity_type": row.activity_type,
        "date": row.date.isoformat(),
        "net_amount": plain(row.net_amount),
        "description": row.description,
        "symbol": row.symbol,
        "qty": plain(row.quantity),
        "per_share_amount": None,
        "status": "executed",
    }


_REPORTING = ("market_hours", "extended_hours", "continuous")
_SETTINGS = (
    *(Field(name, {"type": "boolean"}) for name in ("suspend_trade", "no_shorting", "fractional_trading")),
    Field("max_margin_multiplier", {"type": "string", "enum": ["1", "2", "4"]}),
    Field("trade_confirm_email", {"type": "string", "enum": ["all", "none"]}),
    Field("ptp_no_exception_entry", {"type": "boolean"}),
    Field("max_options_trading_level", {"enum": [0, 1, 2, 3, None]}),
    Field("disable_overnight_trading", {"type": "boolean"}),
)
_DATE, _TIME = {"format": "date"}, {"format": "date-time"}
_HISTORY = (
    Parameter("period", description="1M without it.", more={"pattern": "^[1-9][0-9]{0,2}[DWMA]$", "examples": ["1W"]}),
    Parameter("timeframe", values=tuple(TIMEFRAMES)),
    Parameter("start", description="RFC 3339 or a date.", more=_TIME),
    Parameter("end", description="RFC 3339 or a date.", more=_TIME),
    Parameter("date_start", description="The older name of start.", more=_DATE),
    Parameter("date_end", description="The older name of end.", more=_DATE),
    Parameter("intraday_reporting", values=_REPORTING),
    Parameter("pnl_reset", values=("per_day", "no_reset")),
)
_ROWS = (
    Parameter("category", values=(TRADES, OTHERS)),
    Parameter("date", description="A date in New York.", more=_DATE),
    Parameter("after", more=_TIME),
    Parameter("until", more=_TIME),
    Parameter("direction", values=("asc", "desc")),
    Parameter("page_size", "integer", more={"minimum": 1, "maximum": _MOST_ROWS}),
    Parameter("page_token", description="The id of the last row that was seen."),
)
_TYPES = Parameter("activity_types", description="Separated by commas.")

ACCOUNT_ROUTES = (
    Route("GET", "/v2/account", get_account, "Get the account", answer=ACCOUNT),
    Route("GET", "/v2/account/configurations", get_configurations, "Get the settings", answer=SETTINGS),
    Route(
        "PATCH",
        "/v2/account/configurations",
        change_configurations,
        "Change settings",
        fields=_SETTINGS,
        answer=SETTINGS,
    ),
    Route(
        "GET",
        "/v2/account/portfolio/history",
        get_portfolio_history,
        "Get the portfolio's history",
        parameters=_HISTORY,
        answer=PORTFOLIO,
    ),
    Route(
        "GET",
        "/v2/account/activities",
        list_activities,
        "List activities",
        parameters=(_TYPES, *_ROWS),
        answer=list_of(ACTIVITY),
    ),
    Route(
        "GET",
        "/v2/account/activities/{activity_type}",
        list_activities_of,
        "List activities of one kind",
        parameters=_ROWS,
        answer=list_of(ACTIVITY),
    ),
)
