"""`--prices` takes a file or a directory, and `--symbols` names the stock of files that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from quant_trading_system.cli.price_lookup import Seen
from quant_trading_system.cli.replay_options import Stamps, chosen_prices
from quant_trading_system.core.exceptions import MarketDataError
from quant_trading_system.market.history import PriceHistory

DAYS = "date,close\n2024-01-02,60\n2024-01-03,61\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "prices"
    directory.mkdir()
    return directory


def chosen(place: Path | str, symbols: str = "") -> tuple[PriceHistory, str]:
    history, _, name = chosen_prices(
        str(place), symbols, stamps=Stamps.START, timezone="", sort=False, decimals=None
    )  # fmt: skip
    return history, name


def test_a_directory_of_prices(place, monkeypatch):
    (place / "KO.csv").write_text(DAYS)
    (place / "PEP.csv").write_text(DAYS)
    history, name = chosen(f"{place}/")
    assert (history.symbols, name) == (("KO", "PEP"), "prices")
    assert chosen(place, "pep")[0].symbols == ("PEP",)
    monkeypatch.chdir(place)
    assert chosen(".")[1] == "prices"


def test_prices_without_a_name_are_not_those_of_this_directory(place, monkeypatch):
    (place / "KO.csv").write_text(DAYS)
    monkeypatch.chdir(place)
    with pytest.raises(MarketDataError, match="prices have no name"):
        chosen("")


@pytest.mark.parametrize("name", ["prices.csv", "minutes of monday.csv", "2024-01.csv", "data.csv"])
def test_symbols_name_the_stock_of_files_that_do_not(place, name):
    (place / name).write_text(DAYS)
    for where in (place, place / name):
        assert chosen(where, "KO")[0].symbols == ("KO",)
        seen = Seen("KO", str(where), needed=True, until=None)
        assert seen.price("") == 61


def test_one_symbol_does_not_name_two_stocks(place):
    (place / "prices.csv").write_text(DAYS)
    for symbols in ("", "KO,PEP"):
        with pytest.raises(MarketDataError, match=r"prices.csv: which symbol is this\? Pass --symbols "):
            chosen(place, symbols)
    (place / "KO.csv").write_text(DAYS)
    with pytest.raises(MarketDataError, match=r"prices.csv: 2 problems, .*\n.*repeats line 2 of KO.csv"):
        chosen(place, "KO")


def test_directories_with_a_symbol_in_their_name_are_told_as_they_are_called(place):
    (place / "symbol=KO").mkdir()
    (place / "symbol=KO" / "a.csv").write_text(DAYS)
    assert chosen(place, "KO")[0].symbols == ("KO",)
    with pytest.raises(MarketDataError, match=r"^symbol=KO/a.csv has bars of KO, not of PEP"):
        chosen(place, "PEP")
    (place / "symbol=KO" / "a.csv").write_text(DAYS.replace("60", "x"))
    with pytest.raises(MarketDataError, match=r"^symbol=KO/a.csv: 1 problem"):
        chosen(place)
