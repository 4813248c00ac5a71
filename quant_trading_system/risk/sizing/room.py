"""The room that the limits leave for one order at this moment, in shares.

The gate's own checks on size are asked about orders of other sizes, so that what fits here passes there. The gate
stays the judge: this only saves it from having to refuse.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.exceptions import TradingError
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.risk.checks.case import Case
from quant_trading_system.risk.order_value import weigh
from quant_trading_system.risk.pre_trade import PreTradeRiskChecker


class Room(NamedTuple):
    """Signed shares that fit, and the limit that a larger order would break; no rule when all of it fits."""

    quantity: Decimal
    rule: Rule | None = None


def room_for(
    symbol: str, change: Decimal, price: Decimal, lot: Decimal, *, checker: PreTradeRiskChecker, strategy: str = ""
) -> Room:
    """The largest order of the same side, in whole lots, that is at most `change` and within all limits on size.

    Nothing, where that is worth less than an order must be.

    Soft limits count like hard ones: a size that was chosen here needs nobody's approval.

    Args:
        change: signed shares that are wanted, a multiple of `lot`.
        price: dollars a share at which the gate will value the order.
        strategy: whose order it is, for its budget.
    """
    probe = _Probe(checker, symbol, price, strategy)
    with checker.lock:
        quantity, rule = change, probe.broken(change)
        if rule is not None:
            lots = _most_lots(probe, change, lot)
            rule = probe.broken(((lots + 1) * lot).copy_sign(change))
            quantity = (lots * lot).copy_sign(change)
        too_small = quantity and probe.is_too_small(quantity)
    return Room(ZERO, Rule.MIN_NOTIONAL) if too_small else Room(quantity, rule)


def _most_lots(probe: _Probe, change: Decimal, lot: Decimal) -> Decimal:
    """By bisection: what fits is an interval from zero, for every limit grows with the order.

    Beta, value at risk and shortfall may fall first where the order hedges; what fits is then found all the same, as
    long as the book is within them without the order.
    """
    fits, breaks = 0, int(abs(change) / lot)
    while breaks - fits > 1:
        middle = (fits + breaks) // 2
        if probe.broken((middle * lot).copy_sign(change)) is None:
            fits = middle
        else:
            breaks = middle
    return Decimal(fits)


class _Probe:
    """Asks the checks on size about one order after the other; what cannot be read leaves no room."""

    def __init__(self, checker: PreTradeRiskChecker, symbol: str, price: Decimal, strategy: str) -> None:
        self._checker = checker
        self._symbol = symbol
        self._price = price
        self._strategy = strategy
        self._limits, self._checks = checker.on_size.under(checker.limits_in_force)

    def broken(self, change: Decimal) -> Rule | None:
        """The first limit, in the order of the gate, that an order of `change` shares would break."""
        try:
            case = self._case(change)
            answers = (check(case) for check in self._checks)
            return next((answer.rule for answer in answers if answer is not None and not answer.passed), None)
        except TradingError:
            return Rule.CHECK_FAILED

    def is_too_small(self, change: Decimal) -> bool:
        """True when an order of `change` shares is no way out and not worth enough."""
        shrinks = self._checker.case_of(self._order(change)).holding.shrinks(change)
        return not shrinks and abs(change) * self._price < self._limits.min_order_notional

    def _order(self, change: Decimal) -> Order:
        return Order(
            symbol=self._symbol,
            side=OrderSide.BUY if change > 0 else OrderSide.SELL,
            quantity=abs(change),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            strategy=self._strategy,
        )

    def _case(self, change: Decimal) -> Case:
        case = self._checker.case_of(self._order(change))
        case.limits, case.price = self._limits, self._price
        case.traffic.look()
        weigh(case, abs(change), self._price)
        return case
