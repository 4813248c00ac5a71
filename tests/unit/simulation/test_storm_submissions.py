"""What the auditor takes for new risk when an order is changed."""

from __future__ import annotations

import pytest

from quant_trading_system.simulation.storm.ledger import Intent
from quant_trading_system.simulation.storm.submissions import shrinks

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
