"""The ladder: exact solvers first, an interior point where constraints bind, fallbacks that are reported.

Nothing leaves here unchecked. Weights that break a constraint, that are not finite, or that a solver did not prove
are an attempt on the record and never a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import EstimateError, InfeasiblePortfolio, OptimizationError, SolverFailed
from quant_trading_system.risk.covariance.psd import Floats, correlations, deviations
from quant_trading_system.risk.portfolio_optimizer.black_litterman import black_litterman
from quant_trading_system.risk.portfolio_optimizer.cardinality import best_with_few
from quant_trading_system.risk.portfolio_optimizer.certificates import optimality_residual
from quant_trading_system.risk.portfolio_optimizer.convex import CONVEX, ConvexProgram, ConvexSolution, budgets_of
from quant_trading_system.risk.portfolio_optimizer.hierarchical import hierarchical_weights
from quant_trading_system.risk.portfolio_optimizer.nonnegative_qp import solve_nonnegative_qp
from quant_trading_system.risk.portfolio_optimizer.polytope import cheapest, require_feasible
from quant_trading_system.risk.portfolio_optimizer.portfolio import Attempt, Portfolio, as_portfolio
from quant_trading_system.risk.portfolio_optimizer.problem import Method, Problem
from quant_trading_system.risk.portfolio_optimizer.resolved import Resolved, breaches, resolve
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import risk_budgeting

TOLERANCES = (1e-10, 1e-8)
"""Of the interior point; the second is a rung of its own, for problems that the first leaves unproved."""
RESIDUAL = 1e-5
"""Largest first-order gap, relative to risk, with which an interior point's weights are returned."""

_NO_RISK = 1e-6


class _Found(NamedTuple):
    weights: Floats
    kkt_residual: float | None


_Rung = tuple[str, Callable[[Resolved], _Found]]


def optimize(problem: Problem, fallbacks: Iterable[Method] = ()) -> Portfolio:
    """The portfolio that `problem` asks for, or that of the first fallback that works under the same constraints.

    Raises:
        InfeasiblePortfolio: no weights satisfy the constraints; no fallback can help, so none is tried.
        EstimateError: the method lacks means, or a covariance cannot be used.
        OptimizationError: the problem makes no sense: an unknown symbol, a negative cost.
        SolverFailed: every method was tried in vain; `reasons` has a line for each attempt.
    """
    attempts: list[Attempt] = []
    for position, method in enumerate((problem.method, *fallbacks)):
        try:
            resolved = resolve(_posterior(msgspec.structs.replace(problem, method=method)))
        except EstimateError as error:
            if not position:
                raise
            attempts.append(Attempt(method, "inputs", str(error)))
            continue
        if not position and _is_limited(resolved):
            require_feasible(resolved)
        found = _climb(resolved, method, attempts)
        if found is not None:
            return _with_band(resolved, found) if problem.no_trade_band else found
    reasons = tuple(f"{attempt.method} by {attempt.rung}: {attempt.reason}" for attempt in attempts)
    raise SolverFailed(f"no {problem.method} portfolio came out", reasons)


def frontier(problem: Problem, points: int = 20) -> tuple[Portfolio, ...]:
    """The efficient frontier within the problem's constraints: least variance for returns from lowest to highest.

    The first has the least variance of all, the last the highest expected return that the constraints allow.

    Raises:
        OptimizationError: fewer than two points; otherwise as `optimize`.
        EstimateError: there are no means.
    """
    if points < 2:
        raise OptimizationError("a frontier needs at least two points")
    if problem.means is None:
        raise EstimateError("a frontier needs expected returns (means) of every symbol")
    base = msgspec.structs.replace(problem, method=Method.MIN_VARIANCE, no_trade_band=0.0)
    least = optimize(base)
    resolved = resolve(base)
    highest = cheapest(resolved, -np.asarray(resolved.means))
    if highest is None or least.expected_return is None:
        raise InfeasiblePortfolio("no weights satisfy all constraints")
    found = [least]
    for target in np.linspace(least.expected_return, -highest, points)[1:]:
        room = 1e-9 * max(abs(highest), abs(least.expected_return))  # the last point is a corner of the constraints
        limits = msgspec.structs.replace(base.constraints, min_return=float(target) - room)
        found.append(optimize(msgspec.structs.replace(base, constraints=limits)))
    return tuple(found)


def _posterior(problem: Problem) -> Problem:
    """Black–Litterman is mean–variance on posterior means and covariance."""
    if problem.method is not Method.BLACK_LITTERMAN:
        return problem
    if problem.market_weights is None:
        raise EstimateError("black-litterman needs market_weights, the portfolio of equilibrium")
    after = black_litterman(
        problem.covariance,
        problem.market_weights,
        problem.views,
        risk_aversion=problem.risk_aversion,
        tau=problem.tau,
    )
    means = dict(zip(problem.covariance.symbols, after.means.tolist(), strict=True))
    return msgspec.structs.replace(problem, covariance=after.covariance, means=means)


def _is_limited(resolved: Resolved) -> bool:
    """False when one weight alone could always take the whole sum, so that nothing can be infeasible."""
    limits = resolved.problem.constraints
    free = (resolved.lower <= 0).all() and (resolved.upper >= max(limits.invested, 0)).all()
    others = bool(resolved.groups or limits.max_trade)
    others = others or not (limits.max_turnover is limits.max_positions is limits.min_return is None)
    return others or not (free and limits.invested >= 0)


def _climb(resolved: Resolved, method: Method, attempts: list[Attempt]) -> Portfolio | None:
    for name, solve in _rungs(method, resolved.problem.constraints.max_positions is not None):
        try:
            found = solve(resolved)
            _require_sound(resolved, found)
        except (SolverFailed, EstimateError) as error:
            attempts.append(Attempt(method, name, str(error)))
            continue
        described = as_portfolio(
            resolved, found.weights, rung=name, kkt_residual=found.kkt_residual, attempts=tuple(attempts)
        )
        return msgspec.structs.replace(described, method=method)
    return None


def _rungs(method: Method, counted: bool) -> Iterator[_Rung]:
    if method is Method.RISK_PARITY:
        yield "newton", _newton
    if method in _LINEAR_TERMS:
        yield "active set", _active_set
    if method in (Method.HRP, Method.HERC):
        yield "skfolio", lambda resolved: _Found(hierarchical_weights(resolved), None)
    if method is Method.INVERSE_VOLATILITY:
        yield "closed form", lambda resolved: _in_proportion(resolved, 1 / deviations(resolved.sigma))
    if method is Method.EQUAL_WEIGHT:
        yield "closed form", lambda resolved: _in_proportion(resolved, np.ones(len(resolved.symbols)))
    if method not in CONVEX and method is not Method.BLACK_LITTERMAN:
        return
    if counted:
        yield "branch and bound", _branch_and_bound
        return
    for tolerance in TOLERANCES:
        yield f"clarabel {tolerance:g}", _interior_point(tolerance)


def _newton(resolved: Resolved) -> _Found:
    _require_plain(resolved)
    solution = risk_budgeting(resolved.sigma, budgets_of(resolved))
    return _Found(solution.weights * resolved.problem.constraints.invested, solution.residual)


def _active_set(resolved: Resolved) -> _Found:
    """Long-only weights without further limits; when they keep to all the others, they are the optimum under these."""
    _require_plain(resolved)
    sigma = deviations(resolved.sigma)
    linear = _LINEAR_TERMS[resolved.problem.method](resolved) / sigma
    if not (linear > 0).any():
        raise SolverFailed("no symbol has an expected return above the risk-free rate")
    solution = solve_nonnegative_qp(correlations(resolved.sigma), linear / np.abs(linear).max())
    held = solution.y / sigma
    return _Found(held / held.sum() * resolved.problem.constraints.invested, solution.residual)


def _excess(resolved: Resolved) -> Floats:
    assert resolved.means is not None
    return resolved.means - resolved.problem.risk_free


_LINEAR_TERMS: dict[Method, Callable[[Resolved], Floats]] = {
    Method.MIN_VARIANCE: lambda resolved: np.ones(len(resolved.symbols)),
    Method.MAX_DIVERSIFICATION: lambda resolved: deviations(resolved.sigma),
    Method.MAX_SHARPE: _excess,
}


def _interior_point(tolerance: float) -> Callable[[Resolved], _Found]:
    def solve(asked: Resolved) -> _Found:
        resolved = _as_mean_variance(asked)
        found = _or_nothing(ConvexProgram(resolved).solve(tolerance=tolerance))
        _require_risk(resolved, found.weights)
        residual = optimality_residual(resolved, found.weights)
        if residual is not None and not residual <= RESIDUAL:
            raise SolverFailed(f"the objective could still gain {residual:.1e} within the constraints")
        return _Found(found.weights, residual)

    return solve


def _branch_and_bound(asked: Resolved) -> _Found:
    resolved = _as_mean_variance(asked)
    return _Found(_or_nothing(best_with_few(resolved, ConvexProgram(resolved), TOLERANCES)).weights, None)


def _or_nothing(found: ConvexSolution | None) -> ConvexSolution:
    if found is None:
        raise SolverFailed("the constraints leave nothing that this method could optimise")
    return found


def _as_mean_variance(resolved: Resolved) -> Resolved:
    if resolved.problem.method is not Method.BLACK_LITTERMAN:
        return resolved
    problem = msgspec.structs.replace(resolved.problem, method=Method.MEAN_VARIANCE)
    return msgspec.structs.replace(resolved, problem=problem)


def _in_proportion(resolved: Resolved, shares: Floats) -> _Found:
    return _Found(shares / shares.sum() * resolved.problem.constraints.invested, None)


def _require_plain(resolved: Resolved) -> None:
    if (resolved.lower < 0).any() or resolved.problem.constraints.invested <= 0:
        raise SolverFailed("this solver is long only")
    if resolved.has_costs:
        raise SolverFailed("this solver knows no costs")


def _require_sound(resolved: Resolved, found: _Found) -> None:
    if not np.isfinite(found.weights).all():
        raise SolverFailed("weights that are not finite")
    _require_risk(resolved, found.weights)
    broken = breaches(resolved, found.weights)
    if broken:
        others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise SolverFailed(f"its weights break {broken[0]}{others}")


def _require_risk(resolved: Resolved, weights: Floats) -> None:
    """A portfolio of risky assets without risk exists only where there were too few observations to see it."""
    parts = float(np.abs(weights) @ resolved.problem.covariance.volatilities)
    if not float(weights @ resolved.sigma @ weights) > (_NO_RISK * parts) ** 2 and weights.any():
        raise SolverFailed("its weights have no risk at all, which is an error of the covariance: shrink it")


def _with_band(resolved: Resolved, found: Portfolio) -> Portfolio:
    """Keep what would trade less than the band, and solve for the rest, until nobody else falls into the band.

    When the rest cannot satisfy the constraints any more, the last portfolio that could is returned.
    """
    if found.method not in CONVEX and found.method is not Method.BLACK_LITTERMAN:
        raise OptimizationError(f"{found.method} cannot keep some weights as they are; ask for no band")
    band, current = resolved.problem.no_trade_band, resolved.current
    allowed = (current >= resolved.lower) & (current <= resolved.upper)
    kept = np.zeros(len(current), dtype=bool)
    attempts = found.attempts
    while True:
        weights = np.array(list(found.weights.values()))
        inside = allowed & (kept | ((np.abs(weights - current) < band) & (weights != current)))
        if (inside == kept).all():
            return found
        kept = inside
        pinned = msgspec.structs.replace(
            resolved, lower=np.where(kept, current, resolved.lower), upper=np.where(kept, current, resolved.upper)
        )
        tried = list(attempts)
        again = _climb(pinned, found.method, tried)
        if again is None:
            return msgspec.structs.replace(found, attempts=tuple(tried))
        names = tuple(symbol for symbol, is_kept in zip(resolved.symbols, kept, strict=True) if is_kept)
        found = msgspec.structs.replace(again, kept=names, binding=_not_kept(again.binding, names))


def _not_kept(names: tuple[str, ...], kept: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name.split(" ")[-1] not in kept)
