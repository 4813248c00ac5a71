"""A market made from history: seeded prices inside every bar, quotes around them, and time step by step.

Daily bars become `steps_per_session` steps from the opening to the close of their session; intraday bars
become four (open, both extremes, close), or two when only closes are known. The path of a symbol on a day
depends on the seed, the symbol and the day alone, so that another universe or another span of dates changes
nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import MICROS, UNKNOWN_VOLUME, PriceHistory, dollars
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar, Session
from quant_trading_system.market.time_axis import moment_of
from quant_trading_system.simulation import paths, spreads
from quant_trading_system.simulation.noise import keys, normals
from quant_trading_system.simulation.realism import PARTS, PLAIN, Realism, Window

SOURCE = "simulated"
"""The source that every quote of this market names."""

Integers = NDArray[np.int64]

_CHUNK = 256
_BASIS_POINTS = 10_000
_ZERO = Decimal(0)


class StepKind(StrEnum):
    """What a step of the market is."""

    OPEN = "open"  # the first of a session
    INTRADAY = "intraday"
    BAR_END = "bar_end"  # a bar is complete, and the session goes on
    CLOSE = "close"  # the last of a session, and the end of its last bar


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
        return self.kind is StepKind.BAR_END or self.kind is StepKind.CLOSE


class _Frame(NamedTuple):
    """A step with the prices of all symbols, micro-dollars and shares; [N]."""

    step: MarketStep
    last: Integers
    bid: Integers
    ask: Integers
    volume: Integers


class SimulatedMarket:
    """Quotes of every symbol of a history, one step after the other.

    Attributes:
        step: the present step, None before the first `advance`.
    """

    def __init__(
        self,
        history: PriceHistory,
        calendar: Calendar,
        *,
        seed: int,
        first_bar: int = 0,
        steps_per_session: int = 13,
        spread_bps: Decimal = Decimal(4),
        volatility_days: int = 20,
        default_volatility: Decimal = Decimal("0.02"),
        dollar_volume: Decimal = Decimal(50_000_000),
        realism: Realism = PLAIN,
    ) -> None:
        """Prepare the market; the first `advance` opens it.

        Args:
            first_bar: the bar to begin with; those before it are past already.
            steps_per_session: for daily bars, at least 4: opening and close included, evenly spaced.
            spread_bps: bid to ask in basis points of the last price, rounded to ticks, at least one tick.
            volatility_days: sessions before a day whose returns tell how much its path moves.
            default_volatility: of a day's return, where fewer than five returns are known.
            dollar_volume: dollars that each symbol trades a day, or in an intraday bar, where the history
                knows no volume.
            realism: how spread and volume go through the day, and what our executions do to prices (`press`).

        Raises:
            ValueError: a parameter is out of range.
        """
        if steps_per_session < 4 or spread_bps < 0 or volatility_days < 1:
            raise ValueError("at least 4 steps a session, 1 day for the volatility, and no negative spread")
        if not 0 <= first_bar < len(history):
            raise ValueError(f"the market cannot begin with bar {first_bar} of {len(history)}")
        self.step: MarketStep | None = None
        self._history = history
        self._calendar = calendar
        self._first_bar = first_bar
        self._rows = steps_per_session
        self._spread = float(spread_bps / _BASIS_POINTS)
        self._window = volatility_days
        self._default_sigma = float(default_volatility)
        self._dollar_volume = int(dollar_volume) * MICROS
        self._columns = {symbol: column for column, symbol in enumerate(history.symbols)}
        self._realism = realism
        self._curve = () if realism.volume is None else (float(realism.volume.at_open), float(realism.volume.at_close))
        self._moved = np.zeros(len(history.symbols), dtype=np.int64)
        self._ratios: NDArray[np.float64] | None = None
        self._keys = keys(seed, tuple(f"path/{symbol}" for symbol in history.symbols))
        self._previous = paths.previous_closes(history.close_micros, history.present)
        self._frames = self._daily_frames() if history.is_daily else self._intraday_frames()
        self._frame: _Frame | None = None
        self._ahead: _Frame | None = None
        self._quotes: dict[str, Quote] = {}
        self._last_seen: dict[int, tuple[datetime, int]] = {}
        self._stands: datetime | None = None
        self._printed = np.zeros(len(history.symbols), dtype=np.int64)
        self._look_ahead()

    # -- time -----------------------------------------------------------------------------------------------------

    @property
    def next_at(self) -> datetime | None:
        """When the next step will be, None after the last; its prices are not to be seen before `advance`."""
        return None if self._ahead is None else self._ahead.step.at

    def advance(self) -> MarketStep | None:
        """Go to the next step; None when the history is over, and the last prices stay."""
        if self._ahead is None:
            return None
        self._leave()
        self._frame = _displaced(self._ahead, self._moved) if self._moved.any() else self._ahead
        self.step = self._frame.step
        self._quotes.clear()
        self._stands = None
        self._look_ahead()
        return self.step

    def __iter__(self) -> Iterator[MarketStep]:
        while (step := self.advance()) is not None:
            yield step

    @property
    def finished_bars(self) -> int:
        """How many bars of the history are complete by now."""
        step = self.step
        return self._first_bar if step is None else step.bar + step.ends_bar

    # -- prices ---------------------------------------------------------------------------------------------------

    def quote(self, symbol: str) -> Quote | None:
        """The present quote; that of its last bar when the symbol has none now; None before its first."""
        known = self._quotes.get(symbol)
        if known is not None:
            return known
        column, frame = self._columns.get(symbol), self._frame
        if column is None or frame is None or not frame.last.item(column):
            return None
        at, number = self._stands or frame.step.at, frame.step.number
        if not self._history.present.item(frame.step.bar, column):
            at, number = self._last_seen.get(column) or (self._before_the_start(column), 0)
        bid, ask = frame.bid.item(column), frame.ask.item(column)
        sized = self._realism.queue or self._realism.impact is not None
        quote = Quote(
            symbol=symbol,
            bid=dollars(bid),
            ask=dollars(ask),
            at=at,
            received_at=at,
            last=dollars(frame.last.item(column)),
            bid_size=Decimal(paths.quoted_size(bid)) if sized else _ZERO,
            ask_size=Decimal(paths.quoted_size(ask)) if sized else _ZERO,
            source=SOURCE,
            sequence=number,
        )
        self._quotes[symbol] = quote
        return quote

    def last_price(self, symbol: str) -> Decimal:
        """Dollars a share of the last trade.

        Raises:
            MarketDataError: the symbol has not traded yet, or is not in the history.
        """
        column, frame = self._columns.get(symbol), self._frame
        micros = 0 if column is None or frame is None else frame.last.item(column)
        if not micros:
            raise MarketDataError(f"{symbol} has had no price yet")
        return dollars(micros)

    def volume(self, symbol: str) -> Decimal | None:
        """Shares that trade until the next step: of the history, or made up where it knows none.

        Zero while the symbol has no bar, None for a symbol that is not in the history.
        """
        column, frame = self._columns.get(symbol), self._frame
        if column is None or frame is None:
            return None
        return Decimal(frame.volume.item(column)) if self._history.present.item(frame.step.bar, column) else _ZERO

    @property
    def last_micros(self) -> Integers:
        """The last prices of all symbols in the order of the history, int64 micro-dollars; 0 before the first.

        Raises:
            MarketDataError: before the first step.
        """
        if self._frame is None:
            raise MarketDataError("the market has not begun; advance() it first")
        return self._frame.last

    # -- our own executions -----------------------------------------------------------------------------------------

    def window(self, symbol: str) -> Window:
        """Temporary impact adds up within a step."""
        return Window(0 if self.step is None else self.step.number, self.volume(symbol))

    def press(self, symbol: str, shares: Decimal) -> None:
        """We have bought `shares`, or sold them when negative: all prices from the next step on are displaced.

        Measured against the volume of the day, the day's own also before it is over. The bars of the history stay.
        """
        column, step, impact = self._columns.get(symbol), self.step, self._realism.impact
        if column is None or step is None or impact is None:
            return
        bars = np.flatnonzero(self._history.dates == self._history.dates[step.bar])
        volume = int(self._volume_of(slice(int(bars[0]), int(bars[-1]) + 1))[:, column].sum())
        self._moved[column] += impact.displacement(shares, Decimal(volume))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _look_ahead(self) -> None:
        self._ahead = next(self._frames, None)

    def _before_the_start(self, column: int) -> datetime:
        """The end of the last bar of a symbol that had none since the market began."""
        return self._history.time_at(int(np.flatnonzero(self._history.present[: self._first_bar, column])[-1]))

    def _leave(self) -> None:
        """Note when the symbols that have no bar in the next step were last seen."""
        now, ahead, present = self._frame, self._ahead, self._history.present
        self._printed += 0 if now is None else np.where(present[now.step.bar], now.volume, 0)
        if now is None or ahead is None or now.step.bar == ahead.step.bar:
            return
        for column in np.flatnonzero(present[now.step.bar] & ~present[ahead.step.bar]).tolist():
            self._last_seen[column] = (now.step.at, now.step.number)

    def _daily_frames(self) -> Iterator[_Frame]:
        history, rows = self._history, self._rows
        squares = paths.squared_returns(history.close_micros, self._previous, history.present)
        profile = paths.volume_profile(rows, *self._curve)
        number = 0
        for bar in range(self._first_bar, len(history)):
            sigma = paths.volatility(squares[max(bar - self._window, 0) : bar], self._default_sigma)
            last = self._carried(self._daily_path(bar, sigma), slice(bar, bar + 1))
            bid, ask = self._daily_quotes(bar, last, sigma)
            volume = paths.spread_volume(self._volume_of(slice(bar, bar + 1)), profile)
            for row, (at, kind, session) in enumerate(self._session_steps(bar)):
                number += 1
                step = MarketStep(number, at, kind, session, bar)
                yield _Frame(step, last[0, row], bid[0, row], ask[0, row], volume[0, row])

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

    def _session_steps(self, bar: int) -> Iterator[tuple[datetime, StepKind, Session]]:
        day = self._history.dates[bar].item()
        session = self._calendar.session_on(day)
        if session is None:
            raise MarketDataError(
                f"the exchange is closed on {day}, but the history has a bar; use the same calendar for both"
            )
        length, last_row = session.close - session.open, self._rows - 1
        for row in range(self._rows):
            kind = StepKind.OPEN if not row else StepKind.CLOSE if row == last_row else StepKind.INTRADAY
            yield session.open + length * row / last_row, kind, session

    def _intraday_frames(self) -> Iterator[_Frame]:
        history = self._history
        number = 0
        for begin in range(self._first_bar, len(history), _CHUNK):
            bars = slice(begin, min(begin + _CHUNK, len(history)))
            last = self._carried(self._intraday_paths(bars), bars)
            bid, ask = self._intraday_quotes(bars, last)
            rows = last.shape[1]
            volume = paths.spread_volume(self._volume_of(bars), np.full(rows, 1_000_000 // rows))
            for place, bar in enumerate(range(bars.start, bars.stop)):
                for row, (at, kind, session) in enumerate(self._bar_steps(bar, rows)):
                    number += 1
                    step = MarketStep(number, at, kind, session, bar)
                    yield _Frame(step, last[place, row], bid[place, row], ask[place, row], volume[place, row])

    def _intraday_paths(self, bars: slice) -> Integers:
        """[bars, 4 or 2, N]."""
        history = self._history
        close = history.close_micros[bars]
        if history.open_micros is None or history.high_micros is None or history.low_micros is None:
            previous = self._previous[bars]
            return np.stack([np.where(previous > 0, previous, close), close], axis=1)
        return paths.four_points(history.open_micros[bars], history.high_micros[bars], history.low_micros[bars], close)

    def _intraday_quotes(self, bars: slice, last: Integers) -> tuple[Integers, Integers]:
        """Bid and ask of intraday bars; [bars, rows, N]."""
        model, history = self._realism.spread, self._history
        if model is None:
            return paths.quotes_around(last, self._spread)
        if self._ratios is None:
            length = moment_of(history.axis.ends[0]) - moment_of(history.axis.starts[0])
            squares = paths.squared_returns(history.close_micros, self._previous, history.present)
            self._ratios = spreads.ratio_of_bars(squares, max(round(model.span / length), 1))
        rows = last.shape[1]
        moments = [list(self._bar_steps(bar, rows)) for bar in range(bars.start, bars.stop)]
        elapsed = np.array(
            [[np.inf if day is None else (at - day.open).total_seconds() for at, _, day in bar] for bar in moments]
        )
        widths = (
            spreads.opening(model, elapsed)[:, :, np.newaxis]
            * spreads.following(model, self._ratios[bars])[:, np.newaxis]
        )
        return paths.quotes_around(last, self._spread * widths)

    def _bar_steps(self, bar: int, rows: int) -> Iterator[tuple[datetime, StepKind, Session | None]]:
        axis = self._history.axis
        start, end = moment_of(axis.starts[bar]), moment_of(axis.ends[bar])
        session = self._calendar.session_at(start)
        opens = session is not None and (bar == self._first_bar or self._session_of(bar - 1) != session)
        closes = session is not None and (bar + 1 == len(self._history) or self._session_of(bar + 1) != session)
        for row in range(rows):
            kind = StepKind.INTRADAY
            if row == rows - 1:
                kind = StepKind.CLOSE if closes else StepKind.BAR_END
            elif not row and opens:
                kind = StepKind.OPEN
            yield start + (end - start) * row / (rows - 1), kind, session

    def _session_of(self, bar: int) -> Session | None:
        return self._calendar.session_at(moment_of(self._history.axis.starts[bar]))

    def _carried(self, last: Integers, bars: slice) -> Integers:
        """Where a symbol has no bar, its last close stays; 0 before its first bar."""
        present = self._history.present[bars]
        return last if present.all() else np.where(present[:, np.newaxis], last, self._previous[bars][:, np.newaxis])

    def _volume_of(self, bars: slice) -> Integers:
        """Shares in each bar; [bars, N]."""
        history = self._history
        price = np.where(self._previous[bars] > 0, self._previous[bars], history.close_micros[bars])
        made_up = self._dollar_volume // np.maximum(price, 1)
        if history.volume is None:
            return made_up
        known = history.volume[bars]
        return np.where(known == UNKNOWN_VOLUME, made_up, known)


def _displaced(frame: _Frame, moved: Integers) -> _Frame:
    """The frame after prices were moved by so many parts; [N]."""
    last, bid, ask = paths.displaced(frame.last, frame.bid, frame.ask, moved / PARTS)
    return frame._replace(last=last, bid=bid, ask=ask)
