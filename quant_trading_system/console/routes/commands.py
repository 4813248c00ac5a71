"""Acting: every command of `core.commands` is a route, carried out by the running engine and answered with its effect.

The engine puts each on record with the principal and the way in before it acts, and acts once for a key. A command
that has no role here has no route.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from quant_trading_system.app.tokens import Role
from quant_trading_system.console.answers import Answered, Refusal
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.commands import (
    COMMANDS,
    AnswerApproval,
    AnyCommand,
    ArmStrategy,
    Cancel,
    CancelAll,
    CancelParent,
    Check,
    Command,
    DisarmStrategy,
    Flatten,
    Halt,
    Outcome,
    PauseParent,
    PlaceOrder,
    ProposeLimits,
    Reconcile,
    ReduceParent,
    ReplaceOrder,
    Result,
    ResumeParent,
    SpeedUpParent,
    StartParent,
)

ROLES: Mapping[type[Command], Role] = {
    PlaceOrder: Role.TRADER,
    Check: Role.TRADER,
    ReplaceOrder: Role.TRADER,
    Cancel: Role.TRADER,
    CancelAll: Role.TRADER,
    Flatten: Role.RISK,
    StartParent: Role.TRADER,
    PauseParent: Role.TRADER,
    ResumeParent: Role.TRADER,
    SpeedUpParent: Role.TRADER,
    ReduceParent: Role.TRADER,
    CancelParent: Role.TRADER,
    ArmStrategy: Role.RISK,
    DisarmStrategy: Role.TRADER,
    Reconcile: Role.TRADER,
    ProposeLimits: Role.RISK,
    AnswerApproval: Role.RISK,
}
"""Who may give which command. To stop something takes less than to let it go on."""
ELSEWHERE: frozenset[type[Command]] = frozenset({Halt})
"""POST /v1/halt works without an engine."""

_ORDER = {"symbol": "KO", "side": "buy", "quantity": "10", "order_type": "limit", "limit_price": "60.10"}
_ORDER_ID = "qts7-124bffc90666-12-0"
_PARENT_ID = "qts7-124bffc90666-13"
_WHY = {"reason": "earnings tonight"}
EXAMPLES: Mapping[type[Command], Mapping[str, object]] = {
    PlaceOrder: _ORDER,
    Check: _ORDER,
    ReplaceOrder: {"order_id": _ORDER_ID, "limit_price": "60.05"},
    Cancel: {"order_id": _ORDER_ID, **_WHY},
    CancelAll: {"symbol": "KO", "keep_exits": True, **_WHY},
    Flatten: _WHY,
    StartParent: {"symbol": "KO", "side": "sell", "quantity": "5000", "algorithm": "twap", "minutes": 60},
    PauseParent: {"parent_id": _PARENT_ID, **_WHY},
    ResumeParent: {"parent_id": _PARENT_ID},
    SpeedUpParent: {"parent_id": _PARENT_ID, "factor": "1.5"},
    ReduceParent: {"parent_id": _PARENT_ID, "quantity": "2500"},
    CancelParent: {"parent_id": _PARENT_ID, **_WHY},
    ArmStrategy: {"strategy": "Trend", **_WHY},
    DisarmStrategy: {"strategy": "Trend", **_WHY},
    Reconcile: {},
    ProposeLimits: {"values": {"risk.max_position_pct": "0.08"}, "why": "earnings season"},
    AnswerApproval: {"approval": "limits-3", "answer": "yes", "content": "5f1c9f86d081"},
}
"""A request of each kind, for the description."""

ACTS = RouteTable("Commands")


async def carry_out(ask: Ask[Any]) -> Answered:
    """Hand the command to the engine, and tell what came of it."""
    command = cast(AnyCommand, ask.given)
    outcome = await ask.desk.door.ask(command, key=ask.key, principal=ask.caller.principal, source=ask.caller.source)
    if outcome.result in (Result.REFUSED, Result.FAILED):
        is_refused = outcome.result is Result.REFUSED
        hint = "nothing was done" if is_refused else "not all of it was done, or nobody knows; look before you repeat"
        code = outcome.rule or outcome.result.value
        raise Refusal(409 if is_refused else 502, code, outcome.message, hint, outcome=outcome)
    return Answered(202 if outcome.result is Result.PENDING else 200, outcome)


for _name, _kind in COMMANDS.items():
    if _kind in ROLES and _kind not in ELSEWHERE:
        ACTS.add_command(f"/v1/commands/{_name}", ROLES[_kind], Outcome, _kind, carry_out, EXAMPLES[_kind])
