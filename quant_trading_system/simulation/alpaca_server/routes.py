"""What a route is, and what its handler is given. The table of all routes is also their description."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from quant_trading_system.simulation.alpaca_server.accounts import Desk
from quant_trading_system.simulation.alpaca_server.answers import ANYTHING, Schema
from quant_trading_system.simulation.alpaca_server.codec import read_json
from quant_trading_system.simulation.alpaca_server.errors import bad_json
from quant_trading_system.simulation.alpaca_server.history_pages import MarketHistory
from quant_trading_system.simulation.alpaca_server.host import Host

Result = TypeVar("Result")

MOST_BYTES = 1 << 20
"""Of the body of a request."""


class Scope(StrEnum):
    """Which requests count together against a limit."""

    TRADING = "trading"
    DATA = "data"


class Parameter(NamedTuple):
    """One value in the query of a request.

    Attributes:
        kind: as in JSON Schema: ``string``, ``integer``, ``number``, ``boolean``.
        values: the words that are possible, when there are only some.
        more: of its JSON Schema, such as bounds or a pattern.
    """

    name: str
    kind: str = "string"
    description: str = ""
    values: tuple[str, ...] = ()
    required: bool = False
    more: Mapping[str, Any] = MappingProxyType({})


class Field(NamedTuple):
    """One field of the JSON object in a request."""

    name: str
    schema: Mapping[str, Any]
    required: bool = False


class Call:
    """A request that was let in.

    Attributes:
        desk: the account that it speaks for.
    """

    def __init__(self, host: Host, desk: Desk, history: MarketHistory, readers: ThreadPoolExecutor) -> None:
        self.host = host
        self.desk = desk
        self.history = history
        self._readers = readers
        self.query: Mapping[str, str] = {}
        self.path: Mapping[str, str] = {}
        self.body: dict[str, Any] = {}

    def take(self, query: Mapping[str, str], path: Mapping[str, str], data: bytes) -> None:
        """Take in what the request says.

        Raises:
            VenueRefusal: its body is no JSON object.
        """
        self.query, self.path = query, path
        if data:
            self.body = _json_object(data)

    async def in_background(self, work: Callable[[], Result]) -> Result:
        """Read prices at length, while others are served."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


class Answer(NamedTuple):
    """What a handler gives back; a body of None is an empty one."""

    body: Any
    status: int = 200


Handler = Callable[[Call], Answer | Awaitable[Answer]]


class Route(NamedTuple):
    """One method of one path.

    Attributes:
        status: of a good answer, and `answer`: what it looks like, as JSON Schema.
        fields: of the JSON object that the request carries, none for requests without a body.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    scope: Scope = Scope.TRADING
    parameters: tuple[Parameter, ...] = ()
    fields: tuple[Field, ...] = ()
    status: int = 200
    answer: Schema = ANYTHING


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        found = read_json(data)
    except ValueError:
        raise bad_json() from None
    if not isinstance(found, dict):
        raise bad_json()
    return found
