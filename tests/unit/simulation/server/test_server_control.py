"""The control surface: closed without its token, exact in time, and honest about the books."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiohttp import ClientError
from aiohttp.test_utils import TestClient, TestServer

from tests.support.venue_front import HEADERS, OPEN, run, venue_front

ORDER = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.mark.parametrize("headers", [{}, {"X-Venue-Token": "wrong"}, HEADERS])
def test_whoever_has_not_the_token_is_refused(headers):
    async def story():
        async with venue_front() as venue:
            for method, path in (("GET", "/_venue/books"), ("GET", "/_venue/books/alice"), ("POST", "/_venue/time")):
                assert (await venue.ask(method, path, headers=headers))[0] == 401

    run(story)


def test_without_a_token_there_is_no_control_surface():
    async def story():
        async with venue_front() as venue, TestClient(TestServer(venue.front.application())) as client:
            async with client.get("/_venue/books", headers={"X-Venue-Token": ""}) as answer:
                assert answer.status == 404
            async with client.get("/_venue/openapi.json") as answer:
                assert answer.status == 200

    run(story)


@pytest.mark.parametrize(
    ("command", "now"),
    [
        ({"seconds": 90.5}, "2026-01-12T14:31:30.500001Z"),
        ({"to": "2026-01-12T15:00:00Z"}, "2026-01-12T15:00:00Z"),
        ({"ticks": 1}, "2026-01-12T14:31:00Z"),
        ({"ticks": 390}, "2026-01-12T20:59:59.999999Z"),
        ({"ticks": 391}, "2026-01-13T14:30:00Z"),
    ],
)
def test_time_is_moved_by_seconds_to_a_moment_or_from_price_to_price(command, now):
    async def story():
        async with venue_front() as venue:
            status, answer = await venue.command("/time", command)
            assert (status, answer["now"]) == (200, now)

    run(story)


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"seconds": -1},
        {"ticks": 0},
        {"ticks": 10**9},
        {"to": "2026-01-12T15:00:00"},
        {"to": "2031-01-12T15:00:00Z"},
        {"minutes": 1},
        {"seconds": "1"},
    ],
)
def test_a_command_that_cannot_be_meant_moves_nothing(command):
    async def story():
        async with venue_front() as venue:
            before = venue.host.now
            assert (await venue.command("/time", command))[0] == 422
            assert venue.host.now == before

    run(story)


def test_a_price_is_set_with_its_quote():
    async def story():
        async with venue_front() as venue:
            body = {"symbol": "KO", "price": "70.5", "bid": "70.4", "ask": "70.6", "hold": True}
            assert (await venue.command("/price", body))[0] == 200
            quote = (await venue.ask("GET", "/v2/stocks/KO/quotes/latest"))[1]["quote"]
            trade = (await venue.ask("GET", "/v2/stocks/KO/trades/latest"))[1]["trade"]
            assert (quote["bp"], quote["ap"], trade["p"]) == (70.4, 70.6, 70.5)
            await venue.command("/time", {"ticks": 3})
            assert (await venue.ask("GET", "/v2/stocks/KO/trades/latest"))[1]["trade"]["p"] == 70.5
            assert (await venue.command("/release", {"symbol": "KO"}))[0] == 200
            await venue.command("/time", {"ticks": 1})
            assert (await venue.ask("GET", "/v2/stocks/KO/trades/latest"))[1]["trade"]["p"] != 70.5

    run(story)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"symbol": "NOPE", "price": "1"}, 404),
        ({"symbol": "KO", "price": "0"}, 422),
        ({"symbol": "KO", "price": "much"}, 422),
        ({"symbol": "KO", "price": "1.0000001"}, 422),
        ({"symbol": "KO", "price": "70", "bid": "71", "ask": "70"}, 422),
        ({"symbol": "KO", "price": 70}, 422),
        ({"symbol": "KO", "price": "70", "seconds_ago": -5}, 422),
    ],
)
def test_a_price_that_cannot_be_is_refused(body, status):
    async def story():
        async with venue_front() as venue:
            assert (await venue.command("/price", body))[0] == status

    run(story)


def test_the_books_are_those_of_the_venue_itself():
    async def story():
        async with venue_front() as venue:
            order = await venue.order()
            books = (await venue.command("/books/alice"))[1]
            assert (books["cash"], books["fees"], books["positions"]) == ("94299.90", "0.00", {"SPY": "10"})
            (trade,) = books["trades"]
            assert (trade["reference"], trade["symbol"], trade["amount"]) == (f"{order['id']}:1", "SPY", "-5700.10")
            assert (await venue.command("/books"))[1]["bob"]["trades"] == []
            assert (await venue.command("/books/nobody"))[0] == 404

    run(story)


# -- faults ------------------------------------------------------------------------------------------------------------


async def orders(venue):
    return (await venue.ask("GET", "/v2/orders?status=all"))[1]


def test_a_storm_of_errors_does_nothing_and_passes():
    async def story():
        async with venue_front() as venue:
            rule = {
                "fault": "status",
                "path": "/v2/orders",
                "method": "POST",
                "status": 503,
                "times": 2,
                "retry_after": "1",
            }
            assert (await venue.command("/faults/http", rule))[0] == 200
            for _ in range(2):
                assert await venue.ask("POST", "/v2/orders", ORDER) == (
                    503,
                    {"code": 50010000, "message": "service unavailable"},
                )
            assert await orders(venue) == []
            assert (await venue.ask("POST", "/v2/orders", ORDER))[0] == 200

    run(story)


@pytest.mark.parametrize(("fault", "done"), [("drop_request", 0), ("drop_response", 1)])
def test_a_connection_that_breaks_leaves_open_whether_the_order_was_taken(fault, done):
    async def story():
        async with venue_front() as venue:
            await venue.command("/faults/http", {"fault": fault, "path": "/v2/orders", "method": "POST"})
            with pytest.raises(ClientError):
                await venue.ask("POST", "/v2/orders", ORDER)
            assert len(await orders(venue)) == done

    run(story)


@pytest.mark.parametrize("fault", ["garbage", "empty", "truncated"])
def test_an_answer_that_is_spoilt_hides_that_the_order_was_taken(fault):
    async def story():
        async with venue_front() as venue:
            await venue.command("/faults/http", {"fault": fault, "path": "/v2/orders", "method": "POST"})
            async with venue.client.post("/v2/orders", json=ORDER, headers=HEADERS) as answer:
                body = await answer.read()
            with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
                json.loads(body)
            assert len(await orders(venue)) == 1

    run(story)


@pytest.mark.parametrize("fault", ["delay_request", "delay_response"])
def test_an_answer_may_be_late(fault):
    async def story():
        async with venue_front() as venue:
            await venue.command("/faults/http", {"fault": fault, "method": "POST", "seconds": 30})
            late = asyncio.create_task(venue.ask("POST", "/v2/orders", ORDER))
            while not (done := len(await orders(venue))) and not late.done() and fault == "delay_response":
                await asyncio.sleep(0)
            assert (done, late.done()) == (int(fault == "delay_response"), False)
            while not late.done():
                await venue.real.advance(timedelta(seconds=1))
                await asyncio.sleep(0)
            assert late.result()[0] == 200

    run(story)


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "explode"},
        {"fault": "status", "status": 200},
        {"fault": "status", "path": "("},
        {"fault": "empty", "times": 0},
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule):
    async def story():
        async with venue_front() as venue:
            assert (await venue.command("/faults/http", rule))[0] == 422

    run(story)


def test_faults_of_the_venue_itself_are_set_for_one_account_and_cleared_for_all():
    async def story():
        async with venue_front() as venue:
            body = {"account": "alice", "faults": {"parts": 2, "lose_report": "0.5"}}
            assert (await venue.command("/faults/venue", body))[0] == 200
            alice, bob = (desk.venue for desk in venue.host.desks)
            assert (alice.faults.parts, str(alice.faults.lose_report), bob.faults.parts) == (2, "0.5", 1)
            await venue.command("/faults/clear", {})
            assert alice.faults == bob.faults
            assert (await venue.command("/faults/venue", {"faults": {"lose_report": "2"}}))[0] == 422

    run(story)


def test_an_execution_is_busted_or_corrected_by_its_reference():
    async def story():
        async with venue_front() as venue:
            order = await venue.order()
            reference = f"{order['id']}:1"
            body = {"account": "alice", "execution": reference, "price": "569"}
            assert (await venue.command("/correct", body))[0] == 200
            assert (await venue.command("/books/alice"))[1]["cash"] == "94310.00"
            assert (await venue.command("/bust", {"account": "alice", "execution": reference}))[0] == 200
            assert (await venue.command("/books/alice"))[1]["positions"] == {}
            assert (await venue.command("/bust", {"account": "alice", "execution": "nothing:1"}))[0] == 404

    run(story)


def test_the_broker_liquidates_a_position():
    async def story():
        async with venue_front() as venue:
            await venue.order()
            assert (await venue.command("/liquidate", {"account": "alice", "symbol": "SPY"}))[0] == 200
            assert (await venue.command("/books/alice"))[1]["positions"] == {}
            assert (await venue.command("/liquidate", {"account": "alice", "symbol": "KO"}))[0] == 404

    run(story)


def test_money_moves_beside_trades():
    async def story():
        async with venue_front() as venue:
            before = Decimal(str((await venue.command("/books/alice"))[1]["cash"]))
            body = {"account": "alice", "activity_type": "DIV", "amount": "1.25", "symbol": "SPY"}
            assert (await venue.command("/post", body))[0] == 200
            assert Decimal(str((await venue.command("/books/alice"))[1]["cash"])) == before + Decimal("1.25")
            assert (await venue.command("/post", {**body, "amount": "0"}))[0] == 422

    run(story)


def test_the_time_can_be_read():
    async def story():
        async with venue_front() as venue:
            answer = (await venue.command("/time"))[1]
            assert answer["session"] == "2026-01-12"
            assert datetime.fromisoformat(answer["next_price"]) == OPEN.replace(minute=31, tzinfo=UTC)

    run(story)
