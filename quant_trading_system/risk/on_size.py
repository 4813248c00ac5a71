"""The rules that a smaller order may pass, under the tightest limits: soft ones count like hard ones."""

from __future__ import annotations

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import Rule
from quant_trading_system.risk.checks import CHECKS, Check, is_asked
from quant_trading_system.risk.checks.soft import with_soft_limits

ON_SIZE = frozenset(
    {
        Rule.MAX_QUANTITY,
        Rule.MAX_NOTIONAL,
        Rule.VOLATILITY,
        Rule.MAX_ORDER_MULTIPLE,
        Rule.MAX_ORDER_ADV,
        Rule.MAX_PARTICIPATION,
        Rule.MAX_NOTIONAL_PER_MINUTE,
        Rule.MAX_NOTIONAL_PER_DAY,
        Rule.MAX_TURNOVER,
        Rule.MAX_POSITION_QUANTITY,
        Rule.MAX_POSITION,
        Rule.MAX_POSITION_NOTIONAL,
        Rule.MAX_CONCENTRATION,
        Rule.MAX_POSITIONS,
        Rule.MAX_SECTOR,
        Rule.MAX_GROSS,
        Rule.MAX_NET,
        Rule.BUYING_POWER,
        Rule.MARGINABLE,
        Rule.SETTLED_CASH,
        Rule.MAX_MARGIN_USE,
        Rule.MAX_BETA,
        Rule.MAX_VAR,
        Rule.MAX_ES,
        Rule.STRATEGY_VALUE,
    }
)
"""Rules that a smaller order of the same side may pass."""


class OnSize:
    """Knows the checks on size of the moment; they are found once for each set of limits."""

    def __init__(self) -> None:
        self._known: tuple[RiskLimits, RiskLimits, tuple[Check, ...]] | None = None

    def under(self, limits: RiskLimits) -> tuple[RiskLimits, tuple[Check, ...]]:
        """`limits` with the soft ones in their place, and the checks on size that they ask, as the gate orders them."""
        if self._known is None or self._known[0] is not limits:
            tightest = with_soft_limits(limits)
            asked = tuple(row.check for row in CHECKS if row.rule in ON_SIZE and is_asked(row.rule, tightest))
            self._known = limits, tightest, asked
        return self._known[1:]
