"""Portfolios that papers print and independent libraries give, and what theory says of them."""

from __future__ import annotations

import numpy as np
import pytest

from quant_trading_system.risk.portfolio_optimizer import Constraints, Method, View, black_litterman, optimize
from tests.support import portfolios as cases
from tests.support.portfolios import by_symbol, given, problem, real

LIBRARY_HRP = [
    0.0349711693, 0.0119765731, 0.0331627226, 0.0135619377, 0.0266639812, 0.0250012804, 0.0310150375, 0.1361413678,
    0.0463419687, 0.0534790538, 0.0410915125, 0.0911302863, 0.0394417024, 0.0554288942, 0.0744092968, 0.0855935215,
    0.0055391577, 0.0725626751, 0.0723606254, 0.0501272358,
]  # fmt: skip
LIBRARY_HERC = [
    0.03396113, 0.01163066, 0.05564333, 0.02034066, 0.060193, 0.04194935, 0.04651743, 0.09596908, 0.07064784,
    0.07955575, 0.0281573, 0.05161698, 0.03819552, 0.08245634, 0.03479577, 0.07132925, 0.01250445, 0.05115104,
    0.0651062, 0.04827891,
]  # fmt: skip


def weights(portfolio):
    return np.array(list(portfolio.weights.values()))


def contributions(portfolio):
    return np.array(list(portfolio.risk_contributions.values()))


RISK_PARITY = {
    "uncorrelated": (cases.UNCORRELATED, [0.48, 0.24, 0.16, 0.12], 0.096),
    "paired": (cases.PAIRED, [0.383612506283968, 0.191806253141984, 0.242617851756599, 0.181963388817449],
               0.102934036928402),
    "five": (cases.FIVE, [0.124505428417306, 0.0466615344161511, 0.0832830132522576, 0.613299042877606,
                          0.13225098103668], 3.04061501638736),
    "real": (cases.REAL, [0.134256788601147, 0.1675514284152, 0.174808222722945, 0.315321967419182,
                          0.208061592841526], 0.177517408155292),
}  # fmt: skip


@pytest.mark.parametrize("name", RISK_PARITY)
def test_risk_parity_of_papers(name):
    matrix, expected, volatility = RISK_PARITY[name]
    found = optimize(problem("risk-parity", matrix))
    np.testing.assert_allclose(weights(found), expected, rtol=1e-10)
    assert found.volatility == pytest.approx(volatility, rel=1e-12)
    np.testing.assert_allclose(contributions(found), 1 / len(expected), rtol=1e-12)
    assert found.rung == "newton"
    assert found.kkt_residual < 1e-12


def test_risk_budgets_of_a_textbook():
    budgets = by_symbol([0.5, 0.2, 0.3])
    found = optimize(problem("risk-parity", cases.BUDGETED, budgets=budgets))
    np.testing.assert_allclose(weights(found), [0.311450513817546, 0.218997507033681, 0.469551979148773], rtol=1e-10)
    np.testing.assert_allclose(contributions(found), [0.5, 0.2, 0.3], rtol=1e-12)


@pytest.mark.parametrize("rho", [-0.8, 0.0, 0.5, 0.95])
@pytest.mark.parametrize("budget", [0.1, 0.5, 0.8])
def test_two_risk_budgets_have_a_closed_form(rho, budget):
    """Bruder & Roncalli (2012)."""
    a, b = 0.2, 0.3
    centre = budget - 0.5
    root = a * b * np.sqrt(centre**2 * rho**2 + budget * (1 - budget))
    top = centre * rho * a * b - budget * b**2 + root
    bottom = (1 - budget) * a**2 - budget * b**2 + 2 * centre * rho * a * b
    expected = 0.3 * 1 / (0.3 + 0.2) if abs(bottom) < 1e-12 else top / bottom
    matrix = cases.from_correlations([a, b], {(0, 1): rho})
    found = optimize(problem("risk-parity", matrix, budgets=by_symbol([budget, 1 - budget])))
    assert found.weights["S0"] == pytest.approx(expected, rel=1e-9)


def test_risk_parity_lies_between_minimum_variance_and_equal_weights():
    risks = [optimize(problem(method, real())).volatility for method in ("min-variance", "risk-parity", "equal-weight")]
    assert risks == sorted(risks)


def test_risk_parity_under_one_correlation_is_inverse_volatility():
    matrix = cases.from_correlations([0.1, 0.3, 0.5], {(0, 1): 0.4, (0, 2): 0.4, (1, 2): 0.4})
    parity, inverse = (optimize(problem(method, matrix)) for method in ("risk-parity", "inverse-volatility"))
    np.testing.assert_allclose(weights(parity), weights(inverse), rtol=1e-12)


DIVERSIFICATION = {
    "two": (cases.from_correlations([0.2, 0.1], {(0, 1): 0.5}), [1 / 3, 2 / 3], 1.15470053837925),
    "three": (cases.from_correlations([0.1] * 3, {(0, 1): 0.9, (0, 2): 0.1, (1, 2): 0.1}),
              [0.257142857142857, 0.257142857142857, 0.485714285714286], 1.36444205727454),
    "paired": (cases.PAIRED, [0.277777777777778, 0.138888888888889, 0.333333333333333, 0.25], 2.26077666104176),
    "real": (cases.REAL, [0.0691552390983074, 0.137723481093434, 0.220993717567472, 0.349623601260788,
                          0.222503960979999], 1.54125613758138),
}  # fmt: skip


@pytest.mark.parametrize("name", DIVERSIFICATION)
def test_maximum_diversification_of_papers(name):
    """Choueifaty & Coignard (2008); Choueifaty, Froidure & Reynier (2013)."""
    matrix, expected, ratio = DIVERSIFICATION[name]
    found = optimize(problem("max-diversification", matrix))
    np.testing.assert_allclose(weights(found), expected, rtol=1e-10)
    assert found.diversification_ratio == pytest.approx(ratio, rel=1e-12)
    assert found.rung == "active set"
    assert found.kkt_residual < 1e-12


def test_the_most_diversified_portfolio_correlates_alike_with_all_it_holds_and_more_with_the_rest():
    found = optimize(problem("max-diversification", real()))
    w, sigma = weights(found), real()
    with_portfolio = sigma.matrix @ w / sigma.volatilities / found.volatility
    held = w > 0
    assert 0 < held.sum() < 20
    np.testing.assert_allclose(with_portfolio[held], 1 / found.diversification_ratio, rtol=1e-12)
    assert (with_portfolio[~held] >= 1 / found.diversification_ratio).all()


def test_a_twin_takes_nothing_from_the_others():
    """Choueifaty, Froidure & Reynier (2013): duplicating an asset does not change its total weight."""
    alone = optimize(problem("max-diversification", cases.REAL))
    order = [0, 0, 1, 2, 3, 4]
    with_twin = optimize(problem("max-diversification", cases.REAL[np.ix_(order, order)]))
    merged = weights(with_twin)[1:].copy()
    merged[0] += weights(with_twin)[0]
    np.testing.assert_allclose(merged, weights(alone), atol=1e-9)


MIN_VARIANCE = {
    "long only": (cases.CONSTRAINED, {}, [0.654867256637168, 0.345132743362832, 0, 0], 0.125578308255944),
    "ten per cent at least": (cases.CONSTRAINED, {"min_weight": 0.1}, [0.561946902654867, 0.238053097345133, 0.1, 0.1],
                              0.141149515906743),
    "half at most": (cases.CONSTRAINED, {"max_weight": 0.5}, [0.5, 0.5, 0, 0], 0.130862523283024),
    "paired": (cases.PAIRED, {}, [0.744827586206897, 0, 0.151724137931034, 0.103448275862069], 0.0863033942673691),
    "real": (cases.REAL, {"max_weight": 0.4}, [0, 0.160857193127092, 0.165417097753248, 0.4, 0.27372570911966],
             0.164722639173795),
}  # fmt: skip


@pytest.mark.parametrize("name", MIN_VARIANCE)
def test_minimum_variance_of_papers(name):
    matrix, limits, expected, volatility = MIN_VARIANCE[name]
    found = optimize(problem("min-variance", matrix, constraints=Constraints(**limits)))
    np.testing.assert_allclose(weights(found), expected, atol=1e-7)
    assert found.volatility == pytest.approx(volatility, rel=1e-9)
    assert found.kkt_residual < 1e-8


def test_maximum_sharpe_of_two():
    """Kopman & Liu (2009): 27.27 and 72.73 %."""
    found = optimize(problem("max-sharpe", [[0.05, 0.02], [0.02, 0.07]], means=[0.05, 0.10]))
    np.testing.assert_allclose(weights(found), [3 / 11, 8 / 11], rtol=1e-12)
    assert found.expected_return / found.volatility == pytest.approx(0.391440680629406, rel=1e-12)


def test_maximum_sharpe_of_ten():
    """Bailey & López de Prado (2013) print a ratio of 4.4535."""
    found = optimize(problem("max-sharpe", cases.TEN, means=cases.TEN_MEANS))
    expected = [0.0839731894821742, 0.0489059861371137, 0, 0.218309259540495, 0.00167730417093584, 0.181200646714412,
                0, 0.0311830387651695, 0.00785901253285025, 0.42689156265685]  # fmt: skip
    np.testing.assert_allclose(weights(found), expected, atol=1e-9)
    assert found.expected_return / found.volatility == pytest.approx(4.45353347664641, rel=1e-12)


def test_hrp_is_that_of_two_libraries():
    """PyPortfolioOpt 1.6.0 and Riskfolio-Lib 7.4.0 with single linkage give these on the same returns."""
    np.testing.assert_allclose(weights(optimize(problem("hrp", real()))), LIBRARY_HRP, atol=1e-9)


def test_herc_is_that_of_another_library():
    """Riskfolio-Lib 7.4.0 with Ward linkage; skfolio, which solves it here, agrees to eight digits."""
    np.testing.assert_allclose(weights(optimize(problem("herc", real()))), LIBRARY_HERC, atol=1e-8)


def test_hrp_of_two_is_inverse_variance():
    found = optimize(problem("hrp", cases.from_correlations([0.1, 0.2], {(0, 1): 0.3})))
    np.testing.assert_allclose(weights(found), [0.8, 0.2], rtol=1e-12)


COUNTRIES = ("AUS", "CAN", "FRA", "GER", "JPN", "GBR", "USA")
WORLD = cases.from_correlations(
    [0.160, 0.203, 0.248, 0.271, 0.210, 0.200, 0.187],
    {
        (0, 1): 0.488, (0, 2): 0.478, (0, 3): 0.515, (0, 4): 0.439, (0, 5): 0.512, (0, 6): 0.491, (1, 2): 0.664,
        (1, 3): 0.655, (1, 4): 0.310, (1, 5): 0.608, (1, 6): 0.779, (2, 3): 0.861, (2, 4): 0.355, (2, 5): 0.783,
        (2, 6): 0.668, (3, 4): 0.354, (3, 5): 0.777, (3, 6): 0.653, (4, 5): 0.405, (4, 6): 0.306, (5, 6): 0.652,
    },
)  # fmt: skip
MARKET = dict(zip(COUNTRIES, [0.016, 0.022, 0.052, 0.055, 0.116, 0.124, 0.615], strict=True))
GERMANY = View(weights={"GER": 1, "FRA": -0.295, "GBR": -0.705}, expected=0.05)


class TestHeLitterman:
    """He & Litterman (1999): seven countries, δ = 2.5, τ = 0.05; Germany will beat the rest of Europe by 5 %."""

    def posterior(self, *views):
        return black_litterman(given(WORLD, COUNTRIES), MARKET, views, risk_aversion=2.5, tau=0.05)

    def test_equilibrium_returns(self):
        printed = [0.039, 0.069, 0.084, 0.090, 0.043, 0.068, 0.076]
        np.testing.assert_allclose(self.posterior().means, printed, atol=5.1e-4)

    def test_returns_after_the_view(self):
        printed = [0.043, 0.076, 0.093, 0.110, 0.045, 0.070, 0.081]
        np.testing.assert_allclose(self.posterior(GERMANY).means, printed, atol=6e-4)

    def test_the_market_is_what_one_holds_without_views(self):
        found = optimize(
            problem("black-litterman", given(WORLD, COUNTRIES), market_weights=MARKET,
                    constraints=Constraints(min_weight=-1.0, invested=1 / 1.05))
        )  # fmt: skip
        np.testing.assert_allclose(weights(found), np.array(list(MARKET.values())) / 1.05, atol=1e-6)

    def test_the_view_moves_only_the_countries_that_it_names(self):
        """Property 3.1: unconstrained weights are (market + a multiple of the view) / (1 + τ)."""
        after = self.posterior(GERMANY)
        held = np.linalg.solve(2.5 * after.covariance.matrix, after.means) * 1.05
        moved = held - np.array(list(MARKET.values()))
        view = np.array([GERMANY.weights.get(country, 0.0) for country in COUNTRIES])
        np.testing.assert_allclose(moved, view * moved[3], atol=1e-12)
        printed = [0.015, 0.021, -0.040, 0.354, 0.110, -0.095, 0.586]
        np.testing.assert_allclose(held / 1.05, printed, atol=2e-3)

    def test_a_sure_view_comes_true(self):
        view = View(weights=GERMANY.weights, expected=0.05, variance=1e-12)
        means = dict(zip(COUNTRIES, self.posterior(view).means, strict=True))
        assert means["GER"] - 0.295 * means["FRA"] - 0.705 * means["GBR"] == pytest.approx(0.05, abs=1e-8)


@pytest.mark.parametrize("method", Method)
def test_every_method_gives_a_portfolio_of_real_stocks(method):
    symbols = cases.SP500.symbols
    found = optimize(
        problem(method, real(), means=cases.RETURNS.mean(axis=0), scenarios=cases.RETURNS,
                market_weights=dict.fromkeys(symbols, 0.05), views=(View(weights={"KO": 1}, expected=0.001),))
    )  # fmt: skip
    assert found.method is method
    assert not found.attempts
    assert sum(found.weights.values()) == pytest.approx(1, abs=1e-9)
    assert min(found.weights.values()) >= 0
    assert sum(found.risk_contributions.values()) == pytest.approx(1, abs=1e-12)
    assert found.diversification_ratio >= 1
    assert sum(found.exact_weights().values()) == 1
