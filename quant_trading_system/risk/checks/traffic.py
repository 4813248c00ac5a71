"""Step 1 of the checklist: do orders leave at a pace that somebody meant?

Cancels are never asked, and orders that are proven to shrink a position pass: stopping has a lane of its own.
Both count, so that whoever stops a lot begins less.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.risk.checks.case import Case, at_most, whole_quantity


def check_strategy_armed(case: Case) -> CheckResult | None:
    """The strategy was not stopped as a runaway since a person's last reset, or the order is a way out."""
    if not case.left.disarmed or case.shrinks:
        return None
    return CheckResult(Rule.STRATEGY_ARMED, False, detail=case.left.disarmed)


def check_orders_per_minute(case: Case) -> CheckResult | None:
    """With this one, at most `max_orders_per_minute` orders and changes left within the last minute."""
    return _counted(Rule.MAX_ORDERS_PER_MINUTE, case, case.left.orders, case.limits.max_orders_per_minute)


def check_notional_per_minute(case: Case) -> CheckResult | None:
    """With this one, the orders of the last minute add up to at most `max_notional_per_minute` dollars."""
    return _valued(Rule.MAX_NOTIONAL_PER_MINUTE, case, case.left.notional, case.limits.max_notional_per_minute)


def check_messages_per_minute(case: Case) -> CheckResult | None:
    """With this one, at most `max_messages_per_minute` requests left within the last minute, cancels included."""
    return _counted(Rule.MAX_MESSAGES_PER_MINUTE, case, case.left.messages, case.limits.max_messages_per_minute)


def check_replaces_per_minute(case: Case) -> CheckResult | None:
    """With this change, at most `max_replaces_per_minute` changes of open orders left within the last minute."""
    if case.replaced is None:
        return None
    return _counted(Rule.MAX_REPLACES_PER_MINUTE, case, case.left.replaces, case.limits.max_replaces_per_minute)


def check_cancel_ratio(case: Case) -> CheckResult | None:
    """For each new order of the last minute, this one included, at most `max_cancel_ratio` cancels and changes left.

    Asked from `cancel_ratio_from` cancels and changes on: fewer say nothing.
    """
    limit, left = case.limits.max_cancel_ratio, case.left
    if limit is None:
        return None
    is_change = case.replaced is not None
    undone = left.messages - left.orders + left.replaces + is_change
    if undone < case.limits.cancel_ratio_from:
        return None
    begun = max(left.orders - left.replaces + (not is_change), 1)
    return CheckResult(
        Rule.MAX_CANCEL_RATIO, undone <= limit * begun or case.shrinks, Decimal(undone), limit * begun, Unit.COUNT
    )


def check_order_multiple(case: Case) -> CheckResult | None:
    """The order is at most `max_order_multiple` times the median of its strategy's latest orders, or a way out.

    Asked from as many orders on as `UsualSizes` needs to call something usual.
    """
    multiple, usual = case.limits.max_order_multiple, case.left.usual
    if case.shrinks or multiple is None or usual is None:
        return None
    if case.price is None:
        return CheckResult(Rule.MAX_ORDER_MULTIPLE, False, None, multiple * usual, Unit.USD, "no usable quote")
    return at_most(Rule.MAX_ORDER_MULTIPLE, whole_quantity(case) * case.price, multiple * usual, Unit.USD)


def check_orders_per_day(case: Case) -> CheckResult | None:
    """With this one, at most `max_orders_per_day` orders and changes left on this day of the exchange."""
    return _counted(Rule.MAX_ORDERS_PER_DAY, case, case.left.day_orders, case.limits.max_orders_per_day)


def check_notional_per_day(case: Case) -> CheckResult | None:
    """With this one, the orders of this day of the exchange add up to at most `max_notional_per_day` dollars."""
    return _valued(Rule.MAX_NOTIONAL_PER_DAY, case, case.left.day_notional, case.limits.max_notional_per_day)


def check_turnover(case: Case) -> CheckResult | None:
    """With this one, the orders of this day of the exchange are within `max_turnover_per_day` times equity."""
    limit = case.limits.max_turnover_per_day
    return None if limit is None else _valued(Rule.MAX_TURNOVER, case, case.left.day_notional, limit * case.equity)


def check_repeated_orders(case: Case) -> CheckResult | None:
    """The strategy sent at most `max_repeated_orders` orders of this symbol and side within `repeat_window_s`.

    One more stops the strategy until a person resets the kill switch.
    """
    if case.shrinks:
        return None
    return _counted(Rule.MAX_REPEATED_ORDERS, case, case.left.repeats, case.limits.max_repeated_orders)


def _counted(rule: Rule, case: Case, before: int, limit: int) -> CheckResult:
    count = before + 1
    return CheckResult(rule, count <= limit or case.shrinks, Decimal(count), Decimal(limit), Unit.COUNT)


def _valued(rule: Rule, case: Case, before: Decimal, limit: Decimal) -> CheckResult | None:
    if case.price is None:
        return None if case.shrinks else CheckResult(rule, False, None, limit, Unit.USD, "no usable quote")
    total = before + whole_quantity(case) * case.price
    return CheckResult(rule, total <= limit or case.shrinks, total, limit, Unit.USD)
