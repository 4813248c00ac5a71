"""The optimiser beside skfolio, Riskfolio-Lib and PyPortfolioOpt: the same optimum, and the time of one solve.

    make bench-peers ARGS=optimisers

All of them solve the same problems one after the other in one process: risk parity, maximum diversification and
minimum variance of 20 to 1,000 assets, long only. *Loss* says how far from the optimum each ends: for risk parity
the largest relative error of a risk contribution, otherwise how much larger the objective is than ours.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.risk.covariance.psd import correlations, deviations
from quant_trading_system.risk.portfolio_optimizer.nonnegative_qp import solve_nonnegative_qp
from quant_trading_system.risk.portfolio_optimizer.risk_budgeting import risk_parity

Matrix = NDArray[np.float64]
Solve = Callable[[Matrix, Matrix], Any]
"""Returns [days, N] and their covariance [N, N] to weights [N]."""

SIZES = (20, 100, 500, 1000)
OURS = "ours"


def market(size: int) -> Matrix:
    """Returns of a market factor, ten others, and each stock's own moves; twice as many days as stocks."""
    rng = np.random.Generator(np.random.PCG64(size))
    days = max(2 * size, 250)
    common = rng.normal(0, 0.01, (days, 1)) * rng.uniform(0.5, 1.5, size)
    others = rng.normal(0, 0.007, (days, 10)) @ rng.normal(0, 0.3, (10, size))
    return common + others + rng.normal(size=(days, size)) * rng.uniform(0.008, 0.03, size)


def whole(held: Matrix) -> Matrix:
    weights: Matrix = held / held.sum()
    return weights


def our_risk_parity(_: Matrix, sigma: Matrix) -> Matrix:
    weights: Matrix = risk_parity(sigma).weights
    return weights


def our_max_diversification(_: Matrix, sigma: Matrix) -> Matrix:
    held = solve_nonnegative_qp(correlations(sigma), np.ones(len(sigma))).y / deviations(sigma)
    return whole(held)


def our_min_variance(_: Matrix, sigma: Matrix) -> Matrix:
    inverse = 1 / deviations(sigma)
    held = solve_nonnegative_qp(correlations(sigma), inverse / inverse.max()).y * inverse
    return whole(held)


def skfolio_of(name: str, **settings: Any) -> Solve:
    def solve(returns: Matrix, _: Matrix) -> Any:
        import skfolio.optimization

        return getattr(skfolio.optimization, name)(**settings).fit(returns).weights_

    return solve


def riskfolio_portfolio(returns: Matrix, sigma: Matrix) -> Any:
    import pandas as pd
    import riskfolio

    found = riskfolio.Portfolio(returns=pd.DataFrame(returns, columns=[f"S{i}" for i in range(len(sigma))]))
    found.assets_stats(method_mu="hist", method_cov="hist")
    return found


def riskfolio_risk_parity(returns: Matrix, sigma: Matrix) -> Any:
    return riskfolio_portfolio(returns, sigma).rp_optimization(model="Classic", rm="MV").to_numpy().ravel()


def riskfolio_min_variance(returns: Matrix, sigma: Matrix) -> Any:
    return riskfolio_portfolio(returns, sigma).optimization(model="Classic", rm="MV", obj="MinRisk").to_numpy().ravel()


def riskfolio_max_diversification(returns: Matrix, sigma: Matrix) -> Any:
    """The largest ratio of weighted volatilities to volatility: a Sharpe ratio with volatilities for means."""
    import pandas as pd

    found = riskfolio_portfolio(returns, sigma)
    found.mu = pd.DataFrame([deviations(sigma)], columns=found.mu.columns)
    return found.optimization(model="Classic", rm="MV", obj="Sharpe", rf=0).to_numpy().ravel()


def pypfopt_min_variance(_: Matrix, sigma: Matrix) -> Matrix:
    import pandas as pd
    from pypfopt import EfficientFrontier

    return np.array(list(EfficientFrontier(None, pd.DataFrame(sigma)).min_volatility().values()))


def pypfopt_max_diversification(returns: Matrix, sigma: Matrix) -> Matrix:
    """Minimum variance of the correlations, divided by volatilities."""
    held = pypfopt_min_variance(returns, correlations(sigma)) / deviations(sigma)
    return whole(held)


def parity_error(sigma: Matrix, weights: Matrix) -> float:
    """Largest relative error of a risk contribution."""
    shares = weights * (sigma @ weights)
    return float(np.abs(shares / shares.sum() * len(sigma) - 1).max())


def volatility(sigma: Matrix, weights: Matrix) -> float:
    return float(np.sqrt(weights @ sigma @ weights))


def ratio_lost(sigma: Matrix, weights: Matrix) -> float:
    """One over the diversification ratio: smaller is better."""
    return volatility(sigma, weights) / float(weights @ deviations(sigma))


METHODS: dict[str, tuple[dict[str, Solve], Callable[[Matrix, Matrix], float]]] = {
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
            "riskfolio": riskfolio_max_diversification,
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


def once(solve: Solve, returns: Matrix, sigma: Matrix, tries: int) -> tuple[float, Matrix]:
    """The quickest of some tries, in seconds, and the weights."""
    seconds: list[float] = []
    weights: Matrix = np.zeros(0)
    for _ in range(tries):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = np.asarray(solve(returns, sigma), dtype=np.float64)
        seconds.append(time.perf_counter() - began)
    return min(seconds), weights


class Solved(NamedTuple):
    """What one library made of one problem.

    Attributes:
        seconds: of one solve, imports and data apart.
        loss: distance from the optimum, see above.
        apart: largest difference of a weight from ours.
    """

    library: str
    seconds: float
    loss: float
    apart: float


def solved(name: str, size: int) -> list[Solved]:
    """Every library that is installed on one problem; ours first."""
    loss = METHODS[name][1]
    returns = market(size)
    sigma = np.cov(returns.T)
    rows: list[Solved] = []
    best, ours = 0.0, np.zeros(size)
    for library, solve in present(name).items():
        seconds, weights = once(solve, returns, sigma, 5 if library == OURS else 1)
        lost = loss(sigma, weights)
        if library == OURS:
            best, ours = lost, weights
        if loss is not parity_error:
            lost = lost / best - 1
        rows.append(Solved(library, seconds, lost, float(np.abs(weights - ours).max())))
    return rows


def present(name: str) -> dict[str, Solve]:
    """The solvers of a method whose library is installed."""
    return {library: solve for library, solve in METHODS[name][0].items() if library == OURS or find_spec(library)}


def lines(name: str) -> Iterator[str]:
    """A table of one method, line by line as it is found."""
    columns = list(present(name))
    for solve in present(name).values():
        once(solve, market(5), np.cov(market(5).T), 1)  # imports
    yield f"{name}: seconds of one solve, times ours, and loss"
    yield (
        f"{'assets':>8}"
        + f"{OURS:>10}{'loss':>10}"
        + "".join(f"{library:>12}{'':>9}{'loss':>10}" for library in columns[1:])
    )
    for size in SIZES:
        first, *others = solved(name, size)
        told = f"{size:>8}{first.seconds:>10.4f}{first.loss:>10.0e}"
        for row in others:
            told += f"{row.seconds:>12.4f}{f'{row.seconds / first.seconds:.0f}x':>9}{row.loss:>10.0e}"
        yield told


def main() -> None:
    """Print every table."""
    out = sys.stdout
    names = ("skfolio", "riskfolio-lib", "PyPortfolioOpt", "cvxpy-base", "clarabel", "numpy")
    out.write(", ".join(f"{name} {_version(name)}" for name in names) + f", Python {sys.version.split()[0]}\n\n")
    for name in METHODS:
        for line in lines(name):
            out.write(line + "\n")
            out.flush()
        out.write("\n")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
