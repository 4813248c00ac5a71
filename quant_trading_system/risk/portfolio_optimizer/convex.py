"""Convex programs with general constraints, written in cvxpy and solved by Clarabel's interior point.

Every program is scaled to variances around one first: daily variances near 1e-4 would drown in a solver's
tolerances, and then the last bits of the processor decide how far from the optimum it ends. Ratios (Sharpe,
diversification) are made convex by y = k·w, with every constraint on w multiplied by k. A solution counts only when the
solver calls it optimal; a second try with looser tolerances is a rung of its own.

The logarithms of risk parity never reach the solver, for it finds weights to 1e-10 by quadratic programs and no better
than to 1e-6 by exponential cones. Newton's method needs only the former.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import SolverFailed
from quant_trading_system.risk.covariance.psd import Floats, correlations, deviations
from quant_trading_system.risk.portfolio_optimizer.nonnegative_qp import solve_nonnegative_qp
from quant_trading_system.risk.portfolio_optimizer.polytope import most_even
from quant_trading_system.risk.portfolio_optimizer.problem import Method
from quant_trading_system.risk.portfolio_optimizer.resolved import Group, Resolved
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import step_length
from quant_trading_system.risk.value_at_risk import confidence_level

CONVEX = {
    Method.MIN_VARIANCE, Method.MEAN_VARIANCE, Method.MAX_SHARPE, Method.RISK_PARITY, Method.MAX_DIVERSIFICATION,
    Method.MIN_CVAR, Method.ROBUST,
}  # fmt: skip
"""Methods that have a convex program. Black–Litterman is mean–variance with other means."""

RATIOS = {Method.MAX_SHARPE, Method.RISK_PARITY, Method.MAX_DIVERSIFICATION}
_ZERO = 1e-8
_ENDLESS = 1e9
_WITH_MEANS = {Method.MEAN_VARIANCE, Method.MAX_SHARPE, Method.ROBUST}
_FULL = 1e-9
"""How near the caps of all sectors come to what is invested when all of them are full."""
_LEAST_UNIT, _MAX_STEPS, _STEP_GOAL = 1e-6, 100, 1e-12
_QUADRATIC = 1e-3
"""A relative step below which Newton's method squares the error, so that one that stays is the solver's tolerance."""


class ConvexSolution(NamedTuple):
    """Weights [N], and the value of the program's objective in its own units, to be compared within one program."""

    weights: Floats
    objective: float


class _At(NamedTuple):
    """Where a program is written down, and solved.

    Attributes:
        unit: the variance that counts as one.
        leniency: parameter, 1 / λ.
        near: parameter, 1 / y of the point around which logarithms are approximated.
    """

    unit: float
    leniency: Any
    near: Any


class _Full(NamedTuple):
    """Weights [N] that must be at their largest, and sectors that must be at their cap."""

    weights: NDArray[np.bool_]
    sectors: tuple[Group, ...]


class ConvexProgram:
    """A problem as a cvxpy program whose bounds can change, so that it is compiled once for many solves."""

    def __init__(self, resolved: Resolved) -> None:
        """Write down the program.

        Raises:
            SolverFailed: the method has no convex program, or costs or means do not fit it.
        """
        import cvxpy as cp

        self._resolved = resolved
        method, size = resolved.problem.method, len(resolved.symbols)
        if method not in CONVEX:
            raise SolverFailed(f"{method} has no convex program")
        self._y = cp.Variable(size)
        self._k: Any = cp.Variable(nonneg=True) if method in RATIOS else None
        k: Any = 1.0 if self._k is None else self._k
        self._lower, self._upper = cp.Parameter(size), cp.Parameter(size)
        self._at = _At(_unit(resolved), cp.Parameter(nonneg=True), cp.Parameter(size, nonneg=True))
        objective, rows = _OBJECTIVES[method](cp, resolved, self._y, k, self._at)
        full = _full(resolved)
        rows += list(_feasible(cp, resolved, self._y, k, full))
        free = ~full.weights
        above, below = np.flatnonzero(free), np.flatnonzero(free & np.isfinite(resolved.upper))
        rows += [self._y[above] >= _times(cp, self._lower, k)[above]] if len(above) else []
        rows += [self._y[below] <= _times(cp, self._upper, k)[below]] if len(below) else []
        self._program = cp.Problem(cp.Minimize(objective), rows)

    def solve(
        self, *, lower: Floats | None = None, upper: Floats | None = None, tolerance: float = 1e-10
    ) -> ConvexSolution | None:
        """Solve within the bounds; None when the solver proved that there are no weights.

        Args:
            lower, upper: instead of the problem's.
            tolerance: of feasibility and duality gap.

        Raises:
            SolverFailed: the solver stopped without a proven optimum.
        """
        low = self._resolved.lower if lower is None else lower
        high = self._resolved.upper if upper is None else upper
        if self._resolved.problem.method is Method.ROBUST:
            return self._solve_robust(low, high, tolerance)
        if self._resolved.problem.method is Method.RISK_PARITY:
            return self._solve_budgets(low, high, tolerance)
        return self._solve_once(low, high, tolerance, self._resolved.problem.risk_aversion)

    def _solve_once(self, low: Floats, high: Floats, tolerance: float, aversion: float) -> ConvexSolution | None:
        import cvxpy as cp

        self._lower.value, self._upper.value = np.maximum(low, -1e6), np.minimum(high, 1e6)
        self._at.leniency.value = 1 / aversion
        accuracy = {"tol_gap_abs": tolerance, "tol_gap_rel": tolerance, "tol_feas": tolerance}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it warns of is in the status, which is read below
                self._program.solve(solver=cp.CLARABEL, **accuracy)
        except cp.SolverError as error:
            raise SolverFailed(f"Clarabel gave up: {error}") from error
        status = self._program.status
        if status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
            return None
        if status != cp.OPTIMAL:
            raise SolverFailed(f"Clarabel ended with {status} at a tolerance of {tolerance:g}")
        return ConvexSolution(self._weights(low, high), float(self._program.value))

    def _solve_robust(self, low: Floats, high: Floats, tolerance: float) -> ConvexSolution | None:
        """μᵀw less κ standard errors: the worst mean in the ellipsoid (m − μ)ᵀ(Σ/T)⁻¹(m − μ) ≤ κ².

        The penalty c·σ(w) has the gradient of (c / σ)·½wᵀΣw, so the solution is the mean–variance portfolio of the
        risk aversion λ + c / σ whose volatility is that σ. It is found by a search over σ, for a quadratic program
        is solved far more exactly than one with a second-order cone.
        """
        from scipy.optimize import brentq

        sigma, aversion = self._resolved.sigma, self._resolved.problem.risk_aversion
        doubt = mean_doubt(self._resolved)
        calm = self._solve_once(low, high, tolerance, _ENDLESS * aversion)
        bold = self._solve_once(low, high, tolerance, aversion)
        if calm is None or bold is None:
            return None
        found = bold

        def excess(volatility: float) -> float:
            nonlocal found
            tried = self._solve_once(low, high, tolerance, aversion + doubt / volatility)
            if tried is None:
                raise SolverFailed("the program of another risk aversion has no solution")
            found = tried
            return _volatility(sigma, tried.weights) - volatility

        least, most = _volatility(sigma, calm.weights), _volatility(sigma, bold.weights)
        if doubt > 0 and most > least * (1 + 1e-9) and excess(least) > 0 > excess(most):
            excess(brentq(excess, least, most, xtol=1e-12 * most, rtol=1e-12))
        weights, volatility = found.weights, _volatility(sigma, found.weights)
        gain = float(_means(self._resolved) @ weights) - self._resolved.cost(weights)
        return ConvexSolution(weights, 0.5 * aversion * volatility**2 + doubt * volatility - gain)

    def _solve_budgets(self, low: Floats, high: Floats, tolerance: float) -> ConvexSolution | None:
        """Newton's method for ½yᵀΣy − Σ bᵢ ln yᵢ: a quadratic program around the last y, and a step towards its end.

        It starts within the constraints and never leaves them, since they are convex. It ends when steps no longer
        shrink, which is where the tolerance of the quadratic programs lies.

        Source:
            Lee, Sun & Saunders (2014), Proximal Newton-type methods for minimizing composite functions.
        """
        resolved, budgets = self._resolved, budgets_of(self._resolved)
        sigma = resolved.sigma / self._at.unit
        start = most_even(msgspec.structs.replace(resolved, lower=low, upper=high), 1 / deviations(sigma))
        if start is None:
            return None
        variance = float(start @ sigma @ start)
        if not variance > 0:
            raise SolverFailed("there are weights without any risk, which is an error of the covariance: shrink it")
        y = start / np.sqrt(variance)
        size = np.inf
        for _ in range(_MAX_STEPS):
            self._at.near.value = 1 / y
            found = self._solve_once(low, high, tolerance, 1.0)
            if found is None:
                raise SolverFailed("a quadratic program around allowed weights has no solution")
            target = np.asarray(self._y.value, dtype=np.float64)
            change = target / y - 1
            size, before = float(np.abs(change).max()), size
            if size <= _STEP_GOAL or before / 2 < size < _QUADRATIC:
                return ConvexSolution(found.weights, float(0.5 * y @ sigma @ y - budgets @ np.log(y)))
            y = y * (1 + step_length(y, change, sigma @ y, sigma @ target - sigma @ y, budgets) * change)
        raise SolverFailed(f"Newton's method did not end within {_MAX_STEPS} quadratic programs")

    def _weights(self, lower: Floats, upper: Floats) -> Floats:
        """The solution within its bounds to the last digit; what is left of the sum goes to weights between them."""
        scale = 1.0 if self._k is None else float(self._k.value)
        if not scale > 0:
            raise SolverFailed("the program has no portfolio: its scale went to zero")
        weights: Floats = np.clip(np.asarray(self._y.value, dtype=np.float64) / scale, lower, upper)
        weights[(np.abs(weights) < _ZERO) & (lower <= 0) & (upper >= 0)] = 0.0
        between = (weights > lower + _ZERO) & (weights < upper - _ZERO)
        missing = self._resolved.problem.constraints.invested - float(weights.sum())
        if between.any():
            weights[between] += missing * np.abs(weights[between]) / np.abs(weights[between]).sum()
        return weights


def _feasible(cp: Any, resolved: Resolved, y: Any, k: Any, full: _Full) -> Iterator[Any]:
    """All constraints but the bounds of weights that are free, multiplied by k."""
    limits = resolved.problem.constraints
    held = np.flatnonzero(full.weights)
    if len(held):
        yield y[held] == resolved.upper[held] * k
    yield from (group.members @ y == group.cap * k for group in full.sectors)
    if not len(held) and not full.sectors:
        yield cp.sum(y) == limits.invested * k
        yield from (group.members @ y <= group.cap * k for group in resolved.groups)
    trades = y - resolved.current * k
    if limits.max_turnover is not None:
        yield cp.norm1(trades) <= limits.max_turnover * k
    bounded = np.flatnonzero(np.isfinite(resolved.max_trade))
    if len(bounded):
        yield cp.abs(trades[bounded]) <= resolved.max_trade[bounded] * k
    if limits.min_return is not None and resolved.means is not None:
        size = max(float(np.abs(resolved.means).max()), 1e-300)
        yield (resolved.means / size) @ y >= limits.min_return / size * k


def _full(resolved: Resolved) -> _Full:
    """What must hold all that it may for the sum to be reached; nothing where there is a choice.

    An interior point needs room between inequalities. Caps whose sum is what is invested leave none.
    """
    limits, groups, size = resolved.problem.constraints, resolved.groups, len(resolved.symbols)
    if not groups or (np.sum([group.members for group in groups], axis=0) != 1).any():
        groups = (Group("all", np.ones(size), np.inf),)
    most = [float(resolved.upper[group.members > 0].sum()) for group in groups]
    total = sum(min(group.cap, whole) for group, whole in zip(groups, most, strict=True))
    if limits.max_positions is not None or not abs(total - limits.invested) <= _FULL:
        return _Full(np.zeros(size, dtype=bool), ())
    capped = tuple(group for group, whole in zip(groups, most, strict=True) if group.cap < whole)
    return _Full(np.sum([np.zeros(size), *(group.members for group in capped)], axis=0) == 0, capped)


def _min_variance(cp: Any, resolved: Resolved, w: Any, k: Any, at: _At) -> tuple[Any, list[Any]]:
    return _half_variance(cp, resolved, at, w) + at.leniency * _cost(cp, resolved, w, k, at.unit), []


def _mean_variance(cp: Any, resolved: Resolved, w: Any, k: Any, at: _At) -> tuple[Any, list[Any]]:
    unit = at.unit
    net = _cost(cp, resolved, w, k, unit) - (_means(resolved) / unit) @ w
    return _half_variance(cp, resolved, at, w) + at.leniency * net, []


def _max_sharpe(cp: Any, resolved: Resolved, y: Any, k: Any, at: _At) -> tuple[Any, list[Any]]:
    excess = _means(resolved) - resolved.problem.risk_free
    size = max(float(np.abs(excess).max()), 1e-300)
    return _half_variance(cp, resolved, at, y), [(excess / size) @ y - _cost(cp, resolved, y, k, size) >= 1]


def _max_diversification(cp: Any, resolved: Resolved, y: Any, k: Any, at: _At) -> tuple[Any, list[Any]]:
    _refuse_costs(resolved)
    volatility = deviations(resolved.sigma)
    return _half_variance(cp, resolved, at, y), [(volatility / np.mean(volatility)) @ y == 1, k >= 0]


def _risk_parity(cp: Any, resolved: Resolved, y: Any, k: Any, at: _At) -> tuple[Any, list[Any]]:
    """½yᵀΣy − Σ bᵢ ln yᵢ to second order; with caps that bind, contributions are no longer equal."""
    _refuse_costs(resolved)
    if resolved.problem.constraints.max_positions is not None:
        raise SolverFailed("risk parity holds every symbol; choose the symbols first, then ask for risk parity")
    budgets = budgets_of(resolved)
    relative = cp.multiply(at.near, y)
    curved = cp.sum_squares(cp.multiply(np.sqrt(budgets), relative))
    return _half_variance(cp, resolved, at, y) + 0.5 * curved - 2 * budgets @ relative, [k >= 0]


def _min_cvar(cp: Any, resolved: Resolved, w: Any, k: Any, _: _At) -> tuple[Any, list[Any]]:
    scenarios = scenarios_of(resolved)
    tail = float(1 - confidence_level(resolved.problem.confidence)) * len(scenarios)
    unit = float(scenarios.std()) or 1.0
    loss = -(scenarios / unit) @ w
    quantile, beyond = cp.Variable(), cp.Variable(len(scenarios), nonneg=True)
    objective = quantile + cp.sum(beyond) / tail + _cost(cp, resolved, w, k, unit)
    return objective, [beyond >= loss - quantile]


_OBJECTIVES = {
    Method.RISK_PARITY: _risk_parity,
    Method.MIN_VARIANCE: _min_variance,
    Method.MEAN_VARIANCE: _mean_variance,
    Method.ROBUST: _mean_variance,
    Method.MAX_SHARPE: _max_sharpe,
    Method.MAX_DIVERSIFICATION: _max_diversification,
    Method.MIN_CVAR: _min_cvar,
}


def budgets_of(resolved: Resolved) -> Floats:
    """Risk budgets [N] with a sum of one; equal ones when none are given."""
    given, size = resolved.problem.budgets, len(resolved.symbols)
    if given is None:
        return np.full(size, 1 / size)
    budgets = np.array([float(given[symbol]) for symbol in resolved.symbols])
    shares: Floats = budgets / budgets.sum()
    return shares


def scenarios_of(resolved: Resolved) -> Floats:
    """Returns [T, N] of min-cvar.

    Raises:
        SolverFailed: there are none, or fewer than ⌈1 / (1 − c)⌉.
    """
    scenarios = resolved.problem.scenarios
    if scenarios is None:
        raise SolverFailed("min-cvar needs scenarios: past returns of every symbol")
    if len(scenarios) * (1 - confidence_level(resolved.problem.confidence)) < 1:
        raise SolverFailed(f"{len(scenarios)} scenarios are too few for a confidence of {resolved.problem.confidence}")
    return scenarios


def mean_doubt(resolved: Resolved) -> float:
    """κ / √T: standard errors that the means are taken to be wrong by, in units of the portfolio's volatility.

    Raises:
        SolverFailed: the covariance does not say how many observations it comes from.
    """
    observations = resolved.problem.covariance.observations
    if observations < 1:
        raise SolverFailed("robust needs a covariance with its number of observations, the source of the doubt")
    return resolved.problem.uncertainty / float(np.sqrt(observations))


def _half_variance(cp: Any, resolved: Resolved, at: _At, y: Any) -> Any:
    return 0.5 * cp.quad_form(y, cp.psd_wrap(resolved.sigma / at.unit))


def _cost(cp: Any, resolved: Resolved, y: Any, k: Any, unit: float) -> Any:
    """The cost of the trades of y / k, times k, in units; the cone itself is to see numbers near one."""
    if not resolved.has_costs:
        return 0.0
    trades = y - resolved.current * k
    cost = (resolved.linear / unit) @ cp.abs(trades)
    if resolved.quadratic.any():
        cost += cp.quad_over_lin(cp.multiply(np.sqrt(resolved.quadratic / unit), trades), k)
    return cost


def _refuse_costs(resolved: Resolved) -> None:
    if resolved.has_costs:
        raise SolverFailed(f"{resolved.problem.method} has no place for costs in its objective; limit turnover instead")


def _means(resolved: Resolved) -> Floats:
    if resolved.means is None:
        raise SolverFailed(f"{resolved.problem.method} needs expected returns")
    return resolved.means


def _times(cp: Any, vector: Any, k: Any) -> Any:
    return vector if isinstance(k, float) else cp.multiply(vector, k)


def _volatility(sigma: Floats, weights: Floats) -> float:
    return float(np.sqrt(weights @ sigma @ weights))


def _unit(resolved: Resolved) -> float:
    """The mean variance where means count; else that of the calmest portfolio, so that no objective is far below one.

    The solver's tolerances are relative to what is above one, and absolute for what is below.
    """
    variances = np.diag(resolved.sigma)
    if resolved.problem.method in _WITH_MEANS:
        return float(variances.mean())
    uncorrelated = float(1 / (1 / variances).sum())
    sigma = deviations(resolved.sigma)
    try:
        held = solve_nonnegative_qp(correlations(resolved.sigma), sigma.min() / sigma).y / sigma
    except SolverFailed:
        return uncorrelated
    held /= held.sum()
    return max(float(held @ resolved.sigma @ held), _LEAST_UNIT * uncorrelated)
