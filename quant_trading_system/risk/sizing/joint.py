"""Sizers that weigh all wanted symbols against each other with the optimiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import ConfigurationError, SolverFailed, TradingError
from quant_trading_system.core.numbers import ONE, ZERO
from quant_trading_system.risk.covariance import CovarianceModel
from quant_trading_system.risk.portfolio_optimizer import Constraints, Method, Portfolio, Problem, optimize
from quant_trading_system.risk.portfolio_optimizer.convex import CONVEX
from quant_trading_system.risk.portfolio_optimizer.resolved import breaches, resolve
from quant_trading_system.risk.sizing.estimates import wanted_returns
from quant_trading_system.risk.sizing.once import OncePerWalk
from quant_trading_system.risk.sizing.request import PLACES, Sizing, SizingRequest, nothing, of_weight

_FINEST = Decimal(1).scaleb(-PLACES)
_LEAST_ROOM = Decimal("1E-5")
"""Of a sector, as a weight: a dollar of a hundred thousand. Less is a full sector, and no constraint to solve under."""


@dataclass(frozen=True)
class Optimized:
    """Shares `gross` of equity among the wanted symbols as the optimiser weighs their covariance.

    The covariance is that of Ledoit and Wolf. What is wanted short counts with its returns turned, and its weight is
    held short. A solve that failed is never traded: every size is then unknown, and what is held stays.

    Where the free optimum breaks a limit on a position or a sector, those limits become constraints and the optimum
    within them is taken: it differs from the free one cut down. Sums that the limits do not allow become smaller, and
    what belongs to a full sector is left out. Methods that know no such constraints, the hierarchical ones, keep their
    free weights for others to cut.

    Attributes:
        method: one that needs no expected returns, such as risk parity or maximum diversification.
        gross: sum of the weights, a fraction of equity.
        window: bars looked at; fewest: common returns below which the size is zero.
        budgets: shares of risk by symbol, for risk parity; equal without them.

    Raises:
        ConfigurationError: a number out of range.
    """

    method: Method
    gross: Decimal = Decimal("0.95")
    window: int = 252
    fewest: int = 60
    budgets: Mapping[str, float] | None = None
    _found: OncePerWalk[_Joint] = field(default_factory=OncePerWalk, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.gross <= 0 or not 2 <= self.fewest <= self.window:
            raise ConfigurationError(
                f"{self.method}: gross {self.gross} must be above 0, fewest {self.fewest} at least 2 and at most "
                f"window {self.window}"
            )

    def size(self, request: SizingRequest) -> Sizing:
        around, symbol = request.around, request.signal.symbol
        if not around.wanted:
            return nothing("no past, so no covariance is known")
        if request.equity <= 0:
            return nothing("no equity")
        joint = self._found.of(around, lambda: self._solve(request))
        weight = joint.weights.get(symbol)
        if weight is None:
            return nothing(joint.missing or f"no returns of {symbol} up to now")
        words = f"{weight:.4f} of what is invested, {joint.risk[symbol]:.1%} of its variance"
        rule = joint.bound.get(symbol, self.method.value.replace("-", "_"))
        sizing = of_weight(request, self.gross * weight, rule, words)
        if symbol not in joint.bound:
            return sizing
        if symbol in joint.left_out:
            sizing = nothing(f"the sector {request.instrument.sector} has no room left", rule)
        return _cut_from(sizing, request, self.gross * joint.free[symbol])

    def _solve(self, request: SizingRequest) -> _Joint:
        around = request.around
        signals, returns = wanted_returns(around, self.window)
        if len(returns) < self.fewest:
            return _Joint(missing=f"{len(returns)} common returns are too few; {self.fewest} are needed")
        model = CovarianceModel(lookback=self.window, min_observations=self.fewest)
        try:
            covariance = model.of_returns(returns, [signal.symbol for signal in signals])
            budgets = None if self.budgets is None else {s: self.budgets.get(s, 0.0) for s in covariance.symbols}
            problem = Problem(method=self.method, covariance=covariance, budgets=budgets)
            free = optimize(problem)
            found = _within(free, problem, account_constraints(request, covariance.symbols, self.gross))
        except TradingError as error:
            return _Joint(missing=f"{self.method} found no weights: {error}")
        if found is free:
            return _Joint(weights=free.exact_weights(), risk=free.risk_contributions, free=free.exact_weights())
        bound = {s: "max_position_pct" for s in covariance.symbols if f"max_weight {s}" in found.binding}
        full = {s: "max_sector_exposure" for s in covariance.symbols if s not in found.weights}
        return _Joint(
            weights=found.exact_weights() | dict.fromkeys(full, ZERO),
            risk=found.risk_contributions | dict.fromkeys(full, 0.0),
            free=free.exact_weights(),
            bound=bound | full,
            left_out=frozenset(full),
        )


def account_constraints(request: SizingRequest, symbols: Sequence[str], gross: Decimal) -> Constraints:
    """The account's limits on positions and sectors as constraints on weights that are scaled by `gross` afterwards.

    What is held and stays takes its part of a sector. The sum of the weights is one, or what the limits leave of it.

    Args:
        symbols: those that are weighed, each wanted by `request`.
        gross: sum of all weights as a fraction of equity, above zero.
    """
    around, limits = request.around, request.limits
    sectors = {w.instrument.symbol: w.instrument.sector for w in around.wanted if w.instrument.symbol in symbols}
    most = min(limits.max_position_pct / gross, ONE).quantize(_FINEST, ROUND_FLOOR)
    caps, total = {}, ZERO
    for sector in sorted(set(sectors.values())):
        kept = sum((abs(v) for s, v in around.staying.items() if around.sectors.get(s) == sector), ZERO)
        left = max(limits.max_sector_exposure - kept / request.equity, ZERO) / gross
        left = left if left >= _LEAST_ROOM else ZERO
        caps[sector] = min(left, ONE)
        total += min(left, most * list(sectors.values()).count(sector))
    return Constraints(
        max_weight=float(most),
        sectors=sectors,
        sector_caps={sector: float(cap) for sector, cap in caps.items()},
        invested=float(min(total, ONE)),
    )


def _within(free: Portfolio, problem: Problem, limits: Constraints) -> Portfolio:
    """The free optimum where it keeps the limits, else that within them, without the symbols of full sectors.

    It stays the free one, for others to cut, where the limits leave nothing at all, and for a method that knows no
    such constraints and whose weights break them.

    Raises:
        TradingError: a method that knows them has no proven optimum within them; none is then known.
    """
    if not limits.invested:
        return free
    limited = msgspec.structs.replace(problem, constraints=limits)
    weights = np.array([free.weights[symbol] for symbol in problem.covariance.symbols])
    if not breaches(resolve(limited), weights):
        return free
    if problem.method in CONVEX:
        return optimize(_without_full_sectors(limited))
    try:
        return optimize(limited)
    except SolverFailed:
        return free


def _without_full_sectors(problem: Problem) -> Problem:
    """The problem of the symbols whose sector has room; risk parity has no answer in which a weight must be zero."""
    limits, covariance = problem.constraints, problem.covariance
    places = [i for i, s in enumerate(covariance.symbols) if limits.sector_caps[limits.sectors[s]] > 0]
    symbols = tuple(covariance.symbols[i] for i in places)
    return msgspec.structs.replace(
        problem,
        covariance=msgspec.structs.replace(
            covariance, symbols=symbols, matrix=covariance.matrix[np.ix_(places, places)]
        ),
        budgets=None if problem.budgets is None else {s: problem.budgets[s] for s in symbols},
        constraints=msgspec.structs.replace(
            limits, sector_caps={sector: cap for sector, cap in limits.sector_caps.items() if cap > 0}
        ),
    )


def _cut_from(sizing: Sizing, request: SizingRequest, free: Decimal) -> Sizing:
    """The same size, with what it would be without the limits."""
    unbound = of_weight(request, free, "", "")
    before = unbound.cut_from or (sizing.cut_from if sizing.quantity else unbound.quantity or None)
    return msgspec.structs.replace(sizing, cut_from=before)


@dataclass(frozen=True)
class _Joint:
    """Weights and shares of the variance by symbol, or what is missing.

    Attributes:
        free: weights without the account's limits; bound: the limit that holds a weight, by symbol.
        left_out: symbols whose sector is full.
    """

    weights: dict[str, Decimal] = field(default_factory=dict)
    free: dict[str, Decimal] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)
    risk: dict[str, float] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    missing: str = ""
