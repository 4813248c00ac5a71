"""What each way to trade an order is expected to cost, and how far that may be off: the float side of the planner.

Costs are fractions of the price at the decision (the mid), positive when they hurt. A day is one trading session.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import erfc, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.execution.algo.almgren_chriss import (
    ShortfallProblem,
    calculate_urgency,
    optimal_trajectory,
    urgency_score,
)
from quant_trading_system.execution.algo.impact import (
    ImpactModel,
    Market,
    impact_of,
    linearised,
    schedule_impact,
)

Floats = NDArray[np.float64]


class Alpha(NamedTuple):
    """What the price is expected to do against us while we wait: `size` in all, half of it within `half_life` days."""

    size: float
    half_life: float

    def lost_by(self, days: float) -> float:
        """The part of it that is gone after so many days."""
        return float(self.size * (1 - 0.5 ** (days / self.half_life))) if self.size else 0.0


class CostParts(NamedTuple):
    """Expected cost by cause, and one standard deviation of the total."""

    spread: float
    impact: float
    alpha: float
    risk: float

    @property
    def cost(self) -> float:
        """Expected in all."""
        return self.spread + self.impact + self.alpha


class Window(NamedTuple):
    """When an order may trade.

    Attributes:
        delay: days until the first slice.
        slice_days: length of a slice in days.
        volumes: shares that others are expected to trade in each slice.
    """

    delay: float
    slice_days: float
    volumes: tuple[float, ...]


def spread_cost(market: Market, days: float) -> float:
    """What a limit order at our own side of the quote pays that crosses the spread after `days` if it has to.

    It is half the spread without waiting. Were every fill free of adverse selection, waiting would save all of it;
    if only those filled whom the price runs over, nothing. In between, a quarter of the spread is saved as often as
    a random walk comes by within the time (reflection principle).
    """
    half = market.spread / market.price / 2
    if not half or not days or not market.volatility:
        return half
    met = erfc(1.5 * half / (market.volatility * sqrt(2 * days)))
    return half - met * half / 2


def cost_at_once(model: ImpactModel, market: Market, quantity: float, days: float) -> CostParts:
    """Cost of crossing the spread with the whole order, which draws on the volume of `days`."""
    impact = impact_of(model, market, quantity, days)
    return CostParts(market.spread / market.price / 2, impact.cost, 0.0, 0.0)


def cost_of_waiting(model: ImpactModel, market: Market, quantity: float, days: float, alpha: Alpha) -> CostParts:
    """Cost of one limit order that waits for `days` and then crosses."""
    impact = impact_of(model, market, quantity, days)
    risk = market.volatility * sqrt(days / 3)
    return CostParts(spread_cost(market, days), impact.cost, alpha.lost_by(days) / 2, risk)


def cost_of_auction(
    model: ImpactModel, market: Market, quantity: float, volume: float, days: float, alpha: Alpha
) -> CostParts:
    """Cost of an auction of so much volume in `days` from now: no spread, all of the price risk until then."""
    impact = model.permanent(market, quantity) / 2 + model.temporary(market, quantity / volume)
    return CostParts(0.0, impact, alpha.lost_by(days), market.volatility * sqrt(days))


def cost_of_schedule(
    model: ImpactModel,
    market: Market,
    quantities: Sequence[float],
    window: Window,
    alpha: Alpha,
    patience: float,
) -> CostParts:
    """Cost of a schedule: spread by placement, impact by the rate of each slice, risk by what is held.

    The variance is the integral of the squared holding, which falls evenly within a slice.
    """
    traded = np.asarray(quantities, dtype=np.float64)
    weights = traded / traded.sum()
    before = np.append(1.0, 1 - np.cumsum(weights)[:-1])
    after = np.append(before[1:], 0.0)
    held = float(((before**2 + before * after + after**2) / 3).sum()) * window.slice_days
    impact = schedule_impact(model, market, traded.tolist(), window.volumes)
    lost = [alpha.lost_by(window.delay + (i + 0.5) * window.slice_days) for i in range(len(weights))]
    return CostParts(
        spread=spread_cost(market, patience * window.slice_days),
        impact=impact.cost,
        alpha=float(weights @ np.asarray(lost)),
        risk=market.volatility * sqrt(window.delay + held),
    )


def shortfall_problem(
    model: ImpactModel, market: Market, quantity: float, window: Window, alpha: Alpha, risk_aversion: float
) -> ShortfallProblem:
    """The problem of Almgren and Chriss for an order, with the model made linear at the rate that it has on average.

    The permanent impact is cut to what the length of the slices allows (η − γτ/2 stays at or above η/2).
    """
    slices, tau = len(window.volumes), window.slice_days
    rate = max(quantity / sum(window.volumes), 1e-9)
    temporary, permanent = linearised(model, market, rate)
    temporary = max(temporary, 1e-15)
    edges = [alpha.lost_by(window.delay + i * tau) for i in range(slices + 1)]
    drift = tuple(-market.price * (b - a) / tau for a, b in pairwise(edges[1:]))
    return ShortfallProblem(
        quantity=quantity,
        horizon=tau * slices,
        slices=slices,
        volatility=market.volatility * market.price,
        temporary=temporary,
        permanent=min(permanent, temporary / tau),
        fixed=market.spread / 2,
        risk_aversion=risk_aversion,
        drift=(*drift, 0.0) if alpha.size else (),
    )


def shortfall_quantities(problem: ShortfallProblem) -> list[float]:
    """Shares of each slice of the optimal schedule."""
    return list(optimal_trajectory(problem).trades)


def urgency_of(problem: ShortfallProblem, alpha: Alpha) -> float:
    """0 (patient) to 1 (now)."""
    decay = log(2) / alpha.half_life if alpha.size > 0 else 0.0
    kappa = calculate_urgency(
        decay, problem.risk_aversion, volatility=problem.volatility, temporary=problem.effective_temporary
    )
    return urgency_score(kappa, problem.horizon)


def within_cap(quantities: Sequence[float], volumes: Sequence[float], cap: float) -> list[float]:
    """The quantities with no slice above `cap` times its volume; what is too much moves to the next slices.

    What is still left at the end fills earlier slices that have room; the sum falls short only if all are full.
    """
    room = [cap * volume for volume in volumes]
    found, carried = [], 0.0
    for quantity, most in zip(quantities, room, strict=True):
        taken = min(quantity + carried, most)
        carried += quantity - taken
        found.append(taken)
    for i in range(len(found) - 1, -1, -1):
        more = min(carried, room[i] - found[i])
        found[i] += more
        carried -= more
    return found


def volume_following(quantity: float, volumes: Sequence[float], rate: float) -> list[float]:
    """What a fixed share of the volume trades, until the quantity is done."""
    found, left = [], quantity
    for volume in volumes:
        taken = min(left, rate * volume)
        found.append(taken)
        left -= taken
    return found
