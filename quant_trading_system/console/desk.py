"""What the routes work with: the place of one account, the people who may ask, and nothing of the engine itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from fastapi.concurrency import run_in_threadpool

from quant_trading_system.app.account_files import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.app.alerting.book import AlertBook
from quant_trading_system.app.door import EngineDoor
from quant_trading_system.app.limits_desk import change_limits
from quant_trading_system.app.readings.engine import EngineReading, EngineWatch, halt_reading, scope_readings
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.reset_facts import obstacles_on_record
from quant_trading_system.app.tokens import TokenStore
from quant_trading_system.console.answers import Refusal
from quant_trading_system.console.sessions import Caller, Sessions
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.commands import AnswerApproval, AnyCommand, Outcome, ProposeLimits
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import AnotherActivation
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch, look_at
from quant_trading_system.risk.reset import file_obstacles

READS_AT_ONCE = 4
READS_WAITING = 64
_AT_ONCE = 1000
_LOOK = timedelta(seconds=1)
_PAUSE = timedelta(milliseconds=200)


class Desk:
    """One account as the server sees it.

    Attributes:
        directory: of the account: journal, latch, heartbeat and door.
        host_latch: the latch of everything on this machine.
        tokens, sessions: who may ask.
        door: of the engine, for commands.
        alerts: with what became of them; `follow` it before use.
        follower: of the journal; `books` brings it up to date.
        description: of the interface, once the server has made it.
        waiting: requests that wait for a place to read.
        stopping: threads that do nothing but halt, so that no other work can be in the way.
    """

    def __init__(self, directory: Path, host_latch: Path, tokens: TokenStore, clock: Clock) -> None:
        """Look at the account in `directory`; nothing is opened yet."""
        self.directory = directory
        self.host_latch = host_latch
        self.clock = clock
        self.tokens = tokens
        self.sessions = Sessions(tokens, clock, cookie=f"qts_session_{_short(directory)}")
        self.stopping = ThreadPoolExecutor(max_workers=2, thread_name_prefix="halt")
        self.door = EngineDoor(directory)
        self.alerts = AlertBook(directory)
        self.description: Mapping[str, Any] = {}
        self.follower = Follower(directory)
        self._watch = EngineWatch(directory, host_latch)
        self._engine: EngineReading | None = None
        self._slots = asyncio.Semaphore(READS_AT_ONCE)
        self.waiting = 0

    @property
    def latch(self) -> Path:
        """The kill latch of the account."""
        return self.directory / LATCH_FILE

    def switch(self, *, whole_machine: bool = False) -> KillSwitch:
        """The kill switch of the account, or of the machine; a reset is asked what the journal has against it.

        Raises:
            OSError: the latch cannot be made.
        """
        latch = FileLatch(self.host_latch if whole_machine else self.latch)
        if whole_machine:
            return KillSwitch(latch=latch, clock=self.clock, obstacles=lambda _: file_obstacles(latch))
        obstacles = obstacles_on_record(self.directory / JOURNAL_FILE, latch)
        return KillSwitch(latch=latch, clock=self.clock, obstacles=obstacles)

    def halt(
        self, reason: str, by: str, level: HaltLevel, *, scope: HaltScope = ACCOUNT, whole_machine: bool = False
    ) -> LatchState:
        """Stop orders now; what the latch then holds.

        Raises:
            OSError: the latch cannot be made; orders are not stopped.
            KillSwitchIncomplete: it is active in part; the message says what to do.
        """
        switch = self.switch(whole_machine=whole_machine)
        switch.activate(reason, level=level, activated_by=by, scope=scope)
        return switch.state

    def resume(
        self,
        activation: int,
        reason: str,
        by: str,
        *,
        scope: HaltScope = ACCOUNT,
        whole_machine: bool = False,
        accept_loss: bool = False,
    ) -> LatchState:
        """Let orders leave again, or keep the approval, for the very `activation` that the person has looked at.

        Raises:
            AnotherActivation: another halt has taken its place.
            ResetPending: the approval is kept, and others are missing.
            ResetRefused: authority, a reason or a clean state is missing; the switch stays active.
        """
        switch = self.switch(whole_machine=whole_machine)
        now = switch.state.halt_of(scope)
        if now.activation != activation:
            raise AnotherActivation(
                f"the activation is {now.activation} and not {activation}: {now.reason or 'not active'}"
            )
        switch.reset(by, reason, scope=scope, accept_loss=accept_loss)
        return switch.state

    async def carry_out(self, command: AnyCommand, key: str, caller: Caller) -> Outcome:
        """Have the engine carry it out; limits are changed and approved also while none runs.

        Raises:
            EngineNotRunning, EngineSilent, InvalidCommand: as `EngineDoor.ask`.
            ConfigurationError, ApprovalRefused, JournalUnavailable: of limits, why not.
        """
        door, by, source = self.door, caller.principal, caller.source
        if isinstance(command, ProposeLimits | AnswerApproval):
            return await change_limits(door, self.directory, command, by, source, key, self.clock)
        return await door.ask(command, key=key, principal=by, source=source)

    def books(self) -> Follower:
        """The account as its journal has it now; a long journal is taken in by `follow`, not by a request."""
        self.follower.poll(_AT_ONCE)
        return self.follower

    def engine_now(self) -> EngineReading:
        """The last look at the engine, and the latches as they are now."""
        if self._engine is None:
            self._engine = self._watch.look(self.follower)
        state = look_at(self.latch)
        return msgspec.structs.replace(
            self._engine,
            halt=halt_reading(state),
            host=halt_reading(look_at(self.host_latch)),
            scopes=scope_readings(state),
        )

    async def follow(self) -> None:
        """Take in the journal as it grows, and look at the engine once a second, for ever."""
        while True:
            looks_at = self.clock.monotonic() + _LOOK.total_seconds()
            self._engine = await run_in_threadpool(self._watch.look, self.follower)
            while self.clock.monotonic() < looks_at:
                if not await run_in_threadpool(self.follower.poll):
                    await self.clock.sleep(_PAUSE)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """One of a few places for work that takes a thread; a flood waits, and what is too much is turned away.

        Raises:
            Refusal: 503, too many wait already.
        """
        if self.waiting >= READS_WAITING:
            raise Refusal(503, "busy", "too many requests wait", "try again in a second", {"retry-after": "1"})
        self.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    def close(self) -> None:
        """Let go of the journal; it can still be halted until the process ends."""
        self.follower.close()


def _short(directory: Path) -> str:
    """Tells the consoles of two accounts on one machine apart, for cookies do not know ports."""
    return blake2b(str(directory.resolve()).encode(), digest_size=4).hexdigest()
