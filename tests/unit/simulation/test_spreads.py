"""Spreads are wider at the opening and follow volatility, and nothing looks ahead."""

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.simulation import paths, spreads
from quant_trading_system.simulation.blocks import StepKind
from quant_trading_system.simulation.market import SimulatedMarket
from quant_trading_system.simulation.realism import Realism, SpreadModel, VolumeCurve
from tests.unit.simulation.test_simulated_market import CALENDAR, daily, intraday

D = Decimal
DAY = timedelta(hours=6, minutes=30)


def widths(last, model, sigma=0.02, usual=0.001):
    column = np.array(last, dtype=np.int64)[:, np.newaxis]
    return spreads.of_day(model, usual, column, np.array([sigma]), DAY)[:, 0]


def test_the_opening_fades_by_half_every_half_life():
    model = SpreadModel(at_open=D(4), half_life=timedelta(minutes=30))
    found = widths([50_000_000] * 14, model)  # a price every thirty minutes
    assert found[:3] == pytest.approx([0.004, 0.0025, 0.00175])
    assert found[-1] == pytest.approx(0.001, rel=0.001)


def test_a_lively_half_hour_widens_the_spread_and_a_quiet_one_narrows_it():
    model = SpreadModel(with_volatility=D("0.5"), span=timedelta(minutes=30))
    expected = 0.02 * np.sqrt(0.7 / 13)
    jump = [50_000_000] * 5 + [round(50_000_000 * (1 + 3 * expected))] * 9
    found = widths(jump, model)
    assert found[0] == pytest.approx(0.001)
    assert found[1:5] == pytest.approx([0.0005] * 4)  # nothing moved: half of it follows the volatility
    assert found[5] == pytest.approx(0.002, rel=0.01)  # three times the usual: 1 + 0.5 · (3 − 1)
    assert found[6:] == pytest.approx([0.0005] * 8)


def test_a_stock_that_never_moves_has_its_usual_spread():
    assert widths([50_000_000] * 14, SpreadModel(with_volatility=D(1)), sigma=0.0) == pytest.approx([0.001] * 14)


def test_the_ratio_of_bars_knows_the_past_only():
    squares = np.array([[4], [4], [4], [100], [4], [-1], [4]])
    found = spreads.ratio_of_bars(squares, 1)[:, 0]
    assert found[:4] == pytest.approx([1, 1, 1, 1])
    assert found[4] == pytest.approx((100 / 28) ** 0.5)
    assert found[6] == 1  # no bar before it
    changed = squares.copy()
    changed[4:] = 900
    assert spreads.ratio_of_bars(changed, 1)[:5, 0] == pytest.approx(found[:5])


def test_the_market_quotes_wider_at_the_open_and_the_prices_stay():
    model = Realism(spread=SpreadModel(at_open=D(10), with_volatility=D("0.5")))
    plain, shaped = (SimulatedMarket(daily(30), CALENDAR, seed=7, realism=one) for one in (Realism(), model))
    for one, other in zip(plain, shaped, strict=True):
        before, after = plain.quote("KO"), shaped.quote("KO")
        assert (one.at, before.last) == (other.at, after.last)
        assert after.flaw == ""
        if one.kind is StepKind.OPEN:
            assert (after.ask - after.bid) >= 5 * (before.ask - before.bid)


def test_intraday_bars_open_wider_too():
    model = Realism(spread=SpreadModel(at_open=D(10), with_volatility=D(1)))
    market = SimulatedMarket(intraday(), CALENDAR, seed=7, realism=model)
    opened = [market.quote("KO") for step in market if step.kind is StepKind.OPEN]
    assert [round((quote.ask - quote.bid) / quote.mid * 10_000) for quote in opened] == [40, 40]


def test_the_volume_of_a_day_keeps_its_sum_whatever_its_curve():
    for ends in ((3.0, 3.0), (1.0, 1.0), (5.0, 2.0)):
        profile = paths.volume_profile(13, *ends)
        assert profile.sum() == 1_000_000
        assert profile[0] / profile[6] == pytest.approx(ends[0], rel=0.001)
        assert profile[-1] / profile[6] == pytest.approx(ends[1], rel=0.001)
    market = SimulatedMarket(
        daily(2), CALENDAR, seed=7, realism=Realism(volume=VolumeCurve(at_open=D(1), at_close=D(1)))
    )
    seen = [market.volume("KO") for _ in market]
    assert max(seen[:12]) - min(seen[:12]) <= 1


@pytest.mark.parametrize(
    "bad",
    [
        {"at_open": D("0.5")},
        {"with_volatility": D(2)},
        {"half_life": timedelta(0)},
        {"span": timedelta(0)},
    ],
)
def test_impossible_spreads_are_refused(bad):
    with pytest.raises(ValueError, match="spread"):
        SpreadModel(**bad)


def test_an_impossible_volume_is_refused():
    with pytest.raises(ValueError, match="more than nothing"):
        VolumeCurve(at_open=D(0))
