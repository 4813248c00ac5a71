"""Soft limits: lower values of the hard limits, beyond which a person has to approve an order."""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.decisions import CheckResult, Rule
from quant_trading_system.risk.checks.case import Case, Waiver
from quant_trading_system.risk.checks.facts import Question

_KEYS = {key.name: key for key in KEYS}
NEEDS_APPROVAL = "needs approval: beyond the soft limit of "
"""How the detail of a refusal begins that a person may lift; the names of the limits follow."""


class SoftLimits(NamedTuple):
    """The soft limits of an account.

    Attributes:
        limits: those in force, each at its soft value where that is tighter.
        checks: the rules that have a soft limit.
    """

    limits: RiskLimits
    checks: tuple[Question, ...]


def with_soft_limits(limits: RiskLimits) -> RiskLimits:
    """The limits within which nobody has to be asked."""
    tighter: dict[str, Decimal | int] = {}
    for entry in limits.soft_limits:
        name, _, text = entry.partition(" ")
        hard, value = tighter.get(name, getattr(limits, name)), _KEYS[name].value_of(text)
        assert isinstance(value, Decimal | int), "whatever has a soft limit is a number"
        if hard is None or value < hard:
            tighter[name] = value
    return msgspec.structs.replace(limits, **tighter) if tighter else limits


def check_soft_limits(case: Case) -> CheckResult | None:
    """The order is within every soft limit, or a way out, or a person has approved it or its parent."""
    soft = case.soft
    if soft is None or case.shrinks:
        return None
    as_if = copy(case)
    as_if.limits = soft.limits
    answers = [answer for asked in soft.checks if (answer := asked.check(as_if)) is not None]
    broken = [answer for answer in answers if not answer.passed]
    if not broken:
        return None
    names = ", ".join(answer.rule for answer in broken)
    obstacle = _obstacle(case, {answer.rule.value for answer in broken})
    detail = obstacle or f"{names}: approved as {case.approval}"
    if obstacle is None:
        detail = f"{NEEDS_APPROVAL}{names}"
    first = broken[0]
    return CheckResult(Rule.SOFT_LIMITS, obstacle == "", first.actual, first.limit, first.unit, detail)


def limits_named_in(detail: str) -> frozenset[str]:
    """The soft limits that a refusal names; none of any other refusal."""
    names = detail.removeprefix(NEEDS_APPROVAL)
    return frozenset() if names == detail else frozenset(names.split(", "))


def _obstacle(case: Case, broken: set[str]) -> str | None:
    """Why the approval that the order bears does not cover it; None when it bears none, empty when it is covered."""
    if not case.approval:
        return None
    waiver = case.sources.waiver(case.approval)
    if waiver is None or not _is_meant(waiver, case):
        return f"{case.approval} is no approval of this order"
    if waiver.until is not None and case.at >= waiver.until:
        return f"{case.approval} has expired"
    if not broken <= waiver.limits:
        return f"{case.approval} does not cover {', '.join(sorted(broken - waiver.limits))}"
    if waiver.mid is None:
        return ""
    moved = None if case.quote is None or case.quote.flaw else abs(case.quote.mid - waiver.mid)
    if moved is None or moved > case.limits.price_collar_pct * waiver.mid:
        return f"the price has moved by more than price_collar_pct since {case.approval} was asked for"
    return ""


def _is_meant(waiver: Waiver, case: Case) -> bool:
    """It is the order that people were shown, or a part of the parent that they were shown."""
    order, shown = case.order, waiver.order
    if not waiver.parent:
        return shown == order.with_id(shown.client_order_id)
    same = (order.symbol, order.side, order.strategy) == (shown.symbol, shown.side, shown.strategy)
    return same and case.parent == waiver.parent and order.quantity <= shown.quantity
