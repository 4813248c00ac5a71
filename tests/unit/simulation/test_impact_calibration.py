"""A calibration of impact from executions on the simulated venue finds the parameters that the venue was given."""

from decimal import Decimal

import pytest

from quant_trading_system.execution.algo.calibration import calibrate, calibrate_exponent
from quant_trading_system.simulation.realism import MarketImpact
from tests.support.shortfall_experiments import SIGMA, samples_of

D = Decimal


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
