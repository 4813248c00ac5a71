"""Events to bytes and back. What this version does not understand in full, it refuses rather than skips."""

from __future__ import annotations

from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Any, get_args

import msgspec

from quant_trading_system.core.events import AnyEvent, OrderEvent
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.core.order_state import OrderStatus

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Largest encoded event; room for the universe of a whole market in `RunStarted`."""

KINDS = MappingProxyType({event: str(event.__struct_config__.tag) for event in get_args(AnyEvent)})
"""Class of event to its kind, the ``kind`` of the JSON object."""

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


class _Undecided(OrderEvent, frozen=True, kw_only=True, omit_defaults=True, tag="order"):
    """An order event whose decision is left as it is written: nine tenths of its bytes, and no part of the books."""

    decision: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]  # it never leaves this module


_PLAIN_FIELDS = tuple(name for name in OrderEvent.__struct_fields__ if name != "decision")
_QUICK_DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    reduce(or_, [_Undecided if event is OrderEvent else event for event in KINDS])
)


def encode(event: AnyEvent) -> bytes:
    """The event as one JSON object; the journal stores exactly these bytes.

    Raises:
        JournalError: not an event, text that is no Unicode, or more than `MAX_BODY_BYTES`.
    """
    try:
        body = _ENCODER.encode(event)
    except (TypeError, ValueError, OverflowError) as error:
        raise JournalError(f"a {type(event).__name__} cannot be recorded: {error}") from error
    if len(body) > MAX_BODY_BYTES:
        raise JournalError(f"a {type(event).__name__} of {len(body)} bytes is too large; {MAX_BODY_BYTES} are allowed")
    return body


def decode(body: bytes) -> AnyEvent:
    """The event in `body`, provided that every field of it is known here.

    Fields that this version has added are filled with their defaults.

    Raises:
        JournalError: no JSON, an unknown kind, a value out of range, or a field from a newer version.
    """
    return _understood(body, _DECODER)


def decode_for_books(body: bytes) -> AnyEvent:
    """As `decode`, but without the decision about an order unless it was denied: books are folded in half the time.

    Raises:
        JournalError: as `decode`; what is left out is not looked into.
    """
    event = _understood(body, _QUICK_DECODER)
    if type(event) is not _Undecided:
        return event
    if event.status is OrderStatus.DENIED:
        return decode(body)
    return OrderEvent(**{name: getattr(event, name) for name in _PLAIN_FIELDS})


def _understood(body: bytes, decoder: msgspec.json.Decoder[Any]) -> AnyEvent:
    try:
        event: AnyEvent = decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
        raise JournalError(f"cannot be read by this version: {error}") from error
    known = _ENCODER.encode(event)
    if known != body and not _covers(msgspec.json.decode(known), msgspec.json.decode(body)):
        raise JournalError("holds fields that this version does not know; use the version that wrote it")
    return event


def kind_of(event: AnyEvent) -> str:
    """The kind under which the event is recorded.

    Raises:
        JournalError: the class is not one of `AnyEvent`.
    """
    try:
        return KINDS[type(event)]
    except KeyError:
        raise JournalError(f"{type(event).__name__} is not an event of the journal") from None


def time_text(event: AnyEvent) -> str:
    """The time of the event as its own JSON spells it, for instance ``2024-01-02T14:30:00Z``.

    Raises:
        JournalError: the time has no zone, or another one than UTC.
    """
    text = _ENCODER.encode(event.at)[1:-1].decode()
    if not text.endswith("Z"):
        raise JournalError(f"a {type(event).__name__} at {text}: times in the journal are aware and in UTC")
    return text


def subject_of(event: AnyEvent) -> str | None:
    """The id of the order or parent order that the event is about, or the request; None when it is about neither."""
    found = getattr(event, "order_id", None) or getattr(event, "parent_id", None)
    return found or getattr(event, "subject", None)


def _covers(known: Any, recorded: Any) -> bool:
    """True when nothing of `recorded` is missing from `known`."""
    if isinstance(recorded, dict):
        return isinstance(known, dict) and all(
            key in known and _covers(known[key], value) for key, value in recorded.items()
        )
    if isinstance(recorded, list):
        # Checks travel as arrays: a newer version knows more of their places, never fewer.
        return isinstance(known, list) and len(known) >= len(recorded) and all(map(_covers, known, recorded))
    return bool(known == recorded)
