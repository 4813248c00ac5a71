"""Orders: every combination that the broker takes can be built, and no other.

The rules are written down here a second time, in the shape in which the broker documents them, so that a slip
in the table of the package does not go unnoticed.
"""

from decimal import Decimal
from itertools import chain, combinations, product
from types import MappingProxyType

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

WHOLE_SHARES = """
tif   market  limit  stop  stop_limit  trailing_stop
day   yes     yes    yes   yes         yes
gtc   yes     yes    yes   yes         yes
ioc   yes     yes    no    no          no
fok   yes     yes    no    no          no
opg   yes     yes    no    no          no
cls   yes     yes    no    no          no
"""

CARRIED = """
class    type           price fields
simple   market
simple   limit          limit_price
simple   stop           stop_price
simple   stop_limit     limit_price stop_price
simple   trailing_stop  trail_price                       # dollars or
simple   trailing_stop  trail_percent                     # percent, never both
bracket  market         take_profit stop_loss
bracket  limit          limit_price take_profit stop_loss
oto      market         take_profit                       # one exit or
oto      market         stop_loss                         # the other
oto      limit          limit_price take_profit
oto      limit          limit_price stop_loss
oco      limit          take_profit stop_loss             # the take-profit is the limit order
"""

PRICES = MappingProxyType(
    {
        "limit_price": Decimal("10.10"),
        "stop_price": Decimal("9.90"),
        "trail_price": Decimal("0.25"),
        "trail_percent": Decimal("1.5"),
        "take_profit": TakeProfit(limit_price=Decimal("11.00")),
        "stop_loss": StopLoss(stop_price=Decimal("9.00"), limit_price=Decimal("8.95")),
    }
)

SIZES = MappingProxyType(
    {
        "whole": {"quantity": Decimal(10)},
        "fractional": {"quantity": Decimal("0.123456789")},
        "dollars": {"notional": Decimal("250.00")},
    }
)


def rows(table):
    """The lines of a table as lists of words, without heading and remarks."""
    return [line.split("#")[0].split() for line in table.strip().splitlines()[1:]]


def carried_by(order_class, order_type):
    """The sets of price fields that the broker takes with a class and type; empty when it takes no such order."""
    return [set(fields) for name, kind, *fields in rows(CARRIED) if (name, kind) == (order_class, order_type)]


def whole_shares_allowed(order_type, time_in_force):
    types = WHOLE_SHARES.split("\n")[1].split()[1:]
    return {row[0]: dict(zip(types, row[1:], strict=True)) for row in rows(WHOLE_SHARES)}[time_in_force][
        order_type
    ] == "yes"


def is_legal(order_class, order_type, time_in_force, size, extended_hours):
    """The broker's rules as its documentation tells them."""
    if size != "whole" and (
        order_class != "simple" or time_in_force != "day" or order_type not in {"market", "limit", "stop", "stop_limit"}
    ):
        return False
    if extended_hours and (order_class != "simple" or order_type != "limit" or time_in_force not in {"day", "gtc"}):
        return False
    if order_class in {"bracket", "oto"}:
        return order_type in {"market", "limit"} and time_in_force in {"day", "gtc"}
    if order_class == "oco":
        return order_type == "limit" and time_in_force in {"day", "gtc"}
    return whole_shares_allowed(order_type, time_in_force)


def make(**changes):
    """A plain market order with changes; None takes a field away."""
    fields = {"symbol": "KO", "side": "buy", "order_type": "market", "time_in_force": "day", "quantity": Decimal(10)}
    return Order(**{field: value for field, value in {**fields, **changes}.items() if value is not None})


def can_be_made(**fields):
    try:
        make(**fields)
    except InvalidOrder:
        return False
    return True


# -- the table of combinations -----------------------------------------------------------------------------------------


def test_every_combination_of_class_type_time_size_and_session_is_taken_or_refused_as_the_broker_does():
    combinations_tried, surprises = 0, []
    for order_class, order_type, time, size, extended in product(
        OrderClass, OrderType, TimeInForce, SIZES, [False, True]
    ):
        groups = carried_by(order_class, order_type) or [set(), {"limit_price"}, {"take_profit", "stop_loss"}]
        expected = is_legal(order_class, order_type, time, size, extended)
        for group in groups:
            combinations_tried += 1
            made = can_be_made(
                order_class=order_class,
                order_type=order_type,
                time_in_force=time,
                extended_hours=extended,
                **{"quantity": None, **SIZES[size]},
                **{field: PRICES[field] for field in group},
            )
            if made is not expected:
                surprises.append((order_class, order_type, time, size, extended, group))
    assert [] == surprises
    assert combinations_tried > 4 * 5 * 6 * 3 * 2


def test_an_order_carries_exactly_the_prices_of_its_class_and_type():
    subsets = list(chain.from_iterable(combinations(PRICES, n) for n in range(len(PRICES) + 1)))
    surprises = [
        (order_class, order_type, fields)
        for order_class, order_type, fields in product(OrderClass, OrderType, subsets)
        if can_be_made(order_class=order_class, order_type=order_type, **{field: PRICES[field] for field in fields})
        is not (set(fields) in carried_by(order_class, order_type))
    ]
    assert [] == surprises
    assert 2**6 == len(subsets)


NAMED = """
class    type           carried                              culprit        words
simple   market         limit_price                          limit_price    a_simple_market_order_takes_no_limit_price
simple   market         stop_price                           stop_price     takes_no_stop_price
simple   market         trail_percent                        trail_percent  takes_no_trail_percent
simple   market         take_profit                          take_profit    takes_no_take_profit
simple   market         stop_loss                            stop_loss      takes_no_stop_loss
simple   limit          -                                    limit_price    a_simple_limit_order_needs_limit_price
simple   limit          limit_price,stop_price               stop_price     takes_no_stop_price
simple   stop           -                                    stop_price     needs_stop_price
simple   stop           limit_price,stop_price               limit_price    takes_no_limit_price
simple   stop_limit     limit_price                          stop_price     needs_stop_price
simple   stop_limit     stop_price                           limit_price    needs_limit_price
simple   trailing_stop  -                                    trail_price    exactly_one_of_trail_price_and_trail_percent
simple   trailing_stop  trail_price,trail_percent            trail_price    exactly_one_of_trail_price_and_trail_percent
simple   trailing_stop  stop_price,trail_price               stop_price     takes_no_stop_price
bracket  market         take_profit                          stop_loss      a_bracket_market_order_needs_stop_loss
bracket  market         stop_loss                            take_profit    needs_take_profit
bracket  limit          take_profit,stop_loss                limit_price    needs_limit_price
oto      market         -                                    take_profit    exactly_one_of_take_profit_and_stop_loss
oto      market         take_profit,stop_loss                take_profit    exactly_one_of_take_profit_and_stop_loss
oto      limit          take_profit                          limit_price    needs_limit_price
oco      limit          limit_price,take_profit,stop_loss    limit_price    takes_no_limit_price
oco      limit          take_profit                          stop_loss      needs_stop_loss
bracket  stop           stop_price,take_profit,stop_loss     order_type     stop_is_not_possible_in
oco      market         take_profit,stop_loss                order_type     market_is_not_possible_in
"""


@pytest.mark.parametrize(("order_class", "order_type", "carried", "culprit", "words"), rows(NAMED))
def test_the_refusal_names_the_field_to_correct(order_class, order_type, carried, culprit, words):
    prices = {field: PRICES[field] for field in carried.split(",") if field != "-"}
    with pytest.raises(InvalidOrder) as refusal:
        make(order_class=order_class, order_type=order_type, **prices)
    assert culprit == refusal.value.field
    assert words.replace("_", " ") in str(refusal.value).replace("_", " ")


TIMES = [
    ({"order_type": "stop", "stop_price": 9, "time_in_force": "ioc"},
     "time_in_force", "a simple stop order must be day or gtc, not ioc"),
    ({"quantity": "0.5", "time_in_force": "gtc"},
     "time_in_force", "a fractional or dollar simple market order must be day, not gtc"),
    ({"quantity": "0.5", "order_type": "trailing_stop", "trail_price": 1},
     "order_type", "a fractional or dollar simple trailing_stop order does not exist"),
    ({"extended_hours": True},
     "order_type", "an extended-hours simple market order does not exist"),
    ({"extended_hours": True, "order_type": "limit", "limit_price": 9, "time_in_force": "opg"},
     "time_in_force", "an extended-hours simple limit order must be day or gtc, not opg"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "field", "words"), TIMES)
def test_a_time_in_force_that_does_not_fit_is_refused_with_those_that_do(changes, field, words):
    with pytest.raises(InvalidOrder) as refusal:
        make(**changes)
    assert (field, f"{field}: {words}") == (refusal.value.field, str(refusal.value))


# -- numbers -----------------------------------------------------------------------------------------------------------

NUMBER_FIELDS = {
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


def test_the_prices_of_legs_may_be_written_as_text():
    assert TakeProfit(limit_price=Decimal("11.00")) == TakeProfit(limit_price="11.00")
    assert StopLoss(stop_price=Decimal(9), limit_price=Decimal("8.9")) == StopLoss(stop_price=9, limit_price="8.9")
    assert StopLoss(stop_price=9).limit_price is None


@pytest.mark.parametrize("field", ["take_profit", "stop_loss"])
def test_a_leg_of_another_kind_is_refused(field):
    """For instance a dictionary, as the vendor's SDK takes it."""
    legs = {"take_profit": PRICES["take_profit"], "stop_loss": PRICES["stop_loss"], field: {"limit_price": "11"}}
    with pytest.raises(InvalidOrder, match=f"{field}: give a "):
        make(order_class="bracket", **legs)


def test_shares_and_dollars_exclude_each_other():
    with pytest.raises(InvalidOrder, match="notional: give quantity"):
        make(notional=Decimal(100))


@pytest.mark.parametrize("nothing", [None, 0, Decimal("0.00"), ""])
def test_a_dollar_order_has_the_quantity_zero_however_that_was_written(nothing):
    order = Order(symbol="KO", side="sell", order_type="market", time_in_force="day", quantity=nothing, notional=100)
    assert ("0", "0") == (str(order.quantity), str(abs(order.signed_quantity)))


def test_an_order_without_any_size_is_refused():
    with pytest.raises(InvalidOrder, match="quantity: 0 must be above zero"):
        make(quantity=None)


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
    assert all(isinstance(word, OrderSide | OrderType | TimeInForce | OrderClass)
               for word in (order.side, order.order_type, order.time_in_force, order.order_class))  # fmt: skip


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
    order = make(order_class="oto", order_type="limit", limit_price="10.10", stop_loss=PRICES["stop_loss"])
    text = (
        '{"symbol":"KO","side":"buy","order_type":"limit","time_in_force":"day","quantity":"10",'
        '"limit_price":"10.10","order_class":"oto","stop_loss":{"stop_price":"9.00","limit_price":"8.95"}}'
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
