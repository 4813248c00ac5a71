"""What the answers look like, as JSON Schema; fuzzers hold the venue to it.

A number as text is a `string`, as the broker writes money, prices and quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_ID: Schema = {"type": "string", "format": "uuid"}
_NUMBER: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_MAYBE_NUMBER: Schema = {"type": ["string", "null"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_FLAG: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer"}
_FLOAT: Schema = {"type": "number"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
_DATE: Schema = {"type": "string", "format": "date"}


def list_of(item: Schema) -> Schema:
    """An array of such things."""
    return {"type": "array", "items": item}


def by_symbol(item: Schema) -> Schema:
    """An object with a symbol for each key."""
    return {"type": "object", "additionalProperties": item}


def fields(**known: Schema) -> Schema:
    """An object in which all of these are there; others may be."""
    return {"type": "object", "properties": known, "required": list(known)}


def each(schema: Schema, *names: str) -> dict[str, Schema]:
    """Fields of one form."""
    return dict.fromkeys(names, schema)


ORDER = fields(
    **each(_ID, "id", "asset_id"),
    **each(_TIME, "created_at", "updated_at", "submitted_at"),
    **each(_MAYBE_TIME, "filled_at", "expired_at", "expires_at", "canceled_at", "failed_at", "replaced_at"),
    **each({"type": ["string", "null"], "format": "uuid"}, "replaced_by", "replaces"),
    **each(TEXT, "client_order_id", "symbol", "asset_class", "order_class", "type", "order_type", "side"),
    **each(TEXT, "time_in_force", "status", "position_intent"),
    **each(_MAYBE_NUMBER, "notional", "qty", "filled_avg_price", "limit_price", "stop_price", "hwm"),
    **each(_MAYBE_NUMBER, "trail_percent", "trail_price"),
    filled_qty=_NUMBER,
    extended_hours=_FLAG,
    legs={"type": ["array", "null"], "items": {"type": "object"}},
)
OUTCOME = fields(id=_ID, status=_COUNT)
POSITION = fields(
    asset_id=_ID,
    **each(TEXT, "symbol", "exchange", "asset_class", "side"),
    **each(_NUMBER, "qty", "qty_available", "avg_entry_price", "market_value", "cost_basis", "unrealized_pl"),
    **each(_NUMBER, "unrealized_plpc", "unrealized_intraday_pl", "unrealized_intraday_plpc", "current_price"),
    **each(_NUMBER, "lastday_price", "change_today"),
    asset_marginable=_FLAG,
)
CLOSING = fields(symbol=TEXT, status=_COUNT, body={"type": "object"})
ACCOUNT = fields(
    id=_ID,
    **each(TEXT, "account_number", "status", "currency"),
    **each(_NUMBER, "cash", "equity", "last_equity", "portfolio_value", "buying_power", "regt_buying_power"),
    **each(_NUMBER, "long_market_value", "short_market_value", "initial_margin", "maintenance_margin", "sma"),
    **each(_FLAG, "trading_blocked", "transfers_blocked", "account_blocked", "shorting_enabled"),
    multiplier={"enum": ["1", "2", "4"]},
    created_at=_TIME,
)
SETTINGS = fields(
    **each(_FLAG, "suspend_trade", "no_shorting", "fractional_trading", "ptp_no_exception_entry"),
    **each(_FLAG, "disable_overnight_trading"),
    max_margin_multiplier={"enum": ["1", "2", "4"]},
    trade_confirm_email={"enum": ["all", "none"]},
    max_options_trading_level={"type": ["integer", "null"]},
)
PORTFOLIO = fields(
    timestamp=list_of(_COUNT),
    **each(list_of(_FLOAT), "equity", "profit_loss"),
    profit_loss_pct=list_of({"type": ["number", "null"]}),
    base_value=_FLOAT,
    timeframe=TEXT,
)
ACTIVITY = fields(id=TEXT, activity_type=TEXT)
ASSET = fields(
    id=_ID,
    **each(TEXT, "class", "exchange", "symbol", "name", "status"),
    **each(_FLAG, "tradable", "marginable", "shortable", "easy_to_borrow", "fractionable"),
    attributes=list_of(TEXT),
)
CLOCK = fields(**each(_TIME, "timestamp", "next_open", "next_close"), is_open=_FLAG)
DAY = fields(**each(_DATE, "date", "settlement_date"), **each(TEXT, "open", "close", "session_open", "session_close"))
WATCHLIST_HEAD = fields(**each(_ID, "id", "account_id"), name=TEXT, **each(_TIME, "created_at", "updated_at"))
WATCHLIST: Schema = {"allOf": [WATCHLIST_HEAD, fields(assets=list_of(ASSET))]}

BAR = fields(t=_TIME, **each(_FLOAT, "o", "h", "l", "c", "vw"), **each(_COUNT, "v", "n"))
TRADE = fields(t=_TIME, p=_FLOAT, **each(_COUNT, "s", "i"), **each(TEXT, "x", "z"), c=list_of(TEXT))
QUOTE = fields(
    t=_TIME, **each(_FLOAT, "ap", "bp"), **each(_COUNT, "as", "bs"), **each(TEXT, "ax", "bx", "z"), c=list_of(TEXT)
)
_AUCTION = fields(t=_TIME, p=_FLOAT, s=_COUNT, **each(TEXT, "x", "c"))
AUCTION_DAY = fields(d=_DATE, **each(list_of(_AUCTION), "o", "c"))
_NOTHING: Schema = {"type": "null"}
SNAPSHOT = fields(
    latestTrade=TRADE, latestQuote=QUOTE, **each({"anyOf": [BAR, _NOTHING]}, "minuteBar", "dailyBar", "prevDailyBar")
)


def page_of(name: str, content: Schema) -> Schema:
    """A page with `content` under its name, and the token of the next one."""
    return fields(**{name: content}, next_page_token=_MAYBE)
