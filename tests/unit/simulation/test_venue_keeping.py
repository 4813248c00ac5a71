"""A venue that is kept as bytes: what belongs to it, and what is refused."""

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.orders import OrderType
from quant_trading_system.simulation.models import FillModel, LatencyModel
from tests.support.venue_desk import MONDAY, TUESDAY, VenueDesk

OPTIONS = {
    "fills": FillModel(partial_chance=Decimal("0.5")),
    "latency": LatencyModel(order=timedelta(milliseconds=30), report=timedelta(milliseconds=20), sigma=0.5),
}


def lively() -> VenueDesk:
    """A desk with orders of all sorts, some of them on their way."""
    desk = VenueDesk(**OPTIONS)
    desk.quote()
    desk.quote(symbol="PEP")
    held = desk.buy(100)
    while desk.status(held) != "filled":
        desk.wait(seconds=1)
        desk.quote()
    desk.sell(5, kind=OrderType.TRAILING_STOP, trail_percent=Decimal(2))
    desk.group("bracket", limit="99", profit="110", loss="90", symbol="PEP")
    moved = desk.buy(10, limit="98", symbol="PEP")
    desk.wait(seconds=1)
    desk.sell("2.5")
    desk.replace(moved, limit_price="97")
    desk.venue.configure({"no_shorting": True})
    desk.venue.note_equity(desk.clock.now())
    desk.venue.post("DIV", Decimal("3.21"), symbol="KO")
    return desk


def reborn(desk: VenueDesk) -> VenueDesk:
    """Another venue that goes on where the first one stands, at the same clock."""
    other = VenueDesk(opened=False, **OPTIONS)
    other.clock.move_to(desk.clock.now())
    other.venue.restore(desk.venue.snapshot())
    return other


def test_everything_that_can_be_read_is_the_same():
    desk = lively()
    other = reborn(desk)
    assert other.venue.snapshot() == desk.venue.snapshot()
    assert other.venue.open_orders() == desk.venue.open_orders()
    assert other.venue.account() == desk.venue.account()
    assert other.venue.positions() == desk.venue.positions()
    assert other.venue.activities() == desk.venue.activities()
    assert other.venue.equity_history() == desk.venue.equity_history()
    assert other.venue.configuration == desk.venue.configuration
    assert other.venue.is_open
    assert other.venue.next_due_at() == desk.venue.next_due_at()


def test_what_was_on_its_way_arrives_and_the_same_happens_afterwards():
    desk = lively()
    other = reborn(desk)
    heard = len(desk.updates)
    for one in (desk, other):
        one.wait(seconds=1)
        one.venue.on_quote(one.venue._floor.view("KO").quote)
        one.move(MONDAY.close)
        one.venue.close_session(MONDAY.close)
        one.open(TUESDAY)
    assert len(other.updates) > 5
    assert other.updates == desk.updates[heard:]


def test_ids_go_on():
    desk = lively()
    other = reborn(desk)
    ids = [one.order(one.buy(1, symbol="PEP", client_order_id="next")).venue_order_id for one in (desk, other)]
    assert ids[0] == ids[1]


REFUSED = [
    (lambda data: b"", "not the kept state of a venue"),
    (lambda data: data[:-1], "not the kept state of a venue"),
    (lambda data: b'{"id_prefix": "x"}', "not the kept state of a venue"),
    (lambda data: data.replace(b'"format":1', b'"format":2'), "kept in format 2"),
]


@pytest.mark.parametrize(("spoil", "message"), REFUSED)
def test_what_is_no_kept_venue_is_refused_and_changes_nothing(spoil, message):
    venue = VenueDesk(**OPTIONS).venue
    before = venue.snapshot()
    with pytest.raises(ConfigurationError, match=message):
        venue.restore(spoil(lively().venue.snapshot()))
    assert venue.snapshot() == before


def test_another_seed_is_another_venue():
    with pytest.raises(ConfigurationError, match="a venue with another seed"):
        VenueDesk(seed=9).venue.restore(lively().venue.snapshot())


def test_only_a_new_venue_is_restored():
    desk = lively()
    with pytest.raises(ValueError, match="before its first order"):
        desk.venue.restore(desk.venue.snapshot())


def test_numbers_are_kept_to_the_last_digit():
    desk = VenueDesk(cash="123456789012.123456789")
    desk.quote()
    desk.buy("0.123456789")
    kept = msgspec.json.decode(desk.venue.snapshot())
    assert kept["books"]["cash"] == 123456789012123456789 * 10**9 - 123456789 * 100_020_000_000
    other = VenueDesk(opened=False, cash="1")
    other.venue.restore(desk.venue.snapshot())
    assert other.venue.account().cash == desk.venue.account().cash
