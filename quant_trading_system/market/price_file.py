"""Price files as text: what a CSV or Parquet file holds, cell by cell, and what its columns mean.

Nothing is turned into a number here. Text is exact, and a message can quote what stands in the file.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import polars as pl

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.core.instruments import is_symbol
from quant_trading_system.market.price_sources import CSV, PARQUET, Source

LINE = "line of the file"
"""The column of a text frame that holds the line number (CSV: the header is line 1) or row number (Parquet)."""

_ROLES: Mapping[str, str] = {
    "date": "time",
    "timestamp": "time",
    "time": "time",
    "datetime": "time",
    "symbol": "symbol",
    "ticker": "symbol",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "vol": "volume",
    "adj close": "adjusted close",
    "adjclose": "adjusted close",
    "adjusted close": "adjusted close",
}
_LETTERS: Mapping[str, str] = {
    "t": "time",
    "s": "symbol",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
}
_INDEX = ("", "index level 0")
"""How pandas calls the dates of an unnamed index, in CSV and in Parquet."""
_BAR = ("open", "high", "low", "close")

_MEMORY_FOR_TEXT = 6
"""Bytes of memory for every byte of a CSV file, as measured; each cell is looked at as text."""


class PriceFile(NamedTuple):
    """The cells of a file as text.

    Attributes:
        name: of the file, for messages.
        header: the names of the columns as they are written; column i of `cells` is called ``str(i)``.
        cells: text, null where empty, spaces stripped; one more column, `LINE`, tells where a row stands.
        row_word: what a number in `LINE` counts: ``line`` or ``row``.
    """

    name: str
    header: list[str]
    cells: pl.DataFrame
    row_word: str


class Layout(NamedTuple):
    """Which column holds what, by number. Either `prices` has a close, or `wide` has a column per symbol."""

    time: int
    symbol: int | None
    prices: dict[str, int]
    volume: int | None
    wide: dict[str, int]

    @property
    def columns(self) -> list[int]:
        """The numbers of all columns that are read."""
        used = [self.time, *self.prices.values(), *self.wide.values()]
        return used + [number for number in (self.symbol, self.volume) if number is not None]


def read_price_file(path: Path, name: str = "") -> PriceFile:
    """All cells of a CSV (plain or gzip) or Parquet file as text.

    Args:
        name: of the file in messages; by default the one that it has.

    Raises:
        MarketDataError: there is no such file, it is neither of the two, damaged, empty, or larger than memory.
    """
    source = Source(path, name or path.name)
    if not path.is_file():
        raise MarketDataError(f"{path}: no such file")
    if not path.name.lower().endswith((*CSV, PARQUET)):
        raise MarketDataError(f"{source.name}: prices are read from .csv, .csv.gz and .parquet files")
    with reading(source):
        file = _read_parquet(source) if source.is_parquet else _read_csv(source)
    if file.cells.is_empty():
        raise MarketDataError(f"{source.name} has no rows of prices")
    return file


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Name the file when it cannot be read.

    Raises:
        MarketDataError: in place of what polars, Python and the system raise for damaged and missing files.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise MarketDataError(f"{source.name} is not UTF-8 text; save it as CSV in UTF-8") from error
    except (pl.exceptions.PolarsError, OSError, EOFError, csv.Error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MarketDataError(f"{source.name} cannot be read: {reason}") from error


def read_layout(file: PriceFile, *, adjusted: bool) -> Layout:
    """Find out from the header which of the three shapes a file has.

    Args:
        adjusted: take the adjusted close, and no other price.

    Raises:
        MarketDataError: a column is missing, appears twice, or is probably misspelt.
    """
    if len(file.header) < 2:
        raise _one_column(file.name, file.header[0])
    names = [" ".join(name.lower().replace("_", " ").split()) for name in file.header]
    columns = _columns_by_role(file, _roles_of(names))
    if "time" not in columns:
        raise _missing(file, "time", 'a column "date", "timestamp", "time" or "datetime"', names)
    if adjusted:
        columns = _adjusted(file, columns)
    if _is_wide(columns):
        return Layout(columns["time"], None, {}, None, _symbols_of(file, columns, names))
    return _bars_layout(file, columns, names)


def _read_csv(source: Source) -> PriceFile:
    path = source.path
    needed, there = _MEMORY_FOR_TEXT * path.stat().st_size, memory_of_this_machine()
    if needed > there:
        raise MarketDataError(
            f"{source.name} would take about {needed / 1e9:,.0f} GB of memory, and this machine has "
            f"{there / 1e9:,.0f}; write it as Parquet, or divide it into the files of a directory"
        )
    try:
        table = pl.read_csv(path, has_header=False, infer_schema=False, glob=False)
    except pl.exceptions.ComputeError:
        _refuse_ragged(source)
        raise
    if table.to_series(-1).null_count():
        _refuse_ragged(source)  # polars fills short lines up with empty cells
    table = _tidy(table, first_line=1)
    header = [cell or "" for cell in table.row(0)[:-1]] if len(table) else [""]
    return PriceFile(source.name, header, table.slice(1), "line")


def memory_of_this_machine() -> int:
    """All of it, in bytes, whether or not it is free."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _refuse_ragged(source: Source) -> None:
    opened = gzip.open if source.name.lower().endswith(".gz") else open
    with opened(source.path, "rt", encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        width = 0
        for cells in reader:
            if cells and not width and len(cells) == 1:
                raise _one_column(source.name, cells[0])
            width = width or len(cells)
            if cells and len(cells) != width:
                where = f"{source.name}, line {reader.line_num}"
                raise MarketDataError(f"{where}: the header has {width} cells, but this line {len(cells)}")


def _one_column(name: str, header: str) -> MarketDataError:
    return MarketDataError(
        f"{name} has one column only, {header!r}; the first line names the columns, separated by commas"
    )


def _read_parquet(source: Source) -> PriceFile:
    table = pl.read_parquet(source.path, glob=False, hive_partitioning=False)
    header = [name.strip() for name in table.columns]
    table = table.select(_as_text(name, dtype) for name, dtype in table.schema.items())
    return PriceFile(source.name, header, _tidy(table, first_line=1), "row")


def scan(path: Path) -> pl.LazyFrame:
    """A Parquet file before anything is read; its name is taken as it is, without patterns."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def parquet_header(source: Source) -> tuple[PriceFile, int]:
    """The header of a Parquet file, with no row, and how many rows there are."""
    table = scan(source.path)
    header = [name.strip() for name in table.collect_schema()]
    return PriceFile(source.name, header, pl.DataFrame(), "row"), int(table.select(pl.len()).collect().item())


def parquet_part(source: Source, first: int, rows: int, columns: Iterable[int]) -> PriceFile:
    """Some rows of a Parquet file: numbers and times as they are, all else as text.

    Args:
        columns: numbers of those wanted.
    """
    table = scan(source.path).slice(first, rows)
    schema = list(table.collect_schema().items())
    cells = table.select(_as_it_is(*schema[number]).alias(str(number)) for number in columns).collect()
    lines = pl.int_range(first + 1, first + 1 + len(cells), eager=True).alias(LINE)
    return PriceFile(source.name, [name.strip() for name, _ in schema], cells.with_columns(lines), "row")


def _as_it_is(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.Float64 or dtype.is_integer() or isinstance(dtype, pl.Datetime):
        return pl.col(name)
    return _as_text(name, dtype).str.strip_chars().replace("", None)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        zone = "" if dtype.time_zone is None else "Z"
        utc = column if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
        return utc.dt.strftime(f"%Y-%m-%d %H:%M:%S%.9f{zone}")
    return column.cast(pl.String)


def _tidy(table: pl.DataFrame, first_line: int) -> pl.DataFrame:
    """Number columns and lines, strip spaces, make empty cells null, and leave blank lines out."""
    table = table.rename({name: str(number) for number, name in enumerate(table.columns)})
    stripped = table.select(pl.all().str.strip_chars().replace("", None))
    is_blank = stripped.select(pl.all_horizontal(pl.all().is_null())).to_series()
    numbers = pl.Series(LINE, range(first_line, first_line + len(table)))
    return stripped.with_columns(numbers).filter(~is_blank)


def _roles_of(names: list[str]) -> list[str | None]:
    """The role of each column. Single letters count only as a full set, for C, H, L and V are tickers, too."""
    roles = [_ROLES.get(name) for name in names]
    if {"o", "h", "l", "c"} <= set(names):
        roles = [role or _LETTERS.get(name) for role, name in zip(roles, names, strict=True)]
    unnamed = [number for number, name in enumerate(names) if name in _INDEX]
    if "time" not in roles and unnamed:
        roles[unnamed[0]] = "time"
    return roles


def _columns_by_role(file: PriceFile, roles: list[str | None]) -> dict[str, int]:
    columns: dict[str, int] = {}
    for number, role in enumerate(roles):
        if role is None:
            continue
        if role in columns:
            first, second = file.header[columns[role]], file.header[number]
            raise MarketDataError(f"{file.name}: columns {first!r} and {second!r} both mean the {role}; remove one")
        columns[role] = number
    return columns


def _adjusted(file: PriceFile, columns: dict[str, int]) -> dict[str, int]:
    if "adjusted close" not in columns:
        raise MarketDataError(f"{file.name}: no adjusted close among the columns {', '.join(file.header)}")
    kept = {role: number for role, number in columns.items() if role in ("time", "symbol", "volume")}
    return {**kept, "close": columns["adjusted close"]}


def _is_wide(columns: Mapping[str, int]) -> bool:
    """LOW and OPEN are tickers; a file of bars has a close, or more than one of the words."""
    words = sum(role in columns for role in ("open", "high", "low"))
    return "close" not in columns and "symbol" not in columns and words < 2


def _symbols_of(file: PriceFile, columns: Mapping[str, int], names: list[str]) -> dict[str, int]:
    if "volume" in columns or "adjusted close" in columns:
        raise _missing(file, "close", 'a column "close"', names)
    symbols: dict[str, int] = {}
    for number, name in enumerate(file.header):
        if number == columns["time"]:
            continue
        if not is_symbol(name):
            raise MarketDataError(f"{file.name}: column {number + 1} is called {name!r}, which is not a symbol")
        symbol = name.upper()
        if symbol in symbols:
            raise MarketDataError(f"{file.name}: there are two columns {symbol!r}; remove one")
        symbols[symbol] = number
    return symbols


def _bars_layout(file: PriceFile, columns: dict[str, int], names: list[str]) -> Layout:
    wanted = _BAR if any(role in columns for role in ("open", "high", "low")) else ("close",)
    for role in wanted:
        if role not in columns:
            raise _missing(file, role, f'a column "{role}"', names)
    _refuse_misspelt(file, columns, names)
    prices = {role: columns[role] for role in wanted}
    return Layout(columns["time"], columns.get("symbol"), prices, columns.get("volume"), {})


def _refuse_misspelt(file: PriceFile, columns: Mapping[str, int], names: list[str]) -> None:
    """Columns that mean nothing to us are left out, but not one that was meant to be a price."""
    absent = [role for role in (*_BAR, "volume", "symbol") if role not in columns]
    used = set(columns.values())
    for number, name in enumerate(names):
        near = get_close_matches(name, absent, 1, 0.8) if number not in used else []
        if near and name not in _ROLES:
            raise MarketDataError(
                f"{file.name}: column {file.header[number]!r} is not known; did you mean {near[0]!r}?"
            )


def _missing(file: PriceFile, role: str, what: str, names: list[str]) -> MarketDataError:
    words = [word for word, meaning in _ROLES.items() if meaning == role]
    near = [file.header[number] for number, name in enumerate(names) if get_close_matches(name, words, 1, 0.6)]
    hint = f"; the nearest is {near[0]!r}" if near else ""
    return MarketDataError(f"{file.name} needs {what}; it has {', '.join(map(repr, file.header))}{hint}")
