"""Transaction costs: worked cases of the literature, benchmarks, mark-outs, groups, and what calibration learns."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.tca import (
    MARK_OUTS,
    Benchmarks,
    Execution,
    ParentResult,
    PricePath,
    benchmarks_of,
    costs_against,
    implementation_shortfall,
    mark_outs,
    vwap,
    wagner_shortfall,
)
from quant_trading_system.execution.tca_groups import (
    GroupBy,
    costs_by,
    costs_by_venue,
    costs_of_all,
    impact_samples,
)
from tests.support.algo_desk import MINUTE, NOON, SECOND

D = Decimal


def fill(quantity: str, price: str, mid: str | None = None, **more) -> Execution:
    return Execution(
        **{"at": NOON, "quantity": D(quantity), "price": D(price), "mid": None if mid is None else D(mid), **more}
    )


def result(
    quantity: str, decision: str, arrival: str, end: str, *fills: Execution, side: str = "buy", **more
) -> ParentResult:
    values = {"parent_id": "run-1", "symbol": "KO", "started_at": NOON, "ended_at": NOON + 60 * MINUTE}
    return ParentResult(
        **{**values, **more}, side=OrderSide(side), quantity=D(quantity), decision_price=D(decision),
        arrival_price=D(arrival), end_price=D(end), fills=fills,
    )  # fmt: skip


CASES = """
case     side wanted decision arrival end   fills                   fees delay trading opp  total bps   wagner
R-IS-1   buy  5000   10.00    10.25   11.00 4000@10.50              80   1000  1000    1000 3080  616   1250/1000/750
R-IS-2   buy  1000   40.00    40.04   40.08 700@40.05               17   28    7       24   76    19    40/7/12
R-IS-3   sell 2000   25.00    24.90   24.20 1200@24.85,500@24.60    13.5 170   210     240  633.5 126.7 200/210/210
R-IS-4   buy  5000   10.00    10.00   11.00 5000@10.50              100  0     2500    0    2600  520   0/2500/0
nothing  buy  100    10.00    10.10   10.50 -                       0    0     0       50   50    500   10/0/40
better   sell 100    10.00    10.00   9.00  100@10.20               0    0     -20     0    -20   -200  0/-20/0
"""
"""Those with a number are printed in textbooks (Perold 1988; Kissell 2013, chapter 3)."""


@pytest.mark.parametrize("row", CASES.strip().splitlines()[1:])
def test_worked_shortfalls(row: str):
    _, side, wanted, decision, arrival, end, fills, fees, delay, trading, missed, total, bps, wagner = row.split()
    parts = [] if fills == "-" else [part.split("@") for part in fills.split(",")]
    executions = [fill(q, p, fees=D(fees) if i == 0 else D(0)) for i, (q, p) in enumerate(parts)]
    done = result(wanted, decision, arrival, end, *executions, side=side)
    cut, other = implementation_shortfall(done), wagner_shortfall(done)
    assert [cut.delay, cut.trading, cut.opportunity, cut.fees] == [D(n) for n in (delay, trading, missed, fees)]
    assert (cut.total, cut.total_bps) == (D(total), D(bps))
    assert [other.delay, other.trading, other.opportunity] == [D(n) for n in wagner.split("/")]
    assert other.total == cut.total


def test_spread_impact_and_timing_share_what_the_fills_lost_against_arrival():
    """Bought 1000 at 50.10 with the mid at 50.08; arrival 50.00; the model expected 6 bp of impact."""
    done = result("1000", "50", "50", "50.20", fill("1000", "50.10", "50.08"), expected_impact_bps=D(6))
    cut = implementation_shortfall(done)
    assert (cut.spread, cut.impact, cut.timing) == (20, 30, 50)
    assert cut.trading == cut.total == 100


def test_no_digit_is_lost_however_many_there_are():
    fills = [fill("0.123456789", "99999.123456789", "99998.987654321") for _ in range(3)]
    done = result("100000000000.5", "99999.987654321", "99999.1", "0.000000001", *fills, expected_impact_bps=D("1.23"))
    cut = implementation_shortfall(done)
    parts = (cut.delay, cut.spread, cut.impact, cut.timing, cut.opportunity, cut.fees)
    assert sum(map(int_nano, parts)) == int_nano(cut.total)


def int_nano(dollars: Decimal) -> int:
    above, below = dollars.as_integer_ratio()
    assert not above * 10**30 % below
    return above * 10**30 // below


def test_prices_to_compare_with():
    assert vwap([(D("100.10"), D(500)), (D("100.25"), D(300)), (D("99.95"), D(0)), (D("100.40"), D(1200))]) == D(
        "100.3025"
    )
    assert vwap([]) is None
    path = PricePath((NOON, NOON + 15 * MINUTE, NOON + 30 * MINUTE, NOON + 60 * MINUTE), (D(100), D(102), D(104), D(9)))
    assert path.twap(NOON, NOON + 60 * MINUTE) == D("102.5")
    assert path.twap(NOON + 10 * MINUTE, NOON + 20 * MINUTE) == 101
    assert path.twap(NOON, NOON + 61 * MINUTE) is None
    assert path.twap(NOON, NOON) is None
    assert [path.at(NOON + minutes * MINUTE) for minutes in (-1, 0, 14, 15, 60, 61)] == [None, 100, 100, 102, 9, None]


def test_costs_against_benchmarks_have_one_sign_for_both_sides():
    bought = result("100", "50", "50", "50", fill("100", "50.03", "50.01"))
    sold = result("100", "12.40", "12.40", "12", fill("100", "12.31", "12.35"), side="sell")
    prices = benchmarks_of(bought, day_open=D("50.03"), day_close=D("50.05"), market_vwap=D(50))
    costs = costs_against(bought, prices)
    assert costs["arrival"] == costs["vwap"] == 6
    assert costs["open"] == 0
    assert costs["close"] < 0 < costs["mid"]
    assert costs["twap"] is None
    assert float(costs_against(sold, benchmarks_of(sold))["arrival"]) == pytest.approx(72.580645)


def test_what_is_not_known_makes_no_number():
    nothing = result("100", "50", "50", "51")
    assert set(costs_against(nothing, Benchmarks(arrival=D(50))).values()) == {None}
    half_known = result("100", "50", "50", "51", fill("50", "50"), fill("50", "50", "50"))
    assert benchmarks_of(half_known).mid is None


def test_mark_outs_say_which_way_the_market_went_after_the_fills():
    path = PricePath(
        (NOON, NOON + SECOND, NOON + 10 * SECOND, NOON + 2 * MINUTE), (D(100), D("100.10"), D("99.90"), D("99.80"))
    )
    bought = result("10", "100", "100", "100", fill("10", "100"))
    sold = result("10", "100", "100", "100", fill("10", "100"), side="sell")
    assert mark_outs(bought, path) == dict(zip(MARK_OUTS, (D(10), D(-10), D(-10), None), strict=True))
    assert mark_outs(sold, path)[SECOND] == -10
    assert mark_outs(result("10", "100", "100", "100"), path)[SECOND] is None


def test_groups_show_where_money_went_and_whether_plans_were_right():
    cheap = result("100", "50", "50", "50", fill("100", "50.05"), algorithm="twap", expected_cost_bps=D(8))
    dear = result("200", "50", "50", "51", fill("100", "50.15"), algorithm="vwap", expected_cost_bps=D(10))
    unplanned = result("100", "50", "50", "52", algorithm="vwap")
    twap, other = costs_by([dear, cheap, unplanned], GroupBy.ALGORITHM)
    assert (twap.name, twap.parents, twap.completed, twap.total) == ("twap", 1, 1, 5)
    assert (twap.expected_bps, twap.realised_bps) == (8, 10)
    assert (other.name, other.parents, other.completed, other.filled) == ("vwap", 2, 0, 100)
    assert (other.spread, other.opportunity, other.total) == (15, 300, 315)
    assert other.quantity_rate == D("0.333333")
    assert (other.expected_bps, other.realised_bps, other.trading_bps) == (10, 30, 30)
    whole = costs_of_all([dear, cheap, unplanned])
    assert (whole.parents, whole.total) == (3, 320)
    assert costs_of_all([]) is None
    missed = costs_by([unplanned], GroupBy.STRATEGY)[0]
    assert missed.trading_bps is missed.expected_bps is None
    assert missed.total_bps == 400


def test_venues_are_compared_by_the_spread_that_their_fills_paid():
    done = result(
        "300", "50", "50", "50", fill("100", "50.02", "50.00", venue="A", fees=D(1)), fill("100", "50.04", venue="A"),
        fill("100", "49.99", "50.00", venue="B"),
    )  # fmt: skip
    a, b = costs_by_venue([done])
    assert (a.name, a.fills, a.shares, a.value, a.fees, a.spread_bps) == ("A", 2, 200, 10006, 1, 4)
    assert (b.name, b.spread_bps) == ("B", -2)
    assert costs_by_venue([result("1", "50", "50", "50", fill("1", "50"))])[0].spread_bps is None


def test_calibration_learns_from_parents_whose_market_is_known():
    known = {
        "daily_volume": D(10_000), "others_volume": D(500), "volatility": D("0.02"), "quoted_spread": D("0.02"),
        "ended_at": NOON + timedelta(hours=6, minutes=30),
    }  # fmt: skip
    done = result("100", "50", "50", "50", fill("100", "50.06", "50.05"), **known)
    (sample,) = impact_samples([done, result("100", "50", "50", "50", fill("1", "50"))])
    assert (sample.of_day, sample.rate) == (0.01, 0.2)
    assert sample.cost == pytest.approx(0.05 / 50)  # six cents, one of them half the spread
    assert sample.noise == pytest.approx(0.02 / 3**0.5)
    assert impact_samples([result("100", "50", "50", "50", **known)]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: fill("0", "50"), lambda: fill("1", "-1"), lambda: fill("1", "50", "0"),
        lambda: fill("1", "50", fees=D("NaN")), lambda: result("0", "1", "1", "1"), lambda: result("1", "0", "1", "1"),
        lambda: result("1", "1", "1", "NaN"), lambda: result("1", "1", "1", "1", fill("2", "1")),
        lambda: PricePath((), ()), lambda: PricePath((NOON,), ()), lambda: PricePath((NOON, NOON), (D(1), D(1))),
        lambda: PricePath((NOON,), (D(0),)),
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(InvalidNumber):
        wrong()
