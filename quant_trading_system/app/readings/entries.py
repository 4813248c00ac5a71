"""Pages of the journal itself, and whether its chain holds."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.anchor import AnchorState, compare, read_anchor
from quant_trading_system.journal.backwards import newest_first
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.keys import journal_key

MOST_ENTRIES = 500


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the journal; `body` is its event as JSON, `digest` hex."""

    seq: int
    at: datetime
    kind: str
    cause: int | None
    subject: str
    config: str
    digest: str
    body: str


class ChainStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the chain without reading all of it again.

    Attributes:
        is_sound: every entry read so far was good, and the end is the one that the anchor remembers.
        read_from, read_to: the entries that were checked while following.
        head: digest (hex) of the last entry.
    """

    is_sound: bool
    says: str
    anchor: AnchorState
    read_from: int
    read_to: int
    head: str


class EntryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, newest first; `last` is the number of the last entry of the journal."""

    rows: tuple[EntryLine, ...]
    last: int


def entry_page(follower: Follower, *, before: int = 0, kind: str = "", subject: str = "", limit: int = 50) -> EntryPage:
    """At most `limit` entries with numbers below `before`; 0 begins at the end.

    Args:
        subject: only entries about the order of that id.

    Raises:
        JournalUnavailable, JournalDamaged: they cannot be read.
    """
    reader = follower.reader()
    last = reader.head[0]
    below = min(before or last + 1, last + 1)
    chosen = (kind,) if kind else None
    found = iter(reversed(reader.about(subject))) if subject else newest_first(reader, chosen, below)
    wanted = (entry for entry in found if entry.seq < below and (not kind or entry.kind == kind))
    rows = tuple(_line(entry) for entry in islice(wanted, min(max(limit, 1), MOST_ENTRIES)))
    return EntryPage(rows=rows, last=last)


def chain_status(follower: Follower) -> ChainStatus:
    """Of the journal that is followed; `qts journal verify` reads all of it again."""
    with follower.lock:
        read_from, read_to, problem = follower.views.begins_at, follower.seq, follower.problem
    try:
        anchored = read_anchor(follower.path, journal_key(follower.path))
        reader = follower.reader()
        seq, head = reader.head
        anchor = compare(anchored, seq, reader.digest_at)
    except JournalError as error:
        anchor, head, problem = AnchorState.UNREADABLE, "", problem or str(error)
    is_sound = not problem and anchor.is_sound
    if problem:
        says = problem
    elif not anchor.is_sound:
        says = f"the anchor of the journal is {anchor.value}: entries may be missing at its end"
    else:
        says = f"entries {read_from} to {read_to} are what was recorded, and the end is where the anchor says"
    return ChainStatus(is_sound=is_sound, says=says, anchor=anchor, read_from=read_from, read_to=read_to, head=head)


def _line(entry: Entry) -> EntryLine:
    return EntryLine(
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        cause=entry.cause,
        subject=entry.subject or "",
        config=entry.config,
        digest=entry.digest.hex(),
        body=entry.body.decode(),
    )
