"""Average daily volume and volatility of a symbol, from the bars that have ended."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np

from quant_trading_system.core.numbers import from_float
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME

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
    volume = _average(volumes[-days:].tolist())
    closes = closes[np.isfinite(closes)]
    volatility = None
    if len(closes) > _LEAST:
        volatility = from_float(float(np.std(closes[1:] / closes[:-1] - 1, ddof=1)), 6)
    return DailyNumbers(volume=volume, volatility=volatility)


def average_volume(history: HistoryView, symbol: str, days: int = DAYS) -> Decimal | None:
    """The volume of `daily_numbers` alone: shares a day, None where too little is known."""
    return _average(history.session_volumes(symbol, days)) if symbol in history.symbols else None


def _average(volumes: list[int]) -> Decimal | None:
    known = [volume for volume in volumes if volume != UNKNOWN_VOLUME]
    return Decimal(sum(known) // len(known)) if len(known) >= _LEAST and sum(known) > 0 else None
