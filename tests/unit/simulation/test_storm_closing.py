"""What the auditor finds at the end of a day, when it compares the journal with the venue order by order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from quant_trading_system.simulation.storm.closing import differing_books
from quant_trading_system.simulation.storm.ledger import Ledger
from tests.support.venue_desk import VenueDesk


def test_an_execution_taken_back_is_missed_in_the_order_unless_a_person_answers_for_what_is_held_since():
    desk = VenueDesk()
    desk.quote()
    identity = desk.buy(10)
    desk.wait(seconds=1)
    (fill,) = desk.venue.executions(identity)
    ledger = Ledger()

    def on_record(kind: str, **body: Any) -> None:
        ledger.apply((0, "", kind, None, "", "", msgspec.json.encode({"symbol": "KO", **body}), b""))

    order = {"side": "buy", "quantity": "10"}
    on_record("order", order_id=identity, status="sent", order=order, decision={}, trigger="approve")
    on_record(
        "fill", order_id=identity, execution_id=fill.execution_id, side="buy", quantity="10", price=str(fill.price),
        cumulative_quantity="10", position_quantity="10", cash=str(desk.venue.account().cash),
    )  # fmt: skip
    on_record("order", order_id=identity, status="filled", trigger="fill_last", quantity_filled="10")
    sent = {identity: None}
    auditor: Any = SimpleNamespace(ledger=ledger, orders_at_venue=lambda: [desk.order(identity)], sent=sent)
    assert differing_books(auditor, desk.venue) == []
    desk.venue.bust(fill.execution_id)
    found = dict(differing_books(auditor, desk.venue))
    assert found.keys() == {"I2", "I3"}
    assert found["I2"] == f"{identity}: missing the fills up to [], invented those up to ['10']"
    on_record("position_adopted", quantity="-10", cost="0", approved_by="Ana", reason="a test")
    assert differing_books(auditor, desk.venue) == []
