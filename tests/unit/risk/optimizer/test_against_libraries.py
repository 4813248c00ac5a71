"""The same portfolios from skfolio and from a plain transcription of a paper, on real returns of twenty stocks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from skfolio import RiskMeasure
from skfolio.moments import EquilibriumMu
from skfolio.optimization import MaximumDiversification, MeanRisk, ObjectiveFunction, RiskBudgeting
from skfolio.prior import BlackLitterman, EmpiricalPrior

from quant_trading_system.market.universes import sp500_20
from quant_trading_system.risk.portfolio_optimizer import Constraints, View, black_litterman, optimize
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import risk_budgeting
from tests.support import portfolios as cases
from tests.support.portfolios import problem, real

RETURNS, SYMBOLS = cases.RETURNS, cases.SP500.symbols
SECTORS = sp500_20().sectors
SAME = {"rtol": 0, "atol": 2e-4}  # where the libraries stop


def weights(portfolio):
    return np.array(list(portfolio.weights.values()))


def ours(method, **limits):
    return optimize(
        problem(method, real(), means=RETURNS.mean(axis=0), scenarios=RETURNS, constraints=Constraints(**limits))
    )


def coordinate_descent(sigma, budgets):
    """Cyclical coordinate descent of Griveau-Billion, Richard & Roncalli (2013), asset by asset."""
    x = 1 / np.sqrt(np.diag(sigma))
    for _ in range(2000):
        before = x.copy()
        for i in range(len(x)):
            others = sigma[i] @ x - sigma[i, i] * x[i]
            x[i] = (-others + np.sqrt(others**2 + 4 * sigma[i, i] * budgets[i])) / (2 * sigma[i, i])
        if np.abs(x / before - 1).max() < 1e-15:
            break
    return x / x.sum()


@pytest.mark.parametrize("seed", range(3))
def test_risk_budgets_are_those_of_coordinate_descent(seed):
    budgets = np.random.Generator(np.random.PCG64(seed)).dirichlet(np.ones(20))
    sigma = np.array(real().matrix)
    found = risk_budgeting(sigma, budgets)
    np.testing.assert_allclose(found.weights, coordinate_descent(sigma / sigma.mean(), budgets), rtol=1e-10)


def test_risk_parity():
    theirs = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE).fit(RETURNS)
    np.testing.assert_allclose(weights(ours("risk-parity")), theirs.weights_, **SAME)


def test_risk_parity_with_caps():
    theirs = RiskBudgeting(risk_measure=RiskMeasure.VARIANCE, max_weights=0.06).fit(RETURNS)
    np.testing.assert_allclose(weights(ours("risk-parity", max_weight=0.06)), theirs.weights_, **SAME)


@pytest.mark.parametrize("cap", [1.0, 0.1])
def test_maximum_diversification(cap):
    theirs = MaximumDiversification(max_weights=cap).fit(RETURNS)
    np.testing.assert_allclose(weights(ours("max-diversification", max_weight=cap)), theirs.weights_, **SAME)


def test_minimum_variance_with_caps_and_sectors():
    groups = [[SECTORS[symbol] for symbol in SYMBOLS]]
    theirs = MeanRisk(max_weights=0.2, groups=groups, linear_constraints=["Health Care <= 0.3"]).fit(RETURNS)
    found = ours("min-variance", max_weight=0.2, sectors=SECTORS, sector_caps={"Health Care": 0.3})
    np.testing.assert_allclose(weights(found), theirs.weights_, **SAME)


@pytest.mark.parametrize("cap", [1.0, 0.15])
def test_maximum_sharpe(cap):
    theirs = MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO, max_weights=cap).fit(RETURNS)
    found = ours("max-sharpe", max_weight=cap)
    np.testing.assert_allclose(weights(found), theirs.weights_, rtol=0, atol=1e-3)


def test_minimum_cvar():
    theirs = MeanRisk(risk_measure=RiskMeasure.CVAR, max_weights=0.2).fit(RETURNS)
    found = ours("min-cvar", max_weight=0.2)
    tail = np.sort(-(RETURNS @ theirs.weights_))[::-1]
    assert found.cvar == pytest.approx((tail[:25].sum() + 0.05 * tail[25]) / 25.05, rel=1e-5)


def test_black_litterman():
    """From the equilibrium of equal weights, with an absolute and a relative view."""
    prior = BlackLitterman(
        views=["AAPL - MSFT == 0.001", "KO == 0.0008"],
        tau=0.05,
        prior_estimator=EmpiricalPrior(mu_estimator=EquilibriumMu(risk_aversion=2.5)),
    ).fit(pd.DataFrame(RETURNS, columns=list(SYMBOLS)))
    after = black_litterman(
        real(),
        dict.fromkeys(SYMBOLS, 0.05),
        (View(weights={"AAPL": 1, "MSFT": -1}, expected=0.001), View(weights={"KO": 1}, expected=0.0008)),
        risk_aversion=2.5,
        tau=0.05,
    )
    np.testing.assert_allclose(after.means, prior.return_distribution_.mu, rtol=1e-9)
    np.testing.assert_allclose(after.covariance.matrix, prior.return_distribution_.covariance, rtol=1e-9)
