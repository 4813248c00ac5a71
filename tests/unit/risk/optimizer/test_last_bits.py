"""Another processor rounds the last bits of a covariance another way; the weights within limits are the same there."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.optimize import minimize

from quant_trading_system.core.exceptions import SolverFailed
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.risk.covariance import CovarianceModel
from quant_trading_system.risk.portfolio_optimizer import Constraints, Costs, optimize
from tests.support.portfolios import RETURNS, SP500, given, names, problem, real

WANTED = ["KO", "XOM", "JPM", "AAPL", "JNJ", "MSFT", "WMT", "CVX", "PEP", "MRK", "AMD", "HD"]
MOST = 0.10526315


def with_noise(matrix, seed, size):
    noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(matrix.shape) * size
    return matrix * (1 + (noise + noise.T) / 2)


def weights(method, matrix, limits, **more):
    found = optimize(problem(method, given(matrix), constraints=limits, **more))
    assert found.kkt_residual <= 1e-5
    return np.array(list(found.weights.values()))


@pytest.fixture(scope="module")
def page():
    """The covariance of the page on sizing."""
    prices = load_sp500(date(2020, 1, 2), date(2021, 12, 31), WANTED)
    return CovarianceModel(lookback=252).estimate(HistoryView(prices, len(prices) - 1))


def limits_of(covariance):
    """A tenth of equity for each, and 30 % for a sector, where 95 % are invested."""
    sectors = {s: sp500_20().sectors.get(s, "Health Care") for s in covariance.symbols}
    caps = dict.fromkeys(set(sectors.values()), 0.3 / 0.95)
    return sectors, Constraints(max_weight=MOST, sectors=sectors, sector_caps=caps)


def test_risk_parity_within_limits_is_that_of_another_solver(page):
    sectors, limits = limits_of(page)
    found = optimize(problem("risk-parity", page, constraints=limits))
    assert found.kkt_residual < 1e-8
    assert {"max_weight JNJ", "max_weight PEP"} <= set(found.binding)
    sigma, size = page.matrix * 1e4, len(page.symbols)
    rows = [{"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda _: np.ones(size)}]
    for sector in sorted(set(sectors.values())):
        members = np.array([float(sectors[s] == sector) for s in page.symbols])
        rows.append({"type": "ineq", "fun": lambda w, m=members: 0.3 / 0.95 - m @ w, "jac": lambda _, m=members: -m})
    other = minimize(
        lambda w: 0.5 * np.log(w @ sigma @ w) - np.log(w).mean(),
        np.full(size, 1 / size),
        jac=lambda w: sigma @ w / (w @ sigma @ w) - 1 / (size * w),
        bounds=[(1e-4, MOST)] * size,
        constraints=rows,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    np.testing.assert_allclose(list(found.weights.values()), other.x, atol=2e-6)


@pytest.mark.parametrize("size", [1e-15, 1e-14, 1e-13])
@pytest.mark.parametrize("method", ["risk-parity", "min-variance", "max-diversification"])
def test_the_portfolio_of_the_page_does_not_hang_on_the_last_bits(page, method, size):
    _, limits = limits_of(page)
    by_position = dict(zip(page.symbols, names(len(page.symbols)), strict=True))
    limits = Constraints(
        max_weight=MOST,
        sectors={by_position[symbol]: sector for symbol, sector in limits.sectors.items()},
        sector_caps=limits.sector_caps,
    )
    exact = weights(method, page.matrix, limits)
    for seed in range(5):
        np.testing.assert_allclose(weights(method, with_noise(page.matrix, seed, size), limits), exact, atol=1e-9)


def random_case(seed, spread):
    """A covariance of common and own moves, volatilities 10**spread apart, and one of four sets of limits that bind."""
    rng = np.random.Generator(np.random.PCG64(seed))
    size = int(rng.integers(3, 31))
    common = rng.normal(size=(rng.integers(1, 5), size)) * rng.choice([0, 0.5, 2.0])
    volatilities = 10 ** rng.uniform(-spread / 2, spread / 2, size) / 100
    matrix = (common.T @ common + np.diag(rng.uniform(0.05, 1, size) ** 2)) * np.outer(volatilities, volatilities)
    sectors = {name: f"G{i % 3}" for i, name in enumerate(names(size))}
    most, caps = [
        (0.1, (0.4, 0.37, 0.35)),
        (1.3 / size, (0.3, 0.36, 0.5)),
        (1 / size - 1e-3, (0.4, 0.4, 0.4)),  # all that is allowed is held
        (2 / size, (0.2, 0.25, 0.3)),  # every sector is full
    ][seed % 4]
    count = np.bincount(np.arange(size) % 3, minlength=3)
    invested = min(1.0, float(np.minimum(caps, most * count).sum()))
    by_name = {f"G{i}": cap for i, cap in enumerate(caps)}
    return matrix, Constraints(max_weight=most, sectors=sectors, sector_caps=by_name, invested=invested)


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_risk_parity_is_found_within_whatever_limits_bind(first):
    for seed in range(first, first + 50):
        matrix, limits = random_case(seed, spread=1 if seed % 8 < 4 else 3)
        exact = weights("risk-parity", matrix, limits)
        if seed % 5 == 0:
            noisy = weights("risk-parity", with_noise(matrix, seed, 1e-14), limits)
            np.testing.assert_allclose(noisy, exact, atol=1e-8, err_msg=f"seed {seed}")


@pytest.mark.parametrize("method", ["min-variance", "max-diversification"])
def test_calm_portfolios_of_wild_symbols_are_found_too(method):
    """The variance of the optimum is a millionth of the mean one, or all sectors are full."""
    for seed in (15, 20, 28, 55, 67, 75, 103, 131, 136, 139, 151, 159, 195):
        for spread in (1, 3):
            matrix, limits = random_case(seed, spread)
            exact = weights(method, matrix, limits)
            noisy = weights(method, with_noise(matrix, seed, 1e-14), limits)
            np.testing.assert_allclose(noisy, exact, atol=1e-8, err_msg=f"seed {seed}, spread {spread}")


def test_risk_budgets_within_limits():
    """One cap binds; for those that are free another bit of weight costs the same: σᵢ²wᵢ / v − bᵢ / wᵢ."""
    variances, budgets = np.array([1e-4, 4e-4, 9e-4]), np.array([4, 2, 1]) / 7
    limits = Constraints(max_weight={"S0": 0.2, "S1": 1.0, "S2": 1.0})
    found = weights("risk-parity", np.diag(variances), limits, budgets={"S0": 4.0, "S1": 2.0, "S2": 1.0})
    assert found[0] == pytest.approx(0.2, abs=1e-10)
    prices = variances * found / (variances @ found**2) - budgets / found
    assert prices[1] == pytest.approx(prices[2], rel=1e-7)
    assert prices[0] < prices[1]
    assert found.sum() == pytest.approx(1, abs=1e-12)


def test_costs_do_not_make_a_ratio_hang_on_the_last_bits():
    even = dict.fromkeys(SP500.symbols, 0.05)
    asked = {"means": RETURNS.mean(axis=0), "constraints": Constraints(current=even)}
    found = [
        optimize(problem("max-sharpe", given(with_noise(real().matrix, seed, 1e-14), SP500.symbols), **asked,
                         costs=Costs(linear=3e-5, quadratic=0.001)))
        for seed in range(10)
    ]  # fmt: skip
    for other in found[1:]:
        np.testing.assert_allclose(list(other.weights.values()), list(found[0].weights.values()), atol=1e-9)


def test_a_weight_that_must_be_zero_leaves_risk_parity_nothing():
    with pytest.raises(SolverFailed) as caught:
        weights("risk-parity", np.diag([1e-4, 4e-4, 9e-4]), Constraints(max_weight={"S0": 0.0, "S1": 1.0, "S2": 1.0}))
    assert "leave nothing" in str(caught.value.reasons)
