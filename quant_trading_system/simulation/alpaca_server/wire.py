"""The venue's objects in Alpaca's words: pure functions from what the venue shows to JSON.

Money, prices and quantities are texts in plain decimal notation, exact and without trailing zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import OrderClass
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.account import VenueAccount, VenuePosition
from quant_trading_system.simulation.alpaca_server.codec import time_text
from quant_trading_system.simulation.alpaca_server.identity import (
    account_number,
    asset_id,
    ulid,
    uuid_of,
)
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.venue_orders import VenueFill, VenueOrder, VenueUpdate

Json = dict[str, Any]

US_EQUITY = "us_equity"
_SIMPLE = OrderClass.SIMPLE
_NASDAQ, _ARCA = "NASDAQ", "ARCA"
_EXCHANGES = {
    **dict.fromkeys(("BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY", "MRK"), "NYSE"),
    **dict.fromkeys(("PFE", "PG", "RRC", "UNH", "XOM"), "NYSE"),
    **dict.fromkeys(("SPY", "IWM", "DIA", "GLD", "XLF", "XLK"), _ARCA),
}

_ENDS = ("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")
"""Of which at most one is set: an order ends once."""

Expiry = Callable[[VenueOrder], datetime | None]
"""When an order ends if nothing ends it before."""


def exchange_of(symbol: str) -> str:
    """Where a stock is listed; those that nobody here knows at NASDAQ."""
    return _EXCHANGES.get(symbol, _NASDAQ)


def text(value: Decimal | None) -> str | None:
    """A number as text, None as null."""
    return None if value is None else plain(value)


def utc(moment: datetime | None) -> str | None:
    """A moment in UTC with a ``Z``, None as null."""
    return None if moment is None else time_text(ns_of(moment))


def new_york(moment: datetime) -> str:
    """A moment with New York's offset."""
    return moment.astimezone(NEW_YORK).isoformat()


# -- orders ------------------------------------------------------------------------------------------------------------


def order_json(order: VenueOrder, expiry: Expiry, *, legs: bool = True) -> Json:
    """An order; `legs` shows the other members under the one that leads the group."""
    terms = order.order
    kind = terms.order_type
    return {
        "id": order.venue_order_id,
        "client_order_id": order.client_order_id,
        **_order_times(order, expiry),
        "replaced_by": order.replaced_by or None,
        "replaces": order.replaces or None,
        "asset_id": asset_id(terms.symbol),
        "symbol": terms.symbol,
        "asset_class": US_EQUITY,
        "notional": text(terms.notional),
        "qty": text(order.quantity),
        "filled_qty": plain(order.filled_quantity),
        "filled_avg_price": text(order.average_price),
        "order_class": "" if order.order_class is _SIMPLE else order.order_class,
        "order_type": kind,
        "type": kind,
        "side": terms.side,
        "position_intent": order.position_intent,
        "time_in_force": terms.time_in_force,
        "limit_price": text(terms.limit_price),
        "stop_price": text(order.stop_price),
        "status": order.broker_status,
        "extended_hours": terms.extended_hours,
        "legs": [order_json(leg, expiry, legs=False) for leg in order.legs] if legs and order.legs else None,
        "trail_percent": text(terms.trail_percent),
        "trail_price": text(terms.trail_price),
        "hwm": text(order.high_water_mark),
        "subtag": None,
        "source": None,
    }


def _order_times(order: VenueOrder, expiry: Expiry) -> Json:
    submitted = utc(order.submitted_at)
    times = {
        "created_at": submitted,
        "updated_at": submitted if order.updated_at == order.submitted_at else utc(order.updated_at),
        "submitted_at": submitted,
        "filled_at": None,
        "expired_at": None,
        "expires_at": utc(expiry(order)),
        "canceled_at": None,
        "cancel_requested_at": utc(order.cancel_requested_at),
        "failed_at": None,
        "replaced_at": None,
    }
    if order.finished_at is not None:
        times |= {name: utc(getattr(order, name)) for name in _ENDS}
    return times


# -- reports -----------------------------------------------------------------------------------------------------------


def update_json(update: VenueUpdate, expiry: Expiry, identity: str) -> Json:
    """A report about an order, as the order stream tells it, under the id `identity`."""
    return {
        "at": utc(update.at),
        "event_id": ulid(update.at, update.number),
        "event": update.event,
        "execution_id": identity,
        "timestamp": utc(update.at),
        "order": order_json(update.order, expiry),
        **({} if update.fill is None else _fill_json(update.fill)),
    }


def pending_new_json(order: VenueOrder, expiry: Expiry) -> Json:
    """The report that an order was taken and is on its way to the market."""
    at = order.submitted_at
    return {
        "at": utc(at),
        "event_id": ulid(at, 0),
        "event": "pending_new",
        "execution_id": uuid_of("taken", order.venue_order_id),
        "timestamp": utc(at),
        "order": order_json(order, expiry),
    }


def _fill_json(fill: VenueFill) -> Json:
    return {
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "position_qty": plain(fill.position_quantity),
    }


# -- positions and account ---------------------------------------------------------------------------------------------


def position_json(position: VenuePosition) -> Json:
    """A position; values and quantities are negative when it is short."""
    last_close = position.last_price if position.last_close is None else position.last_close
    return {
        "asset_id": asset_id(position.symbol),
        "symbol": position.symbol,
        "exchange": exchange_of(position.symbol),
        "asset_class": US_EQUITY,
        "asset_marginable": True,
        "qty": plain(position.quantity),
        "qty_available": plain(position.available_quantity),
        "avg_entry_price": plain(position.average_price),
        "side": "long" if position.quantity > 0 else "short",
        "market_value": plain(position.market_value),
        "cost_basis": plain(position.cost_basis),
        "unrealized_pl": plain(position.profit),
        "unrealized_plpc": plain(position.profit_fraction),
        "unrealized_intraday_pl": plain(position.profit_today),
        "unrealized_intraday_plpc": plain(position.profit_fraction_today),
        "current_price": plain(position.last_price),
        "lastday_price": plain(last_close),
        "change_today": plain(position.change_today),
    }


class AccountFacts(NamedTuple):
    """What the venue's account does not know of itself; `suspended` is the customer's own setting."""

    account_id: str
    created_at: datetime
    suspended: bool


def account_json(account: VenueAccount, facts: AccountFacts) -> Json:
    """The account; the fields of the old rule for pattern day traders are gone."""
    equity, power = plain(account.equity), plain(account.buying_power)
    cash_only = plain(account.cash_available)
    balance_date = account.balance_date or facts.created_at.astimezone(NEW_YORK).date()
    zeros = ("accrued_fees", "pending_transfer_in", "pending_transfer_out", "pending_reg_taf_fees")
    return {
        "id": facts.account_id,
        "account_number": account_number(facts.account_id),
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "cash": plain(account.cash),
        "portfolio_value": equity,
        "equity": equity,
        "last_equity": plain(account.last_equity),
        "buying_power": power,
        "effective_buying_power": power,
        "regt_buying_power": plain(account.regt_buying_power),
        "non_marginable_buying_power": cash_only,
        "options_buying_power": cash_only,
        "long_market_value": plain(account.long_value),
        "short_market_value": plain(account.short_value),
        "position_market_value": plain(account.long_value + abs(account.short_value)),
        "initial_margin": plain(account.initial_margin),
        "maintenance_margin": plain(account.maintenance_margin),
        "last_maintenance_margin": plain(account.last_maintenance_margin),
        "sma": equity,
        "multiplier": str(account.multiplier),
        **dict.fromkeys((*zeros, "intraday_adjustments", "bod_dtbp"), "0"),
        "balance_asof": balance_date.isoformat(),
        "shorting_enabled": account.shorting_enabled,
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": facts.suspended,
        "options_approved_level": 0,
        "options_trading_level": 0,
        "crypto_tier": 0,
        "created_at": utc(facts.created_at),
    }


def asset_json(instrument: Instrument) -> Json:
    """What may be traded, and how."""
    symbol, borrow = instrument.symbol, "easy_to_borrow" if instrument.shortable else "hard_to_borrow"
    return {
        "id": asset_id(symbol),
        "class": US_EQUITY,
        "exchange": exchange_of(symbol),
        "symbol": symbol,
        "name": instrument.name or symbol,
        "status": "active",
        "tradable": instrument.tradable,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "margin_requirement_long": "30",
        "margin_requirement_short": "30",
        "shortable": instrument.shortable,
        "easy_to_borrow": instrument.shortable,
        "borrow_status": borrow,
        "fractionable": instrument.fractionable,
        "attributes": ["fractional_eh_enabled"] if instrument.fractionable else [],
    }
