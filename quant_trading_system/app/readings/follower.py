"""Follows the journal of one account while its engine writes it, or when no engine runs at all.

Entries are read once, in order, each checked against the chain. The books begin with the snapshot beside the
journal where there is a good one, so a long journal is not folded again; memory does not grow with its length.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import localcontext
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.readings.strategies import STRATEGY_KINDS
from quant_trading_system.app.readings.views import Views
from quant_trading_system.core.exceptions import JournalDamaged, JournalError, JournalUnavailable
from quant_trading_system.core.numbers import LEDGER
from quant_trading_system.journal.backwards import newest_first
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.private_files import beside
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.snapshot import SnapshotUnusable, unpacked
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SNAPSHOT_SUFFIX

TAIL = 200_000
"""Entries before the end from which lists and curves are made, where the books begin with a snapshot."""
CHUNK = 500
"""Entries of one step of `poll`; a few tens of milliseconds."""


class _Opened(NamedTuple):
    reader: JournalReader
    identity: tuple[int, int]


class Follower:
    """The state of one account, as far as its journal tells.

    Attributes:
        directory: of the account; `path`: its journal, whether or not it is there.
        books: orders, positions, cash, halt state; `views`: lists and curves beside them.
        seq: the last entry taken in; 0 before the first.
        generation: grows when another journal has taken the place of the one that was followed.
        problem: why nothing, or nothing more, can be read; empty when all is well.
        lock: held while entries are taken in; readers on other threads hold it, too.
    """

    def __init__(self, directory: Path, journal: str = JOURNAL_FILE, *, tail: int = TAIL) -> None:
        """Follow the account in `directory`; nothing is read before the first `poll`.

        Args:
            journal: its name.
            tail: entries before the end from which `views` are made; 0 for those who only look at the books.
        """
        self.directory = directory
        self.path = directory / journal
        self.books = Projection()
        self.views = Views()
        self.seq = 0
        self.generation = 0
        self.problem = ""
        self.lock = RLock()
        self._tail = tail
        self._opened: _Opened | None = None

    def poll(self, at_most: int = CHUNK) -> int:
        """Take in the next entries, at most so many; the answer says how many. Never raises over a bad journal."""
        with self.lock:
            try:
                return self._take(self._reader(), at_most)
            except JournalDamaged as error:
                self.problem = f"entry {error.seq} of the journal cannot be believed: {error}"
            except JournalError as error:
                self.problem = str(error)
            return 0

    def catch_up(self) -> None:
        """Take in everything that is there now."""
        while self.poll(10 * CHUNK):
            pass

    def reader(self) -> JournalReader:
        """The journal itself, for questions about single entries.

        Raises:
            JournalUnavailable: there is none, or it cannot be read.
        """
        with self.lock:
            return self._reader()

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            if self._opened is not None:
                self._opened.reader.close()
            self._opened = None

    def _reader(self) -> JournalReader:
        identity = self._identity()
        if self._opened is not None and self._opened.identity != identity:
            self._begin_again()
        if self._opened is None:
            reader = JournalReader(self.path, journal_key(self.path))
            self._opened = _Opened(reader, identity)
            self._take_up_snapshot(reader)
        return self._opened.reader

    def _identity(self) -> tuple[int, int]:
        try:
            found = self.path.stat()
        except OSError as error:
            self._begin_again()
            raise JournalUnavailable(f"there is no journal in {self.directory} yet") from error
        return found.st_dev, found.st_ino

    def _begin_again(self) -> None:
        if self._opened is None:
            return
        self._opened.reader.close()
        self._opened = None
        self.books, self.views, self.seq = Projection(), Views(), 0
        self.generation += 1

    def _take_up_snapshot(self, reader: JournalReader) -> None:
        self.books = Projection(reader.about)
        path = beside(self.path, SNAPSHOT_SUFFIX)
        with suppress(OSError, SnapshotUnusable):  # without one, everything is folded; that is slower and no worse
            self.books = unpacked(path.read_bytes(), reader, journal_key(self.path), reader.about)
        self.seq = max(min(self.books.seq, reader.head[0] - self._tail), 0)
        self.views.begins_at = self.seq + 1
        for compared in islice(newest_first(reader, ("reconciled",), self.views.begins_at), 1):
            self.views.take(compared.seq, compared.event)
        for entry in reader.entries(kinds=STRATEGY_KINDS) if self.seq else ():
            if entry.seq > self.seq:
                break
            self.views.roster.take(entry.event)

    def _take(self, reader: JournalReader, at_most: int) -> int:
        taken = 0
        with localcontext(LEDGER):
            for entry in reader.entries(self.seq + 1):
                event = entry.event
                if entry.seq > self.books.seq:
                    self.views.differ(event.at, self.books.apply(entry.seq, event))
                self.views.take(entry.seq, event)
                self.seq = entry.seq
                taken += 1
                if taken >= at_most:
                    break
        self.problem = ""
        return taken
