"""What holds for every covariance: of the exact solvers, and of the constraints that a portfolio obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import EstimateError, InfeasiblePortfolio, SolverFailed
from quant_trading_system.risk.covariance import Covariance, CovarianceModel, Estimator
from quant_trading_system.risk.portfolio_optimizer import Constraints, Method, Problem, exact_weights, optimize
from quant_trading_system.risk.portfolio_optimizer.nonnegative_qp import solve_nonnegative_qp
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import risk_budgeting, risk_parity

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EXACT = [Method.MIN_VARIANCE, Method.RISK_PARITY, Method.MAX_DIVERSIFICATION]


@st.composite
def matrices(draw, most=30):
    """Covariances of common and own moves, with volatilities a thousand times apart and any scale."""
    size = draw(st.integers(1, most))
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32))))
    common = rng.normal(size=(draw(st.integers(1, 4)), size)) * draw(st.sampled_from([0.0, 0.5, 2.0]))
    own = rng.uniform(0.05, 1, size) ** 2
    volatilities = 10 ** rng.uniform(-1.5, 1.5, size) * draw(st.sampled_from([1e-4, 1.0, 1e3]))
    matrix = (common.T @ common + np.diag(own)) * np.outer(volatilities, volatilities)
    return (matrix + matrix.T) / 2


def covariance(matrix):
    return Covariance(symbols=tuple(f"S{i}" for i in range(len(matrix))), matrix=np.array(matrix))


def weights(portfolio):
    return np.array(list(portfolio.weights.values()))


@QUICK
@given(matrices(), st.integers(0, 2**32))
def test_risk_contributions_meet_their_budgets(matrix, seed):
    budgets = np.random.Generator(np.random.PCG64(seed)).uniform(0.01, 1, len(matrix))
    found = risk_budgeting(matrix, budgets)
    contributions = found.weights * (matrix @ found.weights)
    np.testing.assert_allclose(contributions / contributions.sum(), budgets / budgets.sum(), rtol=1e-9)
    assert found.weights.min() > 0
    assert found.weights.sum() == pytest.approx(1, abs=1e-12)


@QUICK
@given(matrices(), st.integers(0, 2**32))
def test_the_quadratic_program_meets_its_conditions(matrix, seed):
    """Nothing held wants more or less, and nothing left out wants in."""
    sigma = np.sqrt(np.diag(matrix))
    scaled = matrix / np.outer(sigma, sigma)
    linear = np.random.Generator(np.random.PCG64(seed)).normal(0.5, 1, len(matrix))
    found = solve_nonnegative_qp(scaled, linear)
    gradient = scaled @ found.y - linear
    size = np.abs(linear).max()
    assert found.y.min() >= 0
    assert gradient.min() >= -1e-9 * size
    assert np.abs(gradient[found.y > 0]).max(initial=0) <= 1e-9 * size
    assert (found.y == 0).all() == (linear <= 0).all()


@QUICK
@given(matrices(), st.integers(0, 2**32))
def test_no_random_portfolio_is_better(matrix, seed):
    others = np.random.Generator(np.random.PCG64(seed)).dirichlet(np.full(len(matrix), 0.3), 50)
    risks = np.sqrt(np.einsum("ki,ij,kj->k", others, matrix, others))
    least = optimize(Problem(method=Method.MIN_VARIANCE, covariance=covariance(matrix)))
    assert least.volatility <= risks.min() * (1 + 1e-9)
    most = optimize(Problem(method=Method.MAX_DIVERSIFICATION, covariance=covariance(matrix)))
    assert most.diversification_ratio >= (others @ np.sqrt(np.diag(matrix)) / risks).max() * (1 - 1e-9)


@pytest.mark.parametrize("method", EXACT)
@QUICK
@given(matrix=matrices(), power=st.integers(-8, 8))
def test_weights_do_not_depend_on_the_unit_of_risk(method, matrix, power):
    once = optimize(Problem(method=method, covariance=covariance(matrix)))
    other = optimize(Problem(method=method, covariance=covariance(matrix * 10.0**power)))
    np.testing.assert_allclose(weights(other), weights(once), atol=1e-9)


@pytest.mark.parametrize("method", EXACT)
@QUICK
@given(matrix=matrices(), seed=st.integers(0, 2**32))
def test_weights_do_not_depend_on_the_order_of_symbols(method, matrix, seed):
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(matrix))
    once = weights(optimize(Problem(method=method, covariance=covariance(matrix))))
    mixed = weights(optimize(Problem(method=method, covariance=covariance(matrix[np.ix_(order, order)]))))
    np.testing.assert_allclose(mixed, once[order], atol=1e-9)


@pytest.mark.parametrize("method", [Method.RISK_PARITY, Method.MAX_DIVERSIFICATION])
@QUICK
@given(matrix=matrices(), seed=st.integers(0, 2**32))
def test_leverage_of_an_asset_only_divides_its_weight(method, matrix, seed):
    """Both portfolios are made of risks: twice the volatility of an asset is half its share before scaling to one."""
    leverage = np.random.Generator(np.random.PCG64(seed)).uniform(0.2, 5, len(matrix))
    once = weights(optimize(Problem(method=method, covariance=covariance(matrix))))
    other = weights(optimize(Problem(method=method, covariance=covariance(matrix * np.outer(leverage, leverage)))))
    expected = once / leverage
    np.testing.assert_allclose(other, expected / expected.sum(), atol=1e-9)


@pytest.mark.parametrize("method", [Method.MIN_VARIANCE, Method.MAX_DIVERSIFICATION, Method.RISK_PARITY])
@FEW
@given(matrix=matrices(12), cap=st.floats(0.05, 1), floor=st.floats(0, 0.1), sector=st.floats(0.1, 1))
def test_weights_stay_within_their_constraints_or_there_are_none(method, matrix, cap, floor, sector):
    size = len(matrix)
    assume(size > 1)
    names = covariance(matrix).symbols
    sectors = {name: "odd" if i % 2 else "even" for i, name in enumerate(names)}
    limits = Constraints(max_weight=cap, min_weight=floor, sectors=sectors, sector_caps={"odd": sector})
    odd = range(1, size, 2)
    possible = (
        floor <= cap
        and floor * size <= 1
        and cap * (size - len(odd)) + min(cap * len(odd), sector) >= 1
        and floor * len(odd) <= sector
    )
    try:
        found = optimize(Problem(method=method, covariance=covariance(matrix), constraints=limits))
    except InfeasiblePortfolio:
        assert not possible
    except SolverFailed:
        assert np.linalg.cond(matrix) > 1e3, "only scales that are far apart may be too hard to prove"
    else:
        w = weights(found)
        assert w.sum() == pytest.approx(1, abs=1e-7)
        assert w.min() >= floor - 1e-7
        assert w.max() <= cap + 1e-7
        assert w[list(odd)].sum() <= sector + 1e-7


@QUICK
@given(st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=60))
def test_exact_weights_are_within_one_unit_of_their_floats_and_keep_the_sum(values):
    given_weights = {f"S{i}": value for i, value in enumerate(values)}
    exact = exact_weights(given_weights)
    assert all(abs(float(exact[name]) - value) <= 1.01e-8 for name, value in given_weights.items())
    assert abs(float(sum(exact.values())) - sum(values)) <= 1e-8


@pytest.mark.parametrize("method", [method for method in Method if method is not Method.BLACK_LITTERMAN])
def test_one_asset_takes_everything(method):
    one = Covariance(symbols=("A",), matrix=np.array([[0.04]]), observations=100)
    scenarios = np.random.Generator(np.random.PCG64(0)).normal(size=(100, 1))
    found = optimize(Problem(method=method, covariance=one, means={"A": 0.1}, scenarios=scenarios))
    assert found.weights == pytest.approx({"A": 1.0}, abs=1e-9)
    assert found.risk_contributions == pytest.approx({"A": 1.0})
    assert found.diversification_ratio == pytest.approx(1)


@pytest.mark.parametrize("method", [Method.MIN_VARIANCE, Method.RISK_PARITY, Method.MAX_DIVERSIFICATION, Method.HRP])
@FEW
@given(days=st.integers(5, 25), seed=st.integers(0, 2**32))
def test_a_singular_covariance_gives_a_proved_portfolio_or_a_refusal(method, days, seed):
    """Fewer days than twice the stocks: some long-only portfolios may have hardly any risk at all."""
    returns = np.random.Generator(np.random.PCG64(seed)).normal(0.2, 1, size=(days, 20))
    model = CovarianceModel(estimator=Estimator.SAMPLE, min_observations=5)
    names = [f"S{i}" for i in range(20)]
    try:
        found = optimize(Problem(method=method, covariance=model.of_returns(returns, names)))
    except SolverFailed:
        return
    w = weights(found)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1, abs=1e-7)
    if method is Method.RISK_PARITY:
        np.testing.assert_allclose(list(found.risk_contributions.values()), 0.05, rtol=1e-8)


@pytest.mark.parametrize("solver", [risk_parity, lambda matrix: risk_budgeting(matrix, np.ones(2))])
@pytest.mark.parametrize(
    ("matrix", "why"),
    [([[1.0, np.nan], [np.nan, 1.0]], "not finite"), ([[1.0, 0.0], [0.0, 0.0]], "no variance"),
     ([[np.inf, 0.0], [0.0, 1.0]], "not finite"), ([[-1.0, 0.0], [0.0, 1.0]], "no variance")],
)  # fmt: skip
def test_what_is_no_covariance_is_refused(solver, matrix, why):
    with pytest.raises(EstimateError, match=why):
        solver(np.array(matrix))


@pytest.mark.parametrize("budgets", [[1.0, 0.0], [1.0, -1.0], [1.0, np.nan], [1.0]])
def test_what_is_no_budget_is_refused(budgets):
    with pytest.raises(EstimateError, match="budget"):
        risk_budgeting(np.eye(2), np.array(budgets))


@pytest.mark.parametrize("method", EXACT)
def test_a_long_only_portfolio_without_risk_is_refused_or_proved(method):
    """Two assets that always move against each other: half of each has no risk, and no ratio."""
    opposite = covariance([[1.0, -1.0], [-1.0, 1.0]])
    with pytest.raises(SolverFailed):
        optimize(Problem(method=method, covariance=opposite))
