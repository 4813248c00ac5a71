"""Step 1 of the checklist: is the account fit for another order?"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.decisions import CheckResult, Rule, Unit
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.numbers import ZERO, arithmetic_is_exact
from quant_trading_system.risk.checks.case import Case

_USD, _RUNNING = Unit.USD, HaltLevel.RUNNING
_ACCOUNT_KNOWN, _DAILY_LOSS, _DRAWDOWN = Rule.ACCOUNT_KNOWN, Rule.MAX_DAILY_LOSS, Rule.MAX_DRAWDOWN


def check_kill_switch(case: Case) -> CheckResult | None:
    """The kill switch is inactive, or the order shrinks a position at a level that allows exits."""
    level = case.halt_level
    if level is _RUNNING:
        return None
    exits = level in (HaltLevel.REDUCING, HaltLevel.FLATTENING)
    return CheckResult(Rule.KILL_SWITCH, exits and case.shrinks, detail=f"{level.name.lower()}: {case.halt_reason}")


def check_exact_arithmetic(case: Case) -> CheckResult | None:  # noqa: ARG001 - every check takes the case
    """This thread computes with at least 28 digits and raises on invalid operations."""
    if arithmetic_is_exact():
        return None
    return CheckResult(Rule.EXACT_ARITHMETIC, False, detail="the decimal context of this thread was changed")


def check_account_known(case: Case) -> CheckResult | None:
    """Every position has a price and equity is above zero; without it no share of equity means anything."""
    if case.shrinks:
        return None
    if case.portfolio.unmarked:
        return CheckResult(_ACCOUNT_KNOWN, False, detail=f"no price yet for {min(case.portfolio.unmarked)}")
    return CheckResult(_ACCOUNT_KNOWN, case.equity > ZERO, case.equity, None, _USD, "equity")


def check_watched(case: Case) -> CheckResult | None:
    """A watchdog is there to stop the account should the engine hang, unless the order is a way out."""
    if not case.unwatched or case.shrinks:
        return None
    return CheckResult(Rule.WATCHED, False, detail=case.unwatched)


def check_reconciled(case: Case) -> CheckResult | None:
    """Our books agree with the broker's, for the symbol and the account, or the order is a way out by both."""
    if not case.unreconciled:
        return None
    if not case.shrinks:
        return CheckResult(Rule.RECONCILED, False, detail=case.unreconciled)
    leaving = case.holding.sells if case.signed_quantity < 0 else case.holding.buys
    wanted, room = leaving + case.quantity, abs(case.agreed)
    return CheckResult(Rule.RECONCILED, wanted <= room, wanted, room, Unit.SHARES, case.unreconciled)


def check_daily_loss(case: Case) -> CheckResult | None:
    """Today's loss is within `max_daily_loss_pct` of the equity that the day began with."""
    return _loss(_DAILY_LOSS, case, case.portfolio.day_start_equity, case.limits.max_daily_loss_pct)


def check_drawdown(case: Case) -> CheckResult | None:
    """The loss from the peak is within `max_drawdown_pct` of the peak."""
    return _loss(_DRAWDOWN, case, case.portfolio.peak_equity, case.limits.max_drawdown_pct)


def _loss(rule: Rule, case: Case, base: Decimal, fraction: Decimal) -> CheckResult:
    change, limit = base - case.equity, fraction * base
    loss = ZERO if change < ZERO else change
    return CheckResult(rule, loss <= limit or case.shrinks, loss, limit, _USD)
