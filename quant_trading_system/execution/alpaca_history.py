"""Alpaca's bars as a price history that strategies and backtests read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.execution.alpaca_market import BarRow
from quant_trading_system.market.history import MICROS, Integers, PriceHistory
from quant_trading_system.market.sessions import NEW_YORK, Calendar
from quant_trading_system.market.time_axis import TimeAxis, daily_axis, intraday_axis, stamp_of

_ONE = Decimal(1)
_PRICES = ("open", "high", "low", "close")


def history_of(bars: Mapping[str, Sequence[BarRow]], calendar: Calendar, span: timedelta | None = None) -> PriceHistory:
    """The bars of several symbols side by side, each at its own time.

    Args:
        bars: by symbol, in any order.
        span: the length of intraday bars; None for daily ones.

    Raises:
        MarketDataError: there is no bar, two of one symbol begin together, a price is not above zero, bars
            overlap, or a daily bar falls on a day without a session.
    """
    starts = sorted({row.start for rows in bars.values() for row in rows})
    if not starts:
        raise MarketDataError("there is no bar to make a history of; ask for a longer span or another feed")
    symbols = tuple(symbol for symbol, rows in bars.items() if rows)
    place = {start: number for number, start in enumerate(starts)}
    columns = {name: np.zeros((len(starts), len(symbols)), dtype=np.int64) for name in (*_PRICES, "volume")}
    present = np.zeros((len(starts), len(symbols)), dtype=np.bool_)
    for column, symbol in enumerate(symbols):
        for row in bars[symbol]:
            number = place[row.start]
            if present[number, column]:
                raise MarketDataError(f"{symbol} has two bars that begin at {row.start.isoformat()}")
            present[number, column] = True
            _fill(columns, (number, column), symbol, row)
    return PriceHistory(
        symbols,
        _axis(starts, calendar, span),
        close_micros=columns["close"],
        present=present,
        open_micros=columns["open"],
        high_micros=columns["high"],
        low_micros=columns["low"],
        volume=columns["volume"],
    )


def _fill(columns: Mapping[str, Integers], cell: tuple[int, int], symbol: str, row: BarRow) -> None:
    for name in _PRICES:
        price: Decimal = getattr(row, name)
        if price <= 0:
            raise MarketDataError(f"{symbol} at {row.start.isoformat()}: {name} is {price}")
        columns[name][cell] = _micros(price)
    columns["volume"][cell] = int(row.volume)


def _micros(price: Decimal) -> int:
    """A millionth of a dollar is the finest step that a history keeps; adjusted prices are rounded to it."""
    return int((price * MICROS).quantize(_ONE, ROUND_HALF_EVEN))


def _axis(starts: list[datetime], calendar: Calendar, span: timedelta | None) -> TimeAxis:
    if span is None:
        dates = [start.astimezone(NEW_YORK).date() for start in starts]
        return daily_axis(np.array(dates, dtype="datetime64[D]"), calendar)
    return intraday_axis(np.array([stamp_of(start) for start in starts]), span, "start", calendar)
