"""The prices of a simulated market, block by block: some bars in a row, each with the steps that it is made of.

Daily bars become a number of steps from the opening to the close of their session; intraday bars become four
(open, both extremes, close), or two when only closes are known. The path of a symbol on a day depends on the
seed, the symbol and the day alone, so that another universe or another span of dates changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.scratch import put_away
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.sessions import Calendar, Session
from quant_trading_system.market.time_axis import moment_of, stamp_of
from quant_trading_system.simulation import paths, spreads
from quant_trading_system.simulation.blocks import Block, SessionTimes, Times
from quant_trading_system.simulation.noise import keys, normals_of
from quant_trading_system.simulation.realism import PLAIN, Realism

Integers = NDArray[np.int64]

_CHUNK = 256
"""Intraday bars of a block."""
_DAYS = 64
"""Daily bars of a block, or fewer where their prices would be more than `_MOST_PRICES`."""
_MOST_PRICES = 2**18
_BASIS_POINTS = 10_000


class Shape(TypedDict, total=False):
    """What bars are filled in with, where the history does not tell.

    Attributes:
        steps_per_session: for daily bars, at least 4: opening and close included, evenly spaced.
        spread_bps: bid to ask in basis points of the last price, rounded to ticks, at least one tick.
        volatility_days: sessions before a day whose returns tell how much its path moves.
        default_volatility: of a day's return, where fewer than five returns are known.
        dollar_volume: dollars that each symbol trades a day, or in an intraday bar, where the history knows no volume.
    """

    steps_per_session: int
    spread_bps: Decimal
    volatility_days: int
    default_volatility: Decimal
    dollar_volume: Decimal


class PriceRows:
    """Makes the blocks of a history."""

    def __init__(
        self,
        history: PriceHistory,
        calendar: Calendar,
        *,
        seed: int,
        first_bar: int = 0,
        realism: Realism = PLAIN,
        steps_per_session: int = 13,
        spread_bps: Decimal = Decimal(4),
        volatility_days: int = 20,
        default_volatility: Decimal = Decimal("0.02"),
        dollar_volume: Decimal = Decimal(50_000_000),
    ) -> None:
        """Prepare the rows; nothing is made before it is asked for.

        Args:
            first_bar: the bar to begin with; those before it are past already.
            realism: how spread and volume go through the day.
            steps_per_session, spread_bps, volatility_days, default_volatility, dollar_volume: see `Shape`.

        Raises:
            ValueError: a parameter is out of range.
        """
        if steps_per_session < 4 or spread_bps < 0 or volatility_days < 1:
            raise ValueError("at least 4 steps a session, 1 day for the volatility, and no negative spread")
        if not 0 <= first_bar < len(history):
            raise ValueError(f"the market cannot begin with bar {first_bar} of {len(history)}")
        self._history = history
        self._calendar = calendar
        self._first_bar = first_bar
        self._rows = steps_per_session
        self._days = max(min(_MOST_PRICES // (steps_per_session * len(history.symbols)), _DAYS), 1)
        self._spread = float(spread_bps / _BASIS_POINTS)
        self._window = volatility_days
        self._default_sigma = float(default_volatility)
        self._dollar_volume = int(dollar_volume) * MICROS
        self._realism = realism
        self._curve = () if realism.volume is None else (float(realism.volume.at_open), float(realism.volume.at_close))
        self._ratios: NDArray[np.float64] | None = None
        self._keys = keys(seed, tuple(f"path/{symbol}" for symbol in history.symbols))
        self._previous = paths.previous_closes(history.close_micros, history.present)

    def blocks(self, first: int = 0) -> Iterator[Block]:
        """The history from the first bar on, without the `first` blocks of it, each made when it is asked for."""
        if self._history.is_daily:
            return self._daily_blocks(self._first_bar + first * self._days)
        return self._intraday_blocks(self._first_bar + first * _CHUNK)

    def volume_of(self, bars: slice) -> Integers:
        """Shares in each bar; [bars, N]."""
        history = self._history
        price = np.where(self._previous[bars] > 0, self._previous[bars], history.close_micros[bars])
        made_up = self._dollar_volume // np.maximum(price, 1)
        if history.volume is None:
            return made_up
        known = history.volume[bars]
        return np.where(known == UNKNOWN_VOLUME, made_up, known)

    def _traded(self, bars: slice, profile: Integers) -> Integers:
        """Shares at each step, none of a symbol without a bar; [bars, rows, N]."""
        return paths.spread_volume(self.volume_of(bars) * self._history.present[bars], profile)

    # -- daily bars -----------------------------------------------------------------------------------------------

    def _daily_blocks(self, first: int) -> Iterator[Block]:
        history, rows = self._history, self._rows
        squares = paths.squared_returns(history.close_micros, self._previous, history.present)
        profile = paths.volume_profile(rows, *self._curve)
        for begin in range(first, len(history), self._days):
            bars = slice(begin, min(begin + self._days, len(history)))
            sigma = paths.volatilities(squares, bars, self._window, self._default_sigma)
            last = self._carried(self._daily_paths(bars, sigma), bars)
            bid, ask = self._daily_quotes(bars, last, sigma)
            before = (begin - self._first_bar) * rows
            yield Block(begin, before, self._days_times(bars), (last, bid, ask, self._traded(bars, profile)))

    def _days_times(self, bars: slice) -> Times:
        sessions = [self._session_of(bar) for bar in range(bars.start, bars.stop)]
        starts = np.array([stamp_of(session.open) for session in sessions])
        ends = np.array([stamp_of(session.close) for session in sessions])
        return Times(starts, ends, SessionTimes(sessions))

    def _session_of(self, bar: int) -> Session:
        """The session that a daily bar tells of.

        Raises:
            MarketDataError: there was none.
        """
        day = self._history.dates[bar].item()
        session = self._calendar.session_on(day)
        if session is None:
            raise MarketDataError(
                f"the exchange is closed on {day}, but the history has a bar; use the same calendar for both"
            )
        return session

    def _daily_paths(self, bars: slice, sigma: NDArray[np.float64], night: float = paths.OVERNIGHT_SHARE) -> Integers:
        """[bars, rows, N]; `night` as `paths.through_closes` takes it."""
        history = self._history
        noise = normals_of(self._keys, history.dates[bars].astype(np.int64), self._rows)
        close = history.close_micros[bars]
        if history.open_micros is None or history.high_micros is None or history.low_micros is None:
            return paths.through_closes(self._previous[bars], close, sigma, noise, night)
        opened, high, low = history.open_micros[bars], history.high_micros[bars], history.low_micros[bars]
        return paths.through_bars(opened, high, low, close, sigma, noise)

    def _daily_quotes(self, bars: slice, last: Integers, sigma: NDArray[np.float64]) -> tuple[Integers, Integers]:
        """Bid and ask of daily bars; [bars, rows, N]."""
        model = self._realism.spread
        if model is None:
            return paths.quotes_around(last, self._spread)
        lengths = [(one := self._session_of(bar)).close - one.open for bar in range(bars.start, bars.stop)]
        days = zip(last, sigma, lengths, strict=True)
        widths = np.stack([spreads.of_day(model, self._spread, *day) for day in days])
        return paths.quotes_around(last, widths)

    # -- intraday bars --------------------------------------------------------------------------------------------

    def _intraday_blocks(self, first: int) -> Iterator[Block]:
        history = self._history
        days = history.dates[0].item(), history.dates[-1].item()
        sessions = SessionTimes(self._calendar.sessions_between(*days))
        for begin in range(first, len(history), _CHUNK):
            bars = slice(begin, min(begin + _CHUNK, len(history)))
            last = self._carried(self._intraday_paths(bars), bars)
            rows = last.shape[1]
            times = self.times_of(bars, sessions)
            bid, ask = self._intraday_quotes(bars, last, times)
            traded = self._traded(bars, np.full(rows, 1_000_000 // rows))
            history.put_away()
            put_away(self._previous)
            yield Block(begin, (begin - self._first_bar) * rows, times, (last, bid, ask, traded))

    def _intraday_paths(self, bars: slice) -> Integers:
        """[bars, 4 or 2, N]."""
        history = self._history
        close = history.close_micros[bars]
        if history.open_micros is None or history.high_micros is None or history.low_micros is None:
            previous = self._previous[bars]
            return np.stack([np.where(previous > 0, previous, close), close], axis=1)
        return paths.four_points(history.open_micros[bars], history.high_micros[bars], history.low_micros[bars], close)

    def _intraday_quotes(self, bars: slice, last: Integers, times: Times) -> tuple[Integers, Integers]:
        """Bid and ask of intraday bars; [bars, rows, N]."""
        model, history = self._realism.spread, self._history
        if model is None:
            return paths.quotes_around(last, self._spread)
        if self._ratios is None:
            length = moment_of(history.axis.ends[0]) - moment_of(history.axis.starts[0])
            squares = paths.squared_returns(history.close_micros, self._previous, history.present)
            self._ratios = spreads.ratio_of_bars(squares, max(round(model.span / length), 1))
        elapsed = np.array([_elapsed(times, bar, last.shape[1]) for bar in range(len(last))])
        widths = (
            spreads.opening(model, elapsed)[:, :, np.newaxis]
            * spreads.following(model, self._ratios[bars])[:, np.newaxis]
        )
        return paths.quotes_around(last, self._spread * widths)

    def times_of(self, bars: slice, sessions: SessionTimes) -> Times:
        """When bars begin and end; `sessions`: at least those of their dates."""
        axis, first, last = self._history.axis, bars.start, bars.stop
        at = self._calendar.session_at
        before = None if first == self._first_bar else at(moment_of(axis.starts[first - 1]))
        after = None if last == len(self._history) else at(moment_of(axis.starts[last]))
        ends = at(moment_of(axis.starts[first])), at(moment_of(axis.starts[last - 1]))
        goes_on = before is not None and before == ends[0], after is not None and after == ends[1]
        return Times(axis.starts[bars], axis.ends[bars], sessions, goes_on)

    def _carried(self, last: Integers, bars: slice) -> Integers:
        """Where a symbol has no bar, its last close stays; 0 before its first bar."""
        present = self._history.present[bars]
        return last if present.all() else np.where(present[:, np.newaxis], last, self._previous[bars][:, np.newaxis])


def _elapsed(times: Times, bar: int, rows: int) -> list[float]:
    """Seconds since the opening at each step of a bar; infinite outside of a session."""
    session, start = times.session(bar), times.start(bar)
    if session is None:
        return [np.inf] * rows
    length = times.end(bar) - start
    return [(start + length * row / (rows - 1) - session.open).total_seconds() for row in range(rows)]
