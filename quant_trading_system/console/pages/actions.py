"""What a person does from a page: with the role of the session, on record, and answered with what then holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quant_trading_system.app.limits_desk import changing
from quant_trading_system.app.readings.engine import HaltReading, halt_reading
from quant_trading_system.console.pages.hub import Hub
from quant_trading_system.console.sessions import Caller
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import ResetRefused
from quant_trading_system.core.roles import Role
from quant_trading_system.risk.kill_switch import KillSwitch

NEEDS = {HaltLevel.REDUCING: Role.TRADER, HaltLevel.HALTED: Role.TRADER, HaltLevel.FLATTENING: Role.RISK}


class Actions:
    """Of one browser session. The latch is moved by threads that do nothing else, whether or not an engine runs."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        """Act for `caller`."""
        self._hub = hub
        self._caller = caller

    @property
    def caller(self) -> Caller:
        """Who acts, as the session stands now.

        Raises:
            ResetRefused: the session is over.
        """
        caller = self._hub.desk.sessions.caller(self._caller.session)
        if caller is None:
            raise ResetRefused("your session is over; log in again")
        return caller

    def may(self, role: Role) -> bool:
        """The session has that role, or one that includes it."""
        return self._caller.role.includes(role)

    async def halt(self, reason: str, level: HaltLevel, *, whole_machine: bool = False) -> HaltReading:
        """Stop orders now; the answer is what holds from here on.

        Raises:
            ResetRefused: the session is over, or its role is too low.
            KillSwitchIncomplete: it is active in part; the message says what to do.
        """
        by = self._signature(NEEDS[level])
        return await self._move(
            lambda switch: switch.activate(reason, level=level, activated_by=by), whole_machine=whole_machine
        )

    async def resume(self, reason: str, *, whole_machine: bool = False) -> HaltReading:
        """Let orders leave again.

        Raises:
            ResetRefused: authority, approvals or a reason are missing; the switch stays active.
        """
        by = self.caller.principal
        self._signature(Role.RISK)
        return await self._move(lambda switch: switch.reset(by, reason), whole_machine=whole_machine)

    async def answer(self, approval: str, content: str, reason: str, *, yes: bool) -> str:
        """Say yes to exactly `content`, or no; the answer says what came of it. Works while no engine runs.

        Raises:
            ResetRefused: the session is over, or its role is too low.
            ApprovalRefused: the person may not, or what was shown is not what is asked any more.
            JournalUnavailable: an engine keeps the journal.
        """
        by = self.caller.principal
        self._signature(Role.RISK)
        desk = self._hub.desk

        def work() -> str:
            with changing(desk.directory, desk.clock) as governance:
                if not yes:
                    governance.approvals.refuse(approval, by=by, reason=reason, source="console")
                    return "Refused."
                granted = governance.approve(approval, by=by, content=content, reason=reason, source="console")
                return (
                    "Approved, and in force." if granted else "Your yes is on record; others have to approve it, too."
                )

        return await asyncio.get_running_loop().run_in_executor(None, work)

    def _signature(self, needed: Role) -> str:
        caller = self.caller
        if not caller.role.includes(needed):
            raise ResetRefused(f"{caller.principal} is {caller.role.value}, and this takes {needed.value}")
        return f"{caller.principal} ({caller.source.value})"

    async def _move(self, move: Callable[[KillSwitch], None], *, whole_machine: bool) -> HaltReading:
        desk = self._hub.desk

        def work() -> HaltReading:
            switch = desk.switch(whole_machine=whole_machine)
            move(switch)
            return halt_reading(switch.state)

        try:
            return await asyncio.get_running_loop().run_in_executor(desk.stopping, work)
        finally:
            self._hub.look()
