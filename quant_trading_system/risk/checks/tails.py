"""What the book may lose in a bad market: beta, value at risk and expected shortfall with the order in it.

The worst case counts: every symbol with the open orders of the side that makes it larger. All are off by default, and
an order that is proven to shrink a position is a way out and passes them all.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.checks.case import Case, at_most, at_stake
from quant_trading_system.risk.holding import Holding
from quant_trading_system.risk.portfolio import Portfolio

Ranges = dict[str, tuple[Decimal, Decimal]]
"""The lowest and the highest signed dollars of each position."""
_NO_QUOTE = "no usable quote"


def check_beta(case: Case) -> CheckResult | None:
    """In the worst case the positions times their betas add up to at most `max_beta_exposure` of equity, either way."""
    rule, share = Rule.MAX_BETA, case.limits.max_beta_exposure
    if case.shrinks or share is None:
        return None
    limit = share * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, Unit.USD, _NO_QUOTE)
    reach, unknown = beta_reach(_ranges(case, case.price), case.sources.beta)
    if reach is None:
        return CheckResult(rule, False, None, limit, Unit.USD, f"the beta of {unknown} is unknown")
    return at_most(rule, reach, limit, Unit.USD)


def beta_reach(ranges: Ranges, beta_of: Callable[[str], Decimal | None]) -> tuple[Decimal | None, str]:
    """The most that positions times betas can add up to, either way, dollars; None and a symbol without a beta."""
    up = down = ZERO
    for symbol, (low, high) in ranges.items():
        beta = beta_of(symbol)
        if beta is None:
            return None, symbol
        up += max(beta * low, beta * high)
        down += min(beta * low, beta * high)
    return max(up, -down), ""


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
    after = case.sources.tail(larger_ends(ranges))
    if after is None:
        return CheckResult(rule, False, None, limit, Unit.USD, "some past returns are unknown")
    if after[measure] <= limit:
        return at_most(rule, after[measure], limit, Unit.USD)
    ranges[case.order.symbol] = _range(case.holding, ZERO, ZERO)
    before = case.sources.tail(larger_ends(ranges))
    lower = before is not None and after[measure] < before[measure]
    return CheckResult(rule, lower, after[measure], limit, Unit.USD, "the order lowers it" if lower else "")


def ranges_of(portfolio: Portfolio, leaving_out: str = "") -> Ranges:
    """The signed dollars between which each position may end, but for one symbol; by name, so that runs are alike."""
    names = sorted(portfolio.open_symbols - {leaving_out})
    return {name: _range(portfolio.holding(name), ZERO, ZERO) for name in names}


def larger_ends(ranges: Ranges) -> dict[str, Decimal]:
    """Of each position the end that is farther from nothing, signed dollars."""
    return {symbol: high if high >= -low else low for symbol, (low, high) in ranges.items()}


def _ranges(case: Case, price: Decimal) -> Ranges:
    """The same with the order."""
    symbol = case.order.symbol
    found = ranges_of(case.portfolio, leaving_out=symbol)
    found[symbol] = _range(case.holding, at_stake(case).copy_sign(case.signed_quantity), price)
    return found


def _range(held: Holding, change: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    value = held.position.market_value
    low = value - held.selling + min(change, ZERO) * price
    high = value + held.buying + max(change, ZERO) * price
    return low, high
