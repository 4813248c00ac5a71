"""Every price of one symbol on one day: the seeded path of the simulated market as columns.

A day is a function of history, seed and number of steps alone, so that the ticks of a stream, the minute bars
of a query and the quotes that orders meet are the same numbers, now and after a restart.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import Calendar, Session
from quant_trading_system.market.time_axis import stamp_of
from quant_trading_system.simulation import paths
from quant_trading_system.simulation.market import SimulatedMarket

Integers = NDArray[np.int64]

TICK_SECONDS = 1
"""Distance between two prices of a symbol, unless a number of steps per session is asked for."""
_KEPT_TICKS = 2_000_000
_FEWEST_KEPT_DAYS = 32
_FEWEST_ROWS = 4
_BEFORE_THE_END_US = 1
"""The last price of a session or bar comes one microsecond before its end, so that it belongs to it."""


class Ticks(NamedTuple):
    """Prices in the order of time; arrays of one length.

    Attributes:
        at: nanoseconds since 1970, UTC, rising.
        last, bid, ask: micro-dollars.
        size: shares that trade at this price; 0 where only the quote moves.
    """

    at: Integers
    last: Integers
    bid: Integers
    ask: Integers
    size: Integers

    def cut(self, rows: slice | NDArray[np.bool_]) -> Ticks:
        """Some of the ticks."""
        return Ticks(*(column[rows] for column in self))

    def until(self, moment_ns: int) -> Ticks:
        """The ticks up to and including a moment."""
        return self.cut(slice(0, int(np.searchsorted(self.at, moment_ns, "right"))))


def no_ticks() -> Ticks:
    """A day without prices."""
    empty = np.zeros(0, dtype=np.int64)
    return Ticks(empty, empty, empty, empty, empty)


def nanoseconds(stamp: np.datetime64) -> int:
    """A stamp as nanoseconds since 1970."""
    return int(stamp.astype("datetime64[ns]").astype(np.int64))


class PricePaths:
    """The paths of all symbols of a history.

    Attributes:
        symbols: in the order of the history.
    """

    def __init__(self, history: PriceHistory, calendar: Calendar, *, seed: int, steps: int | None = None) -> None:
        """Prepare the paths; days are computed when they are asked for.

        Args:
            steps: prices per session for daily bars, as of `SimulatedMarket`; a price per second without it.
        """
        self.symbols = history.symbols
        self._history = history
        self._calendar = calendar
        self._seed = seed
        self._steps = steps
        self._days = {day: bar for bar, day in enumerate(history.dates.tolist())} if history.is_daily else {}
        self._ticks = lru_cache(maxsize=max(_KEPT_TICKS // (steps or 23_400), _FEWEST_KEPT_DAYS))(self._made)
        self._markets: dict[tuple[str, int], _OneSymbol] = {}

    def has(self, day: date) -> bool:
        """The history has a bar on that day, of one symbol at least."""
        return day in self._days if self._history.is_daily else bool((self._history.dates == np.datetime64(day)).any())

    @property
    def last_day(self) -> date:
        """The last day with prices."""
        last: date = self._history.dates[-1].item()
        return last

    @property
    def first_day(self) -> date:
        """The first day with prices."""
        first: date = self._history.dates[0].item()
        return first

    @property
    def has_daily_ranges(self) -> bool:
        """Daily bars tell open, high, low and close of a day without its ticks."""
        return self._steps is None and self._history.is_daily and self._history.has_ohlc

    def daily(self, symbol: str, day: date) -> tuple[int, int, int, int, int] | None:
        """Open, high, low and close (micro-dollars) and volume of a day; None when there is no bar.

        Only where `has_daily_ranges`.
        """
        history, bar = self._history, self._days.get(day)
        column = history.column_of(symbol)
        if bar is None or not history.present.item(bar, column):
            return None
        assert history.open_micros is not None
        assert history.high_micros is not None
        assert history.low_micros is not None
        sides = (history.open_micros, history.high_micros, history.low_micros, history.close_micros)
        opened, high, low, close = (array.item(bar, column) for array in sides)
        return opened, high, low, close, self._market(symbol, _FEWEST_ROWS).volume_of(bar)

    def ticks(self, symbol: str, day: date) -> Ticks:
        """All prices of that day, also those that are still to come; none when there is no bar.

        Raises:
            MarketDataError: the symbol is not in the history.
        """
        return self._ticks(symbol, day)

    def _made(self, symbol: str, day: date) -> Ticks:
        session = self._calendar.session_on(day)
        if session is None or not self.has(day):
            return no_ticks()
        if not self._history.is_daily:
            return self._market(symbol, _FEWEST_ROWS).bars_on(day)
        rows = self._steps or int((session.close - session.open).total_seconds()) // TICK_SECONDS + 1
        return self._market(symbol, rows).session_of(self._days[day], session)

    def _market(self, symbol: str, rows: int) -> _OneSymbol:
        key = (symbol, rows)
        if key not in self._markets:
            history = self._history.select([symbol])
            self._markets[key] = _OneSymbol(history, self._calendar, seed=self._seed, steps_per_session=rows)
        return self._markets[key]


class _OneSymbol(SimulatedMarket):
    """The simulated market of one symbol, read a day at a time instead of a step at a time."""

    _squares: Integers | None = None

    def session_of(self, bar: int, session: Session) -> Ticks:
        """The path through a daily bar."""
        history = self._history
        if not history.present.item(bar, 0):
            return no_ticks()
        if self._squares is None:
            self._squares = paths.squared_returns(history.close_micros, self._previous, history.present)
        sigma = paths.volatility(self._squares[max(bar - self._window, 0) : bar], self._default_sigma)
        last = self._daily_path(bar, sigma)[0, :, 0]
        volume = self._volume_of(slice(bar, bar + 1))
        size = paths.spread_volume(volume, paths.volume_profile(self._rows))[0, :, 0]
        size[-1] += volume.item(0, 0) - size.sum()  # what whole shares left over trades in the closing auction
        bid, ask = paths.quotes_around(last, self._spread)
        return Ticks(_even_times(session.open, session.close - session.open, self._rows), last, bid, ask, size)

    def volume_of(self, bar: int) -> int:
        """Shares that trade in a bar."""
        return self._volume_of(slice(bar, bar + 1)).item(0, 0)

    def bars_on(self, day: date) -> Ticks:
        """The points of every intraday bar of a day."""
        history = self._history
        (chosen,) = np.nonzero((history.dates == np.datetime64(day)) & history.present[:, 0])
        if not len(chosen):
            return no_ticks()
        bars = slice(int(chosen[0]), int(chosen[-1]) + 1)
        inside = chosen - bars.start
        last = self._carried(self._intraday_paths(bars), bars)[inside, :, 0]
        rows = last.shape[1]
        profile = np.full(rows, 1_000_000 // rows)
        size = paths.spread_volume(self._volume_of(bars), profile)[inside, :, 0]
        starts, ends = history.axis.starts[chosen], history.axis.ends[chosen]
        at = starts[:, np.newaxis] + (ends - starts)[:, np.newaxis] * np.arange(rows) // (rows - 1)
        at[:, -1] -= np.timedelta64(_BEFORE_THE_END_US, "us")
        bid, ask = paths.quotes_around(last, self._spread)
        times = at.astype("datetime64[ns]").astype(np.int64)
        return Ticks(times.ravel(), last.ravel(), bid.ravel(), ask.ravel(), size.ravel())


def _even_times(opened: datetime, length: timedelta, rows: int) -> Integers:
    """Evenly spaced moments in nanoseconds, rounded to microseconds as `timedelta` rounds: half to even."""
    total, last_row = length // timedelta(microseconds=1), rows - 1
    whole, rest = np.divmod(np.arange(rows, dtype=np.int64) * total, last_row)
    whole += (2 * rest > last_row) | ((2 * rest == last_row) & (whole % 2 == 1))
    whole[-1] -= _BEFORE_THE_END_US
    return nanoseconds(stamp_of(opened)) + whole * 1000
