"""The kill route, and what follows it: looking at the latch, and resuming.

They ask neither the engine nor, but for a resume, the journal. The latch is set by a thread that does nothing else, so
a halt works while the engine hangs or is down, and while everything else of this server waits for a slow disk.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec

from quant_trading_system.app.status import HaltsNow, HaltStatus, halt_status
from quant_trading_system.console.answers import Answered, Refusal
from quant_trading_system.console.declared import Ask, RouteTable
from quant_trading_system.console.desk import Desk
from quant_trading_system.core.commands import StopLevel
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import ResetPending
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.halt_state import Halt, LatchState
from quant_trading_system.risk.latch import look_at

HALT = RouteTable("Halt")

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Name = Annotated[str, msgspec.Meta(max_length=128)]


class Scoped(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a halt is about: the whole account, unless something narrows it.

    Attributes:
        symbol, strategy, side: only such orders; `side` sell means short positions, too.
        whole_machine: every account that shares the state directory, instead of this one.
    """

    symbol: Name = ""
    strategy: Name = ""
    side: OrderSide | None = None
    whole_machine: bool = False

    @property
    def scope(self) -> HaltScope:
        """As the kill switch names it.

        Raises:
            Refusal: the whole machine, and a part of it.
        """
        scope = HaltScope(symbol=self.symbol.strip().upper(), strategy=self.strategy.strip(), side=self.side)
        if self.whole_machine and not scope.is_account:
            raise Refusal(422, "invalid_request", "whole_machine stops everything; leave out symbol, strategy and side")
        return scope


class FlattenOrder(Scoped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to close, and why; the reason goes on record."""

    reason: Reason


class HaltOrder(FlattenOrder, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to stop, how much, and why."""

    level: StopLevel = StopLevel.HALTED


class ResumeOrder(Scoped, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may go on, and why.

    Attributes:
        activation: the number of the halt that you have looked at; a later one is not lifted.
        reason: why it is safe; goes on record.
        accept_loss: the loss counts no more: peak and start of the day begin anew.
    """

    activation: Annotated[int, msgspec.Meta(ge=1)]
    reason: Reason
    accept_loss: bool = False


class HaltView(HaltStatus, frozen=True, kw_only=True):
    """A halt as it stands now; `effect`: what this means, in words."""

    effect: str


_EFFECTS = {
    HaltLevel.RUNNING: "orders may leave",
    HaltLevel.REDUCING: "only orders proven to shrink a position leave",
    HaltLevel.HALTED: "no order leaves; a running engine cancels what is working, GET /v1/orders shows it",
    HaltLevel.FLATTENING: "no order leaves but those that close positions, GET /v1/positions shows it",
}


@HALT.write("/v1/halt", Role.TRADER, HaltView, takes=HaltOrder, needs_key=False)
async def halt(ask: Ask[HaltOrder]) -> HaltView:
    """Stop orders now, whether the engine runs, hangs or is down.

    No idempotency key is asked for: to halt twice is to halt once, and nobody should have to think of a key then.
    """
    level = HaltLevel[ask.given.level.name]
    return await asyncio.get_running_loop().run_in_executor(ask.desk.stopping, _stop, ask, ask.given, level)


@HALT.write("/v1/flatten", Role.RISK, HaltView, takes=FlattenOrder, needs_key=False)
async def flatten_now(ask: Ask[FlattenOrder]) -> HaltView:
    """Stop orders, and have a running engine cancel what works and close every position; also of a part.

    It works like a halt, and an engine that starts later finds it, too. GET /v1/positions shows how far it is.
    """
    return await asyncio.get_running_loop().run_in_executor(
        ask.desk.stopping, _stop, ask, ask.given, HaltLevel.FLATTENING
    )


@HALT.read("/v1/halt", Role.VIEWER, HaltsNow)
def halts(ask: Ask[Any]) -> HaltsNow:
    """What is stopped now, by whom and why, and what a resume still takes; read from the latches themselves."""
    state, host, now = look_at(ask.desk.latch), look_at(ask.desk.host_latch), ask.desk.clock.now()
    return HaltsNow(
        account=halt_status(state, state.halt_of(), now),
        machine=halt_status(host, host.halt_of(), now),
        scopes=tuple(halt_status(state, halt, now) for halt in state.stopped_scopes),
        authorized=state.authorized,
        probation_until=state.probation_until if state.on_probation(now) else "",
    )


@HALT.write("/v1/resume", Role.RISK, HaltView, takes=ResumeOrder)
def resume(ask: Ask[ResumeOrder]) -> Answered:
    """Let orders leave again, or approve it: in live trading two persons must.

    It is refused while the cause persists or the books differ from the broker's. 202 says that your approval is kept
    and others are missing. A halt that somebody has set since you looked stays.
    """
    given, desk = ask.given, ask.desk
    status = 200
    try:
        state = desk.resume(
            given.activation,
            given.reason,
            ask.caller.principal,
            scope=given.scope,
            whole_machine=given.whole_machine,
            accept_loss=given.accept_loss,
        )
    except ResetPending:
        status, state = 202, desk.switch(whole_machine=given.whole_machine).state
    return Answered(status, _view(desk, state, state.halt_of(given.scope)))


def _stop(ask: Ask[Any], given: FlattenOrder, level: HaltLevel) -> HaltView:
    desk, by = ask.desk, f"{ask.caller.principal} ({ask.caller.source.value})"
    try:
        state = desk.halt(given.reason, by, level, scope=given.scope, whole_machine=given.whole_machine)
    except OSError as error:
        message = f"orders are NOT stopped: the latch cannot be kept ({error.strerror or error})"
        raise Refusal(500, "halt_failed", message, "end the engine's process, and cancel at the broker") from error
    return _view(desk, state, state.halt_of(given.scope))


def _view(desk: Desk, state: LatchState, halt: Halt) -> HaltView:
    found = halt_status(state, halt, desk.clock.now())
    return HaltView(**msgspec.structs.asdict(found), effect=_EFFECTS[halt.level])
