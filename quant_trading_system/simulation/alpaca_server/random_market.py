"""A market out of thin air: daily bars of a seeded random walk that passes through a given price now.

The walk of a symbol depends on the seed and the symbol alone; it is scaled so that its price at the given
moment is the one asked for. Everything finer than a day is made from these bars by `price_path`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.market.time_axis import daily_axis, stamp_of
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths, nanoseconds
from quant_trading_system.simulation.noise import keys, normals

FIRST_DAY = date(2024, 1, 2)
"""Where the history of a random market begins."""
DAILY_VOLATILITY = 0.012
DOLLARS_A_DAY = 2_000_000_000

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_NIGHT = paths.OVERNIGHT_SHARE
_REACH = 0.4
"""How far high and low lie beyond open and close, in daily volatilities for a deviate of one."""
_ROWS = 4
"""Deviates a day: the return, the night, and the distances of high and low."""


def random_history(
    prices: Mapping[str, Decimal], calendar: Calendar, *, now: datetime, last_day: date, seed: int
) -> PriceHistory:
    """Daily bars of every session from 2024 to `last_day` that lead to `prices` at the moment `now`.

    Args:
        prices: dollars a share by symbol.
        now: aware; a moment of a session, or between two.
    """
    sessions = [session.date for session in calendar.sessions_between(FIRST_DAY, last_day)]
    wanted = np.array([int(price * MICROS) for price in prices.values()], dtype=np.int64)
    symbols = tuple(prices)
    first_guess = _bars(symbols, sessions, calendar, now, wanted.astype(np.float64), seed)
    seen = _prices_at(first_guess, calendar, now, seed)
    return _bars(symbols, sessions, calendar, now, wanted * (wanted / seen), seed)


def with_ranges(history: PriceHistory, seed: int) -> PriceHistory:
    """Daily closes with seeded opens, highs and lows around them; other histories as they are.

    The night takes its usual share of each day's move, and the range grows with the stock's own volatility.
    """
    if history.has_ohlc or not history.is_daily:
        return history
    close = history.close_micros
    previous = paths.previous_closes(close, history.present)
    before = np.where(previous > 0, previous, close)
    squares = paths.squared_returns(close, previous, history.present)
    sigma = np.sqrt(np.maximum(squares, 0).mean(axis=0)) / 10_000_000
    noise = _noise(seed, history.symbols, history.dates.astype(np.int64))
    opened, high, low = _ranges(before, close, np.maximum(sigma, 0.002), noise)
    return PriceHistory(history.symbols, history.axis, close, history.present, opened, high, low, history.volume)


def _bars(
    symbols: tuple[str, ...], sessions: Sequence[date], calendar: Calendar, now: datetime, level: Floats, seed: int
) -> PriceHistory:
    dates = np.array(sessions, dtype="datetime64[D]")
    noise = _noise(seed, symbols, dates.astype(np.int64))
    growth = np.cumsum(np.log1p(DAILY_VOLATILITY * noise[:, 0]), axis=0)
    today = int(np.searchsorted(dates, np.datetime64(calendar.trade_date(now))))
    anchor = growth[max(today - 1, 0)]
    close = _on_tick(level * np.exp(growth - anchor))
    before = np.vstack([close[:1], close[:-1]])
    opened, high, low = _ranges(before, close, np.full(len(symbols), DAILY_VOLATILITY), noise)
    busy = np.exp(0.3 * noise[:, 3])
    volume = (DOLLARS_A_DAY * float(MICROS) / close * busy).astype(np.int64)
    present = np.ones(close.shape, dtype=np.bool_)
    return PriceHistory(symbols, daily_axis(dates, calendar), close, present, opened, high, low, volume)


def _ranges(before: Integers, close: Integers, sigma: Floats, noise: Floats) -> tuple[Integers, Integers, Integers]:
    """Open, high and low of days that go from `before` to `close`; [T, N]."""
    night = _NIGHT * (close / before - 1.0) + sigma * np.sqrt(_NIGHT * (1 - _NIGHT)) * noise[:, 1] / 2
    opened = _on_tick(before * (1.0 + night))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    high = np.maximum(_on_tick(top * (1.0 + _REACH * sigma * np.abs(noise[:, 2]))), top)
    low = np.minimum(_on_tick(bottom * (1.0 - _REACH * sigma * np.abs(noise[:, 3]))), bottom)
    return opened, high, low


def _prices_at(history: PriceHistory, calendar: Calendar, now: datetime, seed: int) -> Floats:
    """The last price of every symbol at `now`, micro-dollars."""
    found = PricePaths(history, calendar, seed=seed)
    day = calendar.trade_date(now)
    moment = nanoseconds(stamp_of(now))
    known = [found.ticks(symbol, day).until(moment).last for symbol in history.symbols]
    yesterday = history.close_micros[max(int(np.searchsorted(history.dates, np.datetime64(day))) - 1, 0)]
    return np.array([last[-1] if len(last) else old for last, old in zip(known, yesterday, strict=True)], np.float64)


def _noise(seed: int, symbols: tuple[str, ...], days: Integers) -> Floats:
    """Standard normal deviates [T, 4, N] that depend on seed, symbol and date alone."""
    names = keys(seed, tuple(f"daily/{symbol}" for symbol in symbols))
    return np.stack([normals(names, int(day), _ROWS) for day in days])


def _on_tick(prices: Floats) -> Integers:
    micros = np.maximum(np.rint(prices), 100).astype(np.int64)
    tick = paths.ticks(micros)
    rounded: Integers = (micros + tick // 2) // tick * tick
    return np.maximum(rounded, tick)
