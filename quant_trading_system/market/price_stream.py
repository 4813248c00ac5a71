"""Many files, or large ones, read part by part: a year of minutes of 500 symbols needs no more memory than a part.

Every file is read twice: for its times and symbols, then for its numbers. Every cell passes the same checks as in a
small file; the first part with a flaw is the last one that is looked at. The order of files has no meaning: what they
hold together is what one file with all their rows would hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import Integers, PriceHistory
from quant_trading_system.market.price_file import scan
from quant_trading_system.market.price_grids import PriceGrids
from quant_trading_system.market.price_parts import Kind, Part, SourceReader, changed, kind_of
from quant_trading_system.market.price_places import (
    Moment,
    refuse_moments,
    refuse_repeats,
    repeated,
    require_rising,
)
from quant_trading_system.market.price_sources import PARQUET, price_sources
from quant_trading_system.market.price_steps import (
    GAP,
    Options,
    axis_of,
    closed_flaws,
    gaps,
    nyse_around,
    read_values,
    require_prices,
    require_room,
)
from quant_trading_system.market.scratch import in_file
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.market.time_axis import Stamps, distinct, united

LARGE = 4_000_000
"""Rows from which on a file is read in parts."""


def is_large(path: Path) -> bool:
    """True for a Parquet file of so many bars that it is read in parts; False also for what cannot be read."""
    if not (path.name.lower().endswith(PARQUET) and path.is_file()):
        return False
    try:
        return int(scan(path).select(pl.len()).collect().item()) > LARGE
    except (pl.exceptions.PolarsError, OSError):
        return False


def stream_prices(place: Path, options: Options) -> PriceHistory:
    """The history of a file of bars, or of the files of a directory, of which no more than a part is ever in memory.

    Raises:
        MarketDataError: a file cannot be trusted, files do not go together, or the disk has no room for the prices.
    """
    try:
        return _Stream(place, options).history()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise MarketDataError(f"{place.name} cannot be read: {str(error).splitlines()[0]}") from error


class _Survey(NamedTuple):
    """What the first reading has found.

    Attributes:
        stamps: every time, rising.
        kind: of all files.
        symbols_at_once: in a part, on average.
        is_wide: they are closes side by side.
    """

    stamps: Stamps
    kind: Kind
    symbols_at_once: float
    is_wide: bool


class _Stream:
    def __init__(self, place: Path, options: Options) -> None:
        self._name, self._options = place.name or str(place), options
        self._readers = [SourceReader(source, options) for source in price_sources(place)]
        self._numbers: dict[str, int] = {}  # of the symbols

    def history(self) -> PriceHistory:
        """All of it, in arrays that the system can put away."""
        survey = self._survey()
        stamps = survey.stamps
        calendar = self._options.calendar or nyse_around(stamps)
        self._require_open(stamps, calendar)
        axis = axis_of(self._name, stamps, self._options, calendar)
        shape = (len(stamps), len(self._numbers))
        require_room(self._name, shape)
        by_symbol = in_file(shape, np.int64) and 2 * survey.symbols_at_once < len(self._numbers)
        grids = PriceGrids(shape, survey.kind.roles, by_symbol=by_symbol)
        self._fill(stamps, grids)
        prices, present = grids.finished()
        if survey.is_wide:
            self._require_no_gaps(stamps, present)
        optional = (prices.get(role) for role in ("open", "high", "low", "volume"))
        return PriceHistory(tuple(self._numbers), axis, prices["close"], present, *optional)

    def _survey(self) -> _Survey:
        """Every time and symbol that the files know, and that the rows of each file are in order."""
        stamps: Stamps = np.zeros(0, dtype="datetime64[D]")
        kinds: list[Kind] = []
        parts: list[int] = []  # the symbols in each
        is_wide = False
        for reader in self._readers:
            latest: Stamps = np.zeros(0, dtype="datetime64[us]")
            for number, part in enumerate(reader.parts(places_only=True)):
                if number == 0:
                    _compare(kinds, kind_of(part))
                latest = self._in_order(part, latest)
                is_wide = bool(part.layout.wide)
                if is_wide:
                    refuse_repeats(self._readers, part, repeated(part.stamps) | np.isin(part.stamps, stamps))
                stamps = united(stamps, distinct(part.stamps))
                parts.append(len(part.symbols))
        if not is_wide:
            self._numbers = {symbol: number for number, symbol in enumerate(sorted(self._numbers))}
        return _Survey(stamps, kinds[0], sum(parts) / len(parts), is_wide)

    def _in_order(self, part: Part, latest: Stamps) -> Stamps:
        """The latest time of each symbol in the file after this part, by its number."""
        numbers = [self._numbers.setdefault(symbol, len(self._numbers)) for symbol in part.symbols]
        if self._options.sort:
            return latest
        codes = np.array(numbers, dtype=np.int64)[part.codes]
        latest = np.append(latest, np.full(len(self._numbers) - len(latest), np.datetime64("NaT"), latest.dtype))
        require_rising(part, codes, latest)
        latest[codes] = part.stamps
        return latest

    def _fill(self, stamps: Stamps, grids: PriceGrids) -> None:
        for reader in self._readers:
            for part in reader.parts(places_only=False):
                values = read_values(part.file, part.layout, self._options.decimals, part.problems)
                part.problems.refuse_if_any()
                times, symbols = self._places(part, stamps)
                if part.layout.wide:  # a row for all symbols becomes a number for each price
                    rows, columns = values["close"].nonzero()
                    grids.write(grids.cells(times[rows], symbols[columns]), {"close": values["close"][rows, columns]})
                    continue
                cells = grids.cells(times, symbols[part.codes])
                self._require_new(part, cells, grids)
                grids.write(cells, values)

    def _places(self, part: Part, stamps: Stamps) -> tuple[Integers, Integers]:
        """Where in the history the times of the rows and the symbols of a part are."""
        times = np.searchsorted(stamps, part.stamps)
        known = set(part.symbols) <= self._numbers.keys() and times.max() < len(stamps)
        if not known or not np.array_equal(stamps[times], part.stamps):
            raise changed(part.file.name)
        return times, np.array([self._numbers[symbol] for symbol in part.symbols], dtype=np.int64)

    def _require_new(self, part: Part, cells: Integers, grids: PriceGrids) -> None:
        """No row repeats another one. The rows of a file can do so only in any order, or they would not rise."""
        again = grids.taken(cells)
        if self._options.sort:
            again |= repeated(cells)
        refuse_repeats(self._readers, part, again)

    def _require_open(self, stamps: Stamps, calendar: Calendar) -> None:
        closed = {Moment(stamps[row], None): why for row, why in closed_flaws(stamps, calendar).items()}
        head = f"{self._name}: {len(closed)} times at which there is no trading, nothing was loaded"
        refuse_moments(self._readers, head, closed)

    def _require_no_gaps(self, stamps: Stamps, present: NDArray[np.bool_]) -> None:
        """Closes side by side leave no price out between two others, whichever files these are in."""
        require_prices(self._name, [symbol for symbol, number in self._numbers.items() if not present[:, number].any()])
        for symbol, number in self._numbers.items():
            missing = {Moment(stamps[row], None): GAP for row in gaps(present[:, number])}
            head = f"{self._name}: {len(missing)} prices of {symbol} are missing, nothing was loaded"
            refuse_moments(self._readers, head, missing)


def _compare(kinds: list[Kind], kind: Kind) -> None:
    """Note the kind of a file, which must go with the first one and the first one of which the pace is known."""
    for known in kinds:
        kind.require_like(known)
    if not kinds or (kind.pace is not None and all(known.pace is None for known in kinds)):
        kinds.append(kind)
