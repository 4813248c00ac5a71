"""Constraints hold or there are no weights; what binds is named; what was tried is told."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import numpy as np
import pytest

from quant_trading_system.core.exceptions import (
    EstimateError,
    InfeasiblePortfolio,
    InvalidNumber,
    OptimizationError,
    SolverFailed,
)
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.risk.portfolio_optimizer import (
    Constraints,
    Costs,
    Method,
    exact_weights,
    frontier,
    optimize,
    participation_caps,
)
from quant_trading_system.risk.portfolio_optimizer.certificates import optimality_residual
from quant_trading_system.risk.portfolio_optimizer.resolved import resolve
from tests.support import portfolios as cases
from tests.support.portfolios import by_symbol, given, problem, real

SYMBOLS = cases.SP500.symbols
SECTORS = sp500_20().sectors
MEANS = cases.RETURNS.mean(axis=0)
EVEN = dict.fromkeys(SYMBOLS, 0.05)
CONVEX = ["min-variance", "mean-variance", "max-sharpe", "risk-parity", "max-diversification", "min-cvar", "robust"]


def weights(portfolio):
    return np.array(list(portfolio.weights.values()))


def solve(method, **limits):
    return optimize(problem(method, real(), means=MEANS, scenarios=cases.RETURNS, constraints=Constraints(**limits)))


@pytest.mark.parametrize("method", CONVEX)
def test_all_constraints_hold_together(method):
    caps = dict.fromkeys(set(SECTORS.values()), 0.25)
    trades = {"AAPL": 0.01, "JNJ": 0.02}
    found = solve(method, max_weight=0.12, sectors=SECTORS, sector_caps=caps, current=EVEN, max_turnover=0.5,
                  max_trade=trades)  # fmt: skip
    w = weights(found)
    assert w.sum() == pytest.approx(1, abs=1e-9)
    assert w.min() >= 0
    assert w.max() <= 0.12
    assert np.abs(w - 0.05).sum() <= 0.5 + 1e-7
    for symbol, largest in trades.items():
        assert abs(found.weights[symbol] - 0.05) <= largest + 1e-9
    for sector in caps:
        assert sum(found.weights[s] for s in SYMBOLS if SECTORS[s] == sector) <= 0.25 + 1e-7
    assert found.rung.startswith("clarabel")
    assert found.kkt_residual is None or found.kkt_residual < 1e-5
    assert found.turnover == pytest.approx(np.abs(w - 0.05).sum(), rel=1e-12)


def test_what_binds_is_named():
    found = solve("min-variance", max_weight=0.2, sectors=SECTORS, sector_caps={"Health Care": 0.3}, current=EVEN,
                  max_turnover=1.0)  # fmt: skip
    assert found.binding == ("sector Health Care", "max_turnover") or "max_weight" in found.binding[0]
    assert "sector Health Care" in found.binding
    free = solve("min-variance")
    assert free.binding == ()


@pytest.mark.parametrize(
    ("method", "rung"),
    [("min-variance", "active set"), ("max-diversification", "active set"), ("risk-parity", "newton")],
)
def test_limits_that_do_not_bind_leave_the_exact_solution(method, rung):
    free, limited = solve(method), solve(method, max_weight=0.9, sectors=SECTORS, sector_caps={"Energy": 0.9})
    assert limited.rung == rung
    assert limited.weights == free.weights
    assert limited.attempts == ()


def test_the_rung_before_is_told_when_a_limit_binds():
    found = solve("risk-parity", max_weight=0.06)
    (first,) = found.attempts
    assert (first.method, first.rung) == (Method.RISK_PARITY, "newton")
    assert first.reason.startswith("its weights break max_weight")
    assert max(found.weights.values()) <= 0.06


def test_shorts_when_the_floor_allows_them():
    """Without bounds that bind, minimum variance is Σ⁻¹1 / 1ᵀΣ⁻¹1."""
    found = solve("min-variance", min_weight=-1.0)
    expected = np.linalg.solve(np.array(real().matrix), np.ones(20))
    np.testing.assert_allclose(weights(found), expected / expected.sum(), atol=1e-7)
    assert min(found.weights.values()) < 0


def test_a_part_of_equity():
    half, whole = solve("max-diversification", invested=0.5), solve("max-diversification")
    np.testing.assert_allclose(weights(half), 0.5 * weights(whole), rtol=1e-12)


INFEASIBLE = [
    ({"max_weight": 0.04}, "without max_weight"),
    ({"min_weight": 0.06}, "without min_weight"),
    ({"min_weight": {"KO": 0.3}, "max_weight": 0.2}, "min_weight of KO is above its max_weight"),
    ({"sectors": SECTORS, "sector_caps": dict.fromkeys(set(SECTORS.values()), 0.1)}, "without sector caps"),
    ({"max_turnover": 0.5}, "without max_turnover"),
    ({"max_trade": dict.fromkeys(SYMBOLS, 0.04)}, "without max_trade"),
    ({"min_return": 1.0}, "without min_return"),
    ({"max_positions": 4, "max_weight": 0.2}, "max_positions 4 at their max_weight add up to 0.8"),
    ({"max_positions": 0}, "leaves nothing to hold"),
    ({"max_weight": 0.04, "max_turnover": 0.1}, "loosen more than one"),
]


@pytest.mark.parametrize(("limits", "why"), INFEASIBLE, ids=[why for _, why in INFEASIBLE])
@pytest.mark.parametrize("method", ["min-variance", "risk-parity", "hrp", "min-cvar", "equal-weight"])
def test_what_cannot_be_satisfied_is_refused_and_no_fallback_hides_it(method, limits, why):
    asked = problem(method, real(), means=MEANS, scenarios=cases.RETURNS, constraints=Constraints(**limits))
    with pytest.raises(InfeasiblePortfolio, match=why):
        optimize(asked, [Method.EQUAL_WEIGHT])


def test_fallbacks_are_tried_in_turn_and_told():
    limits = Constraints(sectors=SECTORS, sector_caps={"Health Care": 0.1})
    asked = problem("hrp", real(), constraints=limits)
    found = optimize(asked, [Method.MAX_SHARPE, Method.EQUAL_WEIGHT, Method.MIN_VARIANCE])
    assert found.method is Method.MIN_VARIANCE
    assert [(a.method, a.rung) for a in found.attempts] == [
        (Method.HRP, "skfolio"), (Method.MAX_SHARPE, "inputs"), (Method.EQUAL_WEIGHT, "closed form"),
        (Method.MIN_VARIANCE, "active set"),
    ]  # fmt: skip
    assert found.attempts[1].reason == "max-sharpe needs expected returns (means) of every symbol"


def test_when_nothing_works_every_reason_is_given():
    asked = problem("hrp", real(), constraints=Constraints(sectors=SECTORS, sector_caps={"Health Care": 0.1}))
    with pytest.raises(SolverFailed, match="no hrp portfolio came out") as failed:
        optimize(asked, [Method.EQUAL_WEIGHT])
    assert [reason.split(":")[0] for reason in failed.value.reasons] == [
        "hrp by skfolio",
        "equal-weight by closed form",
    ]


@pytest.mark.parametrize("method", ["hrp", "herc"])
def test_hierarchies_keep_to_bounds(method):
    found = solve(method, max_weight=0.08, min_weight=0.02)
    assert found.rung == "skfolio"
    assert min(found.weights.values()) >= 0.02 - 1e-7
    assert max(found.weights.values()) <= 0.08 + 1e-7


def test_no_mean_above_the_risk_free_rate_is_no_portfolio():
    asked = problem("max-sharpe", cases.CONSTRAINED, means=[0.01, 0.02, 0.0, -0.1], risk_free=0.03)
    with pytest.raises(SolverFailed, match="no symbol has an expected return above the risk-free rate"):
        optimize(asked)
    assert optimize(asked, [Method.MIN_VARIANCE]).method is Method.MIN_VARIANCE


class TestFewPositions:
    def brute_force(self, method, most, **limits):
        """Every subset, each solved without the limit."""
        some = SYMBOLS[:7]
        places = [SYMBOLS.index(symbol) for symbol in some]
        matrix, means = real().matrix[np.ix_(places, places)], MEANS[places]
        best = None
        for chosen in combinations(range(7), most):
            part = problem(method, matrix[np.ix_(chosen, chosen)], means=means[list(chosen)],
                           constraints=Constraints(**limits))  # fmt: skip
            try:
                found = optimize(part)
            except (InfeasiblePortfolio, SolverFailed):
                continue
            value = found.volatility if method == "min-variance" else -found.expected_return / found.volatility
            best = value if best is None else min(best, value)
        whole = optimize(
            problem(method, given(matrix, some), means=means, constraints=Constraints(max_positions=most, **limits))
        )
        value = whole.volatility if method == "min-variance" else -whole.expected_return / whole.volatility
        return whole, value, best

    @pytest.mark.parametrize(("method", "most"), [("min-variance", 2), ("min-variance", 3), ("max-sharpe", 2)])
    def test_are_the_best_of_all_choices(self, method, most):
        whole, value, best = self.brute_force(method, most, max_weight=0.6)
        assert value == pytest.approx(best, rel=1e-6)
        assert sum(weight != 0 for weight in whole.weights.values()) <= most
        assert whole.rung == "branch and bound"

    def test_a_floor_is_that_of_what_is_held(self):
        found = solve("min-variance", max_positions=6, min_weight=0.1)
        held = [weight for weight in found.weights.values() if weight]
        assert len(held) <= 6
        assert min(held) >= 0.1 - 1e-9

    def test_risk_parity_holds_everything(self):
        with pytest.raises(SolverFailed, match="choose the symbols first"):
            solve("risk-parity", max_positions=5)

    def test_a_search_without_end_is_given_up(self, monkeypatch):
        monkeypatch.setattr("quant_trading_system.risk.portfolio_optimizer.cardinality.MAX_NODES", 3)
        with pytest.raises(SolverFailed, match="was not proved within 3 programs; allow more or fewer"):
            solve("max-diversification", max_positions=5)


class TestCosts:
    def test_dear_trades_are_not_made(self):
        """At a cost beyond what it could gain, mean–variance stays where it is."""
        asked = problem("mean-variance", real(), means=MEANS, constraints=Constraints(current=EVEN),
                        costs=Costs(linear=1.0))  # fmt: skip
        found = optimize(asked)
        np.testing.assert_allclose(weights(found), 0.05, atol=1e-7)
        assert found.cost < 1e-6

    @pytest.mark.parametrize(
        ("method", "cost"),
        [("min-variance", 3e-5), ("mean-variance", 5e-4), ("max-sharpe", 3e-5), ("min-cvar", 5e-4), ("robust", 5e-4)],
    )
    def test_costs_lower_turnover(self, method, cost):
        turnovers = [
            optimize(
                problem(method, real(), means=MEANS, scenarios=cases.RETURNS, constraints=Constraints(current=EVEN),
                        costs=costs)
            ).turnover
            for costs in (Costs(), Costs(linear=cost), Costs(linear=cost, quadratic=0.001))
        ]  # fmt: skip
        assert turnovers[0] > turnovers[1] + 1e-4
        assert turnovers[1] > turnovers[2] + 1e-4

    def test_costs_are_weighed_against_gains_exactly(self):
        """Two assets of which one is sure: w = (μ − 2c) / (λσ²) from 0, each traded unit moving both."""
        sigma = [[0.04, 0.0], [0.0, 1e-12]]
        asked = problem("mean-variance", sigma, means=[0.06, 0.0], risk_aversion=2.0,
                        constraints=Constraints(current={"S1": 1.0}), costs=Costs(linear=0.01))  # fmt: skip
        found = optimize(asked)
        assert found.weights["S0"] == pytest.approx((0.06 - 2 * 0.01) / (2.0 * 0.04), abs=1e-6)
        assert found.cost == pytest.approx(2 * 0.01 * found.weights["S0"], rel=1e-6)

    @pytest.mark.parametrize("method", ["risk-parity", "max-diversification"])
    def test_methods_without_a_place_for_costs_say_so(self, method):
        with pytest.raises(SolverFailed, match="no place for costs in its objective; limit turnover instead"):
            optimize(problem(method, real(), costs=Costs(linear=0.001)))


class TestNoTradeBand:
    current = by_symbol(np.linspace(0.03, 0.07, 20), SYMBOLS)

    def solve(self, band, method="min-variance", **limits):
        limits = Constraints(current=self.current, max_weight=0.12, **limits)
        return optimize(problem(method, real(), means=MEANS, constraints=limits, no_trade_band=band))

    def test_small_trades_are_not_made_and_the_rest_is_solved_again(self):
        free, banded = self.solve(0.0), self.solve(0.03)
        assert 0 < len(banded.kept) < 20
        for symbol in SYMBOLS:
            moved = banded.weights[symbol] - self.current[symbol]
            assert abs(moved) >= 0.03 or symbol in banded.kept or abs(moved) < 1e-12
            if symbol in banded.kept:
                assert moved == 0
        assert sum(banded.weights.values()) == pytest.approx(1, abs=1e-9)
        assert max(banded.weights.values()) <= 0.12
        assert free.volatility <= banded.volatility

    def test_a_wide_band_keeps_everything(self):
        found = self.solve(1.0)
        assert found.weights == pytest.approx(self.current, abs=1e-12)
        assert set(found.kept) == set(SYMBOLS)
        assert found.turnover == pytest.approx(0, abs=1e-12)

    def test_a_weight_beyond_its_limit_is_not_kept(self):
        limits = Constraints(current=self.current, max_weight=0.06)
        found = optimize(problem("min-variance", real(), constraints=limits, no_trade_band=1.0))
        assert max(found.weights.values()) <= 0.06

    def test_hierarchies_cannot_keep_weights(self):
        with pytest.raises(OptimizationError, match="hrp cannot keep some weights as they are"):
            optimize(problem("hrp", real(), no_trade_band=0.01))


class TestRobust:
    def test_without_doubt_it_is_mean_variance(self):
        certain = optimize(problem("robust", real(), means=MEANS, uncertainty=0.0))
        plain = optimize(problem("mean-variance", real(), means=MEANS))
        np.testing.assert_allclose(weights(certain), weights(plain), atol=1e-5)

    def test_with_endless_doubt_it_is_minimum_variance(self):
        doubtful = optimize(problem("robust", real(), means=MEANS, uncertainty=1e5))
        least = optimize(problem("min-variance", real()))
        assert doubtful.volatility == pytest.approx(least.volatility, rel=1e-5)

    def test_the_more_doubt_the_less_risk(self):
        risks = [
            optimize(problem("robust", real(), means=MEANS, uncertainty=doubt)).volatility for doubt in (0, 1, 3, 10)
        ]
        assert risks == sorted(risks, reverse=True)

    def test_doubt_needs_a_number_of_observations(self):
        with pytest.raises(SolverFailed, match="robust needs a covariance with its number of observations"):
            optimize(problem("robust", cases.REAL, means=[0.1] * 5))


class TestCvar:
    def test_no_small_transfer_has_a_smaller_tail(self):
        found = solve("min-cvar")
        w = weights(found)
        tail = np.sort(-(cases.RETURNS @ w))[::-1]
        assert found.cvar == pytest.approx((tail[:25].sum() + 0.05 * tail[25]) / 25.05, rel=1e-9)
        for i, j in combinations(np.flatnonzero(w > 1e-4), 2):
            for give, take in ((i, j), (j, i)):
                other = w.copy()
                other[give] -= 1e-4
                other[take] += 1e-4
                worst = np.sort(-(cases.RETURNS @ other))[::-1]
                assert (worst[:25].sum() + 0.05 * worst[25]) / 25.05 >= found.cvar - 1e-9

    @pytest.mark.parametrize(("scenarios", "why"), [(None, "needs scenarios"), (cases.RETURNS[:15], "too few")])
    def test_scenarios_must_be_enough(self, scenarios, why):
        with pytest.raises(SolverFailed, match=why):
            optimize(problem("min-cvar", real(), scenarios=scenarios))

    @pytest.mark.parametrize("method", ["min-cvar", "risk-parity"])
    @pytest.mark.parametrize(
        ("scenarios", "why"),
        [(np.full((500, 20), np.nan), "not finite"), (cases.RETURNS[:, :3], "one column for each symbol"),
         (cases.RETURNS[:, 0], "one column for each symbol")],
    )  # fmt: skip
    def test_scenarios_must_be_whole(self, method, scenarios, why):
        with pytest.raises(EstimateError, match=why):
            optimize(problem(method, real(), scenarios=scenarios))


class TestFrontier:
    points = frontier(problem("min-variance", real(), means=MEANS, constraints=Constraints(max_weight=0.3)), 9)

    def test_runs_from_least_risk_to_highest_return(self):
        risks = [point.volatility for point in self.points]
        gains = [point.expected_return for point in self.points]
        assert risks == sorted(risks)
        assert gains == sorted(gains)
        assert risks[0] == pytest.approx(solve("min-variance", max_weight=0.3).volatility, rel=1e-9)
        best = np.sort(MEANS)[::-1]
        assert gains[-1] == pytest.approx(0.3 * best[:3].sum() + 0.1 * best[3], rel=1e-6)

    def test_is_concave(self):
        slopes = [
            (b.expected_return - a.expected_return) / (b.volatility - a.volatility)
            for a, b in zip(self.points, self.points[1:], strict=False)
        ]
        assert slopes == sorted(slopes, reverse=True)

    def test_the_best_sharpe_ratio_lies_on_it(self):
        best = solve("max-sharpe", max_weight=0.3)
        limit = Constraints(max_weight=0.3, min_return=best.expected_return)
        beside = optimize(problem("min-variance", real(), means=MEANS, constraints=limit))
        assert beside.volatility == pytest.approx(best.volatility, rel=1e-6)


SENSELESS = [
    ({"constraints": Constraints(max_weight={"ZZZ": 0.1})}, "max_weight names ZZZ, which the covariance does not know"),
    ({"constraints": Constraints(sector_caps={"Energy": 0.1})}, "no symbol belongs to the sector Energy"),
    ({"constraints": Constraints(max_weight=float("nan"))}, "max_weight is not a number"),
    ({"constraints": Constraints(invested=float("inf"))}, "invested must be a finite number"),
    ({"constraints": Constraints(max_turnover=-1)}, "max_turnover must not be negative"),
    ({"constraints": Constraints(max_trade={"S0": -1})}, "no max_trade may be negative"),
    ({"costs": Costs(linear=-0.1)}, "costs must not be negative"),
    ({"risk_aversion": 0.0}, "risk_aversion must be above zero"),
    ({"budgets": {"S0": 1.0}}, "give a risk budget above zero to every symbol"),
    ({"budgets": {"S0": 1.0, "S1": 0.0, "S2": 1.0, "S3": 1.0}}, "give a risk budget above zero to every symbol"),
    ({"no_trade_band": 0.1, "constraints": Constraints(max_positions=2)}, "cannot be asked for together"),
]


@pytest.mark.parametrize(("parts", "why"), SENSELESS, ids=[why for _, why in SENSELESS])
def test_a_problem_without_sense_is_refused(parts, why):
    with pytest.raises(OptimizationError, match=why):
        optimize(problem("min-variance", cases.CONSTRAINED, **parts))


@pytest.mark.parametrize("means", [None, {"S0": 0.1}, by_symbol([0.1, 0.2, float("inf"), 0.1])])
def test_means_must_be_there_for_every_symbol_and_finite(means):
    with pytest.raises(EstimateError, match="expected return"):
        optimize(problem("max-sharpe", cases.CONSTRAINED, means=means))


def test_participation_is_a_share_of_the_usual_volume():
    caps = participation_caps(Decimal(1_000_000), {"KO": Decimal(500_000)}, Decimal("0.1"), days=2)
    assert caps == {"KO": 0.1}
    for equity, share, days in ((0, "0.1", 1), (1, "0", 1), (1, "1.1", 1), (1, "0.1", 0)):
        with pytest.raises(OptimizationError, match="participation needs"):
            participation_caps(Decimal(equity), {}, Decimal(share), days)


def test_exact_weights_keep_their_sum_and_their_limits():
    found = solve("min-variance", max_weight=0.123)
    exact = found.exact_weights()
    assert sum(exact.values()) == 1
    assert max(exact.values()) == Decimal("0.123")
    assert max(abs(float(exact[s]) - found.weights[s]) for s in SYMBOLS) <= 1e-8
    with pytest.raises(InvalidNumber):
        exact_weights({"A": float("nan")})


@pytest.mark.parametrize("unit", [1e-12, 1e-4, 1.0, 1e8])
def test_the_certificate_sees_a_bad_portfolio_whatever_the_unit_of_risk(unit):
    """Tiny variances must not hide in the tolerances of the linear program."""
    asked = resolve(problem("min-variance", cases.CONSTRAINED * unit, constraints=Constraints(max_weight=0.5)))
    assert optimality_residual(asked, np.full(4, 0.25)) > 0.3
    assert optimality_residual(asked, np.array([0.5, 0.5, 0, 0])) < 1e-9


def test_nothing_invested_is_a_portfolio_without_risk():
    """Limits may leave nothing to hold; that is an answer, and no division by the risk of nothing."""
    found = solve("min-variance", invested=0.0)
    assert set(found.weights.values()) == {0.0}
    assert found.kkt_residual is None
