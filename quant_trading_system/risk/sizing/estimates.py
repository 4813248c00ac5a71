"""Estimates from the past of one symbol: volatility and true range. Floats in, floats out; the callers own the border.

Only what is known at the decision is looked at, and a gap ends the past: what lies before it is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import InvalidNumber, MarketDataError
from quant_trading_system.core.signals import Signal
from quant_trading_system.risk.covariance.estimators import ewma_weights

if TYPE_CHECKING:
    from quant_trading_system.market.history_view import HistoryView
    from quant_trading_system.risk.sizing.request import Around

Floats = NDArray[np.float64]


def sample_volatility(returns: Floats, periods: int = 252) -> float:
    """Yearly standard deviation with divisor T − 1 of simple returns [T] of which a year has `periods`.

    Raises:
        InvalidNumber: fewer than two returns, or one that is not finite.
    """
    _require_finite(returns, 2)
    return float(np.sqrt(periods) * returns.std(ddof=1))


def ewma_volatility(returns: Floats, decay: float = 0.94, periods: int = 252) -> float:
    """Yearly volatility of returns [T], oldest first, around zero and with weights λⁱ / Σ λʲ, the newest heaviest.

    Source: RiskMetrics Technical Document (1996), eq. 5.23, with weights that add up to one, so that no seed is needed.

    Raises:
        InvalidNumber: no returns, or one that is not finite.
        EstimateError: a decay that is not between 0 and 1.
    """
    _require_finite(returns, 1)
    return float(np.sqrt(periods * (ewma_weights(len(returns), decay) @ returns**2)))


def average_true_range(ranges: Floats, window: int = 14) -> float:
    """Wilder's average of true ranges [T] in dollars: the mean of the first `window`, then (n − 1 of old + new) / n.

    Source: Wilder (1978), New Concepts in Technical Trading Systems.

    Raises:
        InvalidNumber: fewer than `window` ranges, or one that is not finite.
    """
    _require_finite(ranges, window)
    average = float(ranges[:window].mean())
    for true_range in ranges[window:]:
        average += (float(true_range) - average) / window
    return average


def returns_of(past: HistoryView | None, symbol: str, bars: int) -> Floats:
    """Up to `bars` latest simple returns of `symbol` without a gap, oldest first; empty when the latest is missing."""
    if past is None or symbol not in past.symbols:
        return np.empty(0)
    closes = since_gap(past.closes(symbol, bars + 1))
    return closes[1:] / closes[:-1] - 1 if len(closes) > 1 else np.empty(0)


def true_ranges_of(past: HistoryView | None, symbol: str, bars: int) -> Floats:
    """Up to `bars` latest true ranges of `symbol` in dollars; moves of closes where highs and lows are not known."""
    if past is None or symbol not in past.symbols or bars < 1:
        return np.empty(0)
    try:
        known = past.bars(symbol, bars + 1)
    except MarketDataError:
        return np.abs(np.diff(since_gap(past.closes(symbol, bars + 1))))
    high = np.array([float(bar.high) for bar in known])
    low = np.array([float(bar.low) for bar in known])
    before = np.array([float(bar.close) for bar in known])[:-1]
    ranges: Floats = np.maximum(high[1:], before) - np.minimum(low[1:], before)
    return ranges


def wanted_returns(around: Around, bars: int) -> tuple[list[Signal], Floats]:
    """The signals with a past, and the latest returns [T, N] that all of them have, in the direction that is wanted.

    The return of a short is that of its position: the sign is turned.
    """
    signals = [wanted.signal for wanted in around.wanted]
    rows = {signal.symbol: returns_of(around.past, signal.symbol, bars) for signal in signals}
    known = [signal for signal in signals if len(rows[signal.symbol])]
    common = min((len(rows[signal.symbol]) for signal in known), default=0)
    columns = [float(signal.direction.sign) * rows[signal.symbol][-common:] for signal in known]
    return known, np.column_stack(columns) if known else np.empty((0, 0))


def since_gap(values: Floats) -> Floats:
    """What follows the last value that is not finite or not above zero."""
    (gaps,) = np.nonzero(~(np.isfinite(values) & (values > 0)))
    return values[gaps[-1] + 1 :] if len(gaps) else values


def _require_finite(values: Floats, fewest: int) -> None:
    if len(values) < max(fewest, 1):
        raise InvalidNumber(f"{len(values)} observations are too few; {max(fewest, 1)} are needed")
    if not np.isfinite(values).all():
        raise InvalidNumber("an observation is not finite")
