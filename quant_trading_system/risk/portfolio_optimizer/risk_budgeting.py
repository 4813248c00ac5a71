"""Risk parity and risk budgeting, exact and fast enough for every bar.

The convex problem min ½xᵀΣx − Σ bᵢ ln xᵢ has one solution, and its x, scaled to one, has the wanted risk
contributions. Newton's method solves it; each step is found by conjugate gradients, so that a step costs a few
products with the matrix instead of a factorisation. With xᵢ measured in logarithms the system is I + M, where the
eigenvalues of M are mostly between 0 and 1, and a dozen products give a step to full accuracy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quant_trading_system.core.exceptions import EstimateError, SolverFailed
from quant_trading_system.risk.covariance.psd import Floats, correlations, deviations

_MAX_STEPS = 200
_MAX_PRODUCTS = 1000
_GOAL = 1e-13
_NO_RISK = 1e-9
ACCEPTED = 1e-9
"""Largest relative error of a risk contribution with which a solution is returned."""


class RiskBudgeting(NamedTuple):
    """A solution and its proof.

    Attributes:
        weights: [N], above zero, their sum is one.
        residual: largest |RCᵢ / (bᵢ·σ) − 1|, the relative error of a risk contribution.
        steps: of Newton's method.
    """

    weights: Floats
    residual: float
    steps: int


def risk_parity(covariance: Floats) -> RiskBudgeting:
    """The long-only portfolio whose assets contribute equally to its volatility; arguments as `risk_budgeting`.

    Source:
        Maillard, Roncalli & Teiletche (2010).
    """
    size = len(covariance)
    return risk_budgeting(covariance, np.full(size, 1 / max(size, 1)))


def risk_budgeting(covariance: Floats, budgets: Floats) -> RiskBudgeting:
    """The long-only portfolio with wᵢ·(Σw)ᵢ / σ(w) = bᵢ·σ(w).

    Args:
        covariance: float64 [N, N], positive semi-definite, in any unit: the weights do not depend on its scale.
        budgets: float64 [N], above zero; divided by their sum.

    Raises:
        EstimateError: not finite, a variance of zero, or a budget that is not above zero (drop such an asset first).
        SolverFailed: contributions not exact to 1e-9, as when a long-only portfolio without any risk exists.

    Source:
        Spinu (2013), An algorithm for computing risk parity weights; Bruder & Roncalli (2012).
    """
    _require_budgets(covariance, budgets)
    wanted = budgets / budgets.sum()
    sigma = deviations(covariance)
    x, steps = _minimum(correlations(covariance), wanted)
    weights = x / sigma / (x / sigma).sum()
    residual = contribution_error(covariance, weights, wanted)
    if not residual <= ACCEPTED:
        raise SolverFailed(f"risk contributions are off by {residual:.1e}; the covariance is near singular: shrink it")
    return RiskBudgeting(weights, residual, steps)


def contribution_error(covariance: Floats, weights: Floats, budgets: Floats) -> float:
    """Largest relative error of a risk contribution, max |RCᵢ / (bᵢ·σ) − 1|; infinite without risk."""
    contributions = weights * (covariance @ weights)
    variance = float(contributions.sum())
    parts = float(weights @ deviations(covariance))
    if not variance > (_NO_RISK * parts) ** 2:
        return np.inf
    return float(np.abs(contributions / (budgets * variance) - 1).max())


def _minimum(matrix: Floats, budgets: Floats) -> tuple[Floats, int]:
    """Minimise f(x) = ½xᵀCx − Σ bᵢ ln xᵢ from inverse volatilities; C has ones on its diagonal."""
    x = np.sqrt(budgets)
    variance = float(x @ matrix @ x)
    if variance > 0:
        x /= np.sqrt(variance)  # along each ray the minimum lies where xᵀCx = Σ bᵢ = 1
    product = matrix @ x
    for step in range(_MAX_STEPS):
        shortfall = budgets - x * product  # −xᵢ·∂f/∂xᵢ
        error = float((np.abs(shortfall) / budgets).max())
        if error <= _GOAL:
            return x, step
        change, change_product = _newton_direction(matrix, x, budgets, shortfall, accuracy=min(0.1, error))
        length = step_length(x, change, product, change_product, budgets)
        if length * float(np.abs(change).max()) <= 1e-16:
            return x, step
        x = x * (1 + length * change)
        product = matrix @ x if step % 4 == 3 else product + length * change_product
    return x, _MAX_STEPS


def _newton_direction(
    matrix: Floats, x: Floats, budgets: Floats, shortfall: Floats, *, accuracy: float
) -> tuple[Floats, Floats]:
    """The relative change v with (diag b + XCX)·v = shortfall, and C·Xv; conjugate gradients, preconditioned by b."""
    change, change_product = np.zeros_like(x), np.zeros_like(x)
    remaining = shortfall.copy()
    direction = remaining / budgets
    size = first = float(remaining @ direction)
    for _ in range(_MAX_PRODUCTS):
        image = matrix @ (x * direction)
        curved = budgets * direction + x * image
        step = size / float(direction @ curved)
        change += step * direction
        change_product += step * image
        remaining -= step * curved
        scaled = remaining / budgets
        size, before = float(remaining @ scaled), size
        if size <= accuracy**2 * first:
            break
        direction = scaled + size / before * direction
    return change, change_product


def step_length(x: Floats, change: Floats, product: Floats, change_product: Floats, budgets: Floats) -> float:
    """Halve the step until x stays positive and f no longer rises at its end by more than half of how it fell.

    Args:
        x: above zero; product: Cx.
        change: relative to x, a direction in which f falls; change_product: C·(x·change).
    """
    length = 1.0
    lowest = float(change.min())
    if lowest <= -0.9:
        length = 0.9 / -lowest
    moved = x * change
    linear, square = float(moved @ product), float(moved @ change_product)
    slope = linear - float(budgets @ change)
    for _ in range(60):
        end = linear + length * square - float((budgets * change / (1 + length * change)).sum())
        if end <= 0.5 * abs(slope):
            break
        length /= 2
    return length


def _require_budgets(covariance: Floats, budgets: Floats) -> None:
    if covariance.ndim != 2 or covariance.shape != (len(budgets), len(budgets)) or not len(budgets):
        raise EstimateError(f"a covariance of shape {covariance.shape} does not fit {len(budgets)} budgets")
    if not np.isfinite(covariance).all():
        raise EstimateError("the covariance holds numbers that are not finite")
    if not np.isfinite(budgets).all() or not (budgets > 0).all():
        raise EstimateError("every risk budget must be above zero; leave out assets that get none")
