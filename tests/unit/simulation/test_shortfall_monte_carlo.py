"""Execution cost on the simulated venue is what theory says; `make soak ARGS="-k shortfall"` draws many more paths."""

from decimal import Decimal

import pytest

from quant_trading_system.execution.algo.calibration import calibrate, calibrate_exponent
from quant_trading_system.simulation.realism import MarketImpact
from tests.support.shortfall_experiments import (
    SIGMA,
    compare,
    comparison_problem,
    frontier_point,
    samples_of,
    table,
)

D = Decimal
PATHS = 200
WIDTH = 3.3
"""Standard errors; one honest estimate in a thousand lies farther away, and the seeds are fixed."""


@pytest.mark.parametrize("urgency", [0.01, 2.0, 5.0])
def test_the_frontier_of_almgren_and_chriss_is_what_the_venue_charges(urgency):
    theory, seen = frontier_point(urgency, PATHS, seed=11)
    assert abs(seen.mean - theory.expected_cost) < WIDTH * seen.error
    assert abs(seen.deviation - theory.deviation) < WIDTH * seen.deviation_error


def test_the_algorithms_rank_as_theory_predicts():
    rows = {row.name: row for row in compare(60, seed=3)}
    aversion = comparison_problem().risk_aversion
    for row in rows.values():
        assert row.cost.mean == pytest.approx(row.expected_cost, abs=4 * row.cost.error + 0.01 * row.expected_cost)
        assert abs(row.seen.deviation - row.expected_risk) < WIDTH * row.seen.deviation_error
    for key, names in (
        (lambda row: row.cost.mean, ["vwap", "twap", "shortfall", "pov"]),
        (lambda row: row.seen.deviation, ["shortfall", "pov", "vwap", "twap"]),
        (lambda row: row.utility(aversion, theory=True), ["shortfall", "vwap", "pov", "twap"]),
    ):
        assert sorted(rows, key=lambda name: key(rows[name])) == names
    assert min(rows, key=lambda name: rows[name].utility(aversion, theory=False)) == "shortfall"
    assert len(table(list(rows.values()), aversion).splitlines()) == 5


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("exponent", ["1", "0.5"])
def test_a_calibration_finds_what_the_venue_was_given(exponent, seed):
    impact = MarketImpact(temporary_bps=D(300), permanent_bps=D(400), exponent=D(exponent))
    found = calibrate(samples_of(120, impact, seed), float(exponent))
    assert abs(found.gamma.value - 0.04 / SIGMA) < 2.5 * found.gamma.error
    assert abs(found.eta.value - 0.03 / SIGMA) < 2.5 * found.eta.error
    assert found.eta.error < 0.25 * found.eta.value


def test_a_calibration_finds_the_shape_of_the_impact_too():
    impact = MarketImpact(temporary_bps=D(1000), permanent_bps=D(100), exponent=D("0.6"))
    found = calibrate_exponent(samples_of(250, impact, seed=5))
    assert abs(found.exponent.value - 0.6) < 2.5 * found.exponent.error
    assert found.exponent.error < 0.15
