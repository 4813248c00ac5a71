"""Pearson's correlation of returns, to the last digit the same whoever asks.

All sums run along the bars in their order, whatever columns stand side by side: a pair of columns correlates alike
whichever of them is asked about, and with however many others at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan, nan

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def with_each(returns: Floats, one: int, others: Sequence[int], fewest: int) -> list[float | None]:
    """The correlation of one column with each of some others, by the bars that both have.

    Args:
        returns: shape [bars, columns], NaN where missing.
        fewest: common bars that are needed at least.

    Returns:
        -1 to 1 but for the last digit; None where the common bars are too few, or one of the two does not move.
    """
    if not others:
        return []
    chosen = returns.take((one, *others), axis=1)
    sums = np.add.reduce(chosen, axis=0)
    if isnan(np.add.reduce(sums)):
        return _by_common_bars(chosen, fewest)
    if len(chosen) < fewest:
        return [None] * len(others)
    around_mean = np.subtract(chosen, sums / len(chosen), out=chosen)
    norms = np.sqrt(np.add.reduce(around_mean * around_mean, axis=0)).tolist()
    products = np.add.reduce(around_mean * around_mean[:, :1], axis=0).tolist()
    return [_quotient(product, norms[0] * norm) for product, norm in zip(products[1:], norms[1:], strict=True)]


def _by_common_bars(chosen: Floats, fewest: int) -> list[float | None]:
    """Of the first column with each other one; a bar that one of the two lacks adds zeros to their sums."""
    there = ~np.isnan(chosen)
    both = there & there[:, :1]
    bars = np.add.reduce(both, axis=0)
    counts = np.maximum(bars, 1)
    mine, theirs = np.where(both, chosen[:, :1], 0), np.where(both, chosen, 0)
    mine = np.where(both, mine - np.add.reduce(mine, axis=0) / counts, 0)
    theirs = np.where(both, theirs - np.add.reduce(theirs, axis=0) / counts, 0)
    scales = np.sqrt(np.add.reduce(mine * mine, axis=0)) * np.sqrt(np.add.reduce(theirs * theirs, axis=0))
    products = np.add.reduce(mine * theirs, axis=0).tolist()
    told = zip(products, scales.tolist(), (bars >= fewest).tolist(), strict=True)
    return [_quotient(product, scale) if enough else None for product, scale, enough in told][1:]


def _quotient(product: float, scale: float) -> float | None:
    found = product / scale if scale > 0 else nan
    return found if isfinite(found) else None
