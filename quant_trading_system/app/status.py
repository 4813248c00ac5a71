"""May orders leave, and what stands in the way: one answer for `qts status` and for the interface of a console."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.open_breaks import open_alarms, open_breaks
from quant_trading_system.app.readings.readiness import Readiness
from quant_trading_system.risk.halt_state import Halt, LatchState
from quant_trading_system.risk.reset import standing

_SHOWN_ELSEWHERE = frozenset({"halt", "machine", "books"})


class HaltStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One halt.

    Attributes:
        scope: in words: ``the account``, or what narrows it.
        level: ``running``, ``reducing``, ``halted`` or ``flattening``.
        reason: all reasons since it became active; `by`: who was first; `at`: when (UTC, ISO 8601).
        numbers: what tripped it, as text.
        approvals: who has approved to resume; `missing`: what is still needed for that, empty when nothing is.
        persons: how many must approve.
    """

    scope: str
    level: str
    reason: str
    by: str
    at: str
    activation: int
    numbers: dict[str, str] = {}
    approvals: tuple[str, ...] = ()
    missing: str = ""
    persons: int = 1

    @property
    def is_active(self) -> bool:
        """Something is stopped."""
        return self.level != "running"


class AccountStatus(HaltStatus, frozen=True, kw_only=True):
    """The halt of the account, and everything else that keeps orders from leaving.

    Attributes:
        scopes: halts of parts of the account.
        probation_until: limits on size are reduced until then, by `probation_factor`; empty when they are not.
        host_level, host_reason, host_at: the halt of everything on the machine.
        breaks: differences from the broker; `exits`: groups of orders whose exits are not in order.
        why_not: what else stands in the way, one line each.
    """

    scopes: tuple[HaltStatus, ...]
    probation_until: str
    probation_factor: Decimal
    host_level: str
    host_reason: str
    host_at: str
    breaks: tuple[str, ...]
    exits: tuple[str, ...]
    why_not: tuple[str, ...]

    @property
    def stops_something(self) -> bool:
        """The account, a part of it or the machine is halted."""
        return self.is_active or bool(self.scopes) or self.host_level != "running"


class HaltsNow(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stops orders of the account.

    Attributes:
        scopes: halts of a part of the account.
        authorized: who may let orders leave again; any named person when empty.
        probation_until: limits on size are reduced until then (UTC, ISO 8601); empty when they are not.
    """

    account: HaltStatus
    machine: HaltStatus
    scopes: tuple[HaltStatus, ...]
    authorized: tuple[str, ...]
    probation_until: str


def halt_status(state: LatchState, halt: Halt, now: datetime) -> HaltStatus:
    """One halt of a latch."""
    stands = standing(halt, state.policy, now)
    return HaltStatus(
        scope=str(halt.scope),
        level=halt.level.name.lower(),
        reason=halt.reason,
        by=halt.by,
        at=halt.at,
        activation=halt.activation,
        numbers=halt.numbers,
        approvals=tuple(approval.by for approval in stands.approvals),
        missing=stands.missing if halt.level else "",
        persons=stands.needed,
    )


def account_status(
    directory: Path, state: LatchState, host: LatchState, ready: Readiness | None, now: datetime
) -> AccountStatus:
    """The account in `directory`, whose latch holds `state`, on a machine whose latch holds `host`.

    Args:
        ready: what trading needs; None without a journal.
    """
    checks = () if ready is None else ready.checks
    found = (check for check in checks if check.is_well is False and check.name not in _SHOWN_ELSEWHERE)
    return AccountStatus(
        **msgspec.structs.asdict(halt_status(state, state.halt_of(), now)),
        scopes=tuple(halt_status(state, halt, now) for halt in state.stopped_scopes),
        probation_until=state.probation_until if state.on_probation(now) else "",
        probation_factor=state.policy.probation_factor,
        host_level=host.level.name.lower(),
        host_reason=host.reason,
        host_at=host.at,
        breaks=tuple(open_breaks(directory / JOURNAL_FILE)),
        exits=tuple(open_alarms(directory / JOURNAL_FILE)),
        why_not=tuple(f"{check.name}: {check.says}" for check in found),
    )
