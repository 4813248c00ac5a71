"""What the engine's adapters noticed, in a file of its own beside the journal, for alerts and for people.

A notice is no event of the books, and a full disk or a journal that fails is one of the things that it may tell of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.journal.private_files import PRIVATE

NOTICES_FILE = "notices.jsonl"
LARGEST = 1024 * 1024
"""Bytes after which the file begins anew; the one before it is kept as ``notices.jsonl.old``."""
LONGEST = 1000
"""Characters of one notice's text."""


class NoticeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the record; the fields are those of `Notice`, and the time."""

    at: datetime
    kind: NoticeKind
    source: str
    message: str
    order_id: str = ""


def record_notice(directory: Path, at: datetime, notice: Notice) -> None:
    """Append one notice to the record in `directory`; a disk that takes none must not keep the engine from halting."""
    path = directory / NOTICES_FILE
    entry = NoticeEntry(
        at=at,
        kind=notice.kind,
        source=notice.source,
        message=" ".join(notice.message.split())[:LONGEST],
        order_id=notice.order_id,
    )
    with suppress(OSError):
        if path.exists() and path.stat().st_size > LARGEST:
            path.replace(directory / f"{NOTICES_FILE}.old")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
        try:
            os.write(descriptor, msgspec.json.encode(entry) + b"\n")
        finally:
            os.close(descriptor)


class NoticeReader:
    """Reads what was added since the last look; begins with what comes after its making."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NOTICES_FILE
        self._inode, self._offset = self._end()

    def news(self) -> Iterator[NoticeEntry]:
        """The notices since the last call; a line that is torn is left out."""
        inode, size = self._end()
        if inode != self._inode or size < self._offset:
            self._inode, self._offset = inode, 0
        if size == self._offset:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read(size - self._offset)
        whole = data.rfind(b"\n") + 1
        self._offset += whole
        for line in data[:whole].splitlines():
            with suppress(msgspec.DecodeError):
                yield msgspec.json.decode(line, type=NoticeEntry)

    def _end(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size
