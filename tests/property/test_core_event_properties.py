"""What holds for every order and every event: they come back from the journal as they were."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.events import AnyEvent
from quant_trading_system.core.orders import LEGAL_COMBINATIONS, Order, OrderSide, StopLoss, TakeProfit
from quant_trading_system.core.signals import Direction, Signal


def for_all(*values):
    """`given`, and no time limit for one example: something else may be running on the machine."""
    return lambda test: settings(deadline=None)(given(*values)(test))


def decimals(places, least, most):
    """Decimals with exactly `places` decimals from `least` to `most` steps of the last one."""
    return st.integers(least, most).map(lambda steps: Decimal(steps).scaleb(-places))


NUMBERS = decimals(9, -(10**24), 10**24) | st.decimals(allow_nan=False, allow_infinity=False)
PRICES = st.one_of(decimals(4, 1, 50_000_000), decimals(2, 1, 50_000_000), decimals(9, 1, 10**11))
QUANTITIES = st.one_of(decimals(0, 1, 100_000), decimals(9, 1, 10**13), decimals(9, 1, 1000))
SYMBOLS = st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ.-", min_size=1, max_size=8)
STOP_LOSSES = st.builds(StopLoss, stop_price=PRICES, limit_price=st.none() | PRICES)
PRICE_FIELDS = {"take_profit": st.builds(TakeProfit, limit_price=PRICES), "stop_loss": STOP_LOSSES}


@st.composite
def orders(draw):
    """Every order that the table of combinations lets through."""
    order_class, order_type = draw(st.sampled_from(sorted(LEGAL_COMBINATIONS)))
    legal = LEGAL_COMBINATIONS[order_class, order_type]
    time_in_force = draw(st.sampled_from(sorted(legal.time_in_force)))
    size = {"quantity": draw(decimals(0, 1, 10**9))}
    if time_in_force in legal.fractional:
        size = draw(
            st.sampled_from([size, {"quantity": draw(QUANTITIES)}, {"notional": draw(decimals(2, 100, 10**9))}])
        )
    return Order(
        symbol=draw(SYMBOLS),
        side=draw(st.sampled_from(OrderSide)),
        order_type=order_type,
        time_in_force=time_in_force,
        order_class=order_class,
        extended_hours=time_in_force in legal.extended_hours and draw(st.booleans()),
        client_order_id=draw(st.text(alphabet="0123456789abcdef-", max_size=128)),
        strategy=draw(st.text(max_size=20)),
        reduce_only=draw(st.booleans()),
        repeat=draw(st.booleans()),
        **size,
        **{field: draw(PRICE_FIELDS.get(field, PRICES)) for field in draw(st.sampled_from(sorted(legal.prices)))},
    )


SHARES_OF_ONE = decimals(9, 0, 10**9)
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds it

SIGNALS = st.builds(
    Signal,
    symbol=SYMBOLS,
    direction=st.sampled_from(Direction),
    at=MOMENTS,
    source=st.text(max_size=20),
    strength=SHARES_OF_ONE,
    confidence=SHARES_OF_ONE,
    weight=st.none() | decimals(4, 0, 100_000),
    stop_price=st.none() | PRICES,
    expires_at=st.none() | MOMENTS,
    reason=st.text(max_size=20),
)

SIMPLE = {
    str: st.text(max_size=20),
    int: st.integers(0, 2**53),
    bool: st.booleans(),
    Decimal: NUMBERS,
    datetime: MOMENTS,
    type(None): st.none(),
    Order: orders(),
    Signal: SIGNALS,
    Any: st.recursive(
        st.none() | st.booleans() | st.integers(0, 2**53) | st.text(max_size=10),
        lambda parts: st.lists(parts, max_size=2) | st.dictionaries(st.text(max_size=5), parts, max_size=2),
        max_leaves=4,
    ),
}


def anything(kind):
    """Values of any type that a field of an event may have."""
    if kind in SIMPLE:
        return SIMPLE[kind]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple:
        return st.lists(anything(parts[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(anything(parts[0]), anything(parts[1]), max_size=3)
    if parts:
        return st.one_of(*map(anything, parts))
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    hints = get_type_hints(kind)
    return st.builds(kind, **{field: anything(hints[field]) for field in kind.__struct_fields__})


def decimals_in(value):
    """Every decimal inside, as text."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in decimals_in(part)]
    if isinstance(value, list | tuple):
        return [text for part in value for text in decimals_in(part)]
    return [str(value)] if isinstance(value, Decimal) else []


def words_in(value):
    """Every text inside a JSON value."""
    if isinstance(value, dict):
        return [word for part in value.values() for word in words_in(part)]
    if isinstance(value, list):
        return [word for part in value for word in words_in(part)]
    return [value] if isinstance(value, str) else []


@for_all(orders())
def test_every_legal_order_is_read_back_as_it_was_written(order):
    body = msgspec.json.encode(order)
    read = msgspec.json.decode(body, type=Order)
    assert (order, body) == (read, msgspec.json.encode(read))


@for_all(orders())
def test_an_order_sells_what_the_same_order_on_the_other_side_buys(order):
    other = msgspec.structs.replace(order, side=order.side.opposite)
    assert 0 == order.signed_quantity + other.signed_quantity
    assert order.is_fractional is other.is_fractional


@pytest.mark.parametrize("kind", get_args(AnyEvent), ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_every_event_comes_back_from_json_with_nothing_lost(kind, data):
    event = data.draw(anything(kind))
    body = msgspec.json.encode(event)
    read = msgspec.json.decode(body, type=AnyEvent)
    assert kind is type(read)
    assert (event, body) == (read, msgspec.json.encode(read))
    numbers = decimals_in(msgspec.to_builtins(read, builtin_types=(Decimal,)))
    assert set(numbers) <= set(words_in(msgspec.json.decode(body)))
