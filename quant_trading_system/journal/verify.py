"""Does the journal still say what it said? Reads all of it, in bounded memory, while its writer may go on.

An edit, insertion, deletion or swap breaks the chain; a cut tail or an older copy falls behind the anchor.
An older copy of journal *and* anchor looks whole from here: only somebody who noted a later head elsewhere,
or the broker's own records, can tell.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from quant_trading_system.core.exceptions import JournalDamaged, JournalUnavailable
from quant_trading_system.journal.anchor import Anchored, AnchorState, compare, read_anchor
from quant_trading_system.journal.codec import kind_of, subject_of
from quant_trading_system.journal.entry import Entry, genesis
from quant_trading_system.journal.sqlite_reader import JournalReader


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify` found.

    Attributes:
        is_sound: every entry is good and none is known to be missing.
        entries: entries that are good, from the first one on.
        head: digest (hex) of the last good entry; `last_at`: its time.
        first_bad: the first entry that is missing or cannot be believed; None when no single one is to blame.
        message: one sentence for people.
        anchor: how the journal agrees with its anchor; None when its end was not reached.
        anchor_seq: the last entry that the anchor remembers; None when it cannot be read.
    """

    path: str
    is_sound: bool
    entries: int
    head: str
    last_at: datetime | None
    first_bad: int | None
    message: str
    anchor: AnchorState | None
    anchor_seq: int | None


class _Finding(NamedTuple):
    is_sound: bool
    first_bad: int | None
    message: str


def verify(path: str | Path, key: bytes, *, reads_events: bool = True) -> VerifyReport:
    """Check every entry of the journal at `path`, its file, and its end against the anchor.

    Whatever is wrong with the files ends up in the report.

    Args:
        reads_events: read what the entries say, too. Whoever has just written them can leave that out: the chain
            tells that the file holds what was appended.

    Raises:
        JournalError: the key has not 32 bytes.
    """
    path = Path(path)
    walk = _Walk(path, key, reads_events=reads_events)
    finding = walk.to_the_end()
    anchored, state = walk.anchored, walk.anchor_state
    return VerifyReport(
        path=str(path),
        is_sound=finding.is_sound,
        entries=walk.seq,
        head=walk.digest.hex(),
        last_at=walk.last_at,
        first_bad=finding.first_bad,
        message=finding.message,
        anchor=state if walk.reached_end or isinstance(anchored, AnchorState) else None,
        anchor_seq=anchored.seq if isinstance(anchored, Anchored) else None,
    )


class _Walk:
    """One pass over the entries, and what is remembered of the good ones."""

    def __init__(self, path: Path, key: bytes, *, reads_events: bool) -> None:
        self.path = path
        self._reads_events = reads_events
        self.seq = 0
        self.digest = genesis(key)
        self.last_at: datetime | None = None
        self.reached_end = False
        # Read before the entries: a running writer commits first and moves the anchor afterwards.
        self.anchored = read_anchor(path, key)
        self._key = key
        self._at_anchor = self.digest if isinstance(self.anchored, Anchored) and not self.anchored.seq else None

    @property
    def anchor_state(self) -> AnchorState:
        return compare(self.anchored, self.seq, lambda _: self._at_anchor)

    def to_the_end(self) -> _Finding:
        try:
            with JournalReader(self.path, self._key) as reader:
                for entry in reader.entries():
                    self._take(entry)
                self.reached_end = True
                return self._judge(reader.file_fault())
        except JournalDamaged as error:
            if error.seq == 1 and self.anchored is AnchorState.UNREADABLE:
                return _Finding(False, 1, "neither entries nor anchor fit this key; it belongs to another journal")
            return _Finding(False, error.seq, str(error))
        except JournalUnavailable as error:
            is_gone = self.anchor_state is AnchorState.AHEAD and not self.path.exists()
            return _Finding(False, 1 if is_gone else None, str(error))

    def _take(self, entry: Entry) -> None:
        """Go on to the next entry, whose place in the chain the reader has checked."""
        if self._reads_events:
            event = entry.event
            if (entry.kind, entry.at, entry.subject) != (kind_of(event), event.at, subject_of(event)):
                raise JournalDamaged(entry.seq, "says something else beside its event than in it")
        self.seq, self.digest, self.last_at = entry.seq, entry.digest, entry.at
        if isinstance(self.anchored, Anchored) and entry.seq == self.anchored.seq:
            self._at_anchor = entry.digest

    def _judge(self, file_fault: str) -> _Finding:
        """The verdict on a journal whose entries all are good."""
        state, anchored = self.anchor_state, self.anchored
        good = f"{self.seq} entries are good"
        if isinstance(anchored, AnchorState):
            return _Finding(
                False, None, f"{good}, but the anchor is {state}: nobody can say whether the tail is missing"
            )
        if state is AnchorState.AHEAD:
            return _Finding(
                False, self.seq + 1, f"{good}, but the tail is missing: the anchor remembers {anchored.seq}"
            )
        if state is AnchorState.DIFFERS:
            return _Finding(False, anchored.seq, f"entry {anchored.seq} is not the one that the anchor remembers")
        if file_fault:
            return _Finding(False, None, f"{good}, but the file around them is damaged: {file_fault}")
        return _Finding(True, None, good)
