"""The whole connection against a server on this machine: real HTTP, real WebSockets, a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.execution.alpaca_connection import AlpacaConnection
from quant_trading_system.execution.broker import BrokerUpdate
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints, TradingMode
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.transport import Reply, Request
from quant_trading_system.market.quotes import Quote, QuoteBoard
from tests.support.alpaca_lines import KEY, SECRET, START, approved, stamp
from tests.support.fake_alpaca import FakeAlpaca
from tests.support.orders import buy

pytest.importorskip("aiohttp")

from aiohttp import WSMsgType, web

D = Decimal
T = OrderTrigger


class Server:
    """A `FakeAlpaca` behind sockets. It greets as the real one does, and speaks MessagePack when asked."""

    def __init__(self) -> None:
        self.alpaca = FakeAlpaca()
        self.seen_keys: list[tuple[str, str]] = []
        self.order_socket: web.WebSocketResponse | None = None
        self.data_socket: web.WebSocketResponse | None = None
        self.packed = False

    async def __aenter__(self) -> Server:
        app = web.Application()
        app.router.add_get("/stream", self._orders)
        app.router.add_get("/v2/iex", self._data)
        app.router.add_route("*", "/v2/{path:.*}", self._rest)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for socket in (self.order_socket, self.data_socket):
            if socket is not None:
                await socket.close()
        await self._runner.cleanup()

    async def tell(self, message: Any) -> None:
        """On the stream of order updates: JSON in a binary frame, as the paper endpoint does."""
        assert self.order_socket is not None
        await self.order_socket.send_bytes(self._written(message))

    async def quote(self, **fields: Any) -> None:
        assert self.data_socket is not None
        row = {"T": "q", "S": "KO", "bp": 61.24, "ap": 61.26, "bs": 1, "as": 2, "t": stamp(), **fields}
        await self.data_socket.send_bytes(self._written([row]))

    def _written(self, message: Any) -> bytes:
        return msgspec.msgpack.encode(message) if self.packed else json.dumps(message).encode()

    async def _rest(self, http: web.Request) -> web.Response:
        self.seen_keys.append((http.headers["APCA-API-KEY-ID"], http.headers["APCA-API-SECRET-KEY"]))
        if http.path.startswith("/v2/stocks/"):
            return web.json_response({"quotes": {}})
        request = Request(method=http.method, path=http.path, query=tuple(http.query.items()), body=await http.read())
        answer = self.alpaca.serve(request)
        assert isinstance(answer, Reply)
        return web.Response(status=answer.status, body=answer.body, headers={"X-RateLimit-Limit": "200"})

    async def _orders(self, http: web.Request) -> web.WebSocketResponse:
        self.order_socket = socket = await self._opened(http)
        async for message in socket:
            said = self._read(message)
            if said["action"] == "authenticate":
                assert said["data"] == {"key_id": KEY, "secret_key": SECRET}
                await self.tell({"stream": "authorization", "data": {"status": "authorized"}})
            else:
                await self.tell({"stream": "listening", "data": said["data"]})
        return socket

    async def _data(self, http: web.Request) -> web.WebSocketResponse:
        self.data_socket = socket = await self._opened(http)
        await socket.send_bytes(self._written([{"T": "success", "msg": "connected"}]))
        async for message in socket:
            said = self._read(message)
            action = said.pop("action")
            kind = {"T": "success", "msg": "authenticated"} if action == "auth" else {"T": "subscription", **said}
            await socket.send_bytes(self._written([kind]))
        return socket

    async def _opened(self, http: web.Request) -> web.WebSocketResponse:
        self.packed = http.headers.get("Content-Type") == "application/msgpack"
        socket = web.WebSocketResponse()
        await socket.prepare(http)
        return socket

    def _read(self, message: Any) -> Any:
        assert message.type is (WSMsgType.BINARY if self.packed else WSMsgType.TEXT)
        return msgspec.msgpack.decode(message.data) if self.packed else json.loads(message.data)


class Ears:
    """Everything that was told; waits until something in particular was."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = asyncio.Event()

    def hear(self, what: Any) -> None:
        self.heard.append(what)
        self._news.set()

    async def until(self, holds: Callable[[list[Any]], bool]) -> None:
        while not holds(self.heard):
            self._news.clear()
            await self._news.wait()


Story = Callable[[Server, AlpacaConnection, Ears], Awaitable[None]]


def connected(story: Story, **options: Any) -> None:
    """Tell `story` between a server and a connection that follows its orders."""

    async def live() -> None:
        async with Server() as server:
            ears = Ears()
            access = Access(Credentials(KEY, SECRET), Endpoints.derived(server.url))
            async with AlpacaConnection(
                access, ManualClock(START), ears.hear, mode=TradingMode.LOCAL, account_id="PA77", **options
            ) as connection:
                connection.broker.subscribe(ears.hear)
                following = asyncio.create_task(connection.broker.run())
                await ears.until(is_up)
                try:
                    await story(server, connection, ears)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)

    asyncio.run(live())


def is_up(heard: list[Any]) -> bool:
    return any(isinstance(one, Notice) and one.kind is NoticeKind.STREAM_UP for one in heard)


def triggers(heard: list[Any]) -> list[OrderTrigger | None]:
    return [one.trigger for one in heard if isinstance(one, BrokerUpdate)]


@pytest.mark.parametrize("packed", [False, True], ids=["JSON", "MessagePack"])
def test_an_order_lives_its_life_over_real_sockets(packed):
    async def story(server: Server, connection: AlpacaConnection, ears: Ears) -> None:
        order = buy(8, limit="61.25", client_order_id="mine-1")
        answer = await connection.broker.place(approved(order))
        assert answer.venue_order_id == "v-mine-1"
        await server.tell(server.alpaca.fill("mine-1", "3", "61.200000001"))
        await server.tell(server.alpaca.fill("mine-1", "5"))
        await ears.until(lambda heard: T.FILL_LAST in triggers(heard))
        assert triggers(ears.heard) == [T.ACCEPT, T.FILL_PART, T.FILL_LAST]
        executions = await connection.broker.executions("mine-1")
        assert [execution.price for execution in executions] == [D("61.200000001"), D("61.20")]
        assert [one.execution for one in ears.heard if isinstance(one, BrokerUpdate)][1:] == list(executions)
        assert server.packed == packed
        assert set(server.seen_keys) == {(KEY, SECRET)}

    connected(story, packed=packed)


@pytest.mark.parametrize("packed", [False, True], ids=["JSON", "MessagePack"])
def test_prices_reach_the_board_over_real_sockets(packed):
    async def story(server: Server, connection: AlpacaConnection, ears: Ears) -> None:
        board = QuoteBoard()
        board.subscribe(ears.hear)
        feed = connection.feed({"quotes": ("KO",)}, board, lambda _: True)
        running = asyncio.create_task(feed.run())
        ears.heard.clear()
        await ears.until(is_up)
        await server.quote(bp=61.230000001)
        await ears.until(lambda heard: any(isinstance(one, Quote) for one in heard))
        found = board.quote("KO")
        assert found is not None
        assert (found.bid, found.ask) == (D("61.230000001"), D("61.26"))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    connected(story, packed=packed)


def test_a_line_that_the_server_closes_is_noticed_at_once():
    async def story(server: Server, connection: AlpacaConnection, ears: Ears) -> None:
        assert server.order_socket is not None
        await server.order_socket.close()
        await ears.until(lambda heard: any(getattr(one, "kind", "") == NoticeKind.STREAM_DOWN for one in heard))
        assert not connection.broker.session.is_up
        down = next(one for one in ears.heard if getattr(one, "kind", "") == NoticeKind.STREAM_DOWN)
        assert "closed the stream (code 1000)" in down.message

    connected(story)


def test_a_live_host_is_not_touched_without_permission():
    async def story() -> None:
        access = Access(Credentials(KEY, SECRET), Endpoints.derived("https://api.alpaca.markets"))
        with pytest.raises(ConfigurationError, match="not armed"):
            AlpacaConnection(access, ManualClock(START), print, mode=TradingMode.LIVE, account_id="1")

    asyncio.run(story())


def test_a_server_that_is_not_there_refuses_the_connection_as_an_ordinary_error():
    async def story() -> None:
        async with Server() as server:
            url = server.url
        from quant_trading_system.execution.http_transport import WebSockets

        sockets = WebSockets()
        with pytest.raises(ConnectionError, match="127"):
            await sockets.open(url.replace("http", "ws") + "/stream", {})
        await sockets.close()

    asyncio.run(story())
