"""The example of Almgren and Chriss (2000), other ways to the same optimum, and the edges of the formulas."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from math import inf, log, sqrt

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, minimize

from quant_trading_system.core.exceptions import InvalidNumber
from quant_trading_system.execution.algo.adaptive import replanned_weights
from quant_trading_system.execution.algo.almgren_chriss import (
    ShortfallProblem,
    calculate_urgency,
    closed_form_cost,
    efficient_frontier,
    evaluate,
    optimal_trajectory,
    urgency_score,
)
from quant_trading_system.execution.algo.slicing import largest_remainder

D = Decimal


def table_1(risk_aversion: float = 1e-6, **changes) -> ShortfallProblem:
    """The parameters of Table 1 of the paper; days and dollars."""
    values = {
        "quantity": 1e6, "horizon": 5.0, "slices": 5, "volatility": 0.95, "temporary": 2.5e-6, "permanent": 2.5e-7,
        "fixed": 0.0625, "risk_aversion": risk_aversion,
    }  # fmt: skip
    return ShortfallProblem(**{**values, **changes})


TABLE = """
risk   urgency       trades                                                          cost           variance
1e-6   0.607076163   458044.446 252101.335 141956.732 85755.686 62141.802            911226.9863    3.641286e11
2e-6   0.846297135   571401.154 245666.031 106637.093 48652.344 27643.377            1140715.1670   2.019313e11
0      0             200000 200000 200000 200000 200000                              662500         1.083e12
1e-5   1.726710866   822131.690 146232.114 26014.568 4652.382 969.246                1845211.2616   2.948515e10
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines()[1:])
def test_the_example_of_the_paper(row: str):
    risk, urgency, *trades, cost, variance = map(float, row.split())
    found = optimal_trajectory(table_1(risk))
    assert found.trades == pytest.approx(trades, rel=1e-8, abs=1e-3)
    assert found.expected_cost == pytest.approx(cost, rel=1e-9)
    assert found.variance == pytest.approx(variance, rel=1e-6)
    assert found.urgency == pytest.approx(urgency, abs=1e-9)
    assert closed_form_cost(table_1(risk)) == pytest.approx((found.expected_cost, found.variance), rel=1e-10)


def test_the_numbers_that_the_paper_prints():
    problem, found = table_1(), optimal_trajectory(table_1())
    assert problem.effective_temporary == pytest.approx(2.375e-6)
    assert round(found.urgency, 1) == 0.6
    assert found.time_scale == pytest.approx(1.647239771)
    assert found.half_life == pytest.approx(1.647239771 * log(2))
    assert largest_remainder(D(1_000_000), found.weights) == (458044, 252101, 141957, 85756, 62142)
    assert found.at_risk(0.95) == pytest.approx(911226.9863 + 1.6448536 * sqrt(3.641286e11), rel=1e-6)


def test_a_drift_shifts_the_schedule():
    """Section 4.1: a price that rises by two cents a day makes a seller wait."""
    found = optimal_trajectory(table_1(drift=(0.02,) * 5))
    assert found.holdings == pytest.approx((1e6, 546342.287, 296084.117, 154127.386, 66528.535, 0), abs=1e-3)
    assert found.expected_cost == pytest.approx(880367.105238353, rel=1e-9)


@st.composite
def problems(draw, drift: bool = False) -> ShortfallProblem:
    slices = draw(st.integers(2, 12))
    temporary = draw(st.floats(1e-7, 1e-4))
    horizon = draw(st.floats(0.2, 10))
    return ShortfallProblem(
        quantity=draw(st.floats(100, 1e7)), horizon=horizon, slices=slices, volatility=draw(st.floats(0.05, 5)),
        temporary=temporary, permanent=draw(st.floats(0, 1)) * temporary * slices / horizon, fixed=0.01,
        risk_aversion=draw(st.floats(1e-9, 1e-4)),
        drift=tuple(draw(st.floats(-20, 20)) for _ in range(slices)) if drift else (),
    )  # fmt: skip


def objective(problem: ShortfallProblem, shares: np.ndarray) -> float:
    """Expected cost + λ · variance by plain sums, written a second time."""
    trades = shares / shares.sum() * problem.quantity
    tau = problem.horizon / problem.slices
    cost = 0.5 * problem.permanent * problem.quantity**2 + problem.fixed * problem.quantity
    variance, held = 0.0, problem.quantity
    for k, trade in enumerate(trades):
        held -= trade
        cost += (problem.temporary - problem.permanent * tau / 2) / tau * trade**2
        if k + 1 < problem.slices:
            variance += problem.volatility**2 * tau * held**2
            cost -= tau * problem.drift[k] * held if problem.drift else 0
    return cost + problem.risk_aversion * variance


@settings(max_examples=25, deadline=None)
@given(st.booleans().flatmap(lambda drift: problems(drift)))
def test_no_numerical_optimiser_finds_a_better_schedule(problem):
    found = optimal_trajectory(problem)
    best = objective(problem, np.array(found.trades))
    assert best == pytest.approx(found.expected_cost + problem.risk_aversion * found.variance, rel=1e-8, abs=1e-6)
    count = problem.slices
    scale = abs(best) + 1
    other = minimize(
        lambda shares: objective(problem, shares) / scale,
        np.full(count, 1 / count),
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints=LinearConstraint(np.ones(count), 1, 1),
        options={"maxiter": 300, "ftol": 1e-13},
    )
    assert best <= objective(problem, np.clip(other.x, 0, None)) + 1e-7 * scale
    assert all(trade >= 0 for trade in found.trades)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_with_an_infinitesimal_drift_the_programme_agrees_with_the_closed_form(problem):
    plain = optimal_trajectory(problem)
    solved = optimal_trajectory(msgspec.structs.replace(problem, drift=(1e-300,) * problem.slices))
    assert np.allclose(plain.trades, solved.trades, rtol=1e-5, atol=1e-6 * problem.quantity)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_more_risk_aversion_costs_more_and_risks_less(problem):
    frontier = efficient_frontier(problem, [0.0, 1e-8, 1e-7, 1e-6, 1e-5])
    costs, risks = [p.expected_cost for p in frontier], [p.variance for p in frontier]
    assert all(a <= b * (1 + 1e-9) for a, b in pairwise(costs))
    assert all(a >= b * (1 - 1e-9) for a, b in pairwise(risks))


def test_simulated_costs_have_the_mean_and_the_variance_of_the_formulas():
    """Prices as the paper has them (eqs. 1, 2): 40 000 days of a seller who follows the schedule."""
    problem, runs = table_1(), 40_000
    trades = np.array(optimal_trajectory(problem).trades)
    shocks = np.random.Generator(np.random.PCG64(11)).normal(size=(runs, 5))
    tau = problem.slice_length
    price, received = np.full(runs, 50.0), np.zeros(runs)
    for k, trade in enumerate(trades):
        received += trade * (price - problem.fixed - problem.temporary * trade / tau)
        price = price + problem.volatility * sqrt(tau) * shocks[:, k] - problem.permanent * trade
    cost = 50.0 * problem.quantity - received
    found = optimal_trajectory(problem)
    assert cost.mean() == pytest.approx(found.expected_cost, abs=4 * found.deviation / sqrt(runs))
    assert cost.var() == pytest.approx(found.variance, rel=4 * sqrt(2 / runs))


def test_no_patience_at_all_sells_everything_at_once():
    found = optimal_trajectory(table_1(1e6))
    assert found.trades[0] == pytest.approx(1e6)
    assert found.expected_cost == pytest.approx(0.0625 * 1e6 + 2.5e-6 * 1e12)
    assert closed_form_cost(table_1(1e6)) == pytest.approx((found.expected_cost, 0.0), abs=1)


def test_one_slice_trades_all_of_it():
    found = optimal_trajectory(table_1(slices=1, horizon=1.0))
    assert found.trades == (1e6,)
    assert found.variance == 0
    assert closed_form_cost(table_1(slices=1, horizon=1.0)) == pytest.approx((found.expected_cost, 0.0))


def test_without_risk_aversion_there_is_no_time_scale():
    found = optimal_trajectory(table_1(0))
    assert found.urgency == 0
    assert found.time_scale == found.half_life == inf


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": 0.0}, {"quantity": -1.0}, {"horizon": 0.0}, {"slices": 0}, {"volatility": -1.0},
        {"volatility": float("nan")}, {"temporary": 0.0}, {"permanent": -1e-9}, {"risk_aversion": -1e-9},
        {"fixed": inf}, {"drift": (0.1,)}, {"drift": (float("nan"),) * 5}, {"permanent": 5e-6},
    ],
)  # fmt: skip
def test_senseless_problems_are_refused(changes):
    with pytest.raises(InvalidNumber):
        table_1(**changes)


def test_slices_that_are_too_long_are_told_to_be_more():
    with pytest.raises(InvalidNumber, match="take more slices"):
        table_1(slices=1, permanent=1.1e-6)


def test_a_schedule_that_does_not_fit_cannot_be_evaluated():
    for trades in ([1e6], [1.0] * 5):
        with pytest.raises(InvalidNumber, match="do not fit"):
            evaluate(table_1(), trades)
    with pytest.raises(InvalidNumber):
        closed_form_cost(table_1(drift=(0.1,) * 5))
    with pytest.raises(InvalidNumber):
        optimal_trajectory(table_1()).at_risk(1.0)


def test_a_strong_drift_never_trades_the_wrong_way():
    """Without the bound a seller would buy first, to sell more at the end."""
    rising = optimal_trajectory(table_1(drift=(5.0,) * 5))
    assert rising.trades[:3] == (0, 0, 0)
    assert sum(rising.trades) == pytest.approx(1e6)
    falling = optimal_trajectory(table_1(drift=(-5.0,) * 5))
    assert falling.trades[0] == pytest.approx(1e6)


def test_urgency_is_that_of_the_paper_and_grows_with_alpha():
    paper = calculate_urgency(0.0, 1e-6, volatility=0.95, temporary=2.375e-6)
    assert paper == pytest.approx(sqrt(0.38))
    assert calculate_urgency(0.5, 1e-6, volatility=0.95, temporary=2.375e-6) > max(paper, 0.5)
    assert calculate_urgency(alpha_decay=0.0, risk_aversion=0.0) == 0
    for bad in ((-1.0, 0.0), (0.0, -1.0), (float("nan"), 0.0)):
        with pytest.raises(InvalidNumber):
            calculate_urgency(*bad)


def test_the_urgency_score_runs_from_twap_to_at_once():
    assert urgency_score(0.0, 5.0) == 0
    scores = [urgency_score(kappa, 5.0) for kappa in (0.01, 0.1, 1.0, 10.0, 1000.0)]
    assert scores == sorted(scores)
    assert 0 < scores[0] < 0.001
    assert scores[-1] > 0.999


def test_adaptive_as_planned_is_the_rest_of_the_plan():
    """Bellman: what is left of an optimal schedule is optimal for what is left."""
    problem = table_1()
    plan = optimal_trajectory(problem)
    left = D(str(round(plan.holdings[2], 6)))
    again = replanned_weights(problem, 2, left, D(1), D("0.125"))
    assert [float(weight) for weight in again] == pytest.approx(plan.trades[2:], rel=1e-6)


def test_adaptive_is_faster_in_a_busy_market_and_slower_in_a_wide_one():
    problem, left = table_1(), D(500_000)
    first = {
        name: float(replanned_weights(problem, 1, left, level, spread)[0])
        for name, level, spread in (
            ("usual", D(1), D("0.125")), ("busy", D(2), D("0.125")), ("wide", D(1), D("0.5")),
            ("mad", D(99), D("0.125")), ("four", D(4), D("0.125")),
        )
    }  # fmt: skip
    assert first["wide"] < first["usual"] < first["busy"] < first["mad"] == first["four"]
