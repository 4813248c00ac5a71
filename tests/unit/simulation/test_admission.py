"""What the venue refuses, with the broker's code, status and words, and that a refusal leaves no trace."""

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import VenueRefusal
from quant_trading_system.simulation.models import FillModel
from tests.support.venue_desk import MONDAY, TUESDAY, VenueDesk

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def desk_with(held: int = 0, **options) -> VenueDesk:
    """A desk with a quote in KO and a position of `held` shares."""
    desk = VenueDesk(**options)
    desk.quote()
    if held:
        desk.send(BUY if held > 0 else SELL, abs(held))
        assert desk.held() == held
    return desk


def refusal_of(desk: VenueDesk, side: OrderSide, quantity: int | str = 10, **fields) -> VenueRefusal:
    before = desk.venue.open_orders(), len(desk.updates)
    with pytest.raises(VenueRefusal) as caught:
        desk.send(side, quantity, client_order_id="refused", **fields)
    assert (desk.venue.open_orders(), len(desk.updates)) == before
    assert desk.venue.find("refused") is None
    return caught.value


PLAIN = [
    (BUY, {"limit": "100.001"}, 42210000, 422, "invalid limit_price 100.001. sub-penny increment"),
    (SELL, {"stop": "0.12345"}, 42210000, 422, "invalid stop_price 0.12345. sub-penny increment"),
    (BUY, {"notional": Decimal("0.99")}, 42210000, 422, "notional amount must be >= 1.00"),
    (BUY, {"symbol": "NOPE"}, 42210000, 422, 'asset "NOPE" not found'),
    (BUY, {"symbol": "HALTED"}, 42210000, 422, 'asset "HALTED" is not tradable'),
    (BUY, {"symbol": "GONE"}, 42210000, 422, 'asset "GONE" is not active'),
    (BUY, {"symbol": "IVORY", "notional": Decimal(50)}, 40310000, 403, 'asset "IVORY" is not fractionable'),
    (BUY, {"symbol": "PEP"}, 42210000, 422, 'asset "PEP" has no quote'),
    (SELL, {"notional": Decimal(50)}, 42210000, 422, "fractional orders cannot be sold short"),
    (BUY, {"in_force": TimeInForce.OPG}, 42210000, 422, "opg orders are taken until 2 minutes before the open"),
]


@pytest.mark.parametrize(("side", "fields", "code", "http", "words"), PLAIN)
def test_refusals_that_need_no_position(side, fields, code, http, words):
    refusal = refusal_of(desk_with(), side, **fields)
    assert (code, http) == (refusal.code, refusal.http)
    assert refusal.message.startswith(words)


def test_a_client_order_id_is_used_once_for_ever():
    desk = desk_with()
    desk.buy(1, client_order_id="mine")
    assert desk.status("mine") == "filled"
    with pytest.raises(VenueRefusal, match="client_order_id must be unique") as caught:
        desk.buy(1, client_order_id="mine")
    assert (caught.value.code, caught.value.http) == (40010001, 422)


def test_the_venue_names_an_order_without_an_id():
    desk = desk_with()
    identity = desk.buy(1, client_order_id="")
    assert identity == desk.order(identity).venue_order_id


RESERVATION = """
held  open         side  quantity  message
10    -            sell  11        insufficient qty available for order (requested: 11, available: 10)
10    sell_4@110   sell  7         insufficient qty available for order (requested: 7, available: 6)
10    sell_4@110   sell  6         ok
-10   -            buy   11        insufficient qty available for order (requested: 11, available: 10)
-10   buy_9@90     buy   2         insufficient qty available for order (requested: 2, available: 1)
0     sell_5@110   buy   5         cannot open a long buy while a short sell order is open
0     buy_5@90     sell  5         cannot open a short sell while a long buy order is open
10    buy_5@90     sell  10        potential wash trade detected. use complex orders
"""


@pytest.mark.parametrize("line", RESERVATION.strip().splitlines()[1:])
def test_no_order_crosses_zero_or_opens_both_sides(line):
    held, working, side, quantity, message = line.split(maxsplit=4)
    desk = desk_with(int(held))
    if working != "-":
        other, size, limit = working.replace("_", " ").replace("@", " ").split()
        desk.send(OrderSide(other), size, limit=limit)
    if message == "ok":
        desk.send(OrderSide(side), quantity)
    else:
        refusal = refusal_of(desk, OrderSide(side), quantity)
        assert (refusal.code, refusal.http, refusal.message) == (40310000, 403, message)


def test_the_refusal_of_shares_carries_the_numbers():
    desk = desk_with(10)
    waiting = desk.sell(4, limit="110")
    assert refusal_of(desk, SELL, "6.5").extra == {
        "symbol": "KO",
        "existing_qty": "10",
        "available": "6",
        "held_for_orders": "4",
        "related_orders": [desk.order(waiting).venue_order_id],
    }


def test_shares_of_a_cancelled_order_are_free_again():
    desk = desk_with(10)
    waiting = desk.sell(10, limit="110")
    desk.venue.cancel(waiting)
    desk.wait()
    desk.sell(10)
    assert desk.held() == 0


WASH = """
existing         new               refused
sell_limit_101   buy_limit_101     yes
sell_limit_101   buy_limit_100.99  no
sell_limit_101   buy_market_-      yes
sell_stop_90     buy_limit_80      yes
sell_limit_101   buy_trailing_-    no
sell_trailing_-  buy_market_-      no
"""


@pytest.mark.parametrize("line", WASH.strip().splitlines()[1:])
def test_orders_that_could_meet_each_other_are_refused(line):
    existing, new, refused = line.split()
    desk = desk_with(10)
    waiting = desk.send(**_terms(existing))
    terms = _terms(new)
    if refused == "no":
        desk.send(**terms)
    else:
        refusal = refusal_of(desk, **terms)
        assert refusal.message == "potential wash trade detected. use complex orders"
        assert refusal.extra["existing_order_id"] == desk.order(waiting).venue_order_id
        kind = "limit" if "limit" in existing and "limit" in new else "market/stop"
        assert refusal.extra["reject_reason"] == f"opposite side {kind} order exists"


def _terms(text: str) -> dict:
    side, kind, price = text.split("_")
    terms: dict = {"side": OrderSide(side), "quantity": 5}
    if kind == "trailing":
        return terms | {"kind": OrderType.TRAILING_STOP, "trail_price": Decimal(20)}
    return terms if kind == "market" else terms | {kind: price}


MONEY = """
cash   multiplier  side  quantity  price   verdict
1000   1           buy   9         limit   ok         # 9 at 100 is 900
1000   1           buy   10        limit   ok         # exactly all of it
1000   1           buy   11        limit   refused
1000   2           buy   20        limit   ok
1000   1           buy   10        market  refused    # 1000.20 at the ask
1000   1           buy   9         stop@105  ok         # 945 at the stop
1000   1           buy   10        stop@105  refused
1000   1           buy   9         trail@5   ok         # 945 at a stop 5 above the last trade
1000   1           buy   10        trail@5   refused
1000   1           sell  9         market  ok         # 927.19 at the ask and three per cent
1000   1           sell  10        market  refused
1000   1           sell  10        limit   refused    # a limit of 100 reckons with no less
1000   1           sell  9         limit@115  refused    # and one of 115 with more: 1035
"""


@pytest.mark.parametrize("line", MONEY.strip().splitlines()[1:])
def test_opening_orders_need_buying_power(line):
    cash, multiplier, side, quantity, price, verdict = line.split("#")[0].split()
    desk = desk_with(cash=cash, multiplier=Decimal(multiplier))
    name, _, number = price.partition("@")
    fields: dict = {} if name == "market" else {name: number or "100"}
    if name == "trail":
        fields = {"kind": OrderType.TRAILING_STOP, "trail_price": Decimal(number)}
    if verdict == "ok":
        desk.send(OrderSide(side), quantity, **fields)
    else:
        refusal = refusal_of(desk, OrderSide(side), quantity, **fields)
        assert (refusal.code, refusal.http) == (40310000, 403)
        assert refusal.message == "insufficient buying power"
        assert refusal.extra["buying_power"] == str(int(cash) * int(multiplier))


def test_open_orders_hold_back_buying_power_until_they_are_gone():
    desk = desk_with(cash="1000", multiplier=Decimal(1))
    waiting = desk.buy(6, limit="90")
    assert desk.venue.account().buying_power == 1000 - 540
    assert refusal_of(desk, BUY, 6, limit="90").message == "insufficient buying power"
    desk.venue.cancel(waiting)
    desk.wait()
    assert desk.venue.account().buying_power == 1000


def test_an_execution_turns_reserved_money_into_a_position():
    desk = desk_with(cash="1000", multiplier=Decimal(2))
    desk.buy(5, limit="100.02")
    account = desk.venue.account()
    assert account.cash == Decimal("499.90")
    assert account.buying_power == 2 * account.equity - account.long_value


def test_what_has_traded_of_an_order_holds_nothing_back():
    desk = VenueDesk(cash="10000", multiplier=Decimal(1), fills=FillModel(participation=Decimal("0.1")))
    desk.quote(volume="100")
    desk.buy(10)
    desk.quote(volume="20")
    desk.sell(6, limit="99")  # two trade, four stay reserved
    assert desk.held() == 8
    assert refusal_of(desk, SELL, 5, limit="110").extra["available"] == "4"
    desk.quote(symbol="PEP", volume="20")
    desk.buy(notional=Decimal(1000), symbol="PEP")  # two shares trade
    account = desk.venue.account()
    assert account.buying_power == account.equity - account.long_value - (1000 - 2 * Decimal("100.02"))


def test_the_rest_of_an_opening_order_holds_back_its_share():
    desk = VenueDesk(cash="10000", multiplier=Decimal(1), fills=FillModel(participation=Decimal("0.1")))
    desk.quote(volume="40")
    desk.buy(10, limit="101")
    account = desk.venue.account()
    assert desk.held() == 4
    assert account.buying_power == account.equity - account.long_value - 6 * 101


def test_closing_orders_need_no_buying_power():
    desk = desk_with(19, cash="1000", multiplier=Decimal(2))
    assert desk.venue.account().cash < 0
    desk.sell(19)
    assert desk.held() == 0


def test_short_selling_may_be_switched_off_or_be_impossible_for_an_asset():
    assert refusal_of(desk_with(allow_short=False), SELL).message == "account is not allowed to short"
    desk = desk_with()
    desk.quote(symbol="IVORY")
    assert refusal_of(desk, SELL, symbol="IVORY").message == 'asset "IVORY" cannot be sold short'


def test_auctions_take_orders_until_shortly_before_they_are_held():
    desk = VenueDesk()
    desk.quote()
    desk.move(MONDAY.close - timedelta(minutes=10))
    desk.buy(1, in_force=TimeInForce.CLS)
    desk.wait(seconds=1)
    assert "10 minutes before the close" in refusal_of(desk, BUY, 1, in_force=TimeInForce.CLS).message
    desk.close()
    desk.buy(1, in_force=TimeInForce.OPG)
    desk.move(TUESDAY.open - timedelta(minutes=2))
    desk.buy(1, in_force=TimeInForce.OPG)
    desk.wait(seconds=1)
    assert "2 minutes before the open" in refusal_of(desk, BUY, 1, in_force=TimeInForce.OPG).message


SALES = [({"notional": Decimal(100)}, {}), ({}, {"notional": Decimal(100)})]


@pytest.mark.parametrize(("first", "second"), SALES)
def test_outside_the_session_a_sale_for_dollars_is_the_only_sale(first, second):
    desk = desk_with(held=10)
    desk.close()
    desk.sell(1, **first)
    message = "unable to open new notional orders while having open closing position orders"
    assert refusal_of(desk, SELL, 1, **second).message == message
    desk.open(TUESDAY)
    desk.quote()
    desk.sell(1, **second)


def test_outside_the_session_orders_are_valued_at_the_last_trade():
    desk = desk_with(cash="1000", multiplier=Decimal(1))
    desk.close()
    desk.buy(10)
    assert desk.venue.account().buying_power == 0
