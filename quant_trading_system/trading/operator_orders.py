"""What people do with single orders of a running engine: place, replace, cancel, and ask what the gate would say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from quant_trading_system.core.basket_commands import CheckBasket
from quant_trading_system.core.command import Command
from quant_trading_system.core.commands import Cancel, CancelAll, Check, Outcome, PlaceOrder, ReplaceOrder, Result
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import ApprovalRefused, JournalError, UnknownOrder
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderType, TimeInForce
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord, latest_of
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.risk.basket import basket_line, basket_words, first_refusal, judge_basket
from quant_trading_system.trading.held_orders import Again, HeldOrders
from quant_trading_system.trading.planning import plan_as_given
from quant_trading_system.trading.system import TradingSystem

PATIENCE = timedelta(seconds=10)
"""How long an answer waits for the broker's confirmation."""
_FILL_PATIENCE = timedelta(seconds=3)
"""How long the answer about an order that should trade at once waits for its fill."""
_UNSEEN = frozenset({OrderStatus.SENT, OrderStatus.IN_DOUBT})

Until = Callable[[Callable[[], bool], timedelta], Awaitable[bool]]
"""Waits until a condition holds, no longer than a span; whether it holds."""


class Act(NamedTuple):
    """One command that is being carried out.

    Attributes:
        seq: its journal entry, None when it could not be recorded.
        order_id: the id of the order that it may place.
        by: who gave it; `key`: names the intention.
    """

    seq: int | None
    order_id: str
    by: str
    key: str = ""


Handler = Callable[[Any, Act], Awaitable[Outcome]]
"""Carries out one kind of command."""


class OrderOperations:
    """Carries out commands about orders, through the order manager and its gate."""

    def __init__(self, system: TradingSystem, until: Until, held: HeldOrders) -> None:
        """Act on the orders of `system`; `held` asks people about those beyond soft limits."""
        self._system = system
        self._held = held
        self._orders = system.orders
        self._until = until

    def handlers(self) -> dict[type[Command], Handler]:
        """Who carries out what."""
        return {
            PlaceOrder: self.send,
            Check: self.check,
            CheckBasket: self.check_basket,
            ReplaceOrder: self.replace,
            Cancel: self.cancel,
            CancelAll: self.cancel_all,
        }

    async def send(self, command: PlaceOrder, act: Act) -> Outcome:
        """Send an order, and wait until the broker has shown it, or filled it where it should trade at once.

        Raises:
            InvalidOrder: no order can be like that.
            KillSwitchActiveError, JournalUnavailable: as `OrderManager.submit`.
        """
        order = command.order(act.order_id)
        answer = await self._system.path.submit_as_given(order, act.seq)
        if isinstance(answer, Rejection) and answer.rule is Rule.SOFT_LIMITS:
            return self._asked(answer, act)
        return await self._shown(order, answer)

    async def carry_out_approved(self, view: ApprovalView, act: Act) -> Outcome:
        """Send an order that people have approved, under an id of its own; the answer is that of `send` or `replace`.

        Raises:
            ApprovalRefused, UnknownOrder, NotReplaceable, InvalidOrder: as `HeldOrders.send`.
            KillSwitchActiveError, JournalUnavailable: as `OrderManager.submit`.
        """
        refused = self._orders.order(view.about)
        order, answer = await self._held.send(view, act.seq)
        if refused is not None and refused.replaces:
            return await self._changed(self._require(refused.replaces), answer)
        return await self._shown(order, answer)

    def _asked(self, rejection: Rejection, act: Act, more: str = "") -> Outcome:
        return asked(self._held, rejection, act.by, more)

    async def _shown(self, order: Order, answer: Placed | Rejection) -> Outcome:
        if isinstance(answer, Rejection):
            return _refused(answer)
        record = self._require(answer.order_id)
        if _trades_at_once(order):
            await self._until(lambda: not record.status.is_open, _FILL_PATIENCE)
        await self._until(lambda: record.status not in _UNSEEN, PATIENCE)
        return _placed(record, answer)

    async def replace(self, command: ReplaceOrder, act: Act) -> Outcome:
        """Change an open order, and wait until the broker says which of the two works.

        Raises:
            UnknownOrder, NotReplaceable, InvalidOrder: as `OrderManager.replace`.
            KillSwitchActiveError, JournalUnavailable: likewise.
        """
        old = self._require(command.order_id)
        answer = await self._orders.replace(
            command.order_id,
            quantity=command.quantity,
            limit_price=command.limit_price,
            stop_price=command.stop_price,
            trail=command.trail,
            time_in_force=command.time_in_force,
            cause=act.seq,
        )
        if isinstance(answer, Rejection) and answer.rule is Rule.SOFT_LIMITS:
            return self._asked(answer, act, f"; {old.order_id} works on as it is")
        return await self._changed(old, answer)

    async def _changed(self, old: OrderRecord, answer: Placed | Rejection) -> Outcome:
        if isinstance(answer, Rejection):
            return _refused(answer, f"; {old.order_id} works on as it is")
        new = self._require(answer.order_id)
        await self._until(lambda: _is_settled(old, new), PATIENCE)
        if not _is_settled(old, new):
            message = f"asked to put {new.order_id} in the place of {old.order_id}; not confirmed yet, see `qts orders`"
            return Outcome(result=Result.PENDING, message=message, order_id=new.order_id, status=new.status)
        if new.status in (OrderStatus.REJECTED, OrderStatus.UNSENT):
            message = f"{old.order_id} is {old.status} as it was: {new.reason}"
            return Outcome(result=Result.REFUSED, message=message, order_id=old.order_id, status=old.status)
        message = f"{new.order_id} has taken the place of {old.order_id}: {_words(new)}"
        return Outcome(result=Result.DONE, message=message, order_id=new.order_id, status=new.status)

    async def cancel(self, command: Cancel, act: Act) -> Outcome:
        """Ask for a cancel, and wait until the broker confirms it.

        Raises:
            UnknownOrder: no order of that id is on our books.
        """
        record = self._require(command.order_id)
        latest = latest_of(record)
        if not latest.status.is_open:
            done = Result.DONE if latest.status is OrderStatus.CANCELED else Result.REFUSED
            message = f"{record.order_id} is {latest.status}; there is nothing to cancel"
            return Outcome(result=done, message=message, order_id=latest.order_id, status=latest.status)
        note = await self._ask(self._orders.cancel(record.order_id, reason_of(command.reason, act)))
        await self._until(lambda: not latest_of(record).status.is_open, PATIENCE)
        latest = latest_of(record)
        result, words = _cancelled(latest)
        parent = self._system.desk.parent_of(record.order_id)
        if parent:
            note += f"; it is a slice of {parent}, which may send another: `qts algo cancel {parent}` stops that"
        return Outcome(result=result, message=words + note, order_id=latest.order_id, status=latest.status)

    async def cancel_all(self, command: CancelAll, act: Act) -> Outcome:
        """Stop parent orders and ask for cancels, all side by side, and wait until the broker confirms them."""
        reason, desk = reason_of(command.reason, act), self._system.desk
        parents = [
            state.order.parent_id
            for state in desk.parents()
            if command.symbol in ("", state.order.symbol) and command.strategy in ("", state.order.strategy)
            if not (command.keep_exits and state.order.reduce_only)
        ]
        ids = [record.order_id for record in self._orders.open_orders() if _is_meant(record, command)]
        note = ""
        for parent_id in parents:
            try:
                desk.cancel(parent_id, reason)
            except JournalError as error:
                note = f"; {parent_id} could not be stopped, because that cannot be recorded: {error}"
        note = await self._ask(self._orders.cancel_each(ids, reason)) or note
        return await self._confirmed(ids, parents, note)

    async def cancel_orders_of(self, strategy: str, act: Act) -> Outcome:
        """Cancel what a strategy has working, but for exits."""
        return await self.cancel_all(
            CancelAll(strategy=strategy, keep_exits=True, reason="its strategy is disarmed"), act
        )

    async def check(self, command: Check, _: Act) -> Outcome:
        """What the gate would say now; nothing is sent.

        Raises:
            InvalidOrder: no order can be like that.
        """
        order = command.order()
        plan = plan_as_given(order, self._system.ports.quotes.quote(order.symbol))
        verdict = self._system.checker.check_order(order, plan)
        if isinstance(verdict, Rejection):
            refused = _refused(verdict)
            return Outcome(
                result=Result.REFUSED,
                message=f"would be refused: {refused.message}",
                rule=refused.rule,
                limit=refused.limit,
                actual=refused.actual,
                decision=verdict.decision,
            )
        message = f"would be sent: {_order_words(order)}"
        return Outcome(result=Result.DONE, message=message, decision=verdict.decision)

    async def check_basket(self, command: CheckBasket, _: Act) -> Outcome:
        """What the gate would say to several orders at once; nothing is sent.

        Raises:
            InvalidOrder: no order can be like one of them.
        """
        orders, quotes = [ticket.order() for ticket in command.orders], self._system.ports.quotes
        plans = [plan_as_given(order, quotes.quote(order.symbol)) for order in orders]
        judged = judge_basket(self._system.checker, self._system.portfolio, orders, plans)
        refused = first_refusal(judged)
        lines = tuple(map(basket_line, judged))
        message = basket_words(judged)
        if refused is None:
            return Outcome(result=Result.DONE, message=message, basket=lines)
        return msgspec.structs.replace(_refused(refused), message=message, order_id="", status="", basket=lines)

    async def _confirmed(self, ids: list[str], parents: list[str], note: str) -> Outcome:
        desk = self._system.desk

        def left() -> list[str]:
            orders = [order_id for order_id in ids if latest_of(self._require(order_id)).status.is_open]
            return [*orders, *(parent_id for parent_id in parents if desk.is_open(parent_id))]

        await self._until(lambda: not left(), PATIENCE)
        still = left()
        asked = tuple(ids) + tuple(parents)
        if still:
            message = f"{len(asked) - len(still)} of {len(asked)} have ended; not confirmed yet: {', '.join(still)}"
            return Outcome(result=Result.PENDING, message=message + note, orders=asked)
        filled = sum(1 for order_id in ids if latest_of(self._require(order_id)).status is OrderStatus.FILLED)
        words = f"{len(ids)} orders and {len(parents)} parent orders have ended" if asked else "nothing was open"
        if filled:
            words += f"; {filled} of the orders filled before their cancel arrived"
        return Outcome(result=Result.DONE, message=words + note, orders=asked)

    async def _ask(self, asking: Awaitable[None]) -> str:
        """Cancels go out whatever the journal says; what it said is told."""
        try:
            await asking
        except JournalError as error:
            return _unrecorded(error)
        return ""

    def _require(self, order_id: str) -> OrderRecord:
        record = self._orders.order(order_id)
        if record is None:
            raise UnknownOrder(f"no order {order_id} is on our books; `qts orders` lists them", order_id)
        return record


def asked(held: HeldOrders, rejection: Rejection, by: str, more: str = "", again: Again | None = None) -> Outcome:
    """People are asked about what only a soft limit refused; the outcome tells whom it waits for.

    Args:
        more: about what becomes of it until then.
        again: plans a parent anew; None for a single order.
    """
    try:
        view = held.ask(rejection, by, again)
    except ApprovalRefused as refusal:
        return _refused(rejection, f"{more}; nobody can be asked: {refusal}")
    waits = f"{view.approval} waits for {view.needed} to approve it, `qts approvals list` shows it"
    return msgspec.structs.replace(_refused(rejection, f"{more}; {waits}"), result=Result.PENDING)


def reason_of(given: str, act: Act) -> str:
    """Why something is stopped, and on whose word."""
    return f"{given} ({act.by})" if given else f"asked for by {act.by}"


def _unrecorded(error: JournalError) -> str:
    return f"; the broker was asked, but this could not be recorded: {error}"


def _is_meant(record: OrderRecord, command: CancelAll) -> bool:
    order = record.order
    if command.keep_exits and record.shrinks:
        return False
    return command.symbol in ("", order.symbol) and command.strategy in ("", order.strategy)


def _is_settled(old: OrderRecord, new: OrderRecord) -> bool:
    """The broker has decided which of the two is in the market."""
    if new.status in _UNSEEN:
        return False
    return not new.status.is_open or (not old.status.is_open and new.pending is PendingRequest.NONE)


def _trades_at_once(order: Order) -> bool:
    if order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        return True
    return order.order_type is OrderType.MARKET and order.time_in_force in (TimeInForce.DAY, TimeInForce.GTC)


def _placed(record: OrderRecord, answer: Placed) -> Outcome:
    status = record.status
    result, more = Result.DONE, ""
    if status in (OrderStatus.REJECTED, OrderStatus.UNSENT):
        result, more = Result.REFUSED, f": {record.reason}"
    elif status in _UNSEEN:
        result, more = Result.PENDING, "; the broker has not shown it yet, never send it again: it is being looked up"
    message = f"{answer.order_id} is {status}: {_words(record)}{more}"
    return Outcome(result=result, message=message, order_id=record.order_id, status=status)


def _cancelled(record: OrderRecord) -> tuple[Result, str]:
    status = record.status
    if status.is_open:
        return Result.PENDING, f"asked to cancel {record.order_id}; the broker has not confirmed it, it is {status}"
    words = f"{record.order_id} is {status}: {_words(record)}"
    if status is OrderStatus.FILLED:
        return Result.REFUSED, f"{words}; it filled before the cancel arrived"
    return Result.DONE, words


def _refused(rejection: Rejection, more: str = "") -> Outcome:
    return Outcome(
        result=Result.REFUSED,
        message=rejection.message + more,
        order_id=rejection.order_id,
        status=OrderStatus.DENIED,
        rule=rejection.rule,
        limit=rejection.limit,
        actual=rejection.actual,
    )


def _words(record: OrderRecord) -> str:
    average = record.average_price
    done = "" if average is None else f", {plain(record.filled)} filled at {average:.4f}"
    return _order_words(record.order) + done


def _order_words(order: Order) -> str:
    """All that was asked for, every price named."""
    size = plain(order.quantity) if order.notional is None else f"{plain(order.notional)} dollars of"
    exits = order.stop_loss
    prices = {
        "stop at": order.stop_price,
        "limit at": order.limit_price,
        "trailing stop, dollars": order.trail_price,
        "trailing stop, percent": order.trail_percent,
    }
    after = {
        "take profit at": order.take_profit.limit_price if order.take_profit is not None else None,
        "stop loss at": exits.stop_price if exits is not None else None,
        "stop loss limit at": exits.limit_price if exits is not None else None,
    }
    way, then = (
        ", ".join(f"{name} {plain(price)}" for name, price in named.items() if price is not None)
        for named in (prices, after)
    )
    parts = (f"{order.side} {size} {order.symbol}", way or order.order_type, order.time_in_force, then)
    return ", ".join(filter(None, parts))
