"""Engle and Granger's test finds what wanders together, and is wrong about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.research.cointegration import CRITICAL, dickey_fuller, engle_granger


def walks(seed: int, count: int = 250) -> np.ndarray:
    return np.cumsum(np.random.Generator(np.random.PCG64(seed)).normal(size=(count, 2)), axis=0)


def test_a_line_with_noise_is_found_with_its_slope():
    x, noise = walks(1)[:, 0], np.diff(walks(2, 251)[:, 1])
    found = engle_granger(3.0 + 2.0 * x + noise, x)
    assert found.is_found
    assert (found.intercept, found.slope) == (pytest.approx(3.0, abs=0.3), pytest.approx(2.0, abs=0.05))
    assert found.residuals == pytest.approx(3.0 + 2.0 * x + noise - found.intercept - found.slope * x)


@pytest.mark.parametrize(("level", "fewest", "most"), [(0.10, 0.06, 0.14), (0.05, 0.025, 0.08), (0.01, 0.001, 0.025)])
def test_two_that_have_nothing_to_do_with_each_other_are_found_as_often_as_the_level_says(level, fewest, most):
    found = sum(engle_granger(*walks(seed).T, level=level).is_found for seed in range(800))
    assert fewest <= found / 800 <= most


def test_the_critical_values_are_mackinnons():
    """For 100 observations −3.40 at 5 %, for very many −3.34."""
    at_100 = engle_granger(*walks(1, 101).T).critical
    assert at_100 == pytest.approx(-3.33613 - 6.1101 / 100 - 6.823 / 100**2)
    assert engle_granger(*walks(1, 20_000).T).critical == pytest.approx(-3.3364, abs=1e-3)


def test_a_simulation_of_the_test_finds_the_critical_values():
    """At 19 changes, where the last term of MacKinnon's series counts most: 600,000 pairs of walks."""
    rng = np.random.Generator(np.random.PCG64(20))
    statistics = np.concatenate([_statistics(rng, pairs=100_000, observations=20) for _ in range(6)])
    for level, (limit, first, second) in CRITICAL.items():
        assert np.quantile(statistics, level) == pytest.approx(limit + first / 19 + second / 19**2, abs=0.015)


def _statistics(rng: np.random.Generator, pairs: int, observations: int) -> np.ndarray:
    """The t of the lagged residual of many pairs of independent walks [pairs], without lagged changes."""
    x, y = np.cumsum(rng.normal(size=(2, pairs, observations)), axis=2)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    residuals = y - ((x * y).sum(axis=1) / (x * x).sum(axis=1))[:, None] * x
    before, change = residuals[:, :-1], np.diff(residuals, axis=1)
    square = (before * before).sum(axis=1)
    rho = (before * change).sum(axis=1) / square
    left = change - rho[:, None] * before
    return rho / np.sqrt((left * left).sum(axis=1) / (observations - 2) / square)


def test_the_statistic_is_the_t_of_a_regression():
    """Without lags: ρ = Σ eₜ₋₁Δeₜ / Σ eₜ₋₁², over its standard error."""
    series = walks(7, 60)[:, 0]
    before, change = series[:-1], np.diff(series)
    rho = before @ change / (before @ before)
    left = change - rho * before
    error = np.sqrt(left @ left / (len(change) - 1) / (before @ before))
    assert dickey_fuller(series, lags=0) == pytest.approx(rho / error)


def test_scale_and_origin_do_not_matter():
    y, x = walks(5).T
    there, other = engle_granger(y, x), engle_granger(10 * y + 7, 3 * x - 2)
    assert other.statistic == pytest.approx(there.statistic)


@pytest.mark.parametrize(
    ("y", "x", "level"),
    [
        (np.ones(20), np.arange(20.0), 0.05),
        (np.arange(40.0), np.ones(40), 0.05),
        (np.arange(40.0), np.arange(39.0), 0.05),
        (np.append(np.arange(39.0), np.nan), np.arange(40.0), 0.05),
        (np.arange(40.0), np.arange(40.0), 0.5),
    ],
)
def test_what_cannot_be_tested_is_refused(y, x, level):
    with pytest.raises(InvalidNumber, match="cointegration needs"):
        engle_granger(y, x, level=level)
