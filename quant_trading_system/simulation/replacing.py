"""Changing an order that works: which changes are possible, and the order that takes its place.

The quantity counts what has filled already. A refused change leaves the order as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass, TimeInForce
from quant_trading_system.simulation.admission import malformed, unprocessable
from quant_trading_system.simulation.group_rules import require_exits_apart, require_exits_beyond
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_form import PRICES, Body, member, number, text
from quant_trading_system.simulation.order_request import (
    require_fine,
    require_identity,
    require_own_prices,
    require_price,
    require_time_in_force,
)

_TRIGGERS = ("stop_price", "trail_price", "trail_percent")


def require_replaceable(live: LiveOrder, broker_status: str) -> None:
    """Only orders that work, or wait in their group, can be replaced.

    Raises:
        VenueRefusal: the order is finished, on its way, queued, or something else is asked of it already.
    """
    if live.status is OrderStatus.REPLACED:
        raise unprocessable("order already replaced")
    if broker_status not in {"new", "partially_filled", "held"}:
        raise unprocessable(f"cannot replace order in {broker_status} status")


def changed(live: LiveOrder, body: Body) -> Order:
    """The terms after the change, under the client order id of the request or none.

    Raises:
        VenueRefusal: a change that is not possible, or none at all.
    """
    order = live.order
    if order.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    terms = _terms(order, body)
    if live.triggered and any(terms[field] != getattr(order, field) for field in _TRIGGERS):
        raise unprocessable("the stop of an order cannot be changed after it was reached")
    _require_quantity(live, terms)
    prices = {field: terms[field] for field in PRICES if terms[field] is not None}
    require_own_prices(order.order_type, prices)
    for field, price in prices.items():
        require_price(field, price)
    if live.order_class is not OrderClass.SIMPLE and terms["time_in_force"] is not order.time_in_force:
        raise unprocessable("time_in_force cannot be changed for advanced orders")
    require_time_in_force(order.order_type, terms["time_in_force"])
    if all(getattr(order, field) == value for field, value in terms.items()):
        raise unprocessable("order parameters are not changed")
    identity = text(body, "client_order_id")
    require_identity(identity)
    try:
        return msgspec.structs.replace(order, client_order_id=identity, **terms)
    except InvalidOrder as error:
        raise unprocessable(str(error)) from None


def _terms(order: Order, body: Body) -> dict[str, Any]:
    """What the order would be, unchecked; absent fields stay."""
    trail = number(body, "trail")
    terms: dict[str, Any] = {
        "quantity": number(body, "qty"),
        "limit_price": number(body, "limit_price"),
        "stop_price": number(body, "stop_price"),
        "trail_price": None if order.trail_percent is not None else trail,
        "trail_percent": trail if order.trail_percent is not None else None,
        "time_in_force": None,
    }
    if body.get("time_in_force"):
        terms["time_in_force"] = member(body, "time_in_force", TimeInForce, "invalid time_in_force")
    return {field: getattr(order, field) if value is None else value for field, value in terms.items()}


def _require_quantity(live: LiveOrder, terms: dict[str, Any]) -> None:
    order, quantity = live.order, terms["quantity"]
    if quantity == order.quantity:
        return
    require_fine("qty", quantity)
    if quantity <= 0:
        raise unprocessable("qty must be > 0")
    if live.order_class is not OrderClass.SIMPLE:
        raise unprocessable("qty cannot be changed for advanced orders")
    if order.is_fractional:
        raise unprocessable("qty cannot be changed for fractional orders")
    if quantity % ONE:
        raise malformed("qty must be an integer")
    if quantity <= live.filled:
        raise unprocessable("qty must be > filled_qty")


def require_group_fits(groups: Groups, old: LiveOrder, terms: Order) -> None:
    """After the change of one member the prices of its group still fit each other.

    Raises:
        VenueRefusal: they do not.
    """
    if not old.group:
        return
    profit, loss = groups.exits(old)
    prices = {live.number: live.order for live in (profit, loss) if live is not None and live.is_open}
    if groups.is_exit(old):
        prices[old.number] = terms
    profit_price = prices[profit.number].limit_price if profit is not None and profit.number in prices else None
    loss_price = prices[loss.number].stop_price if loss is not None and loss.number in prices else None
    if groups.is_exit(old):
        require_exits_apart(terms.side.opposite, profit_price, loss_price)
    else:
        require_exits_beyond(terms.side, terms.limit_price, profit_price, loss_price)
