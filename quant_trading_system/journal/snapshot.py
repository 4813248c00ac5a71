"""Snapshots of the books, so that a start folds the end of a long journal only.

A snapshot is a convenience and never the truth: it is believed only if it bears the key's checksum, was folded
by exactly this code, and stands at an entry that the journal holds. Any other is ignored, and everything is
folded from the first entry on, with the same result. What stands before a snapshot is not read again at a
start; `verify` reads all of it.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Generator
from decimal import localcontext
from functools import cache
from hashlib import blake2b
from itertools import islice
from types import ModuleType
from typing import NamedTuple

import msgspec

from quant_trading_system.core import (
    approval_events,
    attribution,
    book_events,
    breaks,
    decisions,
    events,
    halt_scope,
    instruments,
    limit_events,
    numbers,
    operator_events,
    order_state,
    orders,
    parent_events,
    positions,
    risk_now,
    strategy_events,
)
from quant_trading_system.core.events import AnyEvent, RunFinished
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.core.numbers import LEDGER
from quant_trading_system.journal import approval_fold, codec, limits_fold, order_fold, parent_fold
from quant_trading_system.journal import books as books_module
from quant_trading_system.journal import projection as projection_module
from quant_trading_system.journal.books import Books, books_of, projection_of
from quant_trading_system.journal.order_fold import History
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.store import Journal, JournalSource

SNAPSHOT_EVERY = 50_000
"""Entries between two snapshots of a running account; a start after a crash folds so many at most."""

PIECE = 2_000
"""Entries that are folded in one go: a fraction of a second."""
KEPT_WHILE_FOLDING = 500_000
"""Entries between two snapshots of a fold that takes long."""

_MAGIC = b"QTSSNAP1"
_CHECK_BYTES = 32
_FOLDING: tuple[ModuleType, ...] = (
    approval_events,
    attribution,
    book_events,
    breaks,
    decisions,
    events,
    halt_scope,
    instruments,
    limit_events,
    numbers,
    operator_events,
    order_state,
    orders,
    parent_events,
    positions,
    risk_now,
    strategy_events,
    approval_fold,
    codec,
    limits_fold,
    order_fold,
    parent_fold,
    projection_module,
    books_module,
)
"""The code that decides what the books are; a change in any of it makes older snapshots unusable."""

_log = logging.getLogger(__name__)


class SnapshotUnusable(JournalError):
    """The snapshot cannot be believed; everything is folded anew."""


class _Content(msgspec.Struct):
    code: bytes
    seq: int
    digest: bytes
    books: msgspec.Raw


class Folded(NamedTuple):
    """The books after the last entry, and how they were found.

    Attributes:
        projection: the books.
        snapshot_seq: the entry at which a snapshot was taken up; 0 when everything was folded.
        entries: entries folded.
        ignored: why a snapshot that was there was not used; empty when it was, or when there was none.
    """

    projection: Projection
    snapshot_seq: int
    entries: int
    ignored: str


def packed(projection: Projection, digest: bytes, key: bytes) -> bytes:
    """The snapshot of books whose last entry has `digest`."""
    books = msgspec.Raw(msgspec.msgpack.encode(books_of(projection)))
    content = msgspec.msgpack.encode(_Content(_code(), projection.seq, digest, books))
    return _MAGIC + _check(content, key) + content


def unpacked(snapshot: bytes, source: JournalSource, key: bytes, history: History | None = None) -> Projection:
    """The books in a snapshot of `source`.

    Raises:
        SnapshotUnusable: damaged, of another key, another version or another journal, or newer than this journal.
    """
    begin = len(_MAGIC) + _CHECK_BYTES
    content = snapshot[begin:]
    if snapshot[:begin] != _MAGIC + _check(content, key):
        raise SnapshotUnusable("it is damaged, or was made with another key or format")
    found = msgspec.msgpack.decode(content, type=_Content)
    if found.code != _code():
        raise SnapshotUnusable("another version of this program made it")
    entry = source.entry(found.seq)
    if entry is None or entry.digest != found.digest:
        raise SnapshotUnusable(f"its entry {found.seq} is not in this journal")
    try:
        books = msgspec.msgpack.decode(found.books, type=Books)
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        raise SnapshotUnusable(f"it cannot be read: {error}") from error
    return projection_of(books, history)


def fold(journal: Journal) -> Folded:
    """The books of `journal`: from its snapshot on if that can be believed, else from its first entry on.

    Raises:
        JournalDamaged: an entry that had to be read is not what was appended, or this version cannot read it.
    """
    pieces = folding(journal)
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            folded: Folded = end.value
            return folded


def folding(journal: Journal) -> Generator[int, None, Folded]:
    """As `fold`, piece by piece: tells after each up to which entry it has come, and the caller may do other things.

    On the way snapshots are kept, so that a long fold which is cut off goes on where it was. Memory stays bounded
    whatever the length: what ended long ago is looked up in the journal.
    """
    projection, ignored = Projection(journal.about), ""
    snapshot = journal.read_snapshot()
    if snapshot:
        try:
            projection = unpacked(snapshot, journal, journal.key, journal.about)
        except SnapshotUnusable as error:
            ignored = str(error)
            _log.warning("the snapshot of the journal is ignored: %s", ignored)
    begun = projection.seq
    entries = journal.entries(begun + 1)
    while piece := list(islice(entries, PIECE)):
        with localcontext(LEDGER):
            for entry in piece:
                projection.apply(entry.seq, entry.event_for_books)
        if projection.seq % KEPT_WHILE_FOLDING < PIECE:
            journal.keep_snapshot(packed(projection, piece[-1].digest, journal.key))
        yield projection.seq
    return Folded(projection, begun, projection.seq - begun, ignored)


class SnapshotKeeper:
    """Goes on folding while the journal grows, and keeps a snapshot every so often and at the end of a run.

    Its books are its own: a copy of those that the account began with.
    """

    def __init__(self, journal: Journal, folded: Folded, every: int = SNAPSHOT_EVERY) -> None:
        """Listen to `journal`, to which nothing was appended since it was `folded`."""
        self._journal = journal
        self._every = every
        copy = msgspec.msgpack.decode(msgspec.msgpack.encode(books_of(folded.projection)), type=Books)
        self._books = projection_of(copy, journal.about)
        self._kept = folded.snapshot_seq
        journal.subscribe(self._take)
        self._keep_if_due()

    def keep(self) -> None:
        """Keep a snapshot of what is durable, unless there is one."""
        if self._books.seq == self._kept:
            return
        entry = self._journal.entry(self._books.seq)
        if entry is None:
            raise JournalError(f"entry {self._books.seq} was told as durable and cannot be read")
        self._kept = entry.seq
        self._journal.keep_snapshot(packed(self._books, entry.digest, self._journal.key))

    def _take(self, seq: int, event: AnyEvent) -> None:
        if seq != self._books.seq + 1:
            raise JournalError(f"entry {seq} does not follow entry {self._books.seq}; no more snapshots are kept")
        with localcontext(LEDGER):
            self._books.apply(seq, event)
        if isinstance(event, RunFinished):
            self.keep()
        self._keep_if_due()

    def _keep_if_due(self) -> None:
        if self._books.seq - self._kept >= self._every:
            self.keep()


@cache
def _code() -> bytes:
    """A hash of the code that folds; computed at the start, so that it tells of the code that is running."""
    source = "\0".join(inspect.getsource(module) for module in _FOLDING)
    return blake2b(source.encode(), digest_size=16).digest()


def _check(content: bytes, key: bytes) -> bytes:
    return blake2b(content, key=key, digest_size=_CHECK_BYTES, person=b"qts snapshot").digest()
