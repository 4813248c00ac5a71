"""What the server answers with: JSON with decimals as text, and errors of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
from fastapi import Response
from msgspec import UNSET, UnsetType

from quant_trading_system.core.commands import Outcome
from quant_trading_system.core.exceptions import (
    AnotherActivation,
    ConfigurationError,
    EngineNotRunning,
    EngineSilent,
    InvalidCommand,
    InvalidNumber,
    InvalidOrder,
    JournalError,
    KillSwitchIncomplete,
    NotAllowed,
    NotReconciled,
    NotReplaceable,
    OrderRefused,
    OutcomeUnknown,
    ResetRefused,
    TradingError,
    UnknownOrder,
)
from quant_trading_system.core.wording import printable_json

JSON = "application/json"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_encoder = msgspec.json.Encoder(decimal_format="string")


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every refusal and every failure.

    Attributes:
        code: for programs; the rule where the gate has refused an order.
        message: what is wrong, for people; `hint`: what to do next, empty when the message says so.
        outcome: of a command that the engine has answered.
    """

    code: str
    message: str
    hint: str = ""
    outcome: Outcome | UnsetType = UNSET


class Answered(NamedTuple):
    """A good answer with a status of its own."""

    status: int
    value: object


class Refusal(Exception):
    """Ends the work on a request with an error answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        hint: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
        outcome: Outcome | UnsetType = UNSET,
    ) -> None:
        """Answer with the HTTP `status`; the other arguments are as for `ErrorAnswer`."""
        super().__init__(message)
        self.status = status
        self.answer = ErrorAnswer(code, message, hint, outcome)
        self.headers = headers


def json_response(value: object, status: int = 200, headers: Mapping[str, str] = NO_HEADERS) -> Response:
    """`value`, of structs and plain types, as JSON."""
    return Response(
        printable_json(_encoder.encode(value).decode()), status_code=status, media_type=JSON, headers=dict(headers)
    )


def refusal_response(refusal: Refusal) -> Response:
    """The answer that a refusal asks for."""
    return json_response(refusal.answer, refusal.status, refusal.headers)


_KNOWN: tuple[tuple[type[TradingError], int, str, str], ...] = (
    (UnknownOrder, 404, "unknown_order", "GET /v1/orders lists the orders"),
    (InvalidOrder, 422, "invalid_order", "correct the field that is named"),
    (InvalidNumber, 422, "invalid_number", 'write numbers as text, such as "10.25"'),
    (InvalidCommand, 422, "invalid_command", "GET /v1/openapi.json describes the fields"),
    (EngineNotRunning, 503, "engine_not_running", "POST /v1/halt and everything that only reads work without one"),
    (EngineSilent, 504, "engine_silent", "repeat it with the same Idempotency-Key, which acts once"),
    (OutcomeUnknown, 504, "outcome_unknown", "it may have happened; look at the order before you ask again"),
    (NotReplaceable, 409, "not_replaceable", "the order works on as it is"),
    (OrderRefused, 409, "order_refused", ""),
    (NotAllowed, 403, "not_allowed", "ask somebody of that role, or for a token with it"),
    (AnotherActivation, 409, "another_activation", "GET /v1/halt, and decide about what it says now"),
    (ResetRefused, 409, "reset_refused", "the kill switch is still active"),
    (KillSwitchIncomplete, 500, "halt_incomplete", "orders are stopped in this process only; act by hand"),
    (NotReconciled, 409, "not_reconciled", "POST /v1/commands/reconcile, then look at the breaks"),
    (JournalError, 503, "journal_unavailable", "`qts journal verify` says what is wrong with it"),
    (ConfigurationError, 409, "refused", ""),
)
"""The first line that fits decides: the error, its status, its code, what to do next."""


def refusal_of(error: TradingError) -> Refusal:
    """How an error that was raised on purpose is told."""
    for kind, status, code, hint in _KNOWN:
        if isinstance(error, kind):
            return Refusal(status, code, str(error), hint)
    return Refusal(409, "refused", str(error))


def schema_of(kind: Any, template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON schema of a type, and of the structs in it; `template` names these, such as ``#/x/{name}``."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template=template)
    return schema, components
