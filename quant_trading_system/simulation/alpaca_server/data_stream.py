"""The market-data stream on a socket: `/v2/iex`, `/v2/sip`, `/v2/delayed_sip` and `/v2/test`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.alpaca_server.auth import KeyHolder, Keyring
from quant_trading_system.simulation.alpaca_server.codec import JSON, codec_for, read_message
from quant_trading_system.simulation.alpaca_server.data_hub import LIVE_FEEDS, DataHub, Member
from quant_trading_system.simulation.alpaca_server.data_session import (
    AUTH_SECONDS,
    GREETING,
    Answer,
    DataSession,
    Problem,
)
from quant_trading_system.simulation.alpaca_server.outbox import Frame, Line, Outbox, frames_of

FEEDS = (*LIVE_FEEDS, "test")
MOST_BYTES = 1 << 20
"""Of one message of a client, however many frames it comes in."""
HEARTBEAT_S = 30.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class DataLimits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a subscription plan allows; 0 is any number.

    Attributes:
        symbols: most symbols of a connection; `connections`: most connections of an account to a feed.
        refused_feeds: feeds that the plan does not contain.
    """

    symbols: int = 0
    connections: int = 0
    refused_feeds: tuple[str, ...] = ()


class DataStream:
    """Serves the connections of one venue."""

    def __init__(self, hub: DataHub, keys: Keyring[Any], clock: Clock) -> None:
        """Serve `hub`; `clock` runs in real time, for clients that never authenticate."""
        self.limits = DataLimits()
        self._hub = hub
        self._keys = keys
        self._clock = clock

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """A connection over the network from its beginning to its end."""
        socket = web.WebSocketResponse(max_msg_size=MOST_BYTES, heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        await self.attend(socket, frames_of(socket), request.match_info["feed"], request.headers)
        return socket

    async def attend(
        self, line: Line, frames: AsyncIterator[Frame], feed: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Serve one client of a feed until it is gone: it says `frames`, and hears on `line`."""
        member = self._member(feed, headers, line)
        self._hub.join(member)
        helpers = [asyncio.create_task(member.outbox.run()), asyncio.create_task(self._hurry(member))]
        try:
            self._greet(member, headers)
            async for frame in frames:
                _give(member, member.session.hear(read_message(frame)))
        finally:
            for helper in helpers:
                helper.cancel()
            self._hub.leave(member)

    def _member(self, feed: str, headers: Mapping[str, str], line: Line) -> Member:
        codec = codec_for(headers.get("Content-Type", ""))

        def admit(credentials: Mapping[str, Any]) -> Problem | None:
            return self._admit(member, credentials)

        def farewell() -> bytes:
            return codec.frame([codec.message(Problem.SLOW_CLIENT.message)])

        session = DataSession(feed, admit, self._symbol_limit)
        member = Member(feed, session, codec, Outbox(line, text=codec is JSON, farewell=farewell))
        return member

    def _greet(self, member: Member, headers: Mapping[str, str]) -> None:
        """Say hello; whoever brings keys in the headers of the request is let in at once."""
        member.tell(GREETING)
        holder: KeyHolder | None = self._keys.of_headers(headers)
        if holder is not None:
            _give(member, member.session.show_keys({"key": holder.key_id, "secret": holder.secret_key}))

    async def _hurry(self, member: Member) -> None:
        """Turn away whoever does not authenticate."""
        await self._clock.sleep(timedelta(seconds=AUTH_SECONDS))
        if not member.session.authenticated:
            _give(member, Answer((Problem.AUTH_TIMEOUT.message,), close=True))

    def _admit(self, member: Member, credentials: Mapping[str, Any]) -> Problem | None:
        key, secret = credentials.get("key"), credentials.get("secret")
        holder = self._keys.of_token(secret) if key == "oauth" else self._keys.unlock(key, secret)
        if holder is None:
            return Problem.AUTH_FAILED
        if member.feed in self.limits.refused_feeds:
            return Problem.NO_SUBSCRIPTION
        allowed = self.limits.connections
        if allowed and self._hub.connections_of(holder.key_id, member.feed) >= allowed:
            return Problem.CONNECTION_LIMIT
        member.account = holder.key_id
        return None

    def _symbol_limit(self) -> int:
        return self.limits.symbols


def _give(member: Member, answer: Answer) -> None:
    member.tell(*answer.messages)
    if answer.close:
        member.outbox.close()
