"""The gate's answers for people and programs: every number with its name."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.core.decisions import MINIMUM_RULES, CheckResult, Rule, Unit


class CheckLine(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the gate, with the names that entries of the journal leave out; see `CheckResult`."""

    rule: Rule
    passed: bool
    actual: Decimal | None
    limit: Decimal | None
    headroom: Decimal | None
    unit: Unit
    detail: str


class Use(NamedTuple):
    """How full a limit would be; `share` of it, 1 for all."""

    check: CheckResult
    actual: Decimal
    limit: Decimal
    share: Decimal


def nearest(checks: Iterable[CheckResult], most: int = 6) -> list[Use]:
    """What would be used of the limits that have a ceiling: those that refuse first, then the fullest."""
    found = [
        Use(check, check.actual, check.limit, check.actual / check.limit)
        for check in checks
        if check.actual is not None and check.limit and check.rule not in MINIMUM_RULES
    ]
    return sorted(found, key=lambda use: (use.check.passed, -use.share))[:most]


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
