"""The whole connection against a server on this machine: real HTTP, real WebSockets, a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.broker import BrokerUpdate
from quant_trading_system.execution.credentials import Access, Credentials, Endpoints
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.transport import Reply, Request
from quant_trading_system.market.quotes import Quote, QuoteBoard
from tests.support.alpaca_lines import KEY, SECRET, START, approved, stamp
from tests.support.fake_alpaca import FakeAlpaca
from tests.support.orders import buy

pytest.importorskip("aiohttp")

from aiohttp import WSMsgType, web

from quant_trading_system.execution.http_transport import HttpTransport, WebSockets

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


class Connection:
    """Everything on our side of the line, and all that it told."""

    def __init__(self, url: str, *, packed: bool = False) -> None:
        access = Access(Credentials(KEY, SECRET), Endpoints.derived(url))
        self.clock, self.ears, self.board = ManualClock(START), Ears(), QuoteBoard()
        self.sockets = WebSockets()
        transport = HttpTransport(url, access.credentials.headers())
        self.api = AlpacaApi(transport, self.clock, self.ears.hear, source="test")
        common: Any = (access, self.clock, self.ears.hear)
        self.broker = AlpacaBroker(AlpacaClient(self.api), self.sockets, *common, account_id="PA77", packed=packed)
        self.broker.subscribe(self.ears.hear)
        self.board.subscribe(self.ears.hear)
        self.feed = AlpacaFeed(
            self.sockets,
            AlpacaData(self.api),
            *common,
            subscriptions={"quotes": ("KO",)},
            board=self.board,
            is_open=lambda _: True,
            packed=packed,
        )

    @asynccontextmanager
    async def running(self, work: AlpacaBroker | AlpacaFeed) -> AsyncIterator[None]:
        """Up, until the end of the block."""
        task = asyncio.create_task(work.run())
        await self.ears.until(is_up)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        await self.sockets.close()
        await self.api.close()


Story = Callable[[Server, Connection], Awaitable[None]]


def connected(story: Story, *, packed: bool = False) -> None:
    """Tell `story` between a server and us."""

    async def live() -> None:
        async with Server() as server:
            connection = Connection(server.url, packed=packed)
            try:
                await story(server, connection)
            finally:
                await connection.close()

    asyncio.run(live())


def is_up(heard: list[Any]) -> bool:
    return NoticeKind.STREAM_UP in noticed(heard)


def noticed(heard: list[Any]) -> dict[NoticeKind, str]:
    """The latest words of every kind of notice."""
    return {one.kind: one.message for one in heard if isinstance(one, Notice)}


def triggers(heard: list[Any]) -> list[OrderTrigger | None]:
    return [one.trigger for one in heard if isinstance(one, BrokerUpdate)]


@pytest.mark.parametrize("packed", [False, True], ids=["JSON", "MessagePack"])
def test_an_order_lives_its_life_over_real_sockets(packed):
    async def story(server: Server, ours: Connection) -> None:
        async with ours.running(ours.broker):
            answer = await ours.broker.place(approved(buy(8, limit="61.25", client_order_id="mine-1")))
            assert answer.venue_order_id == "v-mine-1"
            await server.tell(server.alpaca.fill("mine-1", "3", "61.200000001"))
            await server.tell(server.alpaca.fill("mine-1", "5"))
            await ours.ears.until(lambda heard: T.FILL_LAST in triggers(heard))
            assert triggers(ours.ears.heard) == [T.ACCEPT, T.FILL_PART, T.FILL_LAST]
            executions = await ours.broker.executions("mine-1")
        assert [execution.price for execution in executions] == [D("61.200000001"), D("61.20")]
        assert [one.execution for one in ours.ears.heard if isinstance(one, BrokerUpdate)][1:] == list(executions)
        assert server.packed == packed
        assert set(server.seen_keys) == {(KEY, SECRET)}

    connected(story, packed=packed)


@pytest.mark.parametrize("packed", [False, True], ids=["JSON", "MessagePack"])
def test_prices_reach_the_board_over_real_sockets(packed):
    async def story(server: Server, ours: Connection) -> None:
        async with ours.running(ours.feed):
            await server.quote(bp=61.230000001)
            await ours.ears.until(lambda heard: any(isinstance(one, Quote) for one in heard))
        found = ours.board.quote("KO")
        assert found is not None
        assert (found.bid, found.ask) == (D("61.230000001"), D("61.26"))

    connected(story, packed=packed)


def test_a_line_that_the_server_closes_is_noticed_at_once():
    async def story(server: Server, ours: Connection) -> None:
        async with ours.running(ours.broker):
            assert server.order_socket is not None
            await server.order_socket.close()
            await ours.ears.until(lambda heard: NoticeKind.STREAM_DOWN in noticed(heard))
            assert not ours.broker.session.is_up
        down = noticed(ours.ears.heard)[NoticeKind.STREAM_DOWN]
        assert "closed the stream (code 1000)" in down

    connected(story)


def test_a_server_that_is_not_there_is_an_ordinary_broken_connection():
    async def story(server: Server, ours: Connection) -> None:
        await server._runner.cleanup()
        with pytest.raises(ConnectionError, match=r"ws://127\.0\.0\.1"):
            await ours.sockets.open(server.url.replace("http", "ws") + "/stream", {})

    connected(story)
