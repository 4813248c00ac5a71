"""Denoising: eigenvalues that pure noise would show as well are replaced by their mean.

The Marchenko–Pastur law tells how the eigenvalues of a correlation matrix of independent returns spread. The
variance of the noise is fitted to the eigenvalues seen; what lies above the law's upper edge is kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.risk.covariance.estimators import sample_covariance
from quant_trading_system.risk.covariance.psd import Floats, correlations, deviations

_BANDWIDTH = 0.01
_POINTS = 1000


class Denoised(NamedTuple):
    """A denoised covariance [N, N]; `factors` eigenvalues were kept."""

    matrix: Floats
    factors: int


def denoised_covariance(returns: Floats) -> Denoised:
    """The sample covariance with its noisy eigenvalues set to one constant (the residual eigenvalue method).

    Raises:
        EstimateError: no more observations than columns, for which the law has no lower edge; or a column never moved.

    Source:
        López de Prado (2020), Machine Learning for Asset Managers, section 2.5.1; Marchenko & Pastur (1967).
    """
    count, size = returns.shape
    if count <= size:
        raise EstimateError(f"denoising needs more observations than columns, not {count} for {size}")
    sample = sample_covariance(returns)
    sigma = deviations(sample)
    values, vectors = np.linalg.eigh(correlations(sample))
    edge = noise_variance(values, count / size) * (1 + np.sqrt(size / count)) ** 2
    noisy = values < edge
    if noisy.any():
        values = np.where(noisy, values[noisy].mean(), values)
    cleaned = correlations((vectors * values) @ vectors.T)
    return Denoised(cleaned * np.outer(sigma, sigma), int(size - noisy.sum()))


def noise_variance(eigenvalues: Floats, ratio: float) -> float:
    """The variance σ² of the noise whose Marchenko–Pastur density fits the eigenvalues best (least squares).

    Args:
        eigenvalues: of a correlation matrix, [N].
        ratio: observations per column, T / N, above 1.
    """
    low, high = 1e-5, 1 - 1e-5
    best = 0.5
    for _ in range(4):  # a finer grid around the best point of the coarser one
        grid = np.linspace(low, high, 41)
        best = float(grid[np.argmin([_misfit(variance, eigenvalues, ratio) for variance in grid])])
        step = float(grid[1] - grid[0])
        low, high = max(best - step, 1e-5), min(best + step, 1 - 1e-5)
    return best


def _misfit(variance: float, eigenvalues: Floats, ratio: float) -> float:
    lower, upper = (variance * (1 + sign * np.sqrt(1 / ratio)) ** 2 for sign in (-1, 1))
    at = np.linspace(lower, upper, _POINTS)
    law = ratio / (2 * np.pi * variance * at) * np.sqrt(np.maximum((upper - at) * (at - lower), 0.0))
    return float(((_density(eigenvalues, at) - law) ** 2).sum())


def _density(values: Floats, at: Floats) -> Floats:
    """Gaussian kernel density of `values` at the points `at`."""
    kernels = np.exp(-0.5 * ((at[:, None] - values) / _BANDWIDTH) ** 2)
    density: Floats = kernels.mean(axis=1) / (_BANDWIDTH * np.sqrt(2 * np.pi))
    return density
