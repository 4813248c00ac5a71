"""Answers that say no, in the form that every client of Alpaca reads: status, code and message."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from aiohttp import web

from quant_trading_system.simulation.admission import MALFORMED, NOT_FOUND, VenueRefusal

BAD_JSON = 40010000
UNAUTHORIZED = 40110000
RATE_LIMITED = 42910000
INTERNAL = 50010000

_JSON = {"Content-Type": "application/json; charset=utf-8"}


def unauthorized() -> VenueRefusal:
    """Keys are missing or wrong."""
    return VenueRefusal(UNAUTHORIZED, 401, "request is not authorized")


def no_endpoint() -> VenueRefusal:
    """There is nothing at this path."""
    return VenueRefusal(NOT_FOUND, 404, "endpoint not found.")


def bad_json() -> VenueRefusal:
    """The body is not JSON, or not an object."""
    return VenueRefusal(BAD_JSON, 400, "request body format is invalid")


def missing(what: str) -> VenueRefusal:
    """A required field is not there."""
    return VenueRefusal(MALFORMED, 422, f"{what} is required")


def internal_error() -> VenueRefusal:
    """Something broke in the venue."""
    return VenueRefusal(INTERNAL, 500, "internal server error occurred")


def refusal_body(refusal: VenueRefusal) -> dict[str, object]:
    """The JSON object of a refusal."""
    return {"code": refusal.code, "message": refusal.message, **refusal.extra}


def refusal_response(refusal: VenueRefusal) -> web.Response:
    """The HTTP answer of a refusal."""
    return json_response(refusal_body(refusal), refusal.http)


def of_http(error: web.HTTPException) -> VenueRefusal:
    """What the web server refused by itself: unknown paths and methods, bodies that are too large."""
    if error.status == HTTPStatus.NOT_FOUND:
        return no_endpoint()
    return VenueRefusal(error.status * 100_000 + 10_000, error.status, error.reason.lower())


def json_response(body: object, status: int = 200) -> web.Response:
    """An answer in JSON."""
    return web.Response(body=msgspec.json.encode(body), status=status, headers=_JSON)
