"""Benchmarks from bars: open, close and the market's volume-weighted average while a parent worked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.execution.tca_prices import MarketPrices, market_prices
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis, intraday_axis

D = Decimal
CALENDAR = TradingCalendar.nyse(date(2024, 1, 2), date(2024, 1, 31))
OPEN = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bars(volumes: list[int], present: list[bool] | None = None) -> PriceHistory:
    """Hours of KO from the open on: the first trades from 60 to 63 and closes at 63, each next one a dollar higher."""
    stamps = np.array([np.datetime64("2024-01-08T14:30", "ns") + np.timedelta64(i, "h") for i in range(len(volumes))])
    axis = intraday_axis(stamps, HOUR, "start", CALENDAR)
    steps = np.arange(len(volumes), dtype=np.int64)[:, None] * 1_000_000
    column = np.array(volumes, dtype=np.int64)[:, None]
    known = np.ones_like(column, dtype=bool) if present is None else np.array(present)[:, None]
    prices = {"open_micros": steps + 60_000_000, "high_micros": steps + 63_000_000, "low_micros": steps + 60_000_000}
    return PriceHistory(("KO",), axis, steps + 63_000_000, known, volume=column, **prices)


def test_the_average_weighs_typical_prices_by_the_volume_within_the_span():
    """Half of the first hour at 62 and half of the second at 63: 500 × 62 and 1,500 × 63."""
    found = market_prices(bars([1000, 3000, 500]), "KO", OPEN + HOUR / 2, OPEN + 3 * HOUR / 2)
    assert found == MarketPrices(open=D(60), close=D(65), vwap=D("62.75"))


@pytest.mark.parametrize(
    ("history", "vwap"),
    [
        (bars([1000, UNKNOWN_VOLUME]), None),
        (bars([1000, 3000], [True, False]), None),
        (bars([0, 0]), None),
        (bars([0, 10]), D(63)),
    ],
)
def test_what_the_bars_do_not_tell_is_no_number(history, vwap):
    assert market_prices(history, "KO", OPEN, OPEN + 2 * HOUR).vwap == vwap


def test_daily_bars_tell_open_and_close_and_no_average():
    axis = daily_axis(np.array(["2024-01-08"], dtype="datetime64[D]"), CALENDAR)
    price = np.array([[60_000_000]])
    shape = {"open_micros": price, "high_micros": price + 2_000_000, "low_micros": price}
    history = PriceHistory(("KO",), axis, price + 1_000_000, price > 0, volume=price, **shape)
    assert market_prices(history, "KO", OPEN, OPEN + HOUR) == MarketPrices(open=D(60), close=D(61))
    closes = PriceHistory(("KO",), axis, price + 1_000_000, price > 0)
    assert market_prices(closes, "KO", OPEN, OPEN + HOUR) == MarketPrices(close=D(61))


def test_other_days_and_symbols_are_unknown():
    history = bars([1, 1])
    assert market_prices(history, "PEP", OPEN, OPEN + HOUR) == MarketPrices()
    assert market_prices(history, "KO", OPEN + 24 * HOUR, OPEN + 25 * HOUR) == MarketPrices()
    assert market_prices(history, "KO", OPEN, OPEN).open == 60
