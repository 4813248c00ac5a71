"""Rules of orders: every combination that the broker takes can be built, and no other.

The rules are written down here a second time, in the shape in which the broker documents them, so that a slip
in the table of the package does not go unnoticed.
"""

from decimal import Decimal
from itertools import chain, combinations, product
from types import MappingProxyType

import pytest

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.orders import Order, OrderClass, OrderType, StopLoss, TakeProfit, TimeInForce

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
    row = next(row for row in rows(WHOLE_SHARES) if row[0] == time_in_force)
    return "yes" == row[1 + types.index(order_type)]


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
