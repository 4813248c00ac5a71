"""The way out for every order, and the place where its life is kept.

Check, reservation, the last look at the kill switch and the mark "sending" are one locked step; the record
is durable before the first byte leaves; no lock is held while waiting for the broker. A timeout is
``in_doubt``: it may be working, so it is looked up by its id and never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import ExecutionPlan, Rejection, Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    JournalError,
    KillSwitchActiveError,
    NotSent,
    OutcomeUnknown,
    UnknownOrder,
)
from quant_trading_system.core.ids import (
    MAX_CLIENT_ORDER_ID,
    IntentCounter,
    original_id,
    replacement_id,
    replacement_number,
)
from quant_trading_system.core.order_groups import leads_group
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, TimeInForce
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.cancelling import Cancels
from quant_trading_system.execution.doubts import Doubts
from quant_trading_system.execution.order_changes import OrderChange, changed_order, require_replaceable
from quant_trading_system.execution.order_life import Journal, OrderLives
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.parent_rooms import ParentRooms
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.execution.verdicts import halted, require_free_legs, require_same, stop_runaway
from quant_trading_system.risk.checks.case import Replaced
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import Approval, ApprovedOrder, ApprovedReplacement, PreTradeRiskChecker


class Placed(msgspec.Struct, frozen=True):
    """The order went out, now or when the same order was submitted before.

    Attributes:
        status: at the moment of the answer; `in_doubt` and `rejected` are possible.
    """

    order_id: str
    status: OrderStatus
    reason: str = ""


class OrderManager:
    """Sends approved orders, changes and cancels them. Nothing else calls `Broker.place` or `Broker.replace`.

    Attributes:
        lives: what becomes of the orders.
        rooms: what is kept for parent orders; their children take their room from there.
    """

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
        self._kill_switch = kill_switch
        self._broker = broker
        self._journal = journal
        self._ids = ids
        self._lock = portfolio.lock
        self.lives = OrderLives(
            portfolio=portfolio, tracker=tracker, kill_switch=kill_switch, journal=journal, clock=clock
        )
        self._orders = self.lives.store
        self.rooms = ParentRooms(portfolio, checker, self.lives)
        self._cancels = Cancels(self.lives, broker, clock, checker.traffic.cancel_asked)
        self._doubts = Doubts(self.lives, broker, clock)
        broker.subscribe(self.lives.take)

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
            if plan is None or not plan.parent:
                verdict = self._decide(order, plan, cause)
            else:
                with self.rooms.lent(order, plan):
                    verdict = self._decide(order, plan, cause)
        if isinstance(verdict, tuple):
            return await self._send(*verdict)
        return verdict if isinstance(verdict, Placed) else self._refused(verdict, order)

    async def replace(
        self,
        order_id: str,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trail: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
        plan: ExecutionPlan | None = None,
        cause: int | None = None,
    ) -> Placed | Rejection:
        """Put a changed order in the place of an open one, down the same way out; `order_id` works on when refused.

        What has filled counts against both, and of the two only the larger takes room. The new order has an id of
        its own: `OrderRecord.replaced_by` of the old one.

        Args:
            quantity: shares in all, what has filled already included.
            limit_price, stop_price: dollars a share; `trail`: dollars or percent, whichever the order has.
            plan, cause: as for `submit`.

        Returns:
            `Placed` with the id of the new order, or the gate's `Rejection`.

        Raises:
            UnknownOrder: no order of that id is on our books.
            NotReplaceable: it is final, not shown by the broker yet, or something else is asked of it.
            InvalidOrder: the change is none, or makes no order that could exist.
            KillSwitchActiveError: only changes that take risk away leave while orders are being reduced, and none
                while they are halted; the refusal is on record.
            JournalUnavailable: the intent could not be made durable, so nothing was sent.
        """
        change = OrderChange(
            quantity=quantity, limit_price=limit_price, stop_price=stop_price, trail=trail, time_in_force=time_in_force
        )
        with self._lock:
            old = self._orders.get(order_id)
            if old is None:
                raise UnknownOrder(f"no order {order_id} is on our books; `qts orders` lists them", order_id)
            require_replaceable(old)
            order = changed_order(old, change, self._next_replacement(old))
            verdict = self._decide_replacement(old, order, plan, cause)
        if isinstance(verdict, Rejection):
            return self._refused(verdict, order)
        return await self._send(*verdict)

    def _refused(self, rejection: Rejection, order: Order) -> Rejection:
        if rejection.rule is Rule.KILL_SWITCH:
            raise KillSwitchActiveError(self._kill_switch.reason_for(order) or rejection.message, rejection.order_id)
        return rejection

    def _decide(
        self, order: Order, plan: ExecutionPlan | None, cause: int | None
    ) -> tuple[OrderRecord, ApprovedOrder] | Rejection | Placed:
        """Check, reserve, ask the kill switch, mark as sending: one step under the lock."""
        if not order.client_order_id:
            order = order.with_id(self._ids.next_order_id())
        elif (known := self.lives.find(order.client_order_id)) is not None:
            return _same_answer(known, order)
        if leads_group(order):
            require_free_legs(order, self.lives.is_known)
        verdict = self._checker.check_order(order, plan)
        if isinstance(verdict, ApprovedOrder):
            if self._kill_switch.permits(order, shrinking=verdict.shrinks):
                record = self.lives.begin(verdict, plan, cause)
                self._checker.remember(verdict)
                return record, verdict
            verdict = halted(order, verdict)  # asked last: nothing fits between asking and marking
        self.lives.deny(order, verdict, cause)
        stop_runaway(order, verdict, self._checker.traffic, self.lives.watch)
        return verdict

    def _decide_replacement(
        self, old: OrderRecord, order: Order, plan: ExecutionPlan | None, cause: int | None
    ) -> tuple[OrderRecord, ApprovedReplacement] | Rejection:
        """The same step for an order that takes the place of another one."""
        replaced = Replaced(old.order, old.leaves, old.chain_filled)
        verdict = self._checker.check_replacement(order, replaced, plan)
        if isinstance(verdict, ApprovedReplacement):
            if self._kill_switch.permits(order, shrinking=verdict.shrinks):
                record = self.lives.begin_replacement(verdict, plan, cause)
                self._checker.remember(verdict)
                return record, verdict
            verdict = halted(order, verdict)
        self.lives.deny(order, verdict, cause, replaces=old.order_id)
        stop_runaway(order, verdict, self._checker.traffic, self.lives.watch)
        return verdict

    def _next_replacement(self, old: OrderRecord) -> str:
        """An id that no earlier change of the same intent has had, in this process or before it."""
        original, number = original_id(old.order_id), max(replacement_number(old.order_id), old.changes) + 1
        while self.lives.is_known(replacement_id(original, number)):
            number += 1
        old.changes, fresh = number, replacement_id(original, number)
        return fresh if len(fresh) <= MAX_CLIENT_ORDER_ID else self._ids.next_order_id()

    async def _send(self, record: OrderRecord, approved: ApprovedOrder | ApprovedReplacement) -> Placed:
        """Make the intent durable, ask for permission again, and let it go."""
        try:
            await self._journal.durable()
        except BaseException as error:
            why, lost = "the intent was not made durable", isinstance(error, JournalError)
            with self._lock:
                self.lives.step(record, OrderTrigger.NOT_SENT, why, on_record=not lost)
            raise
        self._require_permission(record, approved)
        try:
            self._require_known_fates(record, approved)
            if isinstance(approved, ApprovedReplacement):
                answer = await self._broker.replace(approved)
            else:
                answer = await self._broker.place(approved)
        except NotSent as error:
            record.held_back = error.held_back
            self.lives.answered(record, OrderTrigger.NOT_SENT, str(error))
        except BrokerRejected as error:
            self.lives.answered(record, OrderTrigger.REJECT, str(error))
        except OutcomeUnknown as error:
            self.lives.answered(record, OrderTrigger.TIME_OUT, str(error))
        except BaseException as error:
            self.lives.answered(record, OrderTrigger.TIME_OUT, f"while the broker was being asked: {error!r}")
            raise
        else:
            self.lives.placed(record, answer)
        return Placed(record.order_id, record.status, record.reason)

    def _require_permission(self, record: OrderRecord, approved: Approval) -> None:
        """Writing the record takes time, and the switch may have been set meanwhile."""
        if not self._kill_switch.permits(approved.order, shrinking=approved.shrinks):
            reason = self._kill_switch.reason_for(approved.order)
            with self._lock:
                self.lives.step(record, OrderTrigger.NOT_SENT, f"halted before it was sent: {reason}")
            raise KillSwitchActiveError(reason, record.order_id)

    def _require_known_fates(self, record: OrderRecord, approved: Approval) -> None:
        """Another order of the symbol may have come to be in doubt meanwhile, too: only ways out leave beside it."""
        doubtful = "" if approved.shrinks else self.lives.watch.doubt_beside(record)
        if doubtful:
            raise NotSent(f"the fate of {doubtful} is unknown", record.order_id, held_back=True)

    # -- cancelling ----------------------------------------------------------------------------------------------

    async def cancel(self, order_id: str, reason: str = "") -> None:
        """Ask for a cancel. It has happened when the order's status says so; a finished order is left alone.

        Never judged by the gate, the kill switch or the journal: stopping is always possible.

        Raises:
            UnknownOrder: no order of that id is on our books.
            JournalError: the request could not be recorded; the broker was asked all the same.
        """
        await self._cancels.cancel(order_id, reason)

    async def cancel_all(self, reason: str, symbol: str | None = None, *, keep_exits: bool = False) -> tuple[str, ...]:
        """Ask for a cancel of every open order (of `symbol`); the ids that were asked for.

        Args:
            keep_exits: leave orders alone that are proven to shrink a position.
        """
        with self._lock:
            orders = [r.order_id for r in self._orders.open_orders(symbol) if not (keep_exits and r.shrinks)]
        await self._cancels.cancel_each(orders, reason)
        return tuple(orders)

    async def cancel_each(self, order_ids: Iterable[str], reason: str) -> None:
        """Ask for many cancels side by side.

        Raises:
            UnknownOrder, JournalError: as `cancel`; all the others were asked for all the same.
        """
        await self._cancels.cancel_each(order_ids, reason)

    async def cancel_account(self, order_ids: Iterable[str], reason: str) -> None:
        """Ask for a cancel of everything that is open on the account, whoever has ordered it.

        Where many are open that takes one request, and not one for each. For a halt of the whole account, while no
        other order can leave.

        Args:
            order_ids: orders on our books, as far as they are due.

        Raises:
            JournalError: as `cancel_each`.
        """
        await self._cancels.cancel_account(order_ids, reason, self._why_not_all)

    def _why_not_all(self) -> str:
        """Why a cancel of all is not due any more: it would take along what has left since a reset."""
        return "" if self._kill_switch.level >= HaltLevel.HALTED else "the account is halted no longer"

    @property
    def needs_tending(self) -> bool:
        """There is something that `tend` does when its time has come; false for most orders and turns."""
        return self._cancels.are_waiting or self.lives.are_worrying

    async def tend(self) -> None:
        """Do what time demands: lost cancels are asked for again, orders in doubt are told of, then halt the account.

        Raises:
            JournalError: a cancel could not be recorded; the broker was asked all the same.
        """
        await self._cancels.tend()
        await self._doubts.tend()
        if self.lives.groups.has_flaws:
            for order_id in self.lives.groups.look():
                await self.cancel(order_id, "it is for more shares than there are to close")
            self.lives.groups.record_alarms()

    def recognise(self, legs: Mapping[str, str]) -> None:
        """After a restart: tell the broker's adapter which orders there are legs of ours.

        Args:
            legs: the broker's ids of legs by our ids.
        """
        known = [record for record in self.open_orders() if record.venue_order_id]
        sent = {record.venue_order_id: record.sent_at for record in known if record.sent_at is not None}
        self._broker.recognise(self.lives.groups.open_groups(), legs, sent)

    async def resolve(self, order_id: str) -> OrderStatus:
        """Ask the broker what became of an order in doubt; a negative answer alone settles nothing.

        An order that it goes on to deny is given up as ``absent`` (see `doubts`). Should it show up all the same, it
        counts in full again.

        Raises:
            UnknownOrder: no order of that id is on our books.
            OutcomeUnknown: the broker gave no answer.
        """
        return await self._doubts.resolve(order_id)

    async def resolve_listed(self, order_ids: Iterable[str]) -> list[str]:
        """Ask the broker's lists what became of many orders: some requests for all instead of some for each.

        Returns:
            The ids of the others, in turn: no list shows them whole, or there was no answer. `resolve` asks for them.
        """
        return await self._doubts.resolve_listed(order_ids)

    # -- reading -------------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> OrderRecord | None:
        """The order of that id, or None; one that ended long ago is looked up in the journal."""
        return self.lives.find(order_id)

    def orders(self) -> list[OrderRecord]:
        """Every order in memory, refused ones included, oldest first: all of them in a backtest."""
        with self._lock:
            return list(self._orders)

    @property
    def count(self) -> int:
        """How many orders there were in this run, refused ones included."""
        return self._orders.count

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        """Orders that may trade, those in doubt included."""
        with self._lock:
            return self._orders.open_orders(symbol)

    def on_settled(self, listener: Callable[[OrderRecord], None]) -> None:
        """Call `listener` when an order reaches a terminal status."""
        self.lives.on_settled(listener)


def _same_answer(known: OrderRecord, order: Order) -> Placed | Rejection:
    require_same(known.order, order)
    if known.rejection is not None:
        return known.rejection
    return Placed(known.order_id, known.status, known.reason)
