"""Statistics of daily returns and of closed trades. What is not defined is None: never 0, never infinite.

Daily returns are simple returns as fractions (0.01 is 1 %). A year has 252 trading days.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.numbers import ZERO

TRADING_DAYS = 252
"""Trading days in a year; annual numbers use it everywhere."""

FEWEST_DAYS = 2
"""Annual numbers from a single day would be noise multiplied."""

_NO_SPREAD = 1e-12
"""Standard deviations below this are rounding of returns that never vary."""

Returns = NDArray[np.float64]


def cagr(returns: Returns) -> float | None:
    """Compound annual growth rate: [∏(1 + rᵢ)]^(252/n) − 1, a fraction per year.

    Returns:
        None with fewer than two days, or when the number would not fit into a float.
    """
    if len(returns) < FEWEST_DAYS:
        return None
    with np.errstate(over="ignore"):
        growth = float(np.power(np.prod(1 + returns), TRADING_DAYS / len(returns)))
    return growth - 1 if isfinite(growth) else None


def annual_volatility(returns: Returns) -> float | None:
    """Standard deviation of daily returns (divisor n − 1) times √252, a fraction per √year; None below two days."""
    return float(returns.std(ddof=1)) * sqrt(TRADING_DAYS) if len(returns) >= FEWEST_DAYS else None


def sharpe_ratio(returns: Returns, risk_free: float = 0.0) -> float | None:
    """(mean(r) − f) / std(r) · √252, with the daily risk-free rate f and divisor n − 1.

    Args:
        returns: daily.
        risk_free: fraction per year; f is a 252nd of it.

    Returns:
        Per √year; None with fewer than two days or when the returns never vary.

    Source:
        Sharpe, Journal of Portfolio Management 21 (1994).
    """
    if len(returns) < FEWEST_DAYS:
        return None
    spread = float(returns.std(ddof=1))
    excess = float(returns.mean()) - risk_free / TRADING_DAYS
    return excess / spread * sqrt(TRADING_DAYS) if spread > _NO_SPREAD else None


def sortino_ratio(returns: Returns, risk_free: float = 0.0) -> float | None:
    """(mean(r) − f) / √mean(min(r − f, 0)²) · √252: only days below the risk-free rate f count as risk.

    The mean of the squares is taken over all days.

    Arguments as `sharpe_ratio`.

    Returns:
        Per √year; None with fewer than two days or when no day was below the risk-free rate.

    Source:
        Sortino & van der Meer, Journal of Portfolio Management 17 (1991).
    """
    if len(returns) < FEWEST_DAYS:
        return None
    excess = returns - risk_free / TRADING_DAYS
    downside = sqrt(float(np.mean(np.minimum(excess, 0) ** 2)))
    return float(excess.mean()) / downside * sqrt(TRADING_DAYS) if downside > _NO_SPREAD else None


def calmar_ratio(annual_growth: float | None, deepest: float | None) -> float | None:
    """CAGR divided by the maximum drawdown, both over the whole period; None when there was no drawdown.

    Source:
        Young, Futures 20 (1991), who looks at the last 36 months only.
    """
    return annual_growth / deepest if annual_growth is not None and deepest else None


def annual_turnover(traded: Decimal, equity: NDArray[np.float64], days: int) -> float | None:
    """Dollars bought and sold per year, as a multiple of the average equity.

    Args:
        traded: sum of |quantity · price| of all fills, both sides, dollars.
        equity: daily closes, dollars.
        days: daily returns in the period.

    Returns:
        Multiples per year; None with fewer than two days or without equity on average.
    """
    average = float(equity.mean()) if len(equity) else 0.0
    return float(traded) / average * TRADING_DAYS / days if days >= FEWEST_DAYS and average > 0 else None


def hit_rate(round_trips: Sequence[Decimal]) -> float | None:
    """Share of round trips that made money after fees; break-even is no hit. None without round trips."""
    return sum(profit > 0 for profit in round_trips) / len(round_trips) if round_trips else None


def payoff(round_trips: Sequence[Decimal]) -> float | None:
    """Mean profit of winners divided by mean loss of losers; None without both."""
    wins = [profit for profit in round_trips if profit > 0]
    losses = [-profit for profit in round_trips if profit < 0]
    if not wins or not losses:
        return None
    return float(sum(wins, ZERO) / len(wins) / (sum(losses, ZERO) / len(losses)))


def profit_factor(round_trips: Sequence[Decimal]) -> float | None:
    """Sum of profits divided by sum of losses; None without losses."""
    losses = -sum((profit for profit in round_trips if profit < 0), ZERO)
    return float(sum((profit for profit in round_trips if profit > 0), ZERO) / losses) if losses else None
