"""Impact models against the figures of their papers, and calibrations that recover what they were given."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.execution.algo.calibration import (
    MIN_SAMPLES,
    Calibration,
    Estimate,
    ImpactSample,
    calibrate,
    calibrate_exponent,
)
from quant_trading_system.execution.algo.impact import (
    DEFAULTS,
    AlmgrenImpact,
    Impact,
    LinearImpact,
    Liquidity,
    Market,
    SquareRootImpact,
    impact_of,
    linearised,
    liquidity_of,
    schedule_impact,
)


def market(**changes) -> Market:
    return Market(**{"price": 50.0, "daily_volume": 5e6, "volatility": 0.02, "spread": 0.125, **changes})


@pytest.mark.parametrize(("days", "temporary", "cost"), [(0.1, 32.09, 42.93), (0.2, 21.17, 32.01), (0.5, 12.22, 23.06)])
def test_the_example_of_almgren_2005(days, temporary, cost):
    """DRI: a tenth of the day's volume; the paper prints 22 for the permanent impact, in basis points."""
    stock = market(daily_volume=1_929_000.0, volatility=0.0226, shares_outstanding=168e6)
    found = impact_of(AlmgrenImpact(), stock, 192_900.0, days)
    assert found.permanent * 1e4 == pytest.approx(21.6787, abs=1e-4)
    assert found.temporary * 1e4 == pytest.approx(temporary, abs=0.005)
    assert found.cost * 1e4 == pytest.approx(cost, abs=0.005)


def test_without_shares_outstanding_the_turnover_counts_as_one():
    found = impact_of(AlmgrenImpact(), market(), 5e5, 1.0)
    assert found.permanent == pytest.approx(0.314 * 0.02 * 0.1)


def test_the_linear_model_reproduces_the_impact_of_almgren_chriss_2000():
    """Table 1: spread 1/8, five million shares a day: η = 2.5e-6, γ = 2.5e-7."""
    assert linearised(LinearImpact(), market(), 0.2) == pytest.approx((2.5e-6, 2.5e-7))


def test_the_square_root_law():
    assert SquareRootImpact().of_order(market(), 5e4) == pytest.approx(0.02 * sqrt(0.01))
    assert impact_of(SquareRootImpact(), market(), 5e4, 1.0) == Impact(0.0, pytest.approx(0.002))


def test_a_schedule_that_follows_the_volume_costs_least():
    volumes = [4e5, 1e5, 2e5]
    follows, even = [400.0, 100.0, 200.0], [700 / 3] * 3
    model = AlmgrenImpact()
    cheap, dear = (schedule_impact(model, market(), trades, volumes) for trades in (follows, even))
    assert cheap.temporary < dear.temporary
    assert cheap.permanent == pytest.approx(dear.permanent)
    assert cheap.temporary == pytest.approx(model.temporary(market(), 0.001))


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 0.0},
        {"daily_volume": 0.0},
        {"volatility": -0.1},
        {"spread": float("nan")},
        {"shares_outstanding": 0.0},
    ],
)
def test_markets_that_no_model_can_answer_for_are_refused(changes):
    with pytest.raises(InvalidNumber):
        market(**changes)


def test_questions_without_an_answer_are_refused():
    for quantity, days in ((1.0, 0.0), (-1.0, 1.0)):
        with pytest.raises(InvalidNumber):
            impact_of(AlmgrenImpact(), market(), quantity, days)
    for quantities, volumes in (([1.0], []), ([0.0], [1.0]), ([1.0], [0.0])):
        with pytest.raises(InvalidNumber):
            schedule_impact(AlmgrenImpact(), market(), quantities, volumes)


def test_less_liquid_stocks_are_dearer():
    assert [liquidity_of(100.0, shares) for shares in (2e7, 2e6, 2e5, 2e4)] == list(Liquidity)
    costs = [
        DEFAULTS[bucket].spread + impact_of(DEFAULTS[bucket].model, market(), 1e4, 0.5).cost for bucket in Liquidity
    ]
    assert costs == sorted(costs)
    assert len(set(costs)) > 2


def samples(count: int, noise: bool = True, gamma: float = 0.3, eta: float = 0.15, exponent: float = 0.6) -> list:
    draw = np.random.Generator(np.random.PCG64(5))
    found = []
    for _ in range(count):
        of_day, days, volatility = draw.uniform(0.001, 0.5), draw.uniform(0.05, 1), draw.uniform(0.01, 0.03)
        deviation = volatility * sqrt(days / 3) * 0.2 if noise else 0.0
        cost = volatility * (gamma / 2 * of_day + eta * (of_day / days) ** exponent) + draw.normal() * deviation
        found.append(ImpactSample(of_day=of_day, rate=of_day / days, volatility=volatility, cost=cost, noise=deviation))
    return found


def test_a_calibration_without_noise_recovers_its_parameters():
    found = calibrate(samples(50, noise=False))
    assert (found.gamma.value, found.eta.value) == pytest.approx((0.3, 0.15))
    assert found.explained == pytest.approx(1.0)
    free = calibrate_exponent(samples(50, noise=False, exponent=0.5))
    assert (free.gamma.value, free.eta.value, free.exponent.value) == pytest.approx((0.3, 0.15, 0.5), rel=1e-5)


def covers(estimate: Estimate, truth: float) -> bool:
    return abs(estimate.value - truth) < 3 * estimate.error


def test_a_calibration_with_noise_says_how_far_it_may_be_off():
    found, more = calibrate(samples(200)), calibrate(samples(3200))
    assert covers(found.gamma, 0.3)
    assert covers(found.eta, 0.15)
    assert more.eta.error == pytest.approx(found.eta.error / 4, rel=0.25)
    low, high = found.eta.interval
    assert low < 0.15 < high
    free = calibrate_exponent(samples(2000))
    assert covers(free.exponent, 0.6)
    assert free.exponent.error > 0


def test_standard_errors_are_as_large_as_the_scatter_of_repeated_calibrations():
    draw = np.random.Generator(np.random.PCG64(9))
    values, errors = [], []
    for _ in range(60):
        many = []
        for _ in range(100):
            rate, of_day = draw.uniform(0.01, 0.3), draw.uniform(0.001, 0.3)
            cost = 0.02 * (0.15 * of_day + 0.142 * rate**0.6) + draw.normal() * 0.004
            many.append(ImpactSample(of_day=of_day, rate=rate, volatility=0.02, cost=cost))
        fitted = calibrate(many)
        values.append(fitted.eta.value)
        errors.append(fitted.eta.error)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.3)
    assert np.mean(values) == pytest.approx(0.142, abs=4 * np.mean(errors) / sqrt(60))


def test_a_negative_coefficient_makes_no_model_that_pays_for_trading():
    fitted = Calibration(
        gamma=Estimate(-0.1, 0.2), eta=Estimate(0.1, 0.01), exponent=Estimate(0.6, 0.0), samples=30, explained=0.1
    )
    assert fitted.model == AlmgrenImpact(0.0, 0.1, 0.6)


def test_samples_that_teach_nothing_are_refused():
    with pytest.raises(InvalidNumber, match="too few"):
        calibrate(samples(MIN_SAMPLES - 1))
    alike = [ImpactSample(of_day=0.1, rate=0.2, volatility=0.02, cost=0.001)] * MIN_SAMPLES
    with pytest.raises(InvalidNumber, match="too alike"):
        calibrate(alike)
    mixed = [*samples(30), ImpactSample(of_day=0.1, rate=0.2, volatility=0.02, cost=0.001)]
    with pytest.raises(InvalidNumber, match="every sample or of none"):
        calibrate(mixed)
    with pytest.raises(InvalidNumber):
        ImpactSample(of_day=0.0, rate=0.2, volatility=0.02, cost=0.001)
    with pytest.raises(InvalidNumber):
        ImpactSample(of_day=0.1, rate=0.2, volatility=0.02, cost=float("nan"))
