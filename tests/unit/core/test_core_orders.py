"""Orders: exact numbers, known words, and what an order can tell about itself."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.orders import (
    Order,
    OrderClass,
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)

PLAIN: dict[str, Any] = {
    "symbol": "KO",
    "side": "buy",
    "order_type": "market",
    "time_in_force": "day",
    "quantity": Decimal(10),
}
EXITS = {"take_profit": TakeProfit(limit_price=Decimal("11.00")), "stop_loss": StopLoss(stop_price=Decimal("9.00"))}


def make(**changes):
    """A plain market order with changes."""
    return Order(**{**PLAIN, **changes})


# -- numbers -----------------------------------------------------------------------------------------------------------

NUMBER_FIELDS: dict[str, dict] = {
    "quantity": {},
    "notional": {"quantity": None},
    "limit_price": {"order_type": "limit"},
    "stop_price": {"order_type": "stop"},
    "trail_price": {"order_type": "trailing_stop"},
    "trail_percent": {"order_type": "trailing_stop"},
}

NOT_EXACT = [10.5, True, "ten", "NaN", "Infinity", "1E+999999", "0.0000000001", "9" * 99, 0, "-0", -1]


@pytest.mark.parametrize("field", NUMBER_FIELDS)
@pytest.mark.parametrize("value", NOT_EXACT, ids=lambda value: repr(value)[:20])
def test_every_number_of_an_order_is_exact_and_above_zero(field, value):
    with pytest.raises(InvalidOrder) as refusal:
        make(**{**NUMBER_FIELDS[field], field: value})
    assert field == refusal.value.field


@pytest.mark.parametrize("field", NUMBER_FIELDS)
@pytest.mark.parametrize("value", [7, "7", Decimal(7), "7.000000000000"])
def test_numbers_may_be_written_as_decimal_integer_or_text(field, value):
    number = getattr(make(**{**NUMBER_FIELDS[field], field: value}), field)
    assert (Decimal, 7) == (type(number), number)


LEGS = [
    (lambda value: TakeProfit(limit_price=value), "take_profit.limit_price"),
    (lambda value: StopLoss(stop_price=value), "stop_loss.stop_price"),
    (lambda value: StopLoss(stop_price=Decimal(9), limit_price=value), "stop_loss.limit_price"),
]


@pytest.mark.parametrize(("make_leg", "place"), LEGS, ids=[place for _, place in LEGS])
@pytest.mark.parametrize("value", NOT_EXACT, ids=lambda value: repr(value)[:20])
def test_the_prices_of_legs_are_exact_and_above_zero(make_leg, place, value):
    with pytest.raises(InvalidOrder) as refusal:
        make_leg(value)
    assert place == refusal.value.field


@pytest.mark.parametrize(("make_leg", "place"), LEGS, ids=[place for _, place in LEGS])
@pytest.mark.parametrize("value", [8, "8", "8.00", Decimal(8)])
def test_the_prices_of_legs_may_be_written_as_decimal_integer_or_text(make_leg, place, value):
    price = getattr(make_leg(value), place.split(".")[1])
    assert (Decimal, 8) == (type(price), price)


def test_a_stop_loss_without_limit_price_is_a_plain_stop():
    assert StopLoss(stop_price=Decimal(9)).limit_price is None


@pytest.mark.parametrize("field", ["take_profit", "stop_loss"])
def test_a_leg_of_another_kind_is_refused(field):
    """For instance a dictionary, as the vendor's SDK takes it."""
    with pytest.raises(InvalidOrder, match=f"{field}: give a "):
        make(order_class="bracket", **{**EXITS, field: {"limit_price": "11"}})


def test_shares_and_dollars_exclude_each_other():
    with pytest.raises(InvalidOrder, match="notional: give quantity"):
        make(notional=Decimal(100))


@pytest.mark.parametrize("nothing", [None, 0, Decimal("0.00"), ""])
def test_a_dollar_order_has_the_quantity_zero_however_that_was_written(nothing):
    order = make(side="sell", quantity=nothing, notional="100")
    assert ("0", "0") == (str(order.quantity), str(abs(order.signed_quantity)))


def test_an_order_without_any_size_is_refused():
    with pytest.raises(InvalidOrder, match=r"quantity: give quantity \(shares\) or notional"):
        Order(**{field: value for field, value in PLAIN.items() if field != "quantity"})
    with pytest.raises(InvalidOrder, match="quantity: 0 must be above zero"):
        Order(**{**PLAIN, "quantity": 0})


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "choices"),
    [
        ("side", "buy, sell"),
        ("order_type", "market, limit, stop, stop_limit, trailing_stop"),
        ("time_in_force", "day, gtc, ioc, fok, opg, cls"),
        ("order_class", "simple, bracket, oco, oto"),
    ],
)
@pytest.mark.parametrize("value", ["", "BUY", "Market", "good", 1, [], OrderClass])
def test_an_unknown_word_is_refused_with_the_words_that_exist(field, choices, value):
    with pytest.raises(InvalidOrder) as refusal:
        make(**{field: value})
    assert (field, True) == (refusal.value.field, str(refusal.value).endswith(f" is none of {choices}"))


def test_words_may_be_written_as_text():
    order = make(side="sell", order_type="limit", limit_price=9, time_in_force="gtc", order_class="simple")
    assert (OrderSide.SELL, OrderType.LIMIT, TimeInForce.GTC, OrderClass.SIMPLE) == (
        order.side,
        order.order_type,
        order.time_in_force,
        order.order_class,
    )
    assert make() == make(side=OrderSide.BUY, order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY)


@pytest.mark.parametrize("symbol", ["", " ", "K O", "KO\n", "KO\x00", "K" * 33, 7, b"KO"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(InvalidOrder, match=r"symbol: .* is not a symbol"):
        make(symbol=symbol)


@pytest.mark.parametrize("symbol", ["A", "KO", "BRK.B", "BF-B", "K" * 32])
def test_symbols_are_taken_as_the_broker_spells_them(symbol):
    assert symbol == make(symbol=symbol).symbol


@pytest.mark.parametrize("identity", ["x" * 129, "café", "a\nb", "\x7f", 7])
def test_a_client_order_id_that_the_broker_would_refuse_is_refused(identity):
    with pytest.raises(InvalidOrder, match="client_order_id: at most 128 printable ASCII characters"):
        make(client_order_id=identity)


@pytest.mark.parametrize("identity", ["", "5f1c-12-3", "x" * 128, "with blanks ~"])
def test_client_order_ids_of_up_to_128_printable_characters_are_taken(identity):
    assert identity == make(client_order_id=identity).client_order_id


# -- what an order can tell --------------------------------------------------------------------------------------------


def test_the_two_sides_are_opposites():
    assert (1, -1) == (OrderSide.BUY.sign, OrderSide.SELL.sign)
    assert (OrderSide.SELL, OrderSide.BUY) == (OrderSide.BUY.opposite, OrderSide.SELL.opposite)


@pytest.mark.parametrize(("side", "signed"), [("buy", "10"), ("sell", "-10")])
def test_the_signed_quantity_is_positive_for_buys(side, signed):
    assert Decimal(signed) == make(side=side).signed_quantity


@pytest.mark.parametrize(
    ("size", "is_fractional"),
    [
        ({"quantity": "10"}, False),
        ({"quantity": "10.000"}, False),
        ({"quantity": "999999999999999"}, False),
        ({"quantity": "10.000000001"}, True),
        ({"quantity": "0.5"}, True),
        ({"quantity": None, "notional": "10"}, True),
    ],
)
def test_parts_of_a_share_and_dollars_are_fractional(size, is_fractional):
    assert is_fractional is make(**size).is_fractional


def test_an_order_never_changes_and_gets_its_id_as_a_copy():
    order = make()
    with pytest.raises(AttributeError):
        order.quantity = Decimal(1000)
    named = order.with_id("5f1c-1-0")
    assert ("", "5f1c-1-0") == (order.client_order_id, named.client_order_id)
    assert order == named.with_id("")
    with pytest.raises(InvalidOrder):
        order.with_id("x" * 129)


def test_an_order_is_written_as_text_without_what_was_not_said():
    order = make(order_class="oto", order_type="limit", limit_price="10.10", stop_loss=EXITS["stop_loss"])
    text = (
        '{"symbol":"KO","side":"buy","order_type":"limit","time_in_force":"day","quantity":"10",'
        '"limit_price":"10.10","order_class":"oto","stop_loss":{"stop_price":"9.00"}}'
    )
    assert text == msgspec.json.encode(order).decode()
    assert order == msgspec.json.decode(text, type=Order)


@pytest.mark.parametrize(
    "text",
    [
        '{"symbol":"KO","side":"buy","order_type":"market","time_in_force":"day"}',
        '{"symbol":"KO","side":"buy","order_type":"market","time_in_force":"day","quantity":"-1"}',
        '{"symbol":"KO","side":"buy","order_type":"market","time_in_force":"day","quantity":"1e999999"}',
        '{"symbol":"KO","side":"up","order_type":"market","time_in_force":"day","quantity":"1"}',
        '{"symbol":"KO","side":"buy","order_type":"limit","time_in_force":"day","quantity":"1"}',
        '{"symbol":"KO","side":"buy","order_type":"market","time_in_force":"day","quantity":"1","order_class":"oto",'
        '"take_profit":{"limit_price":"0"}}',
    ],
)
def test_an_illegal_order_cannot_be_read_either(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Order)
