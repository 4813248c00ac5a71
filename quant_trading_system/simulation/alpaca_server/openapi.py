"""The description of the REST surface in OpenAPI, made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from quant_trading_system import __version__
from quant_trading_system.simulation.alpaca_server.auth import KEY_HEADER, SECRET_HEADER
from quant_trading_system.simulation.alpaca_server.routes import Field, Parameter, Route

_UUID = {"format": "uuid"}
_SYMBOL = {"pattern": "^[A-Z]{1,5}$", "examples": ["SPY", "AAPL"]}
_FORMS: dict[str, dict[str, Any]] = {
    "order_id": _UUID,
    "watchlist_id": _UUID,
    "symbol": _SYMBOL,
    "symbol_or_asset_id": _SYMBOL,
    "activity_type": {"enum": ["FILL", "FEE"]},
    "ticktype": {"enum": ["trade", "quote"]},
    "market_type": {"enum": ["stocks", "crypto"]},
    "announcement_id": _UUID,
    "market": {"enum": ["NYSE", "NASDAQ", "XNYS", "XNAS"]},
}
"""What the names in paths look like."""
_IN_PATH = re.compile(r"\{(\w+)\}")
_REFUSED = {
    "400": "The request cannot be read, or asks for something impossible.",
    "401": "Keys are missing or wrong.",
    "403": "Not permitted for this account now.",
    "404": "There is no such thing.",
    "422": "A field is missing or wrong, or the state of an order forbids it.",
    "429": "Too many requests.",
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """The OpenAPI document of the routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "qts venue: trading and market data", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
                "secret": {"type": "apiKey", "in": "header", "name": SECRET_HEADER},
            },
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
                }
            },
        },
        "security": [{"key": [], "secret": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    in_path = [_in_path(name) for name in _IN_PATH.findall(route.path)]
    refusals = {status: _refusal(text) for status, text in _REFUSED.items()}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "tags": [route.scope.value],
        "parameters": in_path + [_in_query(parameter) for parameter in route.parameters],
        "responses": {str(route.status): _good(route), **refusals},
    }
    if route.fields:
        operation["requestBody"] = {"content": {"application/json": {"schema": _object(route.fields)}}}
    return operation


def _in_path(name: str) -> dict[str, Any]:
    schema = {"type": "string", **_FORMS.get(name, {})}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.kind, **parameter.more}
    if parameter.values:
        schema["enum"] = list(parameter.values)
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.description,
        "schema": schema,
    }


def _object(fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {field.name: dict(field.schema) for field in fields},
        "required": [field.name for field in fields if field.required],
    }


def _good(route: Route) -> dict[str, Any]:
    if route.status == 204:
        return {"description": "Done; the answer has no body."}
    return {"description": "As the broker answers.", "content": {"application/json": {"schema": route.answer}}}


def _refusal(text: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {"description": text, "content": content}
