"""Prices in many files are the history of one file with all their rows; what does not go together is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.core.exceptions import MarketDataError, UnnamedPrices
from quant_trading_system.market import price_parts, scratch
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.loading import load_prices
from tests.support.minute_bars import minute_bars
from tests.support.workloads import EmaCross, setup

SYMBOLS = ("MSFT", "KO", "PEP", "XOM", "BRK.B")
Write = Callable[[pl.DataFrame, Path], None]


def csv(table: pl.DataFrame, path: Path) -> None:
    table.write_csv(path.with_name(path.name + ".csv"), datetime_format="%Y-%m-%dT%H:%M:%SZ")


def gz(table: pl.DataFrame, path: Path) -> None:
    csv(table, path)
    plain = path.with_name(path.name + ".csv")
    path.with_name(path.name + ".csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()


def parquet(table: pl.DataFrame, path: Path) -> None:
    table.write_parquet(path.with_name(path.name + ".parquet"))


def table_of(history: PriceHistory) -> pl.DataFrame:
    """One row for each bar, by time; the symbols of a time are in no order."""
    rows, columns = history.present.nonzero()
    arrays = {"open": history.open_micros, "high": history.high_micros, "low": history.low_micros}
    prices = {
        name: array[rows, columns] / 1e6
        for name, array in (arrays | {"close": history.close_micros}).items()
        if array is not None
    }
    starts = pl.Series(history.axis.starts[rows].astype("datetime64[us]")).dt.replace_time_zone("UTC")
    symbols = [history.symbols[column] for column in columns.tolist()]
    return pl.DataFrame({"timestamp": starts, "symbol": symbols, **prices, "volume": np.arange(len(rows))})


@pytest.fixture(scope="module")
def bars() -> pl.DataFrame:
    """Minutes of more than two sessions; the last symbol is listed late."""
    table = table_of(minute_bars(900, SYMBOLS, missing=0.1))
    late = (pl.col("symbol") == "BRK.B") & (pl.col("timestamp") < table["timestamp"][1500])
    return table.filter(~late)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "prices"
    directory.mkdir()
    return directory


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some rows at once, into arrays that lie in files."""
    monkeypatch.setattr(price_parts, "ROWS_AT_ONCE", 97)
    monkeypatch.setattr(scratch, "IN_MEMORY", 0)
    monkeypatch.setattr(scratch, "CELLS_AT_ONCE", 100)


def by_symbol(table: pl.DataFrame, place: Path, write: Write) -> None:
    for (symbol,), rows in table.group_by("symbol"):
        write(rows.sort("timestamp").drop("symbol"), place / str(symbol))


def by_day(table: pl.DataFrame, place: Path, write: Write) -> None:
    """Under names that are in no order of time."""
    days = table.group_by(pl.col("timestamp").dt.date().alias("day"), maintain_order=True)
    for number, (_, rows) in enumerate(days):
        write(rows.drop("day", strict=False), place / f"part {9 - number}")


def by_key(table: pl.DataFrame, place: Path, write: Write) -> None:
    for (symbol, day), rows in table.group_by("symbol", pl.col("timestamp").dt.day().alias("day")):
        directory = place / f"symbol={symbol}" / f"day={day}"
        directory.mkdir(parents=True)
        write(rows.sort("timestamp").select(pl.exclude("symbol", "day")), directory / "part-0")


def one(table: pl.DataFrame, tmp_path: Path) -> PriceHistory:
    path = tmp_path / "all.parquet"
    table.write_parquet(path)
    return load_prices(path)


def same(found: PriceHistory, expected: PriceHistory) -> None:
    assert found.symbols == expected.symbols
    assert found.axis.span == expected.axis.span
    assert found.fingerprint() == expected.fingerprint()


@pytest.mark.parametrize("write", [csv, gz, parquet])
@pytest.mark.parametrize("split", [by_symbol, by_day, by_key])
def test_many_files_are_the_history_of_one(bars, tmp_path, place, split, write):
    split(bars, place, write)
    same(load_prices(place), one(bars, tmp_path))
    assert load_prices(place).symbols == ("BRK.B", "KO", "MSFT", "PEP", "XOM")


@pytest.mark.parametrize("split", [by_symbol, by_day, by_key])
def test_streamed_from_many_files_they_are_the_same(bars, tmp_path, place, split, in_parts):
    split(bars, place, parquet)
    expected = one(bars, tmp_path)
    found = load_prices(place)
    same(found, expected)
    assert np.array_equal(found.returns(), expected.returns(), equal_nan=True)
    same(found.select(["PEP", "KO"]), expected.select(["PEP", "KO"]))


@pytest.mark.parametrize("order", [["symbol", "timestamp"], ["timestamp", "symbol"]])
def test_the_order_of_symbols_in_a_file_has_no_meaning(bars, tmp_path, order):
    same(one(bars.sort(order), tmp_path), one(bars, tmp_path))


@pytest.mark.parametrize("split", [by_symbol, by_day])
@pytest.mark.parametrize("streamed", [False, True])
def test_many_files_trade_to_the_same_journal(tmp_path, place, split, streamed, request):
    bars = table_of(minute_bars(500, SYMBOLS))

    def head(history: PriceHistory) -> tuple[int, str]:
        result = backtest(EmaCross(5, 15), history, setup())
        return result.journal_entries, result.journal_head

    expected = head(one(bars, tmp_path))
    split(bars, place, parquet)
    if streamed:
        request.getfixturevalue("in_parts")
    assert head(load_prices(place)) == expected
    assert expected[0] > 100


def test_rows_in_any_order_in_files_that_overlap(bars, tmp_path, place):
    for number in range(3):
        parquet(bars.gather_every(3, number).reverse(), place / f"{number}")
    same(load_prices(place, sort=True), one(bars, tmp_path))
    with pytest.raises(MarketDataError, match=r"0.parquet: .* problems"):
        load_prices(place)


def test_months_of_one_stock_take_the_symbol_that_is_given(place):
    (place / "2022-11.csv").write_text("date,close\n2022-11-22,1\n2022-11-23,2\n")
    (place / "2022-12.csv").write_text("Close,Date\n3,2022-12-01\n")
    history = load_prices(place, symbol="KO")
    assert (history.symbols, history.close_micros[:, 0].tolist()) == (("KO",), [1_000_000, 2_000_000, 3_000_000])
    with pytest.raises(UnnamedPrices, match=r"2022-11.csv: which symbol is this\?"):
        load_prices(place)


WIDE = {
    "2022-11.csv": "date,PEP,KO,XOM\n2022-11-22,180,60,\n2022-11-23,181,61,\n",
    "2022-12.csv": "date,KO,PEP,XOM\n2022-12-01,62,182,100\n2022-12-02,,183,101\n",
}


def test_closes_side_by_side_continue_each_other(tmp_path, place):
    for name, text in WIDE.items():
        (place / name).write_text(text)
    whole = tmp_path / "all.csv"
    whole.write_text(WIDE["2022-11.csv"] + "2022-12-01,182,62,100\n2022-12-02,183,,101\n")
    history = load_prices(place)
    same(history, load_prices(whole))
    assert history.symbols == ("PEP", "KO", "XOM")


def test_what_is_not_data_is_left_alone(place):
    (place / "KO.csv").write_text("date,close\n2022-11-22,1\n")
    for name in ("README.md", "_SUCCESS", ".KO.csv.swp", "._KO.csv", "_metadata.parquet"):
        (place / name).write_text("?")
    (place / "archive").mkdir()
    (place / "archive" / "KO.csv").write_text("?")
    assert load_prices(place).symbols == ("KO",)


HEAD = "date,open,high,low,close,volume\n"
DAY = "2022-11-22,10,11,9,10.5,100\n"
NEXT = "2022-11-23,10,11,9,10.5,100\n"
MINUTES = "".join(f"2022-11-22T15:{minute:02}:00Z,10,11,9,10.5,100\n" for minute in range(60))
FIVE = "".join(f"2022-11-22T{15 + n // 12}:{n % 12 * 5:02}:00Z,10,11,9,10.5,100\n" for n in range(40))
MINUTES_OF_TWO = "".join(f"2022-11-22T15:{minute:02}:00Z,10,11,9,10.5,100\n" for minute in (0, 7))
LONG = "date,symbol,close\n"

REFUSED = {
    "empty": ({}, r"no .csv, .csv.gz or .parquet file lies in the directory .*prices; it is empty"),
    "no prices": ({"a.txt": "", "b/": ""}, r"it holds a.txt, b/; name one of the directories in it"),
    "two kinds": ({"KO.csv": HEAD + DAY, "PEP.parquet": "?"}, r"files of two kinds, such as KO.csv and PEP.parquet"),
    "no columns": ({"KO.csv": HEAD + DAY, "PEP.csv": "date,close\n2022-11-22,1\n"}, r"PEP.csv has no column open, hi"),
    "no volume": ({"KO.csv": "date,close\n2022-11-22,1\n", "PEP.csv": "date,close,volume\n2022-11-22,1,1\n"},
                  r"KO.csv has no column volume, but PEP.csv has; files that are read together have the same"),
    "own symbols": ({"KO.csv": "date,close\n2022-11-22,1\n", "rest.csv": f"{LONG}2022-11-22,PEP,1\n"},
                    r"KO.csv has no column symbol, but rest.csv has"),
    "other closes": ({"a.csv": "date,KO,PEP\n2022-11-22,1,1\n", "b.csv": "date,KO\n2022-11-23,1\n"},
                     r"b.csv has no column PEP, but a.csv has"),
    "daily": ({"KO.csv": HEAD + MINUTES, "PEP.csv": HEAD + DAY},
              r"PEP.csv has daily bars, but KO.csv has intraday ones; keep them in directories of their own"),
    "midnights": ({"KO.csv": HEAD + MINUTES, "PEP.csv": HEAD + DAY.replace(",", "T05:00:00Z,", 1)},
                  r"PEP.csv has daily bars, but KO.csv has intraday"),
    "five minutes": ({"KO.csv": HEAD + MINUTES, "PEP.csv": HEAD + FIVE},
                     r"PEP.csv has bars of 300 s, but KO.csv of 60 s"),
    "half a minute": ({"KO.csv": HEAD + MINUTES, "PEP.csv": HEAD + MINUTES.replace(":00Z", ":30Z")},
                      r"bars of PEP.csv begin in the middle of those of KO.csv, of 60 s each"),
    "no symbol": ({"KO.csv": HEAD + DAY, "2022-01.csv": HEAD + DAY}, r"2022-01.csv: which symbol is this\?"),
    "twice": ({"KO.csv": HEAD + DAY + NEXT, "ko.csv": HEAD + NEXT},
              r"ko.csv: 1 problem, .*\n  line 2, date '2022-11-23': repeats line 3 of KO.csv"),
    "days twice": ({"a.csv": f"{LONG}2022-11-22,KO,1\n2022-11-22,PEP,1\n2022-11-23,KO,1\n",
                    "b.csv": f"{LONG}2022-11-23,PEP,1\n2022-11-25,PEP,1\n2022-11-23,KO,2\n"},
                   r"b.csv: 1 problem, .*\n  line 4, date '2022-11-23': repeats line 4 of a.csv"),
    "closes twice": ({"a.csv": "date,KO,PEP\n2022-11-22,1,1\n", "b.csv": "date,KO,PEP\n2022-11-22,1,1\n"},
                     r"b.csv: .*\n  line 2, date '2022-11-22': repeats line 2 of a.csv"),
    "gap": ({"a.csv": "date,KO,PEP\n2022-11-22,1,1\n2022-11-23,1,\n", "b.csv": "date,KO,PEP\n2022-11-25,1,1\n"},
            r"prices: 1 prices of PEP are missing, .*\n  a.csv, line 3, 2022-11-23 is empty between two prices"),
    "no price": ({"a.csv": "date,KO,PEP\n2022-11-22,1,\n", "b.csv": "date,KO,PEP\n2022-11-23,1,\n"},
                 r"prices has no price at all for PEP"),
    "out of order": ({"KO.csv": HEAD + DAY, "PEP.csv": HEAD + NEXT + DAY}, r"PEP.csv: .*\n  line 3, .*: comes after"),
    "holiday": ({"KO.csv": HEAD + DAY, "PEP.csv": HEAD + DAY + NEXT.replace("23", "24")},
                r"1 times at which .*\n  PEP.csv, line 3, 2022-11-24 is a Thursday: the exchange is closed"),
    "bad cell": ({"KO.csv": HEAD + DAY, "PEP.csv": HEAD + DAY.replace("9,", "x,")}, r"PEP.csv: .*\n  line 2, low 'x'"),
    "no rows": ({"KO.csv": HEAD + DAY, "PEP.csv": HEAD}, r"PEP.csv has no rows of prices"),
    "nothing": ({"KO.csv": HEAD + DAY, "PEP.csv": ""}, r"PEP.csv"),
    "no time": ({"KO.csv": HEAD + DAY, "universe.csv": "symbol,sector\nKO,Food\n"}, r"universe.csv needs a column"),
    "damaged": ({"KO.parquet": "PAR1?"}, r"KO.parquet cannot be read"),
    "a directory": ({"KO.csv": HEAD + DAY, "PEP.csv/": ""}, r"PEP.csv in .*prices is a directory itself"),
    "key": ({"symbol=/a.csv": HEAD + DAY}, r"symbol=: '' is not a symbol"),
    "other key": ({"symbol=KO/a.csv": f"{LONG}2022-11-22,PEP,1\n"}, r"symbol=KO/a.csv has bars of PEP, not of KO"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together_is_refused_by_name(place, name):
    files, message = REFUSED[name]
    for file, text in files.items():
        path = place / file
        if file.endswith("/"):
            path.mkdir()
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with pytest.raises(MarketDataError, match=message):
        load_prices(place)


def test_a_stock_that_trades_now_and_then_has_bars_of_the_same_length(place):
    (place / "KO.csv").write_text(HEAD + MINUTES)
    (place / "PEP.csv").write_text(HEAD + MINUTES_OF_TWO)
    assert load_prices(place).axis.span.total_seconds() == 60


def test_bars_of_hours_in_winter_and_in_summer_go_together(place):
    for month, hour in (("2022-01", 14), ("2022-07", 13)):
        days = [day for day in range(5, 17) if date.fromisoformat(f"{month}-{day:02}").weekday() < 5]
        rows = [f"{month}-{day:02}T{hour + 2 * n}:30Z,KO,60" for day in days for n in range(4)]
        (place / f"{month}.csv").write_text("\n".join([LONG.strip(), *rows]))
    assert load_prices(place).axis.span == timedelta(hours=2)


def test_a_link_to_nowhere_and_a_directory_that_cannot_be_listed(place, monkeypatch):
    (place / "KO.csv").symlink_to(place / "absent.csv")
    with pytest.raises(MarketDataError, match=r"KO.csv: no such file"):
        load_prices(place)

    def refused(_: Path) -> None:
        raise PermissionError(13, "Permission denied", str(place))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(MarketDataError, match=r"prices cannot be read: Permission denied"):
        load_prices(place)


def test_an_empty_parquet_file_among_others_is_refused(bars, place):
    by_symbol(bars, place, parquet)
    parquet(bars.clear().drop("symbol"), place / "T")
    with pytest.raises(MarketDataError, match=r"T.parquet has no rows of prices"):
        load_prices(place)


def test_only_ten_repeats_are_looked_for_in_other_files(bars, place):
    by_symbol(bars, place, parquet)
    parquet(bars.filter(pl.col("symbol") == "KO").drop("symbol"), place / "ko")
    with pytest.raises(MarketDataError, match=r"row 10, .* repeats row 10 of KO.parquet\n  and \d+ more"):
        load_prices(place)


def test_files_that_change_while_they_are_read_are_refused(bars, place, monkeypatch):
    by_symbol(bars, place, parquet)
    stream = price_parts.SourceReader.parts

    def changing(reader: price_parts.SourceReader, *, places_only: bool):
        if not places_only and reader.source.name == "KO.parquet":
            last = (
                bars.filter(pl.col("symbol") == "KO")
                .drop("symbol")
                .with_columns(pl.col("timestamp").dt.offset_by("1d"))
            )
            last.write_parquet(reader.source.path)
        return stream(reader, places_only=places_only)

    monkeypatch.setattr(price_parts.SourceReader, "parts", changing)
    with pytest.raises(MarketDataError, match=r"KO.parquet changed while it was read"):
        load_prices(place)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, None)])
def test_files_that_lose_rows_while_they_are_read_are_refused(place, monkeypatch, rows):
    """A download begins to write them anew: its bars must not be missing without a word."""
    days = [DAY, NEXT]
    for symbol in ("KO", "PEP"):
        (place / f"{symbol}.csv").write_text(HEAD + "".join(days))
    read = price_parts.read_price_file
    times: list[str] = []

    def changing(path: Path, name: str):
        times.append(name)
        if times == ["KO.csv", "PEP.csv", "KO.csv", "PEP.csv"]:
            path.write_text(HEAD + "".join(days[rows]))
        return read(path, name)

    monkeypatch.setattr(price_parts, "read_price_file", changing)
    with pytest.raises(MarketDataError, match=r"PEP.csv changed while it was read"):
        load_prices(place)


def test_a_directory_that_names_its_symbol_is_not_called_by_another_one(place):
    (place / "symbol=KO").mkdir()
    (place / "symbol=KO" / "a.csv").write_text(HEAD + DAY)
    assert load_prices(place, symbol="ko").symbols == ("KO",)
    with pytest.raises(MarketDataError, match=r"symbol=KO/a.csv has bars of KO, not of PEP"):
        load_prices(place, symbol="PEP")


def test_names_with_the_signs_of_patterns_are_taken_as_they_are(bars, tmp_path):
    place = tmp_path / "a[1]*=b"
    place.mkdir()
    by_day(bars, place, parquet)
    same(load_prices(place), one(bars, tmp_path))
