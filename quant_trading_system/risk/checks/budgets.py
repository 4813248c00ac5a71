"""What one strategy may use of the account: its own value, loss and orders, within the limits of the account.

A strategy without a budget is bound by the account alone. An order that is proven to shrink a position passes.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.named_entries import Budget, budgets_in
from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.risk.checks.case import Case, at_most, at_stake
from quant_trading_system.risk.portfolio import Portfolio


def check_strategy_value(case: Case) -> CheckResult | None:
    """The positions of the strategy and its open orders, this one included, are worth at most its budget."""
    budget = _budget(case)
    if budget is None or budget.value is None:
        return None
    rule, strategy = Rule.STRATEGY_VALUE, case.order.strategy
    if case.price is None:
        return CheckResult(rule, False, None, budget.value, Unit.USD, "no usable quote")
    makes_way = "" if case.replaced is None else case.replaced.order.client_order_id
    value = strategy_value(case.portfolio, strategy, case.sources.shares_of(strategy), makes_way)
    return at_most(rule, value + at_stake(case) * case.price, budget.value, Unit.USD, strategy)


def strategy_value(portfolio: Portfolio, strategy: str, shares: dict[str, Decimal], makes_way: str = "") -> Decimal:
    """Dollars of a strategy's positions and its open orders, but for exits and the order that makes way.

    Args:
        shares: signed shares of the strategy by symbol.
    """
    value = sum((abs(_value(portfolio, symbol, held)) for symbol, held in shares.items()), ZERO)
    for symbol in portfolio.open_symbols:
        held = shares.get(symbol, ZERO)
        for room in portfolio.holding(symbol).orders.values():
            if room.order is None or room.order.strategy != strategy or room.is_leg:
                continue
            if room.order_id != makes_way and room.leaves * held >= 0:
                value += abs(room.leaves) * room.price
    return value


def check_strategy_loss(case: Case) -> CheckResult | None:
    """What the strategy lost today, and is losing in what it holds, is within its budget, or it is a way out."""
    budget = _budget(case)
    if budget is None or budget.loss is None:
        return None
    rule, strategy = Rule.STRATEGY_LOSS, case.order.strategy
    realized = case.sources.realized_today(strategy)
    if realized is None:
        return CheckResult(rule, False, None, budget.loss, Unit.USD, "past fills are unknown")
    loss = strategy_loss(case.portfolio, case.sources.shares_of(strategy), realized)
    return at_most(rule, loss, budget.loss, Unit.USD, strategy)


def strategy_loss(portfolio: Portfolio, shares: dict[str, Decimal], realized: Decimal) -> Decimal:
    """Dollars that a strategy lost today and is losing in what it holds, at least 0; `realized` today."""
    gained = sum((_gain(portfolio, symbol, held) for symbol, held in shares.items()), realized)
    return max(-gained, ZERO)


def check_strategy_orders(case: Case) -> CheckResult | None:
    """With this one, the strategy sent at most as many orders and changes today as its budget says."""
    budget = _budget(case)
    if budget is None or budget.orders is None:
        return None
    strategy = case.order.strategy
    sent = Decimal(case.traffic.orders_of(strategy) + 1)
    return at_most(Rule.STRATEGY_ORDERS, sent, Decimal(budget.orders), Unit.COUNT, strategy)


def _budget(case: Case) -> Budget | None:
    return None if case.shrinks else budgets_in(case.limits.strategy_budgets).get(case.order.strategy)


def _value(portfolio: Portfolio, symbol: str, shares: Decimal) -> Decimal:
    mark = portfolio.peek(symbol).position.mark
    return ZERO if mark is None else shares * mark


def _gain(portfolio: Portfolio, symbol: str, shares: Decimal) -> Decimal:
    """Dollars that the strategy's part of a position gained since it was opened, at its average cost."""
    position = portfolio.peek(symbol).position
    if not position.quantity:
        return ZERO
    return LEDGER.multiply(shares, position.unrealized_pnl) / position.quantity
