"""Verdicts that fall beside the checks: between approval and sending, and about whoever keeps on asking."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quant_trading_system.core.decisions import CheckResult, Rejection, Rule
from quant_trading_system.core.exceptions import DuplicateOrderId
from quant_trading_system.core.order_groups import legs_of
from quant_trading_system.core.orders import Order
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.order_watch import OrderWatch
from quant_trading_system.risk.pre_trade import Approval
from quant_trading_system.risk.traffic import Traffic


def halted(order: Order, approved: Approval) -> Rejection:
    """The gate approved, and then the kill switch said no."""
    why = f"the switch was set while {order.symbol} was being checked"
    answer = CheckResult(Rule.KILL_SWITCH, False, detail=why)
    checks = tuple(answer if check.rule is answer.rule else check for check in approved.decision.checks)
    decision = msgspec.structs.replace(approved.decision, checks=checks, refused_by=answer.rule)
    return Rejection(
        order_id=order.client_order_id,
        symbol=order.symbol,
        rule=Rule.KILL_SWITCH,
        message=f"{answer.rule}: {why}",
        limit=None,
        actual=None,
        decision=decision,
    )


def require_free_legs(order: Order, is_known: Callable[[str], bool]) -> None:
    """The ids of the legs of a new group belong to no other order.

    Raises:
        DuplicateOrderId: one of them does.
    """
    for leg in legs_of(order).values():
        if is_known(leg.client_order_id):
            raise DuplicateOrderId(leg.client_order_id, "parent")


def require_same(known: Order, order: Order) -> None:
    """The order that has the id already is the same one.

    Raises:
        DuplicateOrderId: it says something else; names the differing field.
    """
    for field in order.__struct_fields__:
        if getattr(known, field) != getattr(order, field):
            raise DuplicateOrderId(order.client_order_id, field)


def stop_runaway(order: Order, rejection: Rejection, traffic: Traffic, watch: OrderWatch) -> None:
    """The same decision again and again: its strategy takes no more risk until a person resets the kill switch."""
    if rejection.rule is Rule.MAX_REPEATED_ORDERS:
        traffic.disarm(order.strategy, rejection.message)
        watch.notify(NoticeKind.STRATEGY_DISARMED, rejection.message, order.client_order_id)
