"""The venue's wire without a network: requests and answers as bytes, for callers in the same process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.app import ROUTES, Front, answered
from quant_trading_system.simulation.alpaca_server.errors import no_endpoint, refusal_response
from quant_trading_system.simulation.alpaca_server.routes import Route


class Reply(NamedTuple):
    """An answer as it would stand on the wire; names of headers in lower case."""

    status: int
    body: bytes
    headers: dict[str, str]


class InProcess:
    """Asks the routes of a front directly."""

    def __init__(self, front: Front) -> None:
        """Serve the routes of `front`."""
        self.front = front
        self._routes = [(route, _pattern(route.path)) for route in ROUTES]

    async def ask(
        self, method: str, path: str, query: tuple[tuple[str, str], ...], headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """What the venue answers, refusals included."""
        found = self._find(method, path)
        if found is None:
            return _reply(refusal_response(no_endpoint()), {})
        route, names = found
        desk, allowance, refusal = self.front.admit(headers, route)
        try:
            if desk is None or refusal is not None:
                raise refusal or no_endpoint()
            call = self.front.call_for(desk)
            call.take(dict(query), names, body)
            response = await answered(route, call)
        except VenueRefusal as no:
            response = refusal_response(no)
        more = {name.lower(): value for name, value in allowance.headers.items()}
        if response.status == 429:
            more["retry-after"] = str(allowance.wait_s)
        return _reply(response, more)

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route, pattern in self._routes:
            if route.method == method and (match := pattern.fullmatch(path)):
                return route, match.groupdict()
        return None


def _pattern(path: str) -> re.Pattern[str]:
    """``/v2/orders/{order_id}`` as a regular expression; a name may bring a pattern of its own."""
    parts = re.split(r"(\{\w+(?::[^{}]*)?\})", path)
    made = []
    for part in parts:
        name, _, own = part.strip("{}").partition(":")
        made.append(f"(?P<{name}>{own or '[^/]+'})" if part.startswith("{") else re.escape(part))
    return re.compile("".join(made))


def _reply(response: web.Response, headers: dict[str, str]) -> Reply:
    return Reply(response.status, response.body if isinstance(response.body, bytes) else b"", headers)
