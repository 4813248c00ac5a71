"""Requests as they come over the wire: what is taken, and the first word about what is not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.admission import VenueRefusal
from tests.support.venue_desk import MONDAY, VenueDesk

LIMIT = {"symbol": "KO", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "99"}
MARKET = {"symbol": "KO", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
TRAILING = {"symbol": "KO", "qty": "10", "side": "buy", "type": "trailing_stop", "time_in_force": "day"}
BRACKET = LIMIT | {
    "order_class": "bracket",
    "take_profit": {"limit_price": "110"},
    "stop_loss": {"stop_price": "90"},
}
ABSENT = None
MIDNIGHT = datetime(2024, 3, 4, tzinfo=UTC)


def quoted(held: int = 0, **options) -> VenueDesk:
    desk = VenueDesk(**options)
    desk.quote()
    if held:
        desk.buy(held)
    return desk


def refusal_of(body: dict, desk: VenueDesk | None = None) -> VenueRefusal:
    desk = desk or quoted()
    before = len(desk.updates)
    with pytest.raises(VenueRefusal) as caught:
        desk.venue.submit_request(body)
    assert len(desk.updates) == before
    return caught.value


# -- what is taken -------------------------------------------------------------------------------------------------


def test_numbers_may_be_texts_integers_or_decimals():
    desk = quoted()
    for quantity, price in (("10", "99.5"), (10, Decimal("99.50")), (Decimal("10.0"), "99.500")):
        order = desk.venue.submit_request(LIMIT | {"qty": quantity, "limit_price": price})
        assert (order.quantity, order.order.limit_price) == (10, Decimal("99.5"))


def test_every_field_arrives():
    order = quoted().venue.submit_request(
        LIMIT | {"client_order_id": "mine", "extended_hours": True, "position_intent": "buy_to_open", "unknown": 1}
    )
    terms = order.order
    assert (terms.client_order_id, terms.extended_hours, terms.side) == ("mine", True, OrderSide.BUY)
    assert (terms.order_type, terms.time_in_force) == (OrderType.LIMIT, TimeInForce.DAY)


def test_absent_empty_and_null_are_the_same():
    nothing = {"stop_price": "", "notional": None, "order_class": "", "client_order_id": "", "take_profit": None}
    order = quoted().venue.submit_request(LIMIT | nothing)
    assert order.client_order_id == order.venue_order_id
    assert order.order_class is OrderClass.SIMPLE


def test_exits_without_a_class_are_ignored():
    order = quoted().venue.submit_request(LIMIT | {"stop_loss": {"stop_price": "98"}, "take_profit": "whatever"})
    assert (order.order_class, order.legs) == (OrderClass.SIMPLE, ())


def test_an_intent_stands_for_the_side():
    body = {key: value for key, value in LIMIT.items() if key != "side"}
    assert quoted().venue.submit_request(body | {"position_intent": "buy_to_open"}).order.side is OrderSide.BUY


def test_an_oco_order_needs_no_limit_of_its_own():
    desk = quoted(held=10)
    body = MARKET | {"side": "sell", "type": "limit", "order_class": "oco"}
    exits = {"take_profit": {"limit_price": Decimal("110")}, "stop_loss": {"stop_price": 90, "limit_price": "89.5"}}
    order = desk.venue.submit_request(body | exits)
    assert (order.order.limit_price, order.legs[0].order.limit_price) == (110, Decimal("89.5"))


def test_a_bracket_arrives_with_its_legs():
    order = quoted().venue.submit_request(BRACKET)
    assert [leg.broker_status for leg in order.legs] == ["held", "held"]
    assert order.broker_status == "pending_new"


def test_the_answer_says_whether_the_order_waits_for_a_session():
    desk = quoted()
    assert desk.venue.submit_request(LIMIT).broker_status == "pending_new"
    desk.close()
    assert desk.venue.submit_request(LIMIT).broker_status == "accepted"


# -- what is refused -----------------------------------------------------------------------------------------------

MALFORMED = [
    (MARKET | {"side": "hold"}, "invalid side"),
    (MARKET | {"side": ABSENT}, "invalid side"),
    (MARKET | {"type": "maybe"}, "invalid order type"),
    (MARKET | {"type": ABSENT}, "invalid order type"),
    (MARKET | {"time_in_force": "later"}, "invalid time_in_force"),
    (MARKET | {"time_in_force": ABSENT}, "invalid time_in_force"),
    (MARKET | {"order_class": "mleg"}, "invalid order_class"),
    (MARKET | {"position_intent": "to_the_moon"}, "invalid position_intent"),
    (MARKET | {"position_intent": "sell_to_close"}, "position_intent sell_to_close does not agree with side buy"),
    (MARKET | {"symbol": ABSENT}, "symbol is required"),
    (MARKET | {"symbol": ""}, "symbol is required"),
    (MARKET | {"symbol": 7}, "invalid symbol"),
    (MARKET | {"qty": ABSENT}, "qty or notional is required"),
    (MARKET | {"notional": "50"}, "only one of qty or notional is accepted"),
    (MARKET | {"qty": "many"}, "invalid qty"),
    (MARKET | {"qty": True}, "invalid qty"),
    (MARKET | {"qty": 1.5}, "invalid qty"),
    (MARKET | {"qty": "NaN"}, "invalid qty"),
    (MARKET | {"qty": "1_0"}, "invalid qty"),
    (MARKET | {"qty": "1e15"}, "invalid qty"),
    (MARKET | {"qty": [1]}, "invalid qty"),
    (LIMIT | {"limit_price": ABSENT}, "limit orders require a limit price"),
    (LIMIT | {"stop_price": "98"}, "limit orders must not have stop_price"),
    (LIMIT | {"trail_price": "1"}, "limit orders must not have trail_price"),
    (MARKET | {"limit_price": "99"}, "market orders require no stop or limit price"),
    (MARKET | {"stop_price": "99"}, "market orders require no stop or limit price"),
    (MARKET | {"trail_percent": "1"}, "market orders must not have trail_percent"),
    (MARKET | {"type": "stop"}, "stop orders require a stop price"),
    (LIMIT | {"type": "stop", "stop_price": "101"}, "stop orders must not have limit_price"),
    (LIMIT | {"type": "stop_limit"}, "stop limit orders require both stop and limit price"),
    (TRAILING, "trailing stop orders must specify one of trail_price or trail_percent"),
    (
        TRAILING | {"trail_price": "1", "trail_percent": "1"},
        "trailing stop orders must specify one of trail_price or trail_percent",
    ),
    (TRAILING | {"trail_price": "1", "stop_price": "99"}, "trailing stop orders must not have stop_price"),
    (LIMIT | {"extended_hours": "yes"}, "invalid extended_hours"),
    (BRACKET | {"take_profit": ABSENT}, "bracket orders require take_profit.limit_price"),
    (BRACKET | {"take_profit": {}}, "bracket orders require take_profit.limit_price"),
    (BRACKET | {"take_profit": 110}, "invalid take_profit"),
    (BRACKET | {"stop_loss": {"limit_price": "89"}}, "bracket orders require stop_loss.stop_price"),
    (BRACKET | {"stop_loss": {"stop_price": "low"}}, "invalid stop_loss.stop_price"),
    (BRACKET | {"order_class": "oto"}, "oto orders require either take_profit or stop_loss"),
    (LIMIT | {"order_class": "oto"}, "oto orders require either take_profit or stop_loss"),
    (LIMIT | {"order_class": "oco"}, "oco orders require take_profit.limit_price"),
    (LIMIT | {"client_order_id": 7}, "invalid client_order_id"),
    (LIMIT | {"client_order_id": "x" * 129}, "client_order_id must be no more than 128 characters"),
    (LIMIT | {"client_order_id": "naïve"}, "client_order_id: at most 128 printable ASCII characters"),
]


@pytest.mark.parametrize(("body", "message"), MALFORMED)
def test_what_is_missing_of_a_wrong_form_or_in_conflict(body, message):
    refusal = refusal_of(body)
    assert (refusal.code, refusal.http, refusal.message) == (40010001, 422, message)


UNPROCESSABLE = [
    (MARKET | {"qty": "0"}, "qty must be > 0"),
    (MARKET | {"qty": "-1"}, "qty must be > 0"),
    (MARKET | {"qty": "0.0000000001"}, "qty must have at most 9 decimals"),
    (MARKET | {"qty": ABSENT, "notional": "0.99"}, "notional amount must be >= 1.00"),
    (
        MARKET | {"qty": ABSENT, "notional": "10.001"},
        "notional increment does not fulfill minimum pricing criteria",
    ),
    (LIMIT | {"limit_price": "0"}, "limit_price must be > 0"),
    (
        LIMIT | {"limit_price": "99.123"},
        "invalid limit_price 99.123. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (
        LIMIT | {"limit_price": Decimal("99.12345678901234567890")},
        "invalid limit_price 99.1234567890123456789. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (
        LIMIT | {"limit_price": "0.99999"},
        "invalid limit_price 0.99999. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (TRAILING | {"trail_price": "-1"}, "trail_price must be > 0"),
    (TRAILING | {"trail_percent": "0.0000000001"}, "trail_percent must have at most 9 decimals"),
    (
        BRACKET | {"take_profit": {"limit_price": "110.005"}},
        "invalid take_profit.limit_price 110.005. sub-penny increment does not fulfill minimum pricing criteria",
    ),
    (BRACKET | {"stop_loss": {"stop_price": "-5"}}, "stop_loss.stop_price must be > 0"),
    (MARKET | {"symbol": "NOPE"}, 'asset "NOPE" not found'),
    (MARKET | {"symbol": "HALTED"}, 'asset "HALTED" is not tradable'),
    (MARKET | {"qty": "1.5", "time_in_force": "gtc"}, "fractional orders must be DAY orders"),
    (BRACKET | {"qty": "1.5"}, "fractional orders must be simple orders"),
    (
        TRAILING | {"qty": "1.5", "trail_price": "1"},
        "fractional orders must be market, limit, stop, or stop_limit orders",
    ),
    (MARKET | {"extended_hours": True}, "extended hours order must be DAY or GTC limit orders"),
    (LIMIT | {"extended_hours": True, "time_in_force": "ioc"}, "extended hours order must be DAY or GTC limit orders"),
    (BRACKET | {"extended_hours": True}, "extended hours order must be DAY or GTC limit orders"),
    (BRACKET | {"time_in_force": "fok"}, "bracket orders must be DAY or GTC orders"),
    (
        BRACKET | {"type": "stop", "limit_price": ABSENT, "stop_price": "101"},
        "bracket orders must be market or limit orders",
    ),
    (BRACKET | {"order_class": "oco", "type": "market"}, "oco orders must be limit orders"),
    (
        MARKET | {"type": "stop", "stop_price": "101", "time_in_force": "opg"},
        "stop orders must be DAY or GTC orders",
    ),
    (TRAILING | {"trail_price": "1", "time_in_force": "ioc"}, "trailing stop orders must be DAY or GTC orders"),
    (
        MARKET | {"position_intent": "buy_to_close"},
        "position intent mismatch, inferred: buy_to_open, specified: buy_to_close",
    ),
]


@pytest.mark.parametrize(("body", "message"), UNPROCESSABLE)
def test_what_is_well_formed_but_not_acceptable(body, message):
    refusal = refusal_of(body)
    assert (refusal.code, refusal.http, refusal.message) == (42210000, 422, message)


def test_tiny_orders_are_refused_where_the_broker_does_it():
    desk = quoted(rules=AccountRules.alpaca())
    refusal = refusal_of(MARKET | {"qty": "0.009"}, desk)
    assert (refusal.code, refusal.message) == (40310000, "cost basis must be >= minimal amount of order 1")
    desk.venue.submit_request(MARKET | {"qty": "0.01"})


# -- the order of questions ----------------------------------------------------------------------------------------

EVERYTHING_WRONG = {
    "symbol": "NOPE",
    "qty": "-0.5",
    "side": "buy",
    "type": "market",
    "time_in_force": "gtc",
    "limit_price": "99.001",
    "client_order_id": "x" * 200,
    "extended_hours": True,
}
MENDED = [
    ({"side": "wrong"}, "invalid side"),
    ({}, "market orders require no stop or limit price"),
    ({"limit_price": None}, "qty must be > 0"),
    ({"qty": "1.5"}, 'asset "NOPE" not found'),
    ({"symbol": "KO"}, "fractional orders must be DAY orders"),
    ({"time_in_force": "day"}, "extended hours order must be DAY or GTC limit orders"),
    ({"extended_hours": False}, "client_order_id must be no more than 128 characters"),
    ({"client_order_id": "used"}, "client_order_id must be unique"),
    ({"client_order_id": "new"}, "account not authorized to trade"),
    ({"configuration": {"suspend_trade": False}}, "account is not allowed to trade fractions of shares"),
    ({"configuration": {"fractional_trading": True}}, "cannot open a long buy while a short sell order is open"),
    ({"cancel": True}, "insufficient buying power"),
]


def test_the_first_thing_that_is_wrong_answers():
    """Form, enumerations, fields, sizes, asset, class, id, account, other orders, money: in this order."""
    desk = quoted(cash="220", multiplier=Decimal(1))
    desk.buy(1, client_order_id="used", limit="90")
    desk.venue.cancel("used")
    desk.wait()
    short = desk.sell(1, limit="110")
    desk.venue.configure({"suspend_trade": True, "fractional_trading": False})
    body = dict(EVERYTHING_WRONG)
    for change, message in MENDED:
        desk.venue.configure(change.pop("configuration", {}))
        if change.pop("cancel", False):
            desk.venue.cancel(short)
            desk.wait()
            body["qty"] = "2.5"
        wrong = change.pop("side", None)
        body |= change
        assert refusal_of(body | ({"side": wrong} if wrong else {}), desk).message == message
    body["qty"] = "2"
    assert desk.venue.submit_request(body).client_order_id == "new"


# -- auctions ------------------------------------------------------------------------------------------------------

WINDOWS = """
in_force  hour   strict  taken
opg       13:45  no      yes
opg       14:27  no      yes
opg       14:29  no      no
opg       16:00  no      no      # the session
opg       21:30  no      yes
opg       21:30  yes     no      # only from 19:00 New York on
opg       23:59  yes     no
opg       24:00  yes     yes
cls       20:50  no      yes
cls       20:51  no      no
cls       21:30  no      yes
cls       21:30  yes     no
cls       24:00  yes     yes
"""


@pytest.mark.parametrize("line", WINDOWS.strip().splitlines()[1:])
def test_auctions_take_orders_at_their_hours(line):
    in_force, hour, strict, taken = line.split("#")[0].split()
    hours, minutes = map(int, hour.split(":"))
    moment = MIDNIGHT + timedelta(hours=hours, minutes=minutes)
    desk = VenueDesk(opened=False, rules=AccountRules(strict_auctions=strict == "yes"))
    desk.quote()
    if moment >= MONDAY.open:
        desk.open()
        desk.quote()
    if moment >= MONDAY.close:
        desk.close()
    desk.move(moment)
    body = MARKET | {"time_in_force": in_force}
    if taken == "yes":
        desk.venue.submit_request(body)
    else:
        assert f"{in_force} orders are taken" in refusal_of(body, desk).message
