"""A Parquet file that is read in parts is the history that it is as a whole, and trades to the same journal."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market import price_parts, price_stream, scratch
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.loading import load_prices
from quant_trading_system.market.price_cells import read_prices
from tests.support.minute_bars import minute_bars
from tests.support.workloads import EmaCross, setup

SYMBOLS = ("KO", "PEP", "MSFT")


def table_of(history: PriceHistory) -> pl.DataFrame:
    """One row for each bar, by time and then symbol, as Alpaca writes them."""
    rows, columns = history.present.nonzero()
    arrays = {
        "open": history.open_micros, "high": history.high_micros, "low": history.low_micros,
        "close": history.close_micros,
    }  # fmt: skip
    starts = pl.Series(history.axis.starts[rows]).dt.replace_time_zone("UTC")
    prices = {name: array[rows, columns] / 1e6 for name, array in arrays.items() if array is not None}
    symbols = [history.symbols[column] for column in columns.tolist()]
    return pl.DataFrame({"timestamp": starts, "symbol": symbols, **prices, "volume": np.arange(len(rows))})


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Read files as if they were large, some rows at once, into arrays that lie in files."""

    def use(rows: int) -> None:
        monkeypatch.setattr(price_stream, "LARGE", 0)
        monkeypatch.setattr(price_parts, "ROWS_AT_ONCE", rows)
        monkeypatch.setattr(scratch, "IN_MEMORY", 0)
        monkeypatch.setattr(scratch, "CELLS_AT_ONCE", 100)

    return use


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    path = tmp_path / "bars.parquet"
    table_of(minute_bars(900, SYMBOLS, missing=0.1)).write_parquet(path, row_group_size=200)
    return path


@pytest.mark.parametrize("rows", [97, 500, 10**6])
@pytest.mark.parametrize("order", [["timestamp", "symbol"], ["symbol", "timestamp"]])
def test_parts_make_the_same_history(bars, in_parts, rows, order):
    pl.read_parquet(bars).sort(order).write_parquet(bars)
    whole = load_prices(bars)
    in_parts(rows)
    parts = load_prices(bars)
    assert (parts.symbols, parts.axis.span) == (whole.symbols, whole.axis.span)
    assert parts.fingerprint() == whole.fingerprint()
    assert np.array_equal(parts.returns(), whole.returns(), equal_nan=True)
    assert parts.select(["MSFT", "KO"]).fingerprint() == whole.select(["MSFT", "KO"]).fingerprint()


def test_parts_trade_to_the_same_journal(tmp_path, in_parts):
    path = tmp_path / "bars.parquet"
    table_of(minute_bars(500, SYMBOLS)).write_parquet(path)

    def head() -> tuple[int, str]:
        result = backtest(EmaCross(5, 15), load_prices(path), setup())
        return result.journal_entries, result.journal_head

    whole = head()
    in_parts(100)
    assert head() == whole
    assert whole[0] > 100


def test_daily_bars_in_any_order_with_sort(tmp_path, in_parts):
    path = tmp_path / "days.parquet"
    days = [date(2024, 1, 8) + timedelta(days=number) for number in range(5)] * 2
    table = pl.DataFrame({"date": days, "symbol": ["KO"] * 5 + ["PEP"] * 5, "close": [60, 61, 62, 63, 64] * 2})
    table.write_parquet(path)
    whole = load_prices(path)
    in_parts(3)
    assert load_prices(path).fingerprint() == whole.fingerprint()
    table.reverse().write_parquet(path)
    assert load_prices(path, sort=True).select(["KO", "PEP"]).fingerprint() == whole.fingerprint()
    with pytest.raises(MarketDataError, match="comes after a later time"):
        load_prices(path)
    pl.concat([table, table[:1]]).write_parquet(path)
    with pytest.raises(MarketDataError, match=r"row 11, date.*: repeats row 1"):
        load_prices(path, sort=True)


OPEN = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
FLAWS = {
    "nan": ({"close": float("nan")}, "row 8, close 'NaN': is NaN"),
    "digits": ({"close": 60.1234567}, "row 8, close '60.1234567': has more than 6 decimals"),
    "negative": ({"close": -1.0}, "row 8, close '-1.0': must be above zero"),
    "no price": ({"close": None}, "row 8, close: is empty"),
    "half a share": ({"volume": 0.5}, "row 8, volume '0.5': is not a whole number of shares"),
    "no time": ({"timestamp": None}, "row 8, timestamp: is empty"),
    "late": ({"timestamp": OPEN}, "row 8, timestamp .*: does not come after the rows of its symbol before"),
    "nanoseconds": ({"timestamp": OPEN.replace(year=1890)}, "is not a date such as"),
    "weekend": ({"timestamp": OPEN + timedelta(days=5)}, "1 times at which there is no trading"),
    "symbol": ({"symbol": "K O"}, "row 8, symbol 'K O': is not a symbol"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_a_flaw_in_a_later_part_is_found_where_it_stands(tmp_path, in_parts, name):
    change, message = FLAWS[name]
    row = {"symbol": "KO", "close": 60.25, "volume": 100.0}
    rows = [{"timestamp": OPEN + timedelta(minutes=number), **row} for number in range(8)]
    rows[7] |= change
    path = tmp_path / "bars.parquet"
    pl.DataFrame(rows, schema_overrides={"timestamp": pl.Datetime("us", "UTC")}).write_parquet(path)
    in_parts(7)
    with pytest.raises(MarketDataError, match=message):
        load_prices(path)


def test_whole_numbers_and_floats_of_six_decimals_are_exact(tmp_path, in_parts):
    prices = [0.000001, 0.1, 129.652, 999999999.999999, 12345.678901]
    path = tmp_path / "KO.parquet"
    stamps = [OPEN + timedelta(minutes=number) for number in range(len(prices))]
    for closes in (prices, [7, 10**9, 1, 2, 3]):
        pl.DataFrame({"timestamp": stamps, "close": closes}).write_parquet(path)
        in_parts(2)
        history = load_prices(path)
        found = [history.close("KO", bar) for bar in range(len(closes))]
        assert found == [Decimal(str(price)) if isinstance(price, float) else price for price in closes]


def test_a_full_disk_is_told_before_anything_is_loaded(bars, in_parts, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    in_parts(100)
    with pytest.raises(MarketDataError, match=r"has no room for .* GiB of prices .*TMPDIR"):
        load_prices(bars)


def test_memory_does_not_grow_with_the_prices(tmp_path, in_parts):
    """Python's and NumPy's own memory; the pages of files are the system's to put away."""
    history = minute_bars(3_000, tuple(f"S{number}" for number in range(30)))
    path = tmp_path / "many.parquet"
    table_of(history).write_parquet(path)
    in_parts(2_000)
    tracemalloc.start()
    loaded = load_prices(path)
    loaded.closes_as_float()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert loaded.symbols == tuple(sorted(history.symbols))
    assert peak < loaded.close_micros.nbytes  # one of the six arrays of this size


def test_floats_are_read_as_their_text_is():
    """Prices of up to six decimals, and their neighbours, which stand for none."""
    random = np.random.default_rng(1)
    exact = np.round(random.uniform(0.01, 400, 2_000), 6)
    floats = np.concatenate([exact, np.nextafter(exact, 1e9), -exact[:9], [np.nan, np.inf, 1e9, 1e9 + 1, 1e300]])
    numbers = pl.Series([*floats.tolist(), None])
    micros, flaws = read_prices(numbers, None)
    expected, same = read_prices(numbers.cast(pl.String), None)
    assert (micros.tolist(), flaws) == (expected.tolist(), same)
