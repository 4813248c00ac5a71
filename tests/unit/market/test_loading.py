"""Users' files in every shape arrive exactly, at the right times."""

import gzip
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.loading import load_prices
from quant_trading_system.market.sessions import AlwaysOpen, TradingCalendar

BARS = """date,symbol,open,high,low,close,volume
2022-11-23,KO,60.00,61.5,59.99,60.123456,1000
2022-11-23,PEP,180,182,179.5,181,
2022-11-25,KO,60.2,60.3,60.1,60.25,500.0
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text, name="prices.csv", **options):
        path = tmp_path / name
        path.write_text(text)
        return load_prices(path, **options)

    return load_text


def closes(history, symbol):
    return [history.close(symbol, index) for index in range(len(history))]


def ends(history):
    return [f"{history.time_at(index):%m-%d %H:%M}" for index in range(len(history))]


def test_bars_of_several_symbols(load):
    history = load(BARS)
    assert repr(history) == "PriceHistory(2 symbols, 2 daily bars, 2022-11-23 to 2022-11-25)"
    assert closes(history, "KO") == [Decimal("60.123456"), Decimal("60.25")]
    assert closes(history, "PEP") == [Decimal(181), None]
    bar = history.bar("KO", 0)
    assert (bar.open, bar.high, bar.low, bar.volume) == (Decimal(60), Decimal("61.5"), Decimal("59.99"), 1000)
    assert history.bar("PEP", 0).volume is None
    assert history.volume.tolist() == [[1000, -1], [500, -1]]
    assert ends(history) == ["11-23 21:00", "11-25 18:00"]


def test_a_bar_without_movement_is_sound(load):
    bar = load("date,open,high,low,close\n2022-11-23,5,5,5,5\n", "KO.csv").bar("KO", 0)
    assert bar.open == bar.high == bar.low == bar.close == 5


def test_rows_may_be_grouped_by_symbol(load):
    head, ko, pep, late = BARS.splitlines()
    grouped = load("\n".join([head, ko, late, pep]))
    assert grouped.fingerprint() == load(BARS).fingerprint()


def test_bars_of_one_symbol_take_it_from_the_file_name_or_the_argument(load):
    text = "Date,Open,High,Low,Close,Volume\n2022-11-23,1,2,0.5,1.5,10\n"
    assert load(text, "ko.csv").symbols == ("KO",)
    assert load(text, "BRK.B.CSV").symbols == ("BRK.B",)
    assert load(text, "export of monday.csv", symbol="KO").symbols == ("KO",)


def test_closes_side_by_side_with_missing_bars(load):
    history = load("date,KO,PEP\n2022-11-23,60,\n2022-11-25,,181.5\n")
    assert closes(history, "KO") == [Decimal(60), None]
    assert closes(history, "PEP") == [None, Decimal("181.5")]
    assert not history.has_ohlc
    assert not history.has_volume


def test_closes_without_the_rest_of_the_bar(load):
    history = load("date,symbol,close,volume\n2022-11-23,KO,60,5\n")
    assert (history.has_ohlc, history.has_volume) == (False, True)
    assert history.volume.tolist() == [[5]]


def test_adjusted_closes_replace_the_bar(load):
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2022-11-23,1,2,0.5,1.5,1.25,10\n"
    assert load(text, "KO.csv").bar("KO", 0).close == Decimal("1.5")
    adjusted = load(text, "KO.csv", adjusted=True)
    assert closes(adjusted, "KO") == [Decimal("1.25")]
    assert not adjusted.has_ohlc


DATES = """
2022-11-23  2022-11-25                                       # plain
2022-11-23 00:00:00  2022-11-25 00:00:00                     # midnights without a zone
2022-11-23T00:00:00Z  2022-11-25T00:00:00Z                   # midnights as they are written
2022-11-23 00:00:00-05:00  2022-11-25 00:00:00-05:00         # the same with a distance
2022-11-23T05:00:00Z  2022-11-25T05:00:00Z                   # midnights in New York, as Alpaca writes daily bars
2022-11-23 00:00:00.000000000  2022-11-25 00:00:00.000000000
"""


@pytest.mark.parametrize("row", DATES.strip().splitlines())
def test_midnights_throughout_make_daily_bars(load, row):
    first, second = row.partition("#")[0].strip().split("  ")
    history = load(f"date,KO\n{first},1\n{second},2\n")
    assert history.is_daily
    assert [str(day) for day in history.dates] == ["2022-11-23", "2022-11-25"]


TIMES = """
2022-11-23T14:30:00Z       > 2022-11-23 14:30
2022-11-23 14:30+00        > 2022-11-23 14:30
2022-11-23 14:30:00 UTC    > 2022-11-23 14:30
2022-11-23T09:30-05:00     > 2022-11-23 14:30
2022-11-23T09:30:00-0500   > 2022-11-23 14:30
2022-11-23 20:00+05:30     > 2022-11-23 14:30
2022-11-23T14:30:00.250Z   > 2022-11-23 14:30:00.250
2022-11-23T14:30:00.250000000Z   > 2022-11-23 14:30:00.250
"""


@pytest.mark.parametrize("row", TIMES.strip().splitlines())
def test_times_of_iso_8601_are_understood(load, row):
    written, utc = (part.strip() for part in row.split(">"))
    history = load(f"time,KO\n{written},1\n", bar_span=timedelta(minutes=5))
    assert history.axis.starts[0] == np.datetime64(utc)


MINUTES = "time,KO\n2022-11-23 09:30,1\n2022-11-23 09:31,2\n2022-11-23 09:35,3\n"


def test_intraday_bars_are_known_at_their_end(load):
    assert ends(load(MINUTES, timezone="America/New_York")) == ["11-23 14:31", "11-23 14:32", "11-23 14:36"]
    by_end = load(MINUTES, timezone="America/New_York", timestamps="end")
    assert ends(by_end) == ["11-23 14:30", "11-23 14:31", "11-23 14:35"]
    assert by_end.axis.span == timedelta(minutes=1)
    assert not by_end.is_daily


def test_the_length_of_a_bar_can_be_given(load):
    history = load("time,KO\n2022-11-23T14:30Z,1\n2022-11-23T15:30Z,1\n", bar_span=timedelta(minutes=15))
    assert ends(history) == ["11-23 14:45", "11-23 15:45"]


def test_local_times_follow_the_clocks_of_their_zone(load):
    text = "time,KO\n2022-03-11 09:30,1\n2022-03-11 09:31,1\n2022-03-14 09:30,1\n"
    assert ends(load(text, timezone="America/New_York")) == ["03-11 14:31", "03-11 14:32", "03-14 13:31"]


def test_distances_from_utc_may_differ_by_a_clock_change(load):
    text = "time,KO\n2022-03-11 09:30-05:00,1\n2022-03-11 09:31-05:00,1\n2022-03-14 09:30-04:00,1\n"
    assert ends(load(text)) == ["03-11 14:31", "03-11 14:32", "03-14 13:31"]


def test_midnight_bars_of_a_market_that_never_closes_can_be_intraday(load):
    text = "time,COIN\n2022-01-01T00:00Z,1\n2022-01-02T00:00Z,1\n"
    assert load(text, calendar=AlwaysOpen()).is_daily
    history = load(text, calendar=AlwaysOpen(), bar_span=timedelta(hours=1))
    assert ends(history) == ["01-01 01:00", "01-02 01:00"]


NUMBERS = """
60         60
60.        60
.5         0.5
+60.10     60.1
060.10     60.1
6e1        60
6.01E+1    60.1
1e-6       0.000001
1000000000 1000000000
60.10000000000  60.1
"""


@pytest.mark.parametrize("row", NUMBERS.strip().splitlines())
def test_every_exact_notation_of_a_price_is_read_exactly(load, row):
    written, expected = row.split()
    assert closes(load(f"date,KO\n2022-11-23,{written}\n"), "KO") == [Decimal(expected)]


def test_prices_are_rounded_only_on_request_and_half_to_even(load):
    text = "date,KO\n2022-11-22,129.65199999999999\n2022-11-23,0.00125\n2022-11-25,0.00135\n"
    assert closes(load(text, decimals=4), "KO") == [Decimal("129.652"), Decimal("0.0012"), Decimal("0.0014")]
    with pytest.raises(MarketDataError, match="has more than 6 decimals; pass decimals=6 to round"):
        load(text)
    with pytest.raises(MarketDataError, match=r"line 3, KO '0\.00125': rounds to zero at 2 decimals"):
        load(text, decimals=2)


def test_sort_accepts_any_order(load):
    head, *rows = BARS.splitlines()
    by_pep = load("\n".join([head, rows[1], rows[2], rows[0]]), sort=True)
    assert by_pep.select(["KO", "PEP"]).fingerprint() == load(BARS).fingerprint()


def test_columns_that_mean_nothing_to_us_are_left_out(load):
    text = "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\nKO,2022-11-23,1,2,1,2,9,3,nonsense\n"
    assert load(text).bar("KO", 0).volume == 9


def test_gzip_and_parquet_hold_the_same_prices(load, tmp_path):
    expected = load(BARS).fingerprint()
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(BARS.encode()))
    assert load_prices(tmp_path / "packed.csv.gz").fingerprint() == expected
    pl.read_csv(BARS.encode(), try_parse_dates=True).write_parquet(tmp_path / "bars.parquet")
    assert load_prices(tmp_path / "bars.parquet").fingerprint() == expected


COLUMNS = {
    "Float32": pl.Series([60.1, 61.2], dtype=pl.Float32),
    "Float64": pl.Series([60.1, 61.2]),
    "Decimal": pl.Series([Decimal("60.10"), Decimal("61.20")]),
    "String": pl.Series(["60.1", "61.2"]),
}
STAMPS = {
    "date": [date(2022, 11, 23), date(2022, 11, 25)],
    "naive": [datetime(2022, 11, 23), datetime(2022, 11, 25)],  # noqa: DTZ001
    "aware": [datetime(2022, 11, 23, 5, tzinfo=UTC), datetime(2022, 11, 25, 5, tzinfo=UTC)],
}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("stamp", STAMPS)
def test_parquet_types_are_read_exactly(tmp_path, kind, stamp):
    path = tmp_path / "KO.parquet"
    pl.DataFrame({"date": STAMPS[stamp], "close": COLUMNS[kind]}).write_parquet(path)
    assert closes(load_prices(path), "KO") == [Decimal("60.1"), Decimal("61.2")]


def test_intraday_parquet_in_a_time_zone_needs_no_hint(tmp_path):
    path = tmp_path / "KO.parquet"
    times = pl.Series([datetime(2022, 11, 23, 9, 30), datetime(2022, 11, 23, 9, 31)])  # noqa: DTZ001
    local = times.dt.replace_time_zone("America/New_York")
    pl.DataFrame({"timestamp": local, "close": [60, 61]}).write_parquet(path)
    assert ends(load_prices(path)) == ["11-23 14:31", "11-23 14:32"]


def test_another_calendar_decides_about_days(load):
    saturday = "date,KO\n2022-11-26,1\n"
    assert load(saturday, calendar=AlwaysOpen()).time_at(0) == datetime(2022, 11, 27, tzinfo=UTC)
    with pytest.raises(MarketDataError, match="the trading calendar covers 2022-01-01 to 2022-06-30"):
        load(saturday, calendar=TradingCalendar.nyse(date(2022, 1, 1), date(2022, 6, 30)))


def test_symbols_are_upper_case_however_the_file_writes_them(load):
    assert load("Date,ko,Pep\n2022-11-23,60,181\n").symbols == ("KO", "PEP")
    assert load(BARS.replace("KO", "ko")).fingerprint() == load(BARS).fingerprint()
    assert load("date,close\n2022-11-23,60\n", symbol="ko").symbols == ("KO",)
    with pytest.raises(MarketDataError, match="two columns 'KO'"):
        load("date,ko,KO\n2022-11-23,60,60\n")
