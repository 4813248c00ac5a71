"""Covariance estimators on complete returns: float64 [T, N] in, float64 [N, N] per period out.

Returns are simple returns of equal periods as fractions. Each function does what its paper says; what is missing
or too short is dealt with before (see `quant_trading_system.risk.covariance.estimate`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.risk.covariance.psd import Floats, correlations


class Shrunk(NamedTuple):
    """A shrunk covariance [N, N], and how far it was moved to its target: 0 is the sample, 1 the target."""

    matrix: Floats
    shrinkage: float


def sample_covariance(returns: Floats) -> Floats:
    """The sample covariance with divisor T − 1; its rank is at most T − 1."""
    centred = returns - returns.mean(axis=0)
    matrix: Floats = centred.T @ centred / (len(returns) - 1)
    return matrix


def ewma_covariance(returns: Floats, decay: float = 0.94) -> Floats:
    """Exponentially weighted products of returns around zero, the newest heaviest: weights λⁱ / Σ λʲ.

    Source:
        RiskMetrics Technical Document (1996), eq. 5.23, with weights that add up to one, so that no seed is needed.

    Raises:
        EstimateError: `decay` is not between 0 and 1.
    """
    weighted = returns * ewma_weights(len(returns), decay)[:, None]
    matrix: Floats = weighted.T @ returns
    return matrix


def ewma_weights(count: int, decay: float) -> Floats:
    """Weights [T] that fall by `decay` a step back in time and add up to one.

    Raises:
        EstimateError: `decay` is not between 0 and 1.
    """
    if not 0 < decay < 1:
        raise EstimateError(f"decay {decay} must lie between 0 and 1; 0.94 is usual for days")
    falling = decay ** np.arange(count - 1, -1, -1.0)
    weights: Floats = falling / falling.sum()
    return weights


def ledoit_wolf(returns: Floats) -> Shrunk:
    """Shrinks the sample (divisor T) to m·I, where m is the mean variance; invertible even for T ≤ N.

    Source:
        Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
    """
    count, size = returns.shape
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / count
    mean_variance = float(np.trace(sample)) / size
    distance = float(((sample - mean_variance * np.eye(size)) ** 2).sum()) / size
    spread = float((_fourth_moments(centred) - sample**2).sum()) / size / count
    shrinkage = min(spread, distance) / distance if distance > 0 else 1.0
    return Shrunk((1 - shrinkage) * sample + shrinkage * mean_variance * np.eye(size), shrinkage)


def ledoit_wolf_constant_correlation(returns: Floats) -> Shrunk:
    """Shrinks the sample (divisor T) to its own variances with one correlation, the mean of all.

    Source:
        Ledoit & Wolf (2004), Honey, I shrunk the sample covariance matrix, appendices A and B.

    Raises:
        EstimateError: a column never moved.
    """
    count, size = returns.shape
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / count
    sigma = np.sqrt(np.diag(sample))
    mean = (correlations(sample).sum() - size) / (size * (size - 1)) if size > 1 else 1.0
    target = mean * np.outer(sigma, sigma)
    np.fill_diagonal(target, sigma**2)
    pi = _fourth_moments(centred) - sample**2
    theta = (centred**3).T @ centred / count - (sigma**2)[:, None] * sample
    np.fill_diagonal(theta, 0.0)
    rho = float(np.trace(pi)) + mean * float((np.outer(1 / sigma, sigma) * theta).sum())
    gamma = float(((sample - target) ** 2).sum())
    shrinkage = min(max((float(pi.sum()) - rho) / gamma / count, 0.0), 1.0) if gamma > 0 else 1.0
    return Shrunk(shrinkage * target + (1 - shrinkage) * sample, shrinkage)


def oas(returns: Floats) -> Shrunk:
    """Oracle approximating shrinkage of the sample (divisor T) to m·I, best when returns are normal.

    Source:
        Chen, Wiesel, Eldar & Hero (2010), eq. 23, without its terms in 2/N, as scikit-learn has it.
    """
    count, size = returns.shape
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / count
    mean_variance = float(np.trace(sample)) / size
    square = float((sample**2).mean())
    distance = (count + 1) * (square - mean_variance**2 / size)
    shrinkage = min((square + mean_variance**2) / distance, 1.0) if distance > 0 else 1.0
    return Shrunk((1 - shrinkage) * sample + shrinkage * mean_variance * np.eye(size), shrinkage)


def gerber(returns: Floats, threshold: float = 0.5) -> Floats:
    """Counts joint moves beyond `threshold` standard deviations, so that neither noise nor outliers weigh.

        gᵢⱼ = (n_UU + n_DD − n_UD − n_DU) / (T − n_NN)

    The form of the statistic that is mostly positive semi-definite; deviations have divisor T.

    Source:
        Gerber, Markowitz, Ernst, Miao, Javid & Sargen (2022), eq. 11.

    Raises:
        EstimateError: `threshold` is not between 0 and 1, or two columns never moved beyond it.
    """
    if not 0 < threshold < 1:
        raise EstimateError(f"threshold {threshold} must lie between 0 and 1 standard deviations; 0.5 is usual")
    sigma = returns.std(axis=0)
    up = (returns >= threshold * sigma).astype(np.float64)
    down = (returns <= -threshold * sigma).astype(np.float64)
    quiet = 1.0 - up - down
    counted = len(returns) - quiet.T @ quiet
    if not (counted > 0).all():
        raise EstimateError("two columns never moved beyond the threshold; take more observations or a lower one")
    net = up - down
    matrix: Floats = net.T @ net / counted * np.outer(sigma, sigma)
    return matrix


def _fourth_moments(centred: Floats) -> Floats:
    squares = centred**2
    moments: Floats = squares.T @ squares / len(centred)
    return moments
