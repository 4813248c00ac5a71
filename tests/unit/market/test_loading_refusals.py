"""A file with a fault is refused as a whole, and the message says where the fault is and what it is."""

from datetime import datetime, timedelta

import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market import price_steps
from quant_trading_system.market.loading import load_prices

HEAD = "date,symbol,open,high,low,close,volume"
SOUND = "2022-11-22,KO,10,11,9,10.5,100"


@pytest.fixture
def refusal(tmp_path):
    def refuse(text, name="prices.csv", **options):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(MarketDataError) as error:
            load_prices(path, **options)
        return str(error.value)

    return refuse


BAD_ROWS = """
2022-11-23,KO,10,11,9,,100                   > close: is empty
2022-11-23,KO,10,11,9,NaN,100                > close 'NaN': is NaN
2022-11-23,KO,10,11,9,-nan,100               > close '-nan': is NaN
2022-11-23,KO,10,inf,9,10,100                > high 'inf': is infinite
2022-11-23,KO,10,11,-Infinity,10,100         > low '-Infinity': is infinite
2022-11-23,KO,0,11,9,10,100                  > open '0': must be above zero
2022-11-23,KO,10,11,9,0.000000,100           > close '0.000000': must be above zero
2022-11-23,KO,10,11,9,-10.5,100              > close '-10.5': must be above zero
2022-11-23,KO,10,11,9,10.1234567,100         > close '10.1234567': has more than 6 decimals; pass decimals=6 to round
2022-11-23,KO,10,11,9,1e-7,100               > close '1e-7': has more than 6 decimals; pass decimals=6 to round
2022-11-23,KO,10,1000000000.01,9,10,100      > high '1000000000.01': is above 1000000000 dollars
2022-11-23,KO,10,1e999999,9,10,100           > high '1e999999': is above 1000000000 dollars
2022-11-23,KO,10,99999999999999999999,9,10,1 > high '99999999999999999999': is above 1000000000 dollars
2022-11-23,KO,10,11,9,ten,100                > close 'ten': is not a number
2022-11-23,KO,10,11,9,$10,100                > close '$10': is not a number
2022-11-23,KO,10,11,9,1_0,100                > close '1_0': is not a number
2022-11-23,KO,10,11,9,"10,5",100             > close '10,5': is not a number
2022-11-23,KO,10,11,9,١٠,100                 > close '١٠': is not a number
2022-11-23,KO,10,11,9,0x10,100               > close '0x10': is not a number
2022-11-23,KO,10,11,9,1e9999999,100          > close '1e9999999': is not a number
2022-11-23,KO,10,8,9,10,100                  > high '8': is below the low 9.00
2022-11-23,KO,8.99,11,9,10,100               > open '8.99': lies outside the bar's low 9.00 and high 11.00
2022-11-23,KO,10,11,9,11.000001,100          > close '11.000001': lies outside the bar's low 9.00 and high 11.00
2022-11-23,KO,10,11,9,10,-1                  > volume '-1': is negative
2022-11-23,KO,10,11,9,10,0.5                 > volume '0.5': is not a whole number of shares
2022-11-23,KO,10,11,9,10,nan                 > volume 'nan': is NaN
2022-11-23,KO,10,11,9,10,many                > volume 'many': is not a number
2022-11-23,KO,10,11,9,10,1e16                > volume '1e16': is above 1000000000000000 shares
,KO,10,11,9,10,100                           > date: is empty
2022-13-01,KO,10,11,9,10,100                 > date '2022-13-01': is not a date such as 2022-01-03
2022-02-29,KO,10,11,9,10,100                 > date '2022-02-29': is not a date such as 2022-01-03
11/23/2022,KO,10,11,9,10,100                 > date '11/23/2022': is not a date such as 2022-01-03
1669161600,KO,10,11,9,10,100                 > date '1669161600': is not a date such as 2022-01-03
9999-12-31,KO,10,11,9,10,100                 > date '9999-12-31': is not a date such as 2022-01-03
yesterday,KO,10,11,9,10,100                  > date 'yesterday': is not a date such as 2022-01-03
2022-11-23 09:30,KO,10,11,9,10,100           > date '2022-11-23 09:30': is a time without a time zone, but the first row has a date without a time
2022-11-23T09:30Z,KO,10,11,9,10,100          > date '2022-11-23T09:30Z': is a time with a time zone, but the first row has a date without a time
2022-11-23,,10,11,9,10,100                   > symbol: is empty
2022-11-23,COCA COLA,10,11,9,10,100          > symbol 'COCA COLA': is not a symbol
2022-11-22,KO,10,11,9,10,100                 > date '2022-11-22': repeats line 2
2022-11-21,KO,10,11,9,10,100                 > date '2022-11-21': comes after a later time; sort the file by date or pass sort=True
2022-11-26,KO,10,11,9,10,100                 > date '2022-11-26': is a Saturday: the exchange is closed
2022-11-24,KO,10,11,9,10,100                 > date '2022-11-24': is a Thursday: the exchange is closed on this day
"""  # noqa: E501, RUF001 - a row of a table is read as one line; the digits in one of them are Arabic


@pytest.mark.parametrize("row", BAD_ROWS.strip().splitlines())
def test_one_bad_row_refuses_the_file_and_is_named(refusal, row):
    bad, problem = (part.strip() for part in row.split(" > "))
    assert refusal(f"{HEAD}\n{SOUND}\n{bad}\n") == (f"prices.csv: 1 problem, nothing was loaded\n  line 3, {problem}")


def test_ten_problems_are_shown_from_the_top_and_all_are_counted(refusal):
    days = [f"2022-11-{day:02}" for day in range(1, 31)]
    rows = [f"{day},KO,10,11,9,{'nan' if day > '2022-11-03' else '10'},-5" for day in days]
    lines = refusal("\n".join([HEAD, *rows])).splitlines()
    assert lines[0] == "prices.csv: 57 problems, nothing was loaded"
    assert lines[1] == "  line 2, volume '-5': is negative"
    assert [line.split(",")[0] for line in lines[1:-1]] == [
        f"  line {number}" for number in (2, 3, 4, 5, 5, 6, 6, 7, 7, 8)
    ]
    assert lines[-1] == "  and 47 more"


def test_faults_of_different_kinds_are_told_together(refusal):
    message = refusal(f"{HEAD}\n2022-11-22,KO,10,11,9,nan,100\nsoon,KO,10,11,9,10,1.5\n2022-11-25,,8,11,9,10,1\n")
    assert message.splitlines() == [
        "prices.csv: 5 problems, nothing was loaded",
        "  line 2, close 'nan': is NaN",
        "  line 3, date 'soon': is not a date such as 2022-01-03",
        "  line 3, volume '1.5': is not a whole number of shares",
        "  line 4, symbol: is empty",
        "  line 4, open '8': lies outside the bar's low 9.00 and high 11.00",
    ]


def test_two_faults_of_one_cell_are_both_told(refusal):
    message = refusal("date,KO\n2022-12-23,1\n2022-12-27,1\n2022-12-24,1\n")
    assert message.splitlines() == [
        "prices.csv: 2 problems, nothing was loaded",
        "  line 4, date '2022-12-24': is a Saturday: the exchange is closed",
        "  line 4, date '2022-12-24': comes after a later time; sort the file by date or pass sort=True",
    ]


def test_a_long_cell_is_shortened(refusal):
    message = refusal(f"date,KO\n2022-11-23,{'9' * 500}\n")
    assert f"KO '{'9' * 39}…': is not a number" in message


def test_rows_of_parquet_are_counted_from_one(tmp_path):
    import polars as pl

    path = tmp_path / "KO.parquet"
    pl.DataFrame({"date": ["2022-11-22", "2022-11-23"], "close": [1.0, float("nan")]}).write_parquet(path)
    with pytest.raises(MarketDataError, match="row 2, close 'NaN': is NaN"):
        load_prices(path)


WIDE = """
date,KO\\n2022-11-23,nan                         > line 2, KO 'nan': is NaN
date,KO,PEP\\n2022-11-23,1,\\n2022-11-23,,1      > line 3, date '2022-11-23': repeats line 2
date,KO,PEP\\n2022-11-23,1,2\\n2022-11-22,1,2    > line 3, date '2022-11-22': comes after a later time;
date,KO,PEP\\n2022-11-23,1,\\n2022-11-25,1,      > prices.csv has no price at all for PEP; remove the column
date,KO,PEP\\n2022-11-23,1,\\n2022-11-25,1       > prices.csv, line 3: the header has 3 cells, but this line 2
"""


@pytest.mark.parametrize("row", WIDE.strip().splitlines())
def test_a_table_of_closes_is_checked_like_a_table_of_bars(refusal, row):
    text, problem = (part.strip() for part in row.split(" > "))
    assert problem in refusal(text.replace("\\n", "\n"))


TIMES = """
2022-11-23 09:30 | 2022-11-23 09:31              > prices.csv: the times have no time zone; pass timezone="America/New_York", or the one they are in
2022-11-23T14:30Z | 2022-11-23T14:31             > is a time without a time zone, but the first row has a time with a time zone
2022-11-23T14:30Z | 2022-11-23                   > is a date without a time, but the first row has a time with a time zone
2022-11-23T14:30Z | 2022-11-23T09:31-05:00       > lies in another time zone than the first row
2022-11-23T14:30Z | 2022-11-26T14:31Z            > is a Saturday: the exchange is closed
2022-11-23T14:30Z | 2022-11-24T15:00Z            > is a Thursday: the exchange is closed on this day
2022-11-23T14:30Z | 2022-11-23T24:00Z            > is not a date such as 2022-01-03
2022-11-23T14:30Z | 2022-11-23T15:00+99:00       > is not a date such as 2022-01-03
2022-11-23T14:30:00.1234567Z | 2022-11-23T15:00Z > is not a date such as 2022-01-03
"""  # noqa: E501 - a row of a table is read as one line


@pytest.mark.parametrize("row", TIMES.strip().splitlines())
def test_times_that_cannot_be_placed_are_refused(refusal, row):
    written, problem = (part.strip() for part in row.split(" > "))
    first, second = written.split(" | ")
    assert problem in refusal(f"date,KO\n{first},1\n{second},1\n")


@pytest.mark.parametrize("local", ["2022-03-13 02:30", "2022-11-06 01:30"])
def test_local_times_that_never_happen_or_happen_twice_are_refused(refusal, local):
    message = refusal(f"date,KO\n{local},1\n", timezone="America/New_York")
    assert "happens twice or never in America/New_York, where the clocks change" in message


def test_the_length_of_a_bar_must_be_known_and_fit(refusal):
    one = "time,KO\n2022-11-23T14:30Z,1\n"
    assert refusal(one) == "prices.csv has one bar; tell how long it lasts with bar_span=timedelta(minutes=1)"
    two = one + "2022-11-23T14:31Z,1\n"
    assert "bars of 300 s overlap: 2022-11-23T14:31:00+00:00 comes only 60 s after" in refusal(
        two, bar_span=timedelta(minutes=5)
    )
    odd = two + "2022-11-23T14:32:00Z,1\n2022-11-23T14:32:07Z,1\n"
    assert refusal(odd).startswith("prices.csv: bars of 60 s overlap: 2022-11-23T14:32:07+00:00 comes only 7 s after")


OPTIONS = [
    ({"timestamps": "middle"}, 'timestamps is \'middle\'; it must be "start" or "end"'),
    ({"bar_span": timedelta(0)}, "bar_span is 0:00:00; a bar lasts longer than nothing"),
    ({"bar_span": timedelta(days=1)}, "prices.csv: dates without a time are daily bars; leave bar_span out"),
    ({"decimals": 7}, "decimals is 7; it must be 0 to 6"),
    ({"decimals": -1}, "decimals is -1; it must be 0 to 6"),
    ({"symbol": "KO"}, "prices.csv names its own symbols; leave symbol= out and select() from the history"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_that_cannot_be_meant_are_refused(refusal, options, message):
    assert refusal(f"{HEAD}\n{SOUND}\n", **options) == message


def test_an_unknown_time_zone_is_refused(refusal):
    text = "time,KO\n2022-11-23 09:30,1\n"
    assert refusal(text, timezone="New York") == "no time zone 'New York'; write it like \"America/New_York\""


def test_a_file_of_one_symbol_must_say_which(refusal):
    text = "date,close\n2022-11-23,1\n"
    assert "which symbol is this? Pass symbol=" in refusal(text, "my prices.csv")
    assert refusal(text, symbol="COCA COLA") == "'COCA COLA' is not a symbol"
    assert "names its own symbols" in refusal("date,KO\n2022-11-23,1\n", symbol="KO")


def test_a_scattered_file_cannot_exhaust_the_memory(refusal, monkeypatch):
    monkeypatch.setattr(price_steps, "MOST_CELLS", 3)
    text = "date,symbol,close\n2022-11-22,KO,1\n2022-11-23,PEP,1\n"
    assert refusal(text) == "prices.csv: 2 times of 2 symbols are too many; take fewer symbols or days"


def test_an_empty_cell_between_two_prices_of_a_wide_file_is_refused(refusal):
    lines = refusal("date,KO,PEP\n2022-11-21,60,\n2022-11-22,,180\n2022-11-23,61,181\n2022-11-25,62,\n").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("  line 3, KO: is empty between two prices; fill it in, or use a file with a column")


def test_a_time_zone_that_does_not_exist_is_refused_with_daily_bars_too(refusal):
    assert refusal("date,KO\n2022-11-23,1\n", timezone="Mars/X").startswith("no time zone 'Mars/X'")


def hours_of(first, bars, zone=""):
    """Half hours of two days, from an hour of the clock on."""
    begin = (datetime.fromisoformat(f"2022-11-{day}T{first}") for day in (21, 22))
    times = [begun + timedelta(minutes=30 * bar) for begun in begin for bar in range(bars)]
    return "\n".join(["time,KO", *(f"{time:%Y-%m-%d %H:%M}{zone},10" for time in times)])


def test_times_of_another_zone_than_was_said_are_refused(refusal):
    message = refusal(hours_of("14:30", 13), timezone="America/New_York")
    assert message == (
        "prices.csv: on 3 of 3 days most bars lie outside of the session, and none in one half of it:"
        " those of 2022-11-21 go from 19:30 to 01:00 UTC, the session from 14:30 to 21:00;"
        " give the time zone that they are written in"
    )
    assert "go from 09:30 to 16:00 UTC" in refusal(hours_of("09:30", 13, "Z"))


@pytest.mark.parametrize(("first", "bars"), [("04:00", 32), ("09:30", 13), ("08:00", 14), ("09:30", 2)])
def test_bars_of_extended_hours_beside_the_session_and_parts_of_a_session_are_read(tmp_path, first, bars):
    path = tmp_path / "prices.csv"
    path.write_text(hours_of(first, bars))
    assert len(load_prices(path, timezone="America/New_York")) == 2 * bars
