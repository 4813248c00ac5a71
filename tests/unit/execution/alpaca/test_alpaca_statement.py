"""Alpaca's side of a reconciliation: all of it or nothing, in our words."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.breaks import ActivityKind
from quant_trading_system.core.exceptions import BrokerTimeout, OutcomeUnknown
from quant_trading_system.core.orders import EXTERNAL, OrderType, TimeInForce
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_statement import AlpacaStatements, seen_order
from quant_trading_system.execution.alpaca_wire import read_json
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.transport import Request
from tests.support.alpaca_lines import START, Line, activity_json, order_json, refusal, reply

D = Decimal
ACCOUNT = {"id": "a", "account_number": "PA1", "status": "ACTIVE", "cash": "1000.50", "equity": "2000"}


def seen(**fields: Any):
    return seen_order(read_json(msgspec.json.encode(order_json(**fields)), AlpacaOrder))


class Statements(Line):
    """A broker that shows what a test puts here; `broken` is the path that gets no answer."""

    def __init__(self) -> None:
        super().__init__(script=self._serve)
        self.orders: list[dict] = []
        self.positions: list[dict] = []
        self.fills: list[dict] = []
        self.entries: list[dict] = []
        self.account = dict(ACCOUNT)
        self.broken = ""
        self.source = AlpacaStatements(AlpacaClient(self.api), LegNames())

    def _serve(self, request: Request):
        path, query = request.path.removeprefix("/v2"), dict(request.query)
        if path == self.broken:
            return BrokerTimeout("no answer in time")
        if path == "/orders":
            wanted = [o for o in self.orders if query["status"] == "all" or o["status"] in ("new", "partially_filled")]
            return reply([o for o in wanted if o["submitted_at"] > query.get("after", "").replace("Z", "")])
        if path == "/positions":
            return reply(self.positions)
        if path == "/account":
            return reply(self.account)
        if path == "/account/activities/FILL":
            return reply(self.fills if not query.get("page_token") else [])
        if path == "/account/activities":
            return reply(self.entries if not query.get("page_token") else [])
        return refusal(404, 40410000, "not found")


def test_a_light_statement_asks_for_open_orders_and_positions_only():
    broker = Statements()
    broker.orders = [order_json(identity="a", status="new"), order_json(identity="b", status="filled")]
    broker.positions = [{"symbol": "KO", "qty": "5", "avg_entry_price": "60", "side": "short", "current_price": "61.5"}]
    statement = broker.run(broker.source.light())
    assert [order.seen.client_order_id for order in statement.orders] == ["a"]
    ((position),) = statement.positions
    assert (position.quantity, position.price) == (-5, D("61.5"))
    assert not statement.is_full


def test_a_full_statement_has_fills_under_our_ids_and_entries_without_them():
    broker = Statements()
    broker.orders = [order_json(identity="a", status="filled", filled_qty="8")]
    broker.fills = [activity_json("8", "8", "61.20", 1, "a")]
    broker.entries = [
        broker.fills[0] | {"activity_type": "FILL"},
        {"id": "20260112::f", "activity_type": "FEE", "date": "2026-01-12", "net_amount": "-0.02", "symbol": "KO"},
    ]
    statement = broker.run(broker.source.full(START))
    assert [(fill.order_id, fill.execution.quantity) for fill in statement.fills] == [("a", 8)]
    ((activity),) = statement.activities
    assert (activity.kind, activity.amount) == (ActivityKind.FEE, D("-0.02"))
    assert (statement.cash, statement.obstacle) == (D("1000.50"), "")


@pytest.mark.parametrize(
    "path", ["/orders", "/positions", "/account", "/account/activities", "/account/activities/FILL"]
)
def test_a_statement_of_which_a_part_is_missing_is_none(path):
    broker = Statements()
    broker.broken = path
    with pytest.raises(OutcomeUnknown):
        broker.run(broker.source.full(START), seconds=600)


@pytest.mark.parametrize(
    ("word", "status", "kind"),
    [
        ("DIV", None, ActivityKind.DIVIDEND),
        ("INT", "executed", ActivityKind.INTEREST),
        ("CSD", "", ActivityKind.TRANSFER),
        ("CSW", "executed", ActivityKind.TRANSFER),
        ("FEE", "pending", None),
        ("FEE", "canceled", None),
        ("SPLIT", None, None),
        ("A NEW WORD", None, None),
    ],
)
def test_only_final_entries_that_move_cash_alone_are_classified(word, status, kind):
    broker = Statements()
    broker.entries = [{"id": "1", "activity_type": word, "status": status, "net_amount": "5"}]
    ((found),) = broker.run(broker.source.activities(START - timedelta(days=7)))
    assert (found.word, found.kind) == (word, kind)


def test_an_entry_without_an_amount_is_not_classified():
    broker = Statements()
    broker.entries = [{"id": "1", "activity_type": "DIV"}]
    ((found),) = broker.run(broker.source.activities(START))
    assert (found.kind, found.amount) == (None, None)


def test_the_order_of_somebody_else_keeps_its_words_where_we_know_them():
    order = seen(type="limit", limit_price="61.25", time_in_force="gtc", qty="8")
    assert order.content is not None
    assert (order.content.order_type, order.content.limit_price) == (OrderType.LIMIT, D("61.25"))
    assert (order.content.time_in_force, order.content.strategy) == (TimeInForce.GTC, EXTERNAL)


def test_an_order_with_unknown_words_is_a_plain_one_of_its_size():
    order = seen(type="pegged", time_in_force="moon", qty="8")
    assert order.content is not None
    assert (order.content.order_type, order.content.quantity) == (OrderType.MARKET, 8)


def test_an_order_in_dollars_says_so():
    order = seen(qty=None, notional="500", type="market", limit_price=None)
    assert order.notional == 500


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account_blocked": True}, "account_blocked"),
        ({"status": "ACCOUNT_CLOSED"}, "its status is"),
        ({"maintenance_margin": "2000.01"}, "below the maintenance margin"),
        ({"maintenance_margin": "2000"}, ""),
    ],
)
def test_what_restricts_the_account_is_named(changes, words):
    broker = Statements()
    broker.account |= changes
    obstacle = broker.run(broker.source.full(START)).obstacle
    assert words in obstacle
    assert bool(words) == bool(obstacle)
