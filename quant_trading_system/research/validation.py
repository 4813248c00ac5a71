"""Splitting the past for learning without letting the future in."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

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


class Split(NamedTuple):
    """One way to divide the rows.

    Attributes:
        train: rows to choose by.
        tests: the number and the rows of every group that is tested.
    """

    train: Rows
    tests: tuple[tuple[int, Rows], ...]


def combinatorial_purged(
    rows: int, *, groups: int, tests: int = 1, horizon: int = 0, embargo: int = 0
) -> Iterator[Split]:
    """Every way to test `tests` of `groups` groups of rows and to train on the others; with one, purged k-fold.

    A label of row i is known only at row i + `horizon`. Training rows whose labels overlap those of a test are purged
    on both sides of it, and `embargo` more behind it, for what they tell lingers.

    Args:
        rows: of the past, oldest first; groups differ by one row at most.

    Raises:
        InvalidNumber: fewer than two groups, no test or nothing but tests, a negative horizon or embargo, or too few
            rows for a training on every split.

    Source: López de Prado (2018), Advances in Financial Machine Learning, sections 7.4 and 12.4.
    """
    if not 0 < tests < groups or horizon < 0 or embargo < 0:
        raise InvalidNumber(
            f"{tests} of {groups} groups, a horizon of {horizon} and an embargo of {embargo} split nothing"
        )
    blocks = np.array_split(np.arange(rows), groups)
    for chosen in combinations(range(groups), tests):
        free = np.ones(rows, dtype=np.bool_)
        for group in chosen:
            block = blocks[group]
            if len(block):
                free[max(block[0] - horizon, 0) : block[-1] + 1 + horizon + embargo] = False
        if rows < groups or not free.any():
            raise InvalidNumber(
                f"{rows} rows are too few for {groups} groups with {horizon + embargo} purged rows each"
            )
        yield Split(np.flatnonzero(free), tuple((group, blocks[group]) for group in chosen))
