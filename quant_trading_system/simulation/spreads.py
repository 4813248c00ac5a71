"""How wide the quote stands: wider at the opening, and with the volatility of the last minutes.

Widths are fractions of the price in floats, which `paths.quotes_around` rounds to ticks. What comes later in the
day, or in later bars, is never looked at.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.simulation.paths import OVERNIGHT_SHARE
from quant_trading_system.simulation.realism import SpreadModel

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_USUAL_SPANS = 20
"""Spans of bars whose volatility counts as usual."""


def of_day(model: SpreadModel, usual: float, last: Integers, sigma: Floats, length: timedelta) -> Floats:
    """Widths along the evenly spaced prices of one session; [rows, N].

    Args:
        usual: width in quiet hours.
        last: micro-dollars [rows, N]; `sigma`: standard deviation of a day's return [N].
        length: of the session.
    """
    rows = len(last)
    expected = sigma**2 * (1.0 - OVERNIGHT_SHARE) / (rows - 1)
    moves = np.zeros(last.shape)
    moves[1:] = (np.diff(last, axis=0) / np.maximum(last[:-1], 1)) ** 2
    steps = max(round(model.span / (length / (rows - 1))), 1)
    total = np.vstack([np.zeros((1, last.shape[1])), np.cumsum(moves, axis=0)])
    begin = np.maximum(np.arange(rows) - steps, 0)
    quiet = np.maximum(steps - np.arange(rows), 0)[:, np.newaxis] * expected
    seen = total[1:] - total[begin + 1] + quiet
    ratio = np.sqrt(np.maximum(seen, 0.0) / np.where(expected > 0, steps * expected, 1.0))
    elapsed: Floats = np.arange(rows, dtype=np.float64) * (length / (rows - 1)).total_seconds()
    return usual * opening(model, elapsed)[:, np.newaxis] * following(model, np.where(expected > 0, ratio, 1.0))


def opening(model: SpreadModel, elapsed: Floats) -> Floats:
    """The factor of the opening; `elapsed` in seconds since then, infinite outside of a session."""
    factor: Floats = 1.0 + float(model.at_open - 1) * np.exp2(-elapsed / model.half_life.total_seconds())
    return factor


def following(model: SpreadModel, ratio: Floats) -> Floats:
    """The factor of the volatility; `ratio` of the recent to the usual one."""
    return 1.0 + float(model.with_volatility) * (ratio - 1.0)


def ratio_of_bars(squares: Integers, span: int) -> Floats:
    """The recent over the usual volatility before each bar; [T, N].

    Args:
        squares: of the returns of all bars, -1 where there is none (`paths.squared_returns`).
        span: bars that count as recent; twenty times as many count as usual, and without them the ratio is 1.
    """
    known = np.vstack([np.zeros((1, squares.shape[1]), np.int64), np.cumsum(squares >= 0, axis=0)])
    sums = np.vstack([np.zeros((1, squares.shape[1]), np.int64), np.cumsum(np.maximum(squares, 0), axis=0)])
    recent, usual = _means(sums, known, span), _means(sums, known, span * _USUAL_SPANS)
    return np.where(
        (recent >= 0) & (usual > 0), np.sqrt(np.maximum(recent, 0.0) / np.where(usual > 0, usual, 1.0)), 1.0
    )


def _means(sums: Integers, known: Integers, bars: int) -> Floats:
    """Mean squares of the `bars` bars before each; -1 where none is known. Integers wrap and still subtract well."""
    rows = np.arange(len(sums) - 1)
    begin = np.maximum(rows - bars, 0)
    counts = known[rows] - known[begin]
    means: Floats = np.where(counts > 0, (sums[rows] - sums[begin]) / np.maximum(counts, 1), -1.0)
    return means
