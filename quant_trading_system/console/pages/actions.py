"""What a person does from a page: with the role of the session, on record, and answered with what then holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from quant_trading_system.app.door import fresh_key
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.sessions import Caller
from quant_trading_system.core.commands import AnyCommand, Outcome, Result
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import NotAllowed, ResetPending
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.roles import Role

T = TypeVar("T")
NEEDS = {HaltLevel.REDUCING: Role.TRADER, HaltLevel.HALTED: Role.TRADER, HaltLevel.FLATTENING: Role.RISK}


class Actions:
    """Of one browser session.

    The latch is moved by threads that do nothing else, whether or not an engine runs; everything else is asked of the
    engine at its door, as by `qts`.
    """

    def __init__(self, hub: Hub, caller: Caller) -> None:
        """Act for `caller`."""
        self._hub = hub
        self._caller = caller

    def may(self, role: Role) -> bool:
        """The session has that role, or one that includes it."""
        return self._caller.role.includes(role)

    async def give(self, command: AnyCommand) -> Outcome:
        """Have a command carried out; its answer tells the effect.

        Raises:
            NotAllowed: the session is over, or its role is too low.
            EngineNotRunning, EngineSilent, InvalidCommand: as `EngineDoor.ask`.
        """
        caller, desk = self._admitted(command.needs), self._hub.desk
        try:
            return await desk.carry_out(command, fresh_key(desk.clock), caller)
        finally:
            self._hub.look()

    async def halt(
        self, reason: str, level: HaltLevel, *, scope: HaltScope = ACCOUNT, whole_machine: bool = False
    ) -> Outcome:
        """Stop orders now; the answer is what holds from here on.

        Raises:
            NotAllowed: the session is over, or its role is too low.
            KillSwitchIncomplete: it is active in part; the message says what to do.
        """
        caller, desk = self._admitted(NEEDS[level]), self._hub.desk
        by = f"{caller.principal} ({caller.source.value})"
        state = await self._at_once(partial(desk.halt, reason, by, level, scope=scope, whole_machine=whole_machine))
        engine = "the engine acts on it now" if self._hub.engine.is_running else "an engine that starts will find it"
        what = "everything on this machine" if whole_machine else str(scope)
        message = f"{what} is {state.halt_of(scope).level.name.lower()}; {engine}"
        return Outcome(result=Result.DONE, message=message)

    async def resume(
        self,
        activation: int,
        reason: str,
        *,
        scope: HaltScope = ACCOUNT,
        whole_machine: bool = False,
        accept_loss: bool = False,
    ) -> Outcome:
        """Let orders leave again, or approve it.

        Raises:
            NotAllowed: the session is over, or its role is too low.
            ResetRefused: authority, a reason or a clean state is missing, or the halt is another one now.
        """
        by, desk = self._admitted(Role.RISK).principal, self._hub.desk
        work = partial(
            desk.resume, activation, reason, by, scope=scope, whole_machine=whole_machine, accept_loss=accept_loss
        )
        try:
            await self._at_once(work)
        except ResetPending as pending:
            return Outcome(result=Result.PENDING, message=f"your approval is kept; {pending}")
        return Outcome(result=Result.DONE, message="orders may leave again")

    async def acknowledge(self, key: str, note: str) -> Outcome:
        """Take notice of an alert, so that nobody else is woken.

        Raises:
            NotAllowed: the session is over, or its role is too low.
            UnknownOrder: there is no such alert.
        """
        caller, desk = self._admitted(Role.TRADER), self._hub.desk
        desk.alerts.follow()
        alert = desk.alerts.acknowledge(key, caller.principal, caller.source.value, desk.clock.now(), note)
        return Outcome(result=Result.DONE, message=f"{alert.line.what}: {caller.principal} has taken notice")

    def _admitted(self, needed: Role) -> Caller:
        """Who acts, as the session stands now."""
        caller = self._hub.desk.sessions.caller(self._caller.session)
        if caller is None:
            raise NotAllowed("your session is over; log in again")
        if not caller.role.includes(needed):
            raise NotAllowed(f"{caller.principal} is {caller.role.value}, and this takes {needed.value}")
        return caller

    async def _at_once(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._hub.desk.stopping, work)
        finally:
            self._hub.look()
