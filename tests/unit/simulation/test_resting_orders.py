"""Orders that rest are found by their prices, and a quote meets those alone that it reaches."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderType, TimeInForce
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.realism import Realism
from quant_trading_system.simulation.resting import Waits
from quant_trading_system.simulation.resting_orders import Shelf
from tests.support.venue_desk import TUESDAY, VenueDesk

D = Decimal


@pytest.mark.parametrize(
    ("waits", "price", "reached", "best"),
    [
        (Waits.ASK_FALLS, "99", {3, 4, 5}, "101"),
        (Waits.ASK_FALLS, "101", {5}, "101"),
        (Waits.ASK_FALLS, "101.01", set(), "101"),
        (Waits.BID_RISES, "99", {1, 2, 3, 4}, "97"),
        (Waits.BID_RISES, "97", {1}, "97"),
        (Waits.BID_RISES, "96.99", set(), "97"),
    ],
)
def test_the_market_reaches_the_best_prices_first(waits, price, reached, best):
    shelf = Shelf(waits)
    assert shelf.best is None
    for number, own in ((4, "99.00"), (1, "97"), (5, "101"), (3, "99"), (2, "98"), (6, "98.5")):
        shelf.add(D(own), number)
    shelf.remove(D("98.50"), 6)
    assert set(shelf.reached(D(price))) == reached
    assert shelf.best == D(best)


@pytest.fixture
def met(monkeypatch) -> list[str]:
    """The client order ids of orders that met a quote."""
    found: list[str] = []
    work = Exchange._work

    def note(self, live, view, at):
        found.append(live.order.client_order_id)
        work(self, live, view, at)

    monkeypatch.setattr(Exchange, "_work", note)
    return found


def crowded(**options) -> tuple[VenueDesk, dict[str, str]]:
    """A hundred shares, exits and entries around a quote of 100, all of which have met a quote that reaches nobody."""
    desk = VenueDesk(cash="10000000", **options)
    desk.quote()
    desk.quote(symbol="PEP")
    desk.buy(500)
    ids = {f"limit {price}": desk.sell(1, limit=str(price)) for price in range(103, 153)}
    ids |= {f"stop {price}": desk.sell(1, stop=str(price)) for price in range(50, 97)}
    ids["trailing"] = desk.sell(1, kind=OrderType.TRAILING_STOP, trail_price=D(2))
    ids["close"] = desk.sell(1, in_force=TimeInForce.CLS)
    ids["bid"] = desk.buy(1, limit="99", symbol="PEP")
    ids["take up"] = desk.buy(1, stop="102.5", limit="102.6", symbol="PEP")
    for symbol in ("KO", "PEP"):
        desk.quote(symbol=symbol)
    return desk, ids


def names(met: list[str], ids: dict[str, str]) -> list[str]:
    return [name for number in met for name, identity in ids.items() if identity == number]


def test_a_quote_meets_only_the_orders_that_it_reaches(met):
    desk, ids = crowded()
    met.clear()
    desk.quote("99", "99.04", "99.02")
    assert met == []
    desk.quote("104.98", "105.02", "105")
    assert names(met, ids) == ["limit 103", "limit 104", "trailing"]
    met.clear()
    desk.quote("102.99", "103.03", "103.01")
    assert names(met, ids) == []
    desk.quote("102.98", "103.02", "103")
    assert names(met, ids) == ["trailing"]
    assert desk.status(ids["trailing"]) == "filled"


def test_an_order_that_was_set_off_meets_every_quote_until_it_rests_at_its_limit(met):
    desk, ids = crowded()
    met.clear()
    desk.quote("102.50", "102.70", "102.60", symbol="PEP")
    desk.quote("102.50", "102.70", "102.55", symbol="PEP")
    assert names(met, ids) == ["take up"]
    desk.quote("102.40", "102.60", "102.50", symbol="PEP")
    assert names(met, ids) == ["take up", "take up"]
    assert desk.fills(ids["take up"]) == [("1", "102.60")]


def test_an_order_of_which_something_is_asked_is_awake(met):
    desk, ids = crowded()
    changed = desk.replace(ids["limit 140"], limit_price=D("102"))
    desk.quote("101.98", "102.02", "102")
    desk.quote("102.00", "102.04", "102.02")
    assert desk.status(changed) == "filled"
    assert desk.status(ids["limit 103"]) == "working"


def test_all_are_awake_at_the_next_opening(met):
    desk = VenueDesk()
    desk.quote()
    waiting = desk.buy(1, limit="99", in_force=TimeInForce.GTC)
    desk.quote()
    desk.close()
    desk.open(TUESDAY)
    desk.quote("98.46", "98.50", "98.48")
    assert desk.fills(waiting) == [("1", "98.50")]  # the opening price, better than its limit


def test_in_queues_every_quote_meets_every_order(met):
    desk, _ = crowded(realism=Realism(queue=True))
    met.clear()
    desk.quote("99.5", "99.54", "99.52")
    assert len(met) > 90
