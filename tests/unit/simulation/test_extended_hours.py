"""Trading around the regular session, and how long orders live."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.simulation.trading_hours import AFTER_HOURS, extended_since, hours_of
from tests.support.venue_desk import CALENDAR, IN_JUNE, MONDAY, TUESDAY, WEDNESDAY, VenueDesk

DAY, GTC = TimeInForce.DAY, TimeInForce.GTC
PRE_MARKET = MONDAY.open - timedelta(hours=5, minutes=30)
EVENING = MONDAY.close + AFTER_HOURS


def early(**options) -> VenueDesk:
    """A desk an hour before the first session opens."""
    desk = VenueDesk(opened=False, **options)
    desk.quote()
    return desk


def late(**options) -> VenueDesk:
    """A desk half an hour after the first close."""
    desk = VenueDesk(**options)
    desk.quote()
    desk.close()
    desk.wait(minutes=30)
    return desk


def around(price: str) -> tuple[str, str, str]:
    last = Decimal(price)
    return str(last - Decimal("0.02")), str(last + Decimal("0.02")), price


# -- when it trades ------------------------------------------------------------------------------------------------


def test_a_limit_order_that_asks_for_it_trades_before_the_open():
    desk = early()
    ordinary, extended = desk.buy(1, limit="101"), desk.buy(1, limit="101", extended_hours=True)
    assert [desk.order(one).broker_status for one in (ordinary, extended)] == ["accepted", "filled"]
    assert desk.fills(extended) == [("1", "100.02")]


def test_and_after_the_close():
    desk = late()
    order = desk.buy(1, limit="99", extended_hours=True)
    assert desk.order(order).broker_status == "new"
    desk.quote(*around("98"))
    assert desk.fills(order) == [("1", "98.02")]


def test_quotes_of_the_session_are_no_quotes_of_the_evening():
    desk = late()
    order = desk.buy(1, limit="101", extended_hours=True)
    assert desk.order(order).broker_status == "new"
    desk.quote()
    assert desk.fills(order) == [("1", "100.02")]


def test_at_night_it_waits_for_the_morning():
    desk = late()
    desk.move(EVENING + timedelta(hours=1))
    order = desk.buy(1, limit="101", extended_hours=True)
    assert desk.order(order).broker_status == "accepted"
    desk.quote()
    assert desk.order(order).broker_status == "accepted"
    desk.move(PRE_MARKET + timedelta(days=1))
    desk.quote()
    assert desk.events(order) == ["0 accepted", "0 new", "0 fill"]


def test_it_trades_in_the_session_like_any_other():
    desk = early()
    order = desk.buy(1, limit="99", extended_hours=True)
    desk.open()
    desk.quote(*around("98"))
    assert desk.fills(order) == [("1", "98.02")]  # the opening price is better than its limit


def test_stops_sleep_outside_the_session():
    desk = VenueDesk()
    desk.quote()
    desk.buy(10)
    stop = desk.sell(5, stop="95", in_force=GTC)
    limit = desk.sell(5, limit="102", in_force=GTC, extended_hours=True)
    desk.close()
    desk.wait(minutes=1)
    desk.quote(*around("90"))
    desk.quote(*around("103"))
    assert [desk.order(one).broker_status for one in (stop, limit)] == ["new", "filled"]


# -- how long it lives ---------------------------------------------------------------------------------------------


def test_a_day_order_for_extended_hours_lives_until_the_evening():
    desk = early()
    order = desk.buy(1, limit="90", extended_hours=True)
    desk.open()
    desk.close()
    assert desk.order(order).broker_status == "new"
    assert desk.venue.next_due_at() == EVENING
    desk.move(EVENING)
    assert desk.order(order).broker_status == "expired"
    assert desk.order(order).expired_at == EVENING


def test_a_good_till_cancelled_one_lives_on():
    desk = late()
    order = desk.buy(1, limit="90", extended_hours=True, in_force=GTC)
    desk.move(PRE_MARKET + timedelta(days=1))
    desk.quote(*around("89"))
    assert desk.fills(order) == [("1", "89.02")]


def test_good_till_cancelled_ends_at_a_quarter_past_four_after_ninety_days():
    desk = VenueDesk()
    desk.quote()
    order = desk.buy(1, limit="90", in_force=GTC)
    ends = desk.venue.expires_at(desk.order(order))
    assert ends.isoformat() == "2024-06-02T20:15:00+00:00"  # summer time by then
    desk.close()
    desk.move(ends - timedelta(seconds=1))
    assert desk.order(order).broker_status == "new"
    desk.move(ends)
    assert desk.order(order).canceled_at == ends


EXPIRIES = [
    (MONDAY.open - timedelta(hours=1), {}, MONDAY.close),
    (MONDAY.open + timedelta(hours=1), {}, MONDAY.close),
    (MONDAY.close + timedelta(hours=1), {}, TUESDAY.close),
    (MONDAY.open + timedelta(hours=1), {"extended_hours": True}, EVENING),
    (MONDAY.close + timedelta(hours=1), {"extended_hours": True}, EVENING),
    (EVENING + timedelta(hours=1), {"extended_hours": True}, TUESDAY.close + AFTER_HOURS),
    (WEDNESDAY.close + timedelta(hours=9), {"extended_hours": True}, IN_JUNE.close + AFTER_HOURS),
    (MONDAY.close + timedelta(hours=5), {"time_in_force": TimeInForce.OPG}, TUESDAY.open),
    (MONDAY.open, {"time_in_force": TimeInForce.CLS}, MONDAY.close),
]


@pytest.mark.parametrize(("sent", "fields", "ends"), EXPIRIES)
def test_when_orders_end(sent, fields, ends):
    desk = VenueDesk(opened=False)
    desk.quote()
    desk.move(sent)
    terms: dict[str, Any] = {
        "symbol": "KO",
        "side": OrderSide.BUY,
        "quantity": Decimal(1),
        "order_type": OrderType.LIMIT,
        "limit_price": Decimal(90),
        "time_in_force": DAY,
    }
    assert desk.venue.expires_at(desk.venue.submit(Order(**(terms | fields)))) == ends


# -- what it is reckoned with --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("moment", "price"), [(MONDAY.open, "100.02"), (MONDAY.close + AFTER_HOURS / 2, "100.01")])
def test_market_orders_are_reckoned_at_the_far_side_or_the_middle(moment, price):
    desk = VenueDesk(multiplier=Decimal(1))
    if moment >= MONDAY.close:
        desk.close()
        desk.move(moment)
    desk.quote("100", "100.02", "99")
    desk.venue.submit(
        Order(symbol="KO", side=OrderSide.BUY, quantity=Decimal(1), order_type=OrderType.MARKET, time_in_force=DAY)
    )
    assert 100_000 - desk.venue.account().buying_power == Decimal(price)


# -- hours ---------------------------------------------------------------------------------------------------------


def test_the_hours_of_a_day():
    assert [moment.isoformat()[11:16] for moment in hours_of(MONDAY)] == ["09:00", "14:30", "21:00", "01:00"]


PHASES = """
08:59  -
09:00  09:00
14:29  09:00
14:30  -
20:59  -
21:00  21:00
24:59  21:00
25:00  -
"""


@pytest.mark.parametrize("line", PHASES.strip().splitlines())
def test_extended_hours_in_progress(line):
    def at(text: str):
        hours, minutes = map(int, text.split(":"))
        return MONDAY.open.replace(hour=0, minute=0) + timedelta(hours=hours, minutes=minutes)

    moment, begins = line.split()
    assert extended_since(CALENDAR, at(moment)) == (None if begins == "-" else at(begins))


def test_a_market_that_never_closes_has_no_extended_hours():
    assert extended_since(AlwaysOpen(), MONDAY.open) is None
