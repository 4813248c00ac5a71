"""What the book may lose in a bad market: beta, value at risk and expected shortfall with the order in it.

The worst case counts: every symbol with the open orders of the side that makes it larger. All are off by default, and
an order that is proven to shrink a position is a way out and passes them all.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.checks.case import Case, at_most, at_stake
from quant_trading_system.risk.holding import Holding

_NO_QUOTE = "no usable quote"


def check_beta(case: Case) -> CheckResult | None:
    """In the worst case the positions times their betas add up to at most `max_beta_exposure` of equity, either way."""
    rule, share = Rule.MAX_BETA, case.limits.max_beta_exposure
    if case.shrinks or share is None:
        return None
    limit = share * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, _NO_QUOTE)
    up = down = ZERO
    for symbol, (low, high) in _ranges(case, case.price).items():
        beta = case.sources.beta(symbol)
        if beta is None:
            return CheckResult(rule, False, None, limit, Unit.USD, f"the beta of {symbol} is unknown")
        up += max(beta * low, beta * high)
        down += min(beta * low, beta * high)
    return at_most(rule, max(up, -down), limit, Unit.USD)


def check_var(case: Case) -> CheckResult | None:
    """With the order, the historical value at risk (95 %, one bar) is within `max_var_95_pct` of equity, or lower."""
    return _within_tail(Rule.MAX_VAR, case, case.limits.max_var_95_pct, 0)


def check_shortfall(case: Case) -> CheckResult | None:
    """With the order, the expected shortfall (95 %, one bar) is within `max_es_95_pct` of equity, or lower."""
    return _within_tail(Rule.MAX_ES, case, case.limits.max_es_95_pct, 1)


def _within_tail(rule: Rule, case: Case, share: Decimal | None, measure: int) -> CheckResult | None:
    if case.shrinks or share is None:
        return None
    limit = share * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, _NO_QUOTE)
    ranges = _ranges(case, case.price)
    after = case.sources.tail({symbol: _larger(*ends) for symbol, ends in ranges.items()})
    if after is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "some past returns are unknown")
    if after[measure] <= limit:
        return at_most(rule, after[measure], limit, Unit.USD)
    ranges[case.order.symbol] = _range(case.holding, ZERO, ZERO)
    before = case.sources.tail({symbol: _larger(*ends) for symbol, ends in ranges.items()})
    lower = before is not None and after[measure] < before[measure]
    return CheckResult(rule, lower, after[measure], limit, Unit.USD, "the order lowers it" if lower else "")


def _ranges(case: Case, price: Decimal) -> dict[str, tuple[Decimal, Decimal]]:
    """The signed dollars between which each position may end, the order counted."""
    portfolio, symbol = case.portfolio, case.order.symbol
    found = {name: _range(portfolio.holding(name), ZERO, ZERO) for name in portfolio.open_symbols if name != symbol}
    found[symbol] = _range(case.holding, at_stake(case).copy_sign(case.signed_quantity), price)
    return found


def _range(held: Holding, change: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    value = held.position.market_value
    low = value - held.selling + min(change, ZERO) * price
    high = value + held.buying + max(change, ZERO) * price
    return low, high


def _larger(low: Decimal, high: Decimal) -> Decimal:
    return high if high >= -low else low
