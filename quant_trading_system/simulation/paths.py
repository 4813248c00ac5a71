"""How prices move inside a bar: paths through bars that agree with them exactly.

All prices are int64 micro-dollars, columns are symbols. Between the prices that the bar gives, a path is on
the tick; the bar's own prices appear in it as they are. Nothing looks ahead but for what a path must know to
end where the bar ends.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.scratch import row_blocks, scratch

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

OVERNIGHT_SHARE = 0.3
"""Share of a day's variance that falls between the close and the next open."""

_DOLLAR, _CENT, _SUB_PENNY = 1_000_000, 10_000, 100
_PARTS_OF_RETURN = 10_000_000
_LEAST_RETURNS = 5
_WHOLE = 1_000_000


def ticks(prices: Integers) -> Integers:
    """The price step at each price: a cent from one dollar up, a hundredth of a cent below."""
    return np.where(prices >= _DOLLAR, _CENT, _SUB_PENNY)


def previous_closes(closes: Integers, present: Flags) -> Integers:
    """The last close known before each bar; 0 where there was none. [T, N]."""
    previous: Integers = scratch(closes.shape, np.int64)
    latest = np.zeros(closes.shape[1], dtype=np.int64)
    for rows in row_blocks(*closes.shape):
        known = np.vstack([latest, np.where(present[rows], closes[rows], 0)])
        places = np.where(known > 0, np.arange(len(known))[:, np.newaxis], 0)
        carried = np.take_along_axis(known, np.maximum.accumulate(places, axis=0), axis=0)
        previous[rows], latest = carried[:-1], carried[-1]
    return previous


def squared_returns(closes: Integers, previous: Integers, present: Flags) -> Integers:
    """Squares of the returns close to close, in parts of 10^-14; -1 where there is none. [T, N].

    Integers, so that sums over a window do not depend on where the history begins.
    """
    known = present & (previous > 0)
    change = np.where(known, closes / np.maximum(previous, 1) - 1.0, 0.0)
    parts = np.rint(np.clip(change, -1.0, 1.0) * _PARTS_OF_RETURN).astype(np.int64)
    return np.where(known, parts * parts, -1)


def volatility(squares: Integers, default: float) -> Floats:
    """Standard deviation of a day's return from the squares of the days before; [N].

    Args:
        squares: rows of `squared_returns`, nothing of the day itself among them.
        default: for symbols with fewer than five returns.
    """
    return _deviation((squares >= 0).sum(axis=0), np.maximum(squares, 0).sum(axis=0), default)


def volatilities(squares: Integers, days: slice, window: int, default: float) -> Floats:
    """The `volatility` of each of some days, from the `window` days before it; [days, N].

    Args:
        squares: rows of `squared_returns`, of all days from the first on.
    """
    first = max(days.start - window, 0)
    known = squares[first : days.stop]
    counts, sums = (
        np.vstack([np.zeros((1, known.shape[1]), np.int64), np.cumsum(each, axis=0)])
        for each in (known >= 0, np.maximum(known, 0))
    )
    ends = np.arange(days.start, days.stop) - first
    begins = np.maximum(ends - window, 0)
    return _deviation(counts[ends] - counts[begins], sums[ends] - sums[begins], default)


def _deviation(counts: Integers, sums: Integers, default: float) -> Floats:
    measured: Floats = np.sqrt(sums / np.maximum(counts, 1)) / _PARTS_OF_RETURN
    return np.where(counts >= _LEAST_RETURNS, measured, default)


def through_closes(
    previous: Integers, close: Integers, sigma: Floats, noise: Floats, night: float = OVERNIGHT_SHARE
) -> Integers:
    """A path from the open to the close when only closes are known; [..., rows, N] from [..., N].

    The night and the session are one Brownian bridge from close to close, of which the session is shown. Its
    overnight part says nothing about the rest of the day. A symbol's very first day begins at its own close.

    Args:
        noise: standard normal deviates [..., rows, N]; the first row moves the night.
        night: share of the variance before the open; 0 where one session begins as the other ends.
    """
    rows = noise.shape[-2]
    times = night + (1 - night) * np.arange(rows) / (rows - 1)
    start = np.where(previous > 0, previous, close)
    path = _bridge(start, close, sigma, noise, times)
    path[..., -1, :] = close
    return path


def through_bars(
    opened: Integers, high: Integers, low: Integers, close: Integers, sigma: Floats, noise: Floats
) -> Integers:
    """A path from the open to the close that touches the high and the low and never leaves them.

    Args:
        noise: standard normal deviates [..., rows, N], at least four rows; the first is not used.

    Returns:
        Prices [..., rows, N] from those of bars [..., N].
    """
    rows = noise.shape[-2]
    path = _bridge(opened, close, sigma * np.sqrt(1 - OVERNIGHT_SHARE), noise, np.arange(rows) / (rows - 1))
    path[..., 0, :], path[..., -1, :] = opened, close
    inner = path[..., 1:-1, :]
    top = np.argmax(inner, axis=-2, keepdims=True)
    bottom = np.argmin(inner, axis=-2, keepdims=True)
    bottom = np.where(bottom == top, (top + 1) % (rows - 2), bottom)
    opened, high, low, close = (side[..., np.newaxis, :] for side in (opened, high, low, close))
    np.clip(path, low, high, out=path)
    for place, extreme, is_beyond in (
        (top, high, high > np.maximum(opened, close)),
        (bottom, low, low < np.minimum(opened, close)),
    ):
        there = np.take_along_axis(inner, place, axis=-2)
        np.put_along_axis(inner, place, np.where(is_beyond, extreme, there), axis=-2)
    return path


def four_points(opened: Integers, high: Integers, low: Integers, close: Integers) -> Integers:
    """Open, the extreme against the bar's direction, the other extreme, close; [..., 4, N] from [..., N]."""
    rises = close >= opened
    return np.stack([opened, np.where(rises, low, high), np.where(rises, high, low), close], axis=-2)


def quotes_around(last: Integers, spread: float | Floats) -> tuple[Integers, Integers]:
    """Bid and ask on the tick around the last trades, at least one tick apart and never below one tick.

    Args:
        spread: fraction of the price, one for all or one for each; rounded to whole ticks.
    """
    tick = ticks(last)
    width = np.maximum(np.rint(last * spread / tick).astype(np.int64), 1) * tick
    bid = np.maximum((2 * last - width + tick) // (2 * tick) * tick, tick)
    ask = bid + width
    in_cents: Integers = -(-ask // _CENT) * _CENT
    return bid, np.where((ask >= _DOLLAR) & (tick < _CENT), in_cents, ask)


def quoted_size(price: int) -> int:
    """Shares quoted at a price: one to nine hundred, for they have to be something."""
    return (price // 10_000 % 9 + 1) * 100


def displaced(
    last: Integers, bid: Integers, ask: Integers, share: float | Floats
) -> tuple[Integers, Integers, Integers]:
    """The prices after the market has moved by `share` of itself: on the tick, with the same spread, above zero."""
    tick = ticks(last)
    shift = np.rint(last * share / tick).astype(np.int64) * tick
    moved = np.where(last > 0, np.maximum(last + shift, _SUB_PENNY), last)
    moved = np.where(shift == 0, moved, moved // ticks(moved) * ticks(moved))
    below = np.maximum(bid + shift, _SUB_PENNY)
    above = np.maximum(ask + shift, below + ticks(below))
    to_the_tick = -(-above // ticks(above)) * ticks(above)
    return moved, below // ticks(below) * ticks(below), to_the_tick


def volume_profile(rows: int, at_open: float = 3.0, at_close: float = 3.0) -> Integers:
    """Parts of a million of a day's volume that fall to each step: much at both ends, little at noon.

    A parabola on either side of noon: a documented stand-in, not a measurement.

    Args:
        at_open, at_close: times as much as at noon.
    """
    place = 2.0 * np.arange(rows) / (rows - 1) - 1.0
    distance = place**2
    weights = 1.0 + np.where(place < 0, at_open - 1.0, at_close - 1.0) * distance
    parts: Integers = np.floor(weights * (_WHOLE / weights.sum())).astype(np.int64)
    parts[-1] += _WHOLE - parts.sum()
    return parts


def spread_volume(volume: Integers, profile: Integers) -> Integers:
    """A volume [..., N] over the steps of its bar: whole shares [..., rows, N]."""
    parts: Integers = volume[..., np.newaxis, :] * profile[:, np.newaxis] // _WHOLE
    return parts


def _bridge(start: Integers, end: Integers, sigma: Floats, noise: Floats, times: Floats) -> Integers:
    """Prices on the tick along a Brownian bridge from `start` at time 0 to `end` at time 1; [..., rows, N].

    Args:
        sigma: of the whole bridge, [..., N] as both ends; noise: [..., rows, N].
        times: rising, [rows]; the last one is 1.
    """
    steps, times = np.sqrt(np.diff(times, prepend=0.0))[:, np.newaxis], times[:, np.newaxis]
    motion = np.cumsum(noise * steps, axis=-2)
    drift = (end / np.maximum(start, 1) - 1.0)[..., np.newaxis, :]
    change = drift * times + sigma[..., np.newaxis, :] * (motion - times * motion[..., -1:, :])
    prices = np.maximum(np.rint(start[..., np.newaxis, :] * (1.0 + change)), _SUB_PENNY).astype(np.int64)
    tick = ticks(prices)
    rounded: Integers = (prices + tick // 2) // tick * tick
    return rounded
