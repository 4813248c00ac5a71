"""Bars from ticks, and longer bars from shorter ones: pure arithmetic on columns."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal
from quant_trading_system.simulation.alpaca_server.price_path import DaySummary, Ticks, summary_of

Integers = NDArray[np.int64]

MINUTE_NS = 60_000_000_000
_TIMEFRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
_ALLOWED = {
    "Min": range(1, 60),
    "Hour": range(1, 24),
    "Day": range(1, 2),
    "Week": range(1, 2),
    "Month": (1, 2, 3, 4, 6, 12),
}


class Bars(NamedTuple):
    """Bars in the order of time; arrays of one length.

    Attributes:
        at: nanoseconds since 1970 of their beginning.
        open, high, low, close, vwap: micro-dollars.
        volume: shares; `trades`: how many there were.
    """

    at: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers
    trades: Integers
    vwap: Integers

    def cut(self, rows: slice | NDArray[np.bool_]) -> Bars:
        """Some of the bars."""
        return Bars(*(column[rows] for column in self))


class Timeframe(NamedTuple):
    """How long a bar lasts: `amount` times ``Min``, ``Hour``, ``Day``, ``Week`` or ``Month``."""

    amount: int
    unit: str

    @property
    def is_intraday(self) -> bool:
        """Made from minutes; longer ones are made from days."""
        return self.unit in ("Min", "Hour")

    @property
    def minutes(self) -> int:
        """Length of an intraday bar."""
        return self.amount * (60 if self.unit == "Hour" else 1)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


def read_timeframe(text: str) -> Timeframe:
    """Read ``1Min``, ``15T``, ``1Hour``, ``1Day``, ``1Week``, ``3Month``.

    Raises:
        VenueRefusal: there is no such timeframe.
    """
    found = _TIMEFRAME.fullmatch(text)
    if found:
        amount, unit = int(found[1]), _UNITS.get(found[2], found[2])
        if amount in _ALLOWED[unit]:
            return Timeframe(amount, unit)
    raise VenueRefusal(MALFORMED, 400, f"invalid timeframe: {text}")


def no_bars() -> Bars:
    """Nothing has traded."""
    return Bars(*(np.zeros(0, dtype=np.int64) for _ in Bars._fields))


def joined(parts: list[Bars]) -> Bars:
    """Several stretches of bars, one after the other."""
    return Bars(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else no_bars()


def minute_bars(ticks: Ticks) -> Bars:
    """One bar for every minute in which something has traded."""
    traded = ticks.cut(ticks.size > 0)
    if not len(traded.at):
        return no_bars()
    minutes = traded.at // MINUTE_NS
    first, count = _groups(minutes)
    volume = np.add.reduceat(traded.size, first)
    return Bars(
        minutes[first] * MINUTE_NS,
        traded.last[first],
        np.maximum.reduceat(traded.last, first),
        np.minimum.reduceat(traded.last, first),
        traded.last[first + count - 1],
        volume,
        count,
        np.add.reduceat(traded.last * traded.size, first) // volume,
    )


def intraday_bars(minutes: Bars, day: date, timeframe: Timeframe) -> Bars:
    """Bars of several minutes each, counted from New York midnight of their day."""
    if timeframe.minutes == 1 or not len(minutes.at):
        return minutes
    midnight = midnight_ns(day)
    span = timeframe.minutes * MINUTE_NS
    return merged(minutes, midnight + (minutes.at - midnight) // span * span)


def calendar_bars(days: Bars, dates: list[date], timeframe: Timeframe) -> Bars:
    """Bars of a day, a week from Monday, or some months from January, from those of the days."""
    if timeframe.unit == "Day" or not dates:
        return days
    starts = [_first_of_week(day) if timeframe.unit == "Week" else _first_of_months(day, timeframe) for day in dates]
    return merged(days, np.array([midnight_ns(day) for day in starts], dtype=np.int64))


def merged(bars: Bars, starts: Integers) -> Bars:
    """Neighbouring bars with the same new start become one."""
    first, count = _groups(starts)
    volume = np.add.reduceat(bars.volume, first)
    worth = np.add.reduceat(bars.vwap.astype(np.float64) * bars.volume, first)
    return Bars(
        starts[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[first + count - 1],
        volume,
        np.add.reduceat(bars.trades, first),
        np.rint(worth / np.maximum(volume, 1)).astype(np.int64),
    )


def day_bar(day: date, whole: DaySummary) -> Bars:
    """The bar of a day; its volume-weighted price is taken to be the mean of its four prices."""
    opened, high, low, close, volume, prices = whole
    numbers = (midnight_ns(day), opened, high, low, close, volume, prices, (opened + high + low + close) // 4)
    return Bars(*(np.array([number], dtype=np.int64) for number in numbers))


def day_bar_of(day: date, ticks: Ticks) -> Bars:
    """The bar of a day so far, from its ticks."""
    whole = summary_of(ticks)
    return no_bars() if whole is None else day_bar(day, whole)


def midnight_ns(day: date) -> int:
    """New York midnight as nanoseconds since 1970."""
    return int(datetime.combine(day, time(), NEW_YORK).timestamp()) * 1_000_000_000


def _groups(keys: Integers) -> tuple[Integers, Integers]:
    """Where runs of equal keys begin, and how long they are."""
    first = np.concatenate([[0], np.flatnonzero(np.diff(keys)) + 1])
    return first, np.diff(np.append(first, len(keys)))


def _first_of_week(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _first_of_months(day: date, timeframe: Timeframe) -> date:
    return date(day.year, (day.month - 1) // timeframe.amount * timeframe.amount + 1, 1)
