"""JSON and MessagePack: exact numbers in, nanoseconds out, whole arrays from parts."""

import json
import struct
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.simulation.alpaca_server.codec import (
    JSON,
    MSGPACK,
    codec_for,
    read_json,
    read_message,
    time_extension,
    time_text,
)

NANOS = 1_795_187_045_123_456_789


@pytest.mark.parametrize(
    ("nanoseconds", "told"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (NANOS, "2026-11-20T15:04:05.123456789Z"),
        (NANOS // 1_000_000_000 * 1_000_000_000, "2026-11-20T15:04:05Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
    ],
)
def test_times_keep_their_nanoseconds(nanoseconds, told):
    assert time_text(nanoseconds) == told


@pytest.mark.parametrize("nanoseconds", [0, 1, NANOS, (1 << 34) * 1_000_000_000 + 7])
def test_the_timestamp_extension_keeps_its_nanoseconds(nanoseconds):
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(time_extension(nanoseconds)), type=msgspec.msgpack.Ext)
    assert packed.code == -1
    if len(packed.data) == 8:
        (value,) = struct.unpack(">Q", packed.data)
        assert (value & (1 << 34) - 1) * 1_000_000_000 + (value >> 34) == nanoseconds
    else:
        rest, seconds = struct.unpack(">Iq", packed.data)
        assert seconds * 1_000_000_000 + rest == nanoseconds


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300, 70_000])
def test_messages_that_were_encoded_alone_make_one_array(count):
    rows = [{"T": "t", "i": number} for number in range(count)]
    as_json = json.loads(JSON.frame([JSON.message(row) for row in rows]))
    packed = msgspec.msgpack.decode(MSGPACK.frame([MSGPACK.message(row) for row in rows]))
    assert as_json == packed == rows


def test_the_type_comes_first_in_both_encodings():
    row = {"T": "t", "S": "SPY", "t": NANOS, "p": 570.02}
    assert JSON.message(row) == b'{"T":"t","S":"SPY","t":"2026-11-20T15:04:05.123456789Z","p":570.02}'
    assert list(msgspec.msgpack.decode(MSGPACK.message(row))) == ["T", "S", "t", "p"]


@pytest.mark.parametrize(
    ("header", "codec"),
    [("", JSON), ("application/json", JSON), ("application/msgpack", MSGPACK), ("Application/MsgPack; x=1", MSGPACK)],
)
def test_the_header_chooses_the_encoding(header, codec):
    assert codec_for(header) is codec


def test_numbers_are_read_exactly():
    assert read_json(b'{"a": 0.1, "b": 1, "c": 123456789.123456789}') == {
        "a": Decimal("0.1"),
        "b": 1,
        "c": Decimal("123456789.123456789"),
    }


@pytest.mark.parametrize(
    "frame", ['{"action":"auth"}', b'{"action":"auth"}', msgspec.msgpack.encode({"action": "auth"})]
)
def test_a_message_is_read_in_either_encoding_whatever_the_frame(frame):
    assert read_message(frame) == {"action": "auth"}


@pytest.mark.parametrize(
    "frame", ["", "[]", "nonsense", b"\xc1", b"\xff\xff", b"\x93\x01", "1", b"{" * 50_000, b"\x81\x01\x02"]
)
def test_a_message_without_sense_is_none(frame):
    assert read_message(frame) is None
