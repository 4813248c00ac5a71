"""The journal on disk: one SQLite file, one writer, and nothing visible before it is durable.

`append` only chains and buffers. `sync` writes the buffer in one transaction (write-ahead log,
``synchronous=FULL``), then moves the anchor, then tells the listeners. The first failure ends the journal
for this process: a sync that failed is never tried again, because the operating system may have dropped the
data and would report success. That holds for commits, for checkpoints, which are therefore begun here and not
by SQLite, and for the anchor. A disk that is full is no such failure: SQLite has given up the whole transaction,
a slice of the `Reserve` is released, and the transaction is begun again.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Lock

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.exceptions import JournalError, JournalFull, JournalUnavailable
from quant_trading_system.journal.anchor import (
    Anchor,
    Anchored,
    AnchorState,
    compare,
    create_anchor,
    read_anchor,
)
from quant_trading_system.journal.announcer import Announcement
from quant_trading_system.journal.entry import Entry, Row
from quant_trading_system.journal.private_files import (
    WriterLock,
    beside,
    create_private,
    make_durable,
    replace_private,
    require_private,
)
from quant_trading_system.journal.reserve import Reserve, adds_risk, is_full
from quant_trading_system.journal.sqlite_opening import (
    connect_writer,
    create_schema,
    require_anchored,
    require_durability,
    require_unwritten,
    require_witnessed,
)
from quant_trading_system.journal.sqlite_reader import FAULTS, JournalReader, require_schema
from quant_trading_system.journal.store import Journal

LOCK_SUFFIX = ".lock"
SNAPSHOT_SUFFIX = ".snapshot"
MAX_BUFFERED = 10_000
"""Entries that may wait for a `sync`; the next `append` then syncs by itself."""
TAIL = 256
"""Entries at the end that are read and checked when a journal is opened; `verify` checks all of them."""
CHECKPOINT_AFTER = 4096
"""Entries in the write-ahead log after which they are moved into the file; a commit counts as sixteen at least."""
_PAGES_OF_A_COMMIT = 16

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

_log = logging.getLogger(__name__)

Connect = Callable[[Path], sqlite3.Connection]


class SqliteJournal(Journal):
    """An append-only journal in one file, continued where it ended.

    Beside ``journal.db`` stand ``journal.db.anchor`` (the head, see `anchor`), ``journal.db.lock`` (who
    writes), ``journal.db.reserve`` (see `reserve`), ``journal.db.snapshot`` (see `snapshot`) and SQLite's own
    ``-wal`` and ``-shm``. All are of mode 600.
    """

    def __init__(
        self,
        path: str | Path,
        key: bytes,
        *,
        batch: int | None = None,
        group_commit: bool = False,
        anchor_every: int = 64,
        reserve: int = 0,
        witness: Path | None = None,
        connect: Connect = connect_writer,
    ) -> None:
        """Open or create the journal.

        Args:
            batch: sync by itself after so many entries; None leaves it to the caller.
            group_commit: `durable` commits on a worker thread, and callers that wait share one commit.
            anchor_every: commits between two syncs of the anchor, which may lag.
            reserve: bytes of disk put by for the records of stopping.
            witness: a directory elsewhere for a second anchor, which finds an older copy of all files here.
            connect: how to open the file for writing.

        Raises:
            JournalUnavailable: another writer has it, it is open to others, it is no journal of this version,
                its anchor is missing, or the disk or SQLite refuses what durability needs.
            JournalDamaged: entries at its end were changed or are missing, or it is an older copy.
            JournalError: the key has not 32 bytes, or `batch` or `anchor_every` is below 1.
        """
        super().__init__(key)
        if anchor_every < 1 or (batch is not None and batch < 1):
            raise JournalError(f"batch ({batch}) and anchor_every ({anchor_every}) count from 1")
        self.path = Path(path)
        self._limit = min(batch or MAX_BUFFERED, MAX_BUFFERED)
        self._group_commit = group_commit
        self._anchor_every = anchor_every
        self._commit_lock = Lock()
        self._buffer: list[Row] = []
        self._untold: list[Announcement] = []
        self._failure = ""
        self._commits = 0
        self._in_log = 0
        self._reserve_bytes = reserve
        self._witness = None if witness is None else witness / self.path.name
        self._anchors: list[Anchor] = []
        self._warnings: deque[str] = deque()
        self._committing: asyncio.Task[None] | None = None
        try:
            self._open(connect)
        except (OSError, *FAULTS) as error:
            raise JournalUnavailable(f"{self.path} cannot be opened as a journal: {error}") from error
        self._durable_seq = self._seq

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        with self._lock:
            if self._failure:
                raise JournalUnavailable(self._failure)
            if not self._reserve.is_whole and adds_risk(event):
                raise JournalFull(
                    f"the disk of {self.path} is full: nothing new is begun; cancels, halts and fills are recorded "
                    "from the reserve; make room"
                )
            row = self._chain(event, cause)
            self._buffer.append(row)
            if type(event) in self._heard:
                self._untold.append((row[0], event))
            is_full = len(self._buffer) >= self._limit
        if is_full:
            self.sync()
        return row[0]

    def sync(self) -> None:
        self._commit()
        self._tell()

    def on_warning(self, listener: Callable[[str], object]) -> None:
        super().on_warning(listener)
        self._tell()

    async def durable(self) -> None:
        """Wait until everything appended so far is durable.

        With `group_commit` the event loop goes on meanwhile: a commit that is running was begun without the
        newest entries, so all who come during it are served together by the next one. Call it from one loop.

        Raises:
            JournalUnavailable: as `sync`, for everybody who waits.
        """
        if not self._group_commit:
            self.sync()
            return
        wanted = self._seq
        self._require_working()
        if not self._reserve.is_whole:
            await self._commit_aside()  # also when nothing waits: there may be room again
        while self._durable_seq < wanted:
            if self._committing is None or self._committing.done():
                self._committing = asyncio.create_task(self._commit_aside())
            await asyncio.shield(self._committing)

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        return self._reader.entries(start, kinds)

    def entry(self, seq: int) -> Entry | None:
        return self._reader.entry(seq)

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        return self._reader.about(order_id, before)

    def read_snapshot(self) -> bytes:
        path = beside(self.path, SNAPSHOT_SUFFIX)
        try:
            return path.read_bytes() if path.exists() else b""
        except OSError as error:
            self._warn(f"the snapshot {path} cannot be read ({error}); the start takes longer, nothing is lost")
            return b""

    def keep_snapshot(self, snapshot: bytes) -> None:
        """Write it aside, while commits go on; when that fails, people are told and nothing else happens."""
        if self._reserve.is_whole:
            self._snapshots.submit(self._write_snapshot, snapshot)

    def close(self) -> None:
        """Make everything durable and let the next writer in.

        Raises:
            JournalUnavailable: the last entries could not be written. The files are closed all the same.
        """
        try:
            if not self._failure:
                self.sync()
        finally:
            with self._commit_lock:
                self._failure = self._failure or f"the journal {self.path} is closed"
            self._resources.close()

    @property
    def durable_seq(self) -> int:
        """The last entry that survives a loss of power."""
        return self._durable_seq

    def _require_working(self) -> None:
        if self._failure:
            raise JournalUnavailable(self._failure)

    async def _commit_aside(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._worker, self._commit)
        self._tell()

    def _tell(self) -> None:
        """Tell listeners what is durable, and people what they should know, on the thread of whoever waited."""
        self._announcer.tell()
        while self._warned and self._warnings:
            line = self._warnings.popleft()
            for listener in self._warned:
                listener(line)

    def _commit(self) -> None:
        """Write the buffer in one transaction. Whatever goes wrong, this process records nothing more."""
        with self._commit_lock:
            with self._lock:
                self._require_working()
                rows, self._buffer = self._buffer, []
                untold, self._untold = self._untold, []
            if not rows and self._reserve.is_whole:
                return
            try:
                if rows:
                    self._write(rows)
                self._look_for_room()
            except BaseException as error:
                self._failure = (
                    f"the journal {self.path} could not be written ({error!r}) and stays "
                    f"closed to this process; stop, look at the disk, run `qts journal verify`, then start again"
                )
                if isinstance(error, sqlite3.Error | OSError):
                    raise JournalUnavailable(self._failure) from error
                raise
            if rows:
                self._durable_seq = rows[-1][0]
            self._announcer.queue.extend(untold)

    def _write(self, rows: list[Row]) -> None:
        self._writer_lock.require_held()
        self._with_room(lambda: self._insert(rows))
        for anchor in self._anchors:
            self._with_room(partial(anchor.write, rows[-1][0], rows[-1][7]))
        self._commits += 1
        if self._commits % self._anchor_every == 0:
            for anchor in self._anchors:
                anchor.sync()
        self._in_log += max(len(rows), _PAGES_OF_A_COMMIT)
        if self._in_log >= CHECKPOINT_AFTER or not self._reserve.is_whole:  # a log that is moved at once takes no room
            self._with_room(self._checkpoint)

    def _insert(self, rows: list[Row]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):  # the first error counts; one that cannot be rolled back ends the journal too
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise

    def _checkpoint(self) -> None:
        """Move what is in the log into the file. SQLite would do so by itself and keep a failed sync to itself."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._in_log = 0

    def _with_room(self, step: Callable[[], None]) -> None:
        """Take a step that leaves nothing behind when the disk is full; the reserve makes room for it."""
        while True:
            try:
                step()
                return
            except (sqlite3.Error, OSError) as error:
                had_reserve = self._reserve.is_whole
                if not is_full(error) or not self._reserve.release():
                    raise
            if had_reserve:
                self._warn(
                    f"the disk of {self.path} is full; no new order leaves, cancels and halts go on record from "
                    "the reserve; make room now"
                )

    def _write_snapshot(self, snapshot: bytes) -> None:
        try:
            replace_private(beside(self.path, SNAPSHOT_SUFFIX), snapshot)
        except OSError as error:
            self._warn(f"no snapshot of {self.path} could be kept ({error}); the next start takes longer")

    def _look_for_room(self) -> None:
        if not self._reserve.is_whole and self._reserve.refill():
            self._warn(f"the disk of {self.path} has room again, and the reserve is whole")

    def _warn(self, line: str) -> None:
        _log.critical(line)
        self._warnings.append(line)

    def _open(self, connect: Connect) -> None:
        with ExitStack() as opened:
            self._writer_lock = WriterLock(beside(self.path, LOCK_SUFFIX))
            opened.callback(self._writer_lock.release)
            self._reserve = Reserve(self.path, self._reserve_bytes)
            opened.callback(self._reserve.close)
            if not self._reserve.is_whole:
                self._warn(f"the disk of {self.path} has no room for the reserve; no new order leaves until it has")
            anchored = read_anchor(self.path, self.key)
            witnessed = AnchorState.MISSING if self._witness is None else read_anchor(self._witness, self.key)
            if not self.path.exists():
                require_unwritten(self.path, anchored)
                self._ask_witness(witnessed, lambda _: self._digest)
                create_private(self.path)
            require_private(self.path)
            self._connection = connect(self.path)
            opened.callback(self._connection.close)
            self._reader = self._prepared(anchored)
            opened.callback(self._reader.close)
            self._ask_witness(witnessed, self._reader.digest_at)
            if self._witness is not None and witnessed is AnchorState.MISSING:
                self._witness.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                create_anchor(self._witness, self.key)
            for place in (self.path, self._witness):
                if place is not None:
                    self._anchors.append(anchor := Anchor(place, self.key))
                    opened.callback(anchor.close)
                    anchor.write(self._seq, self._digest)
                    opened.callback(anchor.sync)
            self._worker = ThreadPoolExecutor(1, "journal")
            opened.callback(self._worker.shutdown)
            self._snapshots = ThreadPoolExecutor(1, "journal snapshots")
            opened.callback(self._snapshots.shutdown)
            self._resources = opened.pop_all()

    def _ask_witness(self, witnessed: Anchored | AnchorState, digest_at: Callable[[int], bytes | None]) -> None:
        if self._witness is not None:
            require_witnessed(self._witness, self._seq, witnessed, compare(witnessed, self._seq, digest_at))

    def _prepared(self, anchored: Anchored | AnchorState) -> JournalReader:
        """Begin a new journal or take up the old one; a file that is neither is left as it was."""
        tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables:
            require_schema(self._connection, self.path)
            require_durability(self._connection, self.path)
            return self._continued(anchored)
        require_unwritten(self.path, anchored)
        require_durability(self._connection, self.path)
        if anchored is AnchorState.MISSING:
            create_anchor(self.path, self.key)  # before the tables: whoever finds tables may insist on an anchor
        create_schema(self._connection)
        return JournalReader(self.path, self.key)

    def _continued(self, anchored: Anchored | AnchorState) -> JournalReader:
        """Take up the chain where it ended, if the end is what was written."""
        log = beside(self.path, "-wal")
        if log.exists():
            make_durable(log)  # a writer that was killed may have left entries in the memory of the system only
        with ExitStack() as opened:
            reader = opened.enter_context(JournalReader(self.path, self.key))
            seq, digest = reader.head
            for entry in reader.entries(max(1, seq - TAIL + 1)):
                _ = entry.event  # what this version cannot read must stop it now, not in the middle of a day
            require_anchored(self.path, seq, anchored, compare(anchored, seq, reader.digest_at))
            self._seq, self._digest = seq, bytes.fromhex(digest)
            opened.pop_all()
        return reader
