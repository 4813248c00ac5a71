"""The frame of every request and answer: keys, limits, headers, bodies, paths."""

import asyncio
import io
import json
from datetime import timedelta

import pytest

from tests.support.venue_front import ALICE, BOB, HEADERS, run, venue_front

ORDER = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


def test_a_request_without_keys_is_refused():
    async def story():
        async with venue_front() as venue:
            assert await venue.ask("GET", "/v2/account", headers={}) == (
                401,
                {"code": 40110000, "message": "request is not authorized"},
            )

    run(story)


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/nothing", "/v3/orders", "/v2/orders/a/b"])
def test_an_unknown_path_is_told_so_even_to_strangers(path):
    async def story():
        async with venue_front() as venue:
            assert await venue.ask("GET", path, headers={}) == (
                404,
                {"code": 40410000, "message": "endpoint not found."},
            )

    run(story)


def test_a_method_that_a_path_does_not_have_is_told_with_those_that_it_has():
    async def story():
        async with (
            venue_front() as venue,
            venue.client.put("/v2/orders", headers=HEADERS) as answer,
        ):
            assert (answer.status, answer.headers["Allow"]) == (405, "DELETE,GET,POST")
            assert await answer.json() == {"code": 40510000, "message": "method not allowed"}

    run(story)


@pytest.mark.parametrize("path", ["/v2/account", "/v2/orders", "/v2/clock", "/v2/stocks/bars/latest"])
def test_a_slash_at_the_end_makes_no_difference(path):
    async def story():
        async with venue_front() as venue:
            query = "?symbols=SPY"
            one = await venue.ask("GET", path + query)
            assert one == await venue.ask("GET", path + "/" + query)
            assert one[0] == 200

    run(story)


def test_every_answer_carries_an_id_and_what_is_left_of_the_minute():
    async def story():
        async with venue_front(per_minute=2) as venue:
            seen = []
            for _ in range(3):
                async with venue.client.get("/v2/clock", headers=HEADERS) as answer:
                    seen.append((answer.status, answer.headers))
            assert [status for status, _ in seen] == [200, 200, 429]
            assert [headers["X-RateLimit-Remaining"] for _, headers in seen] == ["1", "0", "0"]
            assert {headers["X-RateLimit-Limit"] for _, headers in seen} == {"2"}
            assert {headers["X-RateLimit-Reset"] for _, headers in seen} == {"1772323260"}
            assert len({headers["X-Request-ID"] for _, headers in seen}) == 3
            assert seen[2][1]["Retry-After"] == "60"

    run(story)


def test_the_limit_counts_accounts_and_purposes_apart_and_ends_with_the_minute():
    async def story():
        async with venue_front(per_minute=1) as venue:
            bob = {"APCA-API-KEY-ID": BOB.key_id, "APCA-API-SECRET-KEY": BOB.secret_key}
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200
            assert await venue.ask("GET", "/v2/clock") == (429, {"code": 42910000, "message": "rate limit exceeded"})
            assert (await venue.ask("GET", "/v2/clock", headers=bob))[0] == 200
            assert (await venue.ask("GET", "/v2/stocks/trades/latest?symbols=SPY"))[0] == 200
            await venue.real.advance(timedelta(minutes=1))
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    run(story)


def test_a_request_over_the_limit_does_nothing():
    async def story():
        async with venue_front(per_minute=1) as venue:
            assert (await venue.ask("POST", "/v2/orders", ORDER))[0] == 200
            assert (await venue.ask("POST", "/v2/orders", ORDER))[0] == 429
            assert len(venue.host.desks[0].venue.orders()) <= 1

    run(story)


@pytest.mark.parametrize("body", [b"{", b"nonsense", b"[1]", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"qty": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(body):
    async def story():
        async with venue_front() as venue, venue.client.post("/v2/orders", data=body, headers=HEADERS) as answer:
            assert answer.status == 400
            assert (await answer.json())["code"] == 40010000

    run(story)


def test_a_body_that_is_too_large_is_refused_and_others_go_on():
    async def story():
        async with venue_front() as venue:
            async with venue.client.post("/v2/orders", data=io.BytesIO(b" " * 3_000_000), headers=HEADERS) as answer:
                assert answer.status == 413
                assert "message" in await answer.json()
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    run(story)


def test_numbers_in_a_body_keep_every_digit():
    """0.1 + 0.2 never happens: a float of a client arrives as the decimal number that it wrote."""

    async def story():
        async with venue_front() as venue:
            body = '{"symbol":"SPY","qty":0.100000001,"side":"buy","type":"limit","time_in_force":"day"'
            body += ',"limit_price":290.10}'
            async with venue.client.post("/v2/orders", data=body, headers=HEADERS) as answer:
                order = await answer.json()
            assert (order["qty"], order["limit_price"]) == ("0.100000001", "290.1")

    run(story)


def test_unknown_fields_are_left_alone():
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("POST", "/v2/orders", {**ORDER, "subtag": "x", "advanced_instructions": {}}))[
                0
            ] == 200

    run(story)


def test_an_order_is_answered_before_it_reaches_the_market():
    async def story():
        async with venue_front() as venue:
            _, order = await venue.ask("POST", "/v2/orders", ORDER)
            assert order["status"] == "pending_new"
            venue.host.settle()
            assert (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "filled"

    run(story)


def test_an_order_moves_on_by_itself():
    async def story():
        async with venue_front() as venue:
            _, order = await venue.ask("POST", "/v2/orders", ORDER)
            while order["status"] != "filled":
                _, order = await venue.ask("GET", f"/v2/orders/{order['id']}")

    run(story)


def test_the_answer_to_a_cancel_is_empty():
    async def story():
        async with venue_front() as venue:
            order = await venue.order(type="limit", limit_price="500")
            assert await venue.ask("DELETE", f"/v2/orders/{order['id']}") == (204, None)

    run(story)


@pytest.mark.parametrize(
    "headers",
    [
        {"APCA-API-KEY-ID": ALICE.key_id, "APCA-API-SECRET-KEY": "wrong"},
        {"APCA-API-KEY-ID": "nobody", "APCA-API-SECRET-KEY": ALICE.secret_key},
        {"APCA-API-KEY-ID": ALICE.key_id},
        {"Authorization": "Basic not-base64!"},
        {"Authorization": "Bearer PKALICE:wrong"},
        {"Authorization": "Digest x"},
    ],
)
def test_wrong_credentials_open_nothing(headers):
    async def story():
        async with venue_front() as venue:
            assert (await venue.ask("GET", "/v2/account", headers=headers))[0] == 401

    run(story)


def test_a_client_that_leaves_in_the_middle_of_a_body_harms_nobody():
    async def story():
        async with venue_front() as venue:
            _, writer = await asyncio.open_connection("127.0.0.1", venue.client.port)
            writer.write(b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            await writer.drain()
            writer.close()
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    run(story)


def test_an_internal_error_is_told_without_its_reasons(monkeypatch, caplog):
    async def story():
        async with venue_front() as venue:

            def broken():
                raise RuntimeError("the reason")

            monkeypatch.setattr(venue.host.desks[0].venue, "positions", broken)
            status, body = await venue.ask("GET", "/v2/positions")
            assert (status, body) == (500, {"code": 50010000, "message": "internal server error occurred"})
            assert (await venue.ask("GET", "/v2/clock"))[0] == 200

    run(story)
    assert "the reason" in caplog.text


def test_the_description_names_every_route_and_needs_no_keys():
    async def story():
        async with venue_front() as venue:
            status, document = await venue.ask("GET", "/_venue/openapi.json", headers={})
            assert status == 200
            order = document["paths"]["/v2/orders"]["post"]
            assert order["requestBody"]["content"]["application/json"]["schema"]["required"] == [
                "symbol",
                "type",
                "time_in_force",
            ]
            assert {p["name"] for p in document["paths"]["/v2/orders"]["get"]["parameters"]} >= {"status", "nested"}
            assert json.dumps(document)

    run(story)
