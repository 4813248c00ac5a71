"""Changing an open order: which orders can be changed, and the order that is to take the place of one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.exceptions import InvalidOrder, NotReplaceable
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderClass, TimeInForce
from quant_trading_system.execution.order_store import OrderRecord


class OrderChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different; None leaves a field as it is.

    Attributes:
        quantity: shares in all, what has filled already included.
        trail: dollars or percent, whichever the trailing stop has.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None


def require_replaceable(record: OrderRecord) -> None:
    """Only an order that the broker has, and of which nothing else is asked, can be replaced.

    Raises:
        NotReplaceable: says why, and what to do instead.
    """
    status = record.status
    if record.newer is not None and status is OrderStatus.REPLACED:
        why = f"{record.newer.order_id} has taken its place; replace that one"
    elif not status.is_open:
        why = f"it is {status}"
    else:
        why = passing_obstacle(record) or lasting_obstacle(record)
    if why:
        raise NotReplaceable(f"{record.order_id} cannot be replaced: {why}", record.order_id)


def passing_obstacle(record: OrderRecord) -> str:
    """Why an open order cannot be replaced yet, empty when it can: an answer of the broker is to come."""
    if record.status in (OrderStatus.SENT, OrderStatus.IN_DOUBT):
        return "the broker has not shown it yet; wait for its answer, or cancel it"
    if record.pending is not PendingRequest.NONE:
        return f"a {record.pending} is pending; wait until it is settled"
    if record.older is not None and record.older.status.is_open:
        return f"it has not taken the place of {record.older.order_id} yet"
    return ""


def lasting_obstacle(record: OrderRecord) -> str:
    """Why an order of this kind can never be replaced, empty when it can."""
    if record.order.notional is not None:
        return "an order in dollars has no quantity yet; cancel it and send another"
    if record.order.order_class is not OrderClass.SIMPLE:
        return "its legs hang on it; cancel it and send another"
    if record.parent:
        return f"it is a leg of {record.parent}; cancel it, which ends its group, and send another"
    return ""


def changed_order(record: OrderRecord, change: OrderChange, order_id: str) -> Order:
    """The order that is to take the place of `record`.

    Raises:
        InvalidOrder: nothing changes, a field that its type does not have, or a quantity that has filled already.
    """
    terms = _new_terms(record.order, change)
    if not terms:
        raise InvalidOrder("limit_price", "the order is like that already; there is nothing to replace")
    order: Order = msgspec.structs.replace(record.order, client_order_id=order_id, **terms)
    if order.quantity <= record.chain_filled:
        raise InvalidOrder("quantity", f"{record.chain_filled} shares have filled already; cancel the rest instead")
    return order


def is_moot(record: OrderRecord, change: OrderChange) -> bool:
    """Nothing is left to change: it has ended, has filled as far as it is to, or is like that already."""
    quantity = record.quantity if change.quantity is None else change.quantity
    return not record.status.is_open or quantity <= record.chain_filled or not _new_terms(record.order, change)


def leaves_nothing(record: OrderRecord, change: OrderChange) -> bool:
    """An open order is to become one that has filled already: what is left of it is to be cancelled."""
    return record.status.is_open and change.quantity is not None and change.quantity <= record.chain_filled


def _new_terms(old: Order, change: OrderChange) -> dict[str, Any]:
    """The fields of the order that are to be different."""
    trail = "trail_price" if old.trail_price is not None else "trail_percent"
    wanted = {
        "quantity": change.quantity,
        "limit_price": change.limit_price,
        "stop_price": change.stop_price,
        trail: change.trail,
        "time_in_force": change.time_in_force,
    }
    return {field: value for field, value in wanted.items() if value is not None and value != getattr(old, field)}
