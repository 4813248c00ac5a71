"""What may be traded: instruments with their market rules, and the approved universe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import ONE

UNKNOWN_SECTOR = "Unknown"
USUAL_MAINTENANCE = Decimal("0.30")
"""Maintenance margin of most stocks."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One US stock and the rules that its orders obey.

    Attributes:
        symbol: the ticker, as the broker spells it.
        sector: GICS sector; instruments without one share the sector ``Unknown`` and its limit.
        lot: quantities are multiples of it (shares); 1 unless the market says otherwise.
        fractionable: fractions of a share may be traded (DAY orders, simple class only).
        shortable: may be sold short; `easy_to_borrow`: the broker has the shares at hand.
        marginable: may be bought with borrowed money.
        maintenance_margin: fraction of a position's value that the broker wants covered by equity at any time.
        tradable: False while the broker or the exchange suspends it; `active`: False once it is no longer listed.
    """

    symbol: str
    name: str = ""
    sector: str = UNKNOWN_SECTOR
    lot: Decimal = ONE
    fractionable: bool = False
    shortable: bool = False
    tradable: bool = True
    easy_to_borrow: bool = True
    marginable: bool = True
    active: bool = True
    maintenance_margin: Decimal = USUAL_MAINTENANCE


class Universe(Mapping[str, Instrument]):
    """The approved instruments by symbol; whatever is not in it cannot be traded.

    Attributes:
        inactive: symbols that are listed no more.

    >>> Universe([Instrument(symbol="KO")])["KO"].sector
    'Unknown'
    """

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        """Collect the instruments.

        Raises:
            ConfigurationError: a symbol is empty or appears twice.
        """
        table: dict[str, Instrument] = {}
        for instrument in instruments:
            if not instrument.symbol or instrument.symbol != instrument.symbol.strip():
                raise ConfigurationError(f"{instrument.symbol!r} is not a symbol")
            if instrument.symbol in table:
                raise ConfigurationError(f"{instrument.symbol} is listed twice in the universe")
            table[instrument.symbol] = instrument
        self._table = MappingProxyType(table)
        self._note_inactive()

    def __reduce__(self) -> tuple[type[Universe], tuple[tuple[Instrument, ...]]]:
        return Universe, (tuple(self._table.values()),)  # a mapping proxy cannot travel to other processes

    def refresh(self, instruments: Iterable[Instrument]) -> None:
        """From now on these instruments are what they say; symbols that are not approved stay so."""
        fresh = {instrument.symbol: instrument for instrument in instruments if instrument.symbol in self._table}
        self._table = MappingProxyType({**self._table, **fresh})
        self._note_inactive()

    def _note_inactive(self) -> None:
        self.inactive = frozenset(symbol for symbol, instrument in self._table.items() if not instrument.active)

    def __getitem__(self, symbol: str) -> Instrument:
        return self._table[symbol]

    def get(self, symbol: str, default: Any = None, /) -> Any:
        """As of any mapping, in one step."""
        return self._table.get(symbol, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def get_instrument(self, symbol: str) -> Instrument | None:
        """The instrument, or None when it is not approved."""
        return self._table.get(symbol)

    @property
    def sectors(self) -> dict[str, str]:
        """Symbol to sector."""
        return {symbol: instrument.sector for symbol, instrument in self._table.items()}


def is_symbol(name: Any) -> bool:
    """True for what may name an instrument: printable, without spaces, at most 32 characters."""
    return isinstance(name, str) and 0 < len(name) <= 32 and name.isprintable() and " " not in name
