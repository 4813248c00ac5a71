"""Orders at the venue: what it shows to others, what it works with, and the index of the working ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderType
from quant_trading_system.simulation.books import UNIT, decimal_of, dollars, units
from quant_trading_system.simulation.fees import FeeBreakdown
from quant_trading_system.simulation.matching import shares_for, trail

_ZERO = Decimal(0)
_NANO = Decimal("1E-9")


class VenueFill(msgspec.Struct, frozen=True, kw_only=True):
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


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stood at one moment.

    Attributes:
        status: ``sent`` while it is on its way to the matching, ``held`` while it waits for a session.
        quantity: shares; None for a dollar order.
        filled_value: dollars that its executions were worth.
        high_water_mark, stop_price: of a trailing stop, None before its first trade.
        finished_at: when it became final, None while it is open.
    """

    venue_order_id: str
    order: Order
    status: OrderStatus
    submitted_at: datetime
    quantity: Decimal | None
    filled_quantity: Decimal
    filled_value: Decimal
    cancel_pending: bool = False
    stop_triggered: bool = False
    high_water_mark: Decimal | None = None
    stop_price: Decimal | None = None
    finished_at: datetime | None = None

    @property
    def client_order_id(self) -> str:
        """The customer's id for it."""
        return self.order.client_order_id

    @property
    def average_price(self) -> Decimal | None:
        """Dollars a share of what has filled, to nine decimals; None before the first fill."""
        return (self.filled_value / self.filled_quantity).quantize(_NANO) if self.filled_quantity else None


class VenueUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to an order; told once to every subscriber.

    Attributes:
        order: as it stood right after the event.
        at: when it happened at the venue; the report may arrive later.
        fill: set exactly for FILL_PART and FILL_LAST.
    """

    order: VenueOrder
    trigger: OrderTrigger
    at: datetime
    fill: VenueFill | None = None
    reason: str = ""


class LiveOrder:
    """An order as the venue works it.

    Attributes:
        number: counts orders in the sequence of their submission.
        closing: it shrinks the position that was held when it came; it reserves shares instead of money.
        reserved: units of shares (closing) or money (opening) that it holds back from later orders.
        rested: it has seen a quote that it could not trade with, so it waits at its limit.
        triggered: its stop was set off.
    """

    __slots__ = (
        "cancel_pending",
        "closing",
        "filled",
        "filled_value",
        "fills",
        "finished_at",
        "high_water_mark",
        "is_open",
        "number",
        "order",
        "reserved",
        "rested",
        "status",
        "stop",
        "submitted_at",
        "triggered",
        "venue_order_id",
    )

    def __init__(self, order: Order, number: int, venue_order_id: str, at: datetime) -> None:
        self.order = order
        self.number = number
        self.venue_order_id = venue_order_id
        self.submitted_at = at
        self.status = OrderStatus.SENT
        self.is_open = True
        self.closing = False
        self.reserved = 0
        self.filled = _ZERO
        self.filled_value = 0
        self.fills: list[VenueFill] = []
        self.rested = False
        self.triggered = False
        self.cancel_pending = False
        self.high_water_mark: Decimal | None = None
        self.stop = order.stop_price
        self.finished_at: datetime | None = None

    @property
    def is_working(self) -> bool:
        """It is at the matching: arrived, not waiting for a session, not final."""
        return self.status is OrderStatus.WORKING or self.status is OrderStatus.PARTIALLY_FILLED

    @property
    def waits_for_stop(self) -> bool:
        """It has a stop that was not set off yet."""
        return not self.triggered and self.order.order_type in _STOP_TYPES

    def wanted(self, price: Decimal) -> Decimal:
        """Shares that it still wants when one costs `price`."""
        order = self.order
        if order.notional is None:
            return order.quantity - self.filled
        bought = shares_for(order.notional - dollars(self.filled_value), price)
        return min(bought, decimal_of(self.reserved)) if self.closing else bought

    def follow(self, last: Decimal) -> None:
        """Move a trailing stop after a trade at `last`; other stops stay."""
        order = self.order
        if order.order_type is OrderType.TRAILING_STOP:
            self.high_water_mark, self.stop = trail(
                order.side,
                self.high_water_mark,
                last,
                trail_price=order.trail_price,
                trail_percent=order.trail_percent,
            )

    def take(self, fill: VenueFill) -> None:
        """Count an execution."""
        self.filled = fill.cumulative_quantity
        self.filled_value += units(fill.quantity) * units(fill.price)
        self.fills.append(fill)

    def snapshot(self) -> VenueOrder:
        """What others may see, as of now."""
        return VenueOrder(
            venue_order_id=self.venue_order_id,
            order=self.order,
            status=self.status,
            submitted_at=self.submitted_at,
            quantity=self.order.quantity or None,
            filled_quantity=self.filled,
            filled_value=dollars(self.filled_value),
            cancel_pending=self.cancel_pending,
            stop_triggered=self.triggered,
            high_water_mark=self.high_water_mark,
            stop_price=self.stop,
            finished_at=self.finished_at,
        )


_STOP_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class OrderIndex:
    """All orders by client order id; the open ones by symbol, too, so that a quote meets only its own.

    Attributes:
        reserved_money: money that open orders hold back.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, LiveOrder] = {}
        self._open: dict[int, LiveOrder] = {}
        self._by_symbol: dict[str, dict[int, LiveOrder]] = {}
        self._reserved_shares: dict[str, int] = {}
        self.reserved_money = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, live: LiveOrder, *, closing: bool, reserved: int) -> None:
        """Take in a new open order with what it holds back."""
        live.closing = closing
        self._by_id[live.order.client_order_id] = live
        self._open[live.number] = live
        self._by_symbol.setdefault(live.order.symbol, {})[live.number] = live
        self._reserve(live, reserved)

    def get(self, client_order_id: str) -> LiveOrder | None:
        """The order of that id, open or finished."""
        return self._by_id.get(client_order_id)

    def give_back(self, live: LiveOrder, quantity: int, price: int) -> None:
        """Free what an execution (in units) no longer needs; called before it is counted."""
        if live.closing:
            self._reserve(live, -min(live.reserved, quantity))
        elif live.order.notional is not None:
            self._reserve(live, -min(live.reserved, quantity * price))
        else:
            leaves = units(live.order.quantity - live.filled)
            self._reserve(live, -(live.reserved * quantity // leaves))

    def finish(self, live: LiveOrder) -> None:
        """The order is final: it leaves the working index and gives everything back."""
        symbol = live.order.symbol
        self._reserve(live, -live.reserved)
        del self._open[live.number]
        orders = self._by_symbol[symbol]
        del orders[live.number]
        if not orders:
            del self._by_symbol[symbol]

    def open_orders(self) -> list[LiveOrder]:
        """Every open order, oldest first."""
        return list(self._open.values())

    def open_in(self, symbol: str) -> Iterable[LiveOrder]:
        """The open orders of one symbol, oldest first."""
        orders = self._by_symbol.get(symbol)
        return () if orders is None else tuple(orders.values())

    def symbols(self) -> tuple[str, ...]:
        """Symbols with open orders."""
        return tuple(self._by_symbol)

    def reserved_shares(self, symbol: str) -> int:
        """Units of shares that open closing orders hold back."""
        return self._reserved_shares.get(symbol, 0)

    def _reserve(self, live: LiveOrder, change: int) -> None:
        live.reserved += change
        if not live.closing:
            self.reserved_money += change
            return
        symbol = live.order.symbol
        left = self._reserved_shares.get(symbol, 0) + change
        if left:
            self._reserved_shares[symbol] = left
        else:
            self._reserved_shares.pop(symbol, None)


def shares(count: int) -> str:
    """Units of shares as text for messages."""
    whole, rest = divmod(count, UNIT)
    return str(whole) if not rest else f"{decimal_of(count).normalize():f}"
