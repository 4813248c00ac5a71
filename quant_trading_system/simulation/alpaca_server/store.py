"""What survives a restart: the accounts, the operator's doings and the venue's time, in one SQLite file.

The state is written as a whole, a moment after it has changed. A venue that is killed loses what happened in
that moment; one that ends by itself loses nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.tape import Intervention
from quant_trading_system.simulation.alpaca_server.watchlists import WatchlistsState
from quant_trading_system.simulation.realism import PLAIN, Realism

_Kind = TypeVar("_Kind")

_REST = 20
"""How many times as long as writing has taken the venue does other things."""

PAUSE = timedelta(milliseconds=100)
"""Real time between a change and its being written."""


class Scenery(msgspec.Struct, frozen=True, kw_only=True):
    """How the market was made; it has to be made the same way again.

    Attributes:
        begin: the first day, None for the present day; `start`: when the venue was entered first.
        realism: how spread and volume go through the day, and what orders do to prices.
    """

    source: str
    symbols: dict[str, Decimal | None]
    seed: int
    steps: int | None
    always_open: bool
    begin: date | None
    start: datetime
    realism: Realism = PLAIN


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An account."""

    name: str
    opened_at: datetime
    venue: bytes
    watchlists: WatchlistsState


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything."""

    now: datetime
    accounts: list[_Kept]
    interventions: dict[str, list[Intervention]]


class Store:
    """The file of one venue."""

    def __init__(self, path: Path, real: Clock) -> None:
        """Open the file, or make it.

        Raises:
            ConfigurationError: it cannot be opened, or is something else.
        """
        self._path = path
        self._real = real
        self._host: Host | None = None
        self._changed = asyncio.Event()
        try:
            self._database = _opened(path)
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path} cannot be used as a venue's file: {error}") from error

    def scenery(self) -> Scenery | None:
        """How the market of this file is made, None for a new file.

        Raises:
            ConfigurationError: the file was written by another version.
        """
        body = self._read("scenery")
        return None if body is None else self._decoded(body, Scenery)

    def resumed_at(self) -> datetime | None:
        """The venue's time at the end of its last life, None for a new file."""
        body = self._read("state")
        return None if body is None else self._decoded(body, _State).now

    def begin(self, scenery: Scenery, host: Host) -> None:
        """Restore the accounts from the file, or note how the market of a new one is made."""
        body = self._read("state")
        if body is None:
            self._write("scenery", msgspec.json.encode(scenery))
        else:
            self._restore(self._decoded(body, _State), host)
        self._host = host
        host.when_changed(self._changed.set)

    async def keep_saving(self) -> None:
        """Write the state a moment after every change, for ever; large states less often."""
        pause = PAUSE
        while True:
            await self._changed.wait()
            await self._real.sleep(pause)
            began = self._real.monotonic()
            self.save()
            pause = max(PAUSE, _REST * timedelta(seconds=self._real.monotonic() - began))

    def save(self) -> None:
        """Write the state now."""
        self._changed.clear()
        if self._host is not None:
            self._write("state", msgspec.json.encode(_state_of(self._host)))
            self._host.is_saved = True

    def close(self) -> None:
        """Let go of the file; nothing is saved by that."""
        self._database.close()

    def _restore(self, state: _State, host: Host) -> None:
        desks = {desk.spec.name: desk for desk in host.desks}
        for kept in state.accounts:
            desk = desks.get(kept.name)
            if desk is None:
                raise ConfigurationError(f"{self._path} has an account {kept.name}; name it with --account, too")
            desk.opened_at = kept.opened_at
            desk.venue.restore(kept.venue)
            desk.watchlists.restore(kept.watchlists)
        host.resume_from(state.now, state.interventions)

    def _read(self, name: str) -> bytes | None:
        try:
            row = self._database.execute("SELECT body FROM venue WHERE name = ?", [name]).fetchone()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self._path} cannot be read: {error}") from error
        return None if row is None else bytes(row[0])

    def _write(self, name: str, body: bytes) -> None:
        self._database.execute("INSERT OR REPLACE INTO venue VALUES (?, ?)", [name, body])

    def _decoded(self, body: bytes, kind: type[_Kind]) -> _Kind:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.DecodeError as error:
            raise ConfigurationError(f"{self._path} was not written by this version: {error}") from error


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE IF NOT EXISTS venue (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _state_of(host: Host) -> _State:
    accounts = [
        _Kept(
            name=desk.spec.name,
            opened_at=desk.opened_at,
            venue=desk.venue.snapshot(),
            watchlists=desk.watchlists.state(),
        )
        for desk in host.desks
    ]
    done = {symbol: list(host.tape.interventions(symbol)) for symbol in host.market.symbols}
    return _State(
        now=host.now, accounts=accounts, interventions={symbol: acts for symbol, acts in done.items() if acts}
    )
