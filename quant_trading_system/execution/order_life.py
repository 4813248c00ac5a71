"""The lives of all orders: every change of one, and everything that depends on it, in one step under the lock.

A step moves the status by the table, gives back or takes room, puts the change on record and tells whoever
waits for the order to end. Nothing here talks to a broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Protocol

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import ExecutionPlan, Rejection
from quant_trading_system.core.events import AnyEvent, HaltTrigger
from quant_trading_system.core.exceptions import JournalError, KillSwitchIncomplete
from quant_trading_system.core.order_groups import leads_group
from quant_trading_system.core.order_state import (
    BROKER_WORDS,
    OrderStatus,
    OrderTrigger,
    PendingRequest,
    RequestTrigger,
    advance,
    advance_request,
)
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.broker import BrokerOrder, BrokerUpdate, Execution
from quant_trading_system.execution.corrections import changes
from quant_trading_system.execution.group_lives import GroupLives
from quant_trading_system.execution.order_entries import changed, decided
from quant_trading_system.execution.order_recall import with_older
from quant_trading_system.execution.order_room import OrderRoom
from quant_trading_system.execution.order_store import OrderRecord, OrderStore
from quant_trading_system.execution.order_watch import OrderWatch, flaw_of
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import Approval, ApprovedReplacement


class Journal(Protocol):
    """What the order manager needs of the journal."""

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Add an entry; its sequence number."""

    async def durable(self) -> None:
        """Return when everything appended so far would survive a crash."""


_SEEN_AS = {status: trigger for trigger, status in BROKER_WORDS.items()}
_NEVER_LEFT = frozenset({OrderStatus.CREATED, OrderStatus.DENIED, OrderStatus.UNSENT})
_SENT, _BEGUN, _ABSENT = OrderStatus.SENT, advance(OrderStatus.CREATED, OrderTrigger.SEND), OrderStatus.ABSENT
_NOTHING_ASKED, _FILLS = PendingRequest.NONE, (OrderTrigger.FILL_PART, OrderTrigger.FILL_LAST)
_SEND, _FILL_LAST = OrderTrigger.SEND, OrderTrigger.FILL_LAST


class OrderLives:
    """Every order of the account, and the only place where its status changes.

    Attributes:
        store: the orders by id.
        recall: finds an order that is not in memory in the journal; by default there is none.
        take_stranger: takes an update of an order that is on nobody's books; False leaves it to the kill switch.
        lock: of the account.
        watch: what is odd about orders, and whom it is told.
        room: what they take of the account; `groups`: who of them belongs together.
        filled_since: ids of the orders that filled since a moment, by the journal.
    """

    def __init__(
        self,
        *,
        portfolio: Portfolio,
        tracker: PositionTracker,
        kill_switch: KillSwitch,
        journal: Journal,
        clock: Clock,
    ) -> None:
        """Join what a change of an order touches."""
        self.store = OrderStore()
        self._portfolio = portfolio
        self._tracker = tracker
        self._kill_switch = kill_switch
        self._journal = journal
        self._clock = clock
        self.lock = self._lock = portfolio.lock
        self.watch = OrderWatch(portfolio, kill_switch, clock)
        self.room = OrderRoom(portfolio)
        self.groups = GroupLives(self, portfolio, journal, clock)
        self._worries = (self.watch.suspects, self.watch.doubtful, *self.groups.flaws)
        self._returned: list[Callable[[OrderRecord], None]] = []
        self._settled: list[Callable[[OrderRecord], None]] = []
        self.recall: Callable[[str], OrderRecord | None] = lambda _: None
        self.take_stranger: Callable[[BrokerUpdate], bool] = lambda _: False
        self.filled_since: Callable[[datetime], Iterable[str]] = lambda _: ()

    def remember(self, finished: int, recall: Callable[[str], OrderRecord | None]) -> None:
        """Keep so many finished orders in memory; `recall` finds the others, and those of earlier processes.

        An order leaves memory when as many have finished after it, so its entries must be durable by then.
        """
        self.store.remembered, self.recall = finished, recall

    def find(self, order_id: str) -> OrderRecord | None:
        """The order of that id, out of memory or out of the journal; None when there never was one.

        Raises:
            JournalError: it is not in memory, and the journal cannot be read.
        """
        record = self.store.get(order_id)
        if record is None:
            with self._lock:
                record = self.recall(order_id)
                if record is not None:
                    self.take_up(record)
        return record

    def is_known(self, order_id: str) -> bool:
        """An order of that id was decided on, by this process or an earlier one."""
        return self.find(order_id) is not None

    @property
    def are_worrying(self) -> bool:
        """An order is in doubt or not to be believed, or something is wrong with a group."""
        return any(self._worries)

    @property
    def quiet_until(self) -> float:
        """Seconds of the monotonic clock up to which time alone demands nothing; infinity while nothing is wrong."""
        if not any(self._worries):
            return inf
        return -inf if self.watch.suspects or self.watch.doubtful else self.groups.quiet_until

    def on_settled(self, listener: Callable[[OrderRecord], None]) -> None:
        """Call `listener` when an order reaches a terminal status."""
        self._settled.append(listener)

    def on_return(self, listener: Callable[[OrderRecord], None]) -> None:
        """Call `listener` when an order that was given up comes to life."""
        self._returned.append(listener)

    # -- the beginning ------------------------------------------------------------------------------------------

    def begin(self, approved: Approval, plan: ExecutionPlan | None, cause: int | None) -> OrderRecord:
        """An approved order is about to be sent: on record, and its room is taken.

        Raises:
            JournalUnavailable: it cannot be recorded; nothing has changed.
        """
        order = approved.order
        record = OrderRecord(order, approved.quantity, status=_BEGUN, shrinks=approved.exits, room_price=approved.price)
        record.expected_price = None if plan is None else plan.expected_price
        record.sent_at, record.left_at = approved.decision.at, self._clock.monotonic()
        if isinstance(approved, ApprovedReplacement):
            record.replaces = approved.replaces
        record.sent_seq = self._journal.append(decided(record, _SEND, approved.decision), cause)
        if record.replaces:
            self.store.link(record)
        self.store.add(record)
        self.room.take(record)
        if leads_group(order):
            try:
                self.groups.form(record)
            except JournalError:
                self.step(record, OrderTrigger.NOT_SENT, "its legs were not recorded", on_record=False)
                raise
        return record

    def begin_replacement(
        self, approved: ApprovedReplacement, plan: ExecutionPlan | None, cause: int | None
    ) -> OrderRecord:
        """An approved order is about to take the place of an open one: both are on record as such.

        Raises:
            JournalUnavailable: it cannot be recorded; the old order is as it was.
        """
        record = self.begin(approved, plan, cause)
        old = record.older
        assert old is not None, "an order that is replaced is in memory"
        try:
            old.replaced_by = record.order_id
            self.request(old, RequestTrigger.ASK_REPLACE, f"to be replaced by {record.order_id}")
        except JournalError:
            self.step(record, OrderTrigger.NOT_SENT, "the replace was not recorded", on_record=False)
            raise
        return record

    def deny(self, order: Order, rejection: Rejection, cause: int | None, replaces: str = "") -> None:
        """The gate said no; the refusal is on record.

        Args:
            replaces: the order whose place it was to take.

        Raises:
            JournalUnavailable: it cannot be recorded.
        """
        record = OrderRecord(order, order.quantity)
        record.rejection = rejection
        record.reason = rejection.message
        record.replaces = replaces
        record.status = advance(record.status, OrderTrigger.DENY)
        record.sent_seq = self._journal.append(decided(record, OrderTrigger.DENY, rejection.decision), cause)
        self.store.add(record)

    def take_up(self, record: OrderRecord) -> None:
        """Go on with an order of an earlier process; one that may still trade takes its room again."""
        with self._lock:
            for one in with_older(record, lambda name: None if self.store.get(name) else self.recall(name)):
                self.store.link(one)
                self.store.take_back(one)
                self.groups.link(one)
                if one.status.is_open:
                    self.room.take(one)
                    self.room.share(one)
                    self.watch.note(one)
                self.store.settle(one)

    # -- what happens to it -------------------------------------------------------------------------------------

    def answered(self, record: OrderRecord, trigger: OrderTrigger, reason: str = "") -> None:
        """Take the answer to the request, unless the broker's stream was faster: it saw the order itself."""
        with self._lock:
            if record.status is OrderStatus.SENT:
                self.step(record, trigger, reason)

    def placed(self, record: OrderRecord, answer: BrokerOrder) -> None:
        """The broker took the order; fills are believed only when they come as executions."""
        record.venue_order_id = answer.venue_order_id
        if answer.status is _SENT and not (answer.filled_quantity or answer.legs):
            return  # it is on its way, as our books say
        with self._lock:
            trigger = _SEEN_AS.get(answer.status)
            fills_to_come = answer.filled_quantity > record.filled
            if trigger in _FILLS or fills_to_come:
                trigger = OrderTrigger.ACCEPT
            if trigger is not None:
                self.answered(record, trigger)
            if answer.legs:
                self.groups.show(answer)

    def found(self, record: OrderRecord, seen: BrokerOrder, executions: tuple[Execution, ...]) -> None:
        """The broker was asked about the order; nothing is settled before all its fills are booked."""
        with self._lock:
            record.venue_order_id = seen.venue_order_id
            for execution in executions:
                if flaw := flaw_of(execution):
                    self.watch.set_apart(record, flaw)
                    return
                self._apply(record, execution)
            if record.status in _NEVER_LEFT:
                self._stranger(record.order_id)  # it cannot be at the broker, and yet it is
                return
            trigger = _SEEN_AS.get(seen.status)
            if record.chain_filled >= seen.filled_quantity and trigger is not None and record.status is not seen.status:
                self.step(record, trigger, "found at the broker")
            self.groups.resize(record, seen.quantity)
            self.groups.show(seen)

    def take(self, update: BrokerUpdate) -> None:
        """Take one message of the broker's stream; what it repeats changes nothing."""
        with self._lock:
            record = self.store.get(update.client_order_id) or self.find(update.client_order_id)
            if record is None:
                if not self.take_stranger(update):
                    self._stranger(update.client_order_id)
                return
            execution, trigger = update.execution, update.trigger
            incomplete: KillSwitchIncomplete | JournalError | None = None
            if execution is not None:
                if flaw := flaw_of(execution, record):
                    self.watch.set_apart(record, flaw)
                    return
                try:
                    if not self._apply(record, execution) and (trigger is not _FILL_LAST or not record.status.is_open):
                        return  # nothing new; an open order's last fill may have come by another way
                except (KillSwitchIncomplete, JournalError) as error:
                    incomplete = error  # the fill is booked; first this order's life goes on, so that the two agree
            if record.status in _NEVER_LEFT:
                self._stranger(record.order_id)  # it cannot be at the broker, and yet it is
                return
            record.venue_order_id = record.venue_order_id or update.venue_order_id
            if update.request is not None and record.pending is not _NOTHING_ASKED:
                self.request(record, update.request, update.reason)
            if update.history is not None:
                self.restate(record, update.history, update.reason)
            if record.group is not None:
                self.groups.resize(record, update.quantity)
            if trigger is not None:
                try:
                    self.step(record, trigger, update.reason)
                except JournalError as error:
                    incomplete = incomplete or error
            if incomplete is not None:
                raise incomplete

    def _apply(self, record: OrderRecord, execution: Execution) -> bool:
        if execution.cumulative_quantity <= record.filled_before:
            return False
        try:
            return self._tracker.apply(record, execution)
        finally:
            if record.group is not None or record.older is not None or record.newer is not None:
                self.room.share(record)
                if record.group is not None:
                    self.groups.note(record.group)
                filled = record.chain_filled
            else:
                filled = record.filled + record.filled_before
            if filled > record.quantity and record.order.notional is None:
                self.groups.overfilled(record)

    def restate(self, record: OrderRecord, history: tuple[Execution, ...], reason: str = "") -> bool:
        """Bring an order in line with the broker's whole history of it; False when nothing differs.

        Executions that were taken back or changed are reversed and rebooked, each as an entry of its own.

        Args:
            history: all executions that there are, oldest first.
        """
        with self._lock:
            booked = (execution for execution in record.executions.values() if execution.quantity)
            corrections, missed = changes(booked, (e for e in history if e.cumulative_quantity > record.filled_before))
            before = record.filled
            for was, now in corrections:
                self._tracker.correct(record, was, now)
            for execution in missed:
                self._apply(record, record.placed(execution))
            self.room.share(record)
            if record.filled != before:
                self._step_after_correction(record, before, reason)
            elif record.status.is_open:
                self.room.resize(record)
            return bool(corrections or missed)

    def _step_after_correction(self, record: OrderRecord, before: Decimal, reason: str) -> None:
        if record.filled > before:
            trigger = OrderTrigger.FILL_PART
        else:
            trigger = OrderTrigger.BUST_PART if record.filled else OrderTrigger.BUST_ALL
        self.step(record, trigger, reason or "executions were corrected")
        if record.status.is_open:
            self.room.resize(record)

    def _stranger(self, order_id: str) -> None:
        why = f"the broker reports an order that is not on our books: {order_id}"
        if not (self._kill_switch.is_active() and why in self._kill_switch.reason):
            self._kill_switch.activate(why, trigger=HaltTrigger.INTEGRITY, activated_by="order manager")

    def step(self, record: OrderRecord, trigger: OrderTrigger, reason: str = "", *, on_record: bool = True) -> None:
        """Move the order's life by the table, and everything that depends on it. The caller holds `lock`."""
        before, now = record.status, self._clock.now()
        status = record.status = advance(before, trigger)
        ends = before.is_open and not status.is_open
        if record.acknowledged_at is None and trigger in BROKER_WORDS:
            record.acknowledged_at = now
        if not status.is_open:
            record.pending = _NOTHING_ASKED
        record.reason = reason or record.reason
        self.store.moved(record, before)
        self.room.adjust(record, before)
        self.watch.moved(record, before)
        failure: JournalError | None = None
        if on_record:
            try:
                self._journal.append(changed(record, trigger, reason, now), record.sent_seq)
            except JournalError as error:
                failure = error
        if record.group is not None:
            failure = self.groups.moved(record, trigger, reason, on_record=on_record and failure is None) or failure
        if ends:
            record.final_at, record.left_at = now, None
            if record.older is not None:
                self._free_older(record, record.older, on_record=on_record and failure is None)
            for listener in self._settled:
                listener(record)
        if before is _ABSENT:
            for listener in self._returned:
                listener(record)
        if failure is not None:
            raise failure  # orders and books have moved together, with or without a record

    def _free_older(self, record: OrderRecord, old: OrderRecord, *, on_record: bool) -> None:
        """An order that was to take another's place has ended: the other one works on, and may be asked again."""
        if old.pending is PendingRequest.REPLACE:
            self.request(old, RequestTrigger.REFUSED, f"{record.order_id} is {record.status}", on_record=on_record)

    def request(self, record: OrderRecord, trigger: RequestTrigger, reason: str, *, on_record: bool = True) -> None:
        """Note what was asked of a working order, or how that ended."""
        record.pending = advance_request(record.pending, trigger)
        self.store.stir(record)
        if trigger is RequestTrigger.ASK_CANCEL and record.group is not None:
            record.group.asked.add(record.order_id)
        if on_record:
            self._journal.append(changed(record, None, reason, self._clock.now()), record.sent_seq)
