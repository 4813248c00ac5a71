"""Acting: every command of `core.commands` is a route, carried out by the running engine and answered with its effect.

The engine puts each on record with the principal and the way in before it acts, and acts once for a key. What a command
takes of the one who gives it, and an example, stand beside the command.
"""

from __future__ import annotations

from typing import Any, cast

from quant_trading_system.console.answers import Answered, Refusal
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.command import Command
from quant_trading_system.core.commands import COMMANDS, AnyCommand, Halt, Outcome, Result

ELSEWHERE: frozenset[type[Command]] = frozenset({Halt})
"""POST /v1/halt works without an engine."""

ACTS = RouteTable("Commands")


async def carry_out(ask: Ask[Any]) -> Answered:
    """Hand the command to the engine, and tell what came of it."""
    command = cast(AnyCommand, ask.given)
    outcome = await ask.desk.carry_out(command, ask.key, ask.caller)
    if outcome.result in (Result.REFUSED, Result.FAILED):
        is_refused = outcome.result is Result.REFUSED
        hint = "nothing was done" if is_refused else "not all of it was done, or nobody knows; look before you repeat"
        code = outcome.rule or outcome.result.value
        raise Refusal(409 if is_refused else 502, code, outcome.message, hint, outcome=outcome)
    return Answered(202 if outcome.result is Result.PENDING else 200, outcome)


for _name, _kind in COMMANDS.items():
    if _kind not in ELSEWHERE:
        ACTS.add_command(f"/v1/commands/{_name}", _kind.needs, Outcome, _kind, carry_out, _kind.example)
