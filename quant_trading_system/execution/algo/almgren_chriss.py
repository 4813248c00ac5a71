"""Implementation shortfall as a trade-off between expected cost and its variance.

Source: Almgren & Chriss (2000), Optimal execution of portfolio transactions, Journal of Risk 3(2); equation
numbers below are theirs. Everything here is statistics in floats. `Trajectory.weights` is the way back:
`largest_remainder` turns them into exact lots.

Units: shares, dollars, and one unit of time throughout (days here). A buy is the mirror image of a sale:
same schedule, same costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import asinh, cosh, exp, expm1, inf, isfinite, log, sinh, sqrt, tanh
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.execution.algo.slicing import exact_weights

Floats = NDArray[np.float64]

_LINEAR_BELOW = 1e-6
_OVERFLOWS_ABOVE = 300.0


class ShortfallProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be traded, in which market, and how much risk hurts.

    Attributes:
        quantity: shares left to trade, above 0 (X).
        horizon: time until all is done, above 0 (T).
        slices: trades at equal distances, at least 1 (N).
        volatility: dollars a share per square root of time, not relative (σ).
        temporary: dollars a share per (share per unit of time) (η).
        permanent: dollars a share per share traded (γ).
        fixed: half the spread and fees, dollars a share (ε).
        risk_aversion: 1/dollar (λ); 0 asks for the cheapest schedule, which is TWAP.
        drift: expected change of the price in each slice, dollars a share per unit of time, positive when waiting
            pays (up for a seller, down for a buyer); empty for none.

    Raises:
        InvalidNumber: a parameter that is not finite or out of range, or slices so long that the permanent impact
            outweighs the temporary one (η − γτ/2 is not positive).
    """

    quantity: float
    horizon: float
    slices: int
    volatility: float
    temporary: float
    permanent: float = 0.0
    fixed: float = 0.0
    risk_aversion: float = 0.0
    drift: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name in ("quantity", "horizon", "temporary"):
            _require(name, getattr(self, name), above_zero=True)
        for name in ("volatility", "permanent", "fixed", "risk_aversion"):
            _require(name, getattr(self, name), above_zero=False)
        if self.slices < 1:
            raise InvalidNumber(f"slices {self.slices} must be at least 1")
        if self.drift and len(self.drift) != self.slices:
            raise InvalidNumber(f"drift needs one value for each of the {self.slices} slices, not {len(self.drift)}")
        if not all(isfinite(value) for value in self.drift):
            raise InvalidNumber("drift must be finite")
        if self.effective_temporary <= 0:
            raise InvalidNumber(
                f"with slices of {self.slice_length:g} the permanent impact {self.permanent:g} outweighs the temporary "
                f"impact {self.temporary:g}; take more slices"
            )

    @property
    def slice_length(self) -> float:
        """Time between trades (τ)."""
        return self.horizon / self.slices

    @property
    def effective_temporary(self) -> float:
        """η − γτ/2, dollars a share per (share per unit of time)."""
        return self.temporary - self.permanent * self.slice_length / 2

    @property
    def urgency(self) -> float:
        """κ, 1/time, of the discrete problem (eqs. 16 to 18); its inverse is the time scale of the optimal schedule."""
        tau = self.slice_length
        squared = self.risk_aversion * self.volatility**2 / self.effective_temporary
        return 2 * asinh(sqrt(squared) * tau / 2) / tau


class Trajectory(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule with what it is expected to cost.

    Attributes:
        holdings: shares left after each trade, N + 1 values from the whole quantity to 0.
        trades: shares of each slice, N values.
        expected_cost: dollars against the arrival price (eq. 5, with the drift of eq. 24).
        variance: dollars squared (eq. 8).
        urgency: κ, 1/time.
        time_scale: θ = 1/κ, the time in which holdings fall by the factor e while the end is far; infinite for TWAP.
            The paper calls it half-life; `half_life` is the time to fall by half.
    """

    holdings: tuple[float, ...]
    trades: tuple[float, ...]
    expected_cost: float
    variance: float
    urgency: float
    time_scale: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the cost, dollars."""
        return sqrt(self.variance)

    @property
    def half_life(self) -> float:
        """Time ln 2 / κ, in which holdings halve while the end is far; infinite for TWAP."""
        return self.time_scale * log(2)

    @property
    def weights(self) -> tuple[Fraction, ...]:
        """The trades as exact weights for `largest_remainder`."""
        return exact_weights(self.trades)

    def at_risk(self, confidence: float = 0.95) -> float:
        """The cost in dollars that is not exceeded with this probability (eq. 22).

        Raises:
            InvalidNumber: the confidence does not lie between 0 and 1.
        """
        if not 0 < confidence < 1:
            raise InvalidNumber(f"confidence {confidence} must lie between 0 and 1")
        return self.expected_cost + NormalDist().inv_cdf(confidence) * self.deviation


def optimal_trajectory(problem: ShortfallProblem) -> Trajectory:
    """The schedule that minimises expected cost + λ · variance.

    Without drift the closed form (eqs. 17, 18). With drift the optimum without trades in the wrong direction; the
    unconstrained solution of eq. 26 whenever that has none.

    Raises:
        InvalidNumber: with drift, the problem is too badly scaled to be solved.
    """
    if problem.drift and any(problem.drift):
        from quant_trading_system.execution.algo.one_way import one_way_trades

        return evaluate(problem, one_way_trades(problem))
    holdings = _closed_form(problem)
    return evaluate(problem, [a - b for a, b in pairwise(holdings)])


def evaluate(problem: ShortfallProblem, trades: Sequence[float]) -> Trajectory:
    """Cost and variance of any schedule for the problem, optimal or not (eqs. 5, 8, 24).

    Raises:
        InvalidNumber: the number of trades is not that of the slices, or they do not sum to the quantity.
    """
    traded = np.asarray(trades, dtype=np.float64)
    if traded.shape != (problem.slices,) or not np.isclose(traded.sum(), problem.quantity, rtol=1e-9):
        raise InvalidNumber(f"{len(trades)} trades of {sum(trades):g} shares do not fit the problem")
    tau = problem.slice_length
    held = problem.quantity - np.cumsum(traded)
    held[-1] = 0.0
    cost = (
        problem.permanent * problem.quantity**2 / 2
        + problem.fixed * float(np.abs(traded).sum())
        + problem.effective_temporary / tau * float(traded @ traded)
    )
    if problem.drift:
        cost -= tau * float(np.asarray(problem.drift) @ held)
    kappa = problem.urgency
    return Trajectory(
        holdings=(problem.quantity, *held.tolist()),
        trades=tuple(traded.tolist()),
        expected_cost=cost,
        variance=problem.volatility**2 * tau * float(held @ held),
        urgency=kappa,
        time_scale=1 / kappa if kappa else inf,
    )


def efficient_frontier(problem: ShortfallProblem, risk_aversions: Sequence[float]) -> tuple[Trajectory, ...]:
    """The optimal schedule for each risk aversion: cost rises and variance falls along it (section 3.1)."""
    return tuple(
        optimal_trajectory(msgspec.structs.replace(problem, risk_aversion=aversion)) for aversion in risk_aversions
    )


def calculate_urgency(
    alpha_decay: float, risk_aversion: float, *, volatility: float = 1.0, temporary: float = 1.0
) -> float:
    """How fast to trade: κ = √(λσ²/η + δ²), 1/time. Its inverse is the time in which holdings fall by the factor e.

    Without alpha this is the continuous κ of Almgren and Chriss (section 3.2). An expected gain that fades at the
    rate δ shortens the schedule at least to the time in which the gain fades, 1/δ.

    Args:
        alpha_decay: δ, the rate at which the expected gain fades, 1/time; ln 2 over its half-life; 0 for none.
        risk_aversion: λ, 1/dollar.
        volatility: σ, dollars a share per square root of time.
        temporary: η, dollars a share per (share per unit of time).

    With the defaults of `volatility` and `temporary`, `risk_aversion` is taken as λσ²/η itself, 1/time².

    Raises:
        InvalidNumber: a value that is negative or not finite, or a temporary impact of zero.

    >>> calculate_urgency(alpha_decay=3.0, risk_aversion=16.0)
    5.0
    """
    for name, value in (("alpha_decay", alpha_decay), ("risk_aversion", risk_aversion), ("volatility", volatility)):
        _require(name, value, above_zero=False)
    _require("temporary", temporary, above_zero=True)
    return sqrt(risk_aversion * volatility**2 / temporary + alpha_decay**2)


def urgency_score(kappa: float, horizon: float) -> float:
    """κ as a number from 0 (TWAP) to 1 (everything at once).

    It is one minus the mean holding relative to that of TWAP: 1 − 2 tanh(κT/2) / κT, the continuous limit of eq. 17.

    Raises:
        InvalidNumber: a negative κ, or a horizon that is not above 0.
    """
    _require("kappa", kappa, above_zero=False)
    _require("horizon", horizon, above_zero=True)
    span = kappa * horizon
    return 1 - 2 * tanh(span / 2) / span if span > _LINEAR_BELOW else 0.0


def closed_form_cost(problem: ShortfallProblem) -> tuple[float, float]:
    """Expected cost and variance of the optimal schedule without drift in closed form (eq. 20).

    Raises:
        InvalidNumber: the problem has a drift.
    """
    if problem.drift:
        raise InvalidNumber("the closed form knows no drift; ask optimal_trajectory")
    x, t, n, tau = problem.quantity, problem.horizon, problem.slices, problem.slice_length
    k = problem.urgency
    base = problem.permanent * x**2 / 2 + problem.fixed * x
    if n == 1:
        return base + problem.effective_temporary * x**2 / tau, 0.0
    if k * t < _LINEAR_BELOW:
        linear = problem.volatility**2 * x**2 * t / 3 * (1 - 1 / n) * (1 - 1 / (2 * n))
        return base + problem.effective_temporary * x**2 / t, linear
    if 2 * k * t > _OVERFLOWS_ABOVE:
        found = optimal_trajectory(problem)
        return found.expected_cost, found.variance
    impact = tanh(k * tau / 2) * (tau * sinh(2 * k * t) + 2 * t * sinh(k * tau)) / (2 * tau**2 * sinh(k * t) ** 2)
    risk = (tau * sinh(k * t) * cosh(k * (t - tau)) - t * sinh(k * tau)) / (sinh(k * t) ** 2 * sinh(k * tau))
    return base + problem.effective_temporary * x**2 * impact, problem.volatility**2 * x**2 / 2 * risk


def _closed_form(problem: ShortfallProblem) -> list[float]:
    """Holdings x_j = X sinh(κ(T − t_j)) / sinh(κT), written so that nothing overflows (eq. 17)."""
    n, x = problem.slices, problem.quantity
    k, horizon = problem.urgency, problem.horizon
    if k * horizon < _LINEAR_BELOW:
        return [x * (1 - j / n) for j in range(n + 1)]
    whole = -expm1(-2 * k * horizon)
    times = [horizon * j / n for j in range(n)]
    return [x * exp(-k * t) * -expm1(-2 * k * (horizon - t)) / whole for t in times] + [0.0]


def _require(name: str, value: float, *, above_zero: bool) -> None:
    if not isfinite(value) or value < 0 or (above_zero and value == 0):
        raise InvalidNumber(f"{name} {value} must be finite and {'above zero' if above_zero else 'not negative'}")
