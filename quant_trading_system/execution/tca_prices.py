"""What the market paid while a parent worked, from bars: the day's open and close, and its volume-weighted average."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.numbers import divide
from quant_trading_system.execution.tca import vwap
from quant_trading_system.market.history import Bar, PriceHistory
from quant_trading_system.market.time_axis import stamp_of

_TICK = timedelta(microseconds=1)
_THIRD = Decimal(3)
_DOLLARS, _SHARES = Decimal("1E-9"), Decimal("1E-6")


class MarketPrices(NamedTuple):
    """Dollars a share, None where the bars do not tell."""

    open: Decimal | None = None
    close: Decimal | None = None
    vwap: Decimal | None = None


def market_prices(history: PriceHistory, symbol: str, start: datetime, end: datetime) -> MarketPrices:
    """Open and close of the day on which `start` lies, and the average from `start` to `end` weighted by volume.

    A bar counts with its typical price (high + low + close) / 3, and with the part of its volume that lies within the
    span. Daily bars tell no average of a part of a day, bars without volumes none at all; a span of which some bar is
    missing has none either.

    Args:
        start, end: aware, UTC; when the parent began and ended.
    """
    if symbol not in history.symbols:
        return MarketPrices()
    axis = history.axis
    begins, stops = stamp_of(start), stamp_of(end)
    rows = np.flatnonzero((axis.starts < max(stops, begins + 1)) & (axis.ends > begins))
    if not len(rows):
        return MarketPrices()
    whole_day = np.flatnonzero(history.dates == history.dates[rows[0]])
    bars = [history.bar(symbol, int(row)) for row in whole_day] if history.has_ohlc else []
    day = [bar for bar in bars if bar is not None]
    opened = day[0].open if day else None
    return MarketPrices(
        opened, _last_close(history, symbol, whole_day), None if history.is_daily else _average(day, rows, start, end)
    )


def _last_close(history: PriceHistory, symbol: str, rows: NDArray[np.intp]) -> Decimal | None:
    closes = [history.close(symbol, int(row)) for row in rows]
    return next((close for close in reversed(closes) if close is not None), None)


def _average(day: list[Bar], rows: NDArray[np.intp], start: datetime, end: datetime) -> Decimal | None:
    inside = [bar for bar in day if bar.start < end and bar.end > start]
    if len(inside) < len(rows) or any(bar.volume is None for bar in inside):
        return None
    return vwap([_print(bar, start, end) for bar in inside])


def _print(bar: Bar, start: datetime, end: datetime) -> tuple[Decimal, Decimal]:
    """Typical price, and the shares within the span, in proportion to time."""
    part = Decimal((min(bar.end, end) - max(bar.start, start)) // _TICK)
    shares = divide(Decimal(bar.volume or 0) * part, Decimal((bar.end - bar.start) // _TICK), _SHARES)
    return divide(bar.high + bar.low + bar.close, _THIRD, _DOLLARS), shares
