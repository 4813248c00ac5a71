"""The way out for every order, and the place where its life is kept.

Check, reservation, the last look at the kill switch and the mark "sending" are one locked step; the record
is durable before the first byte leaves; no lock is held while waiting for the broker. A timeout is
``in_doubt``: it may be working, so it is looked up by its id and never sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import Decision, ExecutionPlan, Rejection, Rule
from quant_trading_system.core.events import AnyEvent, HaltTrigger, OrderEvent
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    DuplicateOrderId,
    JournalError,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    NotSent,
    OutcomeUnknown,
    UnknownOrder,
)
from quant_trading_system.core.ids import IntentCounter
from quant_trading_system.core.order_state import (
    OrderStatus,
    OrderTrigger,
    PendingRequest,
    RequestTrigger,
    advance,
    advance_request,
)
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution.broker import Broker, BrokerUpdate
from quant_trading_system.execution.order_store import OrderRecord, OrderStore
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import ApprovedOrder, PreTradeRiskChecker


class Journal(Protocol):
    """What the order manager needs of the journal."""

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Add an entry; its sequence number."""

    async def durable(self) -> None:
        """Return when everything appended so far would survive a crash."""


class Placed(msgspec.Struct, frozen=True):
    """The order went out, now or when the same order was submitted before.

    Attributes:
        status: at the moment of the answer; `in_doubt` and `rejected` are possible.
    """

    order_id: str
    status: OrderStatus
    reason: str = ""


_STATUS_TRIGGER = {
    OrderStatus.HELD: OrderTrigger.HOLD,
    OrderStatus.WORKING: OrderTrigger.ACCEPT,
    OrderStatus.PARTIALLY_FILLED: OrderTrigger.FILL_PART,
    OrderStatus.FILLED: OrderTrigger.FILL_LAST,
    OrderStatus.CANCELED: OrderTrigger.CANCEL,
    OrderStatus.EXPIRED: OrderTrigger.EXPIRE,
    OrderStatus.REJECTED: OrderTrigger.REJECT,
    OrderStatus.REPLACED: OrderTrigger.REPLACE,
    OrderStatus.SUSPENDED: OrderTrigger.SUSPEND,
    OrderStatus.DONE_FOR_DAY: OrderTrigger.FINISH_DAY,
}
_BROKER_WORDS = frozenset(_STATUS_TRIGGER.values())


class OrderManager:
    """Sends approved orders, follows their lives, cancels them. Nothing else calls `Broker.place`."""

    def __init__(
        self,
        *,
        checker: PreTradeRiskChecker,
        portfolio: Portfolio,
        tracker: PositionTracker,
        kill_switch: KillSwitch,
        broker: Broker,
        journal: Journal,
        clock: Clock,
        ids: IntentCounter,
    ) -> None:
        """Join the parts and listen to the broker."""
        self._checker = checker
        self._portfolio = portfolio
        self._tracker = tracker
        self._kill_switch = kill_switch
        self._broker = broker
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._orders = OrderStore()
        self._lock = portfolio.lock
        self._settled: list[Callable[[OrderRecord], None]] = []
        broker.subscribe(self._on_update)

    # -- the way out ---------------------------------------------------------------------------------------------

    async def submit(
        self, order: Order, *, plan: ExecutionPlan | None = None, cause: int | None = None
    ) -> Placed | Rejection:
        """Send `order` if the gate approves; the whole way out for one order.

        The same client order id with the same content gets the same answer and is sent once.

        Args:
            plan: how it is to be worked (step 3 of its decision record).
            cause: the journal entry, usually a signal, that led to it.

        Returns:
            `Placed`, or the gate's `Rejection`.

        Raises:
            KillSwitchActiveError: the kill switch stopped it; the refusal is on record.
            DuplicateOrderId: the id was used for another order; names the differing field.
            JournalUnavailable: the intent could not be made durable, so nothing was sent.
        """
        with self._lock:
            if not order.client_order_id:
                order = order.with_id(self._ids.next_order_id())
            known = self._orders.get(order.client_order_id)
            verdict = self._decide(order, plan, cause) if known is None else _same_answer(known, order)
        if isinstance(verdict, Placed):
            return verdict
        if isinstance(verdict, Rejection):
            if verdict.rule is Rule.KILL_SWITCH:
                raise KillSwitchActiveError(self._kill_switch.reason or verdict.message, order.client_order_id)
            return verdict
        record, approved = verdict
        await self._make_durable(record)
        self._require_permission(record)
        return await self._send(record, approved)

    def _decide(
        self, order: Order, plan: ExecutionPlan | None, cause: int | None
    ) -> tuple[OrderRecord, ApprovedOrder] | Rejection:
        """Check, reserve, ask the kill switch, mark as sending: one step under the lock."""
        verdict = self._checker.check_order(order, plan)
        if isinstance(verdict, Rejection):
            return self._deny(order, verdict, cause)
        if not self._kill_switch.permits(
            shrinking=verdict.shrinks
        ):  # asked last: nothing fits between asking and marking
            again = self._checker.check_order(order, plan)
            return self._deny(order, again if isinstance(again, Rejection) else _halted(order, verdict), cause)
        record = OrderRecord(order, verdict.quantity)
        record.expected_price = None if plan is None else plan.expected_price
        record.shrinks = verdict.shrinks
        record.room_price = verdict.price
        record.sent_at = self._clock.now()
        record.status = advance(record.status, OrderTrigger.SEND)
        record.sent_seq = self._journal.append(_decided(record, OrderTrigger.SEND, verdict.decision), cause)
        self._portfolio.reserve(record.order_id, order.symbol, verdict.signed_quantity, verdict.price)
        self._checker.remember(order)
        self._orders.add(record)
        self._orders.settle(record)
        return record, verdict

    def _deny(self, order: Order, rejection: Rejection, cause: int | None) -> Rejection:
        record = OrderRecord(order, order.quantity)
        record.rejection = rejection
        record.reason = rejection.message
        record.status = advance(record.status, OrderTrigger.DENY)
        record.sent_seq = self._journal.append(_decided(record, OrderTrigger.DENY, rejection.decision), cause)
        self._orders.add(record)
        return rejection

    async def _make_durable(self, record: OrderRecord) -> None:
        try:
            await self._journal.durable()
        except BaseException as error:
            lost = isinstance(error, JournalError)
            self._step(record, OrderTrigger.NOT_SENT, "the intent was not made durable", on_record=not lost)
            raise

    def _require_permission(self, record: OrderRecord) -> None:
        """Writing the record takes time, and the switch may have been set meanwhile."""
        if not self._kill_switch.permits(shrinking=record.shrinks):
            reason = self._kill_switch.reason
            self._step(record, OrderTrigger.NOT_SENT, f"halted before it was sent: {reason}")
            raise KillSwitchActiveError(reason, record.order_id)

    async def _send(self, record: OrderRecord, approved: ApprovedOrder) -> Placed:
        try:
            answer = await self._broker.place(approved)
        except NotSent as error:
            self._answered(record, OrderTrigger.NOT_SENT, str(error))
        except BrokerRejected as error:
            self._answered(record, OrderTrigger.REJECT, str(error))
        except OutcomeUnknown as error:
            self._answered(record, OrderTrigger.TIME_OUT, str(error))
        except BaseException as error:
            self._answered(record, OrderTrigger.TIME_OUT, f"while the broker was being asked: {error!r}")
            raise
        else:
            with self._lock:
                record.venue_order_id = answer.venue_order_id
        return Placed(record.order_id, record.status, record.reason)

    def _answered(self, record: OrderRecord, trigger: OrderTrigger, reason: str) -> None:
        """Take the answer to the request, unless the broker's stream was faster: it saw the order itself."""
        with self._lock:
            if record.status is OrderStatus.SENT:
                self._step(record, trigger, reason)

    # -- cancelling ----------------------------------------------------------------------------------------------

    async def cancel(self, order_id: str, reason: str = "") -> None:
        """Ask for a cancel. It has happened when the order's status says so; a finished order is left alone.

        Never judged by the gate, the kill switch or the journal: stopping is always possible.

        Raises:
            UnknownOrder: no order of that id is on our books.
            JournalError: the request could not be recorded; the broker was asked all the same.
        """
        failure: JournalError | None = None
        with self._lock:
            record = self._orders.get(order_id)
            if record is None:
                raise UnknownOrder(f"no order {order_id} is on our books; `qts orders` lists them", order_id)
            if not record.status.is_open:
                return
            try:
                self._request(record, RequestTrigger.ASK_CANCEL, reason)
            except JournalError as error:
                failure = error  # the cancel goes out all the same; the caller hears of it afterwards
        await self._ask_cancel(record)
        if failure is not None:
            raise failure

    async def _ask_cancel(self, record: OrderRecord) -> None:
        try:
            await self._broker.cancel(record.order_id)
        except BrokerRejected as error:
            with self._lock:
                if record.pending is PendingRequest.CANCEL and record.status is not OrderStatus.IN_DOUBT:
                    self._request(record, RequestTrigger.REFUSED, str(error))
        except OutcomeUnknown:
            return  # stays pending; the order's own status will tell

    async def cancel_all(self, reason: str, symbol: str | None = None, *, keep_exits: bool = False) -> tuple[str, ...]:
        """Ask for a cancel of every open order (of `symbol`); the ids that were asked for.

        Args:
            keep_exits: leave orders alone that are proven to shrink a position.
        """
        with self._lock:
            orders = [r.order_id for r in self._orders.open_orders(symbol) if not (keep_exits and r.shrinks)]
        failures: list[JournalError] = []
        for order_id in orders:
            try:
                await self.cancel(order_id, reason)
            except JournalError as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return tuple(orders)

    # -- doubt ---------------------------------------------------------------------------------------------------

    async def resolve(self, order_id: str) -> OrderStatus:
        """Ask the broker what became of an order in doubt; a negative answer alone settles nothing.

        Raises:
            UnknownOrder: no order of that id is on our books.
            OutcomeUnknown: the broker gave no answer.
        """
        record = self._orders.get(order_id)
        if record is None:
            raise UnknownOrder(f"no order {order_id} is on our books", order_id)
        found = await self._broker.find(order_id)
        if found is None:
            return record.status
        executions = await self._broker.executions(order_id)
        with self._lock:
            record.venue_order_id = found.venue_order_id
            for execution in executions:
                self._tracker.apply(record, execution)
            if record.filled < found.filled_quantity:
                return record.status  # the history trails behind: nothing is settled before all fills are booked
            trigger = _STATUS_TRIGGER.get(found.status)
            if trigger is not None and record.status is not found.status:
                self._step(record, trigger, "found at the broker")
        return record.status

    # -- reading -------------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> OrderRecord | None:
        """The order of that id, or None."""
        return self._orders.get(order_id)

    def orders(self) -> list[OrderRecord]:
        """Every order, refused ones included, oldest first."""
        with self._lock:
            return list(self._orders)

    @property
    def count(self) -> int:
        """How many orders there were, refused ones included."""
        return len(self._orders)

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        """Orders that may trade, those in doubt included."""
        with self._lock:
            return self._orders.open_orders(symbol)

    def on_settled(self, listener: Callable[[OrderRecord], None]) -> None:
        """Call `listener` when an order reaches a terminal status."""
        self._settled.append(listener)

    # -- what the broker says ------------------------------------------------------------------------------------

    def _on_update(self, update: BrokerUpdate) -> None:
        with self._lock:
            record = self._orders.get(update.client_order_id)
            if record is None:
                self._stranger(update)
                return
            incomplete: KillSwitchIncomplete | None = None
            try:
                if not self._book(record, update):
                    return
            except KillSwitchIncomplete as error:
                incomplete = error  # the fill is booked and orders are stopped; first this order's life goes on
            record.venue_order_id = record.venue_order_id or update.venue_order_id
            if update.request is not None and record.pending is not PendingRequest.NONE:
                self._request(record, update.request, update.reason)
            if update.trigger is not None:
                self._step(record, update.trigger, update.reason)
            if incomplete is not None:
                raise incomplete

    def _book(self, record: OrderRecord, update: BrokerUpdate) -> bool:
        """Book the fill of `update`, if there is one; False when the update tells nothing new."""
        if update.execution is None or self._tracker.apply(record, update.execution):
            return True
        return update.trigger is OrderTrigger.FILL_LAST and record.status.is_open  # its fill came by another way

    def _stranger(self, update: BrokerUpdate) -> None:
        self._kill_switch.activate(
            f"the broker reports an order that is not on our books: {update.client_order_id}",
            trigger=HaltTrigger.INTEGRITY,
            activated_by="order manager",
        )

    def _step(self, record: OrderRecord, trigger: OrderTrigger, reason: str = "", *, on_record: bool = True) -> None:
        """Move the order's life by the table, and everything that depends on it."""
        with self._lock:
            before = record.status
            record.status = advance(before, trigger)
            if record.acknowledged_at is None and trigger in _BROKER_WORDS:
                record.acknowledged_at = self._clock.now()
            if not record.status.is_open or trigger is OrderTrigger.REPLACE:
                record.pending = PendingRequest.NONE
            record.reason = reason or record.reason
            self._orders.settle(record)
            self._adjust_room(record, before)
            if on_record:
                self._journal.append(self._event(record, trigger, reason), record.sent_seq)
            if before.is_open and not record.status.is_open:
                record.final_at = self._clock.now()
                for listener in self._settled:
                    listener(record)

    def _adjust_room(self, record: OrderRecord, before: OrderStatus) -> None:
        symbol, status = record.order.symbol, record.status
        if before.is_open and not status.is_open:
            self._portfolio.release(record.order_id, symbol)
        elif status.is_open and not before.is_open and before is not OrderStatus.CREATED:
            leaves = record.leaves if record.order.side is OrderSide.BUY else -record.leaves
            self._portfolio.restore(record.order_id, symbol, leaves, record.room_price)
        elif (before is OrderStatus.IN_DOUBT) != (status is OrderStatus.IN_DOUBT):
            self._portfolio.set_in_doubt(record.order_id, symbol, status is OrderStatus.IN_DOUBT)

    def _request(self, record: OrderRecord, trigger: RequestTrigger, reason: str) -> None:
        record.pending = advance_request(record.pending, trigger)
        self._journal.append(self._event(record, None, reason), record.sent_seq)

    def _event(self, record: OrderRecord, trigger: OrderTrigger | None, reason: str) -> OrderEvent:
        return OrderEvent(
            at=self._clock.now(),
            order_id=record.order_id,
            symbol=record.order.symbol,
            status=record.status,
            trigger=trigger,
            pending=record.pending,
            quantity_filled=record.filled,
            venue_order_id=record.venue_order_id,
            reason=reason,
        )


def _decided(record: OrderRecord, trigger: OrderTrigger, decision: Decision) -> OrderEvent:
    """The first entry of an order: all of it, and all that was known when it was judged."""
    return OrderEvent(
        at=decision.at,
        order_id=record.order_id,
        symbol=record.order.symbol,
        status=record.status,
        trigger=trigger,
        reason=record.reason,
        order=record.order,
        decision=decision,
    )


def _same_answer(known: OrderRecord, order: Order) -> Placed | Rejection:
    for field in order.__struct_fields__:
        if getattr(known.order, field) != getattr(order, field):
            raise DuplicateOrderId(order.client_order_id, field)
    if known.rejection is not None:
        return known.rejection
    return Placed(known.order_id, known.status, known.reason)


def _halted(order: Order, approved: ApprovedOrder) -> Rejection:
    decision = msgspec.structs.replace(approved.decision, refused_by=Rule.KILL_SWITCH)
    return Rejection(
        order_id=order.client_order_id,
        symbol=order.symbol,
        rule=Rule.KILL_SWITCH,
        message=f"{Rule.KILL_SWITCH}: the switch was set while {order.symbol} was being checked",
        limit=None,
        actual=None,
        decision=decision,
    )
