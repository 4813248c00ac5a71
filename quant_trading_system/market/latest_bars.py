"""Which bar of a symbol was the latest, where the present one is missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FIRST_LOOK = 64
"""Bars that are looked at first; of most symbols one of them is not missing."""


class LatestBars:
    """Remembers how far it has looked, so that what a symbol that has gone left behind is not searched at every bar."""

    def __init__(self, present: NDArray[np.bool_]) -> None:
        """Look into `present`, bool [bars, symbols]."""
        self._present = present
        self._seen: dict[int, tuple[int, int | None]] = {}

    def of(self, column: int, index: int) -> int | None:
        """The number of the latest bar of a column up to that of number `index`; None before its first."""
        end = index + 1
        looked, latest = self._seen.get(column, (0, None))
        if end < looked:  # somebody looks back
            looked, latest = 0, None
        last, rows = end, _FIRST_LOOK
        while last > looked:
            first = max(last - rows, looked)
            (known,) = self._present[first:last, column].nonzero()
            if len(known):
                latest = first + known.item(-1)
                break
            last, rows = first, 2 * rows
        self._seen[column] = end, latest
        return latest
