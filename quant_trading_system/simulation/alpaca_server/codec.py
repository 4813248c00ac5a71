"""The two encodings of the streams: JSON text and MessagePack, both read with exact numbers.

Market data goes out as arrays of messages. A message is encoded once for each encoding and shared by all
connections that want it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Protocol

import msgspec

Row = dict[str, Any]

_SECOND = 1_000_000_000
_TIMESTAMP = -1
"""MessagePack's extension type for times."""
_FIX_ARRAY = 15
_SHORT_ARRAY = 0xFFFF

_decode_json = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_msgpack = msgspec.msgpack.Decoder().decode
_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


class MediaType(StrEnum):
    """What a client names in the header ``Content-Type`` of its opening request."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"


class Codec(Protocol):
    """How messages become frames."""

    def message(self, row: Row) -> bytes:
        """One message; a key ``t`` holds nanoseconds since 1970."""

    def frame(self, messages: Sequence[bytes]) -> bytes:
        """Messages together, as an array."""


class JsonCodec:
    """Times as text with a ``Z``."""

    def message(self, row: Row) -> bytes:
        return _encode_json({**row, "t": time_text(row["t"])} if "t" in row else row)

    def frame(self, messages: Sequence[bytes]) -> bytes:
        return b"[" + b",".join(messages) + b"]"


class MsgpackCodec:
    """Times as the timestamp extension, with their nanoseconds."""

    def message(self, row: Row) -> bytes:
        return _encode_msgpack({**row, "t": time_extension(row["t"])} if "t" in row else row)

    def frame(self, messages: Sequence[bytes]) -> bytes:
        return _array_header(len(messages)) + b"".join(messages)


JSON, MSGPACK = JsonCodec(), MsgpackCodec()


def codec_for(content_type: str) -> Codec:
    """The encoding that an opening request asks for; JSON unless it names MessagePack."""
    return MSGPACK if content_type.split(";")[0].strip().lower() == MediaType.MSGPACK else JSON


def read_message(frame: str | bytes) -> Row | None:
    """What a client sent, in either encoding; None when it is no object."""
    data = frame.encode() if isinstance(frame, str) else frame
    decode = _decode_json if isinstance(frame, str) or data[:1] in (b"{", b"[", b" ", b"\n") else _decode_msgpack
    try:
        found = decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ArithmeticError):
        return None
    return found if isinstance(found, dict) and all(isinstance(key, str) for key in found) else None


def read_json(body: bytes) -> Any:
    """The JSON document in a request, with exact numbers.

    Raises:
        ValueError: it is none.
    """
    try:
        return _decode_json(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"no JSON: {error}") from error


def time_text(nanoseconds: int) -> str:
    """RFC 3339 in UTC with as many decimals as it takes: ``2026-11-20T15:04:05.123456789Z``."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_whole_second(seconds)}{fraction}Z"


def time_extension(nanoseconds: int) -> msgspec.msgpack.Ext:
    """MessagePack's timestamp, in 64 bits while those suffice (until the year 2514)."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    if 0 <= seconds < 1 << 34:
        return msgspec.msgpack.Ext(_TIMESTAMP, struct.pack(">Q", rest << 34 | seconds))
    return msgspec.msgpack.Ext(_TIMESTAMP, struct.pack(">Iq", rest, seconds))


@lru_cache(maxsize=4096)
def _whole_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _array_header(length: int) -> bytes:
    if length <= _FIX_ARRAY:
        return bytes([0x90 | length])
    return struct.pack(">BH", 0xDC, length) if length <= _SHORT_ARRAY else struct.pack(">BI", 0xDD, length)
