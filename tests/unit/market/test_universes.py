"""What may be traded: bundled, from a file, or implied by a history."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.market.universes import load_universe, sp500_20, universe_of

SECTORS = """
Consumer Discretionary  BBY HD
Consumer Staples        KO PEP PG WMT
Energy                  CVX RRC XOM
Financials              BAC JPM
Health Care             JNJ LLY MRK PFE UNH
Industrials             GE
Information Technology  AAPL AMD MSFT
"""


def test_the_bundled_universe_knows_the_sectors():
    expected: dict[str, str] = {}
    for row in SECTORS.strip().splitlines():
        sector, _, symbols = row.partition("  ")
        expected |= dict.fromkeys(symbols.split(), sector)
    assert sp500_20().sectors == expected
    assert sp500_20() is sp500_20()


def test_the_bundled_stocks_are_liquid():
    for instrument in sp500_20().values():
        assert instrument.name
        assert instrument.lot == 1
        assert instrument.fractionable
        assert instrument.shortable
        assert instrument.tradable


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "universe.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_universe(path)

    return load_text


def test_a_full_file(load):
    universe = load(
        "symbol,name,sector,lot,fractionable,shortable,tradable\n"
        'KO,"Coca-Cola, Inc.",Consumer Staples,100,TRUE,false,true\n'
        "\n"
        "PEP,,,,,,\n"
    )
    assert universe["KO"] == Instrument(
        symbol="KO", name="Coca-Cola, Inc.", sector="Consumer Staples", lot=Decimal(100), fractionable=True
    )
    assert universe["PEP"] == Instrument(symbol="PEP")


def test_only_the_symbol_is_required_and_the_order_is_free(load):
    assert list(load("\ufeffSector, Symbol\r\nEnergy, XOM \r\n").values()) == [
        Instrument(symbol="XOM", sector="Energy")
    ]


FAULTS = """
symbol,lot\\nKO,0                 > universe.csv, line 2, lot: 0 must be above zero
symbol,lot\\nKO,many              > universe.csv, line 2, lot: 'many' is not a number
symbol,lot\\nKO,1\\nPEP,nan       > universe.csv, line 3, lot: NaN: a price or quantity must be finite
symbol,shortable\\nKO,yes         > universe.csv, line 2, shortable: 'yes' is neither true nor false
symbol,fractionable\\nKO,1        > universe.csv, line 2, fractionable: '1' is neither true nor false
symbol,name\\n,Coca-Cola          > universe.csv, line 2: the symbol is empty
symbol,name\\nCOCA COLA,x         > universe.csv, line 2, symbol: 'COCA COLA' is not a symbol
symbol,name\\nKO                  > universe.csv, line 2: 1 cells instead of 2
symbol,name\\nKO,a,b              > universe.csv, line 2: 3 cells instead of 2
symbol\\nKO\\nPEP\\nKO            > universe.csv: KO is listed twice in the universe
symbol,sectr\\nKO,x               > universe.csv: the column 'sectr' is not known; did you mean 'sector'?
symbol,weight\\nKO,x              > universe.csv: the column 'weight' is not known; it may have symbol, name, sector, lot, fractionable, shortable, tradable, easy_to_borrow, marginable, active
symbol,symbol\\nKO,KO             > universe.csv has the column 'symbol' twice
ticker,name\\nKO,x                > universe.csv needs a column symbol in its first line; it has ticker, name
                                  > universe.csv needs a column symbol in its first line; it has none
symbol,name                       > universe.csv lists no instrument
"""  # noqa: E501 - a row of a table is read as one line


@pytest.mark.parametrize("row", FAULTS.strip().splitlines())
def test_a_fault_refuses_the_whole_file_and_is_named(load, row):
    text, message = (part.strip() for part in row.split("> "))
    with pytest.raises(ConfigurationError) as error:
        load(text.replace("\\n", "\n"))
    assert str(error.value) == message


def test_an_unreadable_file_is_refused(load, tmp_path):
    with pytest.raises(ConfigurationError, match=r"universe.csv: the universe cannot be read"):
        load('symbol,name\nKO,"x\n')
    with pytest.raises(ConfigurationError, match=r"universe.csv is not UTF-8 text"):
        load(b"symbol,name\nKO,\xff\n")
    with pytest.raises(ConfigurationError, match=r"absent.csv: no such file; name a universe file"):
        load_universe(tmp_path / "absent.csv")


def test_symbols_of_a_universe_are_upper_case(load):
    assert list(load("symbol\nko\n")) == ["KO"]


def test_a_history_without_a_universe_trades_whole_shares_and_no_shorts():
    axis = daily_axis(np.array([date(2022, 1, 1)], dtype="datetime64[D]"), AlwaysOpen())
    closes = np.ones((1, 2), dtype=np.int64)
    history = PriceHistory(("KO", "PEP"), axis, closes, closes > 0)
    assert list(universe_of(history).values()) == [Instrument(symbol="KO"), Instrument(symbol="PEP")]
    assert universe_of(history).sectors == {"KO": "Unknown", "PEP": "Unknown"}
