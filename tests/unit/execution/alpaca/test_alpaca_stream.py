"""The stream of order updates: up only when confirmed, never silent unnoticed, never down for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.execution.alpaca_models import TradeUpdate
from quant_trading_system.execution.alpaca_stream import OrderStream
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.stream_session import StreamLimits, StreamSession, within
from tests.support.alpaca_lines import (
    ACCESS,
    KEY,
    SECRET,
    START,
    MemoryOpener,
    MemorySocket,
    fill_json,
    kinds,
    order_json,
    pass_time,
    run_beside,
    settled,
    update_json,
)

K = NoticeKind
AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
LISTENING = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
Story = Callable[["Desk"], Awaitable[None]]


def welcome(socket: MemorySocket) -> None:
    """What a broker in good order answers."""
    socket.push(AUTHORIZED, LISTENING)


class Desk:
    """A session on the order stream, with the test as broker, history and listener."""

    def __init__(self, prepare: Any = welcome, *, packed: bool = False, **limits: Any) -> None:
        self.clock = ManualClock(START)
        self.opener = MemoryOpener(prepare)
        self.notices: list[Notice] = []
        self.updates: list[TradeUpdate] = []
        self.garbage: list[str] = []
        self.catch_ups = 0
        self.history_is_there = True
        self.history_is_read = asyncio.Event()
        self.history_is_read.set()
        self.silence_is_normal = True
        self.changes: list[bool] = []
        self.on_first: Callable[[], object] = lambda: None
        self.stream = OrderStream(
            self.opener,
            ACCESS,
            self.notices.append,
            on_update=self._hear,
            on_garbage=self.garbage.append,
            catch_up=self._catch_up,
            silence_is_normal=self._silence,
            packed=packed,
        )
        self.session = StreamSession(
            self.stream, self.clock, self.notices.append, seed=5, limits=StreamLimits(**limits)
        )
        self.session.on_change(self.changes.append)

    def live(self, story: Story) -> None:
        """Run the session while `story` is told."""
        asyncio.run(run_beside(self.session.run(), lambda: story(self)))

    @property
    def socket(self) -> MemorySocket:
        return self.opener.socket

    async def hears(self, *messages: Any) -> None:
        self.socket.push(*messages)
        await settled()

    async def wait(self, seconds: float) -> None:
        await pass_time(self.clock, seconds)

    def _hear(self, update: TradeUpdate) -> None:
        self.updates.append(update)
        if len(self.updates) == 1:
            self.on_first()

    async def _catch_up(self) -> bool:
        self.catch_ups += 1
        await self.history_is_read.wait()
        return self.history_is_there

    async def _silence(self) -> bool:
        return self.silence_is_normal


# -- the handshake -------------------------------------------------------------------------------------------------


def test_it_authenticates_subscribes_and_catches_up_before_it_is_up():
    async def story(desk: Desk) -> None:
        assert desk.opener.asked == [("ws://127.0.0.1:1/stream", {})]
        (authenticate,) = desk.socket.sent
        assert json.loads(authenticate) == {
            "action": "authenticate",
            "data": {"key_id": KEY, "secret_key": SECRET},
        }
        await desk.hears(AUTHORIZED)
        assert json.loads(desk.socket.sent[1]) == {"action": "listen", "data": {"streams": ["trade_updates"]}}
        assert (desk.session.is_up, desk.catch_ups) == (False, 0)
        await desk.hears(LISTENING)
        assert (desk.session.is_up, desk.catch_ups, desk.changes) == (True, 1, [True])

    Desk(lambda _: None).live(story)


def test_it_is_not_up_while_the_history_cannot_be_read():
    async def story(desk: Desk) -> None:
        await desk.hears(fill_json("8", "8"))
        assert not desk.session.is_up
        assert len(desk.updates) == 1  # the stream is heard all the while
        desk.history_is_there = True
        await desk.wait(30)
        assert desk.session.is_up
        assert K.NO_HISTORY in kinds(desk.notices)

    desk = Desk()
    desk.history_is_there = False
    desk.live(story)


REFUSED = {
    "keys": [{"stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"}}],
    "keys, after all": [AUTHORIZED, {"stream": "authorization", "data": {"status": "unauthorized"}}],
    "nothing": [AUTHORIZED, {"stream": "listening", "data": {"streams": []}}],
    "something else": [AUTHORIZED, {"stream": "listening", "data": {"streams": ["account_updates"]}}],
    "no list": [AUTHORIZED, {"stream": "listening", "data": {"streams": None}}],
}


@pytest.mark.parametrize("answers", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_told_and_not_tried_again_for_a_minute(answers):
    """Not up until the subscription is confirmed, and no hammering with keys that were refused."""

    async def story(desk: Desk) -> None:
        assert desk.socket.is_closed
        assert not desk.session.is_up
        assert K.CREDENTIALS_REFUSED in kinds(desk.notices)
        await desk.wait(59)
        assert len(desk.opener.asked) == 1
        await desk.wait(2)
        assert len(desk.opener.asked) == 2

    Desk(lambda socket: socket.push(*answers)).live(story)


@pytest.mark.parametrize(
    "answer",
    [
        "half a mess",
        b"\xc1",
        {"action": "error", "data": {"error_message": "internal"}},
        {"stream": "listening", "data": {}},
        [],
        {"stream": "authorization", "data": None},
    ],
    ids=range(6),
)
def test_a_strange_answer_ends_the_attempt_and_the_next_begins_soon(answer):
    async def story(desk: Desk) -> None:
        assert not desk.session.is_up
        desk.opener.prepare = welcome
        await desk.wait(2)
        assert desk.session.is_up

    Desk(lambda socket: socket.push(answer)).live(story)


def test_an_answer_that_does_not_come_ends_the_attempt():
    async def story(desk: Desk) -> None:
        await desk.wait(9)
        assert not desk.socket.is_closed
        await desk.wait(2)
        assert desk.opener.sockets[0].is_closed
        assert "no answer within 10 s" in desk.notices[0].message

    Desk(lambda _: None).live(story)


@pytest.mark.fault("keys-refused")
def test_keys_are_in_no_notice_even_if_the_broker_repeats_them():
    async def story(desk: Desk) -> None:
        assert desk.notices
        assert SECRET not in str(desk.notices)
        assert KEY not in str(desk.notices)

    Desk(lambda socket: socket.push({"echo": {"key_id": KEY, "secret_key": SECRET}})).live(story)


# -- messages ------------------------------------------------------------------------------------------------------


def packed(message: Any) -> bytes:
    return msgspec.msgpack.encode(message)


def as_bytes(message: Any) -> bytes:
    return json.dumps(message).encode()


@pytest.mark.parametrize("write", [json.dumps, as_bytes, packed], ids=["text", "binary text", "MessagePack"])
def test_updates_are_read_from_every_kind_of_frame(write):
    """The paper endpoint sends JSON in binary frames; MessagePack comes when it was asked for."""

    async def story(desk: Desk) -> None:
        await desk.hears(write(fill_json("3", "3")), write(update_json("new", order_json())))
        assert [update.event for update in desk.updates] == ["partial_fill", "new"]
        assert str(desk.updates[0].price) == "61.20"

    Desk(lambda socket: socket.push(write(AUTHORIZED), write(LISTENING))).live(story)


def test_messagepack_is_asked_for_and_spoken():
    async def story(desk: Desk) -> None:
        assert desk.opener.asked[0][1] == {"Content-Type": "application/msgpack"}
        assert msgspec.msgpack.decode(desk.socket.sent[0])["action"] == "authenticate"
        assert desk.session.is_up

    Desk(lambda socket: socket.push(packed(AUTHORIZED), packed(LISTENING)), packed=True).live(story)


GARBAGE: dict[str, tuple[Any, str]] = {
    "data: null": ({"stream": "trade_updates", "data": None}, ""),
    "no data": ({"stream": "trade_updates"}, ""),
    "no order": ({"stream": "trade_updates", "data": {"event": "fill"}}, ""),
    "no status": (update_json("new", {**order_json(), "status": None}), "mine-1"),
    "wrong type": (update_json("new", order_json(filled_qty={"x": 1})), "mine-1"),
    "NaN": (update_json("fill", order_json(), qty="NaN"), "mine-1"),
    "half a frame": ('{"stream":"trade_updates","data":{"eve', ""),
    "no encoding": (b"{\xff\xfe\x00}", ""),
    "no message": ("17", ""),
    "another stream": ({"stream": "gossip", "data": {}}, ""),
    "an error": ({"action": "error", "data": {"error_message": "slow"}}, ""),
    "deep": ('{"data":' * 3000, ""),
}


@pytest.mark.parametrize(("message", "order_id"), GARBAGE.values(), ids=GARBAGE)
@pytest.mark.fault("stream-garbage")
def test_garbage_is_set_apart_counted_and_its_order_named(message, order_id):
    """The messages before and after it are heard as usual."""

    async def story(desk: Desk) -> None:
        await desk.hears(update_json("new", order_json()), message, fill_json("8", "8"))
        assert [update.event for update in desk.updates] == ["new", "fill"]
        assert desk.garbage == [order_id]
        assert desk.stream.quarantined == 1
        assert kinds(desk.notices).count(K.QUARANTINED) == 1
        assert desk.session.is_up

    Desk().live(story)


def test_the_end_of_the_subscription_ends_the_connection():
    async def story(desk: Desk) -> None:
        await desk.hears(LISTENING)
        assert desk.session.is_up
        await desk.hears({"stream": "listening", "data": {"streams": []}})
        assert not desk.session.is_up
        await desk.wait(2)
        assert desk.session.is_up
        assert desk.session.connections == 2

    Desk().live(story)


# -- the line ------------------------------------------------------------------------------------------------------


def test_a_session_that_is_stopped_is_not_up():
    async def story(desk: Desk) -> None:
        assert desk.session.is_up

    desk = Desk()
    desk.live(story)
    assert not desk.session.is_up
    assert desk.changes == [True, False]
    assert desk.socket.is_closed


@pytest.mark.fault("stream-cut")
def test_after_a_cut_it_connects_again_and_reads_the_gap():
    async def story(desk: Desk) -> None:
        desk.socket.cut()
        await settled()
        assert not desk.session.is_up
        await desk.wait(2)
        assert desk.session.is_up
        assert desk.catch_ups == 2
        assert desk.changes == [True, False, True]

    Desk().live(story)


@pytest.mark.fault("stream-refused")
def test_refused_connections_are_tried_with_growing_spread_and_bounded_pauses():
    async def story(desk: Desk) -> None:
        times: list[float] = []
        for _ in range(400):
            before = len(desk.opener.asked)
            await desk.wait(0.5)
            times += [desk.clock.monotonic()] * (len(desk.opener.asked) - before)
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert 9 <= len(times) <= 16
        assert pauses[0] < pauses[3] < 30.5
        assert max(pauses) <= 30.5
        assert len({round(pause, 1) for pause in pauses[5:]}) > 1

    desk = Desk()
    desk.opener.refusals = 10_000
    desk.live(story)


@pytest.mark.fault("stream-flaps")
def test_a_line_that_flaps_makes_no_storm():
    """Cut every second for ten minutes: pauses keep growing, because no connection was stable."""

    async def story(desk: Desk) -> None:
        for _ in range(600):
            desk.socket.cut()
            await desk.wait(1)
        assert 20 <= desk.session.connections <= 50
        assert desk.catch_ups == desk.session.connections

    Desk().live(story)


def test_a_connection_that_held_starts_pauses_anew():
    async def story(desk: Desk) -> None:
        desk.opener.refusals = 6
        desk.socket.cut()
        await desk.wait(200)
        assert desk.session.is_up
        desk.socket.cut()
        await settled()
        await desk.wait(1)
        assert desk.session.is_up

    Desk().live(story)


@pytest.mark.fault("stream-mute")
def test_a_mute_connection_is_given_up_where_something_was_due():
    async def story(desk: Desk) -> None:
        await desk.wait(100)
        assert (desk.session.connections, desk.session.is_up) == (1, True)
        desk.silence_is_normal = False
        await desk.wait(38)
        assert desk.session.connections == 2
        assert K.STREAM_SILENT in kinds(desk.notices)

    Desk().live(story)


def test_every_message_is_a_sign_of_life():
    async def story(desk: Desk) -> None:
        desk.silence_is_normal = False
        for _ in range(10):
            await desk.wait(30)
            await desk.hears(update_json("new", order_json()))
        assert desk.session.connections == 1
        assert desk.session.silent_for == timedelta(0)

    Desk().live(story)


@pytest.mark.fault("backlog")
def test_a_backlog_beyond_the_bound_is_a_gap_that_the_history_closes():
    async def story(desk: Desk) -> None:
        await desk.hears(*[update_json("new", order_json(f"o{number}")) for number in range(45)])
        assert desk.session.gaps >= 1
        assert K.GAP in kinds(desk.notices)
        assert desk.changes == [True, False, True]
        assert desk.catch_ups == 2

    Desk(backlog=20).live(story)


def test_a_burst_within_the_bound_loses_nothing_and_keeps_its_order():
    async def story(desk: Desk) -> None:
        desk.socket.push(*[update_json("new", order_json(f"o{number}")) for number in range(2000)])
        await settled(200)
        assert [update.order.client_order_id for update in desk.updates] == [f"o{number}" for number in range(2000)]
        assert desk.session.gaps == 0

    Desk().live(story)


@pytest.mark.fault("stream-cut")
def test_a_gap_that_opens_while_another_is_closed_is_closed_as_well():
    async def story(desk: Desk) -> None:
        assert desk.catch_ups == 1
        desk.session.lost_something("a message")
        desk.history_is_read.set()
        desk.history_is_read.clear()
        await settled()
        assert (desk.catch_ups, desk.session.is_up) == (2, False)
        desk.history_is_read.set()
        await settled()
        assert desk.session.is_up

    desk = Desk()
    desk.history_is_read.clear()
    desk.live(story)


def test_a_burst_does_not_hold_up_what_is_more_urgent():
    async def story(desk: Desk) -> None:
        heard_before_its_turn: list[int] = []
        loop = asyncio.get_running_loop()
        desk.on_first = lambda: loop.call_soon(lambda: heard_before_its_turn.append(len(desk.updates)))
        await desk.hears(*[update_json("new", order_json(f"o{number}")) for number in range(1000)])
        assert heard_before_its_turn[0] <= 50

    Desk().live(story)


def test_a_message_that_took_long_is_the_last_of_its_turn():
    """A frame of a thousand quotes, for instance: a fill or a cancel goes before the next one."""

    async def story(desk: Desk) -> None:
        heard_before_its_turn: list[int] = []
        loop = asyncio.get_running_loop()

        def take_long() -> None:
            desk.clock.move_to(desk.clock.now() + timedelta(milliseconds=2))
            loop.call_soon(lambda: heard_before_its_turn.append(len(desk.updates)))

        desk.on_first = take_long
        await desk.hears(*[update_json("new", order_json(f"o{number}")) for number in range(30)])
        assert (heard_before_its_turn, len(desk.updates)) == ([1], 30)

    Desk().live(story)


def test_what_takes_too_long_is_cancelled():
    async def story() -> None:
        clock = ManualClock(START)
        never = asyncio.get_running_loop().create_future()

        async def wait_for_ever() -> None:
            await never

        task = asyncio.create_task(within(clock, timedelta(seconds=3), wait_for_ever()))
        await settled()
        await clock.advance(timedelta(seconds=3))
        with pytest.raises(TimeoutError, match="within 3 s"):
            await task
        assert never.cancelled()

    asyncio.run(story())
