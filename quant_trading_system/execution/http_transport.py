"""Transport over HTTP and WebSockets with aiohttp, without its kindnesses.

aiohttp repeats GET and DELETE by itself when a pooled connection turns out to be dead, and follows redirects.
Here a request is written once or not at all: a dead connection is an error, and so is a redirect, which could
otherwise carry credentials to another host.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp

from quant_trading_system.core.exceptions import BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.begun import begun
from quant_trading_system.execution.deadlines import Deadlines, Wait
from quant_trading_system.execution.transport import Frame, Reply, Request, Timeouts

MAX_BODY = 32 * 1024 * 1024
"""Bytes of an answer, after decompression; a page of 10,000 bars has about one million."""
MAX_FRAME = 4 * 1024 * 1024
"""Bytes of one WebSocket message."""

_CONNECTIONS = 16
_KEEP_ALIVE_S = 20  # shorter than servers keep idle connections, so that a dead one is rarely met
_PING_S = 10
_CLOSE_S = 2


class _Departure(Wait):
    """Whether the request of the present task may have left, and how long its answer may take."""

    __slots__ = ("_deadlines", "_ends", "_silence", "_time", "has_left", "request")

    def __init__(self, request: Request, timeouts: Timeouts, deadlines: Deadlines) -> None:
        self.request = request
        self.has_left = False
        self._deadlines = deadlines
        self._time = asyncio.get_running_loop().time
        self._silence = timeouts.read.total_seconds()
        self._ends = self._time() + timeouts.total.total_seconds()
        super().__init__(self._ends)

    def begin(self) -> None:
        """Called when the connection stands; from here on bytes may be out."""
        forbid = self.request.forbid
        reason = "" if forbid is None else forbid()
        if reason:
            raise NotSent(reason)
        self.has_left = True
        self.listen()
        self._deadlines.add(self, self.due)  # until now only the end of all was known

    def listen(self) -> None:
        """From now on the other side may be silent for a while."""
        self.due = min(self.patience, self._ends)

    @property
    def patience(self) -> float:
        """Until when, if the silence began now."""
        return self._time() + self._silence


_departure: ContextVar[_Departure] = ContextVar("departure")


class _SpokeUnasked(aiohttp.ClientError):
    """A pooled connection holds an answer that nobody has asked for; nothing was written."""


class _WatchedRequest(aiohttp.ClientRequest):
    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Begin, unless what the connection has heard before would be taken for the answer."""
        if conn.protocol is None or conn.protocol.should_close:
            raise _SpokeUnasked("the connection has spoken without being asked")
        _departure.get().begin()
        return await super().send(conn)

    if sys.version_info < (3, 12):  # later ones begin a task at once, and aiohttp asks them to

        def write_bytes(self, *args: Any, **options: Any) -> Coroutine[Any, Any, None]:
            """Write in the same breath in which `send` asked; aiohttp would leave it to a later turn of the loop."""
            return begun(super().write_bytes(*args, **options))


class _Refused(aiohttp.ClientError):
    """Ends an attempt so that aiohttp neither repeats it nor follows anywhere."""


class _OnlyAnswer(aiohttp.ClientResponse):
    """An answer to one attempt: errors that aiohttp would answer by repeating, and redirects, end it."""

    async def start(self, connection: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        try:
            await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise _Refused(f"the connection broke ({type(error).__name__})") from None
        if 300 <= self.status < 400:
            raise _Refused(f"the host answered with redirect {self.status}, which is not followed")
        return self


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
        self._deadlines = Deadlines()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**secrets, "Accept": "application/json"},
            request_class=_WatchedRequest,
            response_class=_OnlyAnswer,
        )

    async def send(self, request: Request, timeouts: Timeouts) -> Reply:
        departure = _Departure(request, timeouts, self._deadlines)
        _departure.set(departure)
        try:
            async with departure.limit:
                self._deadlines.add(departure, min(departure.due, departure.patience))
                return await self._attempt(departure, timeouts)
        except TimeoutError:
            if departure.has_left:
                raise BrokerTimeout(f"{request.name}: no answer in time") from None
            raise NotSent(f"{request.name}: no connection in time") from None
        except (aiohttp.ClientError, OSError) as error:
            kind = OutcomeUnknown if departure.has_left else NotSent
            raise kind(f"{request.name}: {error}") from None  # the cause would carry the headers along
        finally:
            self._deadlines.drop(departure)

    async def close(self) -> None:
        self._deadlines.close()
        await self._session.close()

    async def _attempt(self, departure: _Departure, timeouts: Timeouts) -> Reply:
        request = departure.request
        query = f"?{urlencode(request.query)}" if request.query else ""
        try:
            response = await self._session.request(
                request.method,
                self._origin + request.path + query,
                data=aiohttp.BytesPayload(request.body, content_type="application/json") if request.body else None,
                timeout=_limits(timeouts),
                allow_redirects=False,
            )
        except _SpokeUnasked:  # aiohttp has closed it, so it comes no second time
            return await self._attempt(departure, timeouts)
        try:
            body = await self._body_of(response, departure)  # read to its end, it gives the connection back
        except BaseException:
            response.close()
            raise
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status, body, headers)

    async def _body_of(self, response: aiohttp.ClientResponse, departure: _Departure) -> bytes:
        parts, size, content = [], 0, response.content
        while not content.at_eof():
            departure.listen()
            part = await content.readany()
            size += len(part)
            if size > self._max_body:
                response.close()
                raise OutcomeUnknown(f"{departure.request.name}: the answer is larger than {self._max_body} bytes")
            parts.append(part)
        return b"".join(parts)


class WebSockets:
    """Opens WebSockets; pings every ten seconds and hangs up when no pong comes."""

    def __init__(self) -> None:
        """Prepare; call it where an event loop runs."""
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            response_class=_OnlyAnswer,
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
    """Of a new connection; everything after it is watched over by `Deadlines`."""
    connect = timeouts.connect.total_seconds()
    return aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect)


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
