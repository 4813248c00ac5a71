"""Alpaca's stream of order updates: the handshake, and each message handed on or set apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from quant_trading_system.execution.alpaca_errors import harmless
from quant_trading_system.execution.alpaca_frames import (
    UNREADABLE,
    is_json,
    loosely,
    opening_headers,
    read_frame,
    shown,
    write_frame,
)
from quant_trading_system.execution.alpaca_models import Loose, TradeUpdate
from quant_trading_system.execution.alpaca_wire import read_json, read_msgpack
from quant_trading_system.execution.credentials import Access
from quant_trading_system.execution.notices import Notice, NoticeKind, Notify
from quant_trading_system.execution.transport import Frame, Socket, SocketOpener

UPDATES = "trade_updates"

_NOTHING = msgspec.Raw(b"null")


class _Envelope(msgspec.Struct, frozen=True):
    stream: str = ""
    action: str = ""
    data: msgspec.Raw = _NOTHING


class OrderStream:
    """What is said on the stream of order updates; a `Dialect` for a `StreamSession`.

    Attributes:
        url: where it is heard.
        quarantined: messages that could not be believed or understood.
    """

    name = "order stream"

    def __init__(
        self,
        opener: SocketOpener,
        access: Access,
        notify: Notify,
        *,
        on_update: Callable[[TradeUpdate], None],
        on_garbage: Callable[[str], None],
        catch_up: Callable[[], Awaitable[bool]],
        silence_is_normal: Callable[[], Awaitable[bool]],
        packed: bool = False,
    ) -> None:
        """Join the parts.

        Args:
            on_garbage: called with the client order id of a message that could not be read, empty when not even
                that could be.
            packed: ask for MessagePack.
        """
        self.url = access.endpoints.order_stream
        self.quarantined = 0
        self._opener = opener
        self._access = access
        self._notify = notify
        self._on_update = on_update
        self._on_garbage = on_garbage
        self._catch_up = catch_up
        self._silence_is_normal = silence_is_normal
        self._packed = packed

    async def open(self) -> Socket:
        return await self._opener.open(self.url, opening_headers(packed=self._packed))

    async def agree(self, socket: Socket) -> None:
        await self._say(socket, self._access.credentials.order_stream_message())
        answer = await self._answer(socket, "authorization")
        if answer.get("status") != "authorized":
            raise self._refused("the keys were refused")
        await self._say(socket, {"action": "listen", "data": {"streams": [UPDATES]}})
        answer = await self._answer(socket, "listening")
        if UPDATES not in _streams(answer):
            raise self._refused(f"the subscription to {UPDATES} was not confirmed")

    def hear(self, frame: Frame) -> None:
        try:
            envelope = read_frame(frame, _Envelope)
        except UNREADABLE as error:
            self._set_apart(frame, str(error))
            return
        if envelope.stream == UPDATES:
            self._hear_update(frame, envelope.data)
        elif envelope.stream == "authorization" or (envelope.stream == "listening" and not _has_updates(frame)):
            raise ConnectionError("the broker ended the subscription")
        elif envelope.stream != "listening":
            self._set_apart(frame, "not a message of this stream")

    async def catch_up(self) -> bool:
        return await self._catch_up()

    async def silence_is_normal(self) -> bool:
        return await self._silence_is_normal()

    def _hear_update(self, frame: Frame, data: msgspec.Raw) -> None:
        try:
            update = (read_json if is_json(frame) else read_msgpack)(data, TradeUpdate)
        except UNREADABLE as error:
            self._set_apart(frame, str(error))
            return
        self._on_update(update)

    def _set_apart(self, frame: Frame, why: str) -> None:
        self.quarantined += 1
        order_id = _order_id(loosely(frame))
        message = f"{harmless(why)}: {self._shown(frame)}"
        self._notify(Notice(kind=NoticeKind.QUARANTINED, source=self.name, message=message, order_id=order_id))
        self._on_garbage(order_id)

    async def _answer(self, socket: Socket, stream: str) -> Loose:
        """The data of the next control message, which has to be of `stream`."""
        while True:
            frame = await socket.receive()
            found = loosely(frame)
            kind, data = (found.get("stream"), found.get("data")) if isinstance(found, dict) else (None, None)
            if kind == UPDATES:
                self.hear(frame)
            elif kind == stream and isinstance(data, dict):
                return data
            elif kind == "authorization" and isinstance(data, dict):
                raise self._refused("the keys were refused")
            else:
                raise ConnectionError(f"instead of {stream} the broker answered {self._shown(frame)}")

    async def _say(self, socket: Socket, message: Loose) -> None:
        await socket.send(write_frame(message, packed=self._packed))

    def _shown(self, frame: Frame) -> str:
        return self._access.credentials.hidden_in(shown(frame))

    def _refused(self, message: str) -> PermissionError:
        self._notify(Notice(kind=NoticeKind.CREDENTIALS_REFUSED, source=self.name, message=message))
        return PermissionError(message)


def _has_updates(frame: Frame) -> bool:
    found = loosely(frame)
    data = found.get("data") if isinstance(found, dict) else None
    return isinstance(data, dict) and UPDATES in _streams(data)


def _streams(data: Loose) -> list[object]:
    streams = data.get("streams")
    return streams if isinstance(streams, list) else []


def _order_id(message: object) -> str:
    """The client order id in a message of which not even the shape is certain."""
    found = message
    for name in ("data", "order", "client_order_id"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""
