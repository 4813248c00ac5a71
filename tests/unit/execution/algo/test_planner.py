"""The planner: what each way costs, which one is taken, and the parent that comes out of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from math import sqrt
from statistics import NormalDist

import pytest

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo import costs
from quant_trading_system.execution.algo.advice import USUAL_PROFILE, PlanRequest
from quant_trading_system.execution.algo.costs import Alpha, spread_cost, volume_following, within_cap
from quant_trading_system.execution.algo.impact import AlmgrenImpact, LinearImpact, Market, impact_of
from quant_trading_system.execution.algo.parent import Algorithm, ParentStatus
from quant_trading_system.execution.algo.planner import parent_of, plan_execution
from tests.support.algo_desk import CLOSE, MINUTE, OPEN, SESSION, Desk

D = Decimal


def request(quantity: str = "100000", **changes) -> PlanRequest:
    """KO on an ordinary day, half an hour after the open."""
    values = {
        "symbol": "KO", "side": OrderSide.BUY, "quantity": D(quantity), "mid": D(60), "spread": D("0.02"),
        "daily_volume": D(12_000_000), "volatility": D("0.015"), "now": OPEN + 30 * MINUTE, "session": SESSION,
    }  # fmt: skip
    return PlanRequest(**{**values, **changes})


def by_name(advice) -> dict:
    return {alternative.choice: alternative for alternative in advice.alternatives}


def test_a_small_order_is_a_market_order():
    advice = plan_execution(request("100"))
    assert advice.chosen.choice == "market"
    assert "too little for what it takes" in advice.why
    assert ": market is expected to cost" in advice.why


def test_a_large_order_is_spread_over_time():
    advice = plan_execution(request("300000"))
    ways = by_name(advice)
    assert advice.chosen.choice in ("twap", "vwap", "shortfall")
    assert ways["market"].why_not.startswith("300000 shares are above 10% of the volume of a minute")
    assert ways["market"].cost_bps > 5 * advice.chosen.cost_bps
    assert advice.of_daily_volume == D("0.025")


def test_more_aversion_or_fading_alpha_makes_it_more_urgent():
    calm, afraid = (plan_execution(request(risk_aversion=D(aversion))) for aversion in ("0", "1E-5"))
    racing = plan_execution(request(risk_aversion=D(0), alpha_bps=D(50), alpha_half_life=timedelta(minutes=10)))
    assert calm.urgency == 0
    assert 0 < afraid.urgency <= 1
    assert racing.urgency > D("0.5")
    first = [by_name(advice)["shortfall"].schedule.quantities[0] for advice in (calm, afraid, racing)]
    assert first[0] < first[1]
    assert first[0] < first[2]


def test_the_parts_of_a_cost_add_up_and_every_schedule_sums_to_the_order():
    for alternative in plan_execution(request()).alternatives:
        assert alternative.spread_bps + alternative.impact_bps + alternative.alpha_bps == alternative.cost_bps
        assert alternative.cost == (alternative.cost_bps * 600).quantize(D("0.01"))  # a bp of six million dollars
        if alternative.schedule is not None:
            assert alternative.schedule.quantity == 100_000


def test_the_cost_of_a_twap_is_that_of_the_model_and_its_risk_that_of_a_straight_line():
    flat = request(profile=USUAL_PROFILE.of([1]), now=OPEN, model=AlmgrenImpact(), quantity=D(1_200_000))
    twap = by_name(plan_execution(flat))["twap"]
    market = Market(price=60.0, daily_volume=12e6, volatility=0.015, spread=0.02)
    assert float(twap.impact_bps) == pytest.approx(impact_of(AlmgrenImpact(), market, 1.2e6, 1.0).cost * 1e4, abs=0.01)
    assert float(twap.risk_bps) == pytest.approx(150 * sqrt(1 / 3), rel=0.001)


def test_no_slice_is_planned_above_the_participation_cap():
    ways = by_name(plan_execution(request("900000", slice_length=timedelta(minutes=30))))
    volumes = USUAL_PROFILE.between(SESSION, OPEN + 30 * MINUTE, CLOSE, 12)
    for name in ("twap", "vwap", "pov", "shortfall"):
        for part, volume in zip(ways[name].schedule.quantities, volumes, strict=True):
            assert part <= D("0.1") * 12_000_000 * volume.numerator / volume.denominator + 1


def test_an_order_that_cannot_be_done_in_time_is_refused_with_what_to_change():
    with pytest.raises(InvalidOrder, match="take fewer, a longer horizon, or a higher participation"):
        plan_execution(request("2000000"))
    assert plan_execution(request("2000000", participation=D("0.3"))).chosen.choice


def test_after_the_close_there_is_nothing_to_plan():
    for now in (CLOSE, CLOSE - timedelta(seconds=30)):
        with pytest.raises(InvalidOrder, match="no time is left"):
            plan_execution(request(now=now))


def test_before_the_open_it_waits_or_takes_the_auction():
    ways = by_name(plan_execution(request("5000", now=OPEN - 60 * MINUTE)))
    assert ways["market"].why_not == "the exchange is closed"
    assert not ways["opening_auction"].why_not
    assert ways["twap"].schedule.start == OPEN
    assert "opening_auction" not in by_name(plan_execution(request("5000", now=OPEN - MINUTE)))


def test_a_horizon_leaves_out_what_takes_longer():
    advice = plan_execution(request("50000", horizon=timedelta(minutes=60)))
    assert "closing_auction" not in by_name(advice)
    assert all(alternative.end <= OPEN + 90 * MINUTE for alternative in advice.alternatives)
    for horizon, has_auction in ((359, False), (360, True), (400, True)):  # the close is six hours away
        ways = by_name(plan_execution(request("50000", horizon=timedelta(minutes=horizon))))
        assert ("closing_auction" in ways) is has_auction


def test_what_is_planned_just_before_the_close_ends_there():
    found = by_name(plan_execution(request("100", now=CLOSE - 3 * MINUTE)))
    assert found["limit"].end == CLOSE
    assert found["market"].end == CLOSE - 2 * MINUTE


def test_short_slices_leave_out_the_last_minute_and_are_not_too_many():
    asked = {seconds: request(slice_length=timedelta(seconds=seconds)) for seconds in (1, 120, 121)}
    assert {seconds: one.end for seconds, one in asked.items()} == {1: CLOSE - MINUTE, 120: CLOSE - MINUTE, 121: CLOSE}
    assert (asked[1].slices, asked[120].slices) == (2000, 180)


def test_the_parent_of_an_auction_waits_from_now_until_after_it():
    before = request("5000", now=OPEN - 30 * MINUTE)
    ways = by_name(plan_execution(before))
    auction, twap = (parent_of(before, ways[name], "run-1") for name in ("opening_auction", "twap"))
    assert (auction.start, twap.start) == (before.now, OPEN)
    assert (auction.end, twap.end) == (OPEN + 2 * MINUTE, CLOSE)


def test_the_score_of_a_way_is_its_cost_and_the_price_of_its_risk():
    """With λ per dollar, a deviation of r basis points of N dollars counts for λ · r² · N / 10 000 basis points."""
    advice = plan_execution(request(risk_aversion=D("1E-7")))
    for way in advice.alternatives:
        penalty = D("1E-7") * way.risk_bps**2 * 6_000_000 / 10_000
        assert abs(way.score_bps - way.cost_bps - penalty) <= D("0.01")
        assert way.cost == (way.cost_bps * 600).quantize(D("0.01"))  # a basis point of six million dollars


FREE = LinearImpact(per_rate=0, per_day=0)
STOCK = Market(price=50.0, daily_volume=1e6, volatility=0.02, spread=0.10)
"""Half the spread is 10 basis points."""


def test_costs_with_a_pencil():
    alpha = Alpha(0.004, 0.25)  # half of it is gone after a quarter of a day
    assert costs.cost_at_once(FREE, STOCK, 1e4, 0.01) == (pytest.approx(0.001), 0, 0, 0)
    waiting = costs.cost_of_waiting(FREE, STOCK, 1e4, 0.75, alpha)
    assert waiting[1:] == pytest.approx((0, 0.00175, 0.01))  # seven eighths of it in the end, half of that on average
    auction = costs.cost_of_auction(LinearImpact(per_rate=1, per_day=1), STOCK, 25e3, 250e3, 1.0, alpha)
    assert auction == pytest.approx((0, 0.0002 + 0.00005 / 2, 0.00375, 0.02))
    window = costs.Window(delay=0.25, slice_days=0.25, volumes=(1e5, 1e5))
    schedule = costs.cost_of_schedule(FREE, STOCK, [100.0, 100.0], window, Alpha(0.004, 0.125), patience=0.0)
    held = 0.25 + 0.5 / 3  # all of it while it waits, then less and less over half a day
    assert schedule == pytest.approx((0.001, 0, 0.004 * (0.875 + 0.96875) / 2, 0.02 * sqrt(held)))


def test_a_resting_order_is_met_as_often_as_a_random_walk_comes_by():
    """Within a hundredth of a day it moves by 0.2 % give or take; one and a half half-spreads are 0.15 %."""
    met = 2 * NormalDist().cdf(-0.15 / 0.2)
    assert spread_cost(STOCK, 0.01) == pytest.approx(0.001 - met * 0.001 / 2)


def test_the_problem_of_a_shortfall_is_in_dollars_and_days():
    window = costs.Window(delay=0.25, slice_days=0.25, volumes=(1e5, 1e5))
    problem = costs.shortfall_problem(LinearImpact(per_rate=1, per_day=1), STOCK, 2e4, window, Alpha(0.004, 0.25), 1e-6)
    assert (problem.horizon, problem.slices, problem.volatility, problem.fixed) == (0.5, 2, 1.0, 0.05)
    # between half and three quarters of a day an eighth of the alpha is lost: 0.05 % of 50 dollars
    assert problem.drift == pytest.approx((-50 * 0.0005 / 0.25, 0.0))


def test_near_the_close_the_auction_wins_for_an_order_of_its_size():
    advice = plan_execution(request("60000", now=CLOSE - 12 * MINUTE))
    assert advice.chosen.choice == "closing_auction"
    assert by_name(plan_execution(request("200000", now=CLOSE - 12 * MINUTE, participation=D(1))))["closing_auction"]


def test_the_record_of_the_decision_carries_the_numbers():
    advice = plan_execution(request())
    plan = advice.record(D(60))
    assert (plan.choice, plan.expected_price) == (advice.chosen.choice, 60)
    assert plan.expected_slippage_bps == advice.chosen.cost_bps
    assert plan.urgency == advice.urgency


@pytest.mark.parametrize("name", ["twap", "vwap", "pov", "shortfall", "closing_auction"])
def test_every_algorithm_makes_a_parent_that_trades(name):
    asked = request("60000", slice_length=timedelta(minutes=15))
    parent = parent_of(asked, by_name(plan_execution(asked))[name], "run-1", limit=D(61))
    assert (parent.algorithm, parent.quantity, parent.limits.price) == (name, 60_000, 61)
    desk = Desk(parent, now=parent.start)
    desk.run(CLOSE + 5 * MINUTE, passive_fills=False, volume_per_minute=30_000)
    assert desk.traded == desk.state.filled
    assert desk.state.status in (ParentStatus.COMPLETED, ParentStatus.EXPIRED)
    assert desk.traded > 50_000


def test_a_shortfall_may_adapt_and_nothing_else():
    asked = request("60000", slice_length=timedelta(minutes=15))
    ways = by_name(plan_execution(asked))
    parent = parent_of(asked, ways["shortfall"], "run-1", adaptive=True)
    assert parent.algorithm is Algorithm.ADAPTIVE
    desk = Desk(parent, now=parent.start)
    desk.run(CLOSE, volume_per_minute=30_000)
    assert desk.state.status is ParentStatus.COMPLETED
    with pytest.raises(InvalidOrder, match="cannot adapt"):
        parent_of(asked, ways["twap"], "run-1", adaptive=True)


def test_single_orders_and_impossible_ways_make_no_parent():
    asked = request("300000")
    ways = by_name(plan_execution(asked))
    for name in ("market", "limit", "closing_auction"):
        with pytest.raises(InvalidOrder):
            parent_of(asked, ways[name], "run-1")


def test_the_model_can_be_ones_own():
    usual, dear = (
        by_name(plan_execution(request(model=model)))["twap"].impact_bps for model in (None, LinearImpact(5000.0, 50.0))
    )
    assert dear > usual


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": D(0)}, {"mid": D(0)}, {"spread": D(-1)}, {"daily_volume": D(0)}, {"volatility": D("NaN")},
        {"participation": D(0)}, {"participation": D(2)}, {"patience": D(0)}, {"risk_aversion": D(-1)},
        {"alpha_bps": D("Infinity")}, {"now": OPEN.replace(tzinfo=None)}, {"slice_length": timedelta(0)},
        {"horizon": timedelta(0)}, {"alpha_half_life": timedelta(0)}, {"cutoff": timedelta(-1)},
    ],
)  # fmt: skip
def test_requests_out_of_range_are_refused(changes):
    with pytest.raises(InvalidOrder):
        request(**changes)


def test_waiting_saves_at_most_a_half_of_the_half_spread():
    market = Market(price=100.0, daily_volume=1e6, volatility=0.02, spread=0.02)
    costs = [spread_cost(market, days) for days in (0.0, 1e-5, 1e-3, 1.0)]
    assert costs[0] == pytest.approx(1e-4)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(0.5e-4, rel=0.02)


def test_alpha_is_half_lost_after_its_half_life():
    assert Alpha(0.01, 0.5).lost_by(0.5) == pytest.approx(0.005)
    assert Alpha(0.0, 0.5).lost_by(9.0) == 0


def test_what_is_above_the_cap_moves_to_the_next_slices_and_then_back():
    assert within_cap([10, 0, 0], [50, 50, 50], 0.1) == [5, 5, 0]
    assert within_cap([0, 0, 10], [50, 50, 50], 0.1) == [0, 5, 5]
    assert sum(within_cap([100, 0], [50, 50], 0.1)) == 10
    assert volume_following(12, [50, 50, 50, 50], 0.1) == [5, 5, 2, 0]
