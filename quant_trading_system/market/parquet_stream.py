"""Large Parquet files, read part by part: a year of minute bars of 500 symbols needs no more memory than a part.

A file is read twice: for its times and symbols, then for its numbers. Every cell passes the same checks as in a
small file; the first part with a flaw is the last one that is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import Integers, PriceHistory
from quant_trading_system.market.price_cells import read_times
from quant_trading_system.market.price_file import Layout, PriceFile, parquet_header, parquet_part, read_layout
from quant_trading_system.market.price_problems import MOST_SHOWN, Problems
from quant_trading_system.market.price_steps import (
    Options,
    axis_of,
    closed_flaws,
    is_daily,
    nyse_around,
    order_flaws,
    read_stamps,
    read_symbols,
    read_table,
    require_room,
)
from quant_trading_system.market.scratch import put_away, scratch
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.time_axis import Stamps

LARGE = 4_000_000
"""Rows from which on a file is read in parts."""
ROWS_AT_ONCE = 1_000_000
"""Rows of the file in one part."""


def is_large(path: Path) -> bool:
    """True for a Parquet file of so many bars that it is read in parts; False also for what cannot be read."""
    if not (path.name.lower().endswith(".parquet") and path.is_file()):
        return False
    try:
        return int(pl.scan_parquet(path).select(pl.len()).collect().item()) > LARGE
    except (pl.exceptions.PolarsError, OSError):
        return False


def stream_prices(path: Path, options: Options) -> PriceHistory:
    """The history of a Parquet file of bars, of which no more than `ROWS_AT_ONCE` are ever in memory.

    Raises:
        MarketDataError: the file cannot be trusted, or the disk has no room for its prices.
    """
    try:
        return _Stream(path, options).history()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise MarketDataError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error


class _Stream:
    def __init__(self, path: Path, options: Options) -> None:
        self._path, self._options = path, options
        header, self._length = parquet_header(path)
        self._layout: Layout = read_layout(header, adjusted=options.adjusted)
        self._numbers: dict[str, int] = {}  # of the symbols
        self._is_daily: bool | None = None

    def history(self) -> PriceHistory:
        """All of it, in arrays that the system can put away."""
        stamps = self._survey()
        calendar = self._options.calendar or nyse_around(stamps)
        self._require_open(stamps, closed_flaws(stamps, calendar))
        axis = axis_of(self._path.name, stamps, self._options, calendar)
        shape = (len(stamps), len(self._numbers))
        require_room(self._path.name, shape)
        roles = [*self._layout.prices, *(["volume"] if self._layout.volume is not None else [])]
        grids = {role: scratch(shape, np.int64) for role in roles}
        present = scratch(shape, np.bool_)
        if "volume" in grids:
            grids["volume"][:] = UNKNOWN_VOLUME
        self._fill(stamps, grids, present)
        optional = (grids.get(role) for role in ("open", "high", "low", "volume"))
        return PriceHistory(tuple(self._numbers), axis, grids["close"], present, *optional)

    def _survey(self) -> Stamps:
        """Every time that the file knows, rising; the symbols, and that the rows of each are in order."""
        seen: list[Stamps] = []
        latest = np.zeros(0, dtype="datetime64[us]")
        columns = [self._layout.time] if self._layout.symbol is None else [self._layout.time, self._layout.symbol]
        for file in self._parts(columns):
            problems = Problems(file)
            stamps, codes = self._places(file, problems)
            latest = np.append(latest, np.full(len(self._numbers) - len(latest), np.datetime64("NaT"), latest.dtype))
            if not self._options.sort:
                self._require_rising(stamps, codes, latest, problems)
                latest[codes] = stamps
            seen.append(np.unique(stamps))
        return np.unique(np.concatenate(seen))

    def _fill(self, stamps: Stamps, grids: dict[str, Integers], present: NDArray[np.bool_]) -> None:
        width = len(self._numbers)
        known = present.reshape(-1)
        for file in self._parts(None):
            problems = Problems(file)
            own, codes = self._places(file, problems)
            table = read_table(file, self._layout, self._options, problems)
            problems.refuse_if_any()
            cells = np.searchsorted(stamps, own) * width + codes
            self._require_new(cells, known, problems)
            known[cells] = True
            for role, values in table.values.items():
                grids[role].reshape(-1)[cells] = values
            put_away(present, *grids.values())

    def _places(self, file: PriceFile, problems: Problems) -> tuple[Stamps, Integers]:
        """Time and symbol of each row of a part; times are of one kind throughout the file."""
        times = read_times(file.cells[str(self._layout.time)])
        problems.add(self._layout.time, times.flaws)
        symbols, codes = read_symbols(file, self._layout, self._options.symbol, problems)
        problems.refuse_if_any()
        stamps = read_stamps(
            file, self._layout, times, self._options, problems, intraday=self._is_daily is False
        )  # fmt: skip
        problems.refuse_if_any()
        if self._is_daily is None:
            self._is_daily = is_daily(stamps)
        if self._is_daily is not is_daily(stamps):
            raise MarketDataError(f"{file.name}: dates come first and times of day after {problems.line_of(0)}")
        places = [self._numbers.setdefault(symbol, len(self._numbers)) for symbol in symbols]
        return stamps, np.array(places, dtype=np.int64)[codes]

    def _require_rising(self, stamps: Stamps, codes: Integers, latest: Stamps, problems: Problems) -> None:
        """The times of each symbol rise, within a part and from one part to the next."""
        by_symbol = np.argsort(codes.astype(np.int32), kind="stable")
        within = (np.diff(stamps[by_symbol]) <= np.timedelta64(0)) & (np.diff(codes[by_symbol]) == 0)
        if within.any():
            problems.add(self._layout.time, order_flaws(stamps, codes, problems, sort=False))
        found, rows = np.unique(codes, return_index=True)
        late = rows[stamps[rows] <= latest[found]]  # false where nothing is known yet
        why = "does not come after the rows of its symbol before; sort the file by date or pass sort=True"
        problems.add(self._layout.time, dict.fromkeys(late.tolist(), why))
        problems.refuse_if_any()

    def _require_new(self, cells: Integers, known: NDArray[np.bool_], problems: Problems) -> None:
        """No row repeats another one; only rows in any order still can."""
        if not self._options.sort:
            return
        found, first = np.unique(cells, return_index=True)
        again = np.setdiff1d(np.arange(len(cells)), first) if len(found) < len(cells) else np.flatnonzero(known[cells])
        problems.add(self._layout.time, dict.fromkeys(again.tolist(), "repeats an earlier row"))
        problems.refuse_if_any()

    def _require_open(self, stamps: Stamps, flaws: dict[int, str]) -> None:
        if flaws:
            shown = [f"{stamps[place]} {why}" for place, why in list(flaws.items())[:MOST_SHOWN]]
            head = f"{self._path.name}: {len(flaws)} times at which there is no trading, nothing was loaded"
            raise MarketDataError("\n  ".join([head, *shown]))

    def _parts(self, columns: list[int] | None) -> Iterator[PriceFile]:
        for first in range(0, self._length, ROWS_AT_ONCE):
            yield parquet_part(self._path, first, ROWS_AT_ONCE, columns)
