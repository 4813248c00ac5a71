"""The gate's answers for people and programs: every number with its name."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import CheckResult, Rule, Unit


class CheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the gate, with the names that entries of the journal leave out; see `CheckResult`."""

    rule: Rule
    passed: bool
    actual: Decimal | None
    limit: Decimal | None
    headroom: Decimal | None
    unit: Unit
    detail: str


def check_lines(checks: Iterable[CheckResult]) -> tuple[CheckLine, ...]:
    """The same answers for people and programs."""
    return tuple(
        CheckLine(
            rule=check.rule,
            passed=check.passed,
            actual=check.actual,
            limit=check.limit,
            headroom=check.headroom,
            unit=check.unit,
            detail=check.detail,
        )
        for check in checks
    )
