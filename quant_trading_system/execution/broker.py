"""What the order manager asks of a broker, whoever it is.

`place` takes nothing but an `ApprovedOrder` and `replace` nothing but an `ApprovedReplacement`, which only the
pre-trade gate can build, so that a way around the gate does not type-check. Every read has three outcomes: an
answer, an answer that says no (`None`), and no answer (`OutcomeUnknown`); an error is never an empty list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, RequestTrigger
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.risk.pre_trade import ApprovedOrder, ApprovedReplacement

LISTED_FROM = 5
"""So many orders are looked for in lists first; fewer are asked for by id, which is as cheap and answered sooner."""


class Execution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution as the broker reports it.

    Attributes:
        quantity: shares of this execution alone; `price` dollars a share; `fee` dollars.
        cumulative_quantity: shares of the order filled so far, this execution included.
    """

    execution_id: str
    quantity: Decimal
    price: Decimal
    cumulative_quantity: Decimal
    at: datetime
    fee: Decimal = ZERO


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order as the broker sees it.

    Attributes:
        legs: of a bracket, OCO or OTO group that it leads, under our ids, as far as the broker shows them.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: OrderSide
    status: OrderStatus
    quantity: Decimal
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    legs: tuple[BrokerOrder, ...] = ()


class OnBooks(msgspec.Struct, frozen=True, kw_only=True):
    """What our books have of an order that is looked for in the broker's lists.

    Attributes:
        sent_at: about when it was sent, by our clock; None when nobody knows.
        executions: those that are booked and were not taken back.
    """

    sent_at: datetime | None
    executions: tuple[Execution, ...] = ()


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker's lists show it.

    Attributes:
        executions: all of them, oldest first; empty when our books have as many shares as the broker calls filled.
    """

    order: BrokerOrder
    executions: tuple[Execution, ...] = ()


class BrokerUpdate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message of the broker's stream about one order.

    Attributes:
        trigger: what happened to the order's life, None when only a request was refused.
        request: what happened to a pending cancel or replace.
        execution: set exactly for fills.
        history: after an execution was taken back or changed, all that there are now, oldest first; else None.
        quantity: shares that the order is for, None when the message does not say; brokers make legs smaller.
    """

    client_order_id: str
    venue_order_id: str
    at: datetime
    trigger: OrderTrigger | None = None
    request: RequestTrigger | None = None
    execution: Execution | None = None
    history: tuple[Execution, ...] | None = None
    quantity: Decimal | None = None
    reason: str = ""


class BrokerPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A position as the broker sees it; `quantity` is negative when short, `price` dollars a share now, if it says."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None = None


class BrokerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Cash and equity in dollars as the broker sees them."""

    account_id: str
    cash: Decimal
    equity: Decimal


Listener = Callable[[BrokerUpdate], None]


class Broker(Protocol):
    """A broker, or a venue that plays one.

    The legs of a group have ids of the broker's own there; here they bear `legs_of` names, on every way.
    """

    def unsupported(self, order: Order) -> str:
        """Why this broker cannot take such an order; empty when it can."""

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` for every update, in the order in which they happen."""

    def recognise(self, groups: Iterable[Order], legs: Mapping[str, str], sent: Mapping[str, datetime]) -> None:
        """Know orders of an earlier process, so that their legs are not taken for somebody else's.

        Args:
            groups: orders that lead a group that is not over.
            legs: the broker's ids of legs, by ours, as far as they were learnt.
            sent: about when orders that may be open were sent, by the broker's ids.
        """

    async def place(self, approved: ApprovedOrder) -> BrokerOrder:
        """Send a new order.

        Raises:
            BrokerRejected: a definite no.
            NotSent: proof that no byte left.
            OutcomeUnknown: no answer; the order may be working.
        """

    async def replace(self, approved: ApprovedReplacement) -> BrokerOrder:
        """Ask to put an order in the place of an open one; what becomes of the two is told by updates about both.

        The answer is no promise: when the old order ends first, the new one is rejected. Quantities of the new
        order count what its chain has traded already.

        Raises:
            BrokerRejected: a definite no; the old order is as it was.
            NotSent: proof that no byte left.
            OutcomeUnknown: no answer; one of the two may be working, never both.
        """

    async def cancel(self, client_order_id: str, venue_order_id: str = "") -> None:
        """Ask for a cancel; it has happened only when an update says so.

        Args:
            venue_order_id: the broker's own id of the order, where our books have it; spares a lookup.

        Raises:
            BrokerRejected: it cannot be cancelled, for instance because it has just filled.
            OutcomeUnknown: no answer.
        """

    async def cancel_all(self, forbid: Callable[[], str]) -> frozenset[str] | None:
        """Ask with one request for a cancel of every open order of the account, whoever has placed it.

        Args:
            forbid: asked as the last thing before the request leaves; why it must not, empty when it may.

        Returns:
            The broker's own ids of the orders that it goes to cancel; what is missing there was not asked for. None
            while it takes no requests at all, because there were too many.

        Raises:
            BrokerRejected: a definite no.
            OutcomeUnknown: no answer, or it was forbidden.
        """

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order of that id, or None when the broker says that there is none.

        Raises:
            OutcomeUnknown: no answer.
        """

    async def executions(self, client_order_id: str) -> tuple[Execution, ...]:
        """All executions of one order, oldest first; the truth behind the stream.

        Raises:
            OutcomeUnknown: no answer.
        """

    async def look_up(self, orders: Mapping[str, OnBooks]) -> tuple[Shown, ...]:
        """Those of many orders that the broker's lists show whole; that one is missing proves nothing.

        Args:
            orders: by client order id.

        Raises:
            OutcomeUnknown: no answer.
        """

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every order that is not final."""

    async def positions(self) -> tuple[BrokerPosition, ...]:
        """Every position that is not flat."""

    async def account(self) -> BrokerAccount:
        """Cash and equity."""
