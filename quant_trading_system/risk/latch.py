"""Where the halt is remembered: outside the engine, so that a crash, a restart or a second process sees it.

A latch that cannot be read is active. A latch file that was there once and is gone is active, too.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, RLock
from typing import Protocol

import msgspec

from quant_trading_system.config.settings import kill_latch_path
from quant_trading_system.core.events import HaltLevel, HaltTrigger
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.risk.halt_state import LatchState

STOP_FILE = "HALT"
"""Whoever lays a file of this name beside the latch stops all orders; nothing else is needed."""

_TRIES = 40
_PAUSE = timedelta(milliseconds=25)


class Latch(Protocol):
    """A place that keeps one `LatchState`."""

    def read(self) -> LatchState:
        """The current state; never raises: what cannot be read is an active state."""

    def write(self, state: LatchState) -> None:
        """Make `state` durable before returning.

        Raises:
            OSError: it could not be written.
        """

    def exclusive(self) -> AbstractContextManager[object]:
        """Nobody else may write within; held only while reading, comparing and writing.

        Raises:
            OSError: it could not be had.
        """


class MemoryLatch:
    """A latch for backtests and tests: it lives as long as the process."""

    def __init__(self) -> None:
        self._state = LatchState()
        self._lock = RLock()

    def exclusive(self) -> AbstractContextManager[object]:
        return self._lock

    def read(self) -> LatchState:
        return self._state

    def write(self, state: LatchState) -> None:
        self._state = state


class FileLatch:
    """A small JSON file, replaced atomically and synced; every process that opens the path shares it."""

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        """Open the latch at `path`, creating an inactive one where there never was any.

        Raises:
            OSError: the directory cannot be made or written.
        """
        self.path = path
        self._witness = path.with_name(path.name + ".created")
        self._guard = path.with_name(path.name + ".lock")
        self._stop_file = str(path.with_name(STOP_FILE))
        self._sync = sync
        self._seen: tuple[tuple[int, ...], LatchState] = ((), LatchState())
        if not self._witness.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._create()

    def read(self) -> LatchState:
        """The state on disk; looks at the file's identity first and reads only after a change."""
        try:
            status = self.path.stat()
            signature = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode)
            seen, state = self._seen
            if signature != seen:
                state = msgspec.json.decode(self.path.read_bytes(), type=LatchState)
                self._seen = signature, state  # in one step: other threads read it, too
        except (OSError, msgspec.DecodeError) as error:
            self._seen = (), self._seen[1]
            return _unreadable(self.path, error, self._seen[1])
        if state.level < HaltLevel.HALTED and os.path.lexists(self._stop_file):
            return _stopped_by_file(self._stop_file, state)
        return state

    def write(self, state: LatchState) -> None:
        self._replace(self.path, json.dumps(msgspec.to_builtins(state), indent=1).encode() + b"\n")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Locks a file beside the latch, which shuts out threads and processes alike; a crash lets go of it."""
        handle = os.open(self._guard, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(handle)
            yield
        finally:
            os.close(handle)

    def _create(self) -> None:
        """Never over a state that another process has just set; the witness comes last, so a crash is no halt."""
        with self.exclusive():
            if not self.path.exists():
                self.write(LatchState())
            self._replace(
                self._witness, b"a kill latch was created beside this file; without the latch the switch is active\n"
            )

    def _replace(self, path: Path, content: bytes) -> None:
        draft = path.with_name(path.name + ".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if os.write(handle, content) < len(content):  # the disk had room for a part
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._sync(handle)
        finally:
            os.close(handle)
        draft.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            self._sync(directory)
        finally:
            os.close(directory)


class SoleLatch:
    """A latch file that one process writes and none but people read: what was written last is the state.

    For runs that must not depend on anything outside of them, as a backtest; nobody else can stop them.
    """

    def __init__(self, file: FileLatch) -> None:
        """Begin with the state of `file`."""
        self._file = file
        self._state = file.read()

    def read(self) -> LatchState:
        """What was written last."""
        return self._state

    def write(self, state: LatchState) -> None:
        self._file.write(state)
        self._state = state

    def exclusive(self) -> AbstractContextManager[object]:
        return self._file.exclusive()


def own_latch() -> FileLatch:
    """The latch of the account that `KillSwitch()` joins.

    Raises:
        ConfigurationError: the state directory cannot hold it.
    """
    path = kill_latch_path()
    try:
        return FileLatch(path)
    except OSError as error:
        raise ConfigurationError(
            f"the kill latch cannot be kept in {path.parent} ({error.strerror or error}); "
            "set QTS_STATE_DIR to a directory that you may write to"
        ) from error


def existing_latch(path: Path) -> FileLatch:
    """The latch that was made at `path` before; a mistyped name must neither look like a halt nor like none.

    A latch that was made there and is gone or damaged since is opened, and is active.

    Raises:
        ConfigurationError: no latch was ever made at `path`; nothing is written.
    """
    try:
        made = not path.is_dir() and (path.with_name(path.name + ".created").exists() or _holds_state(path))
        if made:
            return FileLatch(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the kill latch {path} cannot be opened ({error}); check the path") from error
    raise ConfigurationError(f"{path} is no kill latch; check the path, or leave it out for the account's own latch")


def look_at(path: Path) -> LatchState:
    """The state of the latch at `path`, inactive where none was ever made; makes none, and never raises."""
    try:
        if not path.exists() and not path.with_name(path.name + ".created").exists():
            return LatchState()
        return FileLatch(path).read()
    except OSError as error:
        return _unreadable(path, error, LatchState())


def stop_file_of(latch: Latch) -> Path | None:
    """The file that stops the orders of `latch`, when it lies there; None when it does not."""
    if isinstance(latch, FileLatch):
        path = latch.path.with_name(STOP_FILE)
        return path if os.path.lexists(path) else None
    return None


def _unreadable(path: Path, error: Exception, known: LatchState) -> LatchState:
    """Halted, and as hard to reset as it was when it was read last."""
    return LatchState(
        level=HaltLevel.HALTED,
        reason=f"the kill latch {path.name} cannot be read ({error}); unreadable means active",
        trigger=HaltTrigger.INTEGRITY,
        by="kill latch",
        activation=known.activation,
        authorized=known.authorized,
        policy=known.policy,
    )


def _stopped_by_file(path: str, state: LatchState) -> LatchState:
    halt = state.halt_of()
    stopped = msgspec.structs.replace(
        halt,
        level=HaltLevel.HALTED,
        reason=f"{halt.reason}; the file {path} lies there".removeprefix("; "),
        trigger=halt.trigger if halt.level else HaltTrigger.FILE,
        by=halt.by if halt.level else "the file HALT",
        activation=halt.activation if halt.level else state.next_activation(halt.scope),
        approvals=(),
    )
    return state.with_halt(stopped)


def _holds_state(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        msgspec.json.decode(path.read_bytes(), type=LatchState)
    except msgspec.DecodeError:
        return False
    return True


def _lock(handle: int) -> None:
    """Take the lock, but do not wait for a holder that hangs: stopping must not depend on another process.

    Raises:
        OSError: somebody has held it for a second.
    """
    for _ in range(_TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            Event().wait(_PAUSE.total_seconds())
        else:
            return
    raise OSError("another process holds the lock of the latch")
