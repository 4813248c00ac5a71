"""A problem as arrays in the order of the covariance, checked once, and what its constraints say about weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import EstimateError, InfeasiblePortfolio, OptimizationError
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.problem import BySymbol, Method, Problem

TOLERANCE = 1e-7
"""A weight may be beyond a limit by this much before it counts as a breach."""

_NEEDS_MEANS = {Method.MEAN_VARIANCE, Method.MAX_SHARPE, Method.ROBUST}


class Group(NamedTuple):
    """A sector with a cap, and its symbols."""

    name: str
    members: Floats  # 1.0 for each, 0.0 for others
    cap: float


class Resolved(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A problem in arrays of length N; see `Problem` and `Constraints` for the meanings."""

    problem: Problem
    symbols: tuple[str, ...]
    sigma: Floats
    means: Floats | None
    lower: Floats
    upper: Floats
    groups: tuple[Group, ...]
    current: Floats
    max_trade: Floats
    linear: Floats
    quadratic: Floats

    @property
    def has_costs(self) -> bool:
        """True when trading costs anything."""
        return bool(self.linear.any() or self.quadratic.any())

    @property
    def counts_trades(self) -> bool:
        """True when the distance from the current weights matters."""
        return self.problem.constraints.max_turnover is not None or bool(self.linear.any())

    def cost(self, weights: Floats) -> float:
        """What trading from the current weights costs, a fraction of equity."""
        trades = np.abs(weights - self.current)
        return float(self.linear @ trades + self.quadratic @ trades**2)


def resolve(problem: Problem) -> Resolved:
    """Read the mappings of a problem by symbol.

    Raises:
        OptimizationError: a symbol that the covariance does not know, or a limit that is no number or makes no sense.
        EstimateError: means that the method needs are missing, or means or scenarios are not finite or do not fit.
        InfeasiblePortfolio: a symbol's smallest weight is above its largest.
    """
    symbols, limits = problem.covariance.symbols, problem.constraints
    read = _Reader(symbols)
    lower = read.all(limits.min_weight, 0.0, "min_weight")
    upper = read.all(limits.max_weight, 1.0, "max_weight")
    crossed = lower > upper
    if crossed.any():
        raise InfeasiblePortfolio(f"min_weight of {symbols[int(crossed.argmax())]} is above its max_weight")
    _require_sense(problem)
    _require_scenarios(problem)
    return Resolved(
        problem=problem,
        symbols=symbols,
        sigma=problem.covariance.matrix,
        means=_means(problem, read),
        lower=lower,
        upper=upper,
        groups=tuple(_groups(problem, read)),
        current=read.all(limits.current, 0.0, "current"),
        max_trade=read.all(limits.max_trade, np.inf, "max_trade"),
        linear=read.all(problem.costs.linear, 0.0, "linear costs"),
        quadratic=read.all(problem.costs.quadratic, 0.0, "quadratic costs"),
    )


def breaches(resolved: Resolved, weights: Floats) -> list[str]:
    """Names of the constraints that the weights break by more than `TOLERANCE`."""
    return [name for name, room in _rooms(resolved, weights) if room < -TOLERANCE]


def binding(resolved: Resolved, weights: Floats) -> tuple[str, ...]:
    """Names of the constraints that the weights touch; weights of zero at a floor of zero are not listed."""
    return tuple(name for name, room in _rooms(resolved, weights) if room <= TOLERANCE and name != "invested")


def _rooms(resolved: Resolved, weights: Floats) -> Iterator[tuple[str, float]]:
    """Each constraint with the room that is left to it; negative when it is broken."""
    limits = resolved.problem.constraints
    yield "invested", -abs(float(weights.sum()) - limits.invested)
    trades = np.abs(weights - resolved.current)
    for i, symbol in enumerate(resolved.symbols):
        optional = limits.max_positions is not None and abs(weights[i]) <= TOLERANCE
        below, above = weights[i] - resolved.lower[i], resolved.upper[i] - weights[i]
        if not optional and (resolved.lower[i] != 0 or below < -TOLERANCE):
            yield f"min_weight {symbol}", float(below)
        yield f"max_weight {symbol}", float(above)
        if np.isfinite(resolved.max_trade[i]):
            yield f"max_trade {symbol}", float(resolved.max_trade[i] - trades[i])
    for group in resolved.groups:
        yield f"sector {group.name}", group.cap - float(group.members @ weights)
    if limits.max_turnover is not None:
        yield "max_turnover", limits.max_turnover - float(trades.sum())
    if limits.max_positions is not None:
        yield "max_positions", float(limits.max_positions - (np.abs(weights) > TOLERANCE).sum())
    if limits.min_return is not None and resolved.means is not None:
        scale = max(float(np.abs(resolved.means).max()), 1e-300)
        yield "min_return", (float(resolved.means @ weights) - limits.min_return) / scale


class _Reader:
    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._place = {symbol: i for i, symbol in enumerate(symbols)}

    def all(self, value: float | BySymbol, otherwise: float, what: str) -> Floats:
        if not isinstance(value, Mapping):
            found = np.full(len(self._place), float(value))
        else:
            found = np.full(len(self._place), otherwise)
            for symbol, number in value.items():
                found[self.column(symbol, what)] = number
        if np.isnan(found).any():
            raise OptimizationError(f"{what} is not a number")
        return found

    def column(self, symbol: str, what: str) -> int:
        if symbol not in self._place:
            raise OptimizationError(f"{what} names {symbol}, which the covariance does not know")
        return self._place[symbol]


def _means(problem: Problem, read: _Reader) -> Floats | None:
    if problem.means is None:
        if problem.method in _NEEDS_MEANS or problem.constraints.min_return is not None:
            raise EstimateError(f"{problem.method} needs expected returns (means) of every symbol")
        return None
    missing = [symbol for symbol in problem.covariance.symbols if symbol not in problem.means]
    if missing:
        raise EstimateError(f"there is no expected return of {missing[0]}")
    means = read.all({symbol: problem.means[symbol] for symbol in problem.covariance.symbols}, 0.0, "means")
    if not np.isfinite(means).all():
        raise EstimateError(
            f"the expected return of {problem.covariance.symbols[int(np.isinf(means).argmax())]} is infinite"
        )
    return means


def _groups(problem: Problem, read: _Reader) -> Iterator[Group]:
    limits = problem.constraints
    known = set(problem.covariance.symbols)
    for sector, cap in limits.sector_caps.items():
        members = [symbol for symbol, name in limits.sectors.items() if name == sector and symbol in known]
        if not members:
            raise OptimizationError(f"no symbol belongs to the sector {sector} of a cap; give sectors by symbol")
        if not np.isfinite(cap):
            raise OptimizationError(f"the cap of sector {sector} is not a finite number")
        yield Group(sector, read.all(dict.fromkeys(members, 1.0), 0.0, "sectors"), cap)


def _require_scenarios(problem: Problem) -> None:
    scenarios = problem.scenarios
    if scenarios is None:
        return
    if scenarios.ndim != 2 or scenarios.shape[1] != len(problem.covariance.symbols):
        raise EstimateError("scenarios need one column for each symbol of the covariance, in its order")
    if not np.isfinite(scenarios).all():
        raise EstimateError("a scenario holds a number that is not finite")


def _require_sense(problem: Problem) -> None:
    limits = problem.constraints
    if problem.budgets is not None and (
        set(problem.budgets) != set(problem.covariance.symbols)
        or not all(0 < budget < np.inf for budget in problem.budgets.values())
    ):
        raise OptimizationError("give a risk budget above zero to every symbol of the covariance, and to no other")
    if not np.isfinite(limits.invested):
        raise OptimizationError("invested must be a finite number")
    if limits.max_positions is not None and limits.max_positions < 1:
        raise InfeasiblePortfolio("max_positions below 1 leaves nothing to hold")
    if limits.max_turnover is not None and not limits.max_turnover >= 0:
        raise OptimizationError("max_turnover must not be negative")
    if any(not value >= 0 for value in limits.max_trade.values()):
        raise OptimizationError("no max_trade may be negative")
    for part in (problem.costs.linear, problem.costs.quadratic):
        if any(not value >= 0 for value in (part.values() if isinstance(part, Mapping) else [part])):
            raise OptimizationError("costs must not be negative")
    if not problem.risk_aversion > 0 or not problem.uncertainty >= 0 or not problem.no_trade_band >= 0:
        raise OptimizationError("risk_aversion must be above zero; uncertainty and no_trade_band not below it")
    if problem.no_trade_band and limits.max_positions is not None:
        raise OptimizationError("a no-trade band and max_positions cannot be asked for together; drop one")
