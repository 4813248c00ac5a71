"""Transport over HTTP and WebSockets with aiohttp, without its kindnesses.

aiohttp repeats GET and DELETE by itself when a pooled connection turns out to be dead, and follows redirects.
Here a request is written once or not at all: a dead connection is an error, and so is a redirect, which could
otherwise carry credentials to another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from urllib.parse import urlencode, urlsplit

import aiohttp

from quant_trading_system.core.exceptions import BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.transport import Frame, Reply, Request, Timeouts

MAX_BODY = 32 * 1024 * 1024
"""Bytes of an answer, after decompression; a page of 10,000 bars has about one million."""
MAX_FRAME = 4 * 1024 * 1024
"""Bytes of one WebSocket message."""

_CONNECTIONS = 16
_KEEP_ALIVE_S = 20  # shorter than servers keep idle connections, so that a dead one is rarely met
_PING_S = 10
_CLOSE_S = 2


class _Departure:
    """Whether the request of the present task may have left."""

    __slots__ = ("has_left", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.has_left = False

    def begin(self) -> None:
        """Called when the connection stands; from here on bytes may be out."""
        forbid = self.request.forbid
        reason = "" if forbid is None else forbid()
        if reason:
            raise NotSent(reason)
        self.has_left = True


_departure: ContextVar[_Departure] = ContextVar("departure")


class _WatchedRequest(aiohttp.ClientRequest):
    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        _departure.get().begin()
        return await super().send(conn)


class _Refused(aiohttp.ClientError):
    """Ends an attempt so that aiohttp neither repeats it nor follows anywhere."""


async def _only_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A middleware: errors that aiohttp would answer by repeating, and redirects, end the attempt."""
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # never connected, and never repeated
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Refused(f"the connection broke ({type(error).__name__})") from None
    if 300 <= response.status < 400:
        response.close()
        raise _Refused(f"the host answered with redirect {response.status}, which is not followed")
    return response


class HttpTransport:
    """The line to one host, over pooled connections."""

    def __init__(self, origin: str, secrets: Mapping[str, str], *, max_body: int = MAX_BODY) -> None:
        """Prepare the line; connections are made when they are needed. Call it where an event loop runs.

        Args:
            origin: scheme, host and port, such as ``https://paper-api.alpaca.markets``.
            secrets: headers of every request, such as credentials.
            max_body: bytes of an answer that are read at most.
        """
        self._origin = origin.rstrip("/")
        self._max_body = max_body
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**secrets, "Accept": "application/json"},
            request_class=_WatchedRequest,
            middlewares=(_only_once,),
        )

    async def send(self, request: Request, timeouts: Timeouts) -> Reply:
        departure = _Departure(request)
        _departure.set(departure)
        try:
            return await self._attempt(request, timeouts)
        except TimeoutError:
            if departure.has_left:
                raise BrokerTimeout(f"{request.name}: no answer in time") from None
            raise NotSent(f"{request.name}: no connection in time") from None
        except (aiohttp.ClientError, OSError) as error:
            kind = OutcomeUnknown if departure.has_left else NotSent
            raise kind(f"{request.name}: {error}") from None  # the cause would carry the headers along

    async def close(self) -> None:
        await self._session.close()

    async def _attempt(self, request: Request, timeouts: Timeouts) -> Reply:
        query = f"?{urlencode(request.query)}" if request.query else ""
        async with self._session.request(
            request.method,
            self._origin + request.path + query,
            data=aiohttp.BytesPayload(request.body, content_type="application/json") if request.body else None,
            timeout=_limits(timeouts),
            allow_redirects=False,
        ) as response:
            body = await self._body_of(response, request)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, body, headers)

    async def _body_of(self, response: aiohttp.ClientResponse, request: Request) -> bytes:
        parts, size, content = [], 0, response.content
        while not content.at_eof():
            part = await content.readany()
            size += len(part)
            if size > self._max_body:
                response.close()
                raise OutcomeUnknown(f"{request.name}: the answer is larger than {self._max_body} bytes")
            parts.append(part)
        return b"".join(parts)


class WebSockets:
    """Opens WebSockets; pings every ten seconds and hangs up when no pong comes."""

    def __init__(self) -> None:
        """Prepare; call it where an event loop runs."""
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_only_once,),
        )

    async def open(self, url: str, headers: dict[str, str]) -> OpenSocket:
        try:
            socket = await self._session.ws_connect(
                url,
                headers=headers,
                heartbeat=_PING_S,
                max_msg_size=MAX_FRAME,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise ConnectionError(f"{_place(url)} refused the WebSocket (status {error.status})") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionError(f"{_place(url)}: {error}") from None
        return OpenSocket(socket, _place(url))

    async def close(self) -> None:
        """Hang up every socket."""
        await self._session.close()


class OpenSocket:
    """One WebSocket of `WebSockets`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, place: str) -> None:
        self._socket = socket
        self._place = place

    async def send(self, frame: Frame) -> None:
        try:
            if isinstance(frame, str):
                await self._socket.send_str(frame)
            else:
                await self._socket.send_bytes(frame)
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionError(f"{self._place}: {error}") from None

    async def receive(self) -> Frame:
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
            frame: Frame = message.data
            return frame
        if message.type is aiohttp.WSMsgType.ERROR:
            raise ConnectionError(f"{self._place}: {message.data}")
        raise ConnectionError(f"{self._place} closed the stream (code {self._socket.close_code})")

    async def close(self) -> None:
        await self._socket.close()


@cache
def _limits(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    connect = timeouts.connect.total_seconds()
    return aiohttp.ClientTimeout(
        total=timeouts.total.total_seconds(),
        connect=connect,
        sock_connect=connect,
        sock_read=timeouts.read.total_seconds(),
    )


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
