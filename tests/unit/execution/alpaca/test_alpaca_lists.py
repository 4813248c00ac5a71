"""Many orders of an earlier process, found in lists: some requests for all of them, and nothing believed too early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerTimeout, OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderClass, StopLoss, TakeProfit
from quant_trading_system.execution import alpaca_pages, alpaca_reads
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_broker import AlpacaBroker
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.broker import BrokerUpdate, Execution, OnBooks, Shown
from quant_trading_system.execution.transport import Reply
from tests.support.alpaca_lines import (
    ACCESS,
    START,
    ScriptedTransport,
    order_json,
    pass_time,
    reply,
    run_beside,
    settled,
    stamp,
    update_json,
)
from tests.support.fake_alpaca import FakeAlpaca
from tests.support.orders import buy

D = Decimal
S = OrderStatus
DAY_S = 86_400
BRACKET = buy(
    8,
    client_order_id="mine-1",
    order_class=OrderClass.BRACKET,
    take_profit=TakeProfit(limit_price=D(70)),
    stop_loss=StopLoss(stop_price=D(55)),
)


class Later:
    """A process that begins a month after `mine-0`, `mine-1` and so on were sent, `apart_s` seconds apart."""

    def __init__(self, orders: int, *, apart_s: float = 1) -> None:
        self.alpaca = FakeAlpaca()
        self.books: dict[str, OnBooks] = {}
        for number in range(orders):
            self.alpaca.seconds = number * apart_s
            self.alpaca.foreign(f"mine-{number}")
            self.books[f"mine-{number}"] = OnBooks(sent_at=START + timedelta(seconds=self.alpaca.seconds))
        self.alpaca.seconds = 29 * DAY_S
        self.clock = ManualClock(START + timedelta(days=30))
        self.heard: list[BrokerUpdate] = []
        api = AlpacaApi(ScriptedTransport(script=self.alpaca.serve), self.clock, lambda _: None, source="trading")
        self.broker = AlpacaBroker(AlpacaClient(api), self.alpaca.opener, ACCESS, self.clock, lambda _: None)
        self.broker.subscribe(self.heard.append)

    def live(self, story: Callable[[], Awaitable[None]]) -> None:
        """Run the broker while `story` is told."""
        asyncio.run(run_beside(self.broker.run(), story))

    def fill_before(self, identity: str, quantity: str) -> None:
        """Shares that traded without a word to this process."""
        self.alpaca.is_mute = True
        self.alpaca.fill(identity, quantity)
        self.alpaca.is_mute = False

    async def shown(self) -> dict[str, Shown]:
        """By client order id what lists show."""
        self.alpaca.requests.clear()
        return {one.order.client_order_id: one for one in await self.broker.look_up(self.books)}

    async def all_expire_in_a_gap(self) -> None:
        """The line is cut, and every order ends without a word."""
        await self.shown()
        self.heard.clear()
        self.alpaca.is_mute = True
        self.alpaca.opener.socket.cut()
        await settled()
        for name in self.books:
            self.alpaca.happens(name, "expired")

    @property
    def asked(self) -> list[str]:
        """Every request since it was asked last: what for, and which orders."""
        return [f"{request.path} {dict(request.query).get('status', '')}".strip() for request in self.alpaca.requests]


@pytest.fixture
def small_pages(monkeypatch):
    """Ten orders make a page."""
    for module in (alpaca_reads, alpaca_pages):
        monkeypatch.setattr(module, "ORDERS_PER_PAGE", 10)


def test_open_orders_take_a_request_for_each_page_and_none_for_each_order():
    later = Later(1_200)

    async def story() -> None:
        shown = await later.shown()
        assert set(shown) == set(later.books)
        assert {one.order.status for one in shown.values()} == {S.WORKING}
        assert later.asked == ["/v2/orders open"] * 4
        assert [update.client_order_id for update in later.heard] == list(later.books)

    later.live(story)


def test_what_ended_meanwhile_is_found_with_its_executions_after_the_oldest_of_it():
    later = Later(40)
    for number in range(10, 20):
        later.fill_before(f"mine-{number}", "3")
        later.fill_before(f"mine-{number}", "5")
    later.alpaca.orders["mine-20"]["status"] = "canceled"

    async def story() -> None:
        shown = await later.shown()
        assert set(shown) == set(later.books)
        assert [fill.quantity for fill in shown["mine-15"].executions] == [3, 5]
        assert (shown["mine-15"].order.status, shown["mine-20"].order.status) == (S.FILLED, S.CANCELED)
        assert later.asked == ["/v2/orders open"] * 2 + ["/v2/orders all"] + ["/v2/account/activities/FILL"] * 2
        fills = [update for update in later.heard if update.execution is not None]
        assert sum(update.execution.quantity for update in fills if update.execution) == 80

    later.live(story)


def test_ended_orders_with_many_others_between_them_take_a_page_each_at_most(small_pages):
    """Orders that rested for days: what lies between them is skipped and not read page by page."""
    later = Later(6, apart_s=DAY_S)
    for number in range(600):
        later.alpaca.foreign(f"theirs-{number}", status="filled", submitted_at=stamp(number * 800 + 200))
    for name in later.books:
        later.alpaca.orders[name]["status"] = "expired"

    async def story() -> None:
        shown = await later.shown()
        assert {name: one.order.status for name, one in shown.items()} == dict.fromkeys(later.books, S.EXPIRED)
        assert later.asked.count("/v2/orders all") <= 6

    later.live(story)


@pytest.mark.parametrize("rows", [9, 10, 11, 20, 21])
def test_no_order_falls_between_two_pages(small_pages, rows):
    """Also where several were submitted at one moment, and the last page is full."""
    later = Later(rows, apart_s=0.000_000_5)
    for name in list(later.books)[::2]:
        later.alpaca.orders[name]["status"] = "canceled"

    async def story() -> None:
        assert set(await later.shown()) == set(later.books)

    later.live(story)


def test_a_list_that_cannot_be_read_on_is_not_read_for_ever(small_pages):
    """More orders of one moment than a page holds: each next page would be the same one."""
    later = Later(25, apart_s=0)
    for order in later.alpaca.orders.values():
        order["status"] = "canceled"

    async def story() -> None:
        shown = await later.shown()
        assert shown
        assert shown.keys() < later.books.keys()  # the others are asked for by their ids
        assert later.asked.count("/v2/orders all") == 2

    later.live(story)


@pytest.mark.parametrize("sent", [START, None])
def test_an_order_that_no_list_shows_is_left_to_be_asked_for_by_its_id(sent):
    """It may be on its way, or may never have left: a list denies nothing."""
    later = Later(8)
    later.books["mine-99"] = OnBooks(sent_at=sent)
    later.alpaca.hides = {"mine-3"}

    async def story() -> None:
        assert later.books.keys() - (await later.shown()).keys() == {"mine-3", "mine-99"}
        assert not [name for name in later.asked if "client" in name]

    later.live(story)


def test_executions_that_our_books_have_are_not_read_again_and_nothing_is_looked_up_because_of_them():
    later = Later(30)
    for name in later.books:
        later.fill_before(name, "3")
        done = Execution(execution_id=f"x-{name}-3", quantity=D(3), price=D(61), cumulative_quantity=D(3), at=START)
        later.books[name] = OnBooks(sent_at=START, executions=(done,))

    async def story() -> None:
        shown = await later.shown()
        assert {one.order.status for one in shown.values()} == {S.PARTIALLY_FILLED}
        assert not any(one.executions for one in shown.values())
        await pass_time(later.clock, 3)
        assert later.asked == ["/v2/orders open"] * 2
        assert not [update for update in later.heard if update.execution is not None]
        later.alpaca.fill("mine-7", "5")
        await settled()
        assert later.heard[-1].execution is not None
        assert later.heard[-1].execution.quantity == 5

    later.live(story)


def test_a_history_that_owes_a_fill_leaves_its_order_out_and_no_other():
    later = Later(8)
    later.fill_before("mine-2", "8")
    later.fill_before("mine-5", "8")
    del later.alpaca.fills[0]

    async def story() -> None:
        assert later.books.keys() - (await later.shown()).keys() == {"mine-2"}

    later.live(story)


def test_a_history_without_an_answer_leaves_out_what_has_filled():
    later = Later(8)
    later.fill_before("mine-2", "8")

    async def story() -> None:
        later.alpaca.faults["GET"] += [None, None, None, *[BrokerTimeout("no answer in time")] * 4]
        looking = asyncio.ensure_future(later.shown())
        while not looking.done():
            await pass_time(later.clock, 1)
        assert later.books.keys() - looking.result().keys() == {"mine-2"}

    later.live(story)


def test_a_list_that_is_older_than_what_the_stream_told_settles_nothing():
    later = Later(8)
    happened = order_json("mine-4", status="canceled", updated_at=stamp(30 * DAY_S))

    async def story() -> None:
        later.alpaca.tell(update_json("canceled", happened, 30 * DAY_S))
        await settled()
        assert later.books.keys() - (await later.shown()).keys() == {"mine-4"}

    later.live(story)


def test_an_order_that_is_missing_from_the_open_ones_and_shown_as_working_is_in_question():
    """The lists contradict each other; its id decides."""
    later = Later(8)

    def without_one(answer: Reply) -> Reply:
        rows = [row for row in json.loads(answer.body) if row["client_order_id"] != "mine-4"]
        return reply(rows)

    async def story() -> None:
        later.alpaca.faults["GET"] += [without_one, without_one]
        assert later.books.keys() - (await later.shown()).keys() == {"mine-4"}

    later.live(story)


def test_many_that_ended_in_a_gap_of_the_stream_are_not_asked_for_one_by_one():
    """They were submitted long before the gap; one that no list shows is asked for by its id."""
    later = Later(60)

    async def story() -> None:
        await later.all_expire_in_a_gap()
        requests = len(later.alpaca.requests)
        later.alpaca.is_mute = False
        await pass_time(later.clock, 5)
        assert [update.trigger for update in later.heard] == [OrderTrigger.EXPIRE] * 60
        assert len(later.alpaca.requests) - requests < 15

    later.live(story)


def test_a_gap_is_closed_by_single_questions_when_the_list_of_all_gives_no_answer(monkeypatch):
    """One row of it that cannot be read must not keep the stream down for ever."""
    later = Later(10)

    async def no_list(self: AlpacaReads, after: datetime) -> list[AlpacaOrder]:
        raise OutcomeUnknown("the answer cannot be read")

    monkeypatch.setattr(AlpacaReads, "first_orders", no_list)

    async def story() -> None:
        await later.all_expire_in_a_gap()
        later.alpaca.is_mute = False
        await pass_time(later.clock, 5)
        assert [update.trigger for update in later.heard] == [OrderTrigger.EXPIRE] * 10
        assert later.broker.session.is_up

    later.live(story)


def test_what_filled_right_before_the_start_is_not_asked_for_one_by_one():
    """The first reading of the history meets its executions before anything was heard of the orders."""
    later = Later(60)
    later.alpaca.seconds = 30 * DAY_S - 60
    for name in later.books:
        later.fill_before(name, "8")
    sent = {f"v-{name}": books.sent_at for name, books in later.books.items() if books.sent_at is not None}
    later.broker.recognise((), {}, sent)

    async def story() -> None:
        assert later.broker.session.is_up
        assert not [request.path for request in later.alpaca.requests if "/v-mine" in request.path]

    later.live(story)


def test_legs_are_shown_under_our_names_and_a_leader_only_with_all_of_them():
    """A list need not show legs with their leader, and what is ours among them is then not known."""
    names = {"mine-1.tp": "v-uuid-take_profit", "mine-1.sl": "v-uuid-stop_loss"}
    for legs, expected in (({}, {"mine-0"}), (names, {"mine-0", "mine-1", *names})):
        later = Later(1)
        later.alpaca._take({**_body(), "client_order_id": "mine-1"})
        later.books |= {name: OnBooks(sent_at=later.clock.now()) for name in ("mine-1", *names)}
        later.broker.recognise((BRACKET,), legs, {})

        async def story(later: Later = later, expected: set[str] = expected) -> None:
            assert set(await later.shown()) == expected

        asyncio.run(story())


def _body() -> dict[str, Any]:
    exits = {"take_profit": {"limit_price": "70"}, "stop_loss": {"stop_price": "55"}}
    return {"symbol": "KO", "side": "buy", "qty": "8", "type": "market", "order_class": "bracket", **exits}


def test_no_list_is_no_answer():
    later = Later(8)

    async def story() -> None:
        later.alpaca.faults["GET"] += [reply({"no": "list"})] * 4
        looking = asyncio.ensure_future(later.shown())
        while not looking.done():
            await pass_time(later.clock, 1)
        with pytest.raises(OutcomeUnknown):
            looking.result()

    later.live(story)


def test_what_was_taken_back_while_lists_were_read_is_not_counted_as_told():
    """The list and our books are those of before: the shares that trade next must be told."""
    later = Later(8)
    later.fill_before("mine-2", "5")
    later.fill_before("mine-5", "8")
    done = Execution(execution_id="x-mine-2-5", quantity=D(5), price=D(61), cumulative_quantity=D(5), at=START)
    later.books["mine-2"] = OnBooks(sent_at=START, executions=(done,))

    async def story() -> None:
        later.alpaca.faults["GET"] += [None, None, None, BrokerTimeout("no answer in time")]
        looking = asyncio.ensure_future(later.shown())
        await settled()
        del later.alpaca.fills[0]
        later.alpaca.seconds = 30 * DAY_S
        later.alpaca.happens("mine-2", "trade_bust", status="new", filled_qty="0")
        await settled()
        assert () in [update.history for update in later.heard]
        await pass_time(later.clock, 1)
        assert later.books.keys() - looking.result().keys() == {"mine-2"}
        later.alpaca.fill("mine-2", "5")
        await settled()
        assert (later.heard[-1].client_order_id, later.heard[-1].trigger) == ("mine-2", OrderTrigger.FILL_PART)
        assert later.heard[-1].execution is not None

    later.live(story)


def test_open_orders_are_shown_also_when_the_list_of_all_gives_no_answer():
    later = Later(8)
    later.alpaca.orders["mine-3"]["status"] = "canceled"

    async def story() -> None:
        later.alpaca.faults["GET"] += [None, None, *[reply({"no": "list"})] * 4]
        looking = asyncio.ensure_future(later.shown())
        while not looking.done():
            await pass_time(later.clock, 1)
        assert later.books.keys() - looking.result().keys() == {"mine-3"}

    later.live(story)
