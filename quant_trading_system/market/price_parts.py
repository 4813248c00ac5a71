"""One file of prices, part by part: where and whose the rows of each part are, and what kind of file it is.

A part of a Parquet file has a number of rows; a CSV file is one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import gcd
from typing import NamedTuple

import numpy as np

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.wording import first_few
from quant_trading_system.market.history import Integers
from quant_trading_system.market.price_cells import read_times
from quant_trading_system.market.price_file import (
    Layout,
    PriceFile,
    parquet_header,
    parquet_part,
    read_layout,
    read_price_file,
    reading,
)
from quant_trading_system.market.price_problems import Problems
from quant_trading_system.market.price_sources import Source
from quant_trading_system.market.price_steps import Options, is_daily, read_stamps, read_symbols
from quant_trading_system.market.time_axis import Stamps, distinct, usual_span

ROWS_AT_ONCE = 1_000_000
"""Rows of a Parquet file in one part."""
_HOUR = 3_600_000_000
_MOST_NAMED = 5
_TIMES_FOR_PACE = 10_000
_ENOUGH_BARS = 30
"""So many bars are not all five minutes apart by chance, when they are bars of one minute."""


class Part(NamedTuple):
    """Some rows of a file.

    Attributes:
        file: their cells: all that are read, or times and symbols only.
        problems: of these rows.
        stamps: the time of each row, [R].
        symbols: whose rows they are; of closes side by side the symbols of the columns.
        codes: number of each row's symbol, [R]; all 0 where a row concerns every symbol.
    """

    file: PriceFile
    layout: Layout
    problems: Problems
    stamps: Stamps
    symbols: tuple[str, ...]
    codes: Integers


class Pace(NamedTuple):
    """At which times intraday bars begin, or end.

    Attributes:
        usual: the most common distance between them.
        common: the longest time that all distances are multiples of, in microseconds.
        first: the first one, in microseconds of UTC.
    """

    usual: timedelta
    common: int
    first: int

    def lasts_like(self, other: Pace) -> bool:
        """False for bars of other lengths; bars that are missing change one of the two distances, but not both."""
        return self.usual == other.usual or self.common == other.common

    def falls_with(self, other: Pace) -> bool:
        """False when one begins in the middle of bars of the other; clocks change by hours."""
        return (self.first - other.first) % gcd(self.common, other.common, _HOUR) == 0


class Kind(NamedTuple):
    """What files must have in common to be read together.

    Attributes:
        columns: what they tell, in words; the symbols of closes side by side.
        roles: what is known of each bar: ``close``, ``open``, ``volume`` and so on.
        pace: None where bars are daily or few.
    """

    name: str
    columns: tuple[str, ...]
    roles: tuple[str, ...]
    is_daily: bool
    pace: Pace | None

    def require_like(self, other: Kind) -> None:
        """Refuse two files that do not go together.

        Raises:
            MarketDataError: other columns, daily and intraday bars, or bars of another length or at other times.
        """
        self._require_columns_of(other)
        other._require_columns_of(self)
        if self.is_daily is not other.is_daily:
            mine, its = ("daily" if kind.is_daily else "intraday" for kind in (self, other))
            raise MarketDataError(
                f"{self.name} has {mine} bars, but {other.name} has {its} ones; keep them in directories of their own"
            )
        if self.pace is None or other.pace is None:
            return
        mine, its = (f"{pace.usual.total_seconds():g} s" for pace in (self.pace, other.pace))
        if not self.pace.lasts_like(other.pace):
            raise MarketDataError(
                f"{self.name} has bars of {mine}, but {other.name} of {its}; keep them in directories of their own"
            )
        if not self.pace.falls_with(other.pace):
            raise MarketDataError(
                f"the bars of {self.name} begin in the middle of those of {other.name}, of {its} each"
            )

    def _require_columns_of(self, other: Kind) -> None:
        missing = [name for name in other.columns if name not in self.columns]
        if missing:
            raise MarketDataError(
                f"{self.name} has no column {first_few(missing, _MOST_NAMED)}, but {other.name} has; "
                "files that are read together have the same"
            )


class SourceReader:
    """Reads one file as often as needed."""

    def __init__(self, source: Source, options: Options) -> None:
        self.source = source
        self._options = options
        self._is_daily: bool | None = None
        self._rows: int | None = None

    def parts(self, *, places_only: bool) -> Iterator[Part]:
        """All rows in order.

        Args:
            places_only: read no more of a Parquet file than times and symbols.

        Raises:
            MarketDataError: the file cannot be read, times and symbols have flaws, or there are not as many rows as
                when it was read before.
        """
        rows = 0
        for file, layout in self._files(places_only=places_only):
            rows += len(file.cells)
            yield self._part(file, layout)
        if self._rows not in (None, rows):
            raise changed(self.source.name)
        self._rows = rows

    def _files(self, *, places_only: bool) -> Iterator[tuple[PriceFile, Layout]]:
        if not self.source.is_parquet:
            file = read_price_file(self.source.path, self.source.name)
            yield file, read_layout(file, adjusted=self._options.adjusted)
            return
        with reading(self.source):
            header, length = parquet_header(self.source)
        layout = read_layout(header, adjusted=self._options.adjusted)
        if not length:
            raise MarketDataError(f"{self.source.name} has no rows of prices")
        places = [layout.time] if layout.symbol is None else [layout.time, layout.symbol]
        for first in range(0, length, ROWS_AT_ONCE):
            with reading(self.source):
                file = parquet_part(self.source, first, ROWS_AT_ONCE, places if places_only else layout.columns)
            yield file, layout

    def _part(self, file: PriceFile, layout: Layout) -> Part:
        problems = Problems(file)
        times = read_times(file.cells[str(layout.time)])
        problems.add(layout.time, times.flaws)
        symbols, codes = self._symbols(file, layout, problems)
        problems.refuse_if_any()
        intraday = self._is_daily is False
        stamps = read_stamps(file, layout, times, self._options, problems, intraday=intraday)
        problems.refuse_if_any()
        if self._is_daily is None:
            self._is_daily = is_daily(stamps)
        if self._is_daily is not is_daily(stamps):
            raise MarketDataError(f"{file.name}: dates come first and times of day after {problems.line_of(0)}")
        return Part(file, layout, problems, stamps, symbols, codes)

    def _symbols(self, file: PriceFile, layout: Layout, problems: Problems) -> tuple[tuple[str, ...], Integers]:
        named = self.source.symbol
        if layout.symbol is None:
            given = None if self._options.symbol is None else self._options.symbol.upper()
            if named is not None and given not in (None, named):
                raise MarketDataError(f"{file.name} has bars of {named}, not of {given}")
            return read_symbols(file, layout, given or named, problems)
        symbols, codes = read_symbols(file, layout, self._options.symbol, problems)
        problems.refuse_if_any()
        if named is not None and symbols != (named,):
            raise MarketDataError(f"{file.name} has bars of {', '.join(symbols[:10])}, not of {named} alone")
        return symbols, codes


def changed(name: str) -> MarketDataError:
    """The refusal of a file that is not what it was when its times and symbols were read."""
    return MarketDataError(f"{name} changed while it was read; try again when nobody writes it")


def kind_of(part: Part) -> Kind:
    """The kind of the file whose first part this is."""
    layout, daily = part.layout, is_daily(part.stamps)
    roles = ("close",) if layout.wide else (*layout.prices, *(["volume"] if layout.volume is not None else []))
    columns = tuple(layout.wide) or (*(["symbol"] if layout.symbol is not None else []), *roles)
    return Kind(part.file.name, columns, roles, daily, None if daily else _pace(part.stamps))


def _pace(stamps: Stamps) -> Pace | None:
    times = distinct(stamps)[:_TIMES_FOR_PACE]
    usual = usual_span(times)
    if usual is None or len(times) < _ENOUGH_BARS:
        return None
    micros = times.astype("datetime64[us]").astype(np.int64)
    return Pace(usual, int(np.gcd.reduce(np.diff(micros))), micros.item(0))
