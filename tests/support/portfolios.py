"""Matrices of papers and of real prices that several tests use, each with its source."""

from __future__ import annotations

from datetime import date

import numpy as np

from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.risk.covariance import Covariance
from quant_trading_system.risk.portfolio_optimizer import Method, Problem


def from_correlations(volatilities, correlations):
    """A covariance from volatilities, and correlations by pair of positions; the others are zero."""
    matrix = np.eye(len(volatilities))
    for (i, j), value in correlations.items():
        matrix[i, j] = matrix[j, i] = value
    return matrix * np.outer(volatilities, volatilities)


UNCORRELATED = from_correlations([0.1, 0.2, 0.3, 0.4], {})
"""Maillard, Roncalli & Teiletche (2010), first example."""

PAIRED = from_correlations([0.1, 0.2, 0.3, 0.4], {(0, 1): 0.8, (2, 3): -0.5})
"""Maillard, Roncalli & Teiletche (2010), second example."""

BUDGETED = from_correlations([0.3, 0.2, 0.15], {(0, 1): 0.8, (0, 2): 0.5, (1, 2): 0.3})
"""Roncalli (2013), chapter 2: budgets of 50, 20 and 30 %."""

FIVE = np.array(
    [
        [94.868, 33.750, 12.325, -1.178, 8.778],
        [33.750, 445.642, 98.955, -7.901, 84.954],
        [12.325, 98.955, 117.265, 0.503, 45.184],
        [-1.178, -7.901, 0.503, 5.460, 1.057],
        [8.778, 84.954, 45.184, 1.057, 34.126],
    ]
)
"""Bai, Scheinberg & Tütüncü (2016)."""

CONSTRAINED = np.array(
    [
        [0.0225, 0.0030, 0.0150, 0.0225],
        [0.0030, 0.0400, 0.0350, 0.0240],
        [0.0150, 0.0350, 0.0625, 0.0600],
        [0.0225, 0.0240, 0.0600, 0.0900],
    ]
)
"""Roncalli (2010), Understanding the impact of weights constraints in portfolio theory."""

REAL = np.array(
    [
        [0.1273848788, 0.05860951197, 0.03411580991, 0.02282804661, 0.03296724565],
        [0.05860951197, 0.08975799821, 0.02891642386, 0.01837845614, 0.0185400284],
        [0.03411580991, 0.02891642386, 0.1232194338, 0.005454001216, 0.01619189906],
        [0.02282804661, 0.01837845614, 0.005454001216, 0.03061200167, 0.01555916652],
        [0.03296724565, 0.0185400284, 0.01619189906, 0.01555916652, 0.07220138371],
    ]
)
"""AAPL, JPM, XOM, JNJ and WMT, the bundled prices of 2022, per year."""

TEN_MEANS = [1.175, 1.19, 0.396, 1.12, 0.346, 0.679, 0.089, 0.73, 0.481, 1.08]
TEN = np.array(
    [
        [0.40755159, 0.03175842, 0.05183923, 0.05663904, 0.0330226, 0.00827775, 0.02165938, 0.01332419, 0.0343476,
         0.02249903],
        [0.03175842, 0.9063047, 0.03136385, 0.02687256, 0.01917172, 0.00934384, 0.02495043, 0.00761036, 0.02874874,
         0.01336866],
        [0.05183923, 0.03136385, 0.19490901, 0.04408485, 0.03006772, 0.01322738, 0.03525971, 0.0115493, 0.0427563,
         0.02057303],
        [0.05663904, 0.02687256, 0.04408485, 0.19528471, 0.02777345, 0.00526665, 0.01375808, 0.00780878, 0.02914176,
         0.01640377],
        [0.0330226, 0.01917172, 0.03006772, 0.02777345, 0.34059105, 0.00777055, 0.02067844, 0.00736409, 0.02542657,
         0.01284075],
        [0.00827775, 0.00934384, 0.01322738, 0.00526665, 0.00777055, 0.15983874, 0.02105575, 0.00518686, 0.01723737,
         0.00723779],
        [0.02165938, 0.02495043, 0.03525971, 0.01375808, 0.02067844, 0.02105575, 0.68056711, 0.01377882, 0.04627027,
         0.01926088],
        [0.01332419, 0.00761036, 0.0115493, 0.00780878, 0.00736409, 0.00518686, 0.01377882, 0.95526918, 0.0106553,
         0.00760955],
        [0.0343476, 0.02874874, 0.0427563, 0.02914176, 0.02542657, 0.01723737, 0.04627027, 0.0106553, 0.31681584,
         0.01854318],
        [0.02249903, 0.01336866, 0.02057303, 0.01640377, 0.01284075, 0.00723779, 0.01926088, 0.00760955, 0.01854318,
         0.11079287],
    ]
)  # fmt: skip
"""Bailey & López de Prado (2013), an example with ten assets, and its expected returns."""

SP500 = load_sp500(date(2020, 12, 31), date(2022, 12, 28))
RETURNS = SP500.returns()
"""Twenty stocks, 501 days, real."""


def names(size):
    return tuple(f"S{i}" for i in range(size))


def given(matrix, symbols=None, observations=0):
    """A covariance by hand."""
    matrix = np.array(matrix, dtype=np.float64)
    return Covariance(symbols=symbols or names(len(matrix)), matrix=matrix, observations=observations)


def real(observations=501):
    """The sample covariance of the twenty stocks, per day."""
    return given(np.cov(RETURNS.T), SP500.symbols, observations)


def by_symbol(values, symbols=None):
    values = list(values)
    return dict(zip(symbols or names(len(values)), map(float, values), strict=True))


def problem(method, matrix, **more):
    covariance = matrix if isinstance(matrix, Covariance) else given(matrix)
    if isinstance(means := more.get("means"), list | np.ndarray):
        more["means"] = by_symbol(means, covariance.symbols)
    return Problem(method=Method(method), covariance=covariance, **more)
