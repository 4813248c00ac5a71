"""Several orders judged together, as if all of them were open at once.

The orders are judged one after another by the gate itself. Each one that passes takes its room and counts as sent
while the others are judged; at the end all of it is given back. So no two of them are given the same room, and what
a sale would bring is not there for a purchase before the sale has filled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from quant_trading_system.core.basket_shown import BasketLine
from quant_trading_system.core.decisions import CheckResult, Decision, ExecutionPlan, Rejection, Rule
from quant_trading_system.core.orders import Order
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.pre_trade import ApprovedOrder, PreTradeRiskChecker
from quant_trading_system.risk.refusal import rejection_of


class Judged(NamedTuple):
    """One order of a basket, and what the gate says to it.

    Attributes:
        takes_risk: it is not proven to shrink a position, the orders before it counted.
    """

    order: Order
    verdict: ApprovedOrder | Rejection
    takes_risk: bool


def judge_basket(
    checker: PreTradeRiskChecker,
    portfolio: Portfolio,
    orders: Iterable[Order],
    plans: Sequence[ExecutionPlan | None] = (),
) -> tuple[Judged, ...]:
    """What the gate says to each of `orders`, those before it counted as open. Changes nothing.

    An order whose id belongs to an open order, or to another one of the basket that passes, is refused.

    Args:
        portfolio: that `checker` judges by.
        plans: how each is to be worked, as far as anybody knows.
    """
    found: list[Judged] = []
    taken: list[tuple[str, str]] = []
    with portfolio.lock:
        used = {reservation.order_id for _, reservation in portfolio.reservations()}
        shadow = checker.shadow()
        try:
            for number, given in enumerate(orders):
                order = given if given.client_order_id else given.with_id(_free_id(number + 1, used))
                verdict = shadow.check_order(order, plans[number] if number < len(plans) else None)
                if order.client_order_id in used and isinstance(verdict, ApprovedOrder):
                    verdict = _refused_twice(order, verdict.decision)
                found.append(Judged(given, verdict, _takes_risk(portfolio, order, verdict)))
                if isinstance(verdict, ApprovedOrder):
                    shadow.remember(verdict)
                    portfolio.reserve(
                        order.client_order_id, order.symbol, verdict.signed_quantity, verdict.price, order
                    )
                    taken.append((order.client_order_id, order.symbol))
                    used.add(order.client_order_id)
        finally:
            for order_id, symbol in reversed(taken):
                portfolio.release(order_id, symbol)
    return tuple(found)


def _free_id(number: int, used: Collection[str]) -> str:
    """An id for an order without one: the first from `number` on that no order has."""
    return next(name for n in count(number) if (name := f"basket-{n}") not in used)


def _refused_twice(order: Order, decision: Decision) -> Rejection:
    """What becomes of an order under an id that holds room already: its room would be taken for the other's."""
    words = f"an order {order.client_order_id} is open already; an id is for one order"
    refused = CheckResult(Rule.DUPLICATE_ORDER, False, detail=words)
    kept = tuple(check for check in decision.checks if check.rule is not refused.rule)
    return rejection_of(order, refused, replace(decision, checks=(*kept, refused), refused_by=refused.rule))


def first_refusal(judged: Iterable[Judged]) -> Rejection | None:
    """Why nothing that takes risk of the basket may leave; None when all of that passes."""
    refused = (one.verdict for one in judged if one.takes_risk and isinstance(one.verdict, Rejection))
    return next(refused, None)


def basket_line(judged: Judged) -> BasketLine:
    """One row of the answer."""
    order, verdict = judged.order, judged.verdict
    refused = verdict if isinstance(verdict, Rejection) else None
    return BasketLine(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        passes=refused is None,
        takes_risk=judged.takes_risk,
        rule="" if refused is None else refused.rule,
        limit=None if refused is None else refused.limit,
        actual=None if refused is None else refused.actual,
        message="" if refused is None else refused.message,
    )


def basket_words(judged: Sequence[Judged]) -> str:
    """The answer in one line."""
    refused = first_refusal(judged)
    passing = sum(isinstance(one.verdict, ApprovedOrder) for one in judged)
    words = f"{passing} of {len(judged)} orders pass together"
    if refused is None:
        return words
    exits = sum(isinstance(one.verdict, ApprovedOrder) and not one.takes_risk for one in judged)
    return f"{words}; only the {exits} exits among them would leave, for all or none take new risk: {refused.message}"


def _takes_risk(portfolio: Portfolio, order: Order, verdict: ApprovedOrder | Rejection) -> bool:
    if isinstance(verdict, ApprovedOrder):
        return not verdict.shrinks
    return not portfolio.peek(order.symbol).shrinks(order.side.sign * order.quantity)
