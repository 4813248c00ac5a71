"""Every price of one symbol on one day, as columns.

The simulated market gives the prices of a day at some steps; between two steps the price wanders from second to
second, never beyond what the steps reach. A day is a function of history and seed alone, so that the ticks of a
stream, the minute bars of a query and the quotes that orders meet are the same numbers, now and after a restart.
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
from quant_trading_system.simulation.blocks import SessionTimes
from quant_trading_system.simulation.noise import keys, normals
from quant_trading_system.simulation.price_rows import PriceRows
from quant_trading_system.simulation.realism import PLAIN, Realism

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

COARSE_STEPS = 79
"""Prices of a session that the simulated market gives: one in five minutes of an ordinary day."""
_KEPT_TICKS = 2_000_000
_KEPT_SUMMARIES = 200_000
_KEPT_TIMES = 64
_SECONDS_IN_SESSION = 23_400
_BEFORE_THE_END_US = 1
"""The last price of a session or bar comes one microsecond before its end, so that it belongs to it."""
_CONTINUOUS_SHARE = 0.9
"""Share of a day's volume outside of the closing auction, and how much trades differ in size."""
_SIZE_SPREAD = 0.4


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


class DaySummary(NamedTuple):
    """What a whole day comes to: prices in micro-dollars, volume in shares, and how many prices there are."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    prices: int


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

    def __init__(
        self,
        history: PriceHistory,
        calendar: Calendar,
        *,
        seed: int,
        steps: int | None = None,
        realism: Realism = PLAIN,
    ) -> None:
        """Prepare the paths; days are computed when they are asked for.

        Args:
            steps: prices per session for daily bars, exactly those of `SimulatedMarket`; a price per second
                without it.
            realism: how spread and volume go through the day.
        """
        self.symbols = history.symbols
        self._history = history
        self._calendar = calendar
        self._seed = seed
        self._steps = steps
        self._realism = realism
        self._days = {day: bar for bar, day in enumerate(history.dates.tolist())}
        session = calendar.session_on(self.last_day)
        further = _KEPT_TICKS // (steps or (_SECONDS_IN_SESSION if session is None else _seconds(session)))
        self._ticks = lru_cache(maxsize=len(self.symbols) + further)(self._made)  # today of all, which the market holds
        self._summaries = lru_cache(maxsize=_KEPT_SUMMARIES)(self._summed)
        self._markets: dict[str, _OneSymbol] = {}

    @property
    def first_day(self) -> date:
        """The first day with prices."""
        first: date = self._history.dates[0].item()
        return first

    @property
    def last_day(self) -> date:
        """The last day with prices."""
        last: date = self._history.dates[-1].item()
        return last

    def ticks(self, symbol: str, day: date) -> Ticks:
        """All prices of that day, also those that are still to come; none when there is no bar.

        Raises:
            MarketDataError: the symbol is not in the history.
        """
        return self._ticks(symbol, day)

    def summary(self, symbol: str, day: date) -> DaySummary | None:
        """What a day comes to, without its ticks where daily bars tell it; None when there is no bar."""
        return self._summaries(symbol, day)

    def _summed(self, symbol: str, day: date) -> DaySummary | None:
        session = self._calendar.session_on(day)
        if session is None or day not in self._days:
            return None
        if not self._history.is_daily:
            return summary_of(self.ticks(symbol, day))
        market = self._market(symbol)
        steps = market.steps_of(self._days[day])
        prices = len(steps) if self._steps else _seconds(session) + 1
        return _summary(steps, market.shares_of(self._days[day]), prices) if len(steps) else None

    def _made(self, symbol: str, day: date) -> Ticks:
        session = self._calendar.session_on(day)
        if session is None or day not in self._days:
            return no_ticks()
        market = self._market(symbol)
        if not self._history.is_daily:
            return market.bars_on(day)
        bar = self._days[day]
        steps = market.steps_of(bar)
        if not len(steps):
            return no_ticks()
        if self._steps:
            return market.ticks_at(bar, steps, session, market.step_sizes(bar))
        noise = normals(keys(self._seed, (f"ticks/{symbol}",)), day.toordinal(), _seconds(session) + 1)[:, 0]
        last = refined(steps, market.sigma_of(bar), noise)
        return market.ticks_at(bar, last, session, trade_sizes(market.shares_of(bar), noise, *market.curve))

    def _market(self, symbol: str) -> _OneSymbol:
        if symbol not in self._markets:
            history = self._history.select([symbol])
            rows = self._steps or COARSE_STEPS
            self._markets[symbol] = _OneSymbol(
                history, self._calendar, seed=self._seed, steps_per_session=rows, realism=self._realism
            )
        return self._markets[symbol]


def refined(steps: Integers, sigma: float, noise: Floats) -> Integers:
    """Prices on the tick that pass through `steps` and wander in between, within what the steps reach.

    Args:
        steps: micro-dollars, evenly spaced over the session.
        sigma: of a day's return.
        noise: standard normal deviates, one for each price.
    """
    rows = len(noise)
    places = np.arange(rows)
    anchors = np.rint(np.linspace(0, rows - 1, len(steps))).astype(np.int64)
    scale = sigma * np.sqrt((1.0 - paths.OVERNIGHT_SHARE) / (rows - 1))
    motion = np.cumsum(noise) * scale
    away = motion - np.interp(places, anchors, motion[anchors])
    wanted = np.interp(places, anchors, steps) * (1.0 + away)
    prices = np.clip(np.rint(wanted), steps.min(), steps.max()).astype(np.int64)
    tick = paths.ticks(prices)
    rounded: Integers = np.clip((prices + tick // 2) // tick * tick, steps.min(), steps.max())
    rounded[anchors] = steps
    return rounded


def trade_sizes(volume: int, noise: Floats, *curve: float) -> Integers:
    """Shares of each trade of a day, much at both ends and little at noon; the closing auction takes the rest.

    Args:
        volume: shares of the day; `noise`: makes the trades differ.
        curve: as `paths.volume_profile` takes it.
    """
    rows = len(noise)
    profile = paths.volume_profile(rows, *curve).astype(np.float64) / 1_000_000
    different = np.clip(1.0 + _SIZE_SPREAD * noise, 0.1, None)
    sizes = np.floor(volume * _CONTINUOUS_SHARE * profile * different).astype(np.int64)
    sizes[-1] = max(volume - int(sizes[:-1].sum()), 0)
    return sizes


class _OneSymbol(PriceRows):
    """The prices of one symbol, read a day at a time instead of a step at a time."""

    _squares: Integers | None = None

    def steps_of(self, bar: int) -> Integers:
        """The prices of a daily bar, evenly spaced from the open to the close; none when there is no bar."""
        if not self._history.present.item(bar, 0):
            return np.zeros(0, dtype=np.int64)
        sigma = np.array([[self.sigma_of(bar)]])
        steps: Integers = self._daily_paths(slice(bar, bar + 1), sigma, self._night_before(bar))[0, :, 0]
        return steps

    def _night_before(self, bar: int) -> float:
        """The share of a day's variance before its session begins: nothing where the market did not close."""
        opened = self._session_of(bar).open
        is_open_still = bar > 0 and self._session_of(bar - 1).close == opened
        return 0.0 if is_open_still else paths.OVERNIGHT_SHARE

    def sigma_of(self, bar: int) -> float:
        """How much a day's return is expected to move, from the days before."""
        if self._squares is None:
            history = self._history
            self._squares = paths.squared_returns(history.close_micros, self._previous, history.present)
        sigma: float = paths.volatility(self._squares[max(bar - self._window, 0) : bar], self._default_sigma).item(0)
        return sigma

    def shares_of(self, bar: int) -> int:
        """Shares that trade in a bar."""
        return self.volume_of(slice(bar, bar + 1)).item(0, 0)

    def step_sizes(self, bar: int) -> Integers:
        """Shares that trade at each step of a daily bar."""
        profile = paths.volume_profile(self._rows, *self.curve)
        sizes: Integers = paths.spread_volume(self.volume_of(slice(bar, bar + 1)), profile)[0, :, 0]
        return sizes

    @property
    def curve(self) -> tuple[float, ...]:
        """The volume of a day at its ends, where it was asked for."""
        return self._curve

    def ticks_at(self, bar: int, last: Integers, session: Session, size: Integers) -> Ticks:
        """Prices of a bar with their times and quotes, evenly spaced over its session."""
        sigma = np.array([[self.sigma_of(bar) if self._realism.spread is not None else 0.0]])
        day = slice(bar, bar + 1)
        bid, ask = (side[0, :, 0] for side in self._daily_quotes(day, last[np.newaxis, :, np.newaxis], sigma))
        return Ticks(_even_times(session.open, session.close - session.open, len(last)), last, bid, ask, size)

    def bars_on(self, day: date) -> Ticks:
        """The points of every intraday bar of a day."""
        history = self._history
        (chosen,) = np.nonzero((history.dates == np.datetime64(day)) & history.present[:, 0])
        if not len(chosen):
            return no_ticks()
        bars = slice(int(chosen[0]), int(chosen[-1]) + 1)
        inside = chosen - bars.start
        whole = self._carried(self._intraday_paths(bars), bars)
        last = whole[inside, :, 0]
        rows = last.shape[1]
        profile = np.full(rows, 1_000_000 // rows)
        size = paths.spread_volume(self.volume_of(bars), profile)[inside, :, 0]
        starts, ends = history.axis.starts[chosen], history.axis.ends[chosen]
        at = starts[:, np.newaxis] + (ends - starts)[:, np.newaxis] * np.arange(rows) // (rows - 1)
        at[:, -1] -= np.timedelta64(_BEFORE_THE_END_US, "us")
        times = self.times_of(bars, SessionTimes(self._calendar.sessions_between(day, day)))
        bid, ask = (side[inside, :, 0] for side in self._intraday_quotes(bars, whole, times))
        moments = at.astype("datetime64[ns]").astype(np.int64)
        return Ticks(moments.ravel(), last.ravel(), bid.ravel(), ask.ravel(), size.ravel())


def _seconds(session: Session) -> int:
    return int((session.close - session.open).total_seconds())


def summary_of(ticks: Ticks) -> DaySummary | None:
    """What the trades among some ticks come to, None when there are none."""
    traded = ticks.cut(ticks.size > 0)
    return _summary(traded.last, int(traded.size.sum()), len(traded.at)) if len(traded.at) else None


def _summary(last: Integers, volume: int, prices: int) -> DaySummary:
    return DaySummary(last[0].item(), last.max().item(), last.min().item(), last[-1].item(), volume, prices)


@lru_cache(maxsize=_KEPT_TIMES)
def _even_times(opened: datetime, length: timedelta, rows: int) -> Integers:
    """Evenly spaced moments in nanoseconds, rounded to microseconds as `timedelta` rounds: half to even.

    All symbols of a day share them: they are read only.
    """
    total, last_row = length // timedelta(microseconds=1), rows - 1
    whole, rest = np.divmod(np.arange(rows, dtype=np.int64) * total, last_row)
    whole += (2 * rest > last_row) | ((2 * rest == last_row) & (whole % 2 == 1))
    whole[-1] -= _BEFORE_THE_END_US
    moments = nanoseconds(stamp_of(opened)) + whole * 1000
    moments.flags.writeable = False
    return moments
