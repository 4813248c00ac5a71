"""Monte Carlo of execution cost: what theory expects of a schedule, and what the simulated venue makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem, Trajectory, optimal_trajectory
from quant_trading_system.execution.algo.calibration import ImpactSample
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder
from quant_trading_system.execution.tca import ParentResult
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.realism import MarketImpact, Realism, VolumeCurve
from tests.support.algo_venue import PRICE, SESSION, AlgoVenue, parent_of, random_days, session_sigma, slices_between

D = Decimal
SIGMA = 0.02
VOLUME = 1_000_000
QUANTITY = D(100_000)
EVEN = VolumeCurve(at_open=D(1), at_close=D(1))
IMPACT = MarketImpact(temporary_bps=D(500), permanent_bps=D(500))
FIXED = 0.005
"""Half a tick of spread, dollars a share."""


class Measured(NamedTuple):
    """Dollars: the mean cost with its standard error, and the deviation with its own."""

    mean: float
    error: float
    deviation: float
    deviation_error: float


def measured(costs: np.ndarray) -> Measured:
    count, deviation = len(costs), float(costs.std(ddof=1))
    return Measured(float(costs.mean()), deviation / count**0.5, deviation, deviation / (2 * (count - 1)) ** 0.5)


def traded(
    orders: Sequence[ParentOrder], steps: int, realism: Realism, *, seed: int, daily_volume: int = VOLUME
) -> list[ParentResult]:
    """The parents after their day; the paths depend on the seed alone."""
    history = random_days(len(orders), sigma=SIGMA, daily_volume=daily_volume, seed=seed)
    return AlgoVenue(history, steps, realism, sigma=SIGMA, seed=seed).run(orders)


def costs_of(results: Sequence[ParentResult]) -> np.ndarray:
    """Implementation shortfall against arrival, dollars."""
    return np.array([float(r.side.sign * (r.value - r.arrival_price * r.filled)) for r in results])


# -- the frontier -------------------------------------------------------------------------------------------------


def frontier_problem(urgency: float, steps: int = 10) -> ShortfallProblem:
    """Almgren and Chriss for the known parameters of the venue, with κT about `urgency`; time in sessions."""
    price, sigma = float(PRICE), float(PRICE) * session_sigma(SIGMA)
    a_step = VOLUME / (steps + 1)
    temporary = float(IMPACT.temporary_bps) / 1e4 * price / (a_step * steps)
    return ShortfallProblem(
        quantity=float(QUANTITY), horizon=1, slices=steps, volatility=sigma, temporary=temporary,
        permanent=float(IMPACT.permanent_bps) / 1e4 * price / VOLUME, fixed=FIXED,
        risk_aversion=urgency**2 * temporary / sigma**2,
    )  # fmt: skip


def frontier_point(urgency: float, count: int, seed: int, steps: int = 10) -> tuple[Trajectory, Measured]:
    """A point of the analytic frontier, and the same schedule traded on `count` paths."""
    best = optimal_trajectory(frontier_problem(urgency, steps))
    orders = [parent_of(f"P{n:05}", best.weights, quantity=QUANTITY) for n in range(count)]
    results = traded(orders, steps, Realism(impact=IMPACT, volume=EVEN), seed=seed)
    assert all(result.filled == QUANTITY for result in results)
    return best, measured(costs_of(results))


# -- algorithms side by side --------------------------------------------------------------------------------------

STEPS = 13
POV_RATE = D("0.2")


class Compared(NamedTuple):
    """One algorithm; dollars.

    Attributes:
        expected_cost, expected_risk: of theory, for a day with the venue's curve of volume.
        cost: measured against the same days without our impact, which takes the luck out of it.
        seen: measured against arrival, with all the luck.
    """

    name: str
    expected_cost: float
    expected_risk: float
    cost: Measured
    seen: Measured

    def utility(self, aversion: float, *, theory: bool) -> float:
        """Cost + λ · variance."""
        if theory:
            return self.expected_cost + aversion * self.expected_risk**2
        return self.cost.mean + aversion * self.seen.deviation**2


def expected(quantities: Sequence[float]) -> tuple[float, float]:
    """Cost and deviation of a schedule in theory, volume by volume (Almgren & Chriss 2000, equations 5 and 8)."""
    price, sigma = float(PRICE), float(PRICE) * session_sigma(SIGMA)
    volumes = paths.volume_profile(STEPS + 1)[: len(quantities)] * (VOLUME / 1e6)
    n = np.asarray(quantities, dtype=float)
    done = np.cumsum(n)
    temporary = float(IMPACT.temporary_bps) / 1e4 * price * float((n * n / volumes).sum())
    permanent = float(IMPACT.permanent_bps) / 1e4 * price / VOLUME * float((n * (done - n)).sum())
    held = n.sum() - done
    return temporary + permanent, sigma * (float(held @ held) / STEPS) ** 0.5


def pov_quantities() -> list[float]:
    """What a fixed share of the volume before each step comes to."""
    volumes = paths.volume_profile(STEPS + 1) * (VOLUME // 1_000_000)
    found, done, seen = [0.0], 0.0, 0.0
    for volume in volumes[: STEPS - 1]:
        seen += float(volume)
        found.append(min(float(int(float(POV_RATE) * seen)), float(QUANTITY)) - done)
        done += found[-1]
    return found


def comparison_problem(urgency: float = 3.0) -> ShortfallProblem:
    """The shortfall problem of the comparison, with the average volume of its steps."""
    price, sigma = float(PRICE), float(PRICE) * session_sigma(SIGMA)
    temporary = float(IMPACT.temporary_bps) / 1e4 * price / (VOLUME * STEPS / (STEPS + 1))
    return ShortfallProblem(
        quantity=float(QUANTITY), horizon=1, slices=STEPS, volatility=sigma, temporary=temporary,
        permanent=float(IMPACT.permanent_bps) / 1e4 * price / VOLUME, fixed=FIXED,
        risk_aversion=urgency**2 * temporary / sigma**2,
    )  # fmt: skip


def compare(count: int, seed: int) -> list[Compared]:
    """TWAP, VWAP, POV and shortfall on the same days, on a market that trades most at its ends."""
    volumes = paths.volume_profile(STEPS + 1)[:STEPS].tolist()
    best = optimal_trajectory(comparison_problem())
    schedules = {
        Algorithm.TWAP: ([1] * STEPS, [float(QUANTITY) / STEPS] * STEPS),
        Algorithm.VWAP: (volumes, [float(QUANTITY) * v / sum(volumes) for v in volumes]),
        Algorithm.SHORTFALL: (best.weights, list(best.trades)),
    }
    found = []
    for kind, (weights, quantities) in schedules.items():
        orders = [parent_of(f"P{n:05}", weights, quantity=QUANTITY, algorithm=kind) for n in range(count)]
        found.append(_compared(kind, orders, quantities, seed))
    a_step = (SESSION.close - SESSION.open) / STEPS
    follows = {"algorithm": Algorithm.POV, "schedule": None, "rate": POV_RATE, "interval": a_step}
    orders = [parent_of(f"P{n:05}", [1] * STEPS, quantity=QUANTITY, **follows) for n in range(count)]
    found.append(_compared(Algorithm.POV, orders, pov_quantities(), seed))
    return found


def _compared(kind: Algorithm, orders: Sequence[ParentOrder], quantities: Sequence[float], seed: int) -> Compared:
    with_impact = costs_of(traded(orders, STEPS, Realism(impact=IMPACT), seed=seed))
    without = costs_of(traded(orders, STEPS, Realism(), seed=seed))
    cost, risk = expected(quantities)
    return Compared(kind.value, cost, risk, measured(with_impact - without), measured(with_impact))


def table(rows: Sequence[Compared], aversion: float) -> str:
    """The comparison in basis points of the order, best utility first."""
    bp = float(QUANTITY * PRICE) / 1e4
    title = (
        " algorithm   impact bp   in theory   risk bp   in theory   against arrival bp   cost + λ·variance   in theory"
    )
    ranked = sorted(rows, key=lambda row: row.utility(aversion, theory=False))
    return "\n".join([title, *(_line(row, aversion, bp) for row in ranked)])


def _line(row: Compared, aversion: float, bp: float) -> str:
    return (
        f" {row.name:<10}{row.cost.mean / bp:>11.2f}{row.expected_cost / bp:>12.2f}{row.seen.deviation / bp:>10.1f}"
        f"{row.expected_risk / bp:>12.1f}{row.seen.mean / bp:>13.1f} ± {row.seen.error / bp:<6.1f}"
        f"{row.utility(aversion, theory=False) / bp:>18.1f}{row.utility(aversion, theory=True) / bp:>12.1f}"
    )


# -- calibration --------------------------------------------------------------------------------------------------


def samples_of(count: int, impact: MarketImpact, seed: int, steps: int = 26) -> list[ImpactSample]:
    """Parents of many sizes and durations, each on a day of its own, as a calibration sees them."""
    draw = np.random.default_rng(seed)
    moments = slices_between(steps)
    sizes = np.exp(draw.uniform(np.log(0.01), np.log(0.2), count))
    spans = draw.integers(4, steps + 1, count)
    orders = [
        parent_of(f"P{n:05}", [1] * int(span), quantity=D(round(size * VOLUME)), algorithm=Algorithm.TWAP, steps=steps)
        for n, (size, span) in enumerate(zip(sizes, spans, strict=True))
    ]
    results = traded(orders, steps, Realism(impact=impact, volume=EVEN), seed=seed)
    assert all(result.filled == result.quantity for result in results)
    found = []
    for result, span in zip(results, spans, strict=True):
        filled, of_session = float(result.filled), (result.ended_at - result.started_at) / (moments[-1] - moments[0])
        cost = costs_of([result])[0] / filled - FIXED
        found.append(
            ImpactSample(
                of_day=filled / VOLUME, rate=filled / (VOLUME / (steps + 1) * int(span)), volatility=SIGMA,
                cost=cost / float(PRICE), noise=session_sigma(SIGMA) * (of_session / 3) ** 0.5,
            )
        )  # fmt: skip
    return found
