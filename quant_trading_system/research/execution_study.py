"""What execution algorithms cost on a market with known impact: theory beside the real road, on many simulated days.

The venue is given the impact that theory assumes, so what is measured has to lie on the frontier of Almgren and
Chriss, and the algorithms have to rank as they should.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.execution.algo.almgren_chriss import optimal_trajectory
from quant_trading_system.execution.algo.parent import Algorithm
from quant_trading_system.research.study_day import Study, trade

Floats = NDArray[np.float64]
Tell = Callable[[str], None]
"""Is told what is being traded, for people who wait."""


class Measured(NamedTuple):
    """Dollars: the mean cost with its standard error, and the deviation with its own."""

    mean: float
    error: float
    deviation: float
    deviation_error: float


class Compared(NamedTuple):
    """One way to trade the order; dollars.

    Attributes:
        name: of the algorithm; for a point of the frontier its urgency κT.
        expected_cost, expected_risk: of theory (Almgren & Chriss 2000, equations 5 and 8).
        cost: measured against the same trades on the same days without our impact, which takes the luck out of it.
        seen: implementation shortfall against arrival, with all the luck.
        filled: fraction of what was wanted.
    """

    name: str
    expected_cost: float
    expected_risk: float
    cost: Measured
    seen: Measured
    filled: float

    def utility(self, aversion: float, *, theory: bool) -> float:
        """Cost + λ · variance."""
        if theory:
            return self.expected_cost + aversion * self.expected_risk**2
        return self.cost.mean + aversion * self.seen.deviation**2


def compare(study: Study, count: int, seed: int, tell: Tell = lambda _: None) -> list[Compared]:
    """TWAP, VWAP, POV and shortfall on the same `count` days, through the whole road.

    Raises:
        InvalidOrder: fewer than two days, or the gate refuses the order.
    """
    volumes, even = study.volumes, float(study.quantity) / study.steps
    total = sum(volumes)
    ways = {
        Algorithm.TWAP: [even] * study.steps,
        Algorithm.VWAP: [float(study.quantity) * volume / total for volume in volumes],
        Algorithm.SHORTFALL: list(optimal_trajectory(study.problem).trades),
        Algorithm.POV: _following(study),
    }
    found = []
    for kind, quantities in ways.items():
        tell(kind.value)
        found.append(_compared(study, kind, kind.value, quantities, count, seed))
    return found


def frontier(
    study: Study, urgencies: Sequence[float], count: int, seed: int, tell: Tell = lambda _: None
) -> list[Compared]:
    """Points of the efficient frontier: the optimal schedule for each κT, and what `count` days make of it.

    Raises:
        InvalidOrder: as `compare`.
    """
    found = []
    for urgency in urgencies:
        tell(f"frontier, κT {urgency:g}")
        trades = list(optimal_trajectory(study.with_urgency(urgency).problem).trades)
        found.append(_compared(study, Algorithm.SHORTFALL, f"{urgency:g}", trades, count, seed))
    return found


def expected(study: Study, quantities: Sequence[float]) -> tuple[float, float]:
    """Cost and deviation of a schedule in theory, dollars, slice by slice with the volume of each.

    Source: Almgren & Chriss (2000), equations 5 and 8, with the temporary impact as the venue has it.
    """
    traded, volumes = np.asarray(quantities, dtype=np.float64), np.asarray(study.volumes[: len(quantities)])
    price, done = float(study.price), np.cumsum(traded)
    rate = (traded / volumes) ** float(study.impact.exponent)
    temporary = float(study.impact.temporary_bps) / 1e4 * price * float(traded @ rate)
    permanent = float(study.impact.permanent_bps) / 1e4 * price / study.daily_volume * float(traded @ (done - traded))
    held = traded.sum() - done
    deviation = study.sigma * (float(held @ held) / study.steps) ** 0.5
    return temporary + permanent + study.half_spread * float(done[-1]), deviation


def measured(costs: Floats) -> Measured:
    """Mean and deviation of a sample, with their standard errors."""
    count, deviation = len(costs), float(costs.std(ddof=1))
    return Measured(float(costs.mean()), deviation / count**0.5, deviation, deviation / (2 * (count - 1)) ** 0.5)


def _following(study: Study) -> list[float]:
    """What a fixed share of the volume before each step comes to."""
    found, done, seen = [0.0], 0.0, 0.0
    for volume in study.volumes[: study.steps - 1]:
        seen += volume
        found.append(min(float(int(float(study.participation) * seen)), float(study.quantity)) - done)
        done += found[-1]
    return found


def _compared(study: Study, kind: Algorithm, name: str, quantities: Sequence[float], count: int, seed: int) -> Compared:
    if count < 2:
        raise InvalidOrder("paths", "a mean and its error need two days or more")
    traded = trade(study, kind, quantities, count, seed)
    filled = traded.filled / (study.quantity * count)
    paid, seen = measured(traded.cost - traded.luck), measured(traded.cost)
    return Compared(name, *expected(study, quantities), paid, seen, float(filled))
