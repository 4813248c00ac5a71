"""Linear programs over the weights that the constraints allow: is there any, where, and could a better one be near?

The last question is a certificate of optimality that owes nothing to the solver that found the weights: the most
that the objective's linear approximation could gain anywhere within the constraints. For a convex objective the
optimum is no further away than that (Frank & Wolfe 1956).
"""

from __future__ import annotations

import numpy as np

from quant_trading_system.core.exceptions import InfeasiblePortfolio, SolverFailed
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.resolved import TOLERANCE, Resolved

_NOTHING = 1e-8
"""A weight as small as this is none."""


def require_feasible(resolved: Resolved) -> None:
    """Raise when no weights satisfy all constraints at once.

    Raises:
        InfeasiblePortfolio: names a constraint without which there would be weights, when a single one is to blame.
    """
    _require_enough_positions(resolved)
    if cheapest(resolved, np.zeros(len(resolved.symbols))) is not None:
        return
    for part in ("max_turnover", "max_trade", "sector caps", "min_return", "max_weight", "min_weight"):
        if cheapest(resolved, np.zeros(len(resolved.symbols)), without=part) is not None:
            raise InfeasiblePortfolio(f"no weights satisfy all constraints; without {part} there would be some")
    raise InfeasiblePortfolio("no weights satisfy all constraints; loosen more than one of them")


def _require_enough_positions(resolved: Resolved) -> None:
    limits = resolved.problem.constraints
    if limits.max_positions is None:
        return
    largest = np.sort(np.maximum(resolved.upper, 0.0))[-limits.max_positions :]
    if largest.sum() < limits.invested - TOLERANCE:
        raise InfeasiblePortfolio(
            f"max_positions {limits.max_positions} at their max_weight add up to {largest.sum():g}, "
            f"less than {limits.invested:g} to be invested"
        )


def first_order_gap(resolved: Resolved, weights: Floats, gradient: Floats) -> float:
    """The most that gradientᵀw + linear costs could fall from `weights` within the constraints; 0 at an optimum.

    Raises:
        SolverFailed: the linear program was not solved.
    """
    costs = resolved.linear
    best = cheapest(resolved, gradient, costs)
    if best is None:
        raise SolverFailed("the certificate could not be computed: the constraints left no weights")
    here = float(gradient @ weights + costs @ np.abs(weights - resolved.current))
    return abs(here - best)  # below zero only by the tolerances of the linear program


def cheapest(
    resolved: Resolved, prices: Floats, trade_prices: Floats | None = None, *, without: str = ""
) -> float | None:
    """Least pricesᵀw + trade_pricesᵀ|w − current| over the allowed weights; None when there are none.

    Args:
        without: leave out ``max_turnover``, ``max_trade``, ``sector caps``, ``min_return``, ``max_weight`` or
            ``min_weight``.

    Raises:
        SolverFailed: the program has no least value, or was not solved.
    """
    size = len(resolved.symbols)
    trading = np.zeros(size) if trade_prices is None else trade_prices
    objective = np.concatenate([prices, trading])
    unit = float(np.abs(objective).max()) or 1.0  # daily variances would drown in the solver's tolerances
    found = _solve(resolved, objective / unit, *_inequalities(resolved, without), without)
    return None if found is None else found[0] * unit


def most_even(resolved: Resolved, shares: Floats) -> Floats | None:
    """Allowed weights, all above zero, whose smallest part wᵢ / sharesᵢ is as large as can be; None without any.

    Args:
        shares: [N], above zero, of any scale.

    Raises:
        SolverFailed: the program was not solved.
    """
    size, parts = len(resolved.symbols), shares / shares.max()
    rows, limits = _inequalities(resolved, "")
    least = np.hstack([-np.eye(size), np.zeros((size, size)), parts[:, None]])
    stacked = np.vstack([np.hstack([rows, np.zeros((len(rows), 1))]), least]) if len(rows) else least
    objective = np.zeros(2 * size + 1)
    objective[-1] = -1.0
    found = _solve(resolved, objective, stacked, np.concatenate([limits, np.zeros(size)]), "")
    if found is None or not -found[0] > _NOTHING:
        return None
    weights: Floats = np.maximum(found[1][:size], -found[0] * parts)
    return weights


def _solve(
    resolved: Resolved, objective: Floats, rows: Floats, limits: Floats, without: str
) -> tuple[float, Floats] | None:
    """The least objective over (w, t, others) and where it is; None when the constraints leave nothing."""
    from scipy.optimize import linprog

    size = len(resolved.symbols)
    lower, upper = _bounds(resolved, without)
    others = len(objective) - size
    answer = linprog(
        objective,
        A_ub=rows if len(rows) else None,
        b_ub=limits if len(rows) else None,
        A_eq=np.concatenate([np.ones(size), np.zeros(others)])[None, :],
        b_eq=[resolved.problem.constraints.invested],
        bounds=np.column_stack(
            [np.concatenate([lower, np.zeros(others)]), np.concatenate([upper, np.full(others, np.inf)])]
        ),
        method="highs",
        options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
    )
    if answer.status == 2:
        return None
    if answer.status != 0:
        raise SolverFailed(f"a linear program over the constraints was not solved: {answer.message}")
    return float(answer.fun), np.asarray(answer.x, dtype=np.float64)


def _bounds(resolved: Resolved, without: str) -> tuple[Floats, Floats]:
    optional = resolved.problem.constraints.max_positions is not None  # then the floor is one of what is held
    lower = np.minimum(resolved.lower, 0.0) if optional else resolved.lower
    if without == "min_weight":
        lower = np.full_like(lower, -1e3)
    upper = np.full_like(lower, 1e3) if without == "max_weight" else resolved.upper
    if without != "max_trade":
        lower = np.maximum(lower, resolved.current - resolved.max_trade)
        upper = np.minimum(upper, resolved.current + resolved.max_trade)
    return lower, np.maximum(upper, lower) if without == "min_weight" else upper


def _inequalities(resolved: Resolved, without: str) -> tuple[Floats, Floats]:
    """Rows over (w, t), where t is at least |w − current|."""
    size, constraints = len(resolved.symbols), resolved.problem.constraints
    nothing = np.zeros(size)
    rows: list[Floats] = []
    limits: list[float] = []
    if without != "sector caps":
        for group in resolved.groups:
            rows.append(np.concatenate([group.members, nothing]))
            limits.append(group.cap)
    if constraints.min_return is not None and resolved.means is not None and without != "min_return":
        unit = float(np.abs(resolved.means).max()) or 1.0
        rows.append(np.concatenate([-resolved.means / unit, nothing]))
        limits.append(-constraints.min_return / unit)
    if not resolved.counts_trades:
        return np.array(rows), np.array(limits)
    if constraints.max_turnover is not None and without != "max_turnover":
        rows.append(np.concatenate([nothing, np.ones(size)]))
        limits.append(constraints.max_turnover)
    one = np.eye(size)
    distance = np.vstack([np.hstack([one, -one]), np.hstack([-one, -one])])
    stacked = np.vstack([*rows, distance]) if rows else distance
    return stacked, np.concatenate([limits, resolved.current, -resolved.current])
