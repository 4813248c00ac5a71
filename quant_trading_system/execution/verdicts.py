"""Verdicts that fall between the gate's approval and the mark "sending"."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.exceptions import DuplicateOrderId
from quant_trading_system.core.order_groups import legs_of
from quant_trading_system.core.orders import Order
from quant_trading_system.risk.pre_trade import Approval


def halted(order: Order, approved: Approval) -> Rejection:
    """The gate approved, and then the kill switch said no."""
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


def require_free_legs(order: Order, is_known: Callable[[str], bool]) -> None:
    """The ids of the legs of a new group belong to no other order.

    Raises:
        DuplicateOrderId: one of them does.
    """
    for leg in legs_of(order).values():
        if is_known(leg.client_order_id):
            raise DuplicateOrderId(leg.client_order_id, "parent")
