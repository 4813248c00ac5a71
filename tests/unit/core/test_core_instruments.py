"""The approved universe: whatever is not in it cannot be traded."""

import pickle
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.instruments import UNKNOWN_SECTOR, Instrument, Universe

KO = Instrument(symbol="KO", sector="Consumer Staples", fractionable=True)
XOM = Instrument(symbol="XOM", sector="Energy", lot=Decimal(100), shortable=True)


def test_an_instrument_promises_nothing_that_was_not_said():
    plain = Instrument(symbol="KO")
    assert (UNKNOWN_SECTOR, Decimal(1)) == (plain.sector, plain.lot)
    assert (False, False, True) == (plain.fractionable, plain.shortable, plain.tradable)


def test_a_universe_is_looked_up_by_symbol_and_keeps_the_order_of_its_list():
    universe = Universe(instrument for instrument in (XOM, KO))
    assert (["XOM", "KO"], 2) == (list(universe), len(universe))
    assert (KO, KO) == (universe["KO"], universe.get_instrument("KO"))
    assert {"XOM": "Energy", "KO": "Consumer Staples"} == universe.sectors


def test_an_instrument_that_is_not_approved_is_not_there():
    universe = Universe([KO])
    assert universe.get_instrument("XOM") is None
    assert "XOM" not in universe
    assert "ko" not in universe  # symbols are spelled as the broker does
    with pytest.raises(KeyError):
        universe["XOM"]


def test_a_universe_knows_what_is_listed_no_more():
    universe = Universe([KO, msgspec.structs.replace(XOM, active=False)])
    assert universe.inactive == {"XOM"}
    universe.refresh([XOM, msgspec.structs.replace(KO, active=False)])
    assert universe.inactive == {"KO"}
    assert pickle.loads(pickle.dumps(universe)).inactive == {"KO"}


def test_a_symbol_that_is_listed_twice_refuses_the_whole_universe():
    with pytest.raises(ConfigurationError, match="KO is listed twice in the universe"):
        Universe([KO, XOM, Instrument(symbol="KO", sector="Energy")])


@pytest.mark.parametrize("symbol", ["", " ", "KO ", "\tKO", "KO\n"])
def test_blank_symbols_and_blanks_around_symbols_are_refused(symbol):
    with pytest.raises(ConfigurationError, match="is not a symbol"):
        Universe([Instrument(symbol=symbol)])


def test_a_universe_cannot_be_changed():
    universe = Universe([KO])
    with pytest.raises(TypeError):
        universe["XOM"] = XOM  # type: ignore[index]
    with pytest.raises(AttributeError):
        universe["KO"].shortable = True  # type: ignore[misc]


def test_an_empty_universe_approves_nothing():
    assert [] == list(Universe([]))
