"""Latency, slippage and fills: every parameter does what it says."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.models import (
    ALWAYS_FULL,
    NO_LATENCY,
    NO_SLIPPAGE,
    PAPER_FILLS,
    FillModel,
    LatencyModel,
    SlippageModel,
    stream,
)

NOW = datetime(2024, 3, 4, 15, tzinfo=UTC)
QUOTE = Quote("KO", Decimal(100), Decimal("100.10"), NOW, NOW)
MS = timedelta(milliseconds=1)


def test_streams_depend_on_seed_and_name_alone():
    assert stream(7, "fills").random() == stream(7, "fills").random()
    assert stream(7, "fills").random() != stream(7, "latency").random()
    assert stream(7, "fills").random() != stream(8, "fills").random()


def test_fixed_latency_is_the_same_both_ways_round():
    model = LatencyModel(order=3 * MS, report=5 * MS)
    assert [model.order_delay(stream(1, "x")), model.report_delay(stream(1, "x"))] == [3 * MS, 5 * MS]
    assert NO_LATENCY.order_delay(stream(1, "x")) == timedelta(0)


def test_drawn_latency_scatters_around_its_median_and_repeats_with_the_seed():
    model = LatencyModel(order=100 * MS, report=10 * MS, sigma=0.5)
    draws = stream(3, "latency")
    delays = sorted(model.order_delay(draws) for _ in range(2001))
    assert 95 * MS < delays[1000] < 105 * MS
    assert 200 * MS < delays[1900] < 260 * MS  # one in twenty takes more than 2.3 medians
    again = stream(3, "latency")
    assert sorted(model.order_delay(again) for _ in range(2001)) == delays
    assert model.report_delay(again) < 10 * model.report


@pytest.mark.parametrize("bad", [{"order": -MS}, {"report": -MS}, {"sigma": -0.1}])
def test_negative_latency_is_refused(bad):
    with pytest.raises(ValueError, match="at least 0"):
        LatencyModel(**bad)


SLIPPAGE = [
    (NO_SLIPPAGE, OrderSide.BUY, "0"),
    (SlippageModel(bps=Decimal(10)), OrderSide.BUY, "0.1001"),
    (SlippageModel(bps=Decimal(10)), OrderSide.SELL, "0.1"),
    (SlippageModel(spread_fraction=Decimal("0.5")), OrderSide.BUY, "0.05"),
    (SlippageModel(impact_bps=Decimal(100)), OrderSide.SELL, "0.1"),  # 1 % of 100 times sqrt(1 %)
    (SlippageModel(bps=Decimal(10), impact_bps=Decimal(100)), OrderSide.SELL, "0.2"),
]


@pytest.mark.parametrize(("model", "side", "dollars"), SLIPPAGE)
def test_slippage_of_a_hundred_shares_in_ten_thousand(model, side, dollars):
    assert model.adverse(side, QUOTE, Decimal(100), Decimal(10_000)) == Decimal(dollars)


def test_without_a_volume_there_is_no_impact():
    assert SlippageModel(impact_bps=Decimal(100)).adverse(OrderSide.BUY, QUOTE, Decimal(100), None) == 0


@pytest.mark.parametrize("name", ["bps", "spread_fraction", "impact_bps"])
def test_slippage_is_never_a_gift(name):
    with pytest.raises(ValueError, match="cost"):
        SlippageModel(**{name: Decimal(-1)})


def test_participation_bounds_a_step():
    assert FillModel(participation=Decimal("0.1")).budget(Decimal(1000)) == 100
    assert FillModel(participation=Decimal("0.1")).budget(None) is None
    assert ALWAYS_FULL.budget(Decimal(1000)) is None


def test_one_paper_fill_in_ten_is_a_random_part_and_never_nothing():
    draws = stream(5, "fills")
    parts = [PAPER_FILLS.part(Decimal(50), draws, fractional=False) for _ in range(5000)]
    partial = [part for part in parts if part != 50]
    assert 400 < len(partial) < 600
    assert all(0 < part < 50 and part == int(part) for part in partial)
    assert len(set(partial)) > 30
    assert PAPER_FILLS.part(Decimal(1), draws, fractional=False) == 1


def test_fractions_may_be_split_below_a_share():
    always = FillModel(partial_chance=Decimal("0.999999"))
    assert 0 < always.part(Decimal("0.5"), stream(1, "fills"), fractional=True) < Decimal("0.5")


@pytest.mark.parametrize(
    "bad",
    [
        {"participation": Decimal(0)},
        {"participation": Decimal("1.1")},
        {"partial_chance": Decimal(1)},
        {"partial_chance": Decimal(-1)},
    ],
)
def test_impossible_fill_models_are_refused(bad):
    with pytest.raises(ValueError, match=r"no (fraction|probability)"):
        FillModel(**bad)
