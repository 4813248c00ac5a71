"""Messages of Alpaca's streams: JSON or MessagePack, in text or binary frames, whatever was agreed."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from quant_trading_system.execution.alpaca_errors import harmless
from quant_trading_system.execution.alpaca_models import Loose
from quant_trading_system.execution.alpaca_wire import read_json, read_msgpack
from quant_trading_system.execution.transport import Frame

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `read_frame` raises when a frame is not what it should be."""

_PACKED_TYPE = {"Content-Type": "application/msgpack"}
_JSON_STARTS = b"{[ \t\r\n"  # as MessagePack these bytes would be small numbers, which no message is


def is_json(frame: Frame) -> bool:
    """Text is always JSON; Alpaca's paper endpoint sends JSON in binary frames, too."""
    return isinstance(frame, str) or frame[:1] in _JSON_STARTS


def read_frame(frame: Frame, model: type[T]) -> T:
    """`frame` as `model`.

    Raises:
        msgspec.DecodeError: one of `UNREADABLE`.
    """
    if isinstance(frame, str):
        return read_json(frame.encode(), model)
    return read_json(frame, model) if is_json(frame) else read_msgpack(frame, model)


def write_frame(message: Loose, *, packed: bool) -> Frame:
    """A message of ours."""
    return msgspec.msgpack.encode(message) if packed else msgspec.json.encode(message).decode()


def opening_headers(*, packed: bool) -> dict[str, str]:
    """What asks the other side for MessagePack, or for its default."""
    return dict(_PACKED_TYPE) if packed else {}


def loosely(frame: Frame) -> Any:
    """Whatever can be read of a strange frame; None when nothing can."""
    try:
        return read_frame(frame, object)
    except UNREADABLE:
        return None


def shown(frame: Frame) -> str:
    """The beginning of a frame, for a notice."""
    return harmless(frame if isinstance(frame, str) else repr(frame))
