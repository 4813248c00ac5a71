"""Hierarchical portfolios by skfolio, on the covariance at hand instead of one that it would estimate itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from quant_trading_system.core.exceptions import SolverFailed
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.problem import Method
from quant_trading_system.risk.portfolio_optimizer.resolved import Resolved


def hierarchical_weights(resolved: Resolved) -> Floats:
    """Weights of HRP (single linkage, recursive bisection) or HERC (Ward linkage, equal risk of clusters).

    Distances are √(½·(1 − ρ)). Bounds between zero and one are passed on; other constraints are checked afterwards.

    Raises:
        SolverFailed: weights below zero are asked for, or skfolio gave none.

    Source:
        López de Prado (2016), Building diversified portfolios that outperform out of sample; Raffinot (2018),
        The hierarchical equal risk contribution portfolio.
    """
    if (resolved.lower < 0).any():
        raise SolverFailed("hierarchical portfolios are long only")
    if len(resolved.symbols) == 1:
        return np.array([resolved.problem.constraints.invested])
    from cvxpy import SolverError

    estimator = _estimator(resolved)
    placeholder = np.vstack([np.zeros(len(resolved.symbols)), np.sqrt(np.diag(resolved.sigma))])
    try:
        estimator.fit(placeholder)
    except (ValueError, ArithmeticError, RuntimeError, SolverError) as error:
        raise SolverFailed(f"skfolio gave no weights: {error}") from error
    return np.asarray(estimator.weights_, dtype=np.float64) * resolved.problem.constraints.invested


def _estimator(resolved: Resolved) -> Any:
    from skfolio.cluster import HierarchicalClustering, LinkageMethod
    from skfolio.distance import CovarianceDistance
    from skfolio.moments import BaseCovariance
    from skfolio.optimization import HierarchicalEqualRiskContribution, HierarchicalRiskParity
    from skfolio.prior import EmpiricalPrior
    from skfolio.seriation import HierarchicalSeriation

    matrix = np.array(resolved.sigma)

    class _Given(BaseCovariance):  # type: ignore[misc,unused-ignore]
        """The covariance that we have, whatever the returns."""

        def fit(self, X: Any, y: Any = None) -> _Given:  # noqa: ARG002, N803 - the interface of scikit-learn
            self._set_covariance(matrix.copy())
            return self

    is_hrp = resolved.problem.method is Method.HRP
    clustering = HierarchicalClustering(linkage_method=LinkageMethod.SINGLE if is_hrp else LinkageMethod.WARD)
    scale = resolved.problem.constraints.invested or 1.0
    common = {
        "prior_estimator": EmpiricalPrior(covariance_estimator=_Given(nearest=False)),
        "distance_estimator": CovarianceDistance(covariance_estimator=_Given(nearest=False)),
        "min_weights": resolved.lower / scale,
        "max_weights": np.minimum(resolved.upper / scale, 1.0),
    }
    if not is_hrp:
        return HierarchicalEqualRiskContribution(hierarchical_clustering_estimator=clustering, **common)
    order = HierarchicalSeriation(hierarchical_clustering_estimator=clustering, optimal_ordering=False)
    return HierarchicalRiskParity(seriation_estimator=order, **common)
