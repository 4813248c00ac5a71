"""Both streams on a socket: handshakes, encodings, fragments, deadlines, clients that misbehave."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from aiohttp import WSMsgType, WSServerHandshakeError

from quant_trading_system.simulation.alpaca_server import outbox
from tests.support.venue_front import ALICE, BOB, HEADERS, run, venue_front

AUTH = {"action": "auth", "key": ALICE.key_id, "secret": ALICE.secret_key}
MSGPACK = {"Content-Type": "application/msgpack"}
HEAR_S = 10


async def hear(socket):
    """The next message of a JSON stream, whatever its frame."""
    message = await socket.receive(HEAR_S)
    assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
    return json.loads(message.data)


async def closed(socket):
    message = await socket.receive(HEAR_S)
    return message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)


async def subscribed(venue, **channels):
    socket = await venue.client.ws_connect("/v2/iex")
    assert await hear(socket) == [{"T": "success", "msg": "connected"}]
    await socket.send_json(AUTH)
    assert await hear(socket) == [{"T": "success", "msg": "authenticated"}]
    await socket.send_json({"action": "subscribe", **channels})
    assert (await hear(socket))[0]["T"] == "subscription"
    return socket


# -- market data -------------------------------------------------------------------------------------------------------


def test_a_trade_is_told_in_json_text():
    async def story():
        async with venue_front() as venue:
            socket = await subscribed(venue, trades=["SPY"])
            venue.pass_time(minutes=1)
            message = await socket.receive(HEAR_S)
            assert message.type is WSMsgType.TEXT
            (trade,) = json.loads(message.data)
            assert next(iter(trade)) == "T"
            size = trade.pop("s")
            assert size > 0
            assert trade == {
                "T": "t", "S": "SPY", "t": "2026-01-12T14:31:00Z", "x": "V", "p": 570.0, "c": ["@"],
                "i": 1768228260000000, "z": "B",
            }  # fmt: skip

    run(story)


def test_messagepack_comes_in_binary_frames_with_timestamps():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/v2/sip", headers=MSGPACK)
            greeting = await socket.receive(HEAR_S)
            assert greeting.type is WSMsgType.BINARY
            assert msgspec.msgpack.decode(greeting.data) == [{"T": "success", "msg": "connected"}]
            await socket.send_bytes(msgspec.msgpack.encode(AUTH))
            await socket.receive(HEAR_S)
            await socket.send_bytes(msgspec.msgpack.encode({"action": "subscribe", "quotes": ["SPY"]}))
            await socket.receive(HEAR_S)
            venue.pass_time(minutes=1)
            (quote,) = msgspec.msgpack.decode((await socket.receive(HEAR_S)).data)
            assert quote["t"] == datetime(2026, 1, 12, 14, 31, tzinfo=UTC)
            assert (quote["bp"], quote["ap"]) == (569.99, 570.01)

    run(story)


def test_a_request_may_come_in_fragments():
    async def story():
        async with venue_front() as venue:
            socket = await subscribed(venue)
            body = json.dumps({"action": "subscribe", "trades": ["SPY", "KO"]}).encode()
            send_in_three_frames(socket, body)
            assert (await hear(socket))[0]["trades"] == ["KO", "SPY"]

    run(story)


def send_in_three_frames(socket, body):
    """A beginning without the final bit, a continuation, and the end; masked with zeros."""
    for first, part in ((0x01, body[:5]), (0x00, body[5:20]), (0x80, body[20:])):
        socket._conn.transport.write(bytes([first, 0x80 | len(part), 0, 0, 0, 0]) + part)


def test_keys_in_the_headers_of_the_request_suffice():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/v2/iex", headers=HEADERS)
            assert await hear(socket) == [{"T": "success", "msg": "connected"}]
            assert await hear(socket) == [{"T": "success", "msg": "authenticated"}]

    run(story)


def test_whoever_does_not_authenticate_in_ten_seconds_is_sent_away():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/v2/iex")
            await hear(socket)
            await venue.real.advance(timedelta(seconds=9))
            await socket.send_json({"action": "subscribe", "trades": ["SPY"]})
            assert (await hear(socket))[0]["code"] == 401
            await venue.real.advance(timedelta(seconds=1))
            assert await hear(socket) == [{"T": "error", "code": 404, "msg": "auth timeout"}]
            assert await closed(socket)

    run(story)


def test_wrong_keys_end_the_connection():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/v2/iex")
            await hear(socket)
            await socket.send_json({**AUTH, "secret": "wrong"})
            assert await hear(socket) == [{"T": "error", "code": 402, "msg": "auth failed"}]
            assert await closed(socket)

    run(story)


def test_limits_of_a_plan_hold_once_they_are_set():
    async def story():
        async with venue_front() as venue:
            limits = {"symbols": 1, "connections": 1, "refused_feeds": ["sip"]}
            assert (await venue.command("/data-limits", limits))[0] == 200
            first = await subscribed(venue, trades=["SPY"])
            await first.send_json({"action": "subscribe", "trades": ["KO"]})
            assert (await hear(first))[0]["code"] == 405
            for path, code in (("/v2/iex", 406), ("/v2/sip", 409)):
                socket = await venue.client.ws_connect(path)
                await hear(socket)
                await socket.send_json(AUTH)
                assert (await hear(socket))[0]["code"] == code
                assert await closed(socket)

    run(story)


def test_nobody_hears_what_he_did_not_subscribe_to():
    async def story():
        async with venue_front() as venue:
            spy, ko = await subscribed(venue, trades=["SPY"]), await subscribed(venue, trades=["KO"])
            venue.pass_time(minutes=2)
            for socket, symbol in ((spy, "SPY"), (ko, "KO")):
                assert {row["S"] for _ in range(2) for row in await hear(socket)} == {symbol}

    run(story)


def test_a_client_that_does_not_read_is_cut_off_and_the_others_hear_everything(monkeypatch):
    """What waits for one client has a bound; its neighbour does not notice."""
    monkeypatch.setattr(outbox, "MOST_WAITING", 3)

    async def story():
        async with venue_front() as venue:
            slow = await subscribed(venue, quotes=["*"])
            for _ in range(5):
                venue.pass_time(minutes=1)  # nothing is sent before this task rests
            rows = []
            while not rows or rows[-1][0].get("code") != 407:
                rows.append(await hear(slow))
            assert await closed(slow)
            fresh = await subscribed(venue, quotes=["SPY"])
            venue.pass_time(minutes=1)
            assert (await hear(fresh))[0]["S"] == "SPY"

    run(story)


def test_both_paths_with_the_feed_repeated_and_a_slash_are_served():
    """Clients that append the feed to a base get what they mean."""

    async def story():
        async with venue_front() as venue:
            for path in ("/v2/iex/", "/v2/iex/v2/sip", "/v2/test"):
                assert (await hear(await venue.client.ws_connect(path)))[0]["msg"] == "connected"
            with pytest.raises(WSServerHandshakeError):
                await venue.client.ws_connect("/v2/boats")

    run(story)


def test_a_plain_request_to_a_stream_is_refused():
    async def story():
        async with venue_front() as venue:
            for path in ("/v2/iex", "/stream"):
                status, body = await venue.ask("GET", path)
                assert (status, set(body)) == (400, {"code", "message"})

    run(story)


# -- orders ------------------------------------------------------------------------------------------------------------


async def listening(venue, account=ALICE, path="/stream", **options):
    socket = await venue.client.ws_connect(path, **options)
    await socket.send_json(
        {"action": "authenticate", "data": {"key_id": account.key_id, "secret_key": account.secret_key}}
    )
    assert (await hear(socket))["data"]["status"] == "authorized"
    await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
    assert await hear(socket) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
    return socket


@pytest.mark.parametrize("path", ["/stream", "/stream/", "/stream/stream"])
def test_order_updates_are_json_in_binary_frames(path):
    async def story():
        async with venue_front() as venue:
            socket = await listening(venue, path=path)
            order = await venue.order()
            events = []
            while not events or events[-1]["event"] != "fill":
                message = await socket.receive(HEAR_S)
                assert message.type is WSMsgType.BINARY
                events.append(json.loads(message.data)["data"])
            assert [event["event"] for event in events] == ["pending_new", "new", "fill"]
            fill = events[-1]
            assert fill["order"] == order
            assert (fill["price"], fill["qty"], fill["position_qty"]) == ("570.01", "10", "10")
            assert fill["timestamp"] == order["filled_at"]
            assert sorted(event["event_id"] for event in events[1:]) == [event["event_id"] for event in events[1:]]

    run(story)


def test_order_updates_come_in_messagepack_for_those_who_ask():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/stream", headers=MSGPACK)
            await socket.send_json({**AUTH})
            answer = await socket.receive(HEAR_S)
            assert msgspec.msgpack.decode(answer.data)["data"]["status"] == "authorized"

    run(story)


def test_there_is_no_greeting_and_no_patience_without_end():
    async def story():
        async with venue_front() as venue:
            socket = await venue.client.ws_connect("/stream")
            await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert (await hear(socket))["data"] == {"status": "unauthorized", "action": "listen"}
            await venue.real.advance(timedelta(seconds=10))
            assert (await hear(socket))["data"]["error_message"] == "authentication timeout"
            assert await closed(socket)

    run(story)


def test_accounts_hear_of_their_own_orders_only():
    async def story():
        async with venue_front() as venue:
            alice, bob = await listening(venue), await listening(venue, BOB)
            await venue.order()
            assert [(await hear(alice))["data"]["event"] for _ in range(3)] == ["pending_new", "new", "fill"]
            with pytest.raises(asyncio.TimeoutError):
                await bob.receive(0.01)

    run(story)


@pytest.mark.parametrize("garbage", ["nonsense", "[]", "{}", '{"action":"dance"}'])
def test_garbage_on_the_order_stream_is_answered_and_forgotten(garbage):
    async def story():
        async with venue_front() as venue:
            socket = await listening(venue)
            await socket.send_str(garbage)
            assert (await hear(socket))["action"] == "error"
            await venue.order()
            assert (await hear(socket))["data"]["event"] == "pending_new"

    run(story)


def test_a_message_that_is_too_large_ends_its_own_connection_only():
    async def story():
        async with venue_front() as venue:
            loud, quiet = await listening(venue), await listening(venue)
            await loud.send_str("x" * 100_000)
            assert await closed(loud)
            await venue.order()
            assert (await hear(quiet))["data"]["event"] == "pending_new"

    run(story)
