"""Users' own prices: CSV and Parquet files, checked to the last cell before anything is believed.

A file has one of three shapes, which its header tells: bars of several symbols (``date, symbol, open, high,
low, close, volume``), bars of one symbol (the same without ``symbol``), or closes of several symbols side by
side (``date, AAPL, MSFT``). Several files that belong together lie in a directory. A file with one bad row is
refused as a whole, with the places of its faults.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import Integers, PriceHistory
from quant_trading_system.market.price_cells import read_times
from quant_trading_system.market.price_file import PriceFile, read_layout, read_price_file
from quant_trading_system.market.price_problems import Problems
from quant_trading_system.market.price_steps import (
    Options,
    Table,
    axis_of,
    closed_flaws,
    nyse_around,
    order_flaws,
    read_stamps,
    read_table,
    require_no_gaps,
    require_room,
)
from quant_trading_system.market.price_stream import is_large, stream_prices
from quant_trading_system.market.session_volumes import UNKNOWN_VOLUME
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.market.time_axis import TimeAxis, TimestampsAre


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
    """Load the bars of a CSV (plain or gzip) or Parquet file, or of all such files in a directory.

    Files of a directory are of one kind and have the same columns. Each has one symbol, all have a column ``symbol``,
    or all have closes of the same symbols side by side; no two may tell of a symbol at the same time. The history is
    the one of a single file with all their rows.

    Times are ISO 8601. Dates alone, or midnights throughout, make daily bars; all else is intraday. Symbols are in
    the order of their names; of closes side by side, in that of the columns.

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
        MarketDataError: a file cannot be trusted; names up to ten places with their faults and counts them all. Or
            the files of a directory do not go together.
    """
    options = Options(symbol, timestamps, timezone, bar_span, calendar, adjusted, decimals, sort)
    options.require()
    if not str(path):
        raise MarketDataError("prices have no name; name a file, or . for the directory that you are in")
    place = Path(path)
    return stream_prices(place, options) if place.is_dir() or is_large(place) else _load(place, options)


def _load(path: Path, options: Options) -> PriceHistory:
    """A file that is looked at as a whole."""
    file = read_price_file(path)
    layout = read_layout(file, adjusted=options.adjusted)
    problems = Problems(file)
    times = read_times(file.cells[str(layout.time)])
    problems.add(layout.time, times.flaws)
    table = read_table(file, layout, options, problems)
    require_no_gaps(file, layout, problems)
    stamps = read_stamps(file, layout, times, options, problems)
    problems.refuse_if_any()
    market = nyse_around(stamps) if options.calendar is None else options.calendar
    problems.add(layout.time, closed_flaws(stamps, market))
    problems.add(layout.time, order_flaws(stamps, table.codes, problems, sort=options.sort))
    problems.refuse_if_any()
    distinct, rows = np.unique(stamps, return_inverse=True)
    return _history(file, table, axis_of(file.name, distinct, options, market), rows)


def _history(file: PriceFile, table: Table, axis: TimeAxis, rows: Integers) -> PriceHistory:
    shape = (len(axis.ends), len(table.symbols))
    require_room(file.name, shape)
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
