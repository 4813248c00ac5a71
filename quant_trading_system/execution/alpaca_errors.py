"""What an answer of Alpaca that is no success means for the order it is about.

A definite no is a well-formed answer with a code from the families of refusals. Server faults, pages of
gateways, empty and unreadable bodies say nothing about the order. "The client order id must be unique" says
that the *first* order may be live.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from quant_trading_system.core.wording import printable
from quant_trading_system.execution.alpaca_models import Loose
from quant_trading_system.execution.transport import Reply

NOT_FOUND = 40410000
UNAUTHORIZED = 40110000
TOO_MANY_REQUESTS = 42910000

_FAMILIES = frozenset({400, 401, 403, 404, 422, 429})
_FAMILY = 100_000
_UNAUTHORIZED = frozenset({401, 403})
_BAD_QUESTION = frozenset({400, 422})
_MAX_TEXT = 300


class Meaning(StrEnum):
    """What an answer says."""

    REFUSED = "refused"
    DUPLICATE_ID = "duplicate_id"  # an order of that client order id exists: look it up
    RATE_LIMITED = "rate_limited"  # not executed; again after the reset
    CREDENTIALS = "credentials"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"  # it may have been executed


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is no success.

    Attributes:
        is_certain: the broker itself said so, in a form that proves that the request was not executed.
        code: the broker's number, 0 for none.
        message: the broker's words, made harmless.
        details: further fields of its answer, such as ``buying_power``.
    """

    meaning: Meaning
    is_certain: bool
    status: int
    code: int
    message: str
    details: dict[str, str] = {}


def classify(reply: Reply, *, is_read: bool = False) -> Problem:
    """What `reply`, whose status is no success, means.

    Args:
        is_read: it answers a read, which executes nothing: a complaint needs no code to be a no.
    """
    body = _read(reply.body)
    code, message = body.get("code"), body.get("message")
    code = code if type(code) is int else 0
    text = harmless(message) if isinstance(message, str) else ""
    meaning, is_certain = _meaning(reply.status, code, text)
    if is_read and text and meaning is Meaning.UNKNOWN and reply.status in _BAD_QUESTION:
        meaning, is_certain = Meaning.REFUSED, True
    return Problem(
        meaning=meaning,
        is_certain=is_certain,
        status=reply.status,
        code=code,
        message=text or f"status {reply.status} without a message",
        details={harmless(name): _plain(value) for name, value in body.items() if name not in ("code", "message")},
    )


def classify_item(status: int, body: bytes) -> Problem:
    """What one entry of a bulk answer means: the outer answer proves who speaks, and 500 is a plain no."""
    problem = classify(Reply(status, body))
    is_refusal = problem.code // _FAMILY in _FAMILIES
    return msgspec.structs.replace(problem, meaning=Meaning.REFUSED, is_certain=True) if is_refusal else problem


def harmless(text: str) -> str:
    """Words from outside, for messages and logs: one line, no control characters, of bounded length."""
    clean = printable(text[: _MAX_TEXT + 1])
    return clean if len(clean) <= _MAX_TEXT else clean[:_MAX_TEXT] + "…"


def _meaning(status: int, code: int, text: str) -> tuple[Meaning, bool]:
    if status == 429:
        return Meaning.RATE_LIMITED, bool(text)
    if status in _UNAUTHORIZED and (not code or code // _FAMILY == 401):
        return Meaning.CREDENTIALS, bool(text)
    if not 400 <= status < 500 or code // _FAMILY not in _FAMILIES:
        return Meaning.UNKNOWN, False
    if code == NOT_FOUND:
        return _absence(text)
    if _is_about_a_used_id(text):
        return Meaning.DUPLICATE_ID, False
    return Meaning.REFUSED, True


def _absence(text: str) -> tuple[Meaning, bool]:
    """A path that does not exist says nothing about the order that was asked for."""
    if text.lower().startswith("endpoint"):
        return Meaning.UNKNOWN, False
    return Meaning.NOT_FOUND, True


def _is_about_a_used_id(text: str) -> bool:
    """Texts change: every complaint about the id counts, but the one about its length."""
    words = text.lower().replace("_", " ")
    return "client order id" in words and "character" not in words and "length" not in words


def _read(body: bytes) -> Loose:
    try:
        found = msgspec.json.decode(body, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _plain(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return harmless(", ".join(_words(parts)))


def _words(parts: Iterable[object]) -> Iterable[str]:
    return (part if isinstance(part, str) else msgspec.json.encode(part).decode() for part in parts)
