"""Parents of many sizes and durations on the simulated venue, as a calibration of impact sees them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from quant_trading_system.execution.algo.calibration import ImpactSample
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder
from quant_trading_system.execution.tca import ParentResult
from quant_trading_system.simulation.realism import MarketImpact, Realism, VolumeCurve
from tests.support.algo_venue import PRICE, AlgoVenue, parent_of, random_days, session_sigma, slices_between

D = Decimal
SIGMA = 0.02
VOLUME = 1_000_000
QUANTITY = D(100_000)
EVEN = VolumeCurve(at_open=D(1), at_close=D(1))
IMPACT = MarketImpact(temporary_bps=D(500), permanent_bps=D(500))
FIXED = 0.005
"""Half a tick of spread, dollars a share."""


def traded(
    orders: Sequence[ParentOrder], steps: int, realism: Realism, *, seed: int, daily_volume: int = VOLUME
) -> list[ParentResult]:
    """The parents after their day; the paths depend on the seed alone."""
    history = random_days(len(orders), sigma=SIGMA, daily_volume=daily_volume, seed=seed)
    return AlgoVenue(history, steps, realism, sigma=SIGMA, seed=seed).run(orders)


def costs_of(results: Sequence[ParentResult]) -> np.ndarray:
    """Implementation shortfall against arrival, dollars."""
    return np.array([float(r.side.sign * (r.value - r.arrival_price * r.filled)) for r in results])


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
