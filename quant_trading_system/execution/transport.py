"""The line to one host: a request goes out, a reply comes back, or an error says what is certain.

A transport makes one attempt and keeps nothing secret from its caller: it follows no redirect, keeps no cookie
and repeats nothing. `NotSent` is raised only with proof that no byte left; everything else that goes wrong
is `OutcomeUnknown`, because the request may have arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import msgspec

Frame = str | bytes
"""One message of a WebSocket: text or binary."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long one attempt may take.

    Attributes:
        connect: until a connection is there, waiting for a free one and TLS included.
        read: the longest silence while an answer is awaited or read.
        total: everything together.
    """

    connect: timedelta = timedelta(seconds=4)
    read: timedelta = timedelta(seconds=8)
    total: timedelta = timedelta(seconds=10)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the host.

    Credentials and the host itself belong to the transport, so that no request can send or show them astray.

    Attributes:
        path: begins with a slash, already encoded for a URL.
        query: names and values, not yet encoded.
        body: JSON, empty for none.
        forbid: asked when the connection stands, as the last thing before the first byte is written; a text
            that is not empty is the reason why nothing may leave.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    forbid: Callable[[], str] | None = None

    @property
    def name(self) -> str:
        """Method and path, for messages; queries can be long and are left out."""
        return f"{self.method} {self.path}"


class Reply(msgspec.Struct, frozen=True):
    """What the host answered, whatever it means.

    Attributes:
        headers: by lower-case name.
    """

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}


class Transport(Protocol):
    """A line to one host."""

    async def send(self, request: Request, timeouts: Timeouts) -> Reply:
        """Make one attempt.

        Raises:
            NotSent: no byte left, because there was no connection or `Request.forbid` said no.
            BrokerTimeout: it left, and no answer came in time.
            OutcomeUnknown: it may have left, and the answer is missing, cut, too large or a redirect.
        """

    async def close(self) -> None:
        """Hang up; nothing can be sent any more."""


class Socket(Protocol):
    """An open WebSocket."""

    async def send(self, frame: Frame) -> None:
        """Send one message.

        Raises:
            ConnectionError: the other side is gone.
        """

    async def receive(self) -> Frame:
        """The next message; pings are answered unseen.

        Raises:
            ConnectionError: the other side is gone, or sent what is no message.
        """

    async def close(self) -> None:
        """Say goodbye and hang up."""


class SocketOpener(Protocol):
    """Whoever can open a WebSocket."""

    async def open(self, url: str, headers: dict[str, str]) -> Socket:
        """Connect to `url`.

        Raises:
            ConnectionError: no connection, or it was not granted.
        """
