"""The kill route: first in the table, and dependent on nothing but the token file and the latch.

It asks neither the engine nor the journal. The latch is set by a thread that does nothing else, so it works while the
engine hangs or is down, and while everything else of this server waits for a slow disk.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec

from quant_trading_system.app.tokens import Role
from quant_trading_system.console.answers import Refusal
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.core.commands import StopLevel
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch

HALT = RouteTable("Halt")


class HaltOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to stop, and why.

    Attributes:
        reason: goes on record.
        whole_machine: stop every account that shares the state directory.
    """

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500, examples=["prices look wrong"])]
    level: StopLevel = StopLevel.HALTED
    whole_machine: bool = False


class Halted(msgspec.Struct, frozen=True, kw_only=True):
    """What holds now.

    Attributes:
        level: ``reducing``, ``halted`` or ``flattening``; never lower than before.
        reason: all reasons since it became active; `by`: who was first; `at`: when (UTC, ISO 8601).
        effect: what this means, in words.
        follow: where to see that working orders are cancelled.
    """

    level: str
    reason: str
    by: str
    at: str
    activation: int
    effect: str
    follow: str = "/v1/engine"


_EFFECTS = {
    HaltLevel.REDUCING: "only orders proven to shrink a position leave from now on",
    HaltLevel.HALTED: "no order leaves from now on; a running engine cancels what is working",
    HaltLevel.FLATTENING: "no order leaves but those that close positions",
}


@HALT.write("/v1/halt", Role.TRADER, Halted, takes=HaltOrder, needs_key=False)
async def halt(ask: Ask[HaltOrder]) -> Halted:
    """Stop orders now, whether the engine runs, hangs or is down.

    No idempotency key is asked for: to halt twice is to halt once, and nobody should have to think of a key then.
    """
    return await asyncio.get_running_loop().run_in_executor(ask.desk.stopping, _halt, ask)


def _halt(ask: Ask[HaltOrder]) -> Halted:
    path = ask.desk.host_latch if ask.given.whole_machine else ask.desk.latch
    try:
        switch = KillSwitch(latch=FileLatch(path), clock=ask.desk.clock)
    except OSError as error:
        message = f"orders are NOT stopped: the latch cannot be kept ({error.strerror or error})"
        raise Refusal(500, "halt_failed", message, "end the engine's process, and cancel at the broker") from error
    by = f"{ask.caller.principal} ({ask.caller.source.value})"
    switch.activate(ask.given.reason, level=HaltLevel[ask.given.level.name], activated_by=by)
    state = switch.state
    return Halted(
        level=state.level.name.lower(),
        reason=state.reason,
        by=state.by,
        at=state.at,
        activation=state.activation,
        effect=_EFFECTS[state.level],
    )
