"""How far weights can be from the optimum, told by the gradient of the method's own objective."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from quant_trading_system.risk.covariance.psd import Floats, deviations
from quant_trading_system.risk.portfolio_optimizer.convex import budgets_of, mean_doubt
from quant_trading_system.risk.portfolio_optimizer.polytope import first_order_gap
from quant_trading_system.risk.portfolio_optimizer.problem import Method
from quant_trading_system.risk.portfolio_optimizer.resolved import Resolved


def optimality_residual(resolved: Resolved, weights: Floats) -> float | None:
    """The first-order gap of the weights as a fraction of their risk (or of one, for logarithms of ratios).

    None for methods that optimise nothing, for linear tails (min-cvar), whose proof is the solver's own duality gap,
    with a limit on the number of positions, which has no gradient, and for weights of zero, which have no risk.

    Raises:
        SolverFailed: the linear program behind it was not solved.
    """
    gradient = _GRADIENTS.get(resolved.problem.method)
    if gradient is None or resolved.problem.constraints.max_positions is not None:
        return None
    if resolved.problem.method is Method.MAX_SHARPE and resolved.has_costs:
        return None
    slope, size = gradient(resolved, weights)
    return first_order_gap(resolved, weights, slope) / size if size else None


def _variance(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    aversion = resolved.problem.risk_aversion
    slope = aversion * (resolved.sigma @ weights) + 2 * resolved.quadratic * (weights - resolved.current)
    return slope, aversion * float(weights @ resolved.sigma @ weights)


def _mean_variance(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    slope, size = _variance(resolved, weights)
    return slope - _means(resolved), size


def _robust(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    slope, size = _mean_variance(resolved, weights)
    product = resolved.sigma @ weights
    doubt, volatility = mean_doubt(resolved), float(np.sqrt(weights @ product))
    return slope + doubt * product / volatility, size + doubt * volatility


def _sharpe(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    """Of −ln of the ratio, with the excess return that the whole portfolio earns."""
    excess = _means(resolved) - resolved.problem.risk_free
    product = resolved.sigma @ weights
    return product / (weights @ product) - excess / (excess @ weights), 1.0


def _diversification(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    volatility = deviations(resolved.sigma)
    product = resolved.sigma @ weights
    return product / (weights @ product) - volatility / (volatility @ weights), 1.0


def _budgets(resolved: Resolved, weights: Floats) -> tuple[Floats, float]:
    product = resolved.sigma @ weights
    return product / (weights @ product) - budgets_of(resolved) / weights, 1.0


def _means(resolved: Resolved) -> Floats:
    assert resolved.means is not None
    return resolved.means


_GRADIENTS: dict[Method, Callable[[Resolved, Floats], tuple[Floats, float]]] = {
    Method.MIN_VARIANCE: _variance,
    Method.MEAN_VARIANCE: _mean_variance,
    Method.ROBUST: _robust,
    Method.MAX_SHARPE: _sharpe,
    Method.MAX_DIVERSIFICATION: _diversification,
    Method.RISK_PARITY: _budgets,
}
