"""Finding entries without reading what stands before them: from the end of a journal back, or from a moment on."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import takewhile

from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.store import JournalSource

CLOCKS_AGREE = timedelta(days=1)
"""Entries bear the times of our clock and of the broker's, which differ by less."""
_LEAST, _MOST = 200, 10_000
"""Entries of a step."""


def newest_first(source: JournalSource, kinds: Collection[str] | None = None, below: int = 0) -> Iterator[Entry]:
    """Entries with numbers below one, newest first, of these kinds or of all; 0 begins at the end.

    They are read in steps that grow, without bounds while nothing of these kinds is found: it costs what is asked for,
    and not what the journal holds.

    Raises:
        JournalDamaged, JournalUnavailable: as `JournalSource.entries`.
    """
    end = below or source.head[0] + 1
    step = _LEAST
    while end > 1:
        start = max(end - step, 1)
        part = _between(source, kinds, start, end)
        yield from reversed(part)
        end, step = start, min(step * 2, _MOST) if part else step * 4


def _between(source: JournalSource, kinds: Collection[str] | None, start: int, end: int) -> list[Entry]:
    return list(takewhile(lambda entry: entry.seq < end, source.entries(start, kinds)))


def first_since(source: JournalSource, moment: datetime) -> int:
    """Number of an entry from which on every entry since a moment stands, found by halves.

    It begins `CLOCKS_AGREE` before the moment, for the times of entries do not quite grow with their numbers.
    """
    since = moment - CLOCKS_AGREE
    low, high = 1, source.head[0] + 1
    while low < high:
        middle = (low + high) // 2
        entry = source.entry(middle)
        if entry is not None and entry.at < since:
            low = middle + 1
        else:
            high = middle
    return low
