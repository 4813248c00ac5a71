"""The limits of the account as they stand, how they came about, and what waits for people."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from quant_trading_system.app.limits_desk import Governed, LimitLine, Version, lines_of, read_governed, version_in_force
from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.console.routes.reads import account_overview
from quant_trading_system.core.roles import Role
from quant_trading_system.journal.approval_fold import ApprovalView

LIMITS = RouteTable("Limits")


class LimitsAndRoom(msgspec.Struct, frozen=True, kw_only=True):
    """The limits in force, and what is left of those that are about the whole account.

    Attributes:
        version: their hash, as every verdict names it.
    """

    version: str
    limits: tuple[LimitLine, ...]
    headroom: tuple[Headroom, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Approvals that have not ended at `at`, oldest first."""

    at: datetime
    approvals: tuple[ApprovalView, ...]


@LIMITS.read("/v1/limits", Role.VIEWER, LimitsAndRoom)
def limits(ask: Ask[Any]) -> LimitsAndRoom:
    """Every limit in force, what is raised or waits for people, and how much room the account has left."""
    governed, now = _governed(ask), ask.desk.clock.now()
    return LimitsAndRoom(
        version=version_in_force(governed, now),
        limits=tuple(lines_of(governed, now)),
        headroom=account_overview(ask).headroom,
    )


@LIMITS.read("/v1/limits/history", Role.VIEWER, tuple[Version, ...])
def limits_history(ask: Ask[Any]) -> tuple[Version, ...]:
    """Every version of the limits, oldest first: when, who, from, to and why."""
    return tuple(_governed(ask).versions)


@LIMITS.read("/v1/approvals", Role.VIEWER, Waiting)
def approvals(ask: Ask[Any]) -> Waiting:
    """What waits for people: limits that let more through, and orders beyond a soft limit."""
    now = ask.desk.clock.now()
    return Waiting(at=now, approvals=tuple(view for view in _governed(ask).waiting if now < view.expires_at))


def _governed(ask: Ask[Any]) -> Governed:
    return read_governed(ask.desk.books().reader())
