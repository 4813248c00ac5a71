"""What a journal on disk insists on before anything is appended to it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from quant_trading_system.core.exceptions import JournalDamaged, JournalUnavailable
from quant_trading_system.journal.anchor import Anchored, AnchorState, anchor_path
from quant_trading_system.journal.sqlite_reader import BUSY_TIMEOUT_MS, SCHEMA


def connect_writer(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from every thread; transactions are written out."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def require_unwritten(path: Path, anchored: Anchored | AnchorState) -> None:
    """A journal may begin only where there never was one.

    Raises:
        JournalDamaged, JournalUnavailable: there was one, or nobody can say.
    """
    if isinstance(anchored, Anchored) and anchored.seq:
        raise JournalDamaged(1, f"{path} is gone or empty, but its anchor remembers {anchored.seq} entries; restore it")
    if anchored is AnchorState.UNREADABLE:
        require_anchored(path, 0, anchored, anchored)


def require_anchored(path: Path, head: int, anchored: Anchored | AnchorState, state: AnchorState) -> None:
    """The anchor must know no more than the journal that ends at `head`, and agree with it.

    Raises:
        JournalUnavailable: the anchor cannot be read.
        JournalDamaged: the tail is missing, or another journal is in its place.
    """
    if isinstance(anchored, AnchorState):
        raise JournalUnavailable(
            f"the anchor {anchor_path(path)} is {state}: nobody can say whether the end of the journal is complete; "
            f"restore it (or the key), or move the journal away and begin a new one"
        )
    if state is AnchorState.AHEAD:
        raise JournalDamaged(head + 1, f"the tail is missing: the anchor of {path} remembers {anchored.seq} entries")
    if state is AnchorState.DIFFERS:
        raise JournalDamaged(anchored.seq, f"is not the one that the anchor of {path} remembers")


def require_witnessed(witness: Path, head: int, witnessed: Anchored | AnchorState, state: AnchorState) -> None:
    """The anchor that is kept elsewhere must know no more than the journal: else an older copy is in its place.

    Raises:
        JournalDamaged: says what to do.
    """
    if state.is_sound or state is AnchorState.MISSING:
        return
    known = f"remembers {witnessed.seq} entries" if isinstance(witnessed, Anchored) else "fits another key"
    raise JournalDamaged(
        min(head, witnessed.seq - 1 if isinstance(witnessed, Anchored) else 0) + 1,
        f"the journal is gone, or an older copy or another one is in its place: the witness {anchor_path(witness)} "
        f"{known}; restore the newest copy of the directory. If there is none: cancel and compare at the broker, "
        f"halt, delete the witness, and start anew with the name of who answers for what the account holds",
    )


def require_durability(connection: sqlite3.Connection, path: Path) -> None:
    """Set what durability needs, and read it back: SQLite ignores what it cannot do.

    Raises:
        JournalUnavailable: the file system cannot be durable.
    """
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")  # macOS: a plain sync stops at the drive's cache
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if mode != "wal" or synchronous != 2:
        raise JournalUnavailable(
            f"{path}: SQLite answers journal_mode={mode}, synchronous={synchronous} instead of wal and 2 (full); "
            f"the file system cannot keep a journal, use a local one"
        )


def create_schema(connection: sqlite3.Connection) -> None:
    """Make the tables of a new journal."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute("COMMIT")
