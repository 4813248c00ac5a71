"""Orders beyond a soft limit: people are asked, and after their yes a fresh order goes down the whole road once more.

The refused order stays refused. What people approve is bound to its terms, to the soft limits that it was beyond and
to the price of that moment; the order that is sent for it is judged anew by every rule.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalOutcome, ApprovalSubject
from quant_trading_system.core.decisions import ExecutionPlan, Rejection, Rule
from quant_trading_system.core.exceptions import ApprovalRefused
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.risk.approvals import content_hash
from quant_trading_system.risk.checks.case import Waiver
from quant_trading_system.risk.checks.soft import limits_named_in
from quant_trading_system.trading.planning import plan_as_given
from quant_trading_system.trading.system import TradingSystem

BY_HAND = "an order by hand"


class HeldOrders:
    """Asks people about orders that only a soft limit refused, and sends what they approve."""

    def __init__(self, system: TradingSystem) -> None:
        """Take over the refusals of `system`; without this nobody is asked, and soft limits are hard."""
        self._system = system
        self._approvals = system.governance.approvals
        self._waivers: dict[str, Waiver] = {}
        self._declined: dict[str, ApprovalView] = {}
        system.governance.sends_orders = True
        system.checker.know(waiver=self._waivers.get)
        system.path.on_refused = self.refused
        self._approvals.on_ended(self._ended)

    def refused(self, rejection: Rejection) -> None:
        """Ask about an order of a strategy; once, until the answer is as old as an answer may take.

        A question of the same strategy about the same symbol and side that still waits is withdrawn: it wants
        something else by now.
        """
        order = self._order(rejection.order_id)
        if rejection.rule is not Rule.SOFT_LIMITS or order is None or not order.strategy:
            return
        now = self._system.ports.clock.now()
        self._declined = {content: view for content, view in self._declined.items() if now < view.expires_at}
        content = _content(order, rejection)
        if content in self._declined:
            return
        for view in self._approvals.waiting:
            if view.content != content and self._is_same_wish(view, order):
                self._approvals.withdraw(view.approval, by=order.strategy, reason="it wants another order by now")
        try:
            self.ask(rejection, order.strategy)
        except ApprovalRefused:
            return  # nobody can be asked; the refusal is on record and says what it would take

    def ask(self, rejection: Rejection, asked_by: str = BY_HAND) -> ApprovalView:
        """What waits for people because of `rejection`; asked for now unless the same waits already.

        Raises:
            ApprovalRefused: there are not so many persons who may approve.
        """
        order, limits = self._order(rejection.order_id), self._system.limits
        assert order is not None, "what was refused is on the books"
        content = _content(order, rejection)
        for view in self._approvals.waiting:
            if view.subject is ApprovalSubject.ORDER and view.content == content:
                return view
        return self._approvals.ask(
            ApprovalSubject.ORDER,
            text=_told(order, rejection),
            content=content,
            asked_by=asked_by,
            needed=limits.soft_limit_approvals,
            lasts=timedelta(seconds=float(limits.soft_limit_expiry_s)),
            about=rejection.order_id,
        )

    async def send(self, view: ApprovalView, cause: int | None) -> tuple[Order, Placed | Rejection]:
        """Send an order like the one that was approved, under an id of its own.

        Raises:
            ApprovalRefused: the order is not on the books any more as it was shown.
            KillSwitchActiveError, JournalUnavailable: as `OrderManager.submit`.
        """
        record = self._system.orders.order(view.about)
        refused = None if record is None else record.rejection
        if record is None or refused is None or refused.decision.quote is None:
            raise ApprovalRefused(f"{view.approval}: the order {view.about} is not on the books; nothing was sent")
        if _content(record.order, refused) != view.content:
            raise ApprovalRefused(f"{view.approval}: {view.about} is not what was shown; nothing was sent")
        seen = refused.decision.quote
        order = record.order.with_id("")
        self._waivers[view.approval] = Waiver(
            record.order, _limits_of(refused), (seen.bid + seen.ask) / 2, view.expires_at
        )
        try:
            return order, await self._system.orders.submit(order, plan=self._plan(order, view), cause=cause)
        finally:
            del self._waivers[view.approval]  # for one order, whatever becomes of it

    def _plan(self, order: Order, view: ApprovalView) -> ExecutionPlan:
        plan = plan_as_given(order, self._system.ports.quotes.quote(order.symbol))
        return msgspec.structs.replace(plan, approval=view.approval)

    def _ended(self, view: ApprovalView, ended: ApprovalEnded) -> None:
        if view.subject is ApprovalSubject.ORDER and ended.outcome is not ApprovalOutcome.GRANTED:
            lasts = timedelta(seconds=float(self._system.limits.soft_limit_expiry_s))
            view.expires_at = self._system.ports.clock.now() + lasts
            self._declined[view.content] = view

    def _is_same_wish(self, view: ApprovalView, order: Order) -> bool:
        if view.subject is not ApprovalSubject.ORDER:
            return False
        other = self._order(view.about)
        return other is not None and (other.strategy, other.symbol, other.side) == (
            order.strategy,
            order.symbol,
            order.side,
        )

    def _order(self, order_id: str) -> Order | None:
        record = self._system.orders.order(order_id)
        return None if record is None else record.order


def _limits_of(rejection: Rejection) -> frozenset[str]:
    details = (check.detail for check in rejection.checks if check.rule is Rule.SOFT_LIMITS)
    return frozenset().union(*map(limits_named_in, details))


def _content(order: Order, rejection: Rejection) -> str:
    """What an approval is bound to: the terms of the order, and the soft limits that it is beyond."""
    terms = msgspec.structs.asdict(order.with_id(""))
    return content_hash(*(f"{name}={value}" for name, value in terms.items()), *sorted(_limits_of(rejection)))


def _told(order: Order, rejection: Rejection) -> str:
    size = plain(order.quantity) if order.notional is None else f"{plain(order.notional)} dollars of"
    at = "" if order.limit_price is None else f" at {plain(order.limit_price)}"
    what = f"{order.side} {size} {order.symbol}, {order.order_type}{at}, {order.time_in_force}"
    return f"{what}: {rejection.message}"
