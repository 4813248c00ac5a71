"""Kelly's criterion for one bet, for one asset in continuous time and for several under limits; and Vince's optimal f.

Pure functions of floats. A result below zero is an edge against the bettor: the callers bet nothing then, never the
absolute value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber

Floats = NDArray[np.float64]
_SWEEPS = 10_000
_EXACT = 1e-12


def kelly_bet(p: float, b: float, a: float = 1.0) -> float:
    """The fraction p/a − (1 − p)/b that maximises growth when `b` is won with probability `p`, else `a` is lost.

    Source: Kelly (1956); Thorp (2006), section 2.

    Raises:
        InvalidNumber: `p` outside [0, 1], or a gain or loss that is not above zero.
    """
    if not (0 <= p <= 1 and 0 < a < np.inf and 0 < b < np.inf):
        raise InvalidNumber(f"Kelly: p = {p} must be a probability, gain {b} and loss {a} above zero")
    return p / a - (1 - p) / b


def kelly_growth(f: float, p: float, b: float, a: float = 1.0) -> float:
    """Expected growth per bet, p·ln(1 + b·f) + (1 − p)·ln(1 − a·f); minus infinity where ruin is possible."""
    kelly_bet(p, b, a)
    if 1 + b * f <= 0 or 1 - a * f <= 0:
        return -np.inf
    return float(p * np.log1p(b * f) + (1 - p) * np.log1p(-a * f))


class BetOfTrades(NamedTuple):
    """What closed trades say: share of winners, mean win over mean loss, and Kelly's fraction to risk."""

    win_rate: float
    payoff: float
    fraction: float


def kelly_from_trades(profits: Sequence[float]) -> BetOfTrades:
    """Kelly's bet on profits of past trades, in units of the mean loss.

    Trades without profit or loss count as losers of nothing. Without a winner the fraction is −1: no bet.

    Raises:
        InvalidNumber: no losing trade, so that the payoff is not known, or a profit that is not finite.
    """
    trades = _finite(profits)
    wins, losses = trades[trades > 0], -trades[trades < 0]
    if not len(losses):
        raise InvalidNumber("no losing trade yet, so the payoff is not known")
    if not len(wins):
        return BetOfTrades(0.0, 0.0, -1.0)
    p, payoff = len(wins) / len(trades), float(wins.mean() / losses.mean())
    return BetOfTrades(p, payoff, kelly_bet(p, payoff))


def kelly_shrinkage_of_bet(p: float, b: float, trades: int) -> float:
    """The factor f² / (f² + ((b + 1)/b)²·p(1 − p)/n) on a Kelly bet whose p was estimated from n trades; 0 to 1.

    Source: Baker & McHale (2013), Optimal betting under parameter uncertainty, their approximate factor.
    """
    f = kelly_bet(p, b) if b > 0 else 0.0
    if f <= 0:
        return 0.0
    error = ((b + 1) / b) ** 2 * p * (1 - p) / trades
    return f**2 / (f**2 + error)


def kelly_continuous(mean: float, volatility: float, rate: float = 0.0) -> float:
    """The leverage (μ − r)/σ² that maximises growth; all in one unit of time.

    Source: Thorp (2006), section 7.

    Raises:
        InvalidNumber: a volatility that is not above zero, or anything that is not finite.
    """
    if not (np.isfinite([mean, volatility, rate]).all() and volatility > 0):
        raise InvalidNumber(f"Kelly: volatility {volatility} must be above zero, mean {mean} and rate {rate} finite")
    return (mean - rate) / volatility**2


def continuous_growth(f: float, mean: float, volatility: float, rate: float = 0.0) -> float:
    """Growth r + f(μ − r) − ½f²σ² at leverage `f`."""
    return rate + f * (mean - rate) - f**2 * volatility**2 / 2


def chance_of_falling_to(share: float, fraction: float) -> float:
    """Probability that wealth ever falls to `share` of its start at `fraction` of full Kelly, r = 0: x^(2/c − 1).

    Source: Thorp (2006), section 7; MacLean, Thorp & Ziemba (2010).

    Raises:
        InvalidNumber: `share` or `fraction` is not in (0, 1] and (0, 2).
    """
    if not (0 < share <= 1 and 0 < fraction < 2):
        raise InvalidNumber(f"a share {share} must lie in (0, 1], a fraction of Kelly {fraction} in (0, 2)")
    return float(share ** (2 / fraction - 1))


def kelly_portfolio(
    excess: Floats, covariance: Floats, *, caps: Floats | None = None, leverage: float = np.inf
) -> Floats:
    """Weights [N] that maximise F'(μ − r) − ½F'ΣF with 0 ≤ F ≤ caps and ΣF ≤ leverage.

    Without caps, leverage and short sales that would be wanted it is Σ⁻¹(μ − r). With them it is the optimum under
    the limits, which is not the free optimum scaled down.

    Args:
        excess: means less the rate [N]; covariance: [N, N], positive semi-definite; both per one unit of time.
        caps: largest weights [N].

    Source: Thorp (2006), section 8. Found by coordinate descent for each price of leverage, and bisection of the price.

    Raises:
        InvalidNumber: shapes do not fit, a number is not finite, a variance is not above zero, or weights without
            a bound.
    """
    size = len(excess)
    if covariance.shape != (size, size) or not size:
        raise InvalidNumber(f"a covariance of shape {covariance.shape} does not fit {size} means")
    if not (np.isfinite(excess).all() and np.isfinite(covariance).all() and (np.diag(covariance) > 0).all()):
        raise InvalidNumber("means and covariances must be finite, and every variance above zero")
    upper = np.full(size, np.inf) if caps is None else caps
    weights = _box_optimum(excess, covariance, upper, np.zeros(size))
    if weights.sum() <= leverage:
        return weights
    low, high = 0.0, float(excess.max())  # at a price of the best excess nobody borrows
    for _ in range(100):
        price = (low + high) / 2
        weights = _box_optimum(excess - price, covariance, upper, weights)
        low, high = (price, high) if weights.sum() > leverage else (low, price)
        if high - low <= _EXACT * high:
            break
    return _box_optimum(excess - high, covariance, upper, weights)


def kelly_shrinkage(excess: Floats, covariance: Floats, observations: int) -> float:
    """The factor θ²/(θ² + N/T) on Kelly's weights whose means were estimated from T returns; θ² = μ'Σ⁻¹μ; 0 to 1.

    It is the optimal two-fund rule when the means are the main error, with θ² as estimated.

    Source: Kan & Zhou (2007), Optimal portfolio choice with parameter uncertainty.
    """
    theta = float(excess @ np.linalg.lstsq(covariance, excess, rcond=None)[0])
    return theta / (theta + len(excess) / observations) if theta > 0 else 0.0


def optimal_f(profits: Sequence[float]) -> float:
    """The f in [0, 1] that maximises ∏(1 + f·profit/|largest loss|); 0 when the trades lost on balance.

    Source: Vince (1990), Portfolio Management Formulas.

    Raises:
        InvalidNumber: no losing trade, or a profit that is not finite.
    """
    trades = _finite(profits)
    worst = -float(trades.min())
    if worst <= 0:
        raise InvalidNumber("no losing trade yet, so the largest loss is not known")
    ratios = trades / worst
    if ratios.mean() <= 0:  # the slope of the logarithm at f = 0
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):  # the logarithm is concave: halve where its slope changes sign
        f = (low + high) / 2
        if float((ratios / (1 + f * ratios)).sum()) > 0:
            low = f
        else:
            high = f
    return low


def _box_optimum(excess: Floats, covariance: Floats, caps: Floats, start: Floats) -> Floats:
    weights = start.copy()
    product = covariance @ weights
    for _ in range(_SWEEPS):
        largest = 0.0
        for i in range(len(weights)):
            free = weights[i] + (excess[i] - product[i]) / covariance[i, i]
            change = min(max(free, 0.0), caps[i]) - weights[i]
            if change:
                product += change * covariance[i]
                weights[i] += change
                largest = max(largest, abs(change))
        if largest <= _EXACT * max(1.0, float(weights.max())):
            return weights
    raise InvalidNumber("Kelly's weights have no bound: the covariance is near singular; shrink it, or set caps")


def _finite(profits: Sequence[float]) -> Floats:
    trades = np.asarray(profits, dtype=np.float64)
    if not len(trades) or not np.isfinite(trades).all():
        raise InvalidNumber("profits of trades must be finite, and at least one is needed")
    return trades
