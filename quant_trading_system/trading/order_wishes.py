"""What a strategy sees of its own orders, and the words in which it takes one back or changes it.

Views are copies: what becomes of the order later is not seen in them, and nothing in them leads to the engine.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.exceptions import InvalidNumber, StrategyError
from quant_trading_system.core.numbers import positive
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, TimeInForce


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a strategy that may trade still, as it is at this bar.

    Attributes:
        order_id: the client order id.
        quantity: shares at most; `filled`: so far; `leaves`: those that may fill still.
        notional: dollars of a dollar order, whose `quantity` is the most that it can become.
        limit_price, stop_price, trail_price: dollars a share; `trail_percent`: percent; None where its type has none.
            The order that leads an OCO group is its take-profit, and has that limit.
        pending: what was asked of it and is not answered yet.
        placed_at: when the gate approved it, UTC; of an order that was changed, when it approved the change.
        order_class: `SIMPLE`, but for the order that leads a bracket, OCO or OTO group.
        group: id of the order that leads its group, for its exits; empty for others.
        tag: the name that the strategy gave it, or the entry that leads its group; empty for none.
    """

    order_id: str
    symbol: str
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal
    filled: Decimal
    leaves: Decimal
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    trail_price: Decimal | None
    trail_percent: Decimal | None
    status: OrderStatus
    pending: PendingRequest
    placed_at: datetime | None
    order_class: OrderClass
    group: str
    tag: str = ""


class OpenParent(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a strategy that an algorithm works, as it is at this bar.

    Attributes:
        algorithm: its name, such as ``vwap``.
        quantity: shares wanted now; `filled`: so far; `leaves`: still to be traded, what its slices have out included.
        status: ``working``, ``paused`` or ``stopping``.
        start, end: nothing is sent outside of them, UTC.
        tag: the name that the strategy gave it; empty for none.
    """

    parent_id: str
    symbol: str
    side: OrderSide
    algorithm: str
    quantity: Decimal
    filled: Decimal
    leaves: Decimal
    status: str
    start: datetime
    end: datetime
    tag: str = ""


class EndedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order or parent order of a strategy that ended before all of it had filled, as it is at this bar.

    Attributes:
        order_id: the client order id, or that of the parent.
        at: when it ended, UTC.
        status: ``denied`` by our gate, ``rejected`` by the broker, ``canceled``, ``expired``, ``unsent`` or ``absent``,
            which never arrived; of a parent ``cancelled``, ``expired`` or ``failed``.
        rule: the check of the gate that refused it, None for other ends; `reason`: what was said last about it.
        quantity: shares at most; `filled`: so far, those of the orders whose place it took included.
        notional: dollars of a dollar order.
        limit_price, stop_price, trail_price: dollars a share; `trail_percent`: percent; None where its type has none.
        replaces: the order whose place it took, or was to take; that one works on where this one never did.
        group: id of the order that leads its group, for its exits; empty for others.
        algorithm: name of the one that worked it; then `order_type` and `time_in_force` are None. Empty for others.
        tag: the name that the strategy gave it, or the entry that leads its group; empty for none.
    """

    order_id: str
    at: datetime
    symbol: str
    side: OrderSide
    status: str
    quantity: Decimal
    filled: Decimal
    rule: Rule | None = None
    reason: str = ""
    order_type: OrderType | None = None
    time_in_force: TimeInForce | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    group: str = ""
    replaces: str = ""
    algorithm: str = ""
    tag: str = ""


class OrdersInSight(Protocol):
    """Whoever tells strategies of their orders."""

    def open_orders(self, strategy: str, symbol: str | None) -> tuple[OpenOrder, ...]:
        """Those of `strategy` that may trade still, of one symbol if asked, oldest first."""

    def open_parents(self, strategy: str, symbol: str | None) -> tuple[OpenParent, ...]:
        """Those of `strategy` that an algorithm works, likewise."""


class CancelWish(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy takes back an order or a parent order of its own.

    Attributes:
        order_id: of the order or parent.
        reason: one line for the record.
        strategy: whose wish it is.
    """

    order_id: str
    reason: str = ""
    strategy: str = ""


class ReplaceWish(msgspec.Struct, frozen=True, kw_only=True):
    """A strategy changes an order of its own; what is None stays as it is.

    Attributes:
        quantity: shares in all, what has filled already included.
        limit_price, stop_price: dollars a share; `trail`: dollars or percent, whichever the order has.
        strategy: whose wish it is.

    Raises:
        StrategyError: nothing is to change, or a number is not exact and above zero.
    """

    order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    strategy: str = ""

    def __post_init__(self) -> None:
        for field in TERMS:
            value = getattr(self, field)
            if value is None:
                continue
            try:
                msgspec.structs.force_setattr(self, field, positive(value))
            except InvalidNumber as error:
                raise StrategyError(f"replace of {self.order_id}: {field}: {error}") from None
        if not self.terms:
            raise StrategyError(f"replace of {self.order_id}: say what is to change: {', '.join(TERMS)}")

    @property
    def terms(self) -> dict[str, Decimal]:
        """What is to change."""
        return {field: value for field in TERMS if (value := getattr(self, field)) is not None}


TERMS = ("quantity", "limit_price", "stop_price", "trail")
"""What a strategy can change of an order."""


def id_of(order: object, deed: str) -> str:
    """The id of a view, or the id itself.

    Raises:
        StrategyError: it is neither; says what `deed` takes.
    """
    if isinstance(order, OpenOrder):
        return order.order_id
    if isinstance(order, OpenParent):
        return order.parent_id
    if isinstance(order, str):
        return order
    raise StrategyError(f"{deed} takes an open order or its id, not a {type(order).__name__}")
