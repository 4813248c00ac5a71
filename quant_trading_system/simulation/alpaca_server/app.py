"""The web application: routes, who may use them, and the frame that every answer gets."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from aiohttp import web

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.alpaca_server.account_routes import ACCOUNT_ROUTES
from quant_trading_system.simulation.alpaca_server.accounts import Desk
from quant_trading_system.simulation.alpaca_server.announcement_routes import ANNOUNCEMENT_ROUTES
from quant_trading_system.simulation.alpaca_server.auth import Keyring
from quant_trading_system.simulation.alpaca_server.data_routes import data_routes
from quant_trading_system.simulation.alpaca_server.data_stream import FEEDS, DataStream
from quant_trading_system.simulation.alpaca_server.errors import (
    internal_error,
    json_response,
    of_http,
    refusal_response,
    unauthorized,
)
from quant_trading_system.simulation.alpaca_server.fake_symbol import FakeSymbol
from quant_trading_system.simulation.alpaca_server.history_pages import MarketHistory
from quant_trading_system.simulation.alpaca_server.host import Host
from quant_trading_system.simulation.alpaca_server.http_faults import HttpFaults
from quant_trading_system.simulation.alpaca_server.identity import hex_of
from quant_trading_system.simulation.alpaca_server.market_routes import MARKET_ROUTES
from quant_trading_system.simulation.alpaca_server.openapi import describe
from quant_trading_system.simulation.alpaca_server.orders_routes import ORDER_ROUTES
from quant_trading_system.simulation.alpaca_server.positions_routes import POSITION_ROUTES
from quant_trading_system.simulation.alpaca_server.rate_limit import Allowance, RateLimiter
from quant_trading_system.simulation.alpaca_server.reference_routes import REFERENCE_ROUTES
from quant_trading_system.simulation.alpaca_server.routes import MOST_BYTES, Answer, Call, Route
from quant_trading_system.simulation.alpaca_server.screener_routes import SCREENER_ROUTES
from quant_trading_system.simulation.alpaca_server.trade_stream import TradeStream
from quant_trading_system.simulation.alpaca_server.watchlist_routes import WATCHLIST_ROUTES
from quant_trading_system.simulation.alpaca_server.wire import exchange_of

ROUTES: tuple[Route, ...] = (
    *ORDER_ROUTES,
    *POSITION_ROUTES,
    *ACCOUNT_ROUTES,
    *REFERENCE_ROUTES,
    *MARKET_ROUTES,
    *WATCHLIST_ROUTES,
    *ANNOUNCEMENT_ROUTES,
    *SCREENER_ROUTES,
    *data_routes(),
)
"""Every route of the trading and the market-data interface; fixed paths before those with names in them."""

ALLOWANCE = web.RequestKey("allowance", Allowance)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_FEED = "|".join(FEEDS)
_STRANGERS = ""
"""All who show no good keys count together."""

log = logging.getLogger(__name__)
_CLIENT_ORDER_ID = re.compile(rb'"client_order_id":\s*"([^"\\\\]{1,128})"')


class Front:
    """Everything between the network and a host.

    Attributes:
        keys: opens the accounts; `limiter`: counts requests; `faults`: what goes wrong on request.
    """

    def __init__(self, host: Host, real: Clock, per_minute: int) -> None:
        """Serve `host`.

        Args:
            real: runs in real time, for limits and waiting.
            per_minute: requests of an account, for trading and for market data each; 0 for any number.
        """
        self.host = host
        self.keys: Keyring[Desk] = Keyring(host.desks)
        self.limiter = RateLimiter(real, per_minute)
        self.faults = HttpFaults(real)
        self.trade_stream = TradeStream(self.keys, real)
        self.data_stream = DataStream(host.data_hub, self.keys, real)
        self.fake_symbol = FakeSymbol(host.data_hub, real, host.seed)
        self._readers = ThreadPoolExecutor(1, "price-reader")
        exchanges = {symbol: exchange_of(symbol) for symbol in host.scene.instruments}
        self._history = MarketHistory(host.tape, host.scene.calendar, exchanges)
        self._requests = count(1)
        host.tell_orders_to(self.trade_stream.publish)

    def application(self, more: Iterable[web.RouteDef] = ()) -> web.Application:
        """The application with all routes, and `more`."""
        made = web.Application(middlewares=[self._frame], client_max_size=MOST_BYTES)
        for route in ROUTES:
            for path in (route.path, route.path + "/"):
                made.router.add_route(route.method, path, self._handler(route))
        for path in ("/stream", "/stream/", "/stream/stream"):
            made.router.add_get(path, self.trade_stream.serve)
        for path in (f"/v2/{{feed:{_FEED}}}", f"/v2/{{first:{_FEED}}}/v2/{{feed:{_FEED}}}"):
            made.router.add_get(path, self.data_stream.serve)
            made.router.add_get(path + "/", self.data_stream.serve)
        made.router.add_get("/_venue/openapi.json", self._describe)
        made.router.add_routes(more)
        made.on_cleanup.append(self._close)
        return made

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            desk, request[ALLOWANCE], refusal = self.admit(request.headers, route)
            if desk is None or refusal is not None:
                raise refusal or unauthorized()
            call = self.call_for(desk)
            call.take(request.query, request.match_info, await request.read())
            return await answered(route, call)

        return handle

    def admit(self, headers: Mapping[str, str], route: Route) -> tuple[Desk | None, Allowance, VenueRefusal | None]:
        """The account that these headers speak for, what it may still ask, and why it may not speak now."""
        desk = self.keys.of_headers(headers)
        name = _STRANGERS if desk is None else f"{route.scope} {desk.key_id}"
        allowance, within = self.limiter.count(name)
        if not within:
            return desk, allowance, allowance.refusal()
        return desk, allowance, unauthorized() if desk is None else None

    def call_for(self, desk: Desk) -> Call:
        """A request of an account that was let in."""
        return Call(self.host, desk, self._history, self._readers)

    @web.middleware
    async def _frame(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn refusals into answers, and mark every answer."""
        rule = self.faults.next_for(request) if not request.path.startswith("/_venue/") else None
        try:
            response = await (handler(request) if rule is None else self.faults.suffer(rule, request, handler))
        except VenueRefusal as refusal:
            response = refusal_response(refusal)
        except web.HTTPException as error:
            response = refusal_response(of_http(error))
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except Exception:
            log.exception("venue_request_failed path=%s", request.path)
            response = refusal_response(internal_error())
        if not response.prepared:
            self._mark(request, response)
        if log.isEnabledFor(logging.INFO):
            _tell(request, response)
        return response

    def _mark(self, request: web.Request, response: web.StreamResponse) -> None:
        allowance = request.get(ALLOWANCE)
        if allowance is None:
            allowance, _ = self.limiter.count(_STRANGERS)
        response.headers.update(allowance.headers)
        response.headers["X-Request-ID"] = hex_of("request", next(self._requests))
        if response.status == 429 and "Retry-After" not in response.headers:
            response.headers["Retry-After"] = str(allowance.wait_s)

    async def _describe(self, _: web.Request) -> web.Response:
        return json_response(describe(ROUTES))

    async def _close(self, _: web.Application) -> None:
        self._readers.shutdown(wait=False, cancel_futures=True)


def _tell(request: web.Request, response: web.StreamResponse) -> None:
    """One record of a request: the path without its query, in which strangers can write anything."""
    body = response.body if isinstance(response, web.Response) else None
    order = _CLIENT_ORDER_ID.search(body) if isinstance(body, bytes) and request.path.startswith("/v2/orders") else None
    fields = {
        "request": response.headers.get("X-Request-ID", ""),
        "method": request.method,
        "path": request.path[:200],
        "status": response.status,
        **({"order": order[1].decode()} if order is not None else {}),
    }
    log.info("request", extra={"fields": fields})


async def answered(route: Route, call: Call) -> web.Response:
    """What the route answers to a call.

    Raises:
        VenueRefusal: it says no.
    """
    found = route.handler(call)
    answer = found if isinstance(found, Answer) else await found
    return web.Response(status=answer.status) if answer.body is None else json_response(answer.body, answer.status)
