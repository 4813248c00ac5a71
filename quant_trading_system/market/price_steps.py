"""The steps in which a price file becomes a history: its symbols, numbers and times, each checked to the last cell.

`loading` takes them for a whole file, `price_stream` for one part of many or large files after the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError, UnnamedPrices
from quant_trading_system.core.instruments import is_symbol
from quant_trading_system.market.history import Integers, dollars
from quant_trading_system.market.price_cells import (
    MAX_DECIMALS,
    Flaws,
    TimeKind,
    Times,
    read_prices,
    read_volumes,
    require_timezone,
    to_local,
    to_utc,
)
from quant_trading_system.market.price_file import Layout, PriceFile
from quant_trading_system.market.price_problems import Problems
from quant_trading_system.market.sessions import NEW_YORK, Calendar, TradingCalendar
from quant_trading_system.market.time_axis import (
    Stamps,
    TimeAxis,
    TimestampsAre,
    closed_dates,
    daily_axis,
    intraday_axis,
    outside_trading_days,
    require_in_session,
    usual_span,
)

MOST_CELLS = 200_000_000
"""Bars times symbols that a history may hold."""

GAP = "is empty between two prices; fill it in, or use a file with a column symbol, which may leave days out"

_TICKER = re.compile(r"[A-Za-z]{1,5}([.-][A-Za-z]{1,2})?")
_ENDING = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)
_SATURDAY = 5
_CALENDAR_MARGIN = timedelta(days=14)


class Options(NamedTuple):
    """How a file is to be read; see `loading.load_prices`."""

    symbol: str | None
    timestamps: TimestampsAre
    timezone: str | None
    bar_span: timedelta | None
    calendar: Calendar | None
    adjusted: bool
    decimals: int | None
    sort: bool

    def require(self) -> None:
        """Refuse what no file could be read by.

        Raises:
            MarketDataError: an option is out of range.
        """
        if self.timestamps not in ("start", "end"):
            raise MarketDataError(f'timestamps is {self.timestamps!r}; it must be "start" or "end"')
        if self.bar_span is not None and self.bar_span <= timedelta(0):
            raise MarketDataError(f"bar_span is {self.bar_span}; a bar lasts longer than nothing")
        if self.decimals is not None and not 0 <= self.decimals <= MAX_DECIMALS:
            raise MarketDataError(f"decimals is {self.decimals}; it must be 0 to {MAX_DECIMALS}")
        if self.timezone is not None:
            require_timezone(self.timezone)


class Table(NamedTuple):
    """The sound numbers of a file with R rows.

    Attributes:
        codes: number of each row's symbol, [R]; all 0 where a row concerns every symbol.
        columns: where in the second dimension of the history the values of the rows belong.
        values: micro-dollars and shares by role, [R], or [R, N] where a row concerns every symbol.
    """

    symbols: tuple[str, ...]
    codes: Integers
    columns: Integers | slice
    values: dict[str, Integers]


# -- the numbers ---------------------------------------------------------------------------------------------------


def read_table(file: PriceFile, layout: Layout, options: Options, problems: Problems) -> Table:
    """The symbols and numbers of a file; flaws are noted among the `problems`, and their numbers mean nothing.

    Raises:
        MarketDataError: the file names no symbol, or names its own beside the one asked for.
    """
    symbols, codes = read_symbols(file, layout, options.symbol, problems)
    values = read_values(file, layout, options.decimals, problems)
    return Table(symbols, codes, slice(None) if layout.wide else codes, values)


def read_values(file: PriceFile, layout: Layout, decimals: int | None, problems: Problems) -> dict[str, Integers]:
    """The numbers of a file as in `Table`; flaws are noted among the `problems`, and their numbers mean nothing."""
    if layout.wide:
        return {"close": _closes_side_by_side(file, layout, decimals, problems)}
    values = {role: _prices(file, column, decimals, problems) for role, column in layout.prices.items()}
    if layout.volume is not None:
        values["volume"], flaws = read_volumes(file.cells[str(layout.volume)])
        problems.add(layout.volume, flaws)
    if "open" in values:
        _check_bars(layout, values, problems)
    return values


def _closes_side_by_side(file: PriceFile, layout: Layout, decimals: int | None, problems: Problems) -> Integers:
    closes = np.zeros((len(file.cells), len(layout.wide)), dtype=np.int64)
    for number, column in enumerate(layout.wide.values()):
        closes[:, number], flaws = read_prices(file.cells[str(column)], decimals)
        problems.add(column, flaws)
    return closes


def require_no_gaps(file: PriceFile, layout: Layout, problems: Problems) -> None:
    """Refuse cells without a price between two prices, and columns without any.

    Raises:
        MarketDataError: there are such cells, or other problems that were noted before.
    """
    known = {symbol: file.cells[str(column)].is_not_null().to_numpy() for symbol, column in layout.wide.items()}
    for symbol, column in layout.wide.items():
        problems.add(column, dict.fromkeys(gaps(known[symbol]).tolist(), GAP))
    problems.refuse_if_any()
    require_prices(file.name, [symbol for symbol, rows in known.items() if not rows.any()])


def gaps(known: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Rows without a price between two prices; before its first and after its last price a symbol may not be listed."""
    rows = np.flatnonzero(known)
    missing = np.flatnonzero(~known)
    return missing[(missing > rows[0]) & (missing < rows[-1])] if len(rows) else rows


def require_prices(name: str, empty: list[str]) -> None:
    """Refuse symbols that have a column and no price.

    Raises:
        MarketDataError: there are such symbols.
    """
    if empty:
        raise MarketDataError(f"{name} has no price at all for {', '.join(empty)}; remove the column")


def read_symbols(
    file: PriceFile, layout: Layout, symbol: str | None, problems: Problems
) -> tuple[tuple[str, ...], Integers]:
    """The symbols in the order of their names, and the number of each row's symbol; flaws are noted.

    Closes side by side have the symbols of their columns, and 0 for every row.

    Raises:
        MarketDataError: as `read_table`.
    """
    if layout.wide:
        if symbol is not None:
            raise _names_its_own_symbols(file)
        return tuple(layout.wide), np.zeros(len(file.cells), dtype=np.int64)
    if layout.symbol is None:
        return (_only_symbol(file, symbol),), np.zeros(len(file.cells), dtype=np.int64)
    if symbol is not None:
        raise _names_its_own_symbols(file)
    cells = file.cells[str(layout.symbol)].str.to_uppercase()
    symbols = cells.unique().sort().to_list()
    unusable = [name for name in symbols if not is_symbol(name)]
    flawed = cells.is_in(unusable, nulls_equal=True).arg_true()
    problems.add(layout.symbol, {row: "is empty" if cells[row] is None else "is not a symbol" for row in flawed})
    codes = cells.replace_strict(symbols, list(range(len(symbols))), return_dtype=pl.Int64)
    return tuple(symbols), codes.to_numpy()


def _only_symbol(file: PriceFile, symbol: str | None) -> str:
    stem = _ENDING.sub("", file.name.rpartition("/")[2])
    if symbol is None and not _TICKER.fullmatch(stem):
        raise UnnamedPrices(
            f'{file.name}: which symbol is this? Pass symbol="…", call the file by its ticker, or add a column symbol'
        )
    if symbol is not None and not is_symbol(symbol):
        raise MarketDataError(f"{symbol!r} is not a symbol")
    return (symbol or stem).upper()


def _names_its_own_symbols(file: PriceFile) -> MarketDataError:
    return MarketDataError(f"{file.name} names its own symbols; leave symbol= out and select() from the history")


def _prices(file: PriceFile, column: int, decimals: int | None, problems: Problems) -> Integers:
    cells = file.cells[str(column)]
    micros, flaws = read_prices(cells, decimals)
    problems.add(column, flaws | dict.fromkeys(cells.is_null().arg_true().to_list(), "is empty"))
    return micros


def _check_bars(layout: Layout, values: dict[str, Integers], problems: Problems) -> None:
    """The low is the lowest and the high the highest price; rows with a flawed price are left to their flaw."""
    low, high = values["low"], values["high"]
    sound = np.logical_and.reduce([values[role] > 0 for role in layout.prices])
    upside_down = sound & (high < low)
    _note(problems, layout.prices["high"], upside_down, lambda row: f"is below the low {dollars(low.item(row))}")
    for role in ("open", "close"):
        outside = sound & ~upside_down & ((values[role] < low) | (values[role] > high))
        _note(
            problems,
            layout.prices[role],
            outside,
            lambda row: f"lies outside the bar's low {dollars(low.item(row))} and high {dollars(high.item(row))}",
        )


def _note(problems: Problems, column: int, rows: NDArray[np.bool_], why: Callable[[int], str]) -> None:
    problems.add(column, {row: why(row) for row in rows.nonzero()[0].tolist()})


# -- the times -----------------------------------------------------------------------------------------------------


def read_stamps(
    file: PriceFile, layout: Layout, times: Times, options: Options, problems: Problems, *, intraday: bool = False
) -> Stamps:
    """Dates (datetime64[D]) of daily bars, UTC (datetime64[us]) of intraday bars; flaws are noted.

    Args:
        intraday: they are known to be intraday, even if every time is a midnight.

    Raises:
        MarketDataError: dates for intraday bars, or times without a time zone.
    """
    dates = None if intraday or options.bar_span is not None else _dates_of(times)
    if dates is not None:
        return dates
    if times.kind is TimeKind.AWARE:
        return times.utc
    if times.kind is TimeKind.DATE:
        raise MarketDataError(f"{file.name}: dates without a time are daily bars; leave bar_span out")
    if options.timezone is None:
        raise MarketDataError(
            f'{file.name}: the times have no time zone; pass timezone="America/New_York", or the one they are in'
        )
    utc, flaws = to_utc(times.local, options.timezone)
    problems.add(layout.time, flaws)
    return utc


def _dates_of(times: Times) -> Stamps | None:
    """The dates, when every time is midnight as it is written or in New York; else None."""
    if _all_midnight(times.local):
        return times.local.astype("datetime64[D]")
    if times.kind is TimeKind.AWARE:
        local = to_local(times.utc, NEW_YORK.key)
        return local.astype("datetime64[D]") if _all_midnight(local) else None
    return None


def _all_midnight(local: Stamps) -> bool:
    return bool((local == local.astype("datetime64[D]")).all())


def is_daily(stamps: Stamps) -> bool:
    """True for dates, False for moments."""
    return stamps.dtype == np.dtype("datetime64[D]")


def nyse_around(stamps: Stamps) -> Calendar:
    """The calendar of New York for these stamps and a fortnight on either side."""
    first, last = (stamp.astype("datetime64[D]").item() for stamp in (stamps.min(), stamps.max()))
    return TradingCalendar.nyse(first - _CALENDAR_MARGIN, last + _CALENDAR_MARGIN)


def closed_flaws(stamps: Stamps, calendar: Calendar) -> Flaws:
    """Rows on days without a session."""
    if is_daily(stamps):
        closed = np.isin(stamps, np.array(closed_dates(np.unique(stamps), calendar), dtype="datetime64[D]"))
    else:
        closed = outside_trading_days(stamps, calendar)
    days = stamps[closed].astype("datetime64[D]").tolist()
    return {row: _why_closed(day) for row, day in zip(closed.nonzero()[0].tolist(), days, strict=True)}


def _why_closed(day: date) -> str:
    return f"is a {day:%A}: the exchange is closed" + ("" if day.weekday() >= _SATURDAY else " on this day")


def order_flaws(stamps: Stamps, codes: Integers, problems: Problems, *, sort: bool) -> Flaws:
    """Rows that repeat another one, and, unless `sort`, rows that come too late."""
    by_time = np.lexsort((stamps, codes))
    same = (np.diff(stamps[by_time]) == np.timedelta64(0)) & (np.diff(codes[by_time]) == 0)
    pairs = zip(by_time[1:][same].tolist(), by_time[:-1][same].tolist(), strict=True)
    flaws = {row: f"repeats {problems.line_of(other)}" for row, other in pairs}
    if not sort:
        by_symbol = np.argsort(codes, kind="stable")
        late = (np.diff(stamps[by_symbol]) < np.timedelta64(0)) & (np.diff(codes[by_symbol]) == 0)
        why = "comes after a later time; sort the file by date or pass sort=True"
        flaws |= dict.fromkeys(by_symbol[1:][late].tolist(), why)
    return flaws


def axis_of(name: str, stamps: Stamps, options: Options, calendar: Calendar) -> TimeAxis:
    """When the bars of a file begin and end.

    Args:
        name: of the file; stamps: rising, distinct.

    Raises:
        MarketDataError: a single intraday bar without a span, bars that overlap, or times of another zone.
    """
    if is_daily(stamps):
        return daily_axis(stamps, calendar)
    span = options.bar_span or usual_span(stamps)
    if span is None:
        raise MarketDataError(f"{name} has one bar; tell how long it lasts with bar_span=timedelta(minutes=1)")
    try:
        axis = intraday_axis(stamps, span, options.timestamps, calendar)
        require_in_session(axis, calendar)
    except MarketDataError as error:
        raise MarketDataError(f"{name}: {error}") from error
    return axis


def require_room(name: str, shape: tuple[int, int]) -> None:
    """Refuse a history that would be too large.

    Raises:
        MarketDataError: more than `MOST_CELLS`.
    """
    if shape[0] * shape[1] > MOST_CELLS:
        raise MarketDataError(
            f"{name}: {shape[0]} times of {shape[1]} symbols are too many; take fewer symbols or days"
        )
