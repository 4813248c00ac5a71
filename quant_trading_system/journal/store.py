"""Where entries go: what every journal can do, and the one that lives in memory."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from threading import RLock
from types import TracebackType
from typing import Protocol, Self

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.announcer import EVERYTHING, Announcer, Listener
from quant_trading_system.journal.codec import encode, kind_of, subject_of, time_text
from quant_trading_system.journal.entry import Entry, Row, chained, entry_from, genesis
from quant_trading_system.journal.keys import key_from_seed

MAX_CONFIG = 64
_MAX_HOPS = 32


class JournalSource(Protocol):
    """What can be read back; everything that explains or rebuilds asks for no more than this."""

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest (hex) of the last entry; 0 and the digest of the header when empty."""

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from `start` on, oldest first, of these kinds or of all."""

    def entry(self, seq: int) -> Entry | None:
        """The entry of that number."""

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        """Everything about one order before an entry, and the signal that led to it, oldest first."""


class Journal(ABC):
    """An append-only record. It may be used from several threads.

    Whatever must survive a crash is appended, then made durable by `sync` or `await durable()`, and only
    then acted upon. Listeners hear of an entry when it is durable.
    """

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._lock = RLock()
        self._announcer = Announcer()
        self._heard = self._announcer.heard
        self._warned: list[Callable[[str], object]] = []
        self._config = ""
        self._seq = 0
        self._digest = genesis(key)
        self._moment: datetime | None = None
        self._moment_text = ""

    @abstractmethod
    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        """Record `event` as the next entry and return its number.

        Args:
            cause: number of the earlier entry that led to this one.

        Raises:
            JournalError: the event cannot be encoded, its time is not in UTC, or `cause` is no earlier entry.
            JournalUnavailable: the journal has failed or is closed.
            JournalFull: the disk is full, and `event` would begin something new.
        """

    @abstractmethod
    def sync(self) -> None:
        """Return when everything appended so far survives a loss of power.

        Raises:
            JournalUnavailable: it does not, and never will in this process.
        """

    async def durable(self) -> None:
        """Like `sync`, for callers that can wait together.

        Raises:
            JournalUnavailable: as `sync`.
        """
        self.sync()

    @abstractmethod
    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        """The durable entries from `start` on, oldest first, of these kinds or of all.

        Raises:
            JournalDamaged: an entry is not what was appended.
        """

    @abstractmethod
    def entry(self, seq: int) -> Entry | None:
        """The durable entry of that number, None when there is none."""

    @abstractmethod
    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        """Every durable entry about one order before an entry, and the signal that led to it, oldest first."""

    @abstractmethod
    def read_snapshot(self) -> bytes:
        """What `keep_snapshot` was given last; empty when there is nothing that can be read."""

    @abstractmethod
    def keep_snapshot(self, snapshot: bytes) -> None:
        """Put a snapshot of the books beside the entries, in place of the one before. It may get lost."""

    @abstractmethod
    def close(self) -> None:
        """Make everything durable and let go of the files; closing twice is harmless."""

    @property
    def head(self) -> tuple[int, str]:
        """Number and digest (hex) of the last entry appended; 0 and the digest of the header when empty."""
        with self._lock:
            return self._seq, self._digest.hex()

    def set_config(self, version: str) -> None:
        """Every entry from now on bears `version`, the short hash of the limits in force.

        Raises:
            JournalError: longer than 64 characters, or not printable.
        """
        if len(version) > MAX_CONFIG or not version.isprintable():
            raise JournalError(f"{version!r} is no configuration hash: at most {MAX_CONFIG} printable characters")
        with self._lock:
            self._config = version

    def subscribe(self, listener: Listener, kinds: Collection[type[AnyEvent]] = EVERYTHING) -> Callable[[], None]:
        """Call ``listener(seq, event)`` for every entry appended from now on, once it is durable.

        A listener that raises is logged, listed in `listener_failures` and not called again.

        Args:
            kinds: classes of the events to hear of.

        Returns:
            A function that ends the subscription.
        """
        return self._announcer.subscribe(listener, kinds)

    def on_warning(self, listener: Callable[[str], object]) -> None:
        """Call `listener` with one line when something about the storage needs a person, and when it is over."""
        self._warned.append(listener)

    @property
    def listener_failures(self) -> tuple[tuple[Listener, Exception], ...]:
        """Listeners that raised, each with its error; worth an alert."""
        return tuple(self._announcer.failures)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chain(self, event: AnyEvent, cause: int | None) -> Row:
        """The row of the next entry; the caller holds the lock and keeps the row."""
        seq = self._seq + 1
        if cause is not None and not 0 < cause < seq:
            raise _no_cause(seq, cause)
        body, kind, subject, config = encode(event), kind_of(event), subject_of(event), self._config
        if event.at is not self._moment:  # what happens in one step shares its time
            self._moment, self._moment_text = event.at, time_text(event)
        at = self._moment_text
        digest = chained(self._digest, seq, at, kind, cause, config, subject, body, self.key)
        self._seq, self._digest = seq, digest
        return seq, at, kind, cause, config, subject, body, digest


class MemoryJournal(Journal):
    """A journal for backtests and tests: chained like any other, durable as long as the process lives."""

    def __init__(self, key: bytes | None = None) -> None:
        """Begin an empty journal."""
        super().__init__(key_from_seed(0) if key is None else key)
        self._rows: list[Row] = []
        self._snapshot = b""

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        with self._lock:
            row = self._chain(event, cause)
            self._rows.append(row)
            if type(event) not in self._heard:
                return row[0]
            self._announcer.queue.append((row[0], event))
        self._announcer.tell()
        return row[0]

    def sync(self) -> None:
        """Nothing to wait for."""

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        index = max(start, 1) - 1
        while index < len(self._rows):
            row = self._rows[index]
            index += 1
            if kinds is None or row[2] in kinds:
                yield entry_from(row)

    def entry(self, seq: int) -> Entry | None:
        return entry_from(self._rows[seq - 1]) if 0 < seq <= len(self._rows) else None

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        rows = self._rows[: max(before - 1, 0)]
        return with_signal([entry_from(row) for row in rows if row[5] == order_id], self.entry)

    def read_snapshot(self) -> bytes:
        return self._snapshot

    def keep_snapshot(self, snapshot: bytes) -> None:
        self._snapshot = snapshot

    def close(self) -> None:
        """Nothing to let go of."""


class LateJournal(MemoryJournal):
    """The same for backtests: entries are encoded and chained when somebody looks at them, not when they are appended.

    An event that cannot be encoded is refused then. It belongs to one thread, so it takes no lock for what it notes.
    """

    def __init__(self, key: bytes | None = None) -> None:
        """Begin an empty journal."""
        super().__init__(key)
        self._noted: list[AnyEvent] = []
        self._causes: list[int | None] = []
        self._appended = 0

    def set_config(self, version: str) -> None:
        self._settle()  # what was noted so far bears the version of its time
        super().set_config(version)

    def append(self, event: AnyEvent, cause: int | None = None) -> int:
        seq = self._appended + 1
        if cause is not None and not 0 < cause < seq:
            raise _no_cause(seq, cause)
        self._appended = seq
        self._noted.append(event)
        self._causes.append(cause)
        if type(event) in self._heard:
            self._announcer.queue.append((seq, event))
            self._announcer.tell()
        return seq

    def _settle(self) -> None:
        """Encode and chain what was only noted so far."""
        noted, causes = self._noted, self._causes
        self._noted, self._causes = [], []
        for event, cause in zip(noted, causes, strict=True):
            self._rows.append(self._chain(event, cause))

    @property
    def head(self) -> tuple[int, str]:
        self._settle()
        return super().head

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        self._settle()
        return super().entries(start, kinds)

    def entry(self, seq: int) -> Entry | None:
        self._settle()
        return super().entry(seq)

    def about(self, order_id: str, before: int = sys.maxsize) -> list[Entry]:
        self._settle()
        return super().about(order_id, before)


def _no_cause(seq: int, cause: int) -> JournalError:
    return JournalError(f"entry {seq} cannot be caused by entry {cause}; the last one is {seq - 1}")


def with_signal(found: list[Entry], entry: Callable[[int], Entry | None]) -> list[Entry]:
    """The entries about an order, preceded by the signal at the start of their chain of causes."""
    cause = found[0].cause if found else None
    for _ in range(_MAX_HOPS):
        origin = entry(cause) if cause is not None else None
        if origin is None:
            break
        if origin.kind == "signal":
            return [origin, *found]
        cause = origin.cause
    return found
