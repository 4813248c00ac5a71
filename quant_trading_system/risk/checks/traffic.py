"""Step 1 of the checklist: do orders leave at a pace that somebody meant?

Cancels are never asked, and orders that are proven to shrink a position pass: stopping has a lane of its own.
Both count, so that whoever stops a lot begins less.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.risk.checks.case import Case, at_most, counted

_USD = Unit.USD
_PER_MINUTE, _DOLLARS_PER_MINUTE = Rule.MAX_ORDERS_PER_MINUTE, Rule.MAX_NOTIONAL_PER_MINUTE
_MESSAGES_PER_MINUTE, _REPEATED = Rule.MAX_MESSAGES_PER_MINUTE, Rule.MAX_REPEATED_ORDERS
_PER_DAY, _DOLLARS_PER_DAY = Rule.MAX_ORDERS_PER_DAY, Rule.MAX_NOTIONAL_PER_DAY


def check_strategy_armed(case: Case) -> CheckResult | None:
    """The strategy was not stopped as a runaway since a person's last reset, or the order is a way out."""
    why = case.traffic.disarmed.get(case.order.strategy)
    if not why or case.shrinks:
        return None
    return CheckResult(Rule.STRATEGY_ARMED, False, detail=why)


def check_orders_per_minute(case: Case) -> CheckResult | None:
    """With this one, at most `max_orders_per_minute` orders and changes left within the last minute."""
    return counted(_PER_MINUTE, case.traffic.minute.orders + 1, case.limits.max_orders_per_minute, case.shrinks)


def check_notional_per_minute(case: Case) -> CheckResult | None:
    """With this one, the orders of the last minute add up to at most `max_notional_per_minute` dollars."""
    return _valued(_DOLLARS_PER_MINUTE, case, case.traffic.minute.notional, case.limits.max_notional_per_minute)


def check_messages_per_minute(case: Case) -> CheckResult | None:
    """With this one, at most `max_messages_per_minute` requests left within the last minute, cancels included.

    A broker that takes fewer requests a minute sets the limit itself.
    """
    if case.crowded and not case.shrinks:
        return CheckResult(_MESSAGES_PER_MINUTE, False, detail=case.crowded)
    messages = case.traffic.minute.messages
    return counted(_MESSAGES_PER_MINUTE, messages + 1, case.limits.max_messages_per_minute, case.shrinks)


def check_replaces_per_minute(case: Case) -> CheckResult | None:
    """With this change, at most `max_replaces_per_minute` changes of open orders left within the last minute."""
    if case.replaced is None:
        return None
    replaces = case.traffic.minute.replaces
    return counted(Rule.MAX_REPLACES_PER_MINUTE, replaces + 1, case.limits.max_replaces_per_minute, case.shrinks)


def check_cancel_ratio(case: Case) -> CheckResult | None:
    """For each new order of the last minute, this one included, at most `max_cancel_ratio` cancels and changes left.

    Asked from `cancel_ratio_from` cancels and changes on: fewer say nothing.
    """
    limit, left = case.limits.max_cancel_ratio, case.traffic.minute
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
    multiple = case.limits.max_order_multiple
    if case.shrinks or multiple is None:
        return None
    usual = case.traffic.usual_of(case.order.strategy)
    if usual is None:
        return None
    if case.price is None:
        return CheckResult(Rule.MAX_ORDER_MULTIPLE, False, None, multiple * usual, _USD, "no usable quote")
    return at_most(Rule.MAX_ORDER_MULTIPLE, case.value, multiple * usual, _USD)


def check_orders_per_day(case: Case) -> CheckResult | None:
    """With this one, at most `max_orders_per_day` orders and changes left on this day of the exchange."""
    return counted(_PER_DAY, case.traffic.day_orders + 1, case.limits.max_orders_per_day, case.shrinks)


def check_notional_per_day(case: Case) -> CheckResult | None:
    """With this one, the orders of this day of the exchange add up to at most `max_notional_per_day` dollars."""
    return _valued(_DOLLARS_PER_DAY, case, case.traffic.day_notional, case.limits.max_notional_per_day)


def check_turnover(case: Case) -> CheckResult | None:
    """With this one, the orders of this day of the exchange are within `max_turnover_per_day` times equity."""
    limit = case.limits.max_turnover_per_day
    return None if limit is None else _valued(Rule.MAX_TURNOVER, case, case.traffic.day_notional, limit * case.equity)


def check_repeated_orders(case: Case) -> CheckResult | None:
    """The strategy sent at most `max_repeated_orders` orders of this symbol and side within `repeat_window_s`.

    One more stops the strategy until a person resets the kill switch.
    """
    if case.shrinks:
        return None
    return counted(_REPEATED, case.traffic.repeats_of(case.order) + 1, case.limits.max_repeated_orders, False)


def _valued(rule: Rule, case: Case, before: Decimal, limit: Decimal) -> CheckResult | None:
    if case.price is None:
        return None if case.shrinks else CheckResult(rule, False, None, limit, _USD, "no usable quote")
    total = before + case.value
    return CheckResult(rule, total <= limit or case.shrinks, total, limit, _USD)
