"""Orders that wait for each other: the exits of a bracket or OTO order for its entry, a stop-loss for its trigger.

The leader is the entry, or the take-profit of an OCO order. Exits are passive until the entry is completely
filled; then the take-profit works, and the stop-loss stays passive until its stop is reached, because the shares
can be promised to one order at a time only. An exit that fills cancels the other one, and so does a member that
is cancelled; a take-profit that fills in part leaves the stop-loss the rest.

Source:
    Alpaca, "Placing orders".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

import msgspec

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderClass
from quant_trading_system.simulation.books import UNIT, Books, decimal_of, units
from quant_trading_system.simulation.floor import MarketView
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.matching import elected
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.venue_orders import VenueOrder


class Group(msgspec.Struct):
    """Who belongs together, by the numbers of the orders; 0 for a member that does not exist.

    Attributes:
        entry: opens the position; 0 in an OCO order.
        exiting: the exits may work, because the position is there.
    """

    number: int
    entry: int
    take_profit: int
    stop_loss: int
    exiting: bool = False

    @property
    def members(self) -> tuple[int, ...]:
        """Leader first."""
        return tuple(number for number in (self.entry, self.take_profit, self.stop_loss) if number)

    def swap(self, old: int, new: int) -> None:
        """Another order takes the place of a member."""
        self.entry, self.take_profit, self.stop_loss = (
            new if number == old else number for number in (self.entry, self.take_profit, self.stop_loss)
        )


class Actions(Protocol):
    """What happens to orders on behalf of their group."""

    def tell(self, live: LiveOrder, status: OrderStatus, trigger: OrderTrigger, at: datetime, reason: str = "") -> None:
        """The order has a new status: report it."""

    def cancel(self, live: LiveOrder, at: datetime, reason: str) -> None:
        """The order ends without having traded, or without having traded all."""

    def meet_market(self, live: LiveOrder, at: datetime) -> None:
        """Work the order against the present quote, or let it watch that while it is passive."""


class Groups:
    """All groups of one account, by number."""

    def __init__(self, orders: OrderIndex, books: Books) -> None:
        self._orders = orders
        self._books = books
        self._groups: dict[int, Group] = {}

    def form(self, members: list[LiveOrder], order_class: OrderClass) -> None:
        """Tie new orders together: leader, then take-profit and stop-loss as far as there are any."""
        leader, legs = members[0], members[1:]
        profit = next((leg.number for leg in legs if leg.order.stop_price is None), 0)
        loss = next((leg.number for leg in legs if leg.order.stop_price is not None), 0)
        group = Group(leader.number, leader.number, profit, loss)
        if order_class is OrderClass.OCO:
            group = Group(leader.number, 0, leader.number, loss, exiting=True)
        self._groups[group.number] = group
        for live in members:
            live.group, live.order_class = group.number, order_class
        for leg in legs:
            leg.passive = True

    def state(self) -> list[Group]:
        """All groups, to be kept."""
        return list(self._groups.values())

    def restore(self, groups: Iterable[Group]) -> None:
        """Be as it was."""
        self._groups = {group.number: group for group in groups}

    # -- what others see ------------------------------------------------------------------------------------------

    def show(self, live: LiveOrder) -> VenueOrder:
        """What others may see of an order: its legs, too, when it leads a group."""
        if not live.group:
            return self._orders.show(live)
        leader, *legs = self._groups[live.group].members
        if leader != live.number:
            return self._orders.show(live)
        return self._orders.show(live, tuple(self._orders.show(self._orders.by_number(leg)) for leg in legs))

    def leads(self, live: LiveOrder) -> bool:
        """It stands in lists by itself: a simple order, or the leader of its group, past leaders included."""
        if not live.group:
            return True
        group = self._groups[live.group]
        leader = group.entry or group.take_profit
        return self._successor(live).number == leader

    def others(self, live: LiveOrder) -> Iterator[LiveOrder]:
        """The open members of its group but itself."""
        for number in self._groups[live.group].members if live.group else ():
            other = self._orders.by_number(number)
            if other is not live and other.is_open:
                yield other

    def exits(self, live: LiveOrder) -> tuple[LiveOrder | None, LiveOrder | None]:
        """Take-profit and stop-loss of its group."""
        group = self._groups[live.group]
        profit, loss = group.take_profit, group.stop_loss
        return (
            self._orders.by_number(profit) if profit else None,
            self._orders.by_number(loss) if loss else None,
        )

    def is_exit(self, live: LiveOrder) -> bool:
        """It closes what the entry opened."""
        return self._groups[live.group].entry != live.number

    # -- what happens ---------------------------------------------------------------------------------------------

    def replace(self, old: LiveOrder, new: LiveOrder) -> None:
        """`new` takes the place of `old`."""
        self._groups[old.group].swap(old.number, new.number)
        new.group, new.order_class, new.passive = old.group, old.order_class, old.passive

    def filled_in_part(self, live: LiveOrder, at: datetime, actions: Actions) -> None:
        """The stop-loss keeps what its take-profit leaves, and tells so."""
        group = self._groups[live.group]
        if live.number == group.take_profit and group.stop_loss:
            loss = self._orders.by_number(group.stop_loss)
            if loss.is_open:
                self._shrink(loss, units(live.leaves), at, actions)

    def ended(self, live: LiveOrder, at: datetime, actions: Actions) -> None:
        """A member is final: release the exits, or cancel what is left.

        Members that expire do so each for itself, because they all live equally long.
        """
        if live.status is OrderStatus.REPLACED or live.status is OrderStatus.EXPIRED:
            return
        if live.status is OrderStatus.FILLED and live.number == self._groups[live.group].entry:
            self._release(live, at, actions)
            return
        reason = "the other exit was filled" if live.status is OrderStatus.FILLED else "its group was cancelled"
        for other in list(self.others(live)):
            if other.is_open and not other.triggered:  # a stop-loss that was set off outlives its take-profit
                actions.cancel(other, at, reason)

    def begin(self, first: LiveOrder, at: datetime, actions: Actions) -> None:
        """A member meets the market, and a stop-loss that waits beside it sees the same price."""
        actions.meet_market(first, at)
        group = self._groups[first.group]
        if group.exiting and group.stop_loss not in (0, first.number):
            loss = self._orders.by_number(group.stop_loss)
            if loss.is_open and loss.passive:
                actions.meet_market(loss, at)

    def watch(self, loss: LiveOrder, view: MarketView, at: datetime, actions: Actions) -> None:
        """A passive stop-loss sees a trade: when its stop is reached, it takes over from the take-profit."""
        group, last = self._groups[loss.group], view.quote.last
        if not group.exiting or loss.number != group.stop_loss or last is None or loss.stop is None:
            return
        if not elected(loss.order.side, loss.stop, last):
            return
        loss.passive, loss.triggered = False, True
        profit = self._orders.by_number(group.take_profit)
        if profit.is_open:
            actions.cancel(profit, at, "the stop-loss was set off")
        self._orders.reserve(loss, units(loss.leaves))
        loss.status = OrderStatus.WORKING
        actions.meet_market(loss, at)
        if loss.status is OrderStatus.WORKING:
            actions.tell(loss, OrderStatus.WORKING, OrderTrigger.ACCEPT, at)

    def _release(self, entry: LiveOrder, at: datetime, actions: Actions) -> None:
        """The position is there: its exits begin, as far as nobody else has promised the shares."""
        group = self._groups[entry.group]
        group.exiting = True
        first = self._orders.by_number(group.take_profit or group.stop_loss)
        if not first.is_open:
            return
        free = self._books.quantity(entry.order.symbol) * entry.order.side.sign
        free -= self._orders.reserved_shares(entry.order.symbol)
        free -= free % UNIT  # groups trade whole shares
        if free <= 0:
            actions.cancel(first, at, "nothing is left to close")
            return
        for leg in (first, *self.others(first)):
            self._shrink(leg, free, at, actions)
        first.passive = False
        self._orders.reserve(first, units(first.order.quantity))
        actions.tell(first, OrderStatus.WORKING, OrderTrigger.ACCEPT, at)
        self.begin(first, at, actions)

    def _shrink(self, leg: LiveOrder, most: int, at: datetime, actions: Actions) -> None:
        if units(leg.order.quantity) > most:
            leg.order = msgspec.structs.replace(leg.order, quantity=decimal_of(most))
            actions.tell(leg, leg.status, OrderTrigger.HOLD, at)

    def _successor(self, live: LiveOrder) -> LiveOrder:
        while live.status is OrderStatus.REPLACED:
            live = self._orders.by_number(live.replaced_by)
        return live
