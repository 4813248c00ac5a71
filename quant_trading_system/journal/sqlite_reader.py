"""Reading a journal file, also while its writer runs. Every entry that is handed out has been checked."""

from __future__ import annotations

import heapq
import os
import sqlite3
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from quant_trading_system.core.exceptions import JournalDamaged, JournalUnavailable
from quant_trading_system.journal.entry import Entry, Row, entry_from, genesis, is_authentic
from quant_trading_system.journal.private_files import beside, require_private
from quant_trading_system.journal.store import with_signal

APPLICATION_ID = 0x51545331  # "QTS1"
SCHEMA_VERSION = 1
SCHEMA = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, cause INTEGER,"
    " config TEXT NOT NULL, subject TEXT, body BLOB NOT NULL, digest BLOB NOT NULL) STRICT",
    "CREATE INDEX entries_by_kind ON entries (kind)",
    "CREATE INDEX entries_by_subject ON entries (subject) WHERE subject IS NOT NULL",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)
BUSY_TIMEOUT_MS = 2000
FAULTS = (sqlite3.Error, UnicodeError)
"""What the driver raises over a file that it cannot read."""

_CHUNK = 1000
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1

# The entry before is joined, so that each row can be authenticated by itself, wherever reading starts.
_SELECT = (
    "SELECT e.seq, e.at, e.kind, e.cause, e.config, e.subject, e.body, e.digest, p.digest"
    " FROM entries AS e LEFT JOIN entries AS p ON p.seq = e.seq - 1"
)


class JournalReader:
    """A read-only view of the durable entries. It may be used from several threads."""

    def __init__(self, path: str | Path, key: bytes) -> None:
        """Open the file.

        Raises:
            JournalUnavailable: there is none, it is no journal, another version wrote it, or others may change it.
        """
        self.path = Path(path)
        self._key = key
        self._genesis = genesis(key)
        require_private(self.path)
        self._connection = connect_read_only(self.path)
        try:
            require_schema(self._connection, self.path)
        except JournalUnavailable:
            self._connection.close()
            raise

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest (hex) of the last durable entry."""
        rows = self._rows("ORDER BY e.seq DESC LIMIT 1", (), last=0)
        row = next(rows, None)
        return (row[0], row[7].hex()) if row else (0, self._genesis.hex())

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from `start` on, oldest first; memory stays bounded however many there are.

        Raises:
            JournalDamaged: the first entry that is missing, or is not what was appended.
            JournalUnavailable: the file cannot be read now.
        """
        if kinds is None:
            return map(entry_from, self._all_rows(start))
        streams = [self._selected_rows("e.kind = ?", (kind,), start) for kind in sorted(set(kinds))]
        return map(entry_from, heapq.merge(*streams))

    def entry(self, seq: int) -> Entry | None:
        """The entry of that number, None when there is none."""
        row = next(self._rows("WHERE e.seq = ?", (seq,), last=seq - 1), None)
        return entry_from(row) if row else None

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        """Every entry about one order before an entry, and the signal that led to it, oldest first."""
        found = self._selected_rows("e.subject = ? AND e.seq < ?", (order_id, min(before, _HIGHEST)), 1)
        return with_signal([entry_from(row) for row in found], self.entry)

    def digest_at(self, seq: int) -> bytes | None:
        """The digest of one entry; of the header for 0."""
        if seq == 0:
            return self._genesis
        entry = self.entry(seq)
        return entry.digest if entry else None

    def file_fault(self) -> str:
        """What SQLite finds wrong with the file itself, its indexes included; empty when nothing."""
        try:
            found = str(self._connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        except FAULTS as error:
            return str(error)
        return "" if found == "ok" else found

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all_rows(self, start: int) -> Iterator[Row]:
        """All rows, each the successor of the one before; the first row of the file must be entry 1."""
        last = max(start, 1) - 1
        lowest = start if start > 1 else _LOWEST
        while True:
            before = last
            for row in self._rows("WHERE e.seq >= ? ORDER BY e.seq LIMIT ?", (lowest, _CHUNK), last, gapless=True):
                yield row
                last = row[0]
            if last - before < _CHUNK:
                return
            lowest = last + 1

    def _selected_rows(self, condition: str, values: tuple[str | int, ...], start: int) -> Iterator[Row]:
        while True:
            chosen = f"WHERE {condition} AND e.seq >= ? ORDER BY e.seq LIMIT ?"
            rows = list(self._rows(chosen, (*values, start, _CHUNK), last=start - 1))
            yield from rows
            if len(rows) < _CHUNK:
                return
            start = rows[-1][0] + 1

    def _rows(self, clause: str, values: tuple[str | int, ...], last: int, *, gapless: bool = False) -> Iterator[Row]:
        """Authentic rows; `last` is the entry before them, to say where a gap or a fault of the file begins."""
        found, fault = self._fetch(f"{_SELECT} {clause}", values)
        for *columns, previous in found:
            row: Row = tuple(columns)
            if gapless and row[0] != last + 1:
                raise JournalDamaged(min(row[0], last + 1), _misplaced(row[0], last + 1))
            if row[0] == 1:
                previous = self._genesis
            elif previous is None:
                raise JournalDamaged(row[0] - 1, "is missing")
            if not is_authentic(row, previous, self._key):
                raise JournalDamaged(row[0], "is not what was recorded, or the key is another one")
            yield row
            last = row[0]
        if fault is not None:
            raise _translated(fault, self.path, last + 1) from fault

    def _fetch(self, query: str, values: tuple[str | int, ...]) -> tuple[list[Any], Exception | None]:
        """At most one chunk, at once: a paused reader must not hold a read transaction open."""
        found: list[Any] = []
        try:
            found.extend(self._connection.execute(query, values))
        except FAULTS as error:
            return found, error  # what came before the fault is good
        return found, None


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    Raises:
        JournalUnavailable: SQLite cannot open the file.
    """
    # On a medium that nobody can write, SQLite cannot make the files through which it follows a writer.
    still = "" if os.access(path.parent, os.W_OK) or beside(path, "-wal").exists() else "&immutable=1"
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro{still}", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    except FAULTS as error:
        raise JournalUnavailable(f"{path} cannot be opened: {error}") from error
    return connection


def require_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no journal, or a journal of another version.

    Raises:
        JournalUnavailable: says which.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY rowid").fetchall()
    except FAULTS as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise JournalUnavailable(f"{path} is not a journal of this program: it is no SQLite file") from error
        raise JournalUnavailable(f"{path} cannot be read as a journal: {error}") from error
    if application != APPLICATION_ID:
        raise JournalUnavailable(f"{path} is not a journal of this program")
    if version != SCHEMA_VERSION:
        raise JournalUnavailable(
            f"{path} has journal format {version}, this version knows {SCHEMA_VERSION}; use the version that wrote it"
        )
    if [sql for _, sql in tables] != [statement for statement in SCHEMA if statement.startswith("CREATE")]:
        raise JournalUnavailable(f"{path}: tables, indexes or triggers were changed; restore it from a copy")


def _misplaced(found: int, expected: int) -> str:
    return "is missing" if found > expected else "does not belong here; the first entry is 1"


def _translated(error: Exception, path: Path, seq: int) -> JournalDamaged | JournalUnavailable:
    """A broken file is damage; a file that is locked or on a failing disk may be whole."""
    busy = isinstance(error, sqlite3.OperationalError) and "decode" not in str(error)
    if busy or isinstance(error, sqlite3.ProgrammingError):
        return JournalUnavailable(f"{path} cannot be read: {error}")
    return JournalDamaged(seq, f"cannot be read: {error}")
