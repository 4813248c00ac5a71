"""Every estimator against its paper, against independent libraries, and against a slow transcription of its sums."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import skfolio.moments
import sklearn.covariance

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.risk.covariance import CovarianceModel, Estimator
from quant_trading_system.risk.covariance.denoising import denoised_covariance, noise_variance
from quant_trading_system.risk.covariance.estimators import (
    ewma_covariance,
    gerber,
    ledoit_wolf,
    ledoit_wolf_constant_correlation,
    oas,
    sample_covariance,
)


@pytest.fixture(scope="module")
def returns():
    """Twenty stocks, 501 days."""
    return load_sp500(date(2020, 12, 31), date(2022, 12, 28)).returns()


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-16)


def test_the_sample_covariance_is_numpys(returns):
    close(sample_covariance(returns), np.cov(returns.T))


@pytest.mark.parametrize("decay", [0.94, 0.97, 0.5])
def test_ewma_is_the_adjusted_mean_of_products_of_pandas(returns, decay):
    a, b = returns[:, 0], returns[:, 7]
    by_pandas = pd.Series(a * b).ewm(alpha=1 - decay, adjust=True).mean().iloc[-1]
    assert ewma_covariance(returns, decay)[0, 7] == pytest.approx(by_pandas, rel=1e-12)


def test_ewma_gives_the_latest_day_its_share():
    """Two days, weights 1/(1 + λ) and λ/(1 + λ), and no mean taken off."""
    found = ewma_covariance(np.array([[0.01], [0.03]]), 0.5)
    assert found[0, 0] == pytest.approx((0.5 * 0.01**2 + 0.03**2) / 1.5, rel=1e-14)


def test_ledoit_wolf_on_three_observations():
    """The values that the authors' own script gives."""
    found = ledoit_wolf(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 5.0]]))
    assert found.shrinkage == pytest.approx(0.343642611683848, rel=1e-12)
    expected = [[0.819396716303933, 0.656357388316152], [0.656357388316152, 1.40282550591829]]
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-12)


@pytest.mark.parametrize("days", [501, 60, 15])
def test_shrinkage_to_identity_is_scikit_learns(returns, days):
    """With 15 days for 20 stocks, too."""
    ours, theirs = ledoit_wolf(returns[-days:]), sklearn.covariance.LedoitWolf().fit(returns[-days:])
    close(ours.matrix, theirs.covariance_)
    assert ours.shrinkage == pytest.approx(theirs.shrinkage_, rel=1e-12)
    ours, theirs = oas(returns[-days:]), sklearn.covariance.OAS().fit(returns[-days:])
    close(ours.matrix, theirs.covariance_)
    assert ours.shrinkage == pytest.approx(theirs.shrinkage_, rel=1e-12)


def slow_constant_correlation(x):
    """The appendix of the paper, sum by sum."""
    count, size = x.shape
    x = x - x.mean(axis=0)
    s = x.T @ x / count
    d = np.sqrt(np.diag(s))
    mean = sum(s[i, j] / d[i] / d[j] for i in range(size) for j in range(i)) * 2 / (size * (size - 1))
    target = np.array([[s[i, i] if i == j else mean * d[i] * d[j] for j in range(size)] for i in range(size)])
    pi = np.array([[np.mean((x[:, i] * x[:, j] - s[i, j]) ** 2) for j in range(size)] for i in range(size)])
    rho = np.trace(pi)
    for i in range(size):
        for j in range(size):
            if i != j:
                product = x[:, i] * x[:, j] - s[i, j]
                ii = np.mean((x[:, i] ** 2 - s[i, i]) * product)
                jj = np.mean((x[:, j] ** 2 - s[j, j]) * product)
                rho += mean / 2 * (d[j] / d[i] * ii + d[i] / d[j] * jj)
    kappa = (pi.sum() - rho) / ((target - s) ** 2).sum()
    shrinkage = max(0.0, min(kappa / count, 1.0))
    return shrinkage * target + (1 - shrinkage) * s, shrinkage


def test_shrinkage_to_constant_correlation_is_the_papers(returns):
    found = ledoit_wolf_constant_correlation(returns[-250:, :8])
    matrix, shrinkage = slow_constant_correlation(returns[-250:, :8])
    assert found.shrinkage == pytest.approx(shrinkage, rel=1e-10)
    np.testing.assert_allclose(found.matrix, matrix, rtol=1e-10)


def test_shrinkage_to_constant_correlation_is_close_to_a_library_with_another_divisor(returns):
    """PyPortfolioOpt 1.6.0 shrinks the sample with divisor T − 1, which makes 0.08323593968 of it."""
    assert ledoit_wolf_constant_correlation(returns).shrinkage == pytest.approx(0.08323593968, rel=0.005)


@pytest.mark.parametrize("threshold", [0.5, 0.2, 0.9])
def test_gerber_is_skfolios(returns, threshold):
    theirs = skfolio.moments.GerberCovariance(threshold=threshold, nearest=False).fit(returns)
    close(gerber(returns, threshold), theirs.covariance_)


def test_gerber_counts_moves():
    """Five days: up together twice, apart once, one alone, none: (2 − 1) / (5 − 1)."""
    x = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [1.0, 0.0], [0.0, 0.0]])
    found = gerber(x, 0.5)
    assert found[0, 1] / np.sqrt(found[0, 0] * found[1, 1]) == pytest.approx(1 / 4)


@pytest.mark.parametrize("days", [501, 300])
def test_denoising_is_skfolios(returns, days):
    theirs = skfolio.moments.DenoiseCovariance(nearest=False).fit(returns[-days:])
    close(denoised_covariance(returns[-days:]).matrix, theirs.covariance_)


def test_denoising_leaves_nothing_of_pure_noise():
    """Independent returns have no factor: all eigenvalues become their mean, and the correlations those of nothing."""
    noise = np.random.Generator(np.random.PCG64(3)).normal(size=(4000, 200))
    found = denoised_covariance(noise)
    assert found.factors <= 2
    values = np.linalg.eigvalsh(np.corrcoef(noise.T))
    assert noise_variance(values, 20) == pytest.approx(1, abs=0.06)


def test_denoising_keeps_the_trace_of_variances(returns):
    close(np.diag(denoised_covariance(returns).matrix), returns.var(axis=0, ddof=1))


@pytest.mark.parametrize("estimator", Estimator)
def test_every_estimator_of_real_returns_is_a_covariance(returns, estimator):
    model = CovarianceModel(estimator=estimator)
    found = model.of_returns(returns, [f"S{i}" for i in range(20)])
    assert np.linalg.eigvalsh(found.matrix).min() > 0
    assert found.estimator == estimator
    assert found.observations == 501
    assert found.repaired == 0


@pytest.mark.parametrize("estimator", Estimator)
def test_estimates_scale_with_the_square_of_returns(returns, estimator):
    model, names = CovarianceModel(estimator=estimator), [f"S{i}" for i in range(20)]
    once, thrice = model.of_returns(returns, names), model.of_returns(3 * returns, names)
    np.testing.assert_allclose(thrice.matrix, 9 * once.matrix, rtol=1e-9)


@pytest.mark.parametrize("estimator", Estimator)
def test_estimates_do_not_depend_on_the_order_of_symbols(returns, estimator):
    model = CovarianceModel(estimator=estimator)
    order = np.random.Generator(np.random.PCG64(1)).permutation(20)
    once = model.of_returns(returns, [f"S{i}" for i in range(20)])
    mixed = model.of_returns(returns[:, order], [f"S{i}" for i in order])
    np.testing.assert_allclose(mixed.matrix, once.matrix[np.ix_(order, order)], rtol=1e-9)


@pytest.mark.parametrize("decay", [0.0, 1.0, -1.0, float("nan")])
def test_a_decay_that_forgets_nothing_or_everything_is_refused(returns, decay):
    with pytest.raises(EstimateError, match="decay"):
        ewma_covariance(returns, decay)


@pytest.mark.parametrize("threshold", [0.0, 1.0, float("nan")])
def test_a_threshold_outside_its_range_is_refused(returns, threshold):
    with pytest.raises(EstimateError, match="threshold"):
        gerber(returns, threshold)


def test_denoising_fewer_days_than_stocks_is_refused(returns):
    with pytest.raises(EstimateError, match="more observations than columns, not 20 for 20"):
        denoised_covariance(returns[:20])
