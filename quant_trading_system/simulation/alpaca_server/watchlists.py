"""Watchlists: named lists of symbols, one set for each account."""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.simulation.admission import malformed, not_found
from quant_trading_system.simulation.alpaca_server.identity import uuid_of

LONGEST_NAME = 64
MOST_LISTS = 200
MOST_SYMBOLS = 1_000


class Watchlist(msgspec.Struct):
    """One list; symbols in the order in which they were added."""

    id: str
    name: str
    created_at: datetime
    updated_at: datetime
    symbols: list[str]


class Watchlists:
    """The lists of one account."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._made = 0
        self._lists: dict[str, Watchlist] = {}

    def all(self) -> tuple[Watchlist, ...]:
        """Every list, oldest first."""
        return tuple(self._lists.values())

    def get(self, identity: str) -> Watchlist:
        """The list of that id.

        Raises:
            VenueRefusal: there is none.
        """
        if identity not in self._lists:
            raise not_found(f"watchlist not found for {identity}")
        return self._lists[identity]

    def named(self, name: str) -> Watchlist:
        """The list of that name.

        Raises:
            VenueRefusal: there is none.
        """
        for found in self._lists.values():
            if found.name == name:
                return found
        raise not_found(f"watchlist not found for {name}")

    def create(self, name: str, symbols: list[str], now: datetime) -> Watchlist:
        """A new list.

        Raises:
            VenueRefusal: the name is taken or too long, or there are too many lists or symbols.
        """
        self._require_free(name)
        if len(self._lists) >= MOST_LISTS:
            raise malformed(f"at most {MOST_LISTS} watchlists")
        self._made += 1
        made = Watchlist(uuid_of("watchlist", self._account_id, self._made), name, now, now, _distinct(symbols))
        self._lists[made.id] = made
        return made

    def change(self, found: Watchlist, name: str | None, symbols: list[str] | None, now: datetime) -> None:
        """Give a list another name, other symbols, or both.

        Raises:
            VenueRefusal: as for `create`.
        """
        if name is not None and name != found.name:
            self._require_free(name)
        distinct = None if symbols is None else _distinct(symbols)
        found.name = found.name if name is None else name
        found.symbols = found.symbols if distinct is None else distinct
        found.updated_at = now

    def add(self, found: Watchlist, symbol: str, now: datetime) -> None:
        """Put a symbol at the end of a list.

        Raises:
            VenueRefusal: it is in it already, or the list is full.
        """
        if symbol in found.symbols:
            raise malformed(f"duplicate symbol: {symbol}")
        self.change(found, None, [*found.symbols, symbol], now)

    def remove(self, found: Watchlist, symbol: str, now: datetime) -> None:
        """Take a symbol out of a list.

        Raises:
            VenueRefusal: it is not in it.
        """
        if symbol not in found.symbols:
            raise not_found(f"symbol not found: {symbol}")
        self.change(found, None, [other for other in found.symbols if other != symbol], now)

    def delete(self, found: Watchlist) -> None:
        """The list is no more."""
        del self._lists[found.id]

    def state(self) -> WatchlistsState:
        """Everything, to be kept."""
        return WatchlistsState(made=self._made, lists=list(self._lists.values()))

    def restore(self, state: WatchlistsState) -> None:
        """Be as it was."""
        self._made = state.made
        self._lists = {kept.id: kept for kept in state.lists}

    def _require_free(self, name: str) -> None:
        if not name or len(name) > LONGEST_NAME:
            raise malformed(f"watchlist name must have 1 to {LONGEST_NAME} characters")
        if any(other.name == name for other in self._lists.values()):
            raise malformed("watchlist name must be unique")


class WatchlistsState(msgspec.Struct, frozen=True, kw_only=True):
    """The lists of an account, as they are kept."""

    made: int
    lists: list[Watchlist]


def _distinct(symbols: list[str]) -> list[str]:
    found = list(dict.fromkeys(symbols))
    if len(found) > MOST_SYMBOLS:
        raise malformed(f"at most {MOST_SYMBOLS} symbols")
    return found
