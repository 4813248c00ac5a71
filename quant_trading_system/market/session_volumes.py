"""What symbols have traded in whole sessions, added up once for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNKNOWN_VOLUME = -1
"""Stands where the volume of a bar, or of bars together, is not known."""


class SessionVolumes:
    """Adds up the bars of sessions when it is asked about them."""

    def __init__(self, volume: NDArray[np.int64] | None, present: NDArray[np.bool_], starts: NDArray[np.int64]) -> None:
        """Look at bars.

        Args:
            volume: shares, [bars, symbols], None where nothing is known; `present`: the bars that there are.
            starts: the first bar of each session, rising.
        """
        self._volume = volume
        self._present = present
        self._starts = starts
        self._known: dict[int, dict[int, int]] = {}

    def of_sessions(self, first: int, end: int, column: int) -> list[int]:
        """Shares of a symbol in each of the sessions from `first` up to `end`, all of them over; -1 where unknown."""
        known = self._known.setdefault(column, {})
        for number in range(first, end):
            if number not in known:
                begin, after = self._starts[number : number + 2].tolist()
                known[number] = self.of_bars(begin, after, column)
        return [known[number] for number in range(first, end)]

    def of_bars(self, begin: int, end: int, column: int) -> int:
        """Shares of a symbol in the bars from `begin` up to `end`; -1 where that of a bar is unknown."""
        if self._volume is None:
            return UNKNOWN_VOLUME
        bars = self._volume[begin:end, column][self._present[begin:end, column]]
        return int(bars.sum()) if len(bars) and (bars != UNKNOWN_VOLUME).all() else UNKNOWN_VOLUME
