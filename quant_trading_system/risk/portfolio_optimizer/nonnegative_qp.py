"""The quadratic program behind long-only portfolios: min ½yᵀAy − bᵀy with y ≥ 0.

Minimum variance, maximum Sharpe ratio and maximum diversification without further limits are this problem with
b of ones, of excess returns, or of volatilities, once y is scaled to one. An active-set method solves it exactly:
it finds who is held, and then solves one small linear system.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import SolverFailed
from quant_trading_system.risk.covariance.psd import Floats

_FIRST_BLOCK = 16
_MUCH_AS_BAD = 0.1
_NOTHING = 1e-13
_FIRMNESS = 1e-12
ACCEPTED = 1e-9
"""Largest KKT residual with which a solution is returned, as a fraction of the largest bᵢ."""


class NonnegativeQp(NamedTuple):
    """A solution and its certificate.

    Attributes:
        y: [N], zero or above.
        gradient: Ay − b, [N]: zero where y is held, zero or above elsewhere; the multipliers of y ≥ 0.
        residual: largest violation of these conditions, as a fraction of the largest bᵢ.
        rounds: in which assets were taken in.
    """

    y: Floats
    gradient: Floats
    residual: float
    rounds: int


def solve_nonnegative_qp(matrix: Floats, linear: Floats) -> NonnegativeQp:
    """Minimise ½yᵀAy − bᵀy over y ≥ 0.

    Begins with nothing, takes in the assets whose gradient is lowest, a block at a time, and drops those that the
    solution on the block would make negative. As long as the objective falls no set of assets can return; when it
    does not fall, one asset a round is taken in, which always lets it fall (Lawson & Hanson 1974, chapter 23).

    Args:
        matrix: float64 [N, N], A: symmetric, positive semi-definite, best with ones on the diagonal.
        linear: float64 [N], b; without a positive bᵢ the solution is zero.

    Raises:
        SolverFailed: the conditions hold to no more than 1e-9, as when A is singular and the objective has no minimum.
    """
    y, held, rounds = np.zeros(len(linear)), np.zeros(len(linear), dtype=bool), 0
    gradient = -linear
    small = _NOTHING * float(np.abs(linear).max(initial=0.0))
    lowest = 0.0
    one_at_a_time = False
    while rounds < 10 * len(linear):
        wanting = np.flatnonzero(~held & (gradient < -small))
        if not len(wanting):
            break
        held[_taken_in(wanting, gradient, matrix, linear, int(held.sum()), one_at_a_time)] = True
        y, held = _minimum_over(matrix, linear, y, held)
        gradient = y[held] @ matrix[held] - linear
        objective = -0.5 * float(linear @ y)
        if one_at_a_time and not objective < lowest:
            break
        one_at_a_time = not objective < lowest
        lowest = min(lowest, objective)
        rounds += 1
    residual = kkt_residual(y, gradient, linear)
    if not residual <= ACCEPTED:
        raise SolverFailed(f"the active set left a KKT residual of {residual:.1e}; the covariance is near singular")
    return NonnegativeQp(y, gradient, residual, rounds)


def kkt_residual(y: Floats, gradient: Floats, linear: Floats) -> float:
    """The largest of −gᵢ where nothing is held and |gᵢ| where something is, as a fraction of the largest bᵢ."""
    violation = np.where(y > 0, np.abs(gradient), np.maximum(-gradient, 0.0))
    return float(violation.max(initial=0.0)) / max(float(np.abs(linear).max(initial=0.0)), 1e-300)


def _taken_in(
    wanting: NDArray[np.intp], gradient: Floats, matrix: Floats, linear: Floats, held: int, one_at_a_time: bool
) -> NDArray[np.intp]:
    if one_at_a_time:
        return wanting[[gradient[wanting].argmin()]]
    if not held:  # all gradients are −b: begin with those that move least with all the others
        alone = (matrix[wanting] @ np.maximum(linear, 0.0)) / linear[wanting]
        return wanting[np.argsort(alone, kind="stable")[:_FIRST_BLOCK]]
    worst = wanting[np.argsort(gradient[wanting], kind="stable")[: max(_FIRST_BLOCK, held)]]
    bad: NDArray[np.intp] = worst[gradient[worst] <= _MUCH_AS_BAD * gradient[worst[0]]]
    return bad


def _minimum_over(
    matrix: Floats, linear: Floats, y: Floats, held: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.bool_]]:
    """From y go towards the minimum over the held assets, dropping whoever reaches zero on the way."""
    held = held.copy()
    while True:
        places = np.flatnonzero(held)
        if not len(places):
            return np.zeros_like(y), held
        target = _solve(matrix[np.ix_(places, places)], linear[places])
        now = y[places]
        falls = target <= 0
        moved = np.zeros_like(y)
        if not falls.any():
            moved[places] = target
            return moved, held
        reach = float((now[falls] / (now[falls] - target[falls])).min()) if (now[falls] > 0).all() else 0.0
        arrived = now + reach * (target - now)
        gone = falls & (arrived <= 1e-14 * arrived.max())
        arrived[gone] = 0.0
        moved[places] = arrived
        y = moved
        held[places[gone]] = False


def _solve(matrix: Floats, linear: Floats) -> Floats:
    """Two proximal steps: as exact as a plain solve, and of the right sign where the matrix is singular (twins)."""
    firm = matrix + _FIRMNESS * np.eye(len(linear))
    first = np.linalg.solve(firm, linear)
    solution: Floats = first + np.linalg.solve(firm, linear - matrix @ first)
    return solution
