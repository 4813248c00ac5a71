"""Whatever a client sends to whatever route: an answer in the broker's form, never an internal error, never a hang."""

import asyncio
import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_trading_system.simulation.alpaca_server.app import ROUTES
from tests.support.venue_front import HEADERS, venue_front

TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "SPY",
        "KO",
        "buy",
        "limit",
        "day",
        "1Min",
        "2026-01-12",
        "true",
        "-1",
        "0",
        "1e9",
        "open",
        "all",
        "..",
        "%00",
        "a|b|c",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
LIKELY = {
    "symbol": st.sampled_from(["SPY", "KO", "NOPE"]),
    "qty": st.sampled_from(["1", "0.5", 10, "-1", "1e400", "9" * 30]),
    "side": st.sampled_from(["buy", "sell"]),
    "type": st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"]),
    "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok", "opg", "cls"]),
    "limit_price": st.sampled_from(["500", "0.1234", "600.01", "1E+14"]),
    "order_class": st.sampled_from(["", "simple", "bracket", "oco", "oto", "mleg"]),
    "name": st.text(max_size=70),
}


@st.composite
def requests(draw):
    route = draw(st.sampled_from(ROUTES))
    path = re.sub(
        r"\{\w+\}",
        lambda _: draw(st.sampled_from(["SPY", "x", "61e69015-8549-4bfd-b9c3-01e75843f47d", "a%2Fb"])),
        route.path,
    )
    query = {p.name: str(draw(TEXT)) for p in route.parameters if draw(st.booleans())}
    fields = [field.name for field in route.fields]
    body = {name: draw(LIKELY.get(name, VALUES) | VALUES) for name in fields if draw(st.booleans())}
    return route.method, path, query, body if fields else None


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(requests(), min_size=1, max_size=4))
def test_every_request_gets_an_answer_in_the_brokers_form(sent):
    async def story():
        async with venue_front() as venue:
            for method, path, query, body in sent:
                async with venue.client.request(method, path, params=query, json=body, headers=HEADERS) as answer:
                    text = await answer.text()
                assert answer.status < 500, (method, path, query, body, text)
                if answer.status == 204:
                    assert text == ""
                elif answer.status >= 400:
                    assert {"code", "message"} <= set(json.loads(text))
                else:
                    json.loads(text)
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    asyncio.run(story())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.binary(max_size=60) | TEXT.map(str) | VALUES.map(json.dumps), max_size=6),
    st.sampled_from(["/stream", "/v2/iex"]),
)
def test_whatever_is_said_on_a_stream_the_venue_goes_on(sent, path):
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect(path)
            for message in sent:
                if isinstance(message, bytes):
                    await socket.send_bytes(message)
                else:
                    await socket.send_str(message)
            await socket.close()
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    asyncio.run(story())
