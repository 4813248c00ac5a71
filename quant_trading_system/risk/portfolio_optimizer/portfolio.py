"""What comes out: weights by symbol, where their risk lies, and how they were found."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np

from quant_trading_system.core.numbers import from_float
from quant_trading_system.risk.covariance.psd import Floats
from quant_trading_system.risk.portfolio_optimizer.problem import Method
from quant_trading_system.risk.portfolio_optimizer.resolved import Resolved, binding
from quant_trading_system.risk.value_at_risk import historical_cvar

PLACES = 8
"""Decimals of exact weights: a thousandth of a cent on a position of a thousand dollars."""


class Attempt(msgspec.Struct, frozen=True):
    """Something that was tried and gave no portfolio: the method, the solver, and why not."""

    method: Method
    rung: str
    reason: str


class Portfolio(msgspec.Struct, frozen=True, kw_only=True):
    """Weights that satisfy every constraint, with the proof of how good they are.

    All numbers are per period of the covariance's returns.

    Attributes:
        method: the one that gave the weights; a fallback when `attempts` names the one asked for.
        weights: by symbol, fractions of equity.
        risk_contributions: by symbol, shares of the variance; their sum is one.
        volatility: ex ante, √(wᵀΣw).
        diversification_ratio: weighted volatilities of the parts over that of the whole; at least one, long only.
        expected_return: μᵀw; None without means.
        cvar: historical, at the problem's confidence; None without scenarios.
        turnover: Σ|wᵢ − currentᵢ|; `cost`: of these trades, as a fraction of equity.
        binding: names of the constraints that the weights touch, such as ``max_weight AAPL`` or ``sector Energy``.
        kept: symbols that the no-trade band left as they were.
        rung: what solved it: ``newton`` and ``active set`` are exact; ``clarabel 1e-10`` is an interior point.
        kkt_residual: distance from the optimum, relative: the largest error of a risk contribution or multiplier for
            the exact rungs, else what the objective could still gain within the constraints to first order. None
            where nothing is optimised, or the solver's own duality gap is the only proof.
        attempts: what was tried before, in order.
    """

    method: Method
    weights: dict[str, float]
    risk_contributions: dict[str, float]
    volatility: float
    diversification_ratio: float
    expected_return: float | None
    cvar: float | None
    turnover: float
    cost: float
    binding: tuple[str, ...]
    rung: str
    kkt_residual: float | None
    kept: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    def exact_weights(self) -> dict[str, Decimal]:
        """The weights for orders: `Decimal` with eight decimals; see `exact_weights`."""
        return exact_weights(self.weights)


def exact_weights(weights: Mapping[str, float]) -> dict[str, Decimal]:
    """The one border from an optimiser's floats to exact weights: eight decimals, the sum as exact as the parts.

    Rounding each weight alone would leave a sum such as 0.99999997. The units of 1e-8 that are missing go to the
    weights whose rounding took most from them, so none is further than one unit from its float, and none that was
    exact at eight decimals, such as one at a limit, moves before the others.

    Raises:
        InvalidNumber: a weight is NaN or infinite.

    >>> exact_weights({"A": 1 / 3, "B": 1 / 3, "C": 1 / 3})
    {'A': Decimal('0.33333334'), 'B': Decimal('0.33333333'), 'C': Decimal('0.33333333')}
    """
    unit = Decimal(1).scaleb(-PLACES)
    rounded = {symbol: from_float(weight, PLACES) for symbol, weight in weights.items()}
    total = from_float(float(np.sum(list(weights.values()))), PLACES)
    missing = int((total - sum(rounded.values(), Decimal(0))) / unit)
    step = unit if missing > 0 else -unit
    lost = {symbol: (weights[symbol] - float(rounded[symbol])) * (1 if missing > 0 else -1) for symbol in rounded}
    for symbol in sorted(rounded, key=lambda name: -lost[name])[: abs(missing)]:
        rounded[symbol] += step
    return rounded


def as_portfolio(
    resolved: Resolved,
    weights: Floats,
    *,
    rung: str,
    kkt_residual: float | None,
    attempts: tuple[Attempt, ...],
    kept: tuple[str, ...] = (),
) -> Portfolio:
    """Describe weights that were found and checked."""
    problem, symbols = resolved.problem, resolved.symbols
    product = resolved.sigma @ weights
    variance = float(weights @ product)
    volatility = float(np.sqrt(variance))
    shares = weights * product / variance if variance > 0 else np.zeros_like(weights)
    parts = float(np.abs(weights) @ problem.covariance.volatilities)
    scenarios = problem.scenarios
    return Portfolio(
        method=problem.method,
        weights=_by_symbol(symbols, weights),
        risk_contributions=_by_symbol(symbols, shares),
        volatility=volatility,
        diversification_ratio=parts / volatility if volatility > 0 else 1.0,
        expected_return=None if resolved.means is None else float(resolved.means @ weights),
        cvar=None if scenarios is None else historical_cvar(scenarios @ weights, problem.confidence),
        turnover=float(np.abs(weights - resolved.current).sum()),
        cost=resolved.cost(weights),
        binding=binding(resolved, weights),
        kept=kept,
        rung=rung,
        kkt_residual=kkt_residual,
        attempts=attempts,
    )


def _by_symbol(symbols: tuple[str, ...], values: Floats) -> dict[str, float]:
    return dict(zip(symbols, values.tolist(), strict=True))
