"""The line over HTTP, against a server that counts what really arrives: one attempt, and errors that are certain."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import subprocess
from collections import deque
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from quant_trading_system.core.exceptions import BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.execution.transport import Request, Timeouts
from tests.support.alpaca_lines import KEY, SECRET

pytest.importorskip("aiohttp")

from quant_trading_system.execution.http_transport import HttpTransport, WebSockets

SECRETS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
QUICK = Timeouts(
    connect=timedelta(milliseconds=200), read=timedelta(milliseconds=50), total=timedelta(milliseconds=500)
)
PATIENT = Timeouts()
GET = Request(method="GET", path="/v2/account")
POST = Request(method="POST", path="/v2/orders", body=b'{"qty":"1"}')
DELETE = Request(method="DELETE", path="/v2/orders/1")

CUT, HANG = b"cut", b"hang"


def answer(status: str = "200 OK", body: bytes = b'{"ok":1}', *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class RawServer:
    """Answers each request with the next of `script`: bytes, `CUT` (hang up without a word) or `HANG`.

    Attributes:
        received: every request as it came, head and body.
        connections: how many were made.
    """

    def __init__(self, *script: bytes, tls: ssl.SSLContext | None = None) -> None:
        self.script = deque(script)
        self.received: list[bytes] = []
        self.connections = 0
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if b"content-length" in h), 0)
                self.received.append(head + await reader.readexactly(length))
                reply = self.script.popleft()
                if reply is CUT:
                    break
                if reply is not HANG:
                    writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


def talk(
    server: RawServer, *requests: Request, timeouts: Timeouts = PATIENT, host: str = "127.0.0.1", **options: Any
) -> list[Any]:
    """What became of each request: a `Reply`, or the error."""

    async def story() -> list[Any]:
        async with server:
            line = HttpTransport(f"http://{host}:{server.port}", SECRETS, **options)
            outcomes = [await outcome(line, request, timeouts) for request in requests]
            await line.close()
            return outcomes

    return asyncio.run(story())


async def outcome(line: HttpTransport, request: Request, timeouts: Timeouts = PATIENT) -> Any:
    try:
        return await line.send(request, timeouts)
    except (NotSent, OutcomeUnknown) as error:
        return error


# -- one attempt ---------------------------------------------------------------------------------------------------


def test_a_request_goes_out_as_it_is_with_the_keys_in_its_headers():
    server = RawServer(answer("200 OK", b'{"id":"x"}', "X-Request-ID: abc"))
    query = (("client_order_id", "a b/c+d"), ("after", "2027-03-09T15:00:00Z"))
    (reply,) = talk(server, Request(method="GET", path="/v2/orders:by_client_order_id", query=query))
    assert (reply.status, reply.body, reply.headers["x-request-id"]) == (200, b'{"id":"x"}', "abc")
    line, *headers = server.received[0].decode().split("\r\n")
    path, _, asked = line.removeprefix("GET ").removesuffix(" HTTP/1.1").partition("?")
    assert path == "/v2/orders:by_client_order_id"
    assert tuple(parse_qsl(asked)) == query
    assert f"APCA-API-KEY-ID: {KEY}" in headers
    assert f"APCA-API-SECRET-KEY: {SECRET}" in headers


def test_connections_are_used_again():
    server = RawServer(answer(), answer(), answer())
    assert [reply.status for reply in talk(server, GET, POST, GET)] == [200, 200, 200]
    assert server.connections == 1
    assert server.received[1].endswith(b'{"qty":"1"}')


@pytest.mark.parametrize("request_again", [POST, GET, DELETE], ids=lambda request: request.method)
@pytest.mark.parametrize(
    "word", [answer(body=b'{"id":"another"}'), answer("408 Request Time-out", b"", "Connection: close")]
)
def test_what_a_kept_connection_says_unasked_is_nobodys_answer(request_again, word):
    """A host, or what stands before it, may speak on an idle connection; every later answer would be one too late."""
    server = RawServer(answer(), answer(body=b'{"id":"mine"}'), answer(body=b'{"id":"next"}'))

    async def story() -> list[Any]:
        async with server:
            line = HttpTransport(f"http://127.0.0.1:{server.port}", SECRETS)
            await line.send(GET, PATIENT)
            ((kept, _),) = next(iter(line._session.connector._conns.values()))
            server._writers[0].write(word)
            async with asyncio.timeout(5):
                while not kept.should_close:
                    await asyncio.sleep(0)
            replies = [await line.send(request_again, PATIENT), await line.send(GET, PATIENT)]
            await line.close()
            return [reply.body for reply in replies]

    assert asyncio.run(story()) == [b'{"id":"mine"}', b'{"id":"next"}']
    assert server.connections == 2
    assert len(server.received) == 3, "each request arrived once"


@pytest.mark.parametrize("request_again", [POST, GET, DELETE], ids=lambda request: request.method)
@pytest.mark.fault("dead-connection")
def test_a_write_on_a_dead_pooled_connection_is_never_repeated_by_the_library(request_again):
    """The server hangs up on the second request of a kept connection; aiohttp alone would send GET and DELETE anew."""
    server = RawServer(answer(), CUT, answer(), answer())
    first, second = talk(server, GET, request_again)
    assert first.status == 200
    assert type(second) is OutcomeUnknown
    assert len(server.received) == 2


@pytest.mark.fault("redirected")
def test_a_redirect_is_an_error_and_carries_nothing_anywhere():
    async def story() -> None:
        async with RawServer(answer()) as elsewhere:
            target = f"Location: http://127.0.0.1:{elsewhere.port}/steal"
            server = RawServer(*[answer(status, b"", target) for status in ("301 M", "302 F", "307 T", "308 P")])
            async with server:
                line = HttpTransport(f"http://127.0.0.1:{server.port}", SECRETS)
                for request in (GET, POST, DELETE, POST):
                    error = await outcome(line, request)
                    assert type(error) is OutcomeUnknown
                    assert "which is not followed" in str(error)
                await line.close()
            assert elsewhere.connections == 0

    asyncio.run(story())


@pytest.mark.fault("redirected")
def test_a_websocket_follows_no_redirect_either():
    async def story() -> None:
        async with RawServer(answer()) as elsewhere:
            target = f"Location: http://127.0.0.1:{elsewhere.port}/steal"
            async with RawServer(answer("302 Found", b"", target)) as server:
                sockets = WebSockets()
                with pytest.raises(ConnectionError, match="not followed"):
                    await sockets.open(f"ws://127.0.0.1:{server.port}/stream", {})
                await sockets.close()
            assert elsewhere.connections == 0

    asyncio.run(story())


def test_cookies_are_not_kept():
    server = RawServer(answer("200 OK", b"{}", "Set-Cookie: track=me; Path=/"), answer())
    talk(server, GET, GET, host="localhost")  # from a bare address nobody takes cookies
    assert b"cookie" not in server.received[1].lower()


# -- what is certain -----------------------------------------------------------------------------------------------


@pytest.mark.fault("no-connection")
def test_without_a_connection_nothing_was_sent():
    async def story() -> None:
        async with RawServer() as server:
            port = server.port
        line = HttpTransport(f"http://127.0.0.1:{port}", SECRETS)
        error = await outcome(line, POST)
        assert type(error) is NotSent
        assert SECRET not in f"{error!r}{error.__cause__!r}{error.__context__!r}"
        await line.close()

    asyncio.run(story())


@pytest.mark.fault("redirected", "no-connection")
def test_an_unknown_host_means_that_nothing_was_sent(monkeypatch):
    async def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", unknown)

    async def story() -> None:
        line = HttpTransport("http://no-such-host.invalid", SECRETS)
        assert type(await outcome(line, POST)) is NotSent
        await line.close()

    asyncio.run(story())


def test_a_server_that_takes_the_request_and_says_nothing_is_a_timeout_of_unknown_outcome():
    server = RawServer(HANG)
    (error,) = talk(server, POST, timeouts=QUICK)
    assert type(error) is BrokerTimeout
    assert len(server.received) == 1


@pytest.mark.fault("body-endless")
def test_a_server_that_never_finishes_its_answer_is_a_timeout():
    server = RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    (error,) = talk(server, POST, timeouts=QUICK)
    assert type(error) is BrokerTimeout


def test_a_connection_that_takes_too_long_means_that_nothing_was_sent():
    """The server accepts on the network and never speaks TLS."""

    async def story() -> None:
        async with RawServer(HANG) as server:
            line = HttpTransport(f"https://localhost:{server.port}", SECRETS)
            error = await outcome(line, POST, QUICK)
            assert type(error) is NotSent
            assert server.received == []
            await line.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "broken",
    [
        CUT,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{",
        b"not HTTP at all\r\n\r\n",
        answer("200 OK", b"no gzip", "Content-Encoding: gzip"),
    ],
    ids=["hung up", "cut", "no HTTP", "wrong encoding"],
)
@pytest.mark.fault("answer-unreadable")
def test_an_answer_that_breaks_off_leaves_the_outcome_unknown(broken):
    class Closing(RawServer):
        async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            if broken is not CUT:
                writer.write(broken)
            writer.close()

    (error,) = talk(Closing(), POST)
    assert type(error) is OutcomeUnknown


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.fault("body-endless")
def test_a_body_beyond_the_limit_is_cut_off_and_counts_as_no_answer(packed):
    body = b" " * 200_000
    reply = answer("200 OK", gzip.compress(body), "Content-Encoding: gzip") if packed else answer("200 OK", body)
    (error,) = talk(RawServer(reply), GET, max_body=100_000)
    assert type(error) is OutcomeUnknown
    assert "larger than 100000 bytes" in str(error)


def test_what_forbids_is_asked_when_the_connection_stands_and_nothing_leaves():
    """A new connection and a kept one; the order of asking is: connect, ask, write."""
    reasons = deque(["halted", "", "halted again"])
    asked: list[int] = []
    server = RawServer(answer(), answer())

    def forbid() -> str:
        asked.append(len(server.received))
        return reasons.popleft()

    guarded = Request(method="POST", path="/v2/orders", body=b"{}", forbid=forbid)
    first, second, third = talk(server, guarded, guarded, guarded)
    assert (type(first), str(first)) == (NotSent, "halted")
    assert second.status == 200
    assert (type(third), str(third)) == (NotSent, "halted again")
    assert asked == [0, 0, 1]
    assert len(server.received) == 1
    assert server.connections >= 1


@pytest.mark.parametrize("body", [b'{"qty":"1"}', b""], ids=["with a body", "without"])
def test_between_the_asking_and_the_bytes_nobody_else_has_a_turn(body, monkeypatch):
    """A kill switch that is thrown after it was asked comes too late; so there is no moment in between."""
    seen: list[str] = []
    plain_write = asyncio.selector_events._SelectorSocketTransport.write

    def write(self: Any, data: bytes) -> None:
        seen.append("bytes" if data.startswith(b"POST") else "answer")
        plain_write(self, data)

    monkeypatch.setattr(asyncio.selector_events._SelectorSocketTransport, "write", write)

    def forbid() -> str:
        seen.append("asked")
        asyncio.get_running_loop().call_soon(seen.append, "somebody else")
        return ""

    (reply,) = talk(RawServer(answer()), Request(method="POST", path="/v2/orders", body=body, forbid=forbid))
    assert reply.status == 200
    assert seen == ["asked", "bytes", "somebody else", "answer"]


@pytest.mark.fault("redirected")
def test_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path):
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("makes a certificate with openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run([*made, *named, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def story() -> None:
        async with RawServer(answer(), tls=context) as server:
            line = HttpTransport(f"https://localhost:{server.port}", SECRETS)
            error = await outcome(line, POST)
            assert type(error) is NotSent
            assert "certificate" in str(error).lower()
            assert server.received == []
            await line.close()

    asyncio.run(story())


def test_errors_tell_neither_keys_nor_queries():
    secret_query = Request(method="GET", path="/v2/x", query=(("token", "hush"),))
    server = RawServer(CUT)
    (error,) = talk(server, secret_query)
    for text in (str(error), repr(error), repr(error.__cause__), json.dumps(str(error.args))):
        assert SECRET not in text
        assert KEY not in text
        assert "hush" not in text
    assert error.__suppress_context__
