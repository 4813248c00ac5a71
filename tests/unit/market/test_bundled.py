"""The bundled prices are the real ones, to the last decimal."""

import csv
import gzip
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market import bundled
from quant_trading_system.market.bundled import SP500_SOURCE, SP500_SYMBOLS, load_sp500
from quant_trading_system.market.universes import sp500_20


def test_the_whole_span_of_all_twenty_stocks():
    history = load_sp500()
    assert repr(history) == "PriceHistory(20 symbols, 8313 daily bars, 1990-01-02 to 2022-12-28)"
    assert history.symbols == SP500_SYMBOLS
    assert history.present.all()
    assert not history.has_ohlc


def test_every_price_is_the_one_in_the_file():
    """Read once more, without any of the code under test."""
    with gzip.open(bundled._sp500_file(), "rt") as lines:
        header, *rows = csv.reader(lines)
    history = load_sp500()
    assert list(history.symbols) == header[1:]
    assert [str(day) for day in history.dates] == [row[0] for row in rows]
    assert history.close_micros.tolist() == [[int(Decimal(cell) * 10**6) for cell in row[1:]] for row in rows]


def test_a_few_prices_as_published():
    history = load_sp500()
    for day, symbol, price in (
        (date(1990, 1, 2), "AAPL", "0.264"),
        (date(1990, 1, 3), "XOM", "4.027"),
        (date(2022, 12, 28), "AAPL", "125.674"),
    ):
        assert history.close(symbol, history.index_of(day)) == Decimal(price)


def test_part_of_the_prices():
    history = load_sp500(date(2021, 1, 1), date(2022, 11, 25), symbols=["KO", "AAPL"])
    assert repr(history) == "PriceHistory(2 symbols, 479 daily bars, 2021-01-04 to 2022-11-25)"
    assert history.symbols == ("KO", "AAPL")
    assert history.time_at(len(history) - 1) == datetime(2022, 11, 25, 18, tzinfo=UTC)  # a half day


def test_what_is_not_bundled_is_refused():
    with pytest.raises(MarketDataError, match="TSLA is not in this history of 20 symbols: AAPL, AMD"):
        load_sp500(symbols=["TSLA"])
    with pytest.raises(MarketDataError, match="no bar between 2023-01-01 and 2022-12-28; this history covers 1990"):
        load_sp500(date(2023, 1, 1))


def test_every_bundled_stock_is_in_the_bundled_universe():
    assert tuple(sp500_20()) == SP500_SYMBOLS


def test_the_source_and_its_licence_are_named():
    assert "skfolio (BSD-3-Clause) for testing and example purposes" in SP500_SOURCE
    assert "1990-01-02 to 2022-12-28" in SP500_SOURCE


def test_skfolio_itself_is_not_imported():
    program = (
        "import sys; from quant_trading_system.market.bundled import load_sp500; load_sp500();"
        "sys.exit(' '.join({'skfolio', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stderr.strip() == ""


def test_without_skfolio_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    with pytest.raises(MarketDataError) as error:
        load_sp500()
    assert 'pip install "quant-trading-system[optimiser]"' in str(error.value)


def test_another_file_in_its_place_is_noticed(monkeypatch, tmp_path):
    path = tmp_path / "sp500_dataset.csv.gz"
    monkeypatch.setattr(bundled, "_FILE", path.name)
    monkeypatch.setattr(bundled, "find_spec", lambda name: type("Spec", (), {"submodule_search_locations": [tmp_path]}))
    with pytest.raises(MarketDataError, match="this version of skfolio ships no sp500"):
        load_sp500()
    path.write_bytes(gzip.compress(b"Date,AAPL\n2022-11-25,1.5\n"))
    with pytest.raises(MarketDataError, match="holds other prices than expected"):
        load_sp500()
