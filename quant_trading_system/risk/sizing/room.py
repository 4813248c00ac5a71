"""The room that the limits leave for one order at this moment, in shares.

It asks the books the same questions as the gate does, with worst cases and open orders counted, so that what fits
here passes there. The gate stays the judge: this only saves it from having to refuse.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.holding import Holding
from quant_trading_system.risk.portfolio import Portfolio


class Room(NamedTuple):
    """Signed shares that fit, and the limit that a larger order would break; no rule when all of it fits."""

    quantity: Decimal
    rule: Rule | None = None


def room_for(
    symbol: str, change: Decimal, price: Decimal, lot: Decimal, *, portfolio: Portfolio, limits: RiskLimits
) -> Room:
    """The largest order of the same side, in whole lots, that is at most `change` and within all limits on size.

    Args:
        change: signed shares that are wanted, a multiple of `lot`.
        price: dollars a share at which the gate will value the order.
    """
    with portfolio.lock:
        holding = portfolio.peek(symbol)
        if _broken(holding, change, price, portfolio, limits) is None:
            return Room(change)
        lots = _most_lots(holding, change, price, lot, portfolio, limits)
        rule = _broken(holding, ((lots + 1) * lot).copy_sign(change), price, portfolio, limits)
    quantity = (lots * lot).copy_sign(change)
    too_small = quantity and not holding.shrinks(quantity) and abs(quantity) * price < limits.min_order_notional
    return Room(ZERO, Rule.MIN_NOTIONAL) if too_small else Room(quantity, rule)


def _most_lots(
    holding: Holding, change: Decimal, price: Decimal, lot: Decimal, portfolio: Portfolio, limits: RiskLimits
) -> Decimal:
    """By bisection: what fits is an interval from zero, for every limit grows with the order."""
    fits, breaks = 0, int(abs(change) / lot)
    while breaks - fits > 1:
        middle = (fits + breaks) // 2
        tried = (middle * lot).copy_sign(change)
        if _broken(holding, tried, price, portfolio, limits) is None:
            fits = middle
        else:
            breaks = middle
    return Decimal(fits)


def _broken(holding: Holding, change: Decimal, price: Decimal, portfolio: Portfolio, limits: RiskLimits) -> Rule | None:
    """The first limit, in the order of the gate, that an order of `change` shares would break."""
    size, equity = abs(change), portfolio.equity
    if size > limits.max_order_quantity:
        return Rule.MAX_QUANTITY
    if size * price > limits.max_order_notional:
        return Rule.MAX_NOTIONAL
    if holding.shrinks(change):
        return None
    _, worst = holding.worst_with(change, price)
    added = worst - holding.worst_value
    opens = holding.position.symbol not in portfolio.open_symbols
    if worst > limits.max_position_pct * equity:
        return Rule.MAX_POSITION
    if opens and len(portfolio.open_symbols) + 1 > limits.max_portfolio_positions:
        return Rule.MAX_POSITIONS
    if portfolio.sector_worst.get(holding.sector, ZERO) + added > limits.max_sector_exposure * equity:
        return Rule.MAX_SECTOR
    if portfolio.gross_worst + added > limits.max_gross_exposure * equity:
        return Rule.MAX_GROSS
    if max(added, ZERO) > limits.buying_power_multiplier * equity - portfolio.gross_worst:
        return Rule.BUYING_POWER
    return None
