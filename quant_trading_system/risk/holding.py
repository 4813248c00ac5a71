"""One symbol of the account: its position, the room that its open orders take, and the most that both can become."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.core.positions import Position
from quant_trading_system.risk.bets import EITHER, LONG, SHORT

_BUY, _SELL = OrderSide
_SIMPLE, _OCO = OrderClass.SIMPLE, OrderClass.OCO


class Reservation(msgspec.Struct, eq=False, gc=False):
    """The room that one open order takes.

    Attributes:
        leaves: signed shares that may still fill; negative for sells.
        price: dollars a share at which the room is valued.
        order: its terms; None when they are not known.
        is_leg: it belongs to a group, and the broker keeps it apart from the other side.
        in_doubt: the order may or may not be at the broker; its symbol is frozen.
        is_parent: kept for what a parent has not sent yet; no order itself.
    """

    order_id: str
    leaves: Decimal
    price: Decimal
    order: Order | None = None
    is_leg: bool = False
    in_doubt: bool = False
    is_parent: bool = False

    @property
    def opening_side(self) -> OrderSide | None:
        """The side of an order that may open a position; None for a parent, and for an exit of a group.

        It is told by the terms: an order that is to replace another one has no shares of its own yet.
        """
        order = self.order
        if order is None or order.order_class is _SIMPLE:
            if self.is_leg or self.is_parent:
                return None
            return order.side if order is not None else _BUY if self.leaves > ZERO else _SELL
        return order.side if order.order_class is not _OCO else None


class Holding:
    """One symbol: the position, its open orders, and the most that they can become.

    Attributes:
        buys, sells: shares of open orders by side, both at least 0.
        worst_quantity: the larger absolute position that open orders can lead to.
        worst_value: its value in dollars.
        buying, selling: dollars of the open orders of a side, each share at `order_price`.
        buy_orders, sell_orders: open orders that may open a position, by id, oldest first: without exits of groups, and
            without parents.
        order_price: dollars a share, the dearest at which an open order is valued; 0 without one.
        frozen: why no new risk may be taken in it; empty when it may.
        bet: the side that the portfolio counts it on, None for no bet.
    """

    __slots__ = (
        "bet",
        "buy_orders",
        "buying",
        "buys",
        "frozen",
        "order_price",
        "orders",
        "position",
        "sector",
        "sell_orders",
        "selling",
        "sells",
        "worst_quantity",
        "worst_value",
    )

    def __init__(self, symbol: str, sector: str) -> None:
        self.position = Position(symbol)
        self.sector = sector
        self.orders: dict[str, Reservation] = {}
        self.buy_orders: dict[str, Reservation] = {}
        self.sell_orders: dict[str, Reservation] = {}
        self.buys = ZERO
        self.sells = ZERO
        self.buying = ZERO
        self.selling = ZERO
        self.order_price = ZERO
        self.worst_quantity = ZERO
        self.worst_value = ZERO
        self.frozen = ""
        self.bet: int | None = None

    @property
    def open_orders(self) -> tuple[str, ...]:
        """Ids of the orders that may trade."""
        return tuple([order_id for order_id, room in self.orders.items() if not room.is_parent])

    @property
    def side(self) -> int | None:
        """`LONG` or `SHORT`, or `EITHER` where its open orders may give it either; None when it is no bet at all."""
        held, buys, sells = self.position.quantity, self.buys, self.sells
        if held + buys > ZERO:
            return EITHER if held < sells else LONG
        return SHORT if held < sells else None

    def worst_with(self, signed_quantity: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Worst-case quantity and value if an order of `signed_quantity` at `price` were open too."""
        buys, sells = self.buys, self.sells
        if signed_quantity > ZERO:
            buys += signed_quantity
        else:
            sells -= signed_quantity
        return self._worst(buys, sells, self.order_price if self.order_price > price else price)

    def shrinks(self, signed_quantity: Decimal) -> bool:
        """True when the order, on top of all open exits, is proven to stay within the position held."""
        held = self.position.quantity
        if signed_quantity < ZERO:
            return held > ZERO and self.sells - signed_quantity <= held
        return held < ZERO and self.buys + signed_quantity <= -held

    def without(self, order_id: str) -> Holding:
        """The same holding if that order were not open; a copy for questions."""
        other = Holding(self.position.symbol, self.sector)
        other.position = self.position
        other.frozen = self.frozen
        for reservation in self.orders.values():
            if reservation.order_id != order_id:
                other.take(reservation)
                if reservation.leaves > 0:
                    other.buys += reservation.leaves
                else:
                    other.sells -= reservation.leaves
        other.refresh()
        return other

    def take(self, reservation: Reservation) -> None:
        """Another order is open; `refresh` once its shares are counted."""
        self.orders[reservation.order_id] = reservation
        side = reservation.opening_side
        if side is not None:
            (self.buy_orders if side is _BUY else self.sell_orders)[reservation.order_id] = reservation
        if reservation.price > self.order_price:
            self.order_price = reservation.price

    def let_go(self, order_id: str) -> Reservation | None:
        """That order is open no more; None when it was not. `refresh` once its shares are not counted any more."""
        gone, left = self.orders.pop(order_id, None), self.orders
        if self.buy_orders.pop(order_id, None) is None:
            self.sell_orders.pop(order_id, None)
        if not left:
            self.order_price = ZERO
        elif gone is not None and gone.price == self.order_price:  # another one may be as dear, but none is dearer
            self.order_price = max([other.price for other in left.values()])
        return gone

    def refresh(self) -> None:
        """Value the open orders anew after a change of them, and recompute the worst case."""
        buys, sells, price = self.buys, self.sells, self.order_price
        self.buying = buys * price if buys else ZERO
        self.selling = sells * price if sells else ZERO
        self.worst_quantity, self.worst_value = self._worst(buys, sells, price)

    def foresee(self) -> None:
        """Recompute the worst case after a change of the position or of its mark."""
        self.worst_quantity, self.worst_value = self._worst(self.buys, self.sells, self.order_price)

    def square_gained(self, difference: Decimal) -> Decimal:
        """By how much the square of `worst_value` has grown, dollars squared, when that has grown by `difference`."""
        return difference * (2 * self.worst_value - difference)

    def _worst(self, buys: Decimal, sells: Decimal, order_price: Decimal) -> tuple[Decimal, Decimal]:
        position = self.position
        held, mark = position.quantity, position.mark
        if mark is not None and not (buys or sells):
            quantity = abs(held)
            return quantity, quantity * mark
        quantity, other = abs(held + buys), abs(held - sells)
        if other > quantity:
            quantity = other
        if mark is None:
            return quantity, abs(position.cost) + quantity * order_price
        size = abs(held)
        value = size * mark
        if quantity > size:  # the mark of a symbol that is not held may be an old one
            value += (quantity - size) * (max(mark, order_price) if size else order_price)
        return quantity, value
