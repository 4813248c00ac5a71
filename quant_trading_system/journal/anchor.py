"""The head of the journal, remembered in a second file, so that a cut tail shows.

The file has two slots, each with its own keyed checksum. They are written in turn, so a torn write spoils
the newer one only. The anchor is written after the commit: it may lag behind the journal, which is harmless,
and can never lead it, unless entries were lost or the journal was replaced by an older copy.

An older journal together with its own older anchor is beyond what two files on one disk can show.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from quant_trading_system.journal.entry import genesis
from quant_trading_system.journal.private_files import beside, create_private, require_private, write_all

ANCHOR_SUFFIX = ".anchor"
SLOT_OFFSET = 4096
"""Bytes between the two slots: no disk tears a write of one into the other."""

_MAGIC = b"QTSANCH1"
_CONTENT = Struct(">8sQ32s")
_CHECK_BYTES = 32
_SLOT_BYTES = _CONTENT.size + _CHECK_BYTES


class AnchorState(StrEnum):
    """How the journal and its anchor agree."""

    MATCHES = "matches"
    LAGS = "lags"  # the journal is longer: a crash before the anchor was written, or it is being written now
    AHEAD = "ahead"  # the tail is missing
    DIFFERS = "differs"  # the anchored entry has another digest
    MISSING = "missing"
    UNREADABLE = "unreadable"  # both slots are spoilt, or the key is another one

    @property
    def is_sound(self) -> bool:
        """The journal holds all that the anchor knows of."""
        return self in (AnchorState.MATCHES, AnchorState.LAGS)


class Anchored(NamedTuple):
    """The head that was durable when the anchor was written."""

    seq: int
    digest: bytes


def anchor_path(journal: Path) -> Path:
    """Where the anchor of a journal is."""
    return beside(journal, ANCHOR_SUFFIX)


def read_anchor(journal: Path, key: bytes) -> Anchored | AnchorState:
    """The newest head in the anchor of `journal`, or why there is none (`MISSING`, `UNREADABLE`)."""
    try:
        content = anchor_path(journal).read_bytes()
    except FileNotFoundError:
        return AnchorState.MISSING
    except OSError:
        return AnchorState.UNREADABLE
    slots = [_unpacked(content, slot, key) for slot in (0, 1)]
    return max((slot for slot in slots if slot is not None), default=AnchorState.UNREADABLE)


def compare(anchored: Anchored | AnchorState, head: int, digest_at: Callable[[int], bytes | None]) -> AnchorState:
    """How a journal that ends at `head` agrees with what was read by `read_anchor`."""
    if isinstance(anchored, AnchorState):
        return anchored
    if anchored.seq > head:
        return AnchorState.AHEAD
    if digest_at(anchored.seq) != anchored.digest:
        return AnchorState.DIFFERS
    return AnchorState.MATCHES if anchored.seq == head else AnchorState.LAGS


def create_anchor(journal: Path, key: bytes) -> None:
    """Make the anchor of a journal that has no entries yet.

    Raises:
        FileExistsError: there is one already.
    """
    first = _packed(Anchored(0, genesis(key)), key)
    create_private(anchor_path(journal), first.ljust(SLOT_OFFSET + _SLOT_BYTES, b"\0"))  # later writes need no room


class Anchor:
    """The writing end; one writer at a time."""

    def __init__(self, journal: Path, key: bytes) -> None:
        """Open the anchor of `journal`.

        Raises:
            JournalUnavailable: the file is missing or open to others.
            OSError: it cannot be opened.
        """
        self._key = key
        path = anchor_path(journal)
        require_private(path)
        self._descriptor = os.open(path, os.O_RDWR)
        self._next_slot = self._older_slot()

    def write(self, seq: int, digest: bytes) -> None:
        """Remember a head that is durable in the journal.

        Raises:
            OSError: the device refused.
        """
        write_all(self._descriptor, _packed(Anchored(seq, digest), self._key), self._next_slot * SLOT_OFFSET)
        self._next_slot = 1 - self._next_slot

    def sync(self) -> None:
        """Make the last head survive a loss of power."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _older_slot(self) -> int:
        content = os.pread(self._descriptor, SLOT_OFFSET + _SLOT_BYTES, 0)
        first, second = (_unpacked(content, slot, self._key) for slot in (0, 1))
        return 1 if second is None or (first is not None and first > second) else 0


def _packed(anchored: Anchored, key: bytes) -> bytes:
    content = _CONTENT.pack(_MAGIC, anchored.seq, anchored.digest)
    return content + _check(content, key)


def _unpacked(file: bytes, slot: int, key: bytes) -> Anchored | None:
    raw = file[slot * SLOT_OFFSET : slot * SLOT_OFFSET + _SLOT_BYTES]
    content, check = raw[: _CONTENT.size], raw[_CONTENT.size :]
    if len(raw) != _SLOT_BYTES or check != _check(content, key):
        return None
    magic, seq, digest = _CONTENT.unpack(content)
    return Anchored(seq, digest) if magic == _MAGIC else None


def _check(content: bytes, key: bytes) -> bytes:
    return blake2b(content, key=key, digest_size=_CHECK_BYTES, person=b"qts anchor").digest()
