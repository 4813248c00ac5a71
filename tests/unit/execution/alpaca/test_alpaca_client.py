"""Every question to the trading interface: what is asked, what the answer means, and what is never asked twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.exceptions import BrokerRejected, BrokerTimeout, NotSent, OutcomeUnknown
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution import alpaca_reads
from quant_trading_system.execution.alpaca_api import ATTEMPTS
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_models import AccountConfigurations, AlpacaOrder
from quant_trading_system.execution.alpaca_wire import read_json
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.rate_limit import Lane
from quant_trading_system.execution.transport import Reply, Request
from tests.support.alpaca_lines import (
    ACCESS,
    KEY,
    SECRET,
    START,
    Line,
    activity_json,
    approved,
    kinds,
    order_json,
    refusal,
    reply,
    settled,
    stamp,
)
from tests.support.orders import buy

D = Decimal
ORDER = buy(8, limit="61.25", client_order_id="mine-1")
LOST = BrokerTimeout("no answer in time")
BROKEN = OutcomeUnknown("the connection broke")
LIMIT = {"x-ratelimit-limit": "200"}
WINDOW = {"x-ratelimit-remaining": "150", "x-ratelimit-reset": str(int(START.timestamp()) + 30)}


class Client(Line):
    """A client whose answers come from a queue or a script."""

    def __init__(self, *answers: Any, **options: Any) -> None:
        super().__init__(*answers, **options)
        self.client = AlpacaClient(self.api)

    def ask(self, question: Callable[[AlpacaClient], Any]) -> Any:
        return self.run(question(self.client))

    def error(self, question: Callable[[AlpacaClient], Any]) -> Any:
        """What `question` raises."""
        with pytest.raises((BrokerRejected, NotSent, OutcomeUnknown)) as caught:
            self.ask(question)
        return caught.value

    def submit(self) -> Any:
        return self.ask(lambda client: client.submit(approved(ORDER)))

    def submit_error(self) -> Any:
        return self.error(lambda client: client.submit(approved(ORDER)))

    @property
    def last(self) -> Request:
        return self.transport.requests[-1]


# -- orders: once --------------------------------------------------------------------------------------------------


def test_an_order_is_sent_once_and_its_answer_read():
    line = Client(reply(order_json(status="pending_new")))
    answer = line.submit()
    assert (answer.id, answer.status, answer.limit_price) == ("v-mine-1", "pending_new", D("61.25"))
    assert line.transport.asked == ["POST /v2/orders"]
    assert json.loads(line.last.body)["client_order_id"] == "mine-1"


@pytest.mark.fault("order-rejected")
def test_a_definite_no_is_rejected_with_code_words_and_numbers():
    line = Client(
        Reply(
            403,
            json.dumps({"code": 40310000, "message": "insufficient buying power", "buying_power": "12.5"}).encode(),
            {"x-request-id": "r-77"},
        )
    )
    error = line.submit_error()
    assert type(error) is BrokerRejected
    assert (error.code, error.order_id) == (40310000, "mine-1")
    assert str(error) == "insufficient buying power (buying_power 12.5) [request r-77]"


@pytest.mark.fault("answer-lost")
def test_an_order_whose_answer_was_lost_is_not_sent_again():
    line = Client(LOST)
    error = line.submit_error()
    assert (type(error), error.order_id) == (BrokerTimeout, "mine-1")
    assert line.transport.asked == ["POST /v2/orders"]


UNSETTLED: list[Any] = [
    reply({"code": 50010000, "message": "internal"}, 500),
    Reply(502, b"<html>bad gateway</html>"),
    Reply(503, b""),
    Reply(200, b""),
    Reply(200, b'{"id": "v-mine-1", "clie'),
    Reply(200, b"\xff\xfe"),
    reply([order_json()]),
    refusal(422, 40010001, "client_order_id must be unique"),
    BROKEN,
]


@pytest.mark.parametrize("answer", UNSETTLED, ids=range(len(UNSETTLED)))
@pytest.mark.fault("id-known-already", "server-error", "answer-unreadable")
def test_an_answer_that_settles_nothing_is_followed_by_one_look_for_the_order(answer):
    """Found, it is the answer; the order itself is never sent again."""
    line = Client(answer, reply(order_json()))
    assert line.submit().id == "v-mine-1"
    assert line.transport.asked == ["POST /v2/orders", "GET /v2/orders:by_client_order_id"]


@pytest.mark.parametrize("look", [refusal(404, 40410000, "order not found"), LOST, NotSent("refused"), Reply(500)])
@pytest.mark.parametrize("answer", UNSETTLED[:8:3], ids=range(3))
@pytest.mark.fault("lookup-denies")
def test_one_look_that_finds_nothing_settles_nothing(answer, look):
    line = Client(answer, look)
    error = line.submit_error()
    assert (type(error), error.order_id) == (OutcomeUnknown, "mine-1")
    assert len(line.transport.requests) == 2


@pytest.mark.fault("no-connection")
def test_an_order_for_which_there_was_no_connection_was_not_sent():
    line = Client(NotSent("connection refused"))
    error = line.submit_error()
    assert (type(error), error.order_id) == (NotSent, "mine-1")
    assert len(line.transport.requests) == 1


def test_what_forbids_an_order_is_asked_last():
    line = Client(reply(order_json()))
    error = line.error(lambda client: client.submit(approved(ORDER), lambda: "daily loss"))
    assert (type(error), str(error)) == (NotSent, "daily loss")
    assert line.transport.requests == []


@pytest.mark.fault("rate-limited")
def test_a_rate_limit_is_a_definite_no_for_an_order_and_told():
    """Not executed, so the strategy may decide anew; the line itself waits for the time that the broker names."""
    line = Client(Reply(429, b'{"code": 42910000, "message": "rate limit exceeded"}', {"retry-after": "20"}))
    error = line.submit_error()
    assert (type(error), error.code) == (BrokerRejected, 42910000)
    assert kinds(line.notices) == [NoticeKind.RATE_LIMITED]
    assert line.limiter.wait_for(Lane.ORDERS) == timedelta(seconds=21)
    assert line.limiter.wait_for(Lane.STOPPING) == timedelta(0)


def test_a_page_with_status_429_in_the_brokers_place_leaves_the_outcome_open():
    line = Client(Reply(429, b"<html>slow down</html>"))
    assert type(line.submit_error()) is OutcomeUnknown


def test_an_order_that_would_have_to_wait_for_the_limit_is_given_back():
    """Its approval and the price behind it do not keep for a minute."""
    line = Client()
    line.limiter.heard(429, {"retry-after": "30"})
    error = line.submit_error()
    assert type(error) is NotSent
    assert line.transport.requests == []


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.fault("keys-refused")
def test_refused_keys_are_told_at_once(status):
    line = Client(reply({"message": "forbidden."}, status))
    error = line.submit_error()
    assert (type(error), error.code) == (BrokerRejected, 40110000)
    assert kinds(line.notices) == [NoticeKind.CREDENTIALS_REFUSED]


def test_keys_that_the_broker_repeats_are_not_passed_on():
    line = Client(reply({"message": f"key {KEY} with {SECRET} is bad"}, 401), hide=ACCESS.credentials.hidden_in)
    error = line.submit_error()
    assert "key … with … is bad" in str(error)
    assert SECRET not in str(line.notices)


def test_a_replacement_is_sent_once_to_the_order_that_it_replaces():
    before = read_json(json.dumps(order_json()).encode(), AlpacaOrder)
    change = approved(buy(6, limit="61.25", client_order_id="mine-2"))
    line = Client(reply(order_json("mine-2", qty="6", replaces="v-mine-1")))
    assert line.ask(lambda client: client.replace(before, change)).replaces == "v-mine-1"
    assert line.transport.asked == ["PATCH /v2/orders/v-mine-1"]
    lost = Client(BROKEN)
    assert type(lost.error(lambda client: client.replace(before, change))) is OutcomeUnknown
    assert len(lost.transport.requests) == 1


@pytest.mark.parametrize(
    "question",
    [
        lambda client: client.close_position("KO"),
        lambda client: client.close_all_positions(),
        lambda client: client.cancel_all(),
        lambda client: client.configure(AccountConfigurations(suspend_trade=True)),
    ],
    ids=["close", "close all", "cancel all", "configure"],
)
def test_whatever_makes_orders_moves_them_all_or_changes_settings_is_sent_once(question):
    line = Client(LOST)
    assert type(line.error(question)) is BrokerTimeout
    assert len(line.transport.requests) == 1


# -- reads and cancels: a few times --------------------------------------------------------------------------------

REPEATABLE = {
    "account": lambda client: client.account(),
    "order": lambda client: client.order("v-1"),
    "cancel": lambda client: client.cancel("v-1"),
}


@pytest.mark.parametrize("question", REPEATABLE.values(), ids=REPEATABLE)
@pytest.mark.parametrize("failure", [LOST, BROKEN, NotSent("refused"), Reply(503), Reply(302)], ids=range(5))
@pytest.mark.fault("server-error")
def test_reads_and_cancels_are_tried_a_bounded_number_of_times(question, failure):
    line = Client(script=lambda _: failure)
    error = line.error(question)
    assert isinstance(error, OutcomeUnknown)
    assert f"tried {ATTEMPTS} times" in str(error)
    assert len(line.transport.requests) == ATTEMPTS
    assert isinstance(error, BrokerTimeout) == (failure is LOST)


def test_an_answer_to_a_read_that_cannot_be_read_is_asked_for_again():
    line = Client(Reply(200, b"{"), Reply(200, b""), reply(order_json()))
    assert line.ask(lambda client: client.order("v-mine-1")).id == "v-mine-1"


def test_pauses_between_attempts_grow_are_spread_and_come_from_the_seed():
    def times(seed: int) -> list[float]:
        seen: list[float] = []

        def note(_: Request) -> Reply:
            seen.append(line.clock.monotonic())
            return Reply(503)

        line = Client(script=note, seed=seed)
        line.error(REPEATABLE["account"])
        return seen

    first, second, third, fourth = times(1)
    assert 0.125 <= second - first <= 0.5
    assert second - first < fourth - third <= 2
    assert times(1) == [first, second, third, fourth]


@pytest.mark.fault("rate-limited")
def test_a_read_that_meets_the_rate_limit_waits_for_the_reset_and_is_answered():
    limited = Reply(429, b'{"code": 42910000, "message": "rate limit exceeded"}', {"retry-after": "12"})
    line = Client(limited, reply(order_json()))
    assert line.ask(lambda client: client.order("v-mine-1")).id == "v-mine-1"
    assert line.clock.now() - START >= timedelta(seconds=12)


def test_a_definite_no_to_a_read_is_not_asked_again():
    line = Client(refusal(422, 40010001, "order_id is missing"))
    assert type(line.error(lambda client: client.order("bad"))) is BrokerRejected
    assert len(line.transport.requests) == 1


def test_an_order_that_is_not_there_is_none_but_a_wrong_address_is_no_answer():
    line = Client(refusal(404, 40410000, "order not found for v-9"))
    assert line.ask(lambda client: client.order("v-9")) is None
    line = Client(script=lambda _: refusal(404, 40410000, "endpoint not found."))
    assert type(line.error(lambda client: client.order_by_client_id("mine-1"))) is OutcomeUnknown


ANOTHER: dict[str, tuple[Any, Any]] = {
    "order": (lambda client: client.order("v-1"), order_json()),
    "order by our id": (lambda client: client.order_by_client_id("mine-2"), order_json()),
    "position": (lambda client: client.position("XOM"), {"symbol": "KO", "qty": "1", "avg_entry_price": "1"}),
    "replacement": (
        lambda client: client.replace(
            read_json(json.dumps(order_json()).encode(), AlpacaOrder),
            approved(buy(6, limit="61.25", client_order_id="n")),
        ),
        order_json(),
    ),
    "cancel": (lambda client: client.cancel("v-1"), order_json()),
    "close": (lambda client: client.close_position("XOM"), order_json()),
    "asset": (lambda client: client.asset("XOM"), {"id": "a", "symbol": "KO", "status": "active", "tradable": True}),
    "settings": (lambda client: client.configure(AccountConfigurations(suspend_trade=True)), {"suspend_trade": False}),
}


@pytest.mark.parametrize(("question", "body"), ANOTHER.values(), ids=ANOTHER)
@pytest.mark.fault("answer-about-another")
def test_an_answer_about_something_else_is_no_answer(question, body):
    """Answers can be mixed up; what they are about is compared with what was asked."""
    line = Client(reply(body))
    error = line.error(question)
    assert type(error) is OutcomeUnknown
    assert "something else" in str(error)


@pytest.mark.fault("answer-about-another")
def test_a_look_that_finds_another_order_settles_nothing():
    line = Client(Reply(502), reply(order_json("other")))
    assert type(line.submit_error()) is OutcomeUnknown


def test_a_refused_cancel_is_a_definite_no():
    line = Client(refusal(422, 42210000, 'order is already in "filled" state'))
    error = line.error(REPEATABLE["cancel"])
    assert (type(error), error.code) == (BrokerRejected, 42210000)


def test_a_bulk_cancel_is_judged_entry_by_entry():
    entries = [
        {"id": "a", "status": 200},
        {"id": "b", "status": 500, "body": {"code": 42210000, "message": "order is already filled"}},
        {"id": "c", "status": 503},
    ]
    line = Client(reply(entries, 207))
    done, refused, unclear = line.ask(lambda client: client.cancel_all())
    assert (done.name, done.is_done) == ("a", True)
    assert (refused.name, refused.is_done, refused.code) == ("b", False, 42210000)
    assert (unclear.is_done, unclear.refusal) == (False, "status 503 without a message")


def test_closing_positions_is_judged_entry_by_entry():
    entries = [
        {"symbol": "KO", "status": 200, "body": order_json("broker-made", side="sell", type="market")},
        {"symbol": "XOM", "status": 403, "body": {"code": 40310000, "message": "insufficient qty", "available": "2"}},
    ]
    line = Client(reply(entries, 207))
    closed, refused = line.ask(lambda client: client.close_all_positions())
    assert closed.order.client_order_id == "broker-made"
    assert (refused.code, refused.refusal) == (40310000, "insufficient qty")
    assert line.last.query == (("cancel_orders", "true"),)


def test_a_part_of_a_position_is_closed_with_exact_numbers():
    line = Client(reply(order_json(symbol="BRK/B")), reply(order_json()))
    line.ask(lambda client: client.close_position("BRK/B", quantity=D("0.100000000")))
    assert (line.last.name, line.last.query) == ("DELETE /v2/positions/BRK%2FB", (("qty", "0.1"),))
    line.ask(lambda client: client.close_position("KO", percentage=D("33.3")))
    assert line.last.query == (("percentage", "33.3"),)


@pytest.mark.fault("cancels-starved")
def test_a_cancel_goes_out_while_reads_and_orders_use_up_the_limit():
    """Two hundred reads and a hundred orders at once: they queue or are given back, the cancel does neither."""

    line = Client(script=lambda request: Reply(204 if request.method == "DELETE" else 503, b"", LIMIT))

    async def story() -> None:
        reads = [asyncio.create_task(line.client.account()) for _ in range(200)]
        orders = [asyncio.create_task(line.client.submit(approved(ORDER))) for _ in range(100)]
        await settled()
        assert len(line.transport.requests) == 180  # the rest of the minute is for whatever stops trading
        await line.client.cancel("v-mine-1")
        assert line.last.name == "DELETE /v2/orders/v-mine-1"
        assert line.clock.now() == START
        for task in (*reads, *orders):
            task.cancel()
        await asyncio.gather(*reads, *orders, return_exceptions=True)

    asyncio.run(story())


def test_requests_without_an_answer_are_not_counted_as_on_their_way_for_ever():
    line = Client(LOST, NotSent("refused"), LOST, Reply(204, b"", {**LIMIT, **WINDOW}))
    for _ in range(3):
        line.submit_error()
    line.ask(lambda client: client.cancel("v-mine-1"))
    assert line.limiter.left == 150


# -- lists to their last page --------------------------------------------------------------------------------------


def orders_server(orders: list[dict[str, Any]], page: int) -> Callable[[Request], Reply]:
    """Lists orders by time of submission, exclusive at its beginning, as many as fit on a page."""

    def serve(request: Request) -> Reply:
        after = dict(request.query).get("after", "")
        rest = [order for order in orders if order["submitted_at"] > after.replace("Z", "") or not after]
        return reply(rest[:page])

    return serve


def test_a_list_of_orders_is_read_to_its_last_page():
    """Seven orders, two of them of one moment across the edge of a page; a server that cuts pages short."""
    moments = [1, 2, 3, 3, 4, 5, 6]
    orders = [order_json(f"o{number}", submitted_at=stamp(moment)) for number, moment in enumerate(moments)]
    line = Client(script=orders_server(orders, page=3))
    found = line.ask(lambda client: client.orders("all"))
    assert [order.client_order_id for order in found] == [f"o{number}" for number in range(7)]
    assert dict(line.transport.requests[0].query)["limit"] == "500"


def test_an_empty_list_takes_one_question():
    line = Client(reply([]))
    assert line.ask(lambda client: client.orders()) == ()
    assert line.last.query == (("status", "open"), ("direction", "asc"), ("limit", "500"))


def test_filters_of_a_list_are_passed_on():
    line = Client(reply([]))
    until = datetime(2027, 3, 9, 16, tzinfo=UTC)
    line.ask(
        lambda client: client.orders(
            "closed", after=START, until=until, symbols=("KO", "XOM"), side=OrderSide.SELL, nested=True
        )
    )
    query = dict(line.last.query)
    assert (query["status"], query["symbols"], query["side"], query["nested"]) == ("closed", "KO,XOM", "sell", "true")
    assert (query["after"], query["until"]) == ("2027-03-09T15:00:00Z", "2027-03-09T16:00:00Z")


@pytest.mark.fault("list-incomplete")
def test_a_list_that_cannot_be_completed_is_an_error_and_no_list(monkeypatch):
    monkeypatch.setattr(alpaca_reads, "ORDERS_PER_PAGE", 3)
    same = [order_json(f"o{number}", submitted_at=stamp(1)) for number in range(5)]
    crowded = Client(script=lambda _: reply(same[:3]))
    assert "too many of one moment" in str(crowded.error(lambda client: client.orders()))
    timeless = Client(script=lambda _: reply([order_json(submitted_at=None)]))
    assert type(timeless.error(lambda client: client.orders())) is OutcomeUnknown
    monkeypatch.setattr(alpaca_reads, "MAX_PAGES", 4)
    endless = Client(script=lambda _: reply([order_json(f"o{len(endless.transport.requests)}", submitted_at=stamp())]))
    assert "does not end within 4 pages" in str(endless.error(lambda client: client.orders()))


@pytest.mark.fault("list-incomplete")
def test_one_broken_row_makes_the_whole_list_no_answer():
    line = Client(script=lambda _: reply([order_json("a"), {"id": "b"}]))
    assert type(line.error(lambda client: client.orders())) is OutcomeUnknown


@pytest.mark.fault("list-incomplete")
def test_executions_are_read_to_the_last_page_whatever_pages_repeat_or_shuffle():
    rows = [activity_json(str(number), "1", seconds=number) for number in range(1, 8)]

    def serve(request: Request) -> Reply:
        token = dict(request.query).get("page_token", "")
        rest = [row for row in rows if row["id"] > token]
        page = rest[:3] + ([rows[0]] if token else [])
        return reply(list(reversed(page)))

    line = Client(script=serve)
    found = line.ask(lambda client: client.fills(after=START))
    assert [fill.cum_qty for fill in found] == [1, 2, 3, 4, 5, 6, 7]
    first = dict(line.transport.requests[0].query)
    assert (first["page_size"], first["direction"], first["after"]) == ("100", "asc", "2027-03-09T15:00:00Z")


# -- everything else that can be asked -----------------------------------------------------------------------------

ACCOUNT = {"id": "i", "account_number": "PA1", "status": "ACTIVE", "cash": "-12.345", "equity": "9", "multiplier": "4"}
ASSET = {"id": "i", "symbol": "KO", "status": "active", "tradable": True, "class": "us_equity", "fractionable": True}
CLOCK = {
    "timestamp": "2027-03-09T10:00:00.123456789-05:00",
    "is_open": True,
    "next_open": "2027-03-10T09:30:00-05:00",
    "next_close": "2027-03-09T16:00:00-05:00",
}
DAY = {"date": "2027-03-09", "open": "09:30", "close": "16:00", "session_open": "0400", "session_close": "2000"}
CURVE = {
    "timestamp": [1, 2],
    "equity": [100000, 100000.1],
    "profit_loss": [0, 0.1],
    "profit_loss_pct": [None, 1e-06],
    "base_value": 100000,
    "timeframe": "1D",
    "cashflow": {},
}
POSITION = {"symbol": "KO", "qty": "0.5", "avg_entry_price": "61.2", "side": "long", "qty_available": "0.2"}

QUESTIONS: list[tuple[Any, Any, str, Any]] = [
    (lambda c: c.account(), ACCOUNT, "GET /v2/account", lambda a: (a.cash, a.multiplier) == (D("-12.345"), 4)),
    (
        lambda c: c.configurations(),
        {"no_shorting": True, "dtbp_check": "x"},
        "GET /v2/account/configurations",
        lambda a: a.no_shorting,
    ),
    (
        lambda c: c.configure(AccountConfigurations(suspend_trade=True)),
        {"suspend_trade": True},
        "PATCH /v2/account/configurations",
        lambda a: a.suspend_trade,
    ),
    (lambda c: c.positions(), [POSITION], "GET /v2/positions", lambda a: a[0].qty_available == D("0.2")),
    (lambda c: c.position("KO"), POSITION, "GET /v2/positions/KO", lambda a: a.avg_entry_price == D("61.2")),
    (lambda c: c.clock(), CLOCK, "GET /v2/clock", lambda a: a.next_close.astimezone(UTC).hour == 21),
    (
        lambda c: c.calendar(date(2027, 3, 9), date(2027, 3, 10)),
        [DAY],
        "GET /v2/calendar",
        lambda a: a[0].date == date(2027, 3, 9),
    ),
    (lambda c: c.assets(), [ASSET], "GET /v2/assets", lambda a: a[0].fractionable),
    (lambda c: c.asset("KO"), ASSET, "GET /v2/assets/KO", lambda a: a.tradable),
    (
        lambda c: c.portfolio_history(period="1M", start=START),
        CURVE,
        "GET /v2/account/portfolio/history",
        lambda a: a.equity == (100000, D("100000.1")) and a.profit_loss_pct == (None, D("0.000001")),
    ),
    (
        lambda c: c.order_by_client_id("mine-1"),
        order_json(),
        "GET /v2/orders:by_client_order_id",
        lambda a: a.id == "v-mine-1",
    ),
]


@pytest.mark.parametrize(("question", "body", "asked", "holds"), QUESTIONS, ids=[case[2] for case in QUESTIONS])
def test_every_question_has_its_path_and_its_answer(question, body, asked, holds):
    line = Client(reply(body))
    assert holds(line.ask(question))
    assert line.transport.asked == [asked]


def test_only_what_is_set_is_sent_as_a_setting():
    line = Client(reply({"suspend_trade": False, "no_shorting": True}))
    line.ask(lambda client: client.configure(AccountConfigurations(suspend_trade=False)))
    assert json.loads(line.last.body) == {"suspend_trade": False}


def test_all_activities_can_be_asked_by_type():
    rows = [{"id": "20270309::a", "activity_type": "DIV", "date": "2027-03-09", "net_amount": "1.02"}]
    line = Client(reply(rows), reply([]))
    (row,) = line.ask(lambda client: client.activities(("DIV", "FEE")))
    assert row.net_amount == D("1.02")
    assert dict(line.transport.requests[0].query)["activity_types"] == "DIV,FEE"


@pytest.mark.parametrize(
    ("fields", "obstacle"),
    [({}, ""), ({"status": "CLOSED"}, "its status is CLOSED"), ({"trading_blocked": True}, "trading_blocked")],
)
def test_an_account_tells_why_it_cannot_trade(fields, obstacle):
    line = Client(reply(ACCOUNT | fields))
    assert line.ask(lambda client: client.account()).obstacle == obstacle
