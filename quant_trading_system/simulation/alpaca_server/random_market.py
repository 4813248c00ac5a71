"""A market out of thin air: daily closes of a seeded random walk that passes through a given price now.

The walk of a symbol depends on the seed and the symbol alone; it is scaled so that its price at the given
moment is the one asked for. Everything finer than a day is made from these closes by `price_path`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.market.time_axis import daily_axis, stamp_of
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.alpaca_server.price_path import PricePaths, nanoseconds
from quant_trading_system.simulation.noise import keys, normals_of

FIRST_DAY = date(2024, 1, 2)
"""Where the history of a random market begins."""
DAILY_VOLATILITY = 0.012
DOLLARS_A_DAY = 20_000_000_000

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_BUSY = 0.3
"""How much the volume differs from day to day."""
_ROWS = 2
"""Deviates a day: the return, and the volume."""


def random_history(
    prices: Mapping[str, Decimal], calendar: Calendar, *, now: datetime, last_day: date, seed: int
) -> PriceHistory:
    """Daily closes of every session from 2024 to `last_day` that lead to `prices` at the moment `now`.

    Args:
        prices: dollars a share by symbol.
        now: aware; a moment of a session, or between two.
    """
    sessions = [session.date for session in calendar.sessions_between(FIRST_DAY, last_day)]
    wanted = np.array([int(price * MICROS) for price in prices.values()], dtype=np.int64)
    symbols = tuple(prices)
    dates = np.array(sessions, dtype="datetime64[D]")
    noise = _noise(seed, symbols, dates.astype(np.int64))
    yesterday = max(int(np.searchsorted(dates, np.datetime64(calendar.trade_date(now)))) - 1, 0)

    def history(level: Floats) -> PriceHistory:
        close, volume = _walk(noise, level, yesterday)
        return PriceHistory(symbols, daily_axis(dates, calendar), close, np.ones(close.shape, np.bool_), volume=volume)

    seen = _prices_at(history(wanted.astype(np.float64)), calendar, now, seed)
    return history(wanted * (wanted / seen))


def _walk(noise: Floats, level: Floats, anchor: int) -> tuple[Integers, Integers]:
    """Closes and volumes [T, N] of a random walk that is at `level` on day `anchor`."""
    growth = np.cumsum(np.log1p(DAILY_VOLATILITY * noise[:, 0]), axis=0)
    close = _on_tick(level * np.exp(growth - growth[anchor]))
    volume = DOLLARS_A_DAY * float(MICROS) / close * np.exp(_BUSY * noise[:, 1])
    return close, volume.astype(np.int64)


def _prices_at(history: PriceHistory, calendar: Calendar, now: datetime, seed: int) -> Floats:
    """The last price of every symbol at `now`, micro-dollars."""
    found = PricePaths(history, calendar, seed=seed)
    day = calendar.trade_date(now)
    moment = nanoseconds(stamp_of(now))
    known = [found.ticks(symbol, day).until(moment).last for symbol in history.symbols]
    yesterday = history.close_micros[max(int(np.searchsorted(history.dates, np.datetime64(day))) - 1, 0)]
    return np.array([last[-1] if len(last) else old for last, old in zip(known, yesterday, strict=True)], np.float64)


def _noise(seed: int, symbols: tuple[str, ...], days: Integers) -> Floats:
    """Standard normal deviates [T, 2, N] that depend on seed, symbol and date alone."""
    names = keys(seed, tuple(f"daily/{symbol}" for symbol in symbols))
    return normals_of(names, days, _ROWS)


def _on_tick(prices: Floats) -> Integers:
    micros = np.maximum(np.rint(prices), 100).astype(np.int64)
    tick = paths.ticks(micros)
    rounded: Integers = (micros + tick // 2) // tick * tick
    return np.maximum(rounded, tick)
