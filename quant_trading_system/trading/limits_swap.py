"""Other limits in force everywhere at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from quant_trading_system.config.loader import limits_as_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import AnyEvent
from quant_trading_system.journal.approval_fold import ApprovalFold
from quant_trading_system.journal.limits_fold import LimitsFold
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.limits_governance import LimitsGovernance
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.reset import policy_of


class UsesLimits(Protocol):
    """Whoever keeps limits, or what follows from them."""

    def use_limits(self, limits: RiskLimits) -> None:
        """Go by other limits from now on."""


class SyncedJournal(Protocol):
    """What durable records need of a journal."""

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Add an entry; its sequence number."""

    def sync(self) -> None:
        """Make everything appended so far survive a crash."""


def durable_record(journal: SyncedJournal) -> Callable[[AnyEvent], int]:
    """Writes an event, and comes back once it survives a crash."""

    def record(event: AnyEvent) -> int:
        seq = journal.append(event)
        journal.sync()
        return seq

    return record


def new_governance(limits: RiskLimits, journal: SyncedJournal, clock: Clock) -> LimitsGovernance:
    """Of an account without a past and without real money: what it begins with is approved."""
    fold = LimitsFold()
    fold.book.approved = limits_as_text(limits)
    record = durable_record(journal)
    return LimitsGovernance(fold, ApprovalFold(), record=record, clock=clock, is_live=False, defaults=limits)


def swap_of(
    portfolio: Portfolio, kill_switch: KillSwitch, parts: Iterable[UsesLimits], *, is_live: bool
) -> Callable[[RiskLimits], None]:
    """Puts other limits in force in one step: no order is judged by some of the new ones and some of the old."""
    parts = tuple(parts)

    def swap(limits: RiskLimits) -> None:
        with portfolio.lock:
            for part in parts:
                part.use_limits(limits)
        kill_switch.govern(limits.authorized_resetters, policy_of(limits, live=is_live))

    return swap
