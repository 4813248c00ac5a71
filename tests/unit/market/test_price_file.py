"""Which shape a file has, and what is said about a header that fits none."""

from pathlib import Path

import polars as pl
import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market import price_file
from quant_trading_system.market.price_file import LINE, PriceFile, read_layout, read_price_file


def layout_of(header, *, adjusted=False):
    names = header.split(",")
    file = PriceFile("prices.csv", names, pl.DataFrame(), "line")
    found = read_layout(file, adjusted=adjusted)
    named = {"time": found.time, "symbol": found.symbol, **found.prices, "volume": found.volume, **found.wide}
    return " ".join(f"{role}={names[number]}" for role, number in named.items() if number is not None)


SHAPES = """
date,symbol,open,high,low,close,volume      > time=date symbol=symbol open=open high=high low=low close=close volume=volume
Timestamp,Ticker,Close                      > time=Timestamp symbol=Ticker close=Close
DateTime,Open,High,Low,Close                > time=DateTime open=Open high=High low=Low close=Close
t,o,h,l,c,v                                 > time=t open=o high=h low=l close=c volume=v
S,t,o,h,l,c,v,n,vw                          > time=t symbol=S open=o high=h low=l close=c volume=v
date,close,vol                              > time=date close=close volume=vol
symbol,timestamp,open,high,low,close,volume,trade_count,vwap > time=timestamp symbol=symbol open=open high=high low=low close=close volume=volume
Date,Open,High,Low,Close,Adj Close,Volume   > time=Date open=Open high=High low=Low close=Close volume=Volume
Date,AAPL,BRK.B                             > time=Date AAPL=AAPL BRK.B=BRK.B
,AAPL,MSFT                                  > time= AAPL=AAPL MSFT=MSFT
AAPL,__index_level_0__                      > time=__index_level_0__ AAPL=AAPL
,date,close                                 > time=date close=close
date,C,H,L,V,T                              > time=date C=C H=H L=L V=V T=T
date,LOW,KO                                 > time=date LOW=LOW KO=KO
"""  # noqa: E501 - a row of a table is read as one line
# Citigroup, Loews, Visa, AT&T and Lowe's are stocks, not columns of bars.


@pytest.mark.parametrize("row", SHAPES.strip().splitlines())
def test_the_header_tells_the_shape(row):
    header, _, expected = (part.strip() for part in row.partition(">"))
    assert layout_of(header) == expected


def test_the_adjusted_close_is_used_only_when_asked_for_and_then_alone():
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    assert layout_of(header, adjusted=True) == "time=Date close=Adj Close volume=Volume"
    assert layout_of("date,symbol,adj_close", adjusted=True) == "time=date symbol=symbol close=adj_close"


HEADERS = """
date;open;close           > prices.csv has one column only, 'date;open;close'; the first line names the columns, separated by commas
day,open,high,low,close   > prices.csv needs a column "date", "timestamp", "time" or "datetime"; it has 'day', 'open', 'high', 'low', 'close'
dat,close                 > prices.csv needs a column "date", "timestamp", "time" or "datetime"; it has 'dat', 'close'; the nearest is 'dat'
2022-01-03,1.5            > prices.csv needs a column "date", "timestamp", "time" or "datetime"; it has '2022-01-03', '1.5'
date,open,high,low,Clsoe  > prices.csv needs a column "close"; it has 'date', 'open', 'high', 'low', 'Clsoe'; the nearest is 'Clsoe'
date,open,low,close       > prices.csv needs a column "high"; it has 'date', 'open', 'low', 'close'
date,symbol,price         > prices.csv needs a column "close"; it has 'date', 'symbol', 'price'
date,Adj Close            > prices.csv needs a column "close"; it has 'date', 'Adj Close'; the nearest is 'Adj Close'
date,KO,volume            > prices.csv needs a column "close"; it has 'date', 'KO', 'volume'
date,close,volumee        > prices.csv: column 'volumee' is not known; did you mean 'volume'?
date,close,opn            > prices.csv: column 'opn' is not known; did you mean 'open'?
date,close,symbl          > prices.csv: column 'symbl' is not known; did you mean 'symbol'?
date,time,close           > prices.csv: columns 'date' and 'time' both mean the time; remove one
date,close,Close          > prices.csv: columns 'close' and 'Close' both mean the close; remove one
date,KO,KO                > prices.csv: there are two columns 'KO'; remove one
date,KO,                  > prices.csv: column 3 is called '', which is not a symbol
date,KO,PEP close         > prices.csv: column 3 is called 'PEP close', which is not a symbol
"""  # noqa: E501 - a row of a table is read as one line


@pytest.mark.parametrize("row", HEADERS.strip().splitlines())
def test_a_header_that_fits_no_shape_is_refused_with_a_hint(row):
    header, _, message = (part.strip() for part in row.partition(">"))
    with pytest.raises(MarketDataError) as refusal:
        layout_of(header)
    assert str(refusal.value) == message


def test_no_adjusted_close_is_invented():
    with pytest.raises(MarketDataError, match="no adjusted close among the columns date, close"):
        layout_of("date,close", adjusted=True)


def cells(path):
    file = read_price_file(path)
    return file.cells.drop(LINE).rows(), file.cells[LINE].to_list()


def test_cells_are_text_stripped_and_numbered_as_an_editor_numbers_lines(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b'\xef\xbb\xbfdate,KO\r\n2022-01-03, 1.50 \r\n\r\n2022-01-04,\r\n2022-01-05,""\r\n\r\n')
    assert cells(path) == ([("2022-01-03", "1.50"), ("2022-01-04", None), ("2022-01-05", None)], [2, 4, 5])
    assert read_price_file(path).header == ["date", "KO"]


def test_parquet_numbers_are_read_by_their_shortest_text(tmp_path):
    path = tmp_path / "prices.parquet"
    pl.DataFrame({"date": [1, 2, 3], "KO": [0.1, 1e-7, 129.652], "PEP": [1, 2, None]}).write_parquet(path)
    assert cells(path) == ([("1", "0.1", "1"), ("2", "1e-7", "2"), ("3", "129.652", None)], [1, 2, 3])


BROKEN = {
    "absent.csv": (None, "no such file"),
    "book.xlsx": (b"PK", "prices are read from .csv, .csv.gz and .parquet files"),
    "empty.csv": (b"", "cannot be read: empty CSV"),
    "blank.csv": (b"\n\n\n", "has no rows of prices"),
    "header.csv": (b"date,KO\n", "has no rows of prices"),
    "latin.csv": (b"date,KO\n2022-01-03,\xff\n", "latin.csv is not UTF-8 text; save it as CSV in UTF-8"),
    "utf16.csv": ("date,KO\n2022-01-03,1\n".encode("utf-16"), "utf16.csv is not UTF-8 text"),
    "semicolons.csv": (b"date;KO\n2022-01-03;1,5\n", "one column only, 'date;KO'; the first line names the columns"),
    "titled.csv": (b"# of KO\ndate,KO\n2022-01-03,1\n", "one column only, '# of KO'; the first line names"),
    "long.csv": (b"date,KO\n2022-01-03,1\n2022-01-04,1,2\n", ", line 3: the header has 2 cells, but this line 3"),
    "short.csv": (b"date,KO,PEP\n2022-01-03,1,2\n2022-01-04,1", ", line 3: the header has 3 cells, but this line 2"),
    "zipped.csv.gz": (b"\x1f\x8b\x08\x00\x00", "cannot be read:"),
    "damaged.parquet": (b"PAR1 and then nothing", "cannot be read: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name):
    content, message = BROKEN[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MarketDataError) as refusal:
        read_price_file(path)
    assert name in str(refusal.value)
    assert message in str(refusal.value)


def test_a_text_that_no_memory_holds_is_refused_with_a_way_out(tmp_path, monkeypatch):
    path = tmp_path / "prices.csv"
    path.write_text("date,KO\n2022-01-03,1.50\n")
    size = path.stat().st_size
    monkeypatch.setattr(price_file, "memory_of_this_machine", lambda: 6 * size)
    assert len(read_price_file(path).cells) == 1
    monkeypatch.setattr(price_file, "memory_of_this_machine", lambda: 6 * size - 1)
    with pytest.raises(MarketDataError, match="write it as Parquet, or divide it into the files of a directory"):
        read_price_file(path)


def test_this_machine_has_some_memory():
    assert price_file.memory_of_this_machine() > 2**28
