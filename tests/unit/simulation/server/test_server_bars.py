"""Bars from ticks and from other bars."""

from datetime import date

import numpy as np
import pytest

from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.bars import (
    MINUTE_NS,
    Bars,
    Timeframe,
    calendar_bars,
    day_bar_of,
    intraday_bars,
    joined,
    midnight_ns,
    minute_bars,
    read_timeframe,
)
from quant_trading_system.simulation.alpaca_server.price_path import Ticks, no_ticks

MONDAY = date(2026, 1, 12)
OPEN = midnight_ns(MONDAY) + 570 * MINUTE_NS


def ticks(*rows):
    """Second after the open, price in dollars, shares."""
    at = [OPEN + second * 1_000_000_000 for second, _, _ in rows]
    last = [round(price * 1_000_000) for _, price, _ in rows]
    columns = (
        at,
        last,
        [price - 10_000 for price in last],
        [price + 10_000 for price in last],
        [size for *_, size in rows],
    )
    return Ticks(*(np.array(column, dtype=np.int64) for column in columns))


def rows_of(bars):
    """Minute, open, high, low, close, volume, trades."""
    prices = [(column / 1_000_000).tolist() for column in bars[1:5]]
    return list(
        zip(((bars.at - OPEN) // MINUTE_NS).tolist(), *prices, bars.volume.tolist(), bars.trades.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("text", "timeframe"),
    [
        ("1Min", (1, "Min")), ("59T", (59, "Min")), ("1Hour", (1, "Hour")), ("23H", (23, "Hour")), ("1D", (1, "Day")),
        ("1Week", (1, "Week")), ("12Month", (12, "Month")), ("3M", (3, "Month")),
    ],
)  # fmt: skip
def test_timeframes_are_read_in_both_spellings(text, timeframe):
    assert read_timeframe(text) == timeframe


@pytest.mark.parametrize(
    "text", ["", "Min", "0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "1min", "1Year", "-1Min"]
)
def test_timeframes_that_do_not_exist_are_refused(text):
    with pytest.raises(VenueRefusal, match="invalid timeframe") as caught:
        read_timeframe(text)
    assert (caught.value.http, caught.value.code) == (400, 40010001)


def test_a_minute_holds_what_was_traded_from_its_beginning_to_just_before_the_next():
    found = minute_bars(ticks((0, 10.0, 100), (30, 10.5, 50), (59, 9.5, 50), (60, 9.8, 10), (185, 9.9, 5)))
    assert rows_of(found) == [
        (0, 10.0, 10.5, 9.5, 9.5, 200, 3),
        (1, 9.8, 9.8, 9.8, 9.8, 10, 1),
        (3, 9.9, 9.9, 9.9, 9.9, 5, 1),
    ]
    assert found.vwap.tolist() == [10_000_000, 9_800_000, 9_900_000]


def test_quotes_without_a_trade_make_no_bar():
    assert rows_of(minute_bars(ticks((0, 10.0, 0), (60, 10.0, 100)))) == [(1, 10.0, 10.0, 10.0, 10.0, 100, 1)]
    assert rows_of(minute_bars(no_ticks())) == []


@pytest.mark.parametrize(
    ("timeframe", "starts"),
    [
        (Timeframe(1, "Min"), [0, 1, 4, 29, 30]),
        (Timeframe(5, "Min"), [0, 25, 30]),
        (Timeframe(1, "Hour"), [-30, 30]),
        (Timeframe(4, "Hour"), [-90]),
    ],
)
def test_longer_intraday_bars_are_counted_from_midnight(timeframe, starts):
    minutes = minute_bars(ticks(*((60 * minute, 10.0 + minute, 1) for minute in (0, 1, 4, 29, 30))))
    found = intraday_bars(minutes, MONDAY, timeframe)
    assert ((found.at - OPEN) // MINUTE_NS).tolist() == starts
    assert found.volume.sum() == 5
    assert found.close[-1] == 40_000_000


def days(*dates):
    """One bar a day, rising by a dollar."""
    return joined([day_bar_of(day, ticks((0, 10.0 + number, 100))) for number, day in enumerate(dates)])


@pytest.mark.parametrize(
    ("timeframe", "labels"),
    [
        (Timeframe(1, "Day"), ["2026-01-09", "2026-01-12", "2026-01-16", "2026-02-02", "2026-04-01"]),
        (Timeframe(1, "Week"), ["2026-01-05", "2026-01-12", "2026-02-02", "2026-03-30"]),
        (Timeframe(1, "Month"), ["2026-01-01", "2026-02-01", "2026-04-01"]),
        (Timeframe(3, "Month"), ["2026-01-01", "2026-04-01"]),
        (Timeframe(12, "Month"), ["2026-01-01"]),
    ],
)
def test_weeks_begin_on_monday_and_months_in_january(timeframe, labels):
    dates = [date(2026, 1, 9), date(2026, 1, 12), date(2026, 1, 16), date(2026, 2, 2), date(2026, 4, 1)]
    found = calendar_bars(days(*dates), dates, timeframe)
    assert found.at.tolist() == [midnight_ns(date.fromisoformat(label)) for label in labels]
    assert (found.open[0], found.close[-1], found.volume.sum()) == (10_000_000, 14_000_000, 500)


def test_the_bar_of_a_day_grows_with_its_trades():
    found = day_bar_of(MONDAY, ticks((0, 10.0, 100), (1, 11.0, 100), (2, 10.5, 0)))
    assert found == Bars(
        *(
            np.array([n])
            for n in (midnight_ns(MONDAY), 10_000_000, 11_000_000, 10_000_000, 11_000_000, 200, 2, 10_500_000)
        )
    )
    assert len(day_bar_of(MONDAY, no_ticks()).at) == 0


def test_midnight_in_new_york_follows_its_clocks():
    assert midnight_ns(date(2026, 1, 12)) == 1_768_194_000 * 10**9
    assert midnight_ns(date(2026, 7, 1)) == 1_782_878_400 * 10**9
