"""What the auditor takes for new risk when an order is changed, and for a look at the orders of an earlier life."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from quant_trading_system.execution.transport import Request
from quant_trading_system.simulation.alpaca_server.in_process import Reply
from quant_trading_system.simulation.storm.ledger import Intent
from quant_trading_system.simulation.storm.submissions import SubmissionRules, shrinks

SHORT = {
    "symbol": "JPM", "side": "sell", "order_type": "limit", "time_in_force": "day", "quantity": "9",
    "limit_price": "339.90",
}  # fmt: skip


def intent(name: str, **terms: str) -> Intent:
    return Intent(7, {"order_id": name, "symbol": "JPM", "order": SHORT | terms, "decision": {"position": "0"}})


@pytest.mark.parametrize(
    ("terms", "takes_away"),
    [
        ({"quantity": "7"}, True),
        ({"quantity": "7", "limit_price": "339.94"}, True),
        ({"quantity": "9", "limit_price": "339.90"}, True),
        ({"quantity": "10"}, False),
        ({"quantity": "7", "limit_price": "339.89"}, False),
        ({"quantity": "7", "time_in_force": "gtc"}, False),
        ({"quantity": "7", "stop_price": "340.00"}, False),
    ],
)
def test_a_change_that_can_only_do_less_adds_no_risk(terms, takes_away):
    new = intent("r1", **terms)
    assert not shrinks(new)
    new.older = intent("first")
    assert shrinks(new) is takes_away


def test_a_buy_does_less_at_a_lower_limit():
    for limit, takes_away in (("339.89", True), ("339.91", False)):
        new = intent("r1", side="buy", limit_price=limit)
        new.older = intent("first", side="buy")
        assert shrinks(new) is takes_away


@pytest.mark.parametrize(
    ("path", "status", "body", "is_known"),
    [
        ("/v2/orders", 200, b'[{"client_order_id": "first", "status": "new"}]', True),
        ("/v2/orders", 200, b'[{"client_order_id": "other", "status": "new"}]', False),
        ("/v2/orders", 200, b'[{"client_order_id": "fir', False),
        ("/v2/orders", 429, b'[{"client_order_id": "first"}]', False),
        ("/v2/orders:by_client_order_id", 404, b"{}", True),
    ],
)
def test_an_order_of_an_earlier_life_is_known_by_an_answer_about_it_or_by_a_list_that_shows_it(
    path, status, body, is_known
):
    rules = SubmissionRules(SimpleNamespace(), SimpleNamespace())
    open_order = intent("first")
    open_order.status = "working"
    rules.life_began(SimpleNamespace(intents={"first": open_order}))
    query = (("client_order_id", "first"),) if "by_client" in path else ()
    rules.answer_read(Request(method="GET", path=path, query=query), Reply(status, body, {}))
    assert (rules._unasked == set()) is is_known
