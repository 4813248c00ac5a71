"""A venue as bytes, so that it survives a restart: orders, books, reservations, timers, random numbers, everything.

Numbers are kept exactly: `Decimal` as text, money and shares as whole numbers of any size.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.account import AccountState
from quant_trading_system.simulation.activities import CashActivity, Remembered
from quant_trading_system.simulation.books import BooksState
from quant_trading_system.simulation.faults import Faults
from quant_trading_system.simulation.floor import FloorState
from quant_trading_system.simulation.groups import Group
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.models import RandomState
from quant_trading_system.simulation.wire import WireState

_FORMAT = 1


class VenueState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a venue knows.

    Attributes:
        format: of this record; `id_prefix`: tells one venue's orders from another's.
        time, opened_at: of the exchange.
    """

    format: int = _FORMAT
    id_prefix: str
    time: datetime | None
    opened_at: datetime | None
    orders: list[LiveOrder]
    groups: list[Group]
    books: BooksState
    account: AccountState
    activities: list[Remembered]
    postings: list[CashActivity] = []
    floor: FloorState
    wire: WireState
    faults: tuple[Faults, RandomState]


def encode(state: VenueState) -> bytes:
    """The state as JSON."""
    return msgspec.json.encode(state)


def decode(data: bytes, id_prefix: str) -> VenueState:
    """The state that `encode` wrote.

    Raises:
        ConfigurationError: it is none, it is damaged, or it belongs to another venue.
    """
    try:
        state = msgspec.json.decode(data, type=VenueState)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"this is not the kept state of a venue: {error}") from error
    if state.format != _FORMAT:
        raise ConfigurationError(f"the venue was kept in format {state.format}, which this version does not read")
    if state.id_prefix != id_prefix:
        raise ConfigurationError("the kept state belongs to a venue with another seed; start it with the same one")
    return state
