"""The order stream on a socket: every connection of an account hears of every update of its orders.

Frames are binary and hold JSON, as on paper accounts, or MessagePack for those who ask for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.alpaca_server.auth import Keyring
from quant_trading_system.simulation.alpaca_server.codec import MSGPACK, codec_for, read_message
from quant_trading_system.simulation.alpaca_server.outbox import Frame, Line, Outbox, frames_of
from quant_trading_system.simulation.alpaca_server.stream_faults import StreamFaults
from quant_trading_system.simulation.alpaca_server.trade_session import (
    AUTH_SECONDS,
    TRADE_UPDATES,
    Answer,
    TradeSession,
    problem,
)

MOST_BYTES = 1 << 16
HEARTBEAT_S = 30.0

Message = dict[str, Any]


class _Member:
    """One connection; `account` is the key that it showed, empty before that."""

    def __init__(self, socket: Line, *, packed: bool) -> None:
        self.account = ""
        self.packed = packed
        self.outbox = Outbox(socket, text=False, farewell=lambda: self.encoded(problem("slow client")))
        self.session: TradeSession

    def encoded(self, message: Message) -> bytes:
        return msgspec.msgpack.encode(message) if self.packed else msgspec.json.encode(message)

    def give(self, answer: Answer) -> None:
        self.outbox.put(self.encoded(answer.message))
        if answer.close:
            self.outbox.close()


class TradeStream:
    """Serves the connections of all accounts.

    Attributes:
        faults: what happens to updates on their way out.
    """

    def __init__(self, keys: Keyring[Any], clock: Clock) -> None:
        """Serve the accounts of `keys`; `clock` runs in real time, for clients that never authenticate."""
        self.faults = StreamFaults()
        self._keys = keys
        self._clock = clock
        self._members: list[_Member] = []

    @property
    def listening(self) -> int:
        """Connections that want to hear of orders."""
        return sum(1 for member in self._members if member.session.listening)

    @property
    def frames(self) -> int:
        """Sent on the connections that there are, answers included."""
        return sum(member.outbox.frames for member in self._members)

    def publish(self, account: str, report: Callable[[], Message]) -> None:
        """Tell every connection of the account that listens; `report` puts it into words."""
        encoded: dict[bool, bytes] = {}
        for member in self._members:
            if member.account != account or not member.session.listening:
                continue
            if member.packed not in encoded:
                encoded[member.packed] = member.encoded({"stream": TRADE_UPDATES, "data": report()})
            for frame in self.faults.pass_on(encoded[member.packed]):
                member.outbox.put(frame)

    def cut(self) -> None:
        """Close every connection."""
        for member in self._members:
            member.outbox.close()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """A connection over the network from its beginning to its end."""
        socket = web.WebSocketResponse(max_msg_size=MOST_BYTES, heartbeat=HEARTBEAT_S)
        await socket.prepare(request)
        await self.attend(socket, frames_of(socket), request.headers.get("Content-Type", ""))
        return socket

    async def attend(self, line: Line, frames: AsyncIterator[Frame], content_type: str = "") -> None:
        """Serve one client until it is gone: it says `frames`, and hears on `line`."""
        member = _Member(line, packed=codec_for(content_type) is MSGPACK)
        member.session = self._session(member)
        self._members.append(member)
        helpers = [asyncio.create_task(member.outbox.run()), asyncio.create_task(self._hurry(member))]
        try:
            async for frame in frames:
                member.give(member.session.hear(read_message(frame)))
        finally:
            for helper in helpers:
                helper.cancel()
            self._members.remove(member)

    def _session(self, member: _Member) -> TradeSession:
        def unlock(key: object, secret: object) -> bool:
            return self._welcome(member, self._keys.unlock(key, secret))

        def unlock_token(token: object) -> bool:
            return self._welcome(member, self._keys.of_token(token))

        return TradeSession(unlock, unlock_token)

    def _welcome(self, member: _Member, holder: Any) -> bool:
        member.account = "" if holder is None else holder.key_id
        return holder is not None

    async def _hurry(self, member: _Member) -> None:
        """Turn away whoever does not authenticate."""
        await self._clock.sleep(timedelta(seconds=AUTH_SECONDS))
        if not member.session.authenticated:
            member.give(Answer(problem("authentication timeout"), close=True))
