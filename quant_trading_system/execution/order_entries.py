"""What the journal is told of an order: all of it when it is decided on, and every change after that."""

from __future__ import annotations

from datetime import datetime

from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.order_state import OrderTrigger, PendingRequest
from quant_trading_system.execution.order_store import OrderRecord

_REPLACE = PendingRequest.REPLACE


def decided(record: OrderRecord, trigger: OrderTrigger, decision: Decision) -> OrderEvent:
    """The first entry of an order: all of it, and all that was known when it was judged."""
    return OrderEvent(
        at=decision.at,
        order_id=record.order_id,
        symbol=record.order.symbol,
        status=record.status,
        trigger=trigger,
        reason=record.reason,
        order=record.order,
        decision=decision,
        replaces=record.replaces,
    )


def changed(record: OrderRecord, trigger: OrderTrigger | None, reason: str, at: datetime) -> OrderEvent:
    """An order as it stands after something happened to it, or was asked of it."""
    return OrderEvent(
        at=at,
        order_id=record.order_id,
        symbol=record.order.symbol,
        status=record.status,
        trigger=trigger,
        pending=record.pending,
        quantity_filled=record.filled,
        venue_order_id=record.venue_order_id,
        reason=reason,
        replaced_by=record.replaced_by if record.pending is _REPLACE else "",
    )


def begun(leg: OrderRecord, at: datetime) -> OrderEvent:
    """The first entry of a leg: all of it; it was judged with the order that leads its group."""
    return OrderEvent(
        at=at,
        order_id=leg.order_id,
        symbol=leg.order.symbol,
        status=leg.status,
        trigger=OrderTrigger.SEND,
        order=leg.order,
        parent=leg.parent,
    )


def resized(leg: OrderRecord, at: datetime) -> OrderEvent:
    """A leg that the broker has made smaller."""
    return OrderEvent(
        at=at,
        order_id=leg.order_id,
        symbol=leg.order.symbol,
        status=leg.status,
        pending=leg.pending,
        quantity_filled=leg.filled,
        quantity=leg.quantity,
        reason=f"the broker made it {leg.quantity} shares",
    )
