"""Splits that let nothing of the test into the training."""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.research.validation import combinatorial_purged, purged_walk_forward


@given(
    rows=st.integers(40, 200),
    groups=st.integers(2, 7),
    data=st.data(),
    horizon=st.integers(0, 3),
    embargo=st.integers(0, 3),
)
def test_no_training_row_overlaps_a_test(rows, groups, data, horizon, embargo):
    """By the definition: [i, i + horizon] of a training row meets that of no test row, nor the embargo behind one."""
    tests = data.draw(st.integers(1, min(groups - 1, 3)))
    try:
        splits = list(combinatorial_purged(rows, groups=groups, tests=tests, horizon=horizon, embargo=embargo))
    except InvalidNumber:
        return
    assert len(splits) == comb(groups, tests)
    for split in splits:
        tested = np.concatenate([found for _, found in split.tests])
        for row in split.train:
            apart = row - tested
            assert not ((apart >= -horizon) & (apart <= horizon)).any()
            assert not ((apart > 0) & (apart <= horizon + embargo)).any()
        free = set(range(rows)) - set(split.train.tolist()) - set(tested.tolist())
        for row in free:  # nothing is thrown away without a reason
            apart = row - tested
            assert ((apart >= -horizon) & (apart <= horizon + embargo)).any()


def test_every_group_is_tested_equally_often():
    """The example of the book: six groups, two of them tested, are fifteen splits and five paths."""
    splits = list(combinatorial_purged(60, groups=6, tests=2))
    assert len(splits) == 15
    assert set(Counter(group for split in splits for group, _ in split.tests).values()) == {5}


@pytest.mark.parametrize(
    "wrong", [{"groups": 1}, {"groups": 3, "tests": 3}, {"groups": 3, "tests": 0}, {"groups": 3, "horizon": -1}]
)
def test_what_splits_nothing(wrong):
    with pytest.raises(InvalidNumber, match="split nothing"):
        next(combinatorial_purged(30, **wrong))


def test_purging_may_leave_nothing():
    with pytest.raises(InvalidNumber, match="too few"):
        list(combinatorial_purged(12, groups=3, horizon=12))


def test_walk_forward_trains_on_the_past_only():
    splits = list(purged_walk_forward(100, horizon=3, folds=4, embargo=2))
    assert [int(test[0]) for _, test in splits] == [20, 40, 60, 80]
    assert [int(train[-1]) for train, _ in splits] == [14, 34, 54, 74]
