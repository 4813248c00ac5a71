"""Alpaca as a broker: whatever gets lost, doubled or late, each order and each share is told once and truly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    BrokerTimeout,
    ConfigurationError,
    NotSent,
    OutcomeUnknown,
)
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, RequestTrigger
from quant_trading_system.core.orders import Order, OrderClass, StopLoss, TakeProfit
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.broker import Broker, BrokerUpdate
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.transport import Reply
from tests.support.alpaca_lines import (
    ACCESS,
    START,
    ScriptedTransport,
    approved,
    kinds,
    order_json,
    pass_time,
    refusal,
    reply,
    run_beside,
    settled,
    stamp,
    update_json,
)
from tests.support.fake_alpaca import FakeAlpaca
from tests.support.orders import buy, sell

D = Decimal
K = NoticeKind
S = OrderStatus
T = OrderTrigger
LOST = BrokerTimeout("no answer in time")
Story = Callable[["Desk"], Awaitable[None]]


def an_order(identity: str = "mine-1", **fields: Any) -> Order:
    return buy(8, limit="61.25", client_order_id=identity, **fields)


class Desk:
    """A broker in front of a fake Alpaca, and everything that it told."""

    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock(START)
        self.alpaca = FakeAlpaca()
        self.notices: list[Notice] = []
        self.heard: list[BrokerUpdate] = []
        self.latch = ""
        transport = ScriptedTransport(script=self.alpaca.serve)
        api = AlpacaApi(transport, self.clock, self.notices.append, source="trading")
        self.broker = AlpacaBroker(
            AlpacaClient(api),
            self.alpaca.opener,
            ACCESS,
            self.clock,
            self.notices.append,
            latch=lambda _: self.latch,
            **{"account_id": "PA77", "seed": 4, **options},
        )
        self.broker.subscribe(self.heard.append)

    def live(self, story: Story) -> None:
        """Run the broker while `story` is told."""
        asyncio.run(run_beside(self.broker.run(), lambda: story(self)))

    async def place(self, order: Order | None = None, **options: Any) -> Any:
        answer = await self.broker.place(approved(order or an_order(), at=self.clock.now(), **options))
        await settled()
        return answer

    async def wait(self, seconds: float) -> None:
        await pass_time(self.clock, seconds)

    @property
    def told(self) -> list[str]:
        """Every trigger, fills with their shares."""
        return [
            f"{update.trigger or update.request}" + (f" {update.execution.quantity}" if update.execution else "")
            for update in self.heard
        ]

    def posts(self) -> int:
        return self.alpaca.asked.count("POST /v2/orders")


def lost(_: Reply) -> BrokerTimeout:
    """The request did its work, and the answer got lost."""
    return LOST


# -- the way out ---------------------------------------------------------------------------------------------------


def test_an_order_goes_out_and_its_life_comes_back():
    async def story(desk: Desk) -> None:
        answer = await desk.place()
        assert (answer.venue_order_id, answer.status, answer.quantity) == ("v-mine-1", S.WORKING, 8)
        desk.alpaca.happens("mine-1", "new")
        desk.alpaca.fill("mine-1", "3", "61.20")
        desk.alpaca.fill("mine-1", "5", "61.25")
        await settled()
        assert desk.told == ["accept", "fill_part 3", "fill_last 5"]
        last = desk.heard[-1].execution
        assert last is not None
        assert (last.price, last.cumulative_quantity, last.execution_id) == (D("61.25"), 8, "x-mine-1-8")
        assert desk.heard[-1].venue_order_id == "v-mine-1"
        assert kinds(desk.notices) == [K.STREAM_UP]

    desk = Desk()
    promise: Broker = desk.broker
    assert promise is desk.broker
    desk.live(story)


def test_a_definite_no_is_final_and_nothing_is_followed():
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(refusal(403, 40310000, "insufficient buying power"))
        with pytest.raises(BrokerRejected, match="insufficient buying power") as caught:
            await desk.place()
        assert (caught.value.code, caught.value.order_id) == (40310000, "mine-1")
        await desk.wait(60)
        assert desk.heard == []
        assert desk.posts() == 1

    Desk().live(story)


@pytest.mark.fault("halt-between-check-and-send")
def test_the_latch_is_asked_last_and_nothing_leaves_while_it_holds():
    async def story(desk: Desk) -> None:
        desk.latch = "daily loss"
        with pytest.raises(NotSent, match="kill switch is active: daily loss") as caught:
            await desk.place()
        assert caught.value.order_id == "mine-1"
        assert desk.posts() == 0
        desk.latch = ""
        await desk.place()
        assert desk.posts() == 1

    Desk().live(story)


def test_an_approval_does_not_keep():
    async def story(desk: Desk) -> None:
        with pytest.raises(NotSent, match=r"approval is 2\.5 s old"):
            await desk.broker.place(approved(an_order(), at=START - timedelta(seconds=2.5)))
        assert desk.posts() == 0

    Desk().live(story)


def test_an_approval_from_the_future_is_none():
    """The clock was set back since: nobody knows how old the approval is."""

    async def story(desk: Desk) -> None:
        with pytest.raises(NotSent, match=r"approval is 3600\.000000 s from the future"):
            await desk.broker.place(approved(an_order(), at=START + timedelta(hours=1)))
        assert desk.posts() == 0

    Desk().live(story)


def test_while_the_stream_is_down_only_what_shrinks_a_position_leaves():
    async def story(desk: Desk) -> None:
        desk.alpaca.opener.refusals = 1000
        desk.alpaca.opener.socket.cut()
        await settled()
        with pytest.raises(NotSent, match="orders cannot be followed"):
            await desk.place()
        answer = await desk.place(sell(2, client_order_id="exit-1"), shrinks=True)
        assert answer.client_order_id == "exit-1"

    Desk().live(story)


@pytest.mark.fault("answer-about-another")
def test_an_answer_about_another_order_is_not_believed():
    async def story(desk: Desk) -> None:
        for wrong in ({"symbol": "XOM"}, {"side": "sell"}, {"qty": "80"}, {"client_order_id": "other"}):
            desk.alpaca.faults["POST"].append(reply(order_json(**wrong)))
            with pytest.raises(OutcomeUnknown, match="another"):
                await desk.place()
        assert kinds(desk.notices).count(K.WRONG_ECHO) >= 4
        assert desk.heard == []

    Desk().live(story)


def test_later_the_broker_may_change_a_quantity_but_never_the_order():
    """A split changes the quantity; another id, side or symbol under our id is somebody else's order."""

    async def story(desk: Desk) -> None:
        await desk.place()
        for wrong in ({"id": "v-2"}, {"side": "sell"}, {"symbol": "XOM"}):
            desk.alpaca.tell(update_json("canceled", order_json(status="canceled", updated_at=stamp(5), **wrong)))
        await settled()
        assert desk.told == ["accept"]
        assert kinds(desk.notices).count(K.WRONG_ECHO) == 3
        desk.alpaca.tell(update_json("canceled", order_json(status="canceled", updated_at=stamp(5), qty="16")))
        await settled()
        assert desk.told == ["accept", "cancel"]

    Desk().live(story)


# -- lost answers --------------------------------------------------------------------------------------------------


@pytest.mark.fault("answer-lost")
def test_a_lost_answer_is_settled_by_looking_and_the_order_is_sent_once():
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(lost)
        with pytest.raises(BrokerTimeout):
            await desk.place()
        await settled()
        assert desk.told == ["accept"]
        assert desk.posts() == 1

    Desk().live(story)


@pytest.mark.fault("answer-lost-and-filled")
def test_an_order_that_was_filled_before_its_answer_got_lost_brings_its_fills():
    async def story(desk: Desk) -> None:
        def filled_meanwhile(_: Reply) -> BrokerTimeout:
            desk.alpaca.is_mute = True
            desk.alpaca.fill("mine-1", "8")
            return LOST

        desk.alpaca.faults["POST"].append(filled_meanwhile)
        with pytest.raises(BrokerTimeout):
            await desk.place()
        await settled()
        assert desk.told == ["fill_last 8"]

    Desk().live(story)


@pytest.mark.fault("fill-before-answer")
def test_a_fill_may_overtake_the_answer():
    async def story(desk: Desk) -> None:
        def late(answer: Reply) -> Reply:
            desk.alpaca.fill("mine-1", "8")
            return answer

        desk.alpaca.faults["POST"].append(late)
        answer = await desk.place()
        assert answer.client_order_id == "mine-1"
        assert [what for what in desk.told if what != "accept"] == ["fill_last 8"]
        assert desk.heard[-1].trigger is T.FILL_LAST

    Desk().live(story)


@pytest.mark.fault("request-late")
def test_an_order_that_shows_late_is_adopted_whenever_that_is():
    """Not found for minutes, then it is there: its first update comes by the next reading of the history."""

    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(lost)
        desk.alpaca.hides.add("mine-1")
        with pytest.raises(BrokerTimeout):
            await desk.place()
        await desk.wait(300)
        assert desk.heard == []
        desk.alpaca.hides.clear()
        await desk.wait(40)
        assert desk.told == ["accept"]
        assert desk.posts() == 1

    Desk().live(story)


def test_after_a_gap_an_order_that_never_showed_is_asked_for_by_its_id_again():
    """It ended unseen: no list of open orders has it, and it is too old for the one of late."""

    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(lost)
        desk.alpaca.hides.add("mine-1")
        with pytest.raises(BrokerTimeout):
            await desk.place()
        desk.alpaca.seconds = 2_000
        await desk.wait(2_000)
        await desk.place(an_order("mine-2"))
        desk.alpaca.is_mute = True
        desk.alpaca.happens("mine-1", "expired")
        desk.alpaca.is_mute = False
        assert desk.told == ["accept"]
        desk.alpaca.hides.clear()
        desk.alpaca.opener.socket.cut()
        await desk.wait(60)
        assert desk.told == ["accept", "expire"]
        assert desk.heard[-1].client_order_id == "mine-1"

    Desk().live(story)


@pytest.mark.parametrize("answer", [refusal(422, 40010001, "client_order_id must be unique"), Reply(502), Reply(200)])
def test_an_answer_that_settles_nothing_finds_the_order_that_is_there(answer):
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(lambda _: answer)
        placed = await desk.place()
        assert placed.venue_order_id == "v-mine-1"
        assert desk.told == ["accept"]

    Desk().live(story)


@pytest.mark.fault("answer-about-another")
def test_an_id_that_belongs_to_another_order_is_never_ours():
    async def story(desk: Desk) -> None:
        desk.alpaca.foreign("mine-1", qty="500")
        with pytest.raises(OutcomeUnknown, match="another qty"):
            await desk.place()
        assert K.WRONG_ECHO in kinds(desk.notices)
        assert desk.heard == []

    Desk().live(story)


# -- cancels -------------------------------------------------------------------------------------------------------


def test_a_cancel_is_asked_for_and_confirmed_by_the_stream():
    async def story(desk: Desk) -> None:
        await desk.place()
        await desk.broker.cancel("mine-1")
        await settled()
        assert desk.told == ["accept"]
        desk.alpaca.happens("mine-1", "canceled")
        await settled()
        assert desk.told == ["accept", "cancel"]

    Desk().live(story)


@pytest.mark.fault("fill-races-cancel")
def test_a_cancel_that_lost_the_race_is_refused_and_the_fill_is_fetched():
    """The stream did not tell of the fill; looking at the order because of the refusal does."""

    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "8")
        with pytest.raises(BrokerRejected, match='already in "filled" state') as caught:
            await desk.broker.cancel("mine-1")
        assert caught.value.order_id == "mine-1"
        await settled()
        assert desk.told == ["accept", "fill_last 8"]

    Desk().live(story)


@pytest.mark.parametrize("status", ["pending_cancel", "canceled"])
def test_a_second_cancel_is_no_error_whatever_the_broker_calls_it(status):
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.happens("mine-1", status)
        await desk.broker.cancel("mine-1")

    Desk().live(story)


def test_an_order_that_is_not_found_is_not_cancelled():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.hides.add("mine-1")
        with pytest.raises(OutcomeUnknown, match="not found is not cancelled"):
            await desk.broker.cancel("mine-1")

    Desk().live(story)


def test_an_order_of_an_earlier_process_is_cancelled_without_being_looked_up():
    """The journal has the broker's id of it; a lookup could be slow, and a halt does not wait for one."""

    async def story(desk: Desk) -> None:
        desk.alpaca.foreign("mine-0")
        asked = len(desk.alpaca.requests)
        await desk.broker.cancel("mine-0", desk.alpaca.orders["mine-0"]["id"])
        assert [request.method for request in desk.alpaca.requests[asked:]] == ["DELETE"]
        assert desk.alpaca.orders["mine-0"]["status"] == "pending_cancel"

    Desk().live(story)


@pytest.mark.fault("cancel-in-doubt")
def test_an_order_in_doubt_is_cancelled_as_soon_as_it_shows():
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["POST"].append(lost)
        desk.alpaca.hides.add("mine-1")
        with pytest.raises(BrokerTimeout):
            await desk.place()
        with pytest.raises(OutcomeUnknown, match="as soon as it does"):
            await desk.broker.cancel("mine-1")
        desk.alpaca.hides.clear()
        await desk.wait(60)
        assert desk.alpaca.orders["mine-1"]["status"] == "pending_cancel"

    Desk().live(story)


@pytest.mark.fault("cancel-lost")
def test_a_cancel_without_an_answer_is_unknown_and_not_refused():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.faults["DELETE"].extend([NotSent("no line")] * 4)
        task = asyncio.create_task(desk.broker.cancel("mine-1"))
        await desk.wait(20)
        with pytest.raises(OutcomeUnknown, match="tried 4 times"):
            await task

    Desk().live(story)


def test_after_a_cancel_beyond_the_rate_limit_no_question_takes_the_place_of_other_cancels():
    """A hundred of them would use up the next minute with questions, and the orders would stay."""

    async def story(desk: Desk) -> None:
        await desk.place()
        asked = len(desk.alpaca.requests)
        desk.alpaca.faults["DELETE"].extend([refusal(429, 42910000, "rate limit exceeded")] * 4)
        task = asyncio.create_task(desk.broker.cancel("mine-1"))
        await desk.wait(20)
        with pytest.raises(BrokerRejected, match="rate limit exceeded") as caught:
            await task
        assert caught.value.order_id == "mine-1"
        assert [request.method for request in desk.alpaca.requests[asked:]] == ["DELETE"] * 4
        await desk.broker.cancel("mine-1")

    Desk().live(story)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (Reply(207, b'[{"id": "v-1", "status": 200}, {"id": "v-2", "status": 500, "body": {"code": 1}}]'), {"v-1"}),
        (Reply(207, b"[]"), set()),
        (refusal(403, 40310000, "not allowed"), BrokerRejected),
        (refusal(429, 42910000, "too many requests"), None),
        (Reply(502), OutcomeUnknown),
        (Reply(207, b"{"), OutcomeUnknown),
        (NotSent("no line"), OutcomeUnknown),
    ],
    ids=["some", "none", "no", "too many", "gateway", "garbage", "no line"],
)
def test_all_orders_are_cancelled_with_one_request_which_says_what_it_takes_on(answer, taken):
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["DELETE"].append(answer)
        if isinstance(taken, type):
            with pytest.raises(taken):
                await desk.broker.cancel_all(lambda: "")
        else:
            assert await desk.broker.cancel_all(lambda: "") == taken
        asked = [(request.method, request.path) for request in desk.alpaca.requests if request.method == "DELETE"]
        assert asked == [("DELETE", "/v2/orders")]

    Desk().live(story)


def test_a_cancel_of_all_orders_that_is_forbidden_at_the_last_moment_does_not_leave():
    async def story(desk: Desk) -> None:
        with pytest.raises(OutcomeUnknown, match="the halt is over"):
            await desk.broker.cancel_all(lambda: "the halt is over")
        assert not [request for request in desk.alpaca.requests if request.method == "DELETE"]

    Desk().live(story)


def test_a_cancel_the_broker_refuses_later_is_told_as_refused():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.tell(update_json("order_cancel_rejected", order_json(updated_at=stamp(5)), 5))
        await settled()
        assert [update.request for update in desk.heard] == [None, RequestTrigger.REFUSED]

    Desk().live(story)


# -- the stream ----------------------------------------------------------------------------------------------------


@pytest.mark.fault("stream-cut")
def test_what_happened_while_the_line_was_cut_comes_from_the_history():
    """A fill and an end in the gap; the first message after it repeats an old one."""

    async def story(desk: Desk) -> None:
        await desk.place()
        await desk.place(an_order("mine-2"))
        desk.alpaca.is_mute = True
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.fill("mine-1", "3")
        desk.alpaca.happens("mine-2", "canceled")
        desk.alpaca.is_mute = False
        await desk.wait(5)
        assert desk.broker.session.is_up
        assert desk.told == ["accept", "accept", "fill_part 3", "cancel"]
        desk.alpaca.tell(update_json("new", order_json(updated_at=stamp(0.5)), 0.5))
        desk.alpaca.fill("mine-1", "5")
        await settled()
        assert desk.told[4:] == ["fill_last 5"]

    Desk().live(story)


def test_an_old_order_that_ended_in_the_gap_is_looked_up_by_its_own_id():
    """It was submitted long before the gap, so no list of recent orders shows it any more."""

    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.seconds = 400
        await desk.wait(400)
        await desk.place(an_order("mine-2"))
        desk.alpaca.is_mute = True
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.happens("mine-1", "canceled")
        await desk.wait(5)
        assert desk.told == ["accept", "accept", "cancel"]

    Desk().live(story)


@pytest.mark.fault("fill-after-cancel")
def test_a_late_fill_of_an_order_that_ended_long_ago_is_still_found():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.happens("mine-1", "canceled")
        desk.alpaca.seconds = 400
        await desk.wait(400)
        desk.alpaca.is_mute = True
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.fill("mine-1", "3")
        desk.alpaca.orders["mine-1"]["status"] = "canceled"
        await desk.wait(5)
        assert desk.told == ["accept", "cancel", "fill_part 3"]

    Desk().live(story)


def test_what_the_history_shows_late_is_found_by_reading_further_back_than_the_gap():
    """It began and ended a minute before the latest thing that is known, and was not to be seen at that time."""

    async def story(desk: Desk) -> None:
        desk.alpaca.foreign("stranger-1", status="canceled")
        desk.alpaca.hides.add("stranger-1")
        desk.alpaca.seconds = 60
        await desk.wait(60)
        await desk.place()
        desk.alpaca.hides.clear()
        desk.alpaca.opener.socket.cut()
        await desk.wait(5)
        assert [update.client_order_id for update in desk.heard] == ["mine-1", "stranger-1"]

    Desk().live(story)


@pytest.mark.fault("fill-lost")
def test_a_fill_that_the_stream_lost_is_fetched_when_the_next_one_shows_the_hole():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "3")
        desk.alpaca.is_mute = False
        desk.alpaca.fill("mine-1", "5")
        await settled()
        assert desk.told == ["accept", "fill_part 5", "fill_last 3"]

    Desk().live(story)


def test_an_end_is_not_told_while_the_history_still_owes_a_fill():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = desk.alpaca.hides_fills = True
        desk.alpaca.fill("mine-1", "3")
        desk.alpaca.is_mute = False
        desk.alpaca.happens("mine-1", "canceled")
        await desk.wait(120)
        assert desk.told == ["accept"]
        assert K.FILL_MISSING in kinds(desk.notices)
        desk.alpaca.hides_fills = False
        await desk.wait(60)
        assert desk.told == ["accept", "fill_part 3", "cancel"]

    Desk().live(story)


@pytest.mark.fault("stream-mute")
def test_a_stream_that_is_connected_but_mute_is_found_out_by_the_history():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "8")
        await desk.wait(36)
        assert desk.told == ["accept", "fill_last 8"]
        await desk.wait(5)
        assert desk.broker.session.connections == 2
        assert K.STREAM_SILENT in kinds(desk.notices)

    Desk().live(story)


def test_silence_while_nothing_happens_is_normal():
    async def story(desk: Desk) -> None:
        await desk.place()
        await desk.wait(300)
        assert desk.broker.session.connections == 1

    Desk().live(story)


def test_a_gap_that_the_history_does_not_close_is_told_and_closed_when_it_answers():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.faults["GET"].extend([lambda _: Reply(500)] * 4)
        desk.alpaca.is_mute = True
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.fill("mine-1", "8")
        await desk.wait(10)
        assert K.NO_HISTORY in [notice.kind for notice in desk.notices]
        await desk.wait(60)
        assert desk.told == ["accept", "fill_last 8"]
        assert desk.broker.session.is_up

    Desk().live(story)


@pytest.mark.fault("stream-refused")
def test_while_the_stream_cannot_be_reached_the_history_is_polled():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.opener.refusals = 1000
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.fill("mine-1", "8")
        await desk.wait(11)
        assert not desk.broker.session.is_up
        assert desk.told == ["accept", "fill_last 8"]

    Desk().live(story)


@pytest.mark.fault("event-unknown")
def test_an_event_that_nobody_knows_makes_us_look():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "8")
        desk.alpaca.is_mute = False
        desk.alpaca.tell(update_json("teleported", order_json(updated_at=stamp(0.5))))
        await settled()
        assert desk.told == ["accept", "fill_last 8"]
        assert K.QUARANTINED in kinds(desk.notices)

    Desk().live(story)


@pytest.mark.parametrize("change", [{"qty": "0"}, {"qty": "-8"}, {"price": None}, {"price": "NaN"}, {"qty": "1e20"}])
@pytest.mark.fault("fill-senseless")
def test_a_fill_that_cannot_be_true_is_not_booked_but_looked_up(change):
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        message = desk.alpaca.fill("mine-1", "8")
        desk.alpaca.is_mute = False
        message["data"] |= change
        desk.alpaca.tell(message)
        await settled()
        assert desk.told == ["accept", "fill_last 8"]
        assert desk.heard[-1].execution is not None
        assert desk.heard[-1].execution.quantity == 8
        assert K.QUARANTINED in kinds(desk.notices)

    Desk().live(story)


@pytest.mark.parametrize("message", ['{"stream":"trade_updates","data":null}', "half a frame", b"\xff"])
def test_a_message_without_a_name_makes_us_read_everything(message):
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "8")
        desk.alpaca.opener.socket.push(message)
        await settled()
        assert desk.told == ["accept", "fill_last 8"]
        assert desk.broker.session.is_up
        assert desk.broker.session.gaps == 1

    Desk().live(story)


@pytest.mark.fault("listener-fails")
def test_a_listener_that_fails_is_told_again_from_the_history():
    async def story(desk: Desk) -> None:
        await desk.place()
        failures = [RuntimeError("a fault of the listener")]

        def fail_once(_: BrokerUpdate) -> None:
            if failures:
                raise failures.pop()

        desk.broker.subscribe(fail_once)
        desk.alpaca.fill("mine-1", "8")
        await settled()
        assert desk.told == ["accept", "fill_last 8", "fill_last 8"]
        assert K.HANDLER_FAILED in kinds(desk.notices)
        assert desk.broker.session.is_up

    Desk().live(story)


def test_orders_of_others_are_told_from_the_stream_and_from_the_gap_but_not_from_before():
    async def story(desk: Desk) -> None:
        assert desk.heard == []
        desk.alpaca.happens("old-1", "canceled")
        await settled()
        assert [(update.client_order_id, update.trigger) for update in desk.heard] == [("old-1", T.CANCEL)]
        desk.alpaca.is_mute = True
        desk.alpaca.opener.socket.cut()
        await settled()
        desk.alpaca.foreign("stranger-1", status="new")
        await desk.wait(5)
        assert [update.client_order_id for update in desk.heard] == ["old-1", "stranger-1"]

    desk = Desk()
    desk.alpaca.foreign("old-1", submitted_at=stamp(-5000), updated_at=stamp(-4000))
    desk.live(story)


@pytest.mark.fault("storm-of-errors")
def test_a_storm_of_server_errors_makes_no_storm_of_requests():
    """Half an hour of 503 with an order working: every reading keeps within its few attempts and its pauses."""

    async def story(desk: Desk) -> None:
        await desk.place()
        before = len(desk.alpaca.requests)
        desk.alpaca.faults["GET"].extend([Reply(503)] * 100_000)
        desk.alpaca.opener.refusals = 1_000_000
        desk.alpaca.opener.socket.cut()
        await desk.wait(1800)
        assert len(desk.alpaca.requests) - before < 1800
        desk.alpaca.faults["GET"].clear()
        desk.alpaca.opener.refusals = 0
        await desk.wait(120)
        assert desk.broker.session.is_up

    Desk().live(story)


# -- reads ---------------------------------------------------------------------------------------------------------


def test_what_can_be_read():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.fill("mine-1", "3", "61.123456789")
        desk.alpaca.positions = [{"symbol": "KO", "qty": "3", "side": "long", "avg_entry_price": "61.123456789"}]
        found = await desk.broker.find("mine-1")
        assert found is not None
        assert (found.status, found.filled_quantity) == (S.PARTIALLY_FILLED, 3)
        (execution,) = await desk.broker.executions("mine-1")
        assert (execution.price, execution.execution_id) == (D("61.123456789"), "x-mine-1-3")
        (order,) = await desk.broker.open_orders()
        assert order.client_order_id == "mine-1"
        (position,) = await desk.broker.positions()
        assert (position.quantity, position.average_price) == (3, D("61.123456789"))
        account = await desk.broker.account()
        assert (account.account_id, account.cash, account.equity) == ("uuid-1", D("1000.5"), D("2000.25"))
        assert await desk.broker.find("nobody") is None
        assert await desk.broker.executions("nobody") == ()

    Desk().live(story)


def test_a_history_that_owes_a_fill_is_no_answer():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.hides_fills = True
        desk.alpaca.fill("mine-1", "3")
        with pytest.raises(OutcomeUnknown, match="shows 0 of 3 filled shares"):
            await desk.broker.executions("mine-1")

    Desk().live(story)


READS: dict[str, Callable[[AlpacaBroker], Awaitable[Any]]] = {
    "find": lambda broker: broker.find("mine-1"),
    "executions": lambda broker: broker.executions("mine-1"),
    "open_orders": lambda broker: broker.open_orders(),
    "positions": lambda broker: broker.positions(),
    "account": lambda broker: broker.account(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("answer", [Reply(503), reply({"message": "forbidden."}, 403), Reply(200, b"[{}]"), LOST])
@pytest.mark.fault("list-incomplete")
def test_no_answer_is_never_an_empty_one(read, answer):
    async def story(desk: Desk) -> None:
        desk.alpaca.faults["GET"].extend([answer] * 10)
        task = asyncio.ensure_future(read(desk.broker))
        await desk.wait(30)
        with pytest.raises(OutcomeUnknown):
            await task

    Desk().live(story)


# -- the account and what it cannot take ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "why"),
    [({"id": "other", "account_number": "PA78"}, "belong to account PA78"), ({"status": "SUBMITTED"}, "cannot trade")],
)
@pytest.mark.fault("wrong-account")
def test_another_account_or_one_that_cannot_trade_is_refused_before_anything_else(account, why):
    desk = Desk()
    desk.alpaca.account |= account
    with pytest.raises(ConfigurationError, match=why):
        asyncio.run(desk.broker.run())
    assert desk.alpaca.opener.asked == []


def test_what_the_broker_cannot_take_is_told_beforehand():
    broker = Desk().broker
    group = buy(8, order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=D(55)), client_order_id="a")
    assert broker.unsupported(an_order()) == ""
    assert broker.unsupported(buy(0, notional=D("250.40"))) == ""
    assert broker.unsupported(group) == ""
    assert "whole cents" in broker.unsupported(buy(0, notional=D("250.401")))


def test_every_message_that_left_was_json_with_numbers_as_text():
    async def story(desk: Desk) -> None:
        await desk.place()
        body = json.loads(next(r for r in desk.alpaca.requests if r.method == "POST").body)
        assert (body["qty"], body["limit_price"]) == ("8", "61.25")

    Desk().live(story)


# -- replaces ------------------------------------------------------------------------------------------------------


def a_change(quantity: int = 8, limit: str = "61.20", identity: str = "mine-2") -> Any:
    permission = approved(buy(quantity, limit=limit, client_order_id=identity), at=START)
    permission.replaces = "mine-1"
    return permission


def test_a_replaced_order_keeps_its_fills_and_the_new_one_trades_the_rest():
    async def story(desk: Desk) -> None:
        await desk.place()
        answer = await desk.broker.replace(a_change())
        desk.alpaca.fill("mine-1", "3")  # before the replace takes effect
        assert (answer.client_order_id, answer.venue_order_id) == ("mine-2", "v-mine-2")
        assert "PATCH /v2/orders/v-mine-1" in desk.alpaca.asked
        desk.alpaca.replaced("mine-1", "mine-2")
        desk.alpaca.fill("mine-2", "5")
        await settled()
        about = [
            (u.client_order_id, u.trigger) for u in desk.heard if u.trigger in (T.REPLACE, T.FILL_PART, T.FILL_LAST)
        ]
        assert about[0] == ("mine-1", T.FILL_PART)
        assert ("mine-1", T.REPLACE) in about
        assert about[-1] == ("mine-2", T.FILL_LAST)
        assert [u.execution.quantity for u in desk.heard if u.execution] == [3, 5]
        assert K.FILL_MISSING not in kinds(desk.notices)

    Desk().live(story)


def test_a_new_order_that_begins_with_handed_on_shares_is_not_missing_an_execution():
    """The fills came while nobody listened: the history tells which shares belong to which order."""

    async def story(desk: Desk) -> None:
        await desk.place()
        await desk.broker.replace(a_change())
        desk.alpaca.is_mute = True
        desk.alpaca.fill("mine-1", "3")
        desk.alpaca.replaced("mine-1", "mine-2")
        desk.alpaca.fill("mine-2", "5")
        desk.alpaca.is_mute = False
        desk.alpaca.opener.socket.cut()
        await desk.wait(5)
        told = [(u.client_order_id, u.execution.quantity) for u in desk.heard if u.execution]
        assert sorted(told) == [("mine-1", 3), ("mine-2", 5)]
        assert [t.quantity for t in await desk.broker.executions("mine-2")] == [5]
        ended = {u.client_order_id: u.trigger for u in desk.heard if u.trigger}
        assert ended == {"mine-1": T.REPLACE, "mine-2": T.FILL_LAST}

    Desk().live(story)


@pytest.mark.fault("replace-refused")
def test_a_refused_replace_is_a_definite_no_and_the_old_order_is_read_again():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.faults["PATCH"].append(refusal(422, 42210000, "cannot replace order in accepted status"))
        with pytest.raises(BrokerRejected, match="cannot replace order"):
            await desk.broker.replace(a_change())
        desk.alpaca.is_mute = True
        before = len(desk.alpaca.asked)
        await settled()
        assert desk.alpaca.asked[before:] or desk.alpaca.asked[-1].startswith("GET")
        assert desk.told == ["accept"]

    Desk().live(story)


@pytest.mark.fault("replace-answer-lost")
def test_the_answer_to_a_replace_gets_lost_and_the_new_order_is_found_by_its_id():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.faults["PATCH"].append(lost)
        with pytest.raises(BrokerTimeout):
            await desk.broker.replace(a_change())
        desk.alpaca.is_mute = True
        desk.alpaca.replaced("mine-1", "mine-2")
        await desk.wait(2)
        assert {u.client_order_id: u.trigger for u in desk.heard} == {"mine-1": T.REPLACE, "mine-2": T.ACCEPT}
        assert desk.alpaca.asked.count("PATCH /v2/orders/v-mine-1") == 1

    Desk().live(story)


def test_a_partly_filled_order_is_not_replaced_for_its_filled_shares_might_trade_once_more():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.fill("mine-1", "3")
        with pytest.raises(NotSent, match="a part of it has filled; cancel it, then send the rest") as caught:
            await desk.broker.replace(a_change())
        assert caught.value.held_back, "this is no error of the broker's, and counts among none"
        assert not [name for name in desk.alpaca.asked if name.startswith("PATCH")]

    Desk().live(story)


def test_a_replace_of_an_order_that_cannot_be_read_is_not_sent():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.hides.add("mine-1")
        with pytest.raises(NotSent, match="does not show"):
            await desk.broker.replace(a_change())
        desk.alpaca.hides.clear()
        with pytest.raises(NotSent, match="nothing to replace"):
            await desk.broker.replace(a_change(limit="61.25"))
        desk.latch = "stopped"
        with pytest.raises(NotSent, match="kill switch is active: stopped"):
            await desk.broker.replace(a_change())
        assert not [name for name in desk.alpaca.asked if name.startswith("PATCH")]

    Desk().live(story)


# -- corrections ---------------------------------------------------------------------------------------------------


def test_after_a_bust_the_history_is_read_and_handed_on_whole():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.fill("mine-1", "3", "61.20")
        desk.alpaca.fill("mine-1", "5", "61.25")
        await settled()
        del desk.alpaca.fills[0]
        desk.alpaca.fills[0] |= {"cum_qty": "5"}
        desk.alpaca.happens("mine-1", "trade_bust", status="filled", filled_qty="5")
        await desk.wait(2)
        history = desk.heard[-1].history
        assert history is not None
        assert [(e.quantity, e.price, e.cumulative_quantity) for e in history] == [(5, D("61.25"), 5)]
        assert K.CORRECTED in kinds(desk.notices)
        assert K.FILL_MISSING not in kinds(desk.notices)

    Desk().live(story)


def test_a_history_from_before_the_bust_is_not_believed():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca.fill("mine-1", "8", "61.20")
        await settled()
        told = len(desk.heard)
        stale, rows = dict(desk.alpaca.orders["mine-1"]), list(desk.alpaca.fills)
        message = update_json("trade_bust", {**stale, "filled_qty": "0", "updated_at": stamp(9)}, 9)
        desk.alpaca.tell(message)
        await settled()
        assert len(desk.heard) == told
        desk.alpaca.orders["mine-1"] |= {"filled_qty": "0", "updated_at": stamp(9)}
        desk.alpaca.fills.clear()
        assert rows
        await desk.wait(5)
        assert desk.heard[-1].history == ()

    Desk().live(story)


# -- groups --------------------------------------------------------------------------------------------------------

GROUP = buy(
    8,
    client_order_id="mine-1",
    order_class=OrderClass.BRACKET,
    take_profit=TakeProfit(limit_price=D(70)),
    stop_loss=StopLoss(stop_price=D(55)),
)


def legs_told(desk: Desk) -> dict[str, OrderTrigger | None]:
    """The last word about every leg, under the names that it has here."""
    return {update.client_order_id: update.trigger for update in desk.heard if update.client_order_id != "mine-1"}


HELD_LEGS = {"mine-1.tp": T.HOLD, "mine-1.sl": T.HOLD}


def test_legs_are_told_under_the_names_that_we_gave_them():
    async def story(desk: Desk) -> None:
        answer = await desk.place(GROUP)
        assert [(leg.client_order_id, leg.venue_order_id) for leg in answer.legs] == [
            ("mine-1.tp", "v-uuid-take_profit"),
            ("mine-1.sl", "v-uuid-stop_loss"),
        ]
        assert legs_told(desk) == HELD_LEGS
        desk.alpaca.happens("uuid-take_profit", "new")
        desk.alpaca.fill("uuid-take_profit", "8", "70.00")
        desk.alpaca.happens("uuid-stop_loss", "canceled")
        await settled()
        assert legs_told(desk) == {"mine-1.tp": T.FILL_LAST, "mine-1.sl": T.CANCEL}
        assert [fill.quantity for fill in await desk.broker.executions("mine-1.tp")] == [8]
        shown = await desk.broker.find("mine-1.sl")
        assert shown is not None
        assert (shown.client_order_id, shown.status) == ("mine-1.sl", S.CANCELED)

    Desk().live(story)


@pytest.mark.parametrize("fault", ["hidden", "lost"])
def test_a_leg_that_is_heard_before_anybody_said_whose_it_is_is_no_strangers(fault):
    async def story(desk: Desk) -> None:
        if fault == "lost":
            desk.alpaca.faults["POST"].append(lost)
            with pytest.raises(OutcomeUnknown):
                await desk.place(GROUP)
        else:
            desk.alpaca.hides_legs = True
            await desk.place(GROUP)
        desk.alpaca.happens("uuid-stop_loss", "held")
        await settled()
        await desk.wait(3)
        assert legs_told(desk) == HELD_LEGS
        assert {order.client_order_id for order in await desk.broker.open_orders()} == {"mine-1", *HELD_LEGS}

    Desk().live(story)


def test_legs_of_an_earlier_process_are_recognised():
    async def story(desk: Desk) -> None:
        await desk.place(GROUP)
        names = {"mine-1.tp": "v-uuid-take_profit", "mine-1.sl": "v-uuid-stop_loss"}
        for groups, legs in (((GROUP,), {}), ((), names)):
            later = Desk()
            later.alpaca.orders, later.alpaca.legs = desk.alpaca.orders, desk.alpaca.legs
            later.broker.recognise(groups, legs, {})
            await later.broker.cancel("mine-1.tp")
            assert "DELETE /v2/orders/v-uuid-take_profit" in later.alpaca.asked
            found = await later.broker.find("mine-1.sl")
            assert found is not None
            assert found.venue_order_id == "v-uuid-stop_loss"

    Desk().live(story)


def test_a_group_that_somebody_else_placed_stays_theirs():
    async def story(desk: Desk) -> None:
        await desk.place()
        desk.alpaca._take({"client_order_id": "by hand", "symbol": "KO", "side": "buy", "qty": "1", "type": "market",
                           "order_class": "oto", "stop_loss": {"stop_price": "50"}})  # fmt: skip
        desk.alpaca.happens("uuid-stop_loss", "held")
        await settled()
        assert legs_told(desk) == {"uuid-stop_loss": T.HOLD}

    Desk().live(story)
