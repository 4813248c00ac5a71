"""Reading what a stranger sends: strictly, and with a message that names the field.

JSON numbers are binary floating point in most programs that write them. A decimal therefore travels as text, and a
number in its place is refused, as are fields that nobody knows, fields that appear twice, NaN, and text with
control characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

import msgspec

from quant_trading_system.app.tokens import TOKEN
from quant_trading_system.console.answers import Refusal
from quant_trading_system.core.exceptions import InvalidNumber, TradingError
from quant_trading_system.core.numbers import exact
from quant_trading_system.core.wording import one_line

MAX_TEXT = 1000
DECIMAL_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$"
TEXT_PATTERN = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]*$"
"""What the description of the interface says about text; `_require_text` refuses a little more."""
_INTEGER_BITS = 63
_DECIMAL = re.compile(DECIMAL_PATTERN)

T = TypeVar("T", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request without content."""


def from_query(kind: type[T], query: Sequence[tuple[str, str]], path: Mapping[str, str]) -> T:
    """Read the parameters of a path and a query.

    Raises:
        Refusal: 422, and names the parameter.
    """
    given: dict[str, str] = dict(path)
    for name, value in query:
        if name in given:
            _refuse(f"the parameter {name[:40]!r} is given twice")
        given[name] = value
    return _converted(kind, given, given, strict=False)


def from_body(kind: type[T], content_type: str, body: bytes, path: Mapping[str, str]) -> T:
    """Read a JSON object, with the parameters of the path as further fields.

    Raises:
        Refusal: 415 for another type of content, 400 for what is no JSON, 422 for what does not fit, with the field.
    """
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "not_json", "the body is not declared as JSON", "send Content-Type: application/json")
    try:
        raw = json.loads(
            body.decode("utf-8") or "{}", parse_constant=_refuse_constant, object_pairs_hook=_without_repeats
        )
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "malformed_json", f"the body cannot be read as JSON: {_short(error)}") from error
    if not isinstance(raw, dict):
        _refuse("the body must be a JSON object")
    if path.keys() & raw.keys():
        _refuse(f"{', '.join(sorted(path.keys() & raw.keys()))} is part of the path and not of the body")
    return _converted(kind, {**raw, **path}, raw, strict=True)


def _converted(kind: type[T], given: dict[str, Any], raw: dict[str, Any], *, strict: bool) -> T:
    try:
        _require_plain(given, "$")
        value = msgspec.convert(given, kind, strict=strict)
        _require_exact(raw, value, "$")
    except (msgspec.ValidationError, TradingError, OverflowError) as error:
        raise Refusal(422, "invalid_request", _short(error), "GET /v1/openapi.json describes the fields") from error
    return value


def _require_plain(raw: object, where: str) -> None:
    """No control characters, no endless text and no endless number, at any depth, keys included."""
    if isinstance(raw, str):
        _require_text(raw, where)
    elif isinstance(raw, dict):
        for name, value in raw.items():
            _require_text(name, where)
            _require_plain(value, f"{where}.{name}")
    elif isinstance(raw, int) and raw.bit_length() > _INTEGER_BITS:
        _refuse(f"a number of more than {_INTEGER_BITS} bits - at `{where}`")
    elif isinstance(raw, list):
        for number, value in enumerate(raw):
            _require_plain(value, f"{where}[{number}]")


def _require_text(text: str, where: str) -> None:
    if len(text) > MAX_TEXT:
        _refuse(f"more than {MAX_TEXT} characters of text - at `{where}`")
    if TOKEN.search(text):
        _refuse(f"a token does not belong here; revoke it, for it was shown - at `{where}`")
    if not text.isprintable():
        _refuse(f"text with control or invisible characters - at `{where}`")


def _require_exact(raw: object, value: object, where: str) -> None:
    """Decimals came as plain text, and every field of every struct is one that it knows."""
    if isinstance(value, Decimal):
        if not isinstance(raw, str) or _DECIMAL.match(raw) is None:
            raise InvalidNumber(f'write decimals as text with at most nine decimals, such as "10.25" - at `{where}`')
        exact(value)
    elif isinstance(value, msgspec.Struct) and isinstance(raw, dict):
        fields = {field.encode_name: field.name for field in msgspec.structs.fields(value)}
        unknown = raw.keys() - fields.keys() - {value.__struct_config__.tag_field}
        if unknown:
            raise msgspec.ValidationError(f"Object contains unknown field `{min(unknown)[:40]}` - at `{where}`")
        for name in raw.keys() & fields.keys():
            _require_exact(raw[name], getattr(value, fields[name]), f"{where}.{name}")
    elif isinstance(value, dict) and isinstance(raw, dict):
        for name, item in raw.items():
            _require_exact(item, value.get(name), f"{where}.{name}")
    elif isinstance(value, list | tuple) and isinstance(raw, list):
        for number, (item, read) in enumerate(zip(raw, value, strict=True)):
            _require_exact(item, read, f"{where}[{number}]")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field appears twice in one object")
    return found


def _refuse(message: str) -> NoReturn:
    raise Refusal(422, "invalid_request", message, "GET /v1/openapi.json describes the fields")


def _short(error: Exception) -> str:
    """Without what the stranger sent beyond a few words, and printable."""
    return one_line(str(error), 300)
