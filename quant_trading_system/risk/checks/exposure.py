"""Limits on what the account may hold, in the worst case: position, count, sector, gross, correlation, buying power.

An order that is proven to shrink a position is a way out and passes them all.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.checks.case import Case, at_most, counted

_USD, _SHARES, _RATIO = Unit.USD, Unit.SHARES, Unit.RATIO
_POSITION, _POSITION_QUANTITY, _POSITIONS = Rule.MAX_POSITION, Rule.MAX_POSITION_QUANTITY, Rule.MAX_POSITIONS
_SECTOR, _GROSS, _CORRELATION, _POWER = Rule.MAX_SECTOR, Rule.MAX_GROSS, Rule.MAX_CORRELATION, Rule.BUYING_POWER


def check_position(case: Case) -> CheckResult | None:
    """In the worst case the position is within `max_position_pct` of equity, or shrinking."""
    return _sized(_POSITION, case, case.worst_value, case.limits.max_position_pct)


def check_position_notional(case: Case) -> CheckResult | None:
    """In the worst case the position is within `max_position_notional` dollars, or shrinking."""
    limit = case.limits.max_position_notional
    if case.shrinks or limit is None:
        return None
    if case.price is None:
        return CheckResult(Rule.MAX_POSITION_NOTIONAL, False, None, limit, Unit.USD, "no usable quote")
    return at_most(Rule.MAX_POSITION_NOTIONAL, case.worst_value, limit, Unit.USD)


def check_concentration(case: Case) -> CheckResult | None:
    """The squares of all worst-case values, as fractions of equity, add up to `max_concentration`, or it is a way out.

    The Herfindahl index of the book, measured by equity: n equal positions of everything make 1/n.
    """
    rule, limit = Rule.MAX_CONCENTRATION, case.limits.max_concentration
    if case.shrinks or limit is None:
        return None
    if case.price is None or case.equity <= 0:
        return CheckResult(rule, False, None, limit, Unit.RATIO, "no usable quote, or no equity")
    before = case.worst_value - case.added_value
    squares = case.portfolio.worst_squares + case.worst_value * case.worst_value - before * before
    return at_most(rule, squares / (case.equity * case.equity), limit, Unit.RATIO)


def check_position_quantity(case: Case) -> CheckResult | None:
    """In the worst case the position is within `max_position_quantity` shares, or shrinking."""
    if case.shrinks:
        return None
    quantity, limit = case.worst_quantity, case.limits.max_position_quantity
    return CheckResult(_POSITION_QUANTITY, quantity <= limit, quantity, limit, _SHARES)


def check_position_count(case: Case) -> CheckResult | None:
    """With this order at most `max_portfolio_positions` symbols are held or being opened."""
    symbols = case.portfolio.open_symbols
    opens = case.order.symbol not in symbols
    return counted(_POSITIONS, len(symbols) + opens, case.limits.max_portfolio_positions, not opens)


def check_sector(case: Case) -> CheckResult | None:
    """In the worst case the sector is within `max_sector_exposure` of equity."""
    sector = case.holding.sector
    total = case.portfolio.sector_worst.get(sector, ZERO) + case.added_value
    return _sized(_SECTOR, case, total, case.limits.max_sector_exposure, sector)


def check_gross(case: Case) -> CheckResult | None:
    """In the worst case all positions together are within `max_gross_exposure` of equity."""
    return _sized(_GROSS, case, case.portfolio.gross_worst + case.added_value, case.limits.max_gross_exposure)


def check_net(case: Case) -> CheckResult | None:
    """In the worst case long less short positions are within `max_net_exposure` of equity, either way."""
    limit = case.limits.max_net_exposure
    if case.shrinks or limit is None:
        return None
    portfolio, value = case.portfolio, abs(case.signed_quantity) * (case.price or ZERO)
    buys, sells = (value, ZERO) if case.signed_quantity > 0 else (ZERO, value)
    most = max(portfolio.market_value + portfolio.buying + buys, portfolio.selling + sells - portfolio.market_value)
    return _sized(Rule.MAX_NET, case, most, limit)


def _sized(rule: Rule, case: Case, value: Decimal, fraction: Decimal, detail: str = "") -> CheckResult | None:
    if case.shrinks:
        return None
    limit = fraction * case.equity
    if case.price is None:
        return CheckResult(rule, False, None, limit, _USD, "no usable quote")
    return CheckResult(rule, value <= limit, value, limit, _USD, detail)


def check_correlation(case: Case) -> CheckResult | None:
    """The returns of the symbol correlate by at most `max_correlation` with those of every symbol held."""
    if case.shrinks:
        return None
    limit = case.limits.max_correlation
    if not case.correlation_known:
        why = f"too few common returns with {case.correlated_with}"
        return CheckResult(_CORRELATION, False, None, limit, _RATIO, why)
    if case.correlated is None:
        return CheckResult(_CORRELATION, True, None, limit, _RATIO, "nothing else is held")
    return at_most(_CORRELATION, case.correlated, limit, _RATIO, f"with {case.correlated_with}")


def check_marginable(case: Case) -> CheckResult | None:
    """What cannot be bought with borrowed money is covered by equity that nothing else uses, or it is a way out."""
    instrument = case.instrument
    if case.shrinks or instrument is None or instrument.marginable:
        return None
    free = case.equity - case.portfolio.gross_worst
    if case.price is None:
        return CheckResult(Rule.MARGINABLE, False, None, free, Unit.USD, "no usable quote")
    return at_most(Rule.MARGINABLE, max(case.added_value, ZERO), free, Unit.USD, "it is not marginable")


def check_buying_power(case: Case) -> CheckResult | None:
    """What the order adds in the worst case is covered by equity times the multiplier, less all that is in use."""
    if case.shrinks:
        return None
    power = case.limits.buying_power_multiplier * case.equity - case.portfolio.gross_worst
    if case.price is None:
        return CheckResult(_POWER, False, None, power, _USD, "no usable quote")
    added = ZERO if case.added_value < ZERO else case.added_value
    return CheckResult(_POWER, added <= power, added, power, _USD)
