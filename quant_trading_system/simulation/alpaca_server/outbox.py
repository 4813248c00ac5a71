"""Frames on their way to one client: a client that does not read never holds up the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web

Frame = str | bytes


class Line(Protocol):
    """Where frames for one client go: a WebSocket, or its end in this process."""

    async def send_str(self, data: str) -> None:
        """Send a text frame."""

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""

    async def close(self, *, code: int) -> bool:
        """Say goodbye and hang up."""


async def frames_of(socket: web.WebSocketResponse) -> AsyncIterator[Frame]:
    """What a client says, until it is gone."""
    async for message in socket:
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            yield message.data


MOST_WAITING = 5_000
"""Frames that may wait for a slow client before it is cut off."""


class Outbox:
    """A queue with a bound, and the task that empties it.

    Attributes:
        frames: how many were put in so far.
    """

    def __init__(self, socket: Line, *, text: bool, farewell: Callable[[], bytes | None]) -> None:
        """Send to `socket` what is put in here.

        Args:
            text: as text frames instead of binary ones.
            farewell: the last frame for a client that is too slow, if there is one.
        """
        self._socket = socket
        self._text = text
        self._farewell = farewell
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._closing = False
        self.frames = 0

    def put(self, frame: bytes) -> None:
        """Send a frame after those that wait already."""
        if self._closing:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._cut_off()
            return
        self._waiting.append(frame)
        self.frames += 1
        self._news.set()

    def close(self) -> None:
        """Close the connection when everything that waits is sent."""
        self._closing = True
        self._news.set()

    async def run(self) -> None:
        """Send until the connection is closed."""
        while True:
            while self._waiting:
                await self._send(self._waiting.popleft())
            if self._closing:
                await self._socket.close(code=WSCloseCode.OK)
                return
            self._news.clear()
            await self._news.wait()

    def _cut_off(self) -> None:
        self._waiting.clear()
        last = self._farewell()
        if last is not None:
            self._waiting.append(last)
        self.close()

    async def _send(self, frame: bytes) -> None:
        if self._text:
            await self._socket.send_str(frame.decode())
        else:
            await self._socket.send_bytes(frame)
