"""Price history: many bars of many symbols as columns, exact to the micro-dollar.

Prices are int64 micro-dollars, so that a million bars are no five million `Decimal` objects and none of
them loses a digit. A `Decimal` is made where a decision asks for one; floats are made for statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.numbers import LEDGER
from quant_trading_system.core.wording import first_few
from quant_trading_system.market.ended import columns_to_come, last_bars
from quant_trading_system.market.latest_bars import LatestBars
from quant_trading_system.market.scratch import put_away, row_blocks, scratch
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME, SessionVolumes
from quant_trading_system.market.time_axis import Stamps, TimeAxis, moment_of, stamp_of

MICROS = 1_000_000
"""Micro-dollars in a dollar."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_LONG = timedelta(hours=1)
_TIDY = ((2, 10_000), (3, 1_000), (4, 100), (5, 10))


@lru_cache(maxsize=1 << 15)  # prices come again and again
def dollars(micros: int) -> Decimal:
    """Micro-dollars as exact dollars, whatever the context of the thread, with at least two decimals.

    >>> dollars(129_652_000), dollars(30_000_000), dollars(98_001)
    (Decimal('129.652'), Decimal('30.00'), Decimal('0.098001'))
    """
    for places, step in _TIDY:
        if not micros % step:
            return LEDGER.scaleb(Decimal(micros // step), -places)
    return LEDGER.scaleb(Decimal(micros), -6)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """What one symbol did from `start` to `end`.

    Attributes:
        start, end: aware, UTC; the bar is known from `end` on.
        open, high, low, close: dollars a share.
        volume: shares, None when unknown.
    """

    symbol: str
    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None = None


@dataclass(frozen=True, eq=False, repr=False)
class PriceHistory:
    """Bars of N symbols at T common times. Nothing in it can be changed; parts share its memory.

    The arrays belong to the history once they are handed over.

    Attributes:
        symbols: N different names, in the order of the columns.
        axis: when the T bars begin, end and belong to.
        close_micros: int64 [T, N], micro-dollars; whatever stands where a bar is missing has no meaning.
        present: bool [T, N], False where a symbol has no bar.
        open_micros, high_micros, low_micros: like `close_micros`; all None when only closes are known.
        volume: int64 [T, N], shares, -1 where unknown; None when no volume is known at all.
        goes_on: of a part, symbols without its last bar that have bars later in the whole.

    Raises:
        MarketDataError: empty, times do not rise, a symbol appears twice, shapes do not fit, or only some of
            open, high and low are given.
    """

    symbols: tuple[str, ...]
    axis: TimeAxis
    close_micros: Integers
    present: NDArray[np.bool_]
    open_micros: Integers | None = None
    high_micros: Integers | None = None
    low_micros: Integers | None = None
    volume: Integers | None = None
    goes_on: frozenset[str] = field(default=frozenset(), kw_only=True)

    def __post_init__(self) -> None:
        self._require_order()
        if len({array is None for array in (self.open_micros, self.high_micros, self.low_micros)}) > 1:
            raise MarketDataError("give open, high and low together or leave all three out")
        shape = (len(self), len(self.symbols))
        for name in ("close_micros", "present", "open_micros", "high_micros", "low_micros", "volume"):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise MarketDataError(f"{name} has the shape {array.shape} instead of {shape}")
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.axis.ends)

    def __repr__(self) -> str:
        kind = "daily" if self.is_daily else f"{self.axis.span}"
        return (
            f"PriceHistory({len(self.symbols)} symbols, {len(self)} {kind} bars, {self.dates[0]} to {self.dates[-1]})"
        )

    @property
    def times(self) -> Stamps:
        """datetime64[ns] [T], UTC: when each bar is known (its end; the close of the session for daily bars)."""
        return self.axis.ends

    @property
    def dates(self) -> Stamps:
        """datetime64[D] [T]: the exchange's date of each bar."""
        return self.axis.dates

    @property
    def is_daily(self) -> bool:
        """True when a bar is a session."""
        return self.axis.span is None

    @property
    def has_ohlc(self) -> bool:
        """True when open, high and low are known, not only the close."""
        return self.open_micros is not None

    @property
    def has_volume(self) -> bool:
        """True when volumes are known, at least here and there."""
        return self.volume is not None

    def time_at(self, index: int) -> datetime:
        """When the bar of that number is known: aware, UTC."""
        return moment_of(self.axis.ends[self._checked(index)])

    def close(self, symbol: str, index: int) -> Decimal | None:
        """Closing price in dollars, exact; None when the symbol has no such bar.

        Raises:
            MarketDataError: the symbol is not in this history.
            IndexError: no bar has that number; numbers run from 0 and never count from the end.
        """
        row, column = self._checked(index), self.column_of(symbol)
        return dollars(self.close_micros.item(row, column)) if self.present.item(row, column) else None

    def bar(self, symbol: str, index: int) -> Bar | None:
        """The whole bar, exact; None when the symbol has no such bar.

        Raises:
            MarketDataError: the symbol is not in this history, or only closes are known (see `has_ohlc`).
            IndexError: as for `close`.
        """
        row, column = self._checked(index), self.column_of(symbol)
        if self.open_micros is None or self.high_micros is None or self.low_micros is None:
            raise MarketDataError(
                "this history knows closing prices only; use close(), or load open, high and low, too"
            )
        if not self.present.item(row, column):
            return None
        volume = UNKNOWN_VOLUME if self.volume is None else self.volume.item(row, column)
        return Bar(
            symbol=symbol,
            start=moment_of(self.axis.starts[row]),
            end=moment_of(self.axis.ends[row]),
            open=dollars(self.open_micros.item(row, column)),
            high=dollars(self.high_micros.item(row, column)),
            low=dollars(self.low_micros.item(row, column)),
            close=dollars(self.close_micros.item(row, column)),
            volume=None if volume == UNKNOWN_VOLUME else volume,
        )

    def has_bar(self, symbol: str, index: int) -> bool:
        """True unless the symbol's bar of that number is missing."""
        return bool(self.present.item(self._checked(index), self.column_of(symbol)))

    def index_of(self, day: date) -> int:
        """The number of the first bar of that date.

        Raises:
            MarketDataError: no bar has that date.
        """
        index = int(np.searchsorted(self.dates, np.datetime64(day, "D")))
        if index == len(self) or self.dates[index] != np.datetime64(day, "D"):
            raise MarketDataError(f"no bar on {day}; {self._extent()}")
        return index

    def between(self, start: date | datetime, end: date | datetime) -> PriceHistory:
        """The bars from `start` to `end`, both included; no copy is made.

        Dates select by the exchange's date, aware datetimes by the time at which a bar is known.

        Raises:
            MarketDataError: no bar lies between them, or a datetime has no time zone.
        """
        low, high = self._position(start, "left"), self._position(end, "right")
        if low >= high:
            raise MarketDataError(f"no bar between {start} and {end}; {self._extent()}")
        later = self.goes_on.union(self.symbols[column] for column in columns_to_come(self.present, high))
        return self._part(self.symbols, self.axis.cut(slice(low, high)), lambda array: array[low:high], later)

    def select(self, symbols: Iterable[str]) -> PriceHistory:
        """The history of some of the symbols, in the order given.

        Raises:
            MarketDataError: a symbol is not in this history, or is named twice.
        """
        names = tuple(symbols)
        columns = [self.column_of(name) for name in names]

        def pick(array: NDArray[Any]) -> NDArray[Any]:
            chosen = scratch((len(self), len(columns)), array.dtype)
            for rows in self._row_blocks():
                chosen[rows] = array[rows][:, columns]
            return chosen

        return self._part(names, self.axis, pick, self.goes_on.intersection(names))

    def has_symbol(self, symbol: str) -> bool:
        """The symbol is among `symbols`."""
        return symbol in self._columns

    def column_of(self, symbol: str) -> int:
        """The symbol's place in the second dimension of every array.

        Raises:
            MarketDataError: the symbol is not in this history.
        """
        try:
            return self._columns[symbol]
        except KeyError:
            known = first_few(self.symbols, 10)
            raise MarketDataError(f"{symbol} is not in this history of {len(self.symbols)} symbols: {known}") from None

    @cached_property
    def session_starts(self) -> Integers:
        """The first bar of each session, int64, rising; found once."""
        changes: Integers = np.flatnonzero(np.append(True, self.dates[1:] != self.dates[:-1]))
        changes.setflags(write=False)
        return changes

    @cached_property
    def within_day(self) -> Integers:
        """The rows of `returns` that do not span a night, int64, rising; all where bars last an hour or more."""
        within: Integers = np.arange(len(self) - 1)
        if self.axis.span is not None and self.axis.span < _LONG:
            within = np.delete(within, self.session_starts[1:] - 1)
        within.setflags(write=False)
        return within

    @cached_property
    def session_volumes(self) -> SessionVolumes:
        """What symbols have traded in whole sessions; it remembers what it has added up."""
        return SessionVolumes(self.volume, self.present, self.session_starts)

    @cached_property
    def ended(self) -> dict[str, int]:
        """The number of the last bar of every symbol that has none afterwards, as `last_bars` finds them."""
        return last_bars(self)

    @cached_property
    def latest_bars(self) -> LatestBars:
        """Where symbols had their latest bar."""
        return LatestBars(self.present)

    def closes_as_float(self) -> Floats:
        """Closes in dollars for statistics: float64 [T, N], NaN where missing, read-only, made once."""
        return self._floats

    def know_floats(self, closes: Floats) -> None:
        """Have `closes_as_float` give these, which whoever made this history has made already; read-only."""
        self.__dict__["_floats"] = closes  # where the cached property looks for it

    def returns(self) -> Floats:
        """Simple returns: float64 [T - 1, N], 0.01 is one percent; NaN where either close is missing.

        Read-only, made once.
        """
        return self._returns

    def returns_within_days(self, n: int, bars: int) -> Floats:
        """The last `n` simple returns of the first `bars` bars that do not span a night, as `returns`.

        Fewer than `n` while the past is shorter. Where bars last an hour or more, those that span a night count, too:
        there are enough of the others beside each.
        """
        end = int(self.within_day.searchsorted(bars - 1))
        rows = self.within_day[max(end - n, 0) : end]
        if len(rows) and rows[-1] - rows[0] < len(rows):  # not a copy where none is left out
            return self._returns[rows[0] : rows[-1] + 1]
        return self._returns[rows]

    def fingerprint(self) -> str:
        """Sixteen hex digits that depend on every time, symbol and number; the same on every machine; made once."""
        return self._fingerprint

    def put_away(self) -> None:
        """Give back the memory of prices that lie in files; they are read again where they are needed."""
        put_away(*self._prices(), self.volume, self.__dict__.get("_floats"), self.__dict__.get("_returns"))

    @cached_property
    def _fingerprint(self) -> str:
        digest = blake2b("\x1f".join(self.symbols).encode(), digest_size=8)
        digest.update(np.ascontiguousarray(self.axis.ends).astype("<M8[ns]").tobytes())
        for array in (self.present, *self._prices()[1:], self.volume):
            if array is None:
                digest.update(b"-")
                continue
            for rows in self._row_blocks():
                digest.update((array[rows] * self.present[rows].astype(np.int64)).astype("<i8").tobytes())
            put_away(array)
        return digest.hexdigest()

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {symbol: column for column, symbol in enumerate(self.symbols)}

    @cached_property
    def _floats(self) -> Floats:
        closes: Floats = scratch(self.close_micros.shape, np.float64)
        for rows in self._row_blocks():
            closes[rows] = as_floats(self.close_micros[rows], self.present[rows])
        closes.setflags(write=False)
        return closes

    @cached_property
    def _returns(self) -> Floats:
        closes = self._floats
        returns: Floats = scratch((len(self) - 1, len(self.symbols)), np.float64)
        for rows in self._row_blocks():
            returns[rows] = simple_returns(closes[rows.start : rows.stop + 1])
        returns.setflags(write=False)
        return returns

    def _row_blocks(self) -> Iterator[slice]:
        return row_blocks(len(self), len(self.symbols))

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(f"no bar {index} among {len(self)} bars; they are numbered from 0")
        return index

    def _position(self, edge: date | datetime, side: Literal["left", "right"]) -> int:
        if isinstance(edge, datetime):
            return int(np.searchsorted(self.times, stamp_of(edge), side))
        return int(np.searchsorted(self.dates, np.datetime64(edge, "D"), side))

    def _require_order(self) -> None:
        if not self.symbols or not len(self):
            raise MarketDataError("a history needs at least one symbol and one bar")
        if len(self._columns) != len(self.symbols):
            raise MarketDataError("a symbol appears twice in the history")
        if not bool((self.times[1:] > self.times[:-1]).all()):
            raise MarketDataError("the times of a history must rise from bar to bar")

    def _extent(self) -> str:
        return f"this history covers {self.dates[0]} to {self.dates[-1]}"

    def _prices(self) -> tuple[NDArray[Any] | None, ...]:
        return (self.present, self.close_micros, self.open_micros, self.high_micros, self.low_micros)

    def _part(
        self, symbols: tuple[str, ...], axis: TimeAxis, pick: Callable[[Any], Any], goes_on: frozenset[str]
    ) -> PriceHistory:
        columns = (self.open_micros, self.high_micros, self.low_micros, self.volume)
        optional = [None if array is None else pick(array) for array in columns]
        return PriceHistory(symbols, axis, pick(self.close_micros), pick(self.present), *optional, goes_on=goes_on)


def as_floats(micros: Integers, present: NDArray[np.bool_]) -> Floats:
    """Prices in dollars for statistics: float64 of the same shape, NaN where a bar is missing."""
    return np.where(present, micros / MICROS, np.nan)


def simple_returns(closes: Floats) -> Floats:
    """What each row of closes gained over the row before: [T - 1, N], NaN where either is missing."""
    return closes[1:] / closes[:-1] - 1
