"""What becomes of the venue's frames on a bad line: lost, doubled, out of order, or not what they were."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from quant_trading_system.simulation.storm.weather import Weather

_UPDATE = b'{"stream":"trade_updates"'
_GARBAGE = b"\x93\xc1{not a message"
_REMEMBERED = 50


class OrderFrames:
    """Spoils updates of orders on one line; what else is said on it arrives."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._held: bytes | None = None
        self._past: deque[bytes] = deque(maxlen=_REMEMBERED)

    def __call__(self, frame: bytes) -> list[bytes]:
        """What arrives in the place of `frame`."""
        if not frame.startswith(_UPDATE):
            return [frame]
        strikes = self._weather.strikes
        self._past.append(frame)
        if self._held is not None:
            held, self._held = self._held, None
            return [frame, held]
        if strikes("stream.drop"):
            return []
        if strikes("stream.dup"):
            return [frame, frame]
        if strikes("stream.reorder"):
            self._held = frame
            return []
        if strikes("stream.garbage"):
            return [_GARBAGE]
        if strikes("stream.half_frame"):
            return [frame[: len(frame) // 2]]
        if strikes("stream.null_data"):
            return [b'{"stream":"trade_updates","data":null}']
        if strikes("stream.unknown_event"):
            return [_renamed(frame)]
        if strikes("stream.old_replay"):
            return [frame, self._past[self._weather.number("stream.old_replay", len(self._past))]]
        return [frame]


class PriceFrames:
    """Spoils quotes."""

    def __init__(self, weather: Weather) -> None:
        self._weather = weather
        self._is_idle = not any(name.startswith("feed.") for name in weather.kinds)

    def __call__(self, frame: bytes) -> list[bytes]:
        """What arrives in the place of `frame`."""
        if self._is_idle or b'"T":"q"' not in frame:
            return [frame]
        strikes = self._weather.strikes
        if strikes("feed.garbage"):
            return [_GARBAGE]
        if strikes("feed.nan"):
            return [_changed(frame, bp=msgspec.Raw(b"NaN"))]
        if strikes("feed.zero"):
            return [_changed(frame, ap=0)]
        if strikes("feed.negative"):
            return [_changed(frame, bp=-1)]
        if strikes("feed.crossed"):
            return [_crossed(frame)]
        if strikes("feed.spike"):
            return [_spiked(frame)]
        if strikes("feed.future"):
            return [_changed(frame, t="2027-06-01T13:30:00Z")]
        return [frame]


def _renamed(frame: bytes) -> bytes:
    update = msgspec.json.decode(frame)
    update["data"]["event"] = "something_new"
    return msgspec.json.encode(update)


def _changed(frame: bytes, **fields: Any) -> bytes:
    rows = msgspec.json.decode(frame)
    return msgspec.json.encode([{**row, **fields} if row["T"] == "q" else row for row in rows])


def _crossed(frame: bytes) -> bytes:
    rows = msgspec.json.decode(frame)
    return msgspec.json.encode([{**row, "bp": row["ap"], "ap": row["bp"]} if row["T"] == "q" else row for row in rows])


def _spiked(frame: bytes) -> bytes:
    rows = msgspec.json.decode(frame)
    return msgspec.json.encode(
        [{**row, "bp": 10 * row["bp"], "ap": 10 * row["ap"]} if row["T"] == "q" else row for row in rows]
    )
