"""Nothing that is learned knows the future, and noise teaches nothing."""

from __future__ import annotations

import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import InvalidNumber, StrategyError
from quant_trading_system.research.learning import Panel, learn
from quant_trading_system.research.validation import purged_walk_forward


@given(st.integers(10, 400), st.integers(0, 20), st.integers(1, 6), st.integers(0, 5))
def test_no_label_of_a_training_row_reaches_into_its_test(rows, horizon, folds, embargo):
    assume(rows // (folds + 1) > horizon + embargo)
    tested = []
    for train, test in purged_walk_forward(rows, horizon=horizon, folds=folds, embargo=embargo):
        assert len(train) > 0
        assert train.max() + horizon + embargo < test.min()
        tested += test.tolist()
    assert tested == list(range(tested[0], rows))  # each row of the last part once, in order


@pytest.mark.parametrize(("rows", "horizon", "folds"), [(10, 5, 4), (100, -1, 4), (100, 5, 0)])
def test_a_split_that_leaves_nothing_is_refused(rows, horizon, folds):
    with pytest.raises(InvalidNumber):
        list(purged_walk_forward(rows, horizon=horizon, folds=folds))


def closes(seed: int, drifts: np.ndarray, days: int = 756) -> np.ndarray:
    moves = np.random.Generator(np.random.PCG64(seed)).normal(drifts, 0.01, (days, len(drifts)))
    return 100 * np.exp(np.cumsum(moves, axis=0))


def test_features_are_ranks_of_the_past_and_labels_stop_where_outcomes_are_unknown():
    prices = closes(1, np.zeros(5))
    panel = Panel.of(prices, 21)
    assert panel is not None
    assert panel.features.min() == -0.5
    assert panel.features.max() == 0.5
    assert (len(panel.features) - len(panel.labels), panel.purged) == (5, 5)  # 21 bars are five rows of five bars
    changed = prices.copy()
    changed[-20:] *= np.linspace(1, 3, 5)  # what comes after the last known label changes neither it nor what was known
    other = Panel.of(changed, 21)
    assert other is not None
    assert (other.features[: len(panel.labels)] == panel.features[: len(panel.labels)]).all()
    assert (other.labels[:-4] == panel.labels[:-4]).all()  # the last four look 21 bars ahead into what was changed


def test_a_pattern_is_learned_and_noise_is_not_believed_much():
    """Stocks with a lasting drift beat the median; the model must find them."""
    model, skill = learn(Panel.of(closes(2, np.linspace(-0.002, 0.002, 8)), 21))
    assert model is not None
    assert skill > 0.6
    panel = Panel.of(closes(2, np.linspace(-0.002, 0.002, 8)), 21)
    chances = panel.chances(model)
    assert chances[-2:].min() > chances[:2].max()
    _, luck = learn(Panel.of(closes(3, np.zeros(8)), 21))
    assert luck < 0.6


def test_too_short_a_past_gives_no_panel():
    assert Panel.of(closes(1, np.zeros(3), 300), 21) is None
    gap = closes(1, np.zeros(3))
    gap[5, 1] = np.nan
    assert Panel.of(gap, 21) is None


def test_without_scikit_learn_the_error_says_what_to_install():
    with mock.patch.dict(sys.modules, {"sklearn.linear_model": None}), pytest.raises(StrategyError, match="optimiser"):
        learn(Panel.of(closes(1, np.zeros(3)), 21))
