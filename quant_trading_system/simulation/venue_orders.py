"""What the venue shows of its orders: the order as it stands, its executions, and the reports about it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.simulation.books import dollars
from quant_trading_system.simulation.fees import FeeBreakdown

_NANO = Decimal("1E-9")


class PositionIntent(StrEnum):
    """What an order means for the position."""

    BUY_TO_OPEN = "buy_to_open"
    BUY_TO_CLOSE = "buy_to_close"
    SELL_TO_OPEN = "sell_to_open"
    SELL_TO_CLOSE = "sell_to_close"

    @property
    def side(self) -> OrderSide:
        """The side that goes with it."""
        return OrderSide.BUY if self.startswith("buy") else OrderSide.SELL

    @classmethod
    def of(cls, side: OrderSide, *, closing: bool) -> PositionIntent:
        """The intent of an order of that side that shrinks the position (closing) or does not."""
        return _INTENTS[side, closing]


_INTENTS = {
    (OrderSide.BUY, False): PositionIntent.BUY_TO_OPEN,
    (OrderSide.BUY, True): PositionIntent.BUY_TO_CLOSE,
    (OrderSide.SELL, False): PositionIntent.SELL_TO_OPEN,
    (OrderSide.SELL, True): PositionIntent.SELL_TO_CLOSE,
}


class VenueFill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution.

    Attributes:
        quantity: shares of this execution; `price`: dollars a share, on the tick.
        cumulative_quantity: shares of the order filled so far, this execution included.
        fees: what was charged for it, by charge.
        position_quantity: shares held after it, negative when short.
    """

    execution_id: str
    quantity: Decimal
    price: Decimal
    cumulative_quantity: Decimal
    at: datetime
    fees: FeeBreakdown
    position_quantity: Decimal

    @property
    def fee(self) -> Decimal:
        """All charges together, dollars."""
        return self.fees.total


class VenueOrder(msgspec.Struct, frozen=True, gc=False):
    """An order as it stood at one moment.

    Attributes:
        order: the terms as they are worked; members of a group are simple orders that wait for each other.
        status: ``sent`` while it is on its way to the matching, ``held`` while it waits for a session or a group.
        quantity: shares; None for a dollar order.
        filled_quantity: shares traded, with what a replaced order handed on; `filled_money`: what they were worth,
            10^-18 dollars.
        high_water_mark, stop_price: of a trailing stop, None before its first trade.
        finished_at: when it became final, None while it is open.
        order_class: of the group that it belongs to, or simple.
        legs: the other members, when it leads a group.
        passive: it waits for another member of its group.
        queued: no session had begun for it when it came.
        closing: it shrinks the position.
        replaces, replaced_by: venue order ids, empty when there is no such order.
    """

    venue_order_id: str
    order: Order
    status: OrderStatus
    submitted_at: datetime
    updated_at: datetime
    quantity: Decimal | None
    filled_quantity: Decimal
    filled_money: int
    stop_triggered: bool = False
    high_water_mark: Decimal | None = None
    stop_price: Decimal | None = None
    finished_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    order_class: OrderClass = OrderClass.SIMPLE
    legs: tuple[VenueOrder, ...] = ()
    passive: bool = False
    queued: bool = False
    closing: bool = False
    replaces: str = ""
    replaced_by: str = ""
    replace_pending: bool = False

    @property
    def client_order_id(self) -> str:
        """The customer's id for it."""
        return self.order.client_order_id

    @property
    def filled_value(self) -> Decimal:
        """Dollars that its executions were worth."""
        return dollars(self.filled_money)

    @property
    def average_price(self) -> Decimal | None:
        """Dollars a share of what has filled, to nine decimals; None before the first fill."""
        return (self.filled_value / self.filled_quantity).quantize(_NANO) if self.filled_quantity else None

    @property
    def cancel_pending(self) -> bool:
        """A cancel was asked for."""
        return self.cancel_requested_at is not None

    @property
    def position_intent(self) -> PositionIntent:
        """What it means for the position."""
        return PositionIntent.of(self.order.side, closing=self.closing)

    @property
    def broker_status(self) -> str:
        """The status in the broker's words."""
        if self.finished_at is None:
            if self.cancel_pending:
                return "pending_cancel"
            if self.replace_pending:
                return "pending_replace"
            if self.passive:
                return "held"
            if self.queued and self.status is OrderStatus.SENT:
                return "accepted"
        return _BROKER_WORDS.get(self.status, self.status.value)

    @property
    def filled_at(self) -> datetime | None:
        """When it was complete, None for all other orders."""
        return self._ended_as(OrderStatus.FILLED)

    @property
    def canceled_at(self) -> datetime | None:
        """When it was cancelled, None for all other orders."""
        return self._ended_as(OrderStatus.CANCELED)

    @property
    def expired_at(self) -> datetime | None:
        """When it expired, None for all other orders."""
        return self._ended_as(OrderStatus.EXPIRED)

    @property
    def failed_at(self) -> datetime | None:
        """When it was rejected, None for all other orders."""
        return self._ended_as(OrderStatus.REJECTED)

    @property
    def replaced_at(self) -> datetime | None:
        """When another order took its place, None for all other orders."""
        return self._ended_as(OrderStatus.REPLACED)

    def _ended_as(self, status: OrderStatus) -> datetime | None:
        return self.finished_at if self.status is status else None


_BROKER_WORDS = {OrderStatus.SENT: "pending_new", OrderStatus.HELD: "accepted", OrderStatus.WORKING: "new"}


class Notice(StrEnum):
    """Reports that are no step in the life of the order, in the broker's words."""

    REPLACE_REJECTED = "order_replace_rejected"
    BUST = "trade_bust"
    CORRECT = "trade_correct"


class VenueUpdate(msgspec.Struct, frozen=True, gc=False):
    """Something happened to an order; told to every subscriber.

    Attributes:
        number: counts the reports from 1.
        order: as it stood right after the event.
        trigger: what happened to its life; or `notice`, when its life goes on as before.
        at: when it happened at the venue; the report may arrive later.
        fill: set exactly for FILL_PART, FILL_LAST, and for corrections: the execution as it was before.
    """

    number: int
    order: VenueOrder
    trigger: OrderTrigger | None
    at: datetime
    fill: VenueFill | None = None
    reason: str = ""
    notice: Notice | None = None

    @property
    def event(self) -> str:
        """What happened, in the broker's words."""
        if self.notice is not None:
            return self.notice.value
        assert self.trigger is not None
        if self.trigger is OrderTrigger.HOLD and self.order.passive:
            return "held"
        return _EVENTS[self.trigger]


_EVENTS = {
    OrderTrigger.HOLD: "accepted",
    OrderTrigger.ACCEPT: "new",
    OrderTrigger.REJECT: "rejected",
    OrderTrigger.FILL_PART: "partial_fill",
    OrderTrigger.FILL_LAST: "fill",
    OrderTrigger.CANCEL: "canceled",
    OrderTrigger.EXPIRE: "expired",
    OrderTrigger.REPLACE: "replaced",
}
