"""Reduced limits for the first time after a reset: sizes shrink, everything else stays as it is."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

import msgspec

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import ONE, plain
from quant_trading_system.risk.halt_state import LatchState

SHARES_OF_EQUITY = ("max_position_pct", "max_sector_exposure", "max_gross_exposure")
AMOUNTS = ("max_position_quantity", "max_order_quantity", "max_order_notional")


class Probation:
    """Knows the reduced limits of the moment; they are computed once for each set of limits."""

    def __init__(self) -> None:
        self._known: tuple[RiskLimits, Decimal, RiskLimits] | None = None

    def limits(self, limits: RiskLimits, state: LatchState, now: datetime) -> RiskLimits:
        """`limits`, or what is left of them while `state` says so."""
        if not state.probation_until or not state.on_probation(now):
            return limits
        factor = state.policy.probation_factor
        if self._known is None or self._known[0] is not limits or self._known[1] != factor:
            self._known = limits, factor, reduced(limits, factor)
        return self._known[2]


def reduced(limits: RiskLimits, factor: Decimal) -> RiskLimits:
    """The limits on size multiplied by `factor`; the version names it, so that every decision tells."""
    if factor >= ONE:
        return limits
    changes: dict[str, Decimal | str] = {name: getattr(limits, name) * factor for name in SHARES_OF_EQUITY}
    for name in AMOUNTS:
        changes[name] = max((getattr(limits, name) * factor).to_integral_value(ROUND_FLOOR), ONE)
    changes["version"] = f"{limits.version} x {plain(factor)}"
    return msgspec.structs.replace(limits, **changes)
