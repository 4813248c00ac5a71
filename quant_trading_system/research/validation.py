"""Splitting the past for learning without letting the future in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber

Rows = NDArray[np.intp]


def purged_walk_forward(rows: int, *, horizon: int, folds: int, embargo: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of training and test rows, the tests one after the other, training always before its test.

    A label of row i is known only at row i + `horizon`. Rows whose labels reach into the test are purged from the
    training, and `embargo` more before them.

    Args:
        rows: of the past, oldest first.
        folds: number of tests; the first part of the rows is only trained on.

    Source: López de Prado (2018), Advances in Financial Machine Learning, chapters 7 and 12.

    Raises:
        InvalidNumber: no fold, a negative horizon or embargo, or too few rows for a training before each test.
    """
    if folds < 1 or horizon < 0 or embargo < 0:
        raise InvalidNumber(f"{folds} folds, a horizon of {horizon} and an embargo of {embargo} split nothing")
    size = rows // (folds + 1)
    if size <= horizon + embargo:
        raise InvalidNumber(f"{rows} rows are too few for {folds} folds with {horizon + embargo} purged rows each")
    for fold in range(1, folds + 1):
        begin = rows - (folds + 1 - fold) * size
        yield np.arange(begin - horizon - embargo), np.arange(begin, begin + size)
