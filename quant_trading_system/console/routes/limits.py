"""The limits of the account as they stand, how they came about, and what waits for people."""

from __future__ import annotations

from typing import Any

from quant_trading_system.app.limits_desk import (
    Governed,
    LimitsShown,
    Version,
    Waiting,
    limits_shown,
    read_governed,
    waiting_at,
)
from quant_trading_system.app.readings.headroom import Headroom
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.console.routes.reads import account_overview
from quant_trading_system.core.roles import Role

LIMITS = RouteTable("Limits")


class LimitsAndRoom(LimitsShown, kw_only=True):
    """The limits in force, and what is left of those that are about the whole account."""

    headroom: tuple[Headroom, ...]


@LIMITS.read("/v1/limits", Role.VIEWER, LimitsAndRoom)
def limits(ask: Ask[Any]) -> LimitsAndRoom:
    """Every limit in force, what is raised or waits for people, and how much room the account has left."""
    shown = limits_shown(_governed(ask), ask.desk.clock.now())
    return LimitsAndRoom(version=shown.version, limits=shown.limits, headroom=account_overview(ask).headroom)


@LIMITS.read("/v1/limits/history", Role.VIEWER, tuple[Version, ...])
def limits_history(ask: Ask[Any]) -> tuple[Version, ...]:
    """Every version of the limits, oldest first: when, who, from, to and why."""
    return tuple(_governed(ask).versions)


@LIMITS.read("/v1/approvals", Role.VIEWER, Waiting)
def approvals(ask: Ask[Any]) -> Waiting:
    """What waits for people: limits that let more through, and orders beyond a soft limit."""
    return waiting_at(_governed(ask), ask.desk.clock.now())


def _governed(ask: Ask[Any]) -> Governed:
    return read_governed(ask.desk.books().reader())
