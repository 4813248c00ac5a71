"""Reads requests that stand in JSON: strictly, for a float is not the number that somebody wrote."""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from quant_trading_system.core.commands import Request
from quant_trading_system.core.exceptions import InvalidCommand


def read_request(body: bytes) -> Request:
    """The request in a JSON object.

    Raises:
        InvalidCommand: no JSON, a command or field that does not exist, a float, or a value out of range.
    """
    try:
        return msgspec.convert(_plain(body), Request)
    except (msgspec.ValidationError, ArithmeticError) as error:
        raise InvalidCommand(str(error)) from error


def _refuse_float(text: str) -> NoReturn:
    raise ValueError(f'{text} is a float; write numbers with decimals as text, such as "{text}"')


_PLAIN: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_refuse_float)


def _plain(body: bytes) -> Any:
    try:
        return _PLAIN.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidCommand(f"not understood: {error}") from error
