"""Black–Litterman: equilibrium returns of a market, tilted by views in proportion to how sure each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.risk.covariance import Covariance
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.problem import BySymbol, View


class Posterior(NamedTuple):
    """What to expect after the views.

    Attributes:
        equilibrium: π = δΣw of the market, [N], per period.
        means: posterior expected returns, [N], per period.
        covariance: Σ + M, where M is the posterior's own uncertainty.
    """

    equilibrium: Floats
    means: Floats
    covariance: Covariance


def black_litterman(
    covariance: Covariance,
    market_weights: BySymbol,
    views: Sequence[View] = (),
    *,
    risk_aversion: float = 2.5,
    tau: float = 0.05,
) -> Posterior:
    """Posterior of returns: μ = π + τΣPᵀ(PτΣPᵀ + Ω)⁻¹(q − Pπ), M = τΣ − τΣPᵀ(PτΣPᵀ + Ω)⁻¹PτΣ.

    Args:
        market_weights: weights of the market by symbol, 0 for those left out.
        views: opinions; without any the means are the equilibrium.
        risk_aversion: δ of the market; `tau`: uncertainty of the equilibrium as a fraction of Σ.

    Raises:
        EstimateError: an unknown symbol, a view without weights, or a variance, δ or τ that is not above zero.

    Source:
        Black & Litterman (1992); He & Litterman (1999), eqs. 8 and 9.
    """
    if not risk_aversion > 0 or not tau > 0:
        raise EstimateError("risk aversion and tau must be above zero")
    sigma = covariance.matrix
    equilibrium: Floats = risk_aversion * sigma @ _vector(covariance, market_weights, "the market")
    if not views:
        return Posterior(equilibrium, equilibrium, _with(covariance, (1 + tau) * sigma))
    picks = np.array([_vector(covariance, view.weights, f"view {i}") for i, view in enumerate(views, 1)])
    if not np.abs(picks).any(axis=1).all():
        raise EstimateError("a view has no weights other than zero")
    expected = np.array([view.expected for view in views])
    spread = tau * sigma @ picks.T
    own = np.diag(picks @ spread)
    omega = np.array([own[i] if view.variance is None else view.variance for i, view in enumerate(views)])
    if not np.isfinite(expected).all() or not (omega > 0).all():
        raise EstimateError("a view needs a finite return and a variance above zero")
    gain = np.linalg.solve(picks @ spread + np.diag(omega), spread.T)
    means = equilibrium + gain.T @ (expected - picks @ equilibrium)
    uncertainty = tau * sigma - spread @ gain
    return Posterior(equilibrium, means, _with(covariance, sigma + (uncertainty + uncertainty.T) / 2))


def _vector(covariance: Covariance, weights: BySymbol, what: str) -> Floats:
    unknown = [symbol for symbol in weights if symbol not in covariance.symbols]
    if unknown:
        raise EstimateError(f"{what} names {unknown[0]}, which the covariance does not know")
    vector = np.array([float(weights.get(symbol, 0.0)) for symbol in covariance.symbols])
    if not np.isfinite(vector).all():
        raise EstimateError(f"the weights of {what} are not finite")
    return vector


def _with(covariance: Covariance, matrix: Floats) -> Covariance:
    return Covariance(
        symbols=covariance.symbols,
        matrix=matrix,
        estimator=f"black-litterman on {covariance.estimator}",
        observations=covariance.observations,
        shrinkage=covariance.shrinkage,
        repaired=covariance.repaired,
    )
