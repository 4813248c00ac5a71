"""What the venue answers is what its description of the interface promises."""

import re
from datetime import date, datetime
from uuid import UUID

import pytest

from quant_trading_system.simulation.alpaca_server.app import ROUTES
from tests.support.venue_front import run, venue_front

TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
FORMATS = {"uuid": UUID, "date": date.fromisoformat, "date-time": datetime.fromisoformat}
BRACKET = {
    "order_class": "bracket",
    "take_profit": {"limit_price": "600"},
    "stop_loss": {"stop_price": "500"},
}
WATCHED = {"name": "mine", "symbols": ["SPY"]}


def check(schema, value, where="answer"):
    """The part of JSON Schema that the description uses."""
    if "anyOf" in schema:
        schema = next(option for option in schema["anyOf"] if (option == {"type": "null"}) == (value is None))
    for part in schema.get("allOf", ()):
        check(part, value, where)
    kinds = schema.get("type", list(TYPES))
    allowed = tuple(TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    flat = tuple(kind for each in allowed for kind in (each if isinstance(each, tuple) else (each,)))
    assert isinstance(value, flat), (where, value)
    assert value in schema.get("enum", [value]), (where, value)
    if isinstance(value, str):
        assert re.search(schema.get("pattern", ""), value), (where, value)
        FORMATS.get(schema.get("format"), str)(value)
    if isinstance(value, list):
        for row in value:
            check(schema.get("items", {}), row, f"{where}[]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), where
        more = schema.get("additionalProperties", {})
        for name, inner in value.items():
            check(schema.get("properties", {}).get(name, more), inner, f"{where}.{name}")


def promised(method, path):
    (schema,) = (route.answer for route in ROUTES if (route.method, route.path) == (method, path))
    assert schema, "the route promises nothing"
    return schema


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/account", ""), ("/v2/account/configurations", ""), ("/v2/account/portfolio/history", ""),
        ("/v2/account/activities", ""), ("/v2/orders", "?status=all"), ("/v2/positions", ""), ("/v2/assets", ""),
        ("/v2/clock", ""), ("/v2/calendar", "?start=2026-01-01&end=2026-01-31"), ("/v2/watchlists", ""),
        ("/v2/stocks/bars", "?symbols=SPY&timeframe=1Day&start=2026-01-08"),
        ("/v2/stocks/trades", "?symbols=SPY&start=2026-01-09&limit=3"),
        ("/v2/stocks/quotes", "?symbols=SPY&start=2026-01-09&limit=3"),
        ("/v2/stocks/auctions", "?symbols=SPY,KO&start=2026-01-08"),
        ("/v2/stocks/bars/latest", "?symbols=SPY"), ("/v2/stocks/trades/latest", "?symbols=SPY"),
        ("/v2/stocks/quotes/latest", "?symbols=SPY"), ("/v2/stocks/snapshots", "?symbols=SPY"),
        ("/v2/stocks/meta/exchanges", ""),
    ],
)  # fmt: skip
def test_an_answer_is_as_it_is_described(path, query):
    async def story():
        async with venue_front() as venue:
            await venue.order()
            await venue.order(**BRACKET)
            await venue.order(type="trailing_stop", side="sell", qty="1", trail_percent="1")
            await venue.ask("POST", "/v2/watchlists", WATCHED)
            venue.pass_time(minutes=2)
            status, answer = await venue.ask("GET", path + query)
            assert status == 200
            check(promised("GET", path), answer)

    run(story)


def test_changes_are_answered_as_it_is_described():
    async def story():
        async with venue_front() as venue:
            order = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
            for method, path, body in (
                ("POST", "/v2/orders", order),
                ("POST", "/v2/orders", {**order, **BRACKET}),
                ("POST", "/v2/watchlists", WATCHED),
                ("PATCH", "/v2/account/configurations", {"no_shorting": True}),
                ("DELETE", "/v2/orders", None),
                ("DELETE", "/v2/positions", None),
            ):
                status, answer = await venue.ask(method, path, body)
                assert status in (200, 207), answer
                check(promised(method, path), answer)
                venue.host.settle()

    run(story)
