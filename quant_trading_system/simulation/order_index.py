"""The index of a venue's orders: by their ids, the open ones by symbol, and what they hold back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.books import units
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.open_orders import OpenOrders
from quant_trading_system.simulation.resting import Paths, quiet_steps, rest_of
from quant_trading_system.simulation.resting_orders import quiet_steps_of
from quant_trading_system.simulation.venue_orders import VenueOrder

_BUY = OrderSide.BUY


class OrderIndex:
    """All orders by their ids; the open ones by symbol, too, so that a quote meets only its own.

    Attributes:
        id_prefix: with which every id of the venue begins.
        reserved_money: money that open orders hold back.
        extended: how many open orders may trade outside the regular session.
    """

    def __init__(self, id_prefix: str) -> None:
        self.id_prefix = id_prefix
        self.reserved_money = 0
        self.extended = 0
        self._all: list[LiveOrder] = []
        self._by_client_id: dict[str, LiveOrder] = {}
        self._open: dict[int, LiveOrder] = {}
        self._by_symbol: dict[str, OpenOrders] = {}
        self._reserved_shares: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._all)

    def new(self, order: Order, at: datetime, place: int = 0) -> LiveOrder:
        """The next order, or the one that has its place among several; it is not in the index before `add`."""
        number = len(self._all) + place + 1
        venue_order_id = f"{self.id_prefix}{number:012x}"
        if not order.client_order_id:
            order = order.with_id(venue_order_id)
        return LiveOrder(order, number, venue_order_id, at, at, stop=order.stop_price)

    def new_group(self, orders: Sequence[Order], at: datetime) -> list[LiveOrder]:
        """The next orders, all of one group."""
        return [self.new(order, at, place) for place, order in enumerate(orders)]

    def add(self, live: LiveOrder, *, closing: bool, reserved: int) -> None:
        """Take in a new order with what it holds back.

        Args:
            live: the last one that `new` gave, or the next one of `new_group`.
        """
        live.closing = closing
        self._all.append(live)
        self._enter(live)
        self._change(live, reserved)

    def restore(self, orders: Iterable[LiveOrder]) -> None:
        """Be as it was, with these orders, oldest first; there are none yet."""
        for live in orders:
            self._all.append(live)
            if live.is_open:
                self._enter(live)
                held_back, live.reserved = live.reserved, 0
                self._change(live, held_back)
            else:
                self._by_client_id[live.order.client_order_id] = live

    def _enter(self, live: LiveOrder) -> None:
        order, number = live.order, live.number
        self._by_client_id[order.client_order_id] = live
        self._open[number] = live
        of_symbol = self._by_symbol.get(order.symbol)
        if of_symbol is None:
            of_symbol = self._by_symbol[order.symbol] = OpenOrders()
        of_symbol.orders[number] = of_symbol.awake[number] = live
        if order.side is _BUY:
            of_symbol.buys += 1
        if order.extended_hours:
            self.extended += 1

    # -- finding --------------------------------------------------------------------------------------------------

    def find(self, client_order_id: str) -> LiveOrder | None:
        """The order of the customer's id, open or finished."""
        return self._by_client_id.get(client_order_id)

    def get(self, venue_order_id: str) -> LiveOrder | None:
        """The order of the venue's id, open or finished."""
        prefix, number = self.id_prefix, venue_order_id[len(self.id_prefix) :]
        if not venue_order_id.startswith(prefix) or not _is_hexadecimal(number):
            return None
        place = int(number, 16) - 1
        return self._all[place] if 0 <= place < len(self._all) else None

    def by_number(self, number: int) -> LiveOrder:
        """The order of that number."""
        return self._all[number - 1]

    def all_orders(self) -> Sequence[LiveOrder]:
        """Every order since the beginning, oldest first; not to be changed."""
        return self._all

    def open_orders(self) -> list[LiveOrder]:
        """Every open order, oldest first."""
        return list(self._open.values())

    def open_in(self, symbol: str) -> Iterable[LiveOrder]:
        """The open orders of one symbol, oldest first."""
        of_symbol = self._by_symbol.get(symbol)
        return () if of_symbol is None else tuple(of_symbol.orders.values())

    def has_open(self, symbol: str) -> bool:
        """There are open orders in the symbol."""
        return symbol in self._by_symbol

    def open_against(self, symbol: str, side: OrderSide) -> Iterable[LiveOrder]:
        """The open orders of one symbol on the other side, oldest first."""
        of_symbol = self._by_symbol.get(symbol)
        if of_symbol is None or not (len(of_symbol.orders) - of_symbol.buys if side is _BUY else of_symbol.buys):
            return ()
        return tuple(live for live in of_symbol.orders.values() if live.order.side is not side)

    def symbols(self) -> tuple[str, ...]:
        """Symbols with open orders."""
        return tuple(self._by_symbol)

    # -- at rest --------------------------------------------------------------------------------------------------

    def meet(self, quote: Quote) -> Iterable[LiveOrder]:
        """The open orders to which a quote of their symbol may do something, oldest first."""
        of_symbol = self._by_symbol.get(quote.symbol)
        return () if of_symbol is None else of_symbol.meet(quote)

    def settle(self, live: LiveOrder) -> None:
        """The order has met a quote, and need not see others that do not reach it if it is at rest now."""
        rest = rest_of(live) if live.is_open else None
        if rest is not None:
            self._by_symbol[live.order.symbol].put_to_rest(live, rest)

    def wake(self, live: LiveOrder) -> None:
        """Something has happened to an open order: it meets the next quote, whatever that is."""
        of_symbol = self._by_symbol[live.order.symbol]
        if of_symbol.resting is not None:
            of_symbol.wake(live.number)

    def wake_all(self) -> None:
        """Something has happened to all of them."""
        for of_symbol in self._by_symbol.values():
            of_symbol.wake_all()

    def quiet_steps(self, ahead: Paths, *, through: bool) -> int:
        """How many of the coming steps leave all open orders as they are; see `resting`."""
        steps = len(ahead.last)
        for symbol, of_symbol in self._by_symbol.items():
            for live in of_symbol.awake.values():
                steps = min(steps, quiet_steps(live, ahead.of(symbol), through=through))
                if not steps:
                    return 0
        resting = {symbol: orders.resting for symbol, orders in self._by_symbol.items() if orders.resting is not None}
        return min(steps, quiet_steps_of(resting, ahead, through=through))

    def pass_over(self, passed: Paths) -> None:
        """Steps at which all open orders rested were not shown."""
        for symbol, of_symbol in self._by_symbol.items():
            of_symbol.pass_over(passed, symbol)

    # -- what is held back ----------------------------------------------------------------------------------------

    def reserved_shares(self, symbol: str) -> int:
        """Units of shares that open closing orders hold back."""
        return self._reserved_shares.get(symbol, 0)

    def give_back(self, live: LiveOrder, quantity: int, price: int) -> None:
        """Free what an execution (in units) no longer needs; called before it is counted."""
        if live.closing:
            self._change(live, -min(live.reserved, quantity))
        elif live.order.notional is not None:
            self._change(live, -min(live.reserved, quantity * price))
        else:
            leaves = units(live.leaves)
            self._change(live, -min(live.reserved, live.reserved * quantity // leaves if leaves else 0))

    def reserve(self, live: LiveOrder, amount: int) -> None:
        """From now on the order holds back `amount`."""
        self._change(live, amount - live.reserved)

    def claim(self, new: LiveOrder) -> None:
        """A replacement holds back what is left of it to trade."""
        if new.closing:
            self.reserve(new, 0 if new.passive else units(new.leaves))
        else:
            self.reserve(new, units(new.leaves) * new.claim)

    def finish(self, live: LiveOrder) -> None:
        """The order is final: it leaves the working index and gives everything back."""
        order, number = live.order, live.number
        if live.reserved:
            self._change(live, -live.reserved)
        if order.extended_hours:
            self.extended -= 1
        del self._open[number]
        of_symbol = self._by_symbol[order.symbol]
        if len(of_symbol.orders) == 1:
            del self._by_symbol[order.symbol]
            return
        of_symbol.remove(number)
        if order.side is _BUY:
            of_symbol.buys -= 1

    def _change(self, live: LiveOrder, change: int) -> None:
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

    # -- what others see ------------------------------------------------------------------------------------------

    def show(self, live: LiveOrder, legs: tuple[VenueOrder, ...] = ()) -> VenueOrder:
        """What others may see of the order, as of now."""
        replaces, replaced_by = live.replaces, live.replaced_by
        return VenueOrder(  # by position, which is five times faster, and every report shows an order
            live.venue_order_id,
            live.order,
            live.status,
            live.submitted_at,
            live.updated_at,
            live.order.quantity or None,
            live.filled,
            live.filled_value,
            live.triggered,
            live.high_water_mark,
            live.stop,
            live.finished_at,
            live.cancel_requested_at,
            live.order_class,
            legs,
            live.passive,
            live.queued,
            live.closing,
            self._id_of(replaces) if replaces else "",
            self._id_of(replaced_by) if replaced_by and live.status is OrderStatus.REPLACED else "",
            replaced_by != 0 and live.is_open,
        )

    def _id_of(self, number: int) -> str:
        return f"{self.id_prefix}{number:012x}"


def _is_hexadecimal(text: str) -> bool:
    return len(text) == 12 and all(character in "0123456789abcdef" for character in text)
