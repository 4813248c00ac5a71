"""Reduced limits for the first time after a reset: sizes shrink, everything else stays as it is."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from quant_trading_system.config.named_entries import Budget, budget_in
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import ONE, plain
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.limit_table import TABLE, Shrunk


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
    """The limits on size multiplied by `factor`, as the table of limits says; those that are off stay off.

    The version names the factor, so that every decision tells.
    """
    if factor >= ONE:
        return limits
    changes = {name: _reduced(row.probation, getattr(limits, name), factor) for name, row in TABLE.items()}
    changed = {name: value for name, value in changes.items() if value is not None}
    return msgspec.structs.replace(limits, **changed, version=f"{limits.version} x {plain(factor)}")


def _reduced(how: Shrunk | str, value: Any, factor: Decimal) -> Decimal | tuple[str, ...] | None:
    """What is left of one limit; None for one that stays, or is off."""
    if value is None or not isinstance(how, Shrunk):
        return None
    if how is Shrunk.BUDGETS:
        return tuple(_smaller(budget_in(text), factor) for text in value)
    part: Decimal = value * factor
    return max(part.to_integral_value(ROUND_FLOOR), ONE) if how is Shrunk.WHOLE else part


def _smaller(budget: Budget, factor: Decimal) -> str:
    value = None if budget.value is None else budget.value * factor
    return str(budget._replace(value=value))
