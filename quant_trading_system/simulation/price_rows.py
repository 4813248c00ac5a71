"""The prices of a simulated market, block by block: some bars in a row, each with the steps that it is made of.

Daily bars become a number of steps from the opening to the close of their session; intraday bars become four
(open, both extremes, close), or two when only closes are known. The path of a symbol on a day depends on the
seed, the symbol and the day alone, so that another universe or another span of dates changes nothing in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import MICROS, PriceHistory
from quant_trading_system.market.scratch import put_away
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.sessions import Calendar, Session
from quant_trading_system.market.time_axis import Stamps, moment_of, stamp_of
from quant_trading_system.simulation import paths, spreads
from quant_trading_system.simulation.noise import keys, normals
from quant_trading_system.simulation.realism import PLAIN, Realism

Integers = NDArray[np.int64]

_CHUNK = 256
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BASIS_POINTS = 10_000


class StepKind(StrEnum):
    """What a step of the market is."""

    OPEN = "open"  # the first of a session
    INTRADAY = "intraday"
    BAR_END = "bar_end"  # a bar is complete, and the session goes on
    CLOSE = "close"  # the last of a session, and the end of its last bar


_INTRADAY, _OPEN, _CLOSE, _BAR_END = StepKind.INTRADAY, StepKind.OPEN, StepKind.CLOSE, StepKind.BAR_END


class MarketStep(msgspec.Struct, frozen=True):
    """One moment at which all prices move.

    Attributes:
        number: counts the steps from 1.
        at: aware, UTC.
        session: the regular session that the step belongs to, None for intraday bars outside of one.
        bar: the bar of the history that the step lies in.
    """

    number: int
    at: datetime
    kind: StepKind
    session: Session | None
    bar: int

    @property
    def ends_bar(self) -> bool:
        """The bar is complete and may be known from now on."""
        return self.kind is _BAR_END or self.kind is _CLOSE


class SessionTimes:
    """Sessions, rising, and when they begin and end: microseconds since 1970."""

    __slots__ = ("closes", "opens", "sessions")

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = sessions
        self.opens = _micros_of([one.open for one in sessions])
        self.closes = _micros_of([one.close for one in sessions])


class Times:
    """When some bars begin and end, and what each is to its session.

    Attributes:
        opens, closes: bool [bars], the bar opens or closes its session.
    """

    __slots__ = ("_ends", "_of", "_sessions", "_starts", "closes", "opens")

    def __init__(
        self, starts: Stamps, ends: Stamps, sessions: SessionTimes, goes_on: tuple[bool, bool] = (False, False)
    ) -> None:
        """Find the session of each bar among `sessions`; there is at least one.

        Args:
            goes_on: the first bar goes on with the session of the bar before, and the last is followed by another
                one of its session.
        """
        self._starts, self._ends, self._sessions = _micros(starts), _micros(ends), sessions.sessions
        place = np.searchsorted(sessions.opens, self._starts, side="right") - 1
        self._of = np.where((place >= 0) & (self._starts < sessions.closes[place]), place, -1)
        changes = self._of[1:] != self._of[:-1]
        inside = self._of >= 0
        self.opens = inside & np.concatenate(([not goes_on[0]], changes))
        self.closes = inside & np.concatenate((changes, [not goes_on[1]]))

    def start(self, bar: int) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(0, 0, self._starts.item(bar))

    def end(self, bar: int) -> datetime:
        """Aware, UTC."""
        return _EPOCH + timedelta(0, 0, self._ends.item(bar))

    def steps(self, rows: int) -> Integers:
        """So many moments in each bar, from its start to its end, evenly spaced: microseconds since 1970."""
        lengths = (self._ends - self._starts)[:, np.newaxis] * np.arange(rows)
        whole, rest = np.divmod(lengths, rows - 1)
        whole += rest * 2 + whole % 2 > rows - 1  # half a microsecond goes to the even one
        moments: Integers = (self._starts[:, np.newaxis] + whole).ravel()
        return moments

    def session(self, bar: int) -> Session | None:
        """The regular session in which it begins, None outside of one."""
        place = self._of.item(bar)
        return None if place < 0 else self._sessions[place]


class Block:
    """Some bars in a row: the prices of N symbols at their K steps.

    Attributes:
        first_bar: the bar of the history that it begins with; `rows`: steps in each bar; `times`: of the bars.
        before: how many steps there were before it.
        last, bid, ask: micro-dollars; `volume`: shares until the next step; int64 [K, N].
        edges: the steps that open or close a session, rising.
    """

    __slots__ = ("_micros", "_moments", "ask", "before", "bid", "edges", "first_bar", "last", "rows", "times", "volume")

    def __init__(
        self, first_bar: int, before: int, times: Times, prices: tuple[Integers, Integers, Integers, Integers]
    ) -> None:
        """Join bars with their prices: last, bid, ask and volume, each [bars, rows, N]."""
        self.first_bar = first_bar
        self.before = before
        self.times = times
        self.rows: int = prices[0].shape[1]
        self.last, self.bid, self.ask, self.volume = (side.reshape(-1, side.shape[-1]) for side in prices)
        opening = np.flatnonzero(times.opens) * self.rows
        closing = (np.flatnonzero(times.closes) + 1) * self.rows - 1
        self.edges: list[int] = np.sort(np.concatenate((opening, closing))).tolist()
        self._micros: Integers | None = None
        self._moments: dict[int, datetime] = {}

    def __len__(self) -> int:
        return len(self.last)

    def at(self, row: int) -> datetime:
        """When that step is; the steps of a bar are evenly spaced from its start to its end."""
        moment = self._moments.get(row)
        if moment is None:
            if self._micros is None:
                self._micros = self.times.steps(self.rows)
            moment = self._moments[row] = _EPOCH + timedelta(0, 0, self._micros.item(row))
        return moment

    def step(self, row: int) -> MarketStep:
        """That step."""
        bar, place = divmod(row, self.rows)
        times, kind = self.times, _INTRADAY
        if place == self.rows - 1:
            kind = _CLOSE if times.closes[bar] else _BAR_END
        elif not place and times.opens[bar]:
            kind = _OPEN
        return MarketStep(self.before + row + 1, self.at(row), kind, times.session(bar), self.first_bar + bar)

    def next_edge(self, row: int) -> int:
        """The first step after `row` that opens or closes a session; the number of steps when there is none."""
        place = bisect_right(self.edges, row)
        return self.edges[place] if place < len(self.edges) else len(self)


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
            return self._daily_blocks(self._first_bar + first)
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
        for bar in range(first, len(history)):
            bars = slice(bar, bar + 1)
            sigma = paths.volatility(squares[max(bar - self._window, 0) : bar], self._default_sigma)
            last = self._carried(self._daily_path(bar, sigma), bars)
            bid, ask = self._daily_quotes(bar, last, sigma)
            before = (bar - self._first_bar) * rows
            times = self._session_times(bar)
            yield Block(bar, before, times, (last, bid, ask, self._traded(bars, profile)))

    def _session_times(self, bar: int) -> Times:
        day = self._history.dates[bar].item()
        session = self._calendar.session_on(day)
        if session is None:
            raise MarketDataError(
                f"the exchange is closed on {day}, but the history has a bar; use the same calendar for both"
            )
        start, end = (np.array([stamp_of(moment)]) for moment in (session.open, session.close))
        return Times(start, end, SessionTimes((session,)))

    def _daily_path(self, bar: int, sigma: NDArray[np.float64]) -> Integers:
        """[1, rows, N]."""
        history = self._history
        day = int(history.dates[bar].astype(np.int64))
        noise = normals(self._keys, day, self._rows)
        close = history.close_micros[bar]
        if history.open_micros is None or history.high_micros is None or history.low_micros is None:
            return paths.through_closes(self._previous[bar], close, sigma, noise)[np.newaxis]
        opened, high, low = history.open_micros[bar], history.high_micros[bar], history.low_micros[bar]
        return paths.through_bars(opened, high, low, close, sigma, noise)[np.newaxis]

    def _daily_quotes(self, bar: int, last: Integers, sigma: NDArray[np.float64]) -> tuple[Integers, Integers]:
        """Bid and ask of a daily bar; [1, rows, N]."""
        model, session = self._realism.spread, self._calendar.session_on(self._history.dates[bar].item())
        if model is None or session is None:
            return paths.quotes_around(last, self._spread)
        widths = spreads.of_day(model, self._spread, last[0], sigma, session.close - session.open)
        return paths.quotes_around(last, widths[np.newaxis])

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


def _micros(stamps: Stamps) -> Integers:
    """Microseconds since 1970."""
    return stamps.astype("datetime64[us]").astype(np.int64)


def _micros_of(moments: list[datetime]) -> Integers:
    return np.array([(moment - _EPOCH) // _MICROSECOND for moment in moments], dtype=np.int64)
