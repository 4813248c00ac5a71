"""The opening and the closing auction."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import TimeInForce
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.models import FillModel
from tests.support.venue_desk import MONDAY, VenueDesk

OPG, CLS = TimeInForce.OPG, TimeInForce.CLS

OPENING = """
limit  last   fill    status
-      102    102     filled      # at the auction's price, not at the ask
102    102    102     filled
101    102    -       canceled    # too dear, and not kept
103    102    102     filled
-      -      102.02  filled      # no trade yet: the far side
"""


@pytest.mark.parametrize("line", OPENING.strip().splitlines()[1:])
def test_opg_orders_trade_in_the_opening_auction_or_not_at_all(line):
    limit, last, fill, status = line.split("#")[0].split()
    desk = VenueDesk(opened=False)
    desk.quote()
    order = desk.buy(10, in_force=OPG, limit=None if limit == "-" else limit)
    assert desk.status(order) == "held"
    desk.open()
    desk.quote("101.98", "102.02", None if last == "-" else last)
    assert [price for _, price in desk.fills(order)] == (
        [] if fill == "-" else [str(Decimal(fill).quantize(Decimal("0.01")))]
    )
    assert desk.status(order) == status


def test_what_the_opening_auction_cannot_fill_is_cancelled():
    desk = VenueDesk(opened=False, fills=FillModel(participation=Decimal("0.1")))
    desk.quote()
    order = desk.buy(100, in_force=OPG)
    desk.open()
    desk.quote("101.98", "102.02", "102", volume="400")
    assert desk.fills(order) == [("40", "102.00")]
    assert desk.story(order) == ["hold", "accept", "fill_part", "cancel"]


def test_without_an_opening_price_opg_orders_end_at_the_close():
    desk = VenueDesk(opened=False)
    desk.quote()
    order = desk.buy(10, in_force=OPG)
    desk.open()
    desk.close()
    assert desk.status(order) == "canceled"


CLOSING = """
limit  last  fill    status
-      98    98.00   filled
98     98    98.00   filled
97     98    -       canceled
"""


@pytest.mark.parametrize("line", CLOSING.strip().splitlines()[1:])
def test_cls_orders_wait_for_the_close(line):
    limit, last, fill, status = line.split()
    desk = VenueDesk()
    desk.quote()
    order = desk.buy(10, in_force=CLS, limit=None if limit == "-" else limit)
    desk.quote("90", "90.04", "90.02")
    assert desk.status(order) == "working"
    desk.quote("97.98", "98.02", last)
    desk.close()
    assert [price for _, price in desk.fills(order)] == ([] if fill == "-" else [fill])
    assert desk.status(order) == status


def test_an_auction_price_between_ticks_is_rounded_against_the_order():
    desk = VenueDesk()
    desk.quote()
    desk.quote(symbol="PEP")
    bought, sold = desk.buy(10, in_force=CLS), desk.sell(10, in_force=CLS, symbol="PEP")
    desk.quote("97.98", "98.02", "98.004321")
    desk.quote("97.98", "98.02", "98.004321", symbol="PEP")
    desk.close()
    assert desk.fills(bought) == [("10", "98.01")]
    assert desk.fills(sold) == [("10", "98.00")]


def test_without_any_price_in_the_session_cls_orders_are_cancelled():
    desk = VenueDesk(opened=False)
    desk.quote()
    desk.open()
    order = desk.buy(10, in_force=CLS)
    desk.close()
    assert desk.story(order) == ["accept", "cancel"]


def test_a_market_that_never_closes_takes_auction_orders_at_any_time():
    desk = VenueDesk(rules=AccountRules.alpaca(), calendar=AlwaysOpen())
    desk.quote()
    opening, closing = desk.buy(1, in_force=OPG), desk.buy(2, in_force=CLS)
    desk.quote()
    assert [desk.order(one).broker_status for one in (opening, closing)] == ["accepted", "new"]
    midnight = MONDAY.close + timedelta(hours=3)
    desk.move(midnight)
    desk.venue.close_session(midnight)
    assert [desk.order(one).broker_status for one in (opening, closing)] == ["accepted", "filled"]
    desk.venue.open_session(midnight)
    desk.quote("104.98", "105.02", "105")
    assert desk.fills(opening) == [("1", "105.00")]
