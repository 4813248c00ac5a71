"""The orders that a bracket, OCO or OTO order is made of: a leader, and legs that wait for it or for each other.

The leader is the entry; an OCO order has none, there the take-profit leads. Its legs are orders of their own, with
ids that depend on nothing but the leader's: whoever reads the group anew, after a crash or from the broker's
history, gives them the same names.

Source:
    Alpaca, "Placing orders".
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.orders import Order, OrderClass, OrderType

_SIMPLE = OrderClass.SIMPLE


class LegKind(StrEnum):
    """What a leg is for; the value ends its order id."""

    TAKE_PROFIT = "tp"
    STOP_LOSS = "sl"


def leg_id(leader: str, kind: LegKind) -> str:
    """The id of a leg of the group that the order `leader` begins.

    >>> leg_id("5f1c-12-0", LegKind.STOP_LOSS)
    '5f1c-12-0.sl'
    """
    return f"{leader}.{kind.value}"


def leader_id(leg: str) -> str:
    """The id of the order that leads the group of a leg; empty for an id that no leg has.

    >>> leader_id("5f1c-12-0.sl"), leader_id("5f1c-12-0")
    ('5f1c-12-0', '')
    """
    head, _, kind = leg.rpartition(".")
    return head if kind in _KINDS else ""


def leads_group(order: Order) -> bool:
    """True for bracket, OCO and OTO orders."""
    return order.order_class is not _SIMPLE


def legs_of(order: Order) -> dict[LegKind, Order]:
    """The legs of a group, as simple orders; of a simple order none."""
    legs: dict[LegKind, Order] = {}
    is_oco = order.order_class is OrderClass.OCO
    if order.take_profit is not None and not is_oco:
        legs[LegKind.TAKE_PROFIT] = _exit(order, LegKind.TAKE_PROFIT, limit=order.take_profit.limit_price)
    if order.stop_loss is not None:
        loss = order.stop_loss
        legs[LegKind.STOP_LOSS] = _exit(order, LegKind.STOP_LOSS, limit=loss.limit_price, stop=loss.stop_price)
    return legs


def _exit(order: Order, kind: LegKind, *, limit: Decimal | None, stop: Decimal | None = None) -> Order:
    if stop is None:
        order_type = OrderType.LIMIT
    else:
        order_type = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    leg: Order = msgspec.structs.replace(
        order,
        side=order.side if order.order_class is OrderClass.OCO else order.side.opposite,
        order_type=order_type,
        order_class=OrderClass.SIMPLE,
        limit_price=limit,
        stop_price=stop,
        take_profit=None,
        stop_loss=None,
        reduce_only=True,
        client_order_id=leg_id(order.client_order_id, kind) if order.client_order_id else "",
    )
    return leg


_KINDS = frozenset(kind.value for kind in LegKind)
