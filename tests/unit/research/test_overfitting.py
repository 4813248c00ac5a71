"""Deflated Sharpe ratio and probability of overfitting, against the papers and against slow computations."""

from __future__ import annotations

from itertools import combinations
from math import comb, log, sqrt

import numpy as np
import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.research.overfitting import (
    backtest_overfitting,
    combinatorial_paths,
    daily_sharpe,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    partitions_for,
    probability_above,
)

# The example of Bailey & López de Prado (2014): five years of 250 days, an annual Sharpe ratio of 2.5, and a variance
# of one half between the annual Sharpe ratios of the trials.
VARIANCE, SHARPE, DAYS = 0.5 / 250, 2.5 / sqrt(250), 1250


@pytest.mark.parametrize(
    ("trials", "skewness", "kurtosis", "luck", "expected"),
    [
        (100, -3.0, 10.0, 0.1132, 0.9004),
        (46, -3.0, 10.0, None, 0.9505),
        (88, 0.0, 3.0, None, 0.9505),
    ],
)
def test_the_numbers_of_the_paper(trials, skewness, kurtosis, luck, expected):
    found = expected_maximum_sharpe(VARIANCE, trials)
    assert luck is None or found == pytest.approx(luck, abs=5e-5)
    probability = probability_above(SHARPE, found, observations=DAYS, skewness=skewness, kurtosis=kurtosis)
    assert probability == pytest.approx(expected, abs=5e-5)


def test_the_expected_maximum_is_what_worthless_trials_show():
    random = np.random.default_rng(3)
    for trials in (10, 100, 1000):
        simulated = random.normal(0, 0.1, (20_000, trials)).max(axis=1).mean()
        assert expected_maximum_sharpe(0.01, trials) == pytest.approx(simulated, rel=0.03)


def test_one_trial_needs_no_deflation():
    returns = np.random.default_rng(5).normal(0.001, 0.01, (500, 1))
    found = deflated_sharpe(returns, 0)
    assert found.benchmark == 0
    assert found.probability == found.above_zero == found.independent


def test_probabilities_are_not_made_up():
    assert probability_above(0.1, 0.0, observations=1) is None
    assert probability_above(1.0, 0.0, observations=10, skewness=2.0, kurtosis=5.0) is None


def test_more_trials_deflate_more_but_less_when_they_are_alike():
    random = np.random.default_rng(8)
    returns = random.normal(0.0008, 0.01, (750, 1)) + random.normal(0, 0.003, (750, 40))
    few, many = deflated_sharpe(returns, 0), deflated_sharpe(np.hstack([returns] * 5), 0)
    assert many.probability < few.probability < few.above_zero
    assert many.effective < many.trials / 4
    assert many.independent > many.probability


def test_effective_trials_are_counted_by_the_mean_correlation():
    random = np.random.default_rng(11)
    common = random.normal(0, 0.01, (400, 1))
    returns = np.hstack([common + random.normal(0, 0.005, (400, 20)), np.zeros((400, 2))])
    matrix = np.corrcoef(returns[:, :20].T)
    mean = matrix[~np.eye(20, dtype=bool)].mean()
    assert effective_trials(returns) == pytest.approx(mean + (1 - mean) * 20 + 2)
    assert effective_trials(np.hstack([common] * 7)) == pytest.approx(1)


def slow_overfitting(returns, partitions):
    """The steps of the paper, one after the other."""
    days = len(returns) // partitions * partitions
    blocks = np.split(returns[len(returns) - days :], partitions)
    logits, losses, inside_all, outside_all = [], 0, [], []
    for chosen in combinations(range(partitions), partitions // 2):
        inside = daily_sharpe(np.concatenate([blocks[i] for i in chosen]))
        outside = daily_sharpe(np.concatenate([blocks[i] for i in range(partitions) if i not in chosen]))
        best = max(range(len(inside)), key=lambda n: (inside[n], -n))
        rank = sum(value < outside[best] for value in outside) + 1
        share = rank / (len(outside) + 1)
        logits.append(log(share / (1 - share)))
        losses += outside[best] < 0
        inside_all.append(inside[best])
        outside_all.append(outside[best])
    slope = np.polyfit(inside_all, outside_all, 1)[0]
    return sum(value <= 0 for value in logits) / len(logits), losses / len(logits), slope, logits


@pytest.mark.parametrize(("days", "trials", "partitions"), [(203, 7, 6), (120, 30, 8), (64, 2, 4)])
def test_the_same_as_step_by_step(days, trials, partitions):
    returns = np.random.default_rng(days).normal(0.0003, 0.01, (days, trials))
    found = backtest_overfitting(returns, partitions)
    probability, loss, slope, logits = slow_overfitting(returns, partitions)
    assert (found.probability, found.loss) == (probability, loss)
    assert found.degradation == pytest.approx(slope)
    assert found.logits == pytest.approx(logits)
    assert found.halves == len(logits) == comb(partitions, partitions // 2)


def test_worthless_skilled_and_compensating_trials():
    """Pure noise is a coin flip, skill is found again; trials that all end at zero compensate, as the paper shows."""
    random = np.random.default_rng(13)
    noise = [backtest_overfitting(random.normal(0, 0.01, (480, 20)), 8).probability for _ in range(60)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.08)
    returns = random.normal(0, 0.01, (480, 20))
    assert backtest_overfitting(returns - returns.mean(axis=0), 8).probability == 1.0
    returns[:, 4] += 0.004
    assert backtest_overfitting(returns, 8).probability == 0.0


def test_trials_that_are_the_same_share_the_middle_rank():
    returns = np.random.default_rng(17).normal(0, 0.01, (80, 1)).repeat(3, axis=1)
    assert set(backtest_overfitting(returns, 4).logits) == {0.0}


def test_trials_without_trades_do_no_harm():
    returns = np.zeros((80, 3))
    found = backtest_overfitting(returns, 4)
    assert (found.loss, found.degradation) == (0.0, None)


@pytest.mark.parametrize(("shape", "partitions"), [((100, 1), 4), ((100, 5), 5), ((6, 5), 4), ((100, 5), 0)])
def test_what_cannot_be_halved(shape, partitions):
    with pytest.raises(InvalidNumber, match="halved"):
        backtest_overfitting(np.zeros(shape), partitions)


@pytest.mark.parametrize(("days", "partitions"), [(19, None), (20, 4), (79, 14), (80, 16), (5000, 16)])
def test_partitions_have_five_days_at_least(days, partitions):
    assert partitions_for(days) == partitions


def test_combinatorial_paths_hold_what_was_best_on_the_other_days():
    random = np.random.default_rng(19)
    returns = random.normal(0, 0.01, (120, 4))
    paths = combinatorial_paths(returns, groups=4, tests=2)
    blocks = np.split(np.arange(120), 4)
    held = {group: [] for group in range(4)}
    for tested in combinations(range(4), 2):
        train = np.concatenate([blocks[group] for group in range(4) if group not in tested])
        best = int(np.argmax(returns[train].mean(axis=0) / returns[train].std(axis=0)))
        for group in tested:
            held[group].append(returns[blocks[group], best])
    expected = []
    for path in range(3):
        whole = np.concatenate([held[group][path] for group in range(4)])
        expected.append(whole.mean() / whole.std() * sqrt(252))
    assert paths == pytest.approx(expected)
