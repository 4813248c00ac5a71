"""A refusal of the gate, with the one sentence that people read."""

from __future__ import annotations

from quant_trading_system.core.decisions import CheckResult, Decision, Rejection
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import Order


def rejection_of(order: Order, refused: CheckResult, decision: Decision) -> Rejection:
    """What becomes of an order whose first refused check is `refused`."""
    return Rejection(
        order_id=order.client_order_id,
        symbol=order.symbol,
        rule=refused.rule,
        message=_sentence(order, refused),
        limit=refused.limit,
        actual=refused.actual,
        decision=decision,
    )


def _sentence(order: Order, refused: CheckResult) -> str:
    """For example: ``max_order_quantity: buy KO: 500000 shares, limit 100000 shares``."""
    words = f"{refused.rule}: {order.side} {order.symbol}"
    if refused.actual is not None:
        words += f": {plain(refused.actual)} {refused.unit}".rstrip()
    if refused.limit is not None:
        words += f", limit {plain(refused.limit)} {refused.unit}".rstrip()
    return f"{words} ({refused.detail})" if refused.detail else words
