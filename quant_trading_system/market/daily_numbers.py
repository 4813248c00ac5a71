"""Average daily volume and volatility of a symbol, from the bars that have ended."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np

from quant_trading_system.core.numbers import from_float
from quant_trading_system.market.history import UNKNOWN_VOLUME
from quant_trading_system.market.history_view import HistoryView

DAYS = 20
"""Sessions that are looked back on."""
_LEAST = 5


class DailyNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """What a usual day is like; None where too little is known.

    Attributes:
        volume: average shares a day.
        volatility: standard deviation of a day's return.
    """

    volume: Decimal | None = None
    volatility: Decimal | None = None


def daily_numbers(history: HistoryView, symbol: str, days: int = DAYS) -> DailyNumbers:
    """The averages over the last `days` sessions, the one of the current bar included.

    At least five sessions must be known. A session without a volume does not count.
    """
    if symbol not in history.symbols:
        return DailyNumbers()
    volumes, closes = history.by_session(symbol, days + 1)
    known = volumes[-days:][volumes[-days:] != UNKNOWN_VOLUME]
    volume = None
    if len(known) >= _LEAST and known.sum() > 0:
        volume = Decimal(int(known.sum()) // len(known))
    closes = closes[np.isfinite(closes)]
    volatility = None
    if len(closes) > _LEAST:
        volatility = from_float(float(np.std(closes[1:] / closes[:-1] - 1, ddof=1)), 6)
    return DailyNumbers(volume=volume, volatility=volatility)
