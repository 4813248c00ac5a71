"""A disk that tells written from synced, and loses what was only written when the power goes.

`DiskJournal` is the account's journal on it, with the same chain as every journal; `DiskLatch` is the kill latch.
Both belong to one life and are dead when it is.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import msgspec

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.execution.account_lock import Holder
from quant_trading_system.journal.entry import Entry, Row, entry_from
from quant_trading_system.journal.keys import key_from_seed
from quant_trading_system.journal.store import Journal, with_signal
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.simulation.storm.life import Life, LifeClock
from quant_trading_system.simulation.storm.weather import Weather

Watcher = Callable[[Life, Row, AnyEvent], None]

_USUAL_SYNC = timedelta(microseconds=200)


class Disk:
    """What survives a process.

    Attributes:
        rows: entries of the journal, written in this order; `synced`: how many of them are safe.
        promised: the last entry of which somebody was told that it is safe.
        latch: what the kill latch holds.
        writer: the life that has the journal open; `epoch`: how often the account was locked.
        snapshot: of the books, beside the journal; `older_snapshot`: the one before it.
        heartbeats: of engine and watchdog, by name.
        halt: somebody halts the account from outside.
        watcher: is shown every entry as it is written.
    """

    def __init__(
        self, seed: int, weather: Weather, watcher: Watcher, latch_moved: Callable[[LatchState], None]
    ) -> None:
        self.key = key_from_seed(seed)
        self.rows: list[Row] = []
        self.synced = 0
        self.promised: Row | None = None
        self.latch = LatchState()
        self.writer: Life | None = None
        self.epoch = 0
        self.snapshot = self.older_snapshot = b""
        self.heartbeats: dict[str, object] = {}
        self.weather = weather
        self.watcher = watcher
        self.halt: Callable[[], None] = _nobody
        self._latch_moved = latch_moved

    def crash(self) -> int:
        """The power goes: of what was not synced a part survives, from the front; how many entries are lost."""
        unsafe = len(self.rows) - self.synced
        lost = 0
        if unsafe and self.weather.strikes("disk.loses_unsynced"):
            lost = 1 + self.weather.number("disk.loses_unsynced", unsafe)
            del self.rows[len(self.rows) - lost :]
        self.synced = len(self.rows)
        self._damage_snapshot()
        return lost

    def _damage_snapshot(self) -> None:
        if self.snapshot and self.weather.strikes("disk.snapshot_garbled"):
            place = self.weather.number("disk.snapshot_garbled", len(self.snapshot))
            self.snapshot = self.snapshot[:place] + bytes([self.snapshot[place] ^ 0x5A]) + self.snapshot[place + 1 :]
        if self.older_snapshot and self.weather.strikes("disk.snapshot_old"):
            self.snapshot = self.older_snapshot

    def set_latch(self, state: LatchState) -> None:
        """The latch holds `state` from now on."""
        self.latch = state
        self._latch_moved(state)


def _nobody() -> None:
    """No person is near."""


class DiskJournal(Journal):
    """The journal of the account while one life writes it."""

    def __init__(self, disk: Disk, life: Life, clock: LifeClock) -> None:
        """Open it where it ended.

        Raises:
            JournalUnavailable: another process that lives has it open.
        """
        super().__init__(disk.key)
        if disk.writer is not None and disk.writer.is_alive:
            raise JournalUnavailable("another process writes this journal")
        disk.writer = life
        self._disk = disk
        self._life = life
        self._clock = clock
        self._failure = ""
        self._events: list[tuple[int, AnyEvent]] = []
        if disk.rows:
            self._seq, self._digest = disk.rows[-1][0], disk.rows[-1][7]

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        self._life.point("journal.append")
        self._require_sound()
        row = self._chain(event, cause)
        self._disk.rows.append(row)
        self._events.append((row[0], event))
        self._disk.watcher(self._life, row, event)
        self._life.point("journal.appended")
        return row[0]

    def sync(self) -> None:
        self._life.point("journal.sync")
        self._require_sound()
        self._fail_perhaps()
        self._make_safe(len(self._disk.rows))

    async def durable(self) -> None:
        self._life.point("journal.sync")
        self._require_sound()
        if self._disk.synced == len(self._disk.rows):
            return
        mark = len(self._disk.rows)
        slow = self._disk.weather.strikes("disk.slow")
        if self._disk.weather.strikes("ops.halt_midway"):
            asyncio.get_running_loop().call_soon(self._disk.halt)
        await self._clock.sleep(self._disk.weather.span("disk.slow", 0.05, 6) if slow else _USUAL_SYNC)
        self._require_sound()
        self._fail_perhaps()
        self._make_safe(mark)

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        for row in self._disk.rows[max(start, 1) - 1 : self._disk.synced]:
            if kinds is None or row[2] in kinds:
                yield entry_from(row)

    def entry(self, seq: int) -> Entry | None:
        return entry_from(self._disk.rows[seq - 1]) if 0 < seq <= self._disk.synced else None

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        rows = self._disk.rows[: min(self._disk.synced, before - 1)]
        return with_signal([entry_from(row) for row in rows if row[5] == order_id], self.entry)

    def read_snapshot(self) -> bytes:
        return self._disk.snapshot

    def keep_snapshot(self, snapshot: bytes) -> None:
        self._life.point("snapshot")
        self._disk.older_snapshot, self._disk.snapshot = self._disk.snapshot, snapshot
        self._life.point("snapshot.kept")

    def close(self) -> None:
        if self._life.is_alive and not self._failure:
            self.sync()
        if self._disk.writer is self._life:
            self._disk.writer = None

    def _make_safe(self, mark: int) -> None:
        self._disk.synced = max(self._disk.synced, mark)
        self._disk.promised = self._disk.rows[self._disk.synced - 1] if self._disk.synced else None
        self._life.point("journal.synced")
        while self._events and self._events[0][0] <= self._disk.synced:
            self._announcer.queue.append(self._events.pop(0))
        self._announcer.tell()

    def _fail_perhaps(self) -> None:
        for name, words in (("disk.sync_fails", "the disk reports an error"), ("disk.full", "the disk is full")):
            if self._disk.weather.strikes(name):
                self._failure = f"the journal could not be synced: {words}"
                raise JournalUnavailable(self._failure)

    def _require_sound(self) -> None:
        if self._failure:
            raise JournalUnavailable(self._failure)


class DiskLatch:
    """The kill latch of the account as one process sees it; people have one without a life."""

    def __init__(self, disk: Disk, life: Life | None = None) -> None:
        self._disk = disk
        self._life = life

    def read(self) -> LatchState:
        return self._disk.latch

    def write(self, state: LatchState) -> None:
        if self._life is not None:
            self._life.point("latch.write")
        self._disk.set_latch(state)
        if self._life is not None:
            self._life.point("latch.written")

    def exclusive(self) -> AbstractContextManager[object]:
        return nullcontext()


class DiskLock:
    """The right to send for the account, which ends with the life that has it."""

    def __init__(self, disk: Disk, life: Life, claim: Holder) -> None:
        """Take the lock, with the next epoch."""
        disk.epoch = max(disk.epoch, claim.epoch) + 1
        self.holder = msgspec.structs.replace(claim, epoch=disk.epoch)
        life.epoch = disk.epoch
        self._disk = disk
        self._life = life

    def flaw(self) -> str:
        self._life.require()
        return "" if self._disk.epoch == self.holder.epoch else "another process has taken the lock"

    def release(self) -> None:
        """Whoever comes next takes a higher epoch."""
