"""What a watchdog has done, in a file of its own: the journal belongs to the engine, which may be dead.

The engine takes the entries into its journal at its next start. An entry has an id, so none is taken twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import WatchdogActed
from quant_trading_system.journal.private_files import PRIVATE
from quant_trading_system.journal.store import Journal

RECORD_FILE = "watchdog.jsonl"
LONGEST = 1000
"""Characters of one entry's text."""


class RecordEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the record; the fields are those of `WatchdogActed`."""

    entry: str
    at: datetime
    pid: int
    epoch: int
    what: str


class WatchdogRecord:
    """Appends to the record; every entry is on disk before the call returns."""

    def __init__(self, directory: Path, clock: Clock, pid: int) -> None:
        """Write into the directory of the account, as process `pid`."""
        self._path = directory / RECORD_FILE
        self._clock = clock
        self._pid = pid
        self._count = 0

    def add(self, epoch: int, what: str) -> RecordEntry:
        """Append one entry about the engine with `epoch`.

        Raises:
            OSError: it cannot be written.
        """
        self._count += 1
        now = self._clock.now()
        entry = RecordEntry(
            entry=f"{now:%Y%m%dT%H%M%S%f}-{self._pid}-{self._count}",
            at=now,
            pid=self._pid,
            epoch=epoch,
            what=" ".join(what.split())[:LONGEST],
        )
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        try:
            os.write(descriptor, b"\n" + msgspec.json.encode(entry))  # begins a line, should the last be torn
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return entry


def read_record(directory: Path) -> Iterator[RecordEntry]:
    """The entries, oldest first; a line torn by a crash is left out."""
    path = directory / RECORD_FILE
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            yield msgspec.json.decode(line, type=RecordEntry)
        except msgspec.DecodeError:
            continue


def take_record(record: Iterable[RecordEntry], journal: Journal) -> None:
    """Put into `journal` what is not there yet."""
    known = {
        entry.event.entry
        for entry in journal.entries(kinds=("watchdog_acted",))
        if isinstance(entry.event, WatchdogActed)
    }
    for found in record:
        if found.entry not in known:
            at = found.at.astimezone(UTC)
            journal.append(WatchdogActed(at=at, entry=found.entry, pid=found.pid, epoch=found.epoch, what=found.what))
