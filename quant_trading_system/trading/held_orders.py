"""Orders beyond a soft limit: people are asked, and after their yes a fresh order goes down the whole road once more.

The refused order stays refused. What people approve is bound to its terms, to the soft limits that it was beyond and
to the price of that moment; the order that is sent for it is judged anew by every rule. So is a change of an open
order, which works on as it is until then. A parent is asked about once: its slices stay within what was approved.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalOutcome, ApprovalSubject
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import ApprovalRefused, TradingError
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.algo.parent import ParentOrder, ParentState, new_parent
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.risk.approvals import content_hash
from quant_trading_system.risk.checks.case import Waiver
from quant_trading_system.risk.checks.soft import limits_named_in
from quant_trading_system.trading.algo_planning import EXECUTIONS, PlannedParent
from quant_trading_system.trading.algo_record import whole_order
from quant_trading_system.trading.planning import plan_as_given
from quant_trading_system.trading.system import TradingSystem

BY_HAND = "an order by hand"
Again = Callable[[], PlannedParent | None]
"""Plans a parent as of now; None when no algorithm can take it any more."""


class HeldOrders:
    """Asks people about orders that only a soft limit refused, and sends what they approve."""

    def __init__(self, system: TradingSystem) -> None:
        """Take over the refusals of `system`; without this nobody is asked, and soft limits are hard."""
        self._system = system
        self._approvals = system.governance.approvals
        self._waivers: dict[str, Waiver] = {}
        self._declined: dict[str, ApprovalView] = {}
        self._again: dict[str, Again] = {}
        self._take_up()
        system.governance.sends_orders = True
        system.checker.know(waiver=self._waivers.get)
        system.path.on_refused = self.refused
        self._approvals.on_ended(self._ended)

    def _take_up(self) -> None:
        """Parents that were approved before a restart go on; those that still waited have to be asked about anew."""
        for order, plan in self._system.desk.plans():
            if plan.approval:
                whole = whole_order(new_parent(order))
                self._waivers[plan.approval] = Waiver(whole, frozenset(plan.beyond), None, None, order.parent_id)
        for view in self._approvals.waiting:
            record = self._record(view.about) if view.subject is ApprovalSubject.ORDER else None
            if record is not None and record.rejection is not None and _is_parent(record.rejection):
                self._approvals.withdraw(
                    view.approval, by="engine", reason="the engine was restarted; start the parent again"
                )

    def refused(self, rejection: Rejection, parent: ParentOrder | None = None) -> None:
        """Ask about an order of a strategy; once, until the answer is as old as an answer may take.

        A question of the same strategy about the same symbol and side that still waits is withdrawn: it wants
        something else by now.

        Args:
            parent: that was refused as a whole; None for a single order.
        """
        record = self._record(rejection.order_id)
        if rejection.rule is not Rule.SOFT_LIMITS or record is None or not record.order.strategy:
            return
        order, now = record.order, self._system.ports.clock.now()
        self._declined = {content: view for content, view in self._declined.items() if now < view.expires_at}
        content = _content(record, rejection)
        if content in self._declined:
            return
        for view in self._approvals.waiting:
            if view.content != content and self._is_same_wish(view, order):
                self._approvals.withdraw(view.approval, by=order.strategy, reason="it wants another order by now")
        try:
            self.ask(rejection, order.strategy, None if parent is None else partial(self._planned_again, order, parent))
        except ApprovalRefused:
            return  # nobody can be asked; the refusal is on record and says what it would take

    def ask(self, rejection: Rejection, asked_by: str = BY_HAND, again: Again | None = None) -> ApprovalView:
        """What waits for people because of `rejection`; asked for now unless the same waits already.

        Args:
            again: plans the parent anew that was refused as a whole; None for a single order.

        Raises:
            ApprovalRefused: there are not so many persons who may approve.
        """
        record, limits = self._record(rejection.order_id), self._system.limits
        assert record is not None, "what was refused is on the books"
        content = _content(record, rejection)
        for view in self._approvals.waiting:
            if view.subject is ApprovalSubject.ORDER and view.content == content:
                return view
        view = self._approvals.ask(
            ApprovalSubject.ORDER,
            text=_told(record, rejection),
            content=content,
            asked_by=asked_by,
            needed=limits.soft_limit_approvals,
            lasts=timedelta(seconds=float(limits.soft_limit_expiry_s)),
            about=rejection.order_id,
        )
        if again is not None:
            self._again[view.approval] = again
        return view

    def is_parent(self, view: ApprovalView) -> bool:
        """It is about a parent order, for `start`."""
        record = self._record(view.about)
        return record is not None and record.rejection is not None and _is_parent(record.rejection)

    async def send(self, view: ApprovalView, cause: int | None) -> tuple[Order, Placed | Rejection]:
        """Send an order like the one that was approved, under an id of its own, or change the open one like that.

        Raises:
            ApprovalRefused: the order is not on the books any more as it was shown.
            UnknownOrder, NotReplaceable, InvalidOrder: as `OrderManager.replace`, of the order that was to be changed.
            KillSwitchActiveError, JournalUnavailable: as `OrderManager.submit`.
        """
        record, waiver = self._shown(view)
        order, orders = record.order.with_id(""), self._system.orders
        plan = plan_as_given(order, self._system.ports.quotes.quote(order.symbol))
        plan = msgspec.structs.replace(plan, approval=view.approval)
        self._waivers[view.approval] = waiver
        try:
            if record.replaces:
                return order, await orders.replace(record.replaces, plan=plan, cause=cause, **_terms_of_change(order))
            return order, await orders.submit(order, plan=plan, cause=cause)
        finally:
            del self._waivers[view.approval]  # for one order, whatever becomes of it

    def start(self, view: ApprovalView, cause: int | None) -> ParentState | Rejection:
        """Begin a parent like the one that was approved, planned anew; its slices rely on the same approval.

        Raises:
            ApprovalRefused: it cannot be planned any more as it was shown.
            KillSwitchActiveError, JournalUnavailable: as `AlgoDesk.start`.
        """
        record, waiver = self._shown(view)
        again = self._again.pop(view.approval, None)
        planned = None if again is None else again()
        if planned is None:
            raise ApprovalRefused(f"{view.approval}: no algorithm can take it now; nothing was begun")
        if whole_order(new_parent(planned.order)).with_id("") != record.order.with_id(""):
            raise ApprovalRefused(f"{view.approval}: what can be begun now is not what was shown; nothing was begun")
        limits = tuple(sorted(waiver.limits))
        plan = msgspec.structs.replace(planned.plan, approval=view.approval, beyond=limits)
        self._forget_ended()
        self._waivers[view.approval] = waiver._replace(parent=planned.order.parent_id)
        try:
            answer = self._system.desk.start(planned.order, plan, cause=cause)
        except TradingError:
            del self._waivers[view.approval]
            raise
        if isinstance(answer, Rejection):
            del self._waivers[view.approval]
        else:
            self._waivers[view.approval] = waiver._replace(parent=planned.order.parent_id, mid=None, until=None)
        return answer

    def _shown(self, view: ApprovalView) -> tuple[OrderRecord, Waiver]:
        """The order that people were shown, and what they have approved."""
        record = self._record(view.about)
        refused = None if record is None else record.rejection
        if record is None or refused is None or refused.decision.quote is None:
            raise ApprovalRefused(f"{view.approval}: the order {view.about} is not on the books; nothing was sent")
        if _content(record, refused) != view.content:
            raise ApprovalRefused(f"{view.approval}: {view.about} is not what was shown; nothing was sent")
        seen = refused.decision.quote
        return record, Waiver(record.order, _limits_of(refused), (seen.bid + seen.ask) / 2, view.expires_at)

    def _planned_again(self, order: Order, parent: ParentOrder) -> PlannedParent | None:
        """The same parent as of now: planned anew, or as it was written out."""
        desk = self._system.desk
        if parent.algorithm in EXECUTIONS:
            return desk.plan(order.with_id(""), parent.algorithm)
        return desk.as_given(parent) if desk.market.now() < parent.end else None

    def _forget_ended(self) -> None:
        """Slices of a parent that has ended leave no more."""
        is_open = self._system.desk.is_open
        self._waivers = {name: one for name, one in self._waivers.items() if not one.parent or is_open(one.parent)}
        self._system.checker.know(waiver=self._waivers.get)

    def _ended(self, view: ApprovalView, ended: ApprovalEnded) -> None:
        if view.subject is ApprovalSubject.ORDER and ended.outcome is not ApprovalOutcome.GRANTED:
            self._again.pop(view.approval, None)
            lasts = timedelta(seconds=float(self._system.limits.soft_limit_expiry_s))
            view.expires_at = self._system.ports.clock.now() + lasts
            self._declined[view.content] = view

    def _is_same_wish(self, view: ApprovalView, order: Order) -> bool:
        if view.subject is not ApprovalSubject.ORDER or view.asked_by != order.strategy:
            return False
        record = self._record(view.about)
        if record is None:
            return False
        other = record.order
        return (other.strategy, other.symbol, other.side) == (order.strategy, order.symbol, order.side)

    def _record(self, order_id: str) -> OrderRecord | None:
        return self._system.orders.order(order_id)


def _is_parent(rejection: Rejection) -> bool:
    plan = rejection.decision.plan
    return plan is not None and bool(plan.parent)


def _limits_of(rejection: Rejection) -> frozenset[str]:
    details = (check.detail for check in rejection.checks if check.rule is Rule.SOFT_LIMITS)
    return frozenset().union(*map(limits_named_in, details))


def _content(record: OrderRecord, rejection: Rejection) -> str:
    """What an approval is bound to: the terms of the order, and the soft limits that it is beyond.

    Of a change also the order that makes way, of a parent its algorithm. The tag is a name, and no term.
    """
    fields = msgspec.structs.asdict(record.order.with_id(""))
    terms = [f"{name}={value}" for name, value in fields.items() if name != "tag"]
    if record.replaces:
        terms.append(f"replaces={record.replaces}")
    if _is_parent(rejection) and rejection.decision.plan is not None:
        terms.append(f"algorithm={rejection.decision.plan.choice}")
    return content_hash(*terms, *sorted(_limits_of(rejection)))


def _told(record: OrderRecord, rejection: Rejection) -> str:
    order, plan = record.order, rejection.decision.plan
    size = plain(order.quantity) if order.notional is None else f"{plain(order.notional)} dollars of"
    at = "" if order.limit_price is None else f" at {plain(order.limit_price)}"
    kind = plan.choice if plan is not None and plan.parent else order.order_type.value
    what = f"{order.side} {size} {order.symbol}, {kind}{at}, {order.time_in_force}"
    if record.replaces:
        what += f", in the place of {record.replaces}"
    return f"{what}: {rejection.message}"


def _terms_of_change(order: Order) -> dict[str, Any]:
    """All that a change can name; what is like that already makes no difference."""
    trail = order.trail_percent if order.trail_price is None else order.trail_price
    return {
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "stop_price": order.stop_price,
        "trail": trail,
        "time_in_force": order.time_in_force,
    }
