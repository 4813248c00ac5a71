"""The optimiser beside skfolio, Riskfolio-Lib and PyPortfolioOpt: the same optimum, and the time of one solve.

    make bench ARGS="-k optimiser -s"

Libraries that are not installed are left out of the table and named; the two last ones are no dependency of this
project, so install them into an environment of your own to see them.
"""

from __future__ import annotations

import time
import warnings
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from quant_trading_system.risk.covariance.psd import correlations, deviations
from quant_trading_system.risk.portfolio_optimizer.nonnegative_qp import solve_nonnegative_qp
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import risk_parity

SIZES = (20, 100, 500, 1000)
OURS = "ours"
WANTED_RATIO = 50


def market(size):
    """Returns of a market factor, ten others, and each stock's own moves; twice as many days as stocks."""
    rng = np.random.Generator(np.random.PCG64(size))
    days = max(2 * size, 250)
    common = rng.normal(0, 0.01, (days, 1)) * rng.uniform(0.5, 1.5, size)
    others = rng.normal(0, 0.007, (days, 10)) @ rng.normal(0, 0.3, (10, size))
    return common + others + rng.normal(size=(days, size)) * rng.uniform(0.008, 0.03, size)


def our_risk_parity(returns, sigma):
    return risk_parity(sigma).weights


def our_max_diversification(returns, sigma):
    held = solve_nonnegative_qp(correlations(sigma), np.ones(len(sigma))).y / deviations(sigma)
    return held / held.sum()


def our_min_variance(returns, sigma):
    inverse = 1 / deviations(sigma)
    held = solve_nonnegative_qp(correlations(sigma), inverse / inverse.max()).y * inverse
    return held / held.sum()


def skfolio_of(name, **settings):
    def solve(returns, sigma):
        import skfolio.optimization

        return getattr(skfolio.optimization, name)(**settings).fit(returns).weights_

    return solve


def riskfolio_portfolio(returns, sigma):
    import riskfolio

    found = riskfolio.Portfolio(returns=pd.DataFrame(returns, columns=[f"S{i}" for i in range(len(sigma))]))
    found.assets_stats(method_mu="hist", method_cov="hist")
    return found


def riskfolio_risk_parity(returns, sigma):
    return riskfolio_portfolio(returns, sigma).rp_optimization(model="Classic", rm="MV").to_numpy().ravel()


def riskfolio_min_variance(returns, sigma):
    return riskfolio_portfolio(returns, sigma).optimization(model="Classic", rm="MV", obj="MinRisk").to_numpy().ravel()


def pypfopt_min_variance(returns, sigma):
    from pypfopt import EfficientFrontier

    return np.array(list(EfficientFrontier(None, pd.DataFrame(sigma)).min_volatility().values()))


def pypfopt_max_diversification(returns, sigma):
    """Minimum variance of the correlations, divided by volatilities."""
    held = pypfopt_min_variance(returns, correlations(sigma)) / deviations(sigma)
    return held / held.sum()


def parity_error(sigma, weights):
    """Largest relative error of a risk contribution."""
    shares = weights * (sigma @ weights)
    return float(np.abs(shares / shares.sum() * len(sigma) - 1).max())


def volatility(sigma, weights):
    return float(np.sqrt(weights @ sigma @ weights))


def ratio_lost(sigma, weights):
    """One over the diversification ratio: smaller is better."""
    return volatility(sigma, weights) / float(weights @ deviations(sigma))


METHODS = {
    "risk parity": (
        {
            OURS: our_risk_parity,
            "skfolio": skfolio_of("RiskBudgeting"),
            "riskfolio": riskfolio_risk_parity,
        },
        parity_error,
    ),
    "maximum diversification": (
        {
            OURS: our_max_diversification,
            "skfolio": skfolio_of("MaximumDiversification"),
            "pypfopt": pypfopt_max_diversification,
        },
        ratio_lost,
    ),
    "minimum variance": (
        {
            OURS: our_min_variance,
            "skfolio": skfolio_of("MeanRisk"),
            "riskfolio": riskfolio_min_variance,
            "pypfopt": pypfopt_min_variance,
        },
        volatility,
    ),
}


def once(solve, returns, sigma, tries):
    """The quickest of some tries, in seconds, and the weights."""
    seconds = []
    for _ in range(tries):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = np.asarray(solve(returns, sigma), dtype=np.float64)
        seconds.append(time.perf_counter() - began)
    return min(seconds), weights


@pytest.mark.parametrize("name", METHODS)
def test_same_optimum_as_the_libraries_and_much_sooner(name, capsys):
    solvers, loss = METHODS[name]
    present = {library: solve for library, solve in solvers.items() if library == OURS or find_spec(library)}
    absent = sorted(solvers.keys() - present.keys())
    for solve in present.values():
        once(solve, market(5), np.cov(market(5).T), 1)  # imports
    lines = [f"\n{name}: seconds of one solve" + (f" (not installed: {', '.join(absent)})" if absent else "")]
    lines.append(f"{'assets':>8}" + "".join(f"{library:>12}{'loss':>12}" for library in present))
    for size in SIZES:
        returns = market(size)
        sigma = np.cov(returns.T)
        found = {
            library: once(solve, returns, sigma, 5 if library == OURS else 1) for library, solve in present.items()
        }
        seconds, ours = found.pop(OURS)
        cells = f"{seconds:12.4f}{loss(sigma, ours):12.1e}"
        for library, (time_taken, weights) in found.items():
            cells += f"{time_taken:12.4f}{loss(sigma, weights):12.1e}"
            np.testing.assert_allclose(weights, ours, atol=1e-2)  # libraries stop early; the loss tells who is right
            assert loss(sigma, ours) <= loss(sigma, weights) * (1 + 1e-5), f"{library} is better at {size}"
            assert time_taken > WANTED_RATIO * seconds or size < SIZES[-1], f"{library} at {size}"
        lines.append(f"{size:>8}{cells}")
    with capsys.disabled():
        print("\n".join(lines))
    assert loss(sigma, ours) < 1e-9 or name != "risk parity"
