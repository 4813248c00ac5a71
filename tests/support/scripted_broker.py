"""A broker that answers as a test tells it, and reports what the test lets it report."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerRejected, BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_groups import legs_of
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, RequestTrigger
from quant_trading_system.core.orders import Order
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
from quant_trading_system.risk.pre_trade import ApprovedOrder, ApprovedReplacement

Number = str | int | Decimal
Answer = str | BaseException | Callable[[ApprovedOrder], Awaitable[None]]


class ScriptedBroker:
    """Records approved orders and cancels.

    `answers` holds what the next calls of `place` do, ``accept`` when it is empty:

        accept       report the order as working, then answer
        silent       take the order and tell nothing of it
        fill         report it as working and filled at `price`, then answer
        reject, time_out, not_sent       raise
        accept_then_time_out, fill_then_time_out       report, then raise: the answer was lost

    `replace` knows accept, silent, reject, time_out, not_sent and accept_then_time_out,
    or an exception to raise, or a coroutine function to await before accepting. `cancel_answers` likewise:
    ``silent`` (the default), ``confirm``, ``refuse``, ``time_out``.

    Attributes:
        price: at which ``fill`` trades, dollars.
        known: what `find` answers by order id; `history`: what `executions` answers.
        cancels_all: the broker's ids that it goes to cancel when asked for all, None for too many requests, or what
            it raises.
        is_mute: reads get no answer.
        holds: what `positions` answers, signed shares by symbol.
        recognised: the groups and legs of earlier processes that it was told of.
    """

    def __init__(self, clock: ManualClock, calls: list[str] | None = None) -> None:
        self.placed: list[ApprovedOrder] = []
        self.replacements: list[ApprovedReplacement] = []
        self.cancels: list[str] = []
        self.answers: deque[Answer] = deque()
        self.cancel_answers: deque[str] = deque()
        self.cancels_all: frozenset[str] | Exception | None = frozenset()
        self.price = Decimal(100)
        self.known: dict[str, BrokerOrder] = {}
        self.history: dict[str, tuple[Execution, ...]] = {}
        self.is_mute = False
        self.recognised: tuple[list[str], dict[str, str]] = ([], {})
        self.calls: list[str] = [] if calls is None else calls
        self.holds: Callable[[], Mapping[str, Decimal]] = dict
        self._clock = clock
        self._listeners: list[Listener] = []
        self._quantity: dict[str, Decimal] = {}
        self._filled: dict[str, Decimal] = {}

    @property
    def orders(self) -> list[Order]:
        """The orders that arrived, oldest first."""
        return [approved.order for approved in self.placed]

    # -- what the order manager asks -----------------------------------------------------------------------------

    def unsupported(self, order: Order) -> str:
        return ""

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def recognise(self, groups: Iterable[Order], legs: Mapping[str, str], sent: Mapping[str, datetime]) -> None:
        self.recognised = ([order.client_order_id for order in groups], dict(legs))
        self.sent_before = dict(sent)

    async def place(self, approved: ApprovedOrder) -> BrokerOrder:
        order_id = approved.order.client_order_id
        self.placed.append(approved)
        self.calls.append(f"place {order_id}")
        self._quantity[order_id] = approved.quantity
        self._quantity |= {leg.client_order_id: leg.quantity for leg in legs_of(approved.order).values()}
        answer = self.answers.popleft() if self.answers else "accept"
        if isinstance(answer, BaseException):
            raise answer
        if not isinstance(answer, str):
            await answer(approved)
            answer = "accept"
        self._report_before_answering(order_id, answer)
        self._raise_if_told(order_id, answer)
        return self.seen(order_id, OrderStatus.SENT if answer == "silent" else OrderStatus.WORKING)

    async def replace(self, approved: ApprovedReplacement) -> BrokerOrder:
        order_id = approved.order.client_order_id
        self.replacements.append(approved)
        self.calls.append(f"replace {approved.replaces} by {order_id}")
        self._quantity[order_id] = approved.quantity
        answer = self.answers.popleft() if self.answers else "accept"
        if answer in {"accept", "accept_then_time_out"}:
            self.replaced(approved.replaces, order_id)
        self._raise_if_told(order_id, str(answer))
        return self.seen(order_id, OrderStatus.SENT)

    def replaced(self, old_id: str, new_id: str) -> None:
        """The new order has taken the place of the old one; the venue hands on what has filled."""
        self._filled[new_id] = self._filled.get(old_id, ZERO)
        self.report(old_id, OrderTrigger.REPLACE)
        self.accept(new_id)

    async def cancel(self, client_order_id: str, venue_order_id: str = "") -> None:
        self.cancels.append(client_order_id)
        self.calls.append(f"cancel {client_order_id}")
        answer = self.cancel_answers.popleft() if self.cancel_answers else "silent"
        if answer == "confirm":
            self.cancelled(client_order_id)
        elif answer == "refuse":
            raise BrokerRejected("order is not cancelable", client_order_id, 42210000)
        elif answer == "time_out":
            raise BrokerTimeout("no answer in 5 s", client_order_id)

    async def cancel_all(self, forbid: Callable[[], str]) -> frozenset[str] | None:
        self.calls.append("cancel all")
        await asyncio.sleep(0)  # the connection is opened
        if why := forbid():
            raise OutcomeUnknown(why)
        if isinstance(self.cancels_all, Exception):
            raise self.cancels_all
        return self.cancels_all

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        self._require_voice(client_order_id)
        return self.known.get(client_order_id)

    async def executions(self, client_order_id: str) -> tuple[Execution, ...]:
        self._require_voice(client_order_id)
        return self.history.get(client_order_id, ())

    async def look_up(self, orders: Mapping[str, OnBooks]) -> tuple[Shown, ...]:
        self._require_voice("")
        listed = [order_id for order_id in orders if order_id in self.known]
        return tuple(Shown(order=self.known[name], executions=self.history.get(name, ())) for name in listed)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return tuple(order for order in self.known.values() if order.status.is_open)

    async def positions(self) -> tuple[BrokerPosition, ...]:
        self._require_voice("")
        return tuple(
            BrokerPosition(symbol=symbol, quantity=quantity, average_price=self.price)
            for symbol, quantity in self.holds().items()
        )

    async def account(self) -> BrokerAccount:
        return BrokerAccount(account_id="test", cash=ZERO, equity=ZERO)

    # -- what the test lets it report ----------------------------------------------------------------------------

    def report(
        self,
        order_id: str,
        trigger: OrderTrigger | None = None,
        *,
        request: RequestTrigger | None = None,
        execution: Execution | None = None,
        reason: str = "",
        quantity: Decimal | None = None,
    ) -> None:
        """Send one message of the stream; a `quantity` is what the broker has resized the order to."""
        if quantity is not None:
            self._quantity[order_id] = quantity
        update = BrokerUpdate(
            client_order_id=order_id,
            venue_order_id=f"venue-{order_id}",
            at=self._clock.now(),
            trigger=trigger,
            request=request,
            execution=execution,
            reason=reason,
            quantity=quantity,
        )
        for listener in self._listeners:
            listener(update)

    def accept(self, order_id: str) -> None:
        """The order is working."""
        self.report(order_id, OrderTrigger.ACCEPT)

    def cancelled(self, order_id: str) -> None:
        """The order is cancelled."""
        self.report(order_id, OrderTrigger.CANCEL)

    def fill(
        self, order_id: str, quantity: str | int | Decimal, price: str | int | Decimal, fee: str = "0"
    ) -> Execution:
        """One execution; the last one when it completes the order."""
        execution = self.execution(order_id, quantity, price, fee)
        self.tell_fill(order_id, execution)
        return execution

    def execution(
        self, order_id: str, quantity: str | int | Decimal, price: str | int | Decimal, fee: str = "0"
    ) -> Execution:
        """The next execution of an order, not reported yet."""
        cumulative = self._filled[order_id] = self._filled.get(order_id, ZERO) + Decimal(quantity)
        return Execution(
            execution_id=f"{order_id}:{cumulative}",
            quantity=Decimal(quantity),
            price=Decimal(price),
            cumulative_quantity=cumulative,
            at=self._clock.now(),
            fee=Decimal(fee),
        )

    def tell_fill(self, order_id: str, execution: Execution) -> None:
        """Report an execution, now or once more."""
        is_last = execution.cumulative_quantity >= self._quantity[order_id]
        self.report(order_id, OrderTrigger.FILL_LAST if is_last else OrderTrigger.FILL_PART, execution=execution)

    def seen(self, order_id: str, status: OrderStatus, filled: str | Decimal = "0") -> BrokerOrder:
        """The order as `find` would answer."""
        sent = (*self.placed, *self.replacements)
        order = next(approved.order for approved in sent if approved.order.client_order_id == order_id)
        return BrokerOrder(
            client_order_id=order_id,
            venue_order_id=f"venue-{order_id}",
            symbol=order.symbol,
            side=order.side,
            status=status,
            quantity=self._quantity[order_id],
            filled_quantity=Decimal(filled),
        )

    def _report_before_answering(self, order_id: str, answer: str) -> None:
        if answer in {"accept", "fill", "accept_then_time_out", "fill_then_time_out"}:
            self.accept(order_id)
        if answer in {"fill", "fill_then_time_out"}:
            self.fill(order_id, self._quantity[order_id], self.price)

    def _raise_if_told(self, order_id: str, answer: str) -> None:
        if answer.endswith("time_out"):
            raise BrokerTimeout("no answer in 5 s", order_id)
        if answer == "reject":
            raise BrokerRejected("insufficient buying power", order_id, 40310000)
        if answer == "not_sent":
            raise NotSent("connection refused", order_id)

    def _require_voice(self, order_id: str) -> None:
        if self.is_mute:
            raise BrokerTimeout("no answer in 5 s", order_id)
