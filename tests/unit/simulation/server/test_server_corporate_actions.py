"""Corporate actions at the venue, through the real client: told as such, exits pass, a named person books them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.adoption import Ledger, adopt_positions
from quant_trading_system.app.reconciling import in_words
from quant_trading_system.core.book_events import BreakClosed, BreakOpened
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.execution.order_manager import Placed
from tests.support.orders import buy, sell
from tests.support.venue_front import run, venue_front
from tests.unit.simulation.server.test_server_groups import Engine

D = Decimal


async def look(engine: Engine) -> None:
    """Two full looks, far enough apart for a difference to be believed."""
    for _ in range(2):
        engine.clock.move_to(engine.clock.now() + timedelta(seconds=3))
        engine.reconciliation.reconciler.day_ended()  # whatever it is called for, it is a full look
        assert await engine.reconciliation.reconciler._look()


def events(engine: Engine, kind: type) -> list:
    return [entry.event for entry in engine.journal.entries() if isinstance(entry.event, kind)]


@pytest.mark.fault("corporate-action")
@pytest.mark.parametrize(("shares", "word"), [(30, "SPLIT"), (-8, "SPLIT")], ids=["4 for 1", "1 for 5"])
def test_a_split_is_a_break_with_its_cause_exits_pass_and_a_named_person_books_it(shares, word):
    async def story():
        async with venue_front() as front:
            engine = Engine(front)
            await engine.market(65)
            await engine.begin()
            await engine.submit(buy(10))
            await engine.until(lambda: engine.system.portfolio.position("KO").quantity == 10)
            venue = front.host.desks[0].venue
            venue.post(word, D(0), symbol="KO", description="a split", shares=D(shares))
            await look(engine)
            (opened,) = events(engine, BreakOpened)
            assert opened.found.difference == shares
            assert opened.found.cause.startswith("a split (entry ")
            assert "proposed: the same cost for the broker's shares" in in_words(opened.found)
            assert engine.system.portfolio.position("KO").quantity == 10, "nothing is booked by itself"
            refused = await engine.system.orders.submit(buy(1))
            assert isinstance(refused, Rejection)
            assert refused.rule is Rule.RECONCILED
            gone = min(10, 10 + shares)
            assert isinstance(await engine.system.orders.submit(sell(gone)), Placed), "the way out is open"
            front.host.settle()
            await engine.until(lambda: engine.system.portfolio.position("KO").quantity == 10 - gone)
            statement = await engine.statements.full(engine.clock.now())
            adopt_positions(Ledger.of(engine.system), statement.positions, approved_by="Ana", reason="a split")
            await look(engine)
            assert events(engine, BreakClosed) != []
            assert engine.reconciliation.reconciler.breaks.open == {}
            await engine.die()

    run(story)
