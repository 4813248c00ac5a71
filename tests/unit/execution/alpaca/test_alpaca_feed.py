"""Live prices: confirmed to the last symbol, on the board with their own times, and mute symbols noticed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_data import AlpacaData
from quant_trading_system.execution.alpaca_feed import AlpacaFeed
from quant_trading_system.execution.alpaca_market import StreamStatus, StreamUpdatedBar, to_bar
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.market.quotes import QuoteBoard
from tests.support.alpaca_lines import (
    ACCESS,
    KEY,
    SECRET,
    START,
    MemoryOpener,
    MemorySocket,
    ScriptedTransport,
    kinds,
    pass_time,
    refusal,
    reply,
    run_beside,
    settled,
    stamp,
)
from tests.support.counted_calls import Compared

D = Decimal
K = NoticeKind
CONNECTED = [{"T": "success", "msg": "connected"}]
AUTHENTICATED = [{"T": "success", "msg": "authenticated"}]
WANTED = {"quotes": ("KO", "XOM"), "trades": ("KO",), "bars": ("*",), "statuses": ("KO",)}
SUBSCRIBED = [{"T": "subscription", **WANTED, "updatedBars": [], "corrections": ["KO"], "cancelErrors": ["KO"]}]
LATEST = {"quotes": {"KO": {"t": stamp(-60), "bp": 61.2, "ap": 61.22}}}


def quote(symbol: str = "KO", bid: float = 61.24, ask: float = 61.26, seconds: float = 0.0, **fields: Any) -> Any:
    return {"T": "q", "S": symbol, "bp": bid, "bs": 300, "ap": ask, "as": 200, "t": stamp(seconds), **fields}


def bar(kind: str = "b", symbol: str = "KO", close: float = 61.25) -> Any:
    row = {"o": 61.1, "h": 61.5, "l": 61.0, "c": close, "v": 900, "n": 7, "vw": 61.2, "t": "2027-03-09T15:00:00Z"}
    return {"T": kind, "S": symbol, **row}


def welcome(socket: MemorySocket) -> None:
    socket.push(CONNECTED, AUTHENTICATED, SUBSCRIBED)


class Desk:
    """A feed with the test as broker and market."""

    def __init__(self, prepare: Any = welcome, *, packed: bool = False, latest: Any = None) -> None:
        self.clock = ManualClock(START)
        self.opener = MemoryOpener(prepare)
        self.notices: list[Notice] = []
        self.board = QuoteBoard()
        self.bars: list[Any] = []
        self.conditions: list[Any] = []
        self.is_open = True
        self.latest = latest if latest is not None else reply(LATEST)
        api = AlpacaApi(
            ScriptedTransport(script=lambda _: self.latest), self.clock, self.notices.append, source="prices"
        )
        self.feed = AlpacaFeed(
            self.opener,
            AlpacaData(api),
            ACCESS,
            self.clock,
            self.notices.append,
            subscriptions=WANTED,
            board=self.board,
            is_open=lambda _: self.is_open,
            on_bar=self.bars.append,
            on_condition=self.conditions.append,
            packed=packed,
            seed=3,
        )

    def live(self, story: Callable[[Desk], Awaitable[None]]) -> None:
        asyncio.run(run_beside(self.feed.run(), lambda: story(self)))

    @property
    def socket(self) -> MemorySocket:
        return self.opener.socket

    async def hears(self, *messages: Any) -> None:
        self.socket.push(*messages)
        await settled()

    async def wait(self, seconds: float) -> None:
        await pass_time(self.clock, seconds)


# -- the handshake -------------------------------------------------------------------------------------------------


def test_it_greets_authenticates_subscribes_and_fills_the_gap():
    async def story(desk: Desk) -> None:
        assert desk.opener.asked == [("ws://127.0.0.1:1/v2/iex", {})]
        assert desk.socket.sent == []  # the broker greets first
        await desk.hears(CONNECTED)
        assert json.loads(desk.socket.sent[0]) == {"action": "auth", "key": KEY, "secret": SECRET}
        await desk.hears(AUTHENTICATED)
        asked = json.loads(desk.socket.sent[1])
        assert asked == {"action": "subscribe", **{channel: list(names) for channel, names in WANTED.items()}}
        assert not desk.feed.session.is_up
        await desk.hears(SUBSCRIBED)
        assert desk.feed.session.is_up
        latest = desk.board.quote("KO")
        assert latest is not None
        assert (latest.bid, latest.source) == (D("61.2"), "market data iex (latest)")

    Desk(lambda _: None).live(story)


PARTIAL = [{"T": "subscription", **WANTED, "quotes": ["KO"]}]
ERRORS = {
    "half of it": ([CONNECTED, AUTHENTICATED, PARTIAL], K.CREDENTIALS_REFUSED),
    "auth failed": ([CONNECTED, [{"T": "error", "code": 402, "msg": "auth failed"}]], K.CREDENTIALS_REFUSED),
    "symbols": ([CONNECTED, AUTHENTICATED, [{"T": "error", "code": 405, "msg": "too many"}]], K.CREDENTIALS_REFUSED),
    "plan": ([CONNECTED, [{"T": "error", "code": 409, "msg": "no plan"}]], K.CREDENTIALS_REFUSED),
    "second": ([CONNECTED, [{"T": "error", "code": 406, "msg": "connection limit"}]], K.SECOND_CONNECTION),
}


@pytest.mark.parametrize(("answers", "kind"), ERRORS.values(), ids=ERRORS)
def test_a_refusal_is_told_and_not_tried_again_for_a_minute(answers, kind):
    """A second connection is told as such: another program may be trading with the same keys."""

    async def story(desk: Desk) -> None:
        assert not desk.feed.session.is_up
        assert kind in kinds(desk.notices)
        await desk.wait(59)
        assert len(desk.opener.asked) == 1

    Desk(lambda socket: socket.push(*answers)).live(story)


@pytest.mark.parametrize(
    "answers",
    [
        [[{"T": "success", "msg": "hello"}]],
        [[]],
        ["{"],
        [{"T": "success", "msg": "connected"}],
        [CONNECTED, CONNECTED],
        [CONNECTED, [{"T": "error", "code": 404, "msg": "auth timeout"}]],
        [CONNECTED, AUTHENTICATED, [quote()]],
    ],
    ids=range(7),
)
def test_a_strange_answer_ends_the_attempt_and_the_next_begins_soon(answers):
    async def story(desk: Desk) -> None:
        assert not desk.feed.session.is_up
        desk.opener.prepare = welcome
        await desk.wait(2)
        assert desk.feed.session.is_up

    Desk(lambda socket: socket.push(*answers)).live(story)


def test_a_confirmation_of_many_symbols_costs_no_more_for_each_than_one_of_a_few():
    """Thousands of symbols would hold up the loop for a quarter of a second, at every connection."""
    names = [f"S{number}" for number in range(2_000)]
    stream = Desk().feed.stream
    stream._subscriptions = {channel: tuple(map(Compared, names)) for channel in ("quotes", "trades", "statuses")}
    confirmed = dict.fromkeys(("quotes", "trades", "statuses"), names[::-1])
    Compared.times = 0
    stream.hear(json.dumps([{"T": "subscription", **confirmed}]))
    assert Compared.times <= 3 * len(names)


def test_the_feed_is_not_up_while_the_latest_quotes_cannot_be_read():
    async def story(desk: Desk) -> None:
        await desk.wait(5)
        assert not desk.feed.session.is_up
        desk.latest = reply(LATEST)
        await desk.wait(60)
        assert desk.feed.session.is_up

    Desk(latest=BrokerTimeout("no answer")).live(story)


def test_keys_that_may_not_ask_for_history_can_still_listen():
    async def story(desk: Desk) -> None:
        assert desk.feed.session.is_up
        assert K.NO_HISTORY in kinds(desk.notices)

    Desk(latest=refusal(403, 40310000, "not in the plan")).live(story)


# -- prices --------------------------------------------------------------------------------------------------------


def pack(message: Any) -> bytes:
    """As the broker packs it: times as the timestamp extension."""

    def times(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: datetime.fromisoformat(v[:26] + "+00:00") if k == "t" else times(v) for k, v in value.items()}
        return [times(item) for item in value] if isinstance(value, list) else value

    return msgspec.msgpack.encode(times(message))


@pytest.mark.parametrize("write", [json.dumps, lambda m: json.dumps(m).encode(), pack], ids=["text", "binary", "pack"])
def test_quotes_go_onto_the_board_with_the_last_trade(write):
    async def story(desk: Desk) -> None:
        trade = {"T": "t", "S": "KO", "i": 5, "x": "D", "p": 61.255, "s": 3, "c": ["@"], "t": stamp(1), "z": "A"}
        await desk.hears(write([trade, quote(seconds=2), quote("XOM", 104.07, 104.09, seconds=2)]))
        found = desk.board.quote("KO")
        assert found is not None
        assert (found.bid, found.ask, found.bid_size, found.last) == (D("61.24"), D("61.26"), 300, D("61.255"))
        assert (found.source, found.received_at) == ("alpaca iex", START)
        assert found.at.replace(microsecond=0) == datetime(2027, 3, 9, 15, 0, 2, tzinfo=UTC)
        other = desk.board.quote("XOM")
        assert other is not None
        assert other.sequence == found.sequence + 1

    Desk(lambda s: s.push(write(CONNECTED), write(AUTHENTICATED), write(SUBSCRIBED)), packed=write is pack).live(story)


def test_a_trade_after_the_quote_is_known_at_once():
    async def story(desk: Desk) -> None:
        await desk.hears([quote()])
        before = desk.board.quote("KO")
        await desk.hears([{"T": "t", "S": "KO", "i": 5, "x": "D", "p": 61.25, "s": 3, "t": stamp(9), "z": "A"}])
        found = desk.board.quote("KO")
        assert before is not None
        assert found is not None
        assert (before.last, found.last) == (None, D("61.25"))
        assert found.at == before.at  # a trade makes no quote fresher

    Desk().live(story)


def test_an_older_quote_does_not_replace_a_newer_one():
    async def story(desk: Desk) -> None:
        await desk.hears([quote(bid=61.3, seconds=5)], [quote(bid=61.1, seconds=4)])
        found = desk.board.quote("KO")
        assert found is not None
        assert found.bid == D("61.3")

    Desk().live(story)


def test_one_bad_message_does_not_take_its_bundle_along():
    async def story(desk: Desk) -> None:
        bundle = [
            quote(bid=61.1, seconds=1),
            {"T": "q", "S": "KO", "bp": None, "ap": 1, "t": stamp(2)},
            {"T": "q", "S": "KO", "bp": "NaN", "ap": 1, "t": stamp(2)},
            {"T": "z", "S": "KO"},
            {"no": "type"},
            17,
            quote(bid=61.2, seconds=3),
        ]
        await desk.hears(bundle, "{", b"\xc1\xc1", [[]])
        found = desk.board.quote("KO")
        assert found is not None
        assert found.bid == D("61.2")
        assert kinds(desk.notices).count(K.QUARANTINED) == 8
        assert desk.feed.session.is_up

    Desk().live(story)


@pytest.mark.fault("price-senseless")
def test_odd_quotes_are_counted_and_judged_by_the_gate():
    async def story(desk: Desk) -> None:
        await desk.hears([quote(bid=61.3, ask=61.2), quote(ask=0), quote(bid=-1), quote(bid=187.23000000000002)])
        assert desk.feed.stream.odd == 2
        found = desk.board.quote("KO")
        assert found is not None
        assert found.bid == D("187.23000000000002")  # exact, so that the noise can be seen
        assert "crossed" in found.flaw

    Desk().live(story)


def test_bars_and_halts_go_to_whoever_listens():
    async def story(desk: Desk) -> None:
        halt = {"T": "s", "S": "KO", "sc": "H", "sm": "Halt", "rc": "T12", "rm": "News", "t": stamp(1), "z": "C"}
        band = {"T": "l", "S": "KO", "u": 66.1, "d": 55.9, "i": "B", "t": stamp(1), "z": "C"}
        cancelled = {"T": "x", "S": "KO", "i": 5, "x": "D", "p": 61.2, "s": 3, "a": "C", "t": stamp(1), "z": "C"}
        corrected = {"T": "c", "S": "KO", "oi": 5, "op": 61.2, "ci": 6, "cp": 61.1, "cs": 3, "t": stamp(1), "z": "C"}
        uneven = {"T": "i", "S": "KO", "p": 61.2, "t": stamp(1), "z": "C"}
        await desk.hears([bar(), bar("u", close=61.3), bar("d")], [halt, band, cancelled, corrected, uneven])
        assert [type(row).__name__ for row in desk.bars] == ["StreamBar", "StreamUpdatedBar", "StreamDailyBar"]
        assert isinstance(desk.bars[1], StreamUpdatedBar)
        assert to_bar("KO", desk.bars[1]).close == D("61.3")
        assert isinstance(desk.conditions[0], StreamStatus)
        assert (desk.conditions[0].is_trading, desk.conditions[0].reason_code) == (False, "T12")
        assert desk.conditions[1].upper == D("66.1")
        assert len(desk.conditions) == 5

    Desk().live(story)


def test_a_listener_that_fails_is_told_and_the_stream_goes_on():
    async def story(desk: Desk) -> None:
        def fail(_: Any) -> None:
            raise RuntimeError("a fault of the listener")

        desk.board.subscribe(fail)
        await desk.hears([quote(seconds=1)], [bar()])
        assert kinds(desk.notices).count(K.HANDLER_FAILED) == 1
        assert len(desk.bars) == 1
        assert desk.feed.session.is_up

    Desk().live(story)


@pytest.mark.parametrize("message", [[{"T": "error", "code": 407, "msg": "slow client"}], PARTIAL])
def test_an_error_or_a_lost_subscription_ends_the_connection(message):
    async def story(desk: Desk) -> None:
        await desk.hears(message)
        assert not desk.feed.session.is_up
        await desk.wait(2)
        assert (desk.feed.session.is_up, desk.feed.session.connections) == (True, 2)

    Desk().live(story)


# -- silence -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("feed-stops")
def test_a_symbol_that_goes_mute_is_noticed_once_while_the_others_go_on():
    async def story(desk: Desk) -> None:
        for second in range(0, 60, 10):
            await desk.hears([quote("XOM", 104.07, 104.09, seconds=second), bar(symbol="XOM")])
            await desk.wait(10)
        assert desk.feed.mute == frozenset({("quotes", "KO")})
        silent = [notice.message for notice in desk.notices if notice.kind is K.STREAM_SILENT]
        assert silent == ["no quotes of KO any more, while the market is open"]
        assert desk.feed.session.connections == 1
        await desk.hears([quote(seconds=61)])
        await desk.wait(5)
        assert desk.feed.mute == frozenset()

    Desk().live(story)


@pytest.mark.fault("feed-stops")
def test_a_feed_that_goes_mute_as_a_whole_is_connected_again():
    async def story(desk: Desk) -> None:
        await desk.wait(38)
        assert desk.feed.session.connections == 2

    Desk().live(story)


def test_silence_of_a_closed_market_is_normal():
    async def story(desk: Desk) -> None:
        desk.is_open = False
        await desk.wait(600)
        assert desk.feed.session.connections == 1
        assert desk.feed.mute == frozenset()
        desk.is_open = True
        await desk.wait(30)
        assert desk.feed.mute == frozenset()  # the clock of silence began with the session

    Desk().live(story)
