"""Minute bars, or days, of made-up symbols, for runs that need many bars and no meaning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis

_FIRST, _LAST = date(2015, 1, 2), date(2025, 12, 31)
_MINUTE = timedelta(minutes=1)


def minute_bars(
    bars: int,
    symbols: tuple[str, ...] = ("AAA",),
    *,
    seed: int = 1,
    missing: float = 0.0,
    volatility: float = 0.0005,
    ends: Sequence[int] = (),
) -> PriceHistory:
    """`bars` minutes of the regular sessions from 2015 on; closes wander, and a bar begins where the last ended.

    Args:
        missing: share of bars that are left out, never the first.
        volatility: of a minute's return.
        ends: how many bars the first symbols have before their prices end.
    """
    random = np.random.default_rng(seed)
    calendar = TradingCalendar.nyse(_FIRST, _LAST)
    starts: list[np.ndarray] = []
    count = 0
    for session in calendar.sessions_between(_FIRST, _LAST):
        minutes = (session.close - session.open) // _MINUTE
        opened = np.datetime64(session.open.replace(tzinfo=None), "us")
        starts.append(opened + np.arange(minutes) * np.timedelta64(60_000_000, "us"))
        count += minutes
        if count >= bars:
            break
    stamps = np.concatenate(starts)[:bars]
    shape = (bars, len(symbols))
    walk = 100 * np.exp(np.cumsum(random.normal(0, volatility, shape), axis=0))
    close = np.rint(walk * 100).astype(np.int64) * 10_000
    opened_at = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opened_at, close) + 10_000, np.minimum(opened_at, close) - 10_000
    present = random.random(shape) >= missing
    present[0] = True
    for column, end in enumerate(ends):
        present[end:, column] = False
    axis = intraday_axis(stamps, _MINUTE, "start", calendar)
    volume = np.full(shape, 50_000, dtype=np.int64)
    return PriceHistory(symbols, axis, close, present, opened_at, high, low, volume)


def as_days(bars: PriceHistory) -> PriceHistory:
    """The same prices, a bar being a day."""
    calendar = TradingCalendar.nyse(_FIRST, _LAST)
    dates = [session.date for session in calendar.sessions_between(_FIRST, _LAST)][: len(bars)]
    axis = daily_axis(np.array(dates, dtype="datetime64[D]"), calendar)
    sides = (bars.open_micros, bars.high_micros, bars.low_micros)
    return PriceHistory(bars.symbols, axis, bars.close_micros, bars.present, *sides, bars.volume)
