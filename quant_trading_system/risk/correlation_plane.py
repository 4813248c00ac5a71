"""The correlations of one bar: measured by the returns up to it, a symbol with all others at once."""

from __future__ import annotations

from math import isfinite, nan

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class CorrelationPlane:
    """The returns of one bar's past, and what was measured by them.

    The sums run along the bars in their order, so that two symbols correlate alike whichever of them is asked about.
    """

    def __init__(self, returns: Floats, fewest: int) -> None:
        """Measure by `returns`, shape [bars, columns], NaN where missing; `fewest` common ones are needed at least."""
        self._returns, self._fewest = returns, fewest
        returns = np.ascontiguousarray(returns)  # otherwise a column would be summed in another order
        sums = np.add.reduce(returns, axis=0)
        self._with_gaps = frozenset[int]()
        if np.isnan(sums).any():
            self._with_gaps = frozenset(np.flatnonzero(np.isnan(returns).any(axis=0)).tolist())
        self._around_mean = np.subtract(returns, sums / max(len(returns), 1))
        self._norms = np.sqrt(np.add.reduce(self._around_mean * self._around_mean, axis=0))
        self._rows: dict[int, list[float]] = {}

    def of(self, one: int, two: int) -> float | None:
        """Of two columns; None when one does not move, or they have too few returns in common."""
        if one in self._with_gaps or two in self._with_gaps:
            return where_both_are(self._returns, one, two, self._fewest)
        found = self._row(one)[two]
        return found if isfinite(found) else None

    def _row(self, one: int) -> list[float]:
        """Of a column with all; no number where one has gaps or does not move, or there are too few returns."""
        known = self._rows.get(one)
        if known is None:
            known = self._rows[one] = [nan] * len(self._norms)
            if one not in self._with_gaps and len(self._returns) >= self._fewest:
                shared = np.add.reduce(self._around_mean * self._around_mean[:, one : one + 1], axis=0)
                scale = self._norms * self._norms[one]
                known[:] = np.divide(shared, scale, out=np.full_like(scale, np.nan), where=scale > 0).tolist()
        return known


def where_both_are(returns: Floats, one: int, two: int, fewest: int) -> float | None:
    """The correlation of two columns by the bars that both have; None when these are too few, or one does not move."""
    columns = returns[:, sorted((one, two))]
    common = columns[~np.isnan(columns).any(axis=1)]
    if len(common) < fewest:
        return None
    x, y = (common - common.mean(axis=0)).T
    scale = float(np.sqrt(x @ x) * np.sqrt(y @ y))
    return float(x @ y) / scale if scale > 0 else None
