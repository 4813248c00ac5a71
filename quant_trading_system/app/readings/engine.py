"""Whether the engine lives, and whether orders may leave: from the files beside the journal, never from the engine."""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE, LATCH_FILE
from quant_trading_system.app.heartbeat import ENGINE_FILE, WATCHDOG_FILE, Phase, Pulse, Vitals, read_heartbeat
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.journal.private_files import beside
from quant_trading_system.journal.reserve import RESERVE_BYTES, RESERVE_SUFFIX
from quant_trading_system.journal.sqlite_store import LOCK_SUFFIX
from quant_trading_system.risk.halt_state import Halt, LatchState
from quant_trading_system.risk.latch import look_at

QUIET_LOOKS = 5
"""Looks without a new sign of life after which an engine counts as silent, or as stuck."""


class EngineState(StrEnum):
    """What is known of the engine's process."""

    NEVER = "never started"
    RUNNING = "running"
    SILENT = "silent"  # its process is there and gives no sign of life
    STUCK = "stuck"  # it lives, but gets no work done
    STOPPED = "stopped"  # in good order
    DIED = "died"  # its process is gone, and nothing says that it meant to


_SENTENCES = {
    EngineState.NEVER: "No engine has run here yet. Start one with `qts trade`, or try `qts demo`.",
    EngineState.RUNNING: "The engine is running.",
    EngineState.SILENT: "The engine's process gives no sign of life. Halt works all the same.",
    EngineState.STUCK: "The engine lives, but gets no work done. Halt works all the same.",
    EngineState.STOPPED: "The engine is not running; it stopped in good order. You see what its journal says.",
    EngineState.DIED: "The engine is not running, and did not stop in good order. You see what its journal says.",
}


class HaltReading(msgspec.Struct, frozen=True, kw_only=True):
    """Whether orders may leave.

    Attributes:
        level: ``running``, ``reducing``, ``halted`` or ``flattening``.
        at: when it was set, ISO 8601; empty while nobody ever did.
        authorized: who may let orders leave again; any named person when empty.
        scope: which orders it is about.
    """

    level: str = "running"
    reason: str = ""
    by: str = ""
    at: str = ""
    trigger: HaltTrigger = HaltTrigger.MANUAL
    activation: int = 0
    numbers: dict[str, str] = {}
    authorized: tuple[str, ...] = ()
    scope: HaltScope = ACCOUNT

    @property
    def is_active(self) -> bool:
        """Something is stopped."""
        return self.level != HaltLevel.RUNNING.name.lower()


class EngineReading(msgspec.Struct, frozen=True, kw_only=True):
    """The engine of one account.

    Attributes:
        says: one sentence for people, with what to do.
        halt: of the account; `host`: of everything on this machine; `scopes`: of parts of the account.
        is_watched: a watchdog gives signs of life.
        last_entry_at: time of the newest entry of the journal; `seq`: its number.
        beat_age_s: seconds of looking since the heartbeat changed; None without one.
        vitals: of the engine's lines, as it last told; None while none runs.
        has_reserve: disk space is put by for the records of stopping; None where nothing is put by.
    """

    state: EngineState
    says: str
    halt: HaltReading
    host: HaltReading
    scopes: tuple[HaltReading, ...] = ()
    is_watched: bool = False
    directory: str = ""
    pid: int = 0
    epoch: int = 0
    run: str = ""
    mode: str = ""
    version: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    last_entry_at: datetime | None = None
    seq: int = 0
    beat_age_s: int | None = None
    vitals: Vitals | None = None
    has_reserve: bool | None = None

    @property
    def is_running(self) -> bool:
        """It can carry out commands, as far as can be told."""
        return self.state is EngineState.RUNNING


class EngineWatch:
    """Looks at the signs of life; what it says of silence counts its own looks, so look once a second or so."""

    def __init__(self, directory: Path, host_latch: Path) -> None:
        """Watch the engine of the account in `directory`; `host_latch` is the machine's."""
        self._directory = directory
        self._host_latch = host_latch
        self._engine = Pulse()
        self._watchdog = Pulse()
        self._seq = 0
        self._quiet = 0

    def look(self, follower: Follower) -> EngineReading:
        """The engine now."""
        self._engine.look(read_heartbeat(self._directory / ENGINE_FILE))
        self._watchdog.look(read_heartbeat(self._directory / WATCHDOG_FILE))
        with follower.lock:
            run, finished, at = follower.books.run, follower.books.finished, follower.books.at
            self._quiet = 0 if follower.seq != self._seq else self._quiet + 1
            self._seq = follower.seq
        state, pid = self._state(is_finished=finished is not None, has_run=run is not None)
        beat, latch = self._engine.last, look_at(self._directory / LATCH_FILE)
        return EngineReading(
            state=state,
            says=_SENTENCES[state],
            halt=halt_reading(latch),
            host=halt_reading(look_at(self._host_latch)),
            scopes=scope_readings(latch),
            is_watched=self._watchdog.last is not None
            and self._watchdog.last.phase is Phase.ALIVE
            and self._watchdog.silent < QUIET_LOOKS
            and _is_there(self._watchdog.last.pid),
            directory=str(self._directory),
            pid=pid,
            epoch=0 if beat is None else beat.epoch,
            run="" if run is None else run.run,
            mode="" if run is None else run.mode,
            version="" if run is None else run.version,
            started_at=None if run is None else run.at,
            finished_at=None if finished is None else finished.at,
            last_entry_at=at,
            seq=self._seq,
            beat_age_s=None if beat is None else self._engine.silent,
            vitals=beat.vitals if beat is not None and pid and beat.pid == pid else None,
            has_reserve=_has_reserve(self._directory / JOURNAL_FILE),
        )

    def _state(self, *, is_finished: bool, has_run: bool) -> tuple[EngineState, int]:
        beat, writer = self._engine.last, _writer(self._directory / JOURNAL_FILE)
        if not writer:
            ended = is_finished or (beat is not None and beat.phase is Phase.ENDED)
            known = has_run or beat is not None
            return (EngineState.STOPPED if ended else EngineState.DIED if known else EngineState.NEVER), 0
        if beat is None or beat.pid != writer:
            if is_finished:
                return EngineState.STOPPED, 0
            return EngineState.RUNNING, writer  # a demonstration or backtest: it lives as long as its process
        if self._engine.silent >= QUIET_LOOKS:
            return EngineState.SILENT, writer
        return (EngineState.STUCK if self._engine.stuck >= 2 * QUIET_LOOKS else EngineState.RUNNING), writer


def halt_reading(state: LatchState) -> HaltReading:
    """What a latch says about the account, or the machine."""
    return _reading_of(state.halt_of(), state)


def scope_readings(state: LatchState) -> tuple[HaltReading, ...]:
    """What a latch says about parts of the account that are stopped."""
    return tuple(_reading_of(halt, state) for halt in state.stopped_scopes)


def _reading_of(halt: Halt, state: LatchState) -> HaltReading:
    return HaltReading(
        level=halt.level.name.lower(),
        reason=halt.reason,
        by=halt.by,
        at=halt.at,
        trigger=halt.trigger,
        activation=halt.activation,
        numbers=halt.numbers,
        authorized=state.authorized,
        scope=halt.scope,
    )


def _writer(journal: Path) -> int:
    """The process that has the journal open for writing; 0 when it is gone."""
    try:
        text = beside(journal, LOCK_SUFFIX).read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        return 0
    pid = int(text) if text.isdecimal() else 0
    return pid if pid and _is_there(pid) else 0


def _has_reserve(journal: Path) -> bool | None:
    """Whether the reserve beside `journal` is whole; None where there is none."""
    try:
        return beside(journal, RESERVE_SUFFIX).stat().st_size >= RESERVE_BYTES
    except OSError:
        return None


def _is_there(pid: int) -> bool:
    """A process of that number runs; another one may have got the number since, which the heartbeat tells apart."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
