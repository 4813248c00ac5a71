"""The simulated venue as a broker: what the order manager asks is asked of the venue, in process.

Every method answers at once; nothing is awaited, so a backtest needs no event loop but the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from quant_trading_system.core.exceptions import BrokerRejected, NotSent, OutcomeUnknown
from quant_trading_system.core.order_groups import LegKind
from quant_trading_system.core.order_state import OrderStatus, RequestTrigger
from quant_trading_system.core.orders import Order, OrderClass
from quant_trading_system.execution.broker import (
    BrokerAccount,
    BrokerOrder,
    BrokerPosition,
    BrokerUpdate,
    Execution,
    Listener,
    OnBooks,
    Shown,
)
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.risk.pre_trade import Approval, ApprovedOrder, ApprovedReplacement
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import Notice, VenueFill, VenueOrder, VenueUpdate

_SIMPLE, _SENT = OrderClass.SIMPLE, OrderStatus.SENT

Latch = Callable[[Approval], str]
"""Why an order must not leave now; empty when it may."""


class SimulatedBroker:
    """A broker whose other side is a `Venue`."""

    def __init__(self, venue: Venue, latch: Latch | None = None) -> None:
        """Connect to `venue`.

        Args:
            latch: asked as the very last thing before an order is handed over.
        """
        self._venue = venue
        self._latch = latch
        self._names = LegNames()
        self._listeners: list[Listener] = []
        venue.subscribe(self._pass_on)

    def unsupported(self, order: Order) -> str:
        if order.extended_hours:
            return "extended hours are not supported; the regular session only"
        return ""

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def recognise(
        self,
        groups: Iterable[Order],
        legs: Mapping[str, str],
        sent: Mapping[str, datetime],  # noqa: ARG002 - it finds every order at once
    ) -> None:
        self._names.recognise(groups, legs)

    async def place(self, approved: ApprovedOrder) -> BrokerOrder:
        """Send a new order; it is `sent` until an update says that it reached the matching.

        Raises:
            BrokerRejected: the venue refused it, with the broker's code.
            NotSent: the latch stopped it.
        """
        order = approved.order
        self._ask_latch(approved)
        try:
            if order.order_class is _SIMPLE:
                return self._sent(order, self._venue.take(order).venue_order_id)
            self._names.expect(order)
            return self._broker_order(self._venue.submit(order))
        except VenueRefusal as refusal:
            self._names.forget(order.client_order_id)
            raise BrokerRejected(refusal.message, order.client_order_id, refusal.code) from None

    @staticmethod
    def _sent(order: Order, venue_order_id: str) -> BrokerOrder:
        """A simple order that has just left; a dollar order has no quantity at the broker until it has traded."""
        return BrokerOrder(
            client_order_id=order.client_order_id,
            venue_order_id=venue_order_id,
            symbol=order.symbol,
            side=order.side,
            status=_SENT,
            quantity=order.quantity,
        )

    async def replace(self, approved: ApprovedReplacement) -> BrokerOrder:
        """Ask for the change; the new order is `sent` until an update says that it has taken the place of the old one.

        Raises:
            BrokerRejected: the venue refused it; the old order is as it was.
            NotSent: the latch stopped it.
        """
        order = approved.order
        self._ask_latch(approved)
        old = self._venue.find(approved.replaces)
        if old is None:
            raise BrokerRejected(f"order not found for {approved.replaces}", order.client_order_id, 40410000)
        try:
            return self._broker_order(self._venue.replace(old.venue_order_id, _terms(order)))
        except VenueRefusal as refusal:
            raise BrokerRejected(refusal.message, order.client_order_id, refusal.code) from None

    def _ask_latch(self, approved: Approval) -> None:
        stopped = "" if self._latch is None else self._latch(approved)
        if stopped:
            raise NotSent(f"kill switch is active: {stopped}", approved.order.client_order_id)

    async def cancel(self, client_order_id: str, venue_order_id: str = "") -> None:  # noqa: ARG002 - ours suffices
        try:
            self._venue.cancel(self._theirs(client_order_id))
        except VenueRefusal as refusal:
            raise BrokerRejected(refusal.message, client_order_id, refusal.code) from None

    async def cancel_all(self, forbid: Callable[[], str]) -> frozenset[str]:
        if why := forbid():
            raise OutcomeUnknown(why)
        return frozenset(one.venue_order_id for one in self._venue.cancel_all() if one.refusal is None)

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        found = self._find(client_order_id)
        return None if found is None else self._broker_order(found)

    async def executions(self, client_order_id: str) -> tuple[Execution, ...]:
        return self._history(client_order_id)

    def _history(self, client_order_id: str) -> tuple[Execution, ...]:
        theirs = self._theirs(client_order_id)
        return tuple(_execution(fill) for fill in self._venue.executions(theirs) if fill.quantity)

    async def look_up(self, orders: Mapping[str, OnBooks]) -> tuple[Shown, ...]:
        found = (self._find(order_id) for order_id in orders)
        shown = [self._broker_order(order) for order in found if order is not None]
        return tuple(Shown(order=order, executions=self._history(order.client_order_id)) for order in shown)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return tuple(self._broker_order(order) for order in self._venue.open_orders())

    async def positions(self) -> tuple[BrokerPosition, ...]:
        return tuple(
            BrokerPosition(symbol=held.symbol, quantity=held.quantity, average_price=held.average_price)
            for held in self._venue.positions()
        )

    async def account(self) -> BrokerAccount:
        account = self._venue.account()
        return BrokerAccount(account_id=account.account_id, cash=account.cash, equity=account.equity)

    def _pass_on(self, update: VenueUpdate) -> None:
        order, fill, notice = update.order, update.fill, update.notice
        order_id = order.order.client_order_id if order.order_class is _SIMPLE else self._learn(order)
        message = BrokerUpdate(
            client_order_id=order_id,
            venue_order_id=order.venue_order_id,
            at=update.at,
            trigger=update.trigger,
            execution=None if fill is None else _execution(fill),
            quantity=order.quantity,
            reason=update.reason,
        )
        if notice is Notice.REPLACE_REJECTED:
            message = msgspec.structs.replace(message, request=RequestTrigger.REFUSED)
        elif notice is not None:  # what the execution was before is told by the history
            message = msgspec.structs.replace(message, execution=None, history=self._history(order_id))
        for listener in self._listeners:
            listener(message)

    # -- legs, which have the venue's ids there and ours here ----------------------------------------------------

    def _learn(self, order: VenueOrder) -> str:
        """Our id of an order of a group; the legs that it leads are known from now on."""
        for leg in order.legs:
            self._names.learn(order.client_order_id, _kind(leg), leg.venue_order_id)
        return self._names.ours(order.venue_order_id) or order.client_order_id

    def _theirs(self, client_order_id: str) -> str:
        """The customer's id of an order at the venue; a leg has the venue's own."""
        if self._names.leader_of(client_order_id) and not self._names.theirs(client_order_id):
            self._find(client_order_id)
        return self._names.theirs(client_order_id) or client_order_id

    def _find(self, client_order_id: str) -> VenueOrder | None:
        leader = self._names.leader_of(client_order_id)
        shown = self._venue.find(leader) if leader else None
        if shown is not None and shown.order_class is not _SIMPLE:
            self._learn(shown)
        return self._venue.find(self._names.theirs(client_order_id) or client_order_id)

    def _broker_order(self, order: VenueOrder) -> BrokerOrder:
        """A dollar order has no quantity at the broker until it has traded; then it has what it bought."""
        filled = order.filled_quantity
        return BrokerOrder(
            client_order_id=order.order.client_order_id if order.order_class is _SIMPLE else self._learn(order),
            venue_order_id=order.venue_order_id,
            symbol=order.order.symbol,
            side=order.order.side,
            status=order.status,
            quantity=filled if order.quantity is None else order.quantity,
            filled_quantity=filled,
            average_price=order.average_price if filled else None,
            legs=tuple(self._broker_order(leg) for leg in order.legs) if order.legs else (),
        )


def _kind(leg: VenueOrder) -> LegKind:
    return LegKind.TAKE_PROFIT if leg.order.stop_price is None else LegKind.STOP_LOSS


def _terms(order: Order) -> dict[str, object]:
    """A change in the words of a request; what is as it was changes nothing."""
    named = {
        "qty": order.quantity,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "trail": order.trail_price or order.trail_percent,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.client_order_id,
    }
    return {name: value for name, value in named.items() if value is not None}


def _execution(fill: VenueFill) -> Execution:
    return Execution(
        execution_id=fill.execution_id,
        quantity=fill.quantity,
        price=fill.price,
        cumulative_quantity=fill.cumulative_quantity,
        at=fill.at,
        fee=fill.fees.total,
    )
