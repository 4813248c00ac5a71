"""Users' own prices: CSV and Parquet files, checked to the last cell before anything is believed.

A file has one of three shapes, which its header tells: bars of several symbols (``date, symbol, open, high,
low, close, volume``), bars of one symbol (the same without ``symbol``), or closes of several symbols side by
side (``date, AAPL, MSFT``). A file with one bad row is refused as a whole, with the places of its faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import UNKNOWN_VOLUME, Integers, PriceHistory, dollars
from quant_trading_system.market.price_cells import (
    MAX_DECIMALS,
    Flaws,
    TimeKind,
    Times,
    read_prices,
    read_times,
    read_volumes,
    require_timezone,
    to_local,
    to_utc,
)
from quant_trading_system.market.price_file import Layout, PriceFile, is_symbol, read_layout, read_price_file
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
    usual_span,
)

MOST_CELLS = 200_000_000
"""Bars times symbols that a history may hold."""

_TICKER = re.compile(r"[A-Za-z]{1,5}([.-][A-Za-z]{1,2})?")
_ENDING = re.compile(r"\.(csv|csv\.gz|parquet)$", re.IGNORECASE)
_SATURDAY = 5
_CALENDAR_MARGIN = timedelta(days=14)


class _Table(NamedTuple):
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


def load_prices(
    path: str | Path,
    *,
    symbol: str | None = None,
    timestamps: TimestampsAre = "start",
    timezone: str | None = None,
    bar_span: timedelta | None = None,
    calendar: Calendar | None = None,
    adjusted: bool = False,
    decimals: int | None = None,
    sort: bool = False,
) -> PriceHistory:
    """Load the bars of a CSV (plain or gzip) or Parquet file.

    Times are ISO 8601. Dates alone, or midnights throughout, make daily bars; all else is intraday.

    Args:
        symbol: whose bars they are, for a file that does not say so; else the name of the file, ``AAPL.csv``.
        timestamps: whether intraday times are the ``start`` (as Alpaca writes them) or the ``end`` of a bar.
        timezone: of times that carry none, such as ``America/New_York``.
        bar_span: how long an intraday bar lasts; else the most common distance between bars.
        calendar: the sessions that dates are checked against; else those of the New York Stock Exchange.
        adjusted: take the column ``Adj Close`` for the close, and no other price.
        decimals: round prices to so many decimals (0 to 6), half to even; else more than six are refused.
        sort: accept rows in any order; else those of each symbol must rise.

    Raises:
        MarketDataError: the file cannot be trusted; names up to ten places with their faults and counts them all.
    """
    _require_options(timestamps, bar_span, decimals)
    if timezone is not None:
        require_timezone(timezone)
    file = read_price_file(Path(path))
    layout = read_layout(file, adjusted=adjusted)
    problems = Problems(file)
    times = read_times(file.cells[str(layout.time)])
    problems.add(layout.time, times.flaws)
    read_table = _wide_table if layout.wide else _bar_table
    table = read_table(file, layout, symbol, decimals, problems)
    problems.refuse_if_any()
    stamps = _stamps(file, layout, times, timezone, bar_span, problems)
    problems.refuse_if_any()
    market = _nyse_around(stamps) if calendar is None else calendar
    problems.add(layout.time, _closed_flaws(stamps, market))
    problems.add(layout.time, _order_flaws(stamps, table.codes, problems, sort=sort))
    problems.refuse_if_any()
    distinct, rows = np.unique(stamps, return_inverse=True)
    return _history(file, table, _axis(file, distinct, bar_span, timestamps, market), rows)


# -- the numbers ---------------------------------------------------------------------------------------------------


def _bar_table(file: PriceFile, layout: Layout, symbol: str | None, decimals: int | None, problems: Problems) -> _Table:
    symbols, codes = _symbols(file, layout, symbol, problems)
    values = {role: _prices(file, column, decimals, problems) for role, column in layout.prices.items()}
    if layout.volume is not None:
        values["volume"], flaws = read_volumes(file.cells[str(layout.volume)])
        problems.add(layout.volume, flaws)
    if "open" in values:
        _check_bars(layout, values, problems)
    return _Table(symbols, codes, codes, values)


def _wide_table(
    file: PriceFile, layout: Layout, symbol: str | None, decimals: int | None, problems: Problems
) -> _Table:
    if symbol is not None:
        raise _names_its_own_symbols(file)
    closes = np.zeros((len(file.cells), len(layout.wide)), dtype=np.int64)
    for number, column in enumerate(layout.wide.values()):
        closes[:, number], flaws = read_prices(file.cells[str(column)], decimals)
        problems.add(column, flaws | _gaps(file.cells[str(column)]))
    symbols = tuple(layout.wide)
    empty = [symbols[number] for number in np.flatnonzero(~closes.any(axis=0))]
    problems.refuse_if_any()
    if empty:
        raise MarketDataError(f"{file.name} has no price at all for {', '.join(empty)}; remove the column")
    return _Table(symbols, np.zeros(len(closes), dtype=np.int64), slice(None), {"close": closes})


def _gaps(cells: pl.Series) -> Flaws:
    """Empty cells between two prices; before its first and after its last price a symbol may not be listed."""
    known = cells.is_not_null().arg_true()
    if known.is_empty():
        return {}
    first, last = known[0], known[-1]
    why = "is empty between two prices; fill it in, or use a file with a column symbol, which may leave days out"
    return {row: why for row in cells.is_null().arg_true() if first < row < last}


def _symbols(
    file: PriceFile, layout: Layout, symbol: str | None, problems: Problems
) -> tuple[tuple[str, ...], Integers]:
    """The symbols in order of appearance, and the number of each row's symbol."""
    if layout.symbol is None:
        return (_only_symbol(file, symbol),), np.zeros(len(file.cells), dtype=np.int64)
    if symbol is not None:
        raise _names_its_own_symbols(file)
    cells = file.cells[str(layout.symbol)].str.to_uppercase()
    symbols = cells.unique(maintain_order=True).to_list()
    unusable = [name for name in symbols if not is_symbol(name)]
    flawed = cells.is_in(unusable, nulls_equal=True).arg_true()
    problems.add(layout.symbol, {row: "is empty" if cells[row] is None else "is not a symbol" for row in flawed})
    codes = cells.replace_strict(symbols, list(range(len(symbols))), return_dtype=pl.Int64)
    return tuple(symbols), codes.to_numpy()


def _only_symbol(file: PriceFile, symbol: str | None) -> str:
    stem = _ENDING.sub("", file.name)
    if symbol is None and not _TICKER.fullmatch(stem):
        raise MarketDataError(f'{file.name}: which symbol is this? Pass symbol="…" or call the file by its ticker')
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


def _stamps(
    file: PriceFile,
    layout: Layout,
    times: Times,
    timezone: str | None,
    bar_span: timedelta | None,
    problems: Problems,
) -> Stamps:
    """Dates (datetime64[D]) of daily bars, UTC (datetime64[us]) of intraday bars."""
    dates = None if bar_span is not None else _dates_of(times)
    if dates is not None:
        return dates
    if times.kind is TimeKind.AWARE:
        return times.utc
    if times.kind is TimeKind.DATE:
        raise MarketDataError(f"{file.name}: dates without a time are daily bars; leave bar_span out")
    if timezone is None:
        raise MarketDataError(
            f'{file.name}: the times have no time zone; pass timezone="America/New_York", or the one they are in'
        )
    utc, flaws = to_utc(times.local, timezone)
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


def _is_daily(stamps: Stamps) -> bool:
    return stamps.dtype == np.dtype("datetime64[D]")


def _nyse_around(stamps: Stamps) -> Calendar:
    first, last = (stamp.astype("datetime64[D]").item() for stamp in (stamps.min(), stamps.max()))
    return TradingCalendar.nyse(first - _CALENDAR_MARGIN, last + _CALENDAR_MARGIN)


def _closed_flaws(stamps: Stamps, calendar: Calendar) -> Flaws:
    """Rows on days without a session."""
    if _is_daily(stamps):
        closed = np.isin(stamps, np.array(closed_dates(np.unique(stamps), calendar), dtype="datetime64[D]"))
    else:
        closed = outside_trading_days(stamps, calendar)
    days = stamps[closed].astype("datetime64[D]").tolist()
    return {row: _why_closed(day) for row, day in zip(closed.nonzero()[0].tolist(), days, strict=True)}


def _why_closed(day: date) -> str:
    return f"is a {day:%A}: the exchange is closed" + ("" if day.weekday() >= _SATURDAY else " on this day")


def _order_flaws(stamps: Stamps, codes: Integers, problems: Problems, *, sort: bool) -> Flaws:
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


def _axis(
    file: PriceFile, stamps: Stamps, bar_span: timedelta | None, timestamps: TimestampsAre, calendar: Calendar
) -> TimeAxis:
    if _is_daily(stamps):
        return daily_axis(stamps, calendar)
    span = bar_span or usual_span(stamps)
    if span is None:
        raise MarketDataError(f"{file.name} has one bar; tell how long it lasts with bar_span=timedelta(minutes=1)")
    try:
        return intraday_axis(stamps, span, timestamps, calendar)
    except MarketDataError as error:
        raise MarketDataError(f"{file.name}: {error}") from error


# -- all together --------------------------------------------------------------------------------------------------


def _history(file: PriceFile, table: _Table, axis: TimeAxis, rows: Integers) -> PriceHistory:
    shape = (len(axis.ends), len(table.symbols))
    if shape[0] * shape[1] > MOST_CELLS:
        raise MarketDataError(f"{file.name}: {shape[0]} times of {shape[1]} symbols are too many; split the file")
    grids = {role: np.zeros(shape, dtype=np.int64) for role in table.values}
    if "volume" in grids:
        grids["volume"].fill(UNKNOWN_VOLUME)
    for role, values in table.values.items():
        grids[role][rows, table.columns] = values
    return PriceHistory(
        table.symbols,
        axis,
        grids["close"],
        grids["close"] > 0,
        grids.get("open"),
        grids.get("high"),
        grids.get("low"),
        grids.get("volume"),
    )


def _require_options(timestamps: str, bar_span: timedelta | None, decimals: int | None) -> None:
    if timestamps not in ("start", "end"):
        raise MarketDataError(f'timestamps is {timestamps!r}; it must be "start" or "end"')
    if bar_span is not None and bar_span <= timedelta(0):
        raise MarketDataError(f"bar_span is {bar_span}; a bar lasts longer than nothing")
    if decimals is not None and not 0 <= decimals <= MAX_DECIMALS:
        raise MarketDataError(f"decimals is {decimals}; it must be 0 to {MAX_DECIMALS}")
