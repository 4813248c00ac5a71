"""What a sweep has found so far: a line on disk for every finished trial, so that a killed sweep goes on."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.research.sweep import Outcome, Task

PLAN_FILE = "sweep.json"
TRIALS_FILE = "trials.jsonl"


class Ledger:
    """The finished trials in a directory, which belongs to one sweep and to one process at a time."""

    def __init__(self, directory: Path, plan: dict[str, Any]) -> None:
        """Open or begin the ledger of a sweep.

        Args:
            plan: everything that the outcomes depend on; a directory with another plan is refused.

        Raises:
            ConfigurationError: the directory holds something else, is damaged, in use, or cannot be written.
        """
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._agree(plan)
            self._file: IO[bytes] = (directory / TRIALS_FILE).open("a+b")
        except OSError as error:
            raise ConfigurationError(
                f"--out {directory} cannot be made or written ({error.strerror or error}); name another directory"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ConfigurationError(
                f"another sweep writes to {directory}; wait for it, or name another --out"
            ) from None
        self._known: dict[tuple[str, int], Outcome] = {}
        self._days: dict[str, list[date]] = {}
        for outcome in self._read(directory):
            self._keep(outcome)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, task: Task) -> Outcome | None:
        """The outcome of a task that was finished before.

        Raises:
            ConfigurationError: the ledger has other parameters under its number.
        """
        known = self._known.get((task.stage, task.number))
        if known is not None and known.parameters != task.parameters:
            raise ConfigurationError(
                f"{self._directory}: trial {task.number} of {task.stage} had other parameters; name another --out"
            )
        return known

    def add(self, outcome: Outcome) -> Outcome:
        """Keep an outcome, and return it as it is kept; it is on disk by then."""
        self._file.write(msgspec.json.encode(outcome) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._keep(outcome)

    def close(self) -> None:
        """Let another process have it."""
        self._file.close()

    def _keep(self, outcome: Outcome) -> Outcome:
        """The trials of a stage share one list of days, which would else be most of what they take in memory."""
        if outcome.days and (days := self._days.setdefault(outcome.stage, outcome.days)) == outcome.days:
            outcome = msgspec.structs.replace(outcome, days=days)
        self._known[outcome.stage, outcome.number] = outcome
        return outcome

    def _agree(self, plan: dict[str, Any]) -> None:
        path = self._directory / PLAN_FILE
        unfinished = path.with_suffix(".part")
        if not path.exists():
            if any(found != unfinished for found in self._directory.iterdir()):
                raise ConfigurationError(f"{self._directory} is not empty; a sweep needs a directory of its own")
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))
            unfinished.replace(path)
            return
        wanted = msgspec.json.decode(msgspec.json.encode(plan))
        try:
            kept = msgspec.json.decode(path.read_bytes())
        except msgspec.DecodeError:
            raise ConfigurationError(f"{path} cannot be read; name another --out") from None
        other = [key for key in wanted | kept if wanted.get(key) != kept.get(key)]
        if other:
            raise ConfigurationError(
                f"{self._directory} holds another sweep: not the same {', '.join(other)}; name another --out"
            )

    def _read(self, directory: Path) -> Iterator[Outcome]:
        """All whole lines, one at a time; a last one that was cut short by a crash is cut off."""
        decoder = msgspec.json.Decoder(Outcome)
        whole = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                self._file.close()
                raise ConfigurationError(
                    f"{directory / TRIALS_FILE} is damaged ({error}); name another --out"
                ) from None
        self._file.truncate(whole)
