"""The optimal schedule under a drift, without trades in the wrong direction.

A strong drift makes the unconstrained optimum buy within a sale; then the cost of the spread is wrong, and a
broker would see wash trades. Here it is a small quadratic programme, solved exactly by an active set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber

if TYPE_CHECKING:
    from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem

Floats = NDArray[np.float64]

_ROUNDING = 1e-10


def one_way_trades(problem: ShortfallProblem) -> list[float]:
    """Minimise expected cost + λ · variance over trades that are not negative and sum to the quantity.

    Written with trades as shares of the quantity, n = X w: ½ wᵀHw + cᵀw, w ≥ 0, Σw = 1. Source of the objective:
    Almgren & Chriss (2000), eqs. 5, 8 and 24; of the method: Nocedal & Wright (2006), algorithm 16.3.

    Raises:
        InvalidNumber: the programme does not converge, because its numbers are too badly scaled.
    """
    hessian, slope = _programme(problem)
    count = problem.slices
    weights = np.full(count, 1 / count)
    free = np.ones(count, dtype=bool)
    tolerance = _ROUNDING * (float(np.abs(hessian).max()) + float(np.abs(slope).max()))
    for _ in range(20 * count + 20):
        target, price = _on_free(hessian, slope, free)
        falling = free & (target < 0)
        if falling.any():
            steps = np.where(falling, weights / np.maximum(weights - target, 1e-300), np.inf)
            first = int(np.argmin(steps))
            weights = weights + min(float(steps[first]), 1.0) * (target - weights)
            free[first] = False
            weights[~free] = 0.0
            continue
        weights = target
        wanted = np.where(free, np.inf, hessian @ weights + slope - price)
        best = int(np.argmin(wanted))
        if wanted[best] >= -tolerance:
            found = np.maximum(weights, 0)
            return [float(share) * problem.quantity for share in found / found.sum()]
        free[best] = True
    raise InvalidNumber("the schedule under this drift cannot be computed; check the units of drift and impact")


def _programme(problem: ShortfallProblem) -> tuple[Floats, Floats]:
    count, tau, whole = problem.slices, problem.slice_length, problem.quantity
    held = -np.tril(np.ones((count, count)))  # holdings after each trade are X (1 + held @ w)
    held[-1] = -1.0
    risk = 2 * problem.risk_aversion * problem.volatility**2 * tau * whole**2
    drift = tau * whole * np.asarray(problem.drift)
    last_is_nothing = np.diag([1.0] * (count - 1) + [0.0])
    hessian = risk * held.T @ last_is_nothing @ held
    hessian += 2 * problem.effective_temporary / tau * whole**2 * np.eye(count)
    ones = last_is_nothing @ np.ones(count)
    return hessian, risk * held.T @ ones - held.T @ (last_is_nothing @ drift)


def _on_free(hessian: Floats, slope: Floats, free: NDArray[np.bool_]) -> tuple[Floats, float]:
    """The minimum with the other weights at zero, and the price of one share."""
    index = np.flatnonzero(free)
    size = len(index)
    scale = float(np.abs(hessian).max())
    system = np.zeros((size + 1, size + 1))
    system[:size, :size] = hessian[np.ix_(index, index)] / scale
    system[:size, size] = system[size, :size] = 1.0
    right = np.append(-slope[index] / scale, 1.0)
    solved = np.linalg.solve(system, right)
    target = np.zeros(len(free))
    target[index] = solved[:size]
    return target, -float(solved[size]) * scale
