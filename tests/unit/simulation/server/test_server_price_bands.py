"""Limit-up limit-down bands: how wide they are, and when the stream tells them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from quant_trading_system.market.sessions import Session
from quant_trading_system.simulation.alpaca_server.live_market import ns_of
from quant_trading_system.simulation.alpaca_server.price_bands import price_band
from quant_trading_system.simulation.alpaca_server.price_path import Ticks, no_ticks
from tests.support.venue_front import CLOSE, OPEN, run, venue_front
from tests.unit.simulation.server.test_server_streams import hear, subscribed

SESSION = Session(date(2026, 1, 12), OPEN, CLOSE)
NOON = datetime(2026, 1, 12, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def ticks(*rows, size=100):
    """Moment and price in dollars."""
    at = [ns_of(moment) for moment, _ in rows]
    last = [round(price * 1_000_000) for _, price in rows]
    columns = at, last, last, last, [size] * len(rows)
    return Ticks(*(np.array(column, dtype=np.int64) for column in columns))


def dollars(band):
    return band.down / 1_000_000, band.up / 1_000_000


@pytest.mark.parametrize(
    ("price", "band"),
    [
        (100, (95, 105)), (3.01, (2.86, 3.16)), (3, (2.4, 3.6)), (0.75, (0.6, 0.9)),
        (0.5, (0.35, 0.65)), (0.1, (0.03, 0.18)), (0.01, (0.01, 0.02)),
    ],
)  # fmt: skip
def test_the_width_depends_on_the_price(price, band):
    assert dollars(price_band(ticks((NOON, price)), SESSION, ns_of(NOON))) == band


def test_the_reference_is_the_mean_of_the_last_five_minutes():
    trades = ticks((NOON - 5 * MINUTE, 50), (NOON - 4 * MINUTE, 100), (NOON, 102), (NOON + MINUTE, 500))
    assert dollars(price_band(trades, SESSION, ns_of(NOON))) == (95.95, 106.05)


@pytest.mark.parametrize(("before_the_close", "band"), [(26, (95, 105)), (25, (90, 110)), (1, (90, 110))])
def test_the_band_is_twice_as_wide_at_the_end_of_the_day(before_the_close, band):
    now = CLOSE - before_the_close * MINUTE
    assert dollars(price_band(ticks((now, 100)), SESSION, ns_of(now))) == band


@pytest.mark.parametrize("trades", [no_ticks(), ticks((NOON - 6 * MINUTE, 100)), ticks((NOON, 100), size=0)])
def test_without_trades_there_is_no_band(trades):
    assert price_band(trades, SESSION, ns_of(NOON)) is None


def test_bands_are_told_at_the_end_of_every_minute():
    async def story():
        async with venue_front() as venue:
            venue.pass_time(minutes=10)
            socket = await subscribed(venue, lulds=["SPY"])
            venue.pass_time(minutes=1)
            assert await hear(socket) == [
                {"T": "l", "S": "SPY", "u": 598.5, "d": 541.5, "i": "B", "t": "2026-01-12T14:41:00Z", "z": "B"}
            ]

    run(story)
