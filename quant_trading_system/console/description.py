"""The OpenAPI description, made from the declared routes: what each takes and answers, its role, and its errors."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import Any

from quant_trading_system import __version__
from quant_trading_system.console.answers import JSON, ErrorAnswer, schema_of
from quant_trading_system.console.bodies import DECIMAL_PATTERN, MAX_TEXT, TEXT_PATTERN, Nothing
from quant_trading_system.console.declared import KEY_PATTERN, Route
from quant_trading_system.core.commands import Outcome

_TITLE = "quant_trading_system control API"
_ABOUT = (
    "State of one account, and commands to its engine. Decimals are text. Unknown fields are refused. Every error has "
    "`code`, `message` and `hint`; every answer has a header `X-Request-ID`, which the server's log repeats."
)
ERRORS = {
    400: "malformed, or the idempotency key is missing",
    401: "no valid token",
    403: "the role is not enough, or the request comes from a page of another site",
    404: "there is no such thing",
    409: "refused; nothing was done",
    413: "the body is too large",
    415: "the body is not declared as JSON",
    422: "a field is wrong, missing or unknown; the message names it",
    500: "the server failed; its log has the request",
    502: "the engine could not do all of it, or does not know; the message says what to look at",
    503: "the engine is not running, the journal cannot be read, or too many requests wait",
    504: "the engine gave no answer; repeat with the same key",
}
"""What each status means."""
_READ_ERRORS = (400, 401, 403, 404, 409, 413, 422, 500, 503)
_WRITE_ERRORS = (*_READ_ERRORS, 415, 502, 504)
_ANSWERS = "#/components/schemas/{name}"
_GIVEN = "#/components/schemas/{name}Given"


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole description, OpenAPI 3.1."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    error, _ = _answered(ErrorAnswer, schemas)
    responses = {
        f"E{status}": {"description": text, "content": {JSON: {"schema": error}}} for status, text in ERRORS.items()
    }
    schemes = {"token": {"type": "http", "scheme": "bearer", "description": "made by `qts token create`"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": _TITLE, "version": __version__, "description": _ABOUT},
        "security": [{"token": []}],
        "tags": [{"name": group} for group in dict.fromkeys(route.group for route in routes)],
        "paths": paths,
        "components": {"schemas": schemas, "responses": responses, "securitySchemes": schemes},
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answer, _ = _answered(route.answers, schemas)
    errors = _READ_ERRORS if route.method == "GET" else _WRITE_ERRORS
    good = {"200": "done"}
    if route.answers is Outcome:
        good["202"] = "asked for and not confirmed yet; follow the id in the answer"
    operation: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.group],
        "summary": route.summary,
        "description": f"{route.text}\n\nTakes the role **{route.role.value}** or above.".strip(),
        "responses": {
            **{status: {"description": text, "content": {JSON: {"schema": answer}}} for status, text in good.items()},
            **{str(status): {"$ref": f"#/components/responses/E{status}"} for status in errors},
        },
    }
    parameters = _parameters(route)
    if route.needs_key:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "names one intention; repeat it when you repeat the request",
                "schema": {"type": "string", "pattern": KEY_PATTERN},
                "example": "close-ko-2026-01-05",
            }
        )
    if parameters:
        operation["parameters"] = parameters
    if route.method != "GET":
        operation["requestBody"] = _body(route, schemas)
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    """Fields of the path, and for a read those of the query."""
    if route.takes is Nothing:
        return []
    _, components = schema_of(route.takes, _GIVEN)
    schema = components[route.takes.__name__]
    found = []
    for name, field in schema["properties"].items():
        in_path = name in route.path_fields
        if in_path or route.method == "GET":
            parameter = {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in schema.get("required", ()),
                "schema": _inlined(_strict(field), components),
            }
            found.append(parameter)
    return found


def _body(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    schema, components = schema_of(route.takes, _GIVEN)
    for name, component in _tidied(components).items():
        strict = _strict(component)
        if strict.get("type") == "object":
            strict["additionalProperties"] = False
        if name == route.takes.__name__:
            tag = route.takes.__struct_config__.tag_field  # the path says which command it is
            _leave_out(strict, {*route.path_fields, tag or ""})
        schemas[f"{name}Given"] = strict
    content = {"schema": schema} if route.example is None else {"schema": schema, "example": route.example}
    return {"required": True, "content": {JSON: content}}


def _leave_out(schema: dict[str, Any], names: Collection[str]) -> None:
    schema["properties"] = {name: field for name, field in schema["properties"].items() if name not in names}
    schema["required"] = [name for name in schema.get("required", ()) if name not in names]


def _answered(kind: Any, schemas: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    schema, components = schema_of(kind, _ANSWERS)
    schemas.update(_tidied(components))
    return schema, components


def _tidied(components: dict[str, Any]) -> dict[str, Any]:
    """Docstrings without the indentation that they have in the source."""
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    return components


def _strict(schema: Any) -> Any:
    """What a request may hold: bounded text without control characters, decimals as plain text."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items()}
    if made.get("type") == "string" and "enum" not in made:
        if made.get("format") == "decimal":
            made["pattern"] = DECIMAL_PATTERN
        elif "format" not in made:
            made.setdefault("pattern", TEXT_PATTERN)
            made.setdefault("maxLength", MAX_TEXT)
    return made


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """Parameters have no place for references to enumerations of their own."""
    if isinstance(schema, dict) and "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1].removesuffix("Given")
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_inlined(_strict(components[name]), components), **rest}
    if isinstance(schema, dict):
        return {key: _inlined(value, components) for key, value in schema.items()}
    return [_inlined(part, components) for part in schema] if isinstance(schema, list) else schema
