"""What goes over the wire to Alpaca and comes back: every kind of order, every status, and never a lost digit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import (
    LEGAL_COMBINATIONS,
    Order,
    OrderClass,
    OrderSide,
    OrderType,
    StopLoss,
    TakeProfit,
    TimeInForce,
)
from quant_trading_system.execution import alpaca_wire as wire
from quant_trading_system.execution.alpaca_market import StreamItem, StreamQuote
from quant_trading_system.execution.alpaca_models import (
    AlpacaAccount,
    AlpacaOrder,
    AlpacaPosition,
    FillActivity,
    TradeUpdate,
)
from tests.support.alpaca_lines import activity_json, fill_json, order_json, stamp
from tests.support.orders import buy, sell

D = Decimal
S = OrderStatus


def sent(order: Order) -> dict[str, Any]:
    """The body of an order, parsed; numbers that are not text would show."""
    return json.loads(wire.order_body(order))


def shown(**fields: Any) -> AlpacaOrder:
    return wire.read_json(json.dumps(order_json(**fields)).encode(), AlpacaOrder)


# -- orders --------------------------------------------------------------------------------------------------------

COMMON = {"symbol": "KO", "side": "sell", "client_order_id": "a-1"}
ORDERS: list[tuple[Order, dict[str, Any]]] = [
    (
        sell(3, client_order_id="a-1"),
        {"qty": "3", "type": "market", "time_in_force": "day"},
    ),
    (
        sell(3, limit="61.250", time_in_force=TimeInForce.GTC, client_order_id="a-1"),
        {"qty": "3", "type": "limit", "time_in_force": "gtc", "limit_price": "61.25"},
    ),
    (
        sell(3, limit="0.0425", extended_hours=True, client_order_id="a-1"),
        {"qty": "3", "type": "limit", "time_in_force": "day", "limit_price": "0.0425", "extended_hours": True},
    ),
    (
        sell(3, order_type=OrderType.STOP, stop_price=D("58.10"), client_order_id="a-1"),
        {"qty": "3", "type": "stop", "time_in_force": "day", "stop_price": "58.1"},
    ),
    (
        sell(3, limit="58", order_type=OrderType.STOP_LIMIT, stop_price=D("58.10"), client_order_id="a-1"),
        {"qty": "3", "type": "stop_limit", "time_in_force": "day", "stop_price": "58.1", "limit_price": "58"},
    ),
    (
        sell(3, order_type=OrderType.TRAILING_STOP, trail_price=D("1.50"), client_order_id="a-1"),
        {"qty": "3", "type": "trailing_stop", "time_in_force": "day", "trail_price": "1.5"},
    ),
    (
        sell(3, order_type=OrderType.TRAILING_STOP, trail_percent=D("2.25"), client_order_id="a-1"),
        {"qty": "3", "type": "trailing_stop", "time_in_force": "day", "trail_percent": "2.25"},
    ),
    (
        sell("0.123456789", client_order_id="a-1"),
        {"qty": "0.123456789", "type": "market", "time_in_force": "day"},
    ),
    (
        sell(0, notional=D("250.40"), client_order_id="a-1"),
        {"notional": "250.4", "type": "market", "time_in_force": "day"},
    ),
    (
        sell(3, limit="61", time_in_force=TimeInForce.IOC, client_order_id="a-1"),
        {"qty": "3", "type": "limit", "time_in_force": "ioc", "limit_price": "61"},
    ),
    (
        sell(
            3,
            limit="61",
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfit(limit_price=D("55.5")),
            stop_loss=StopLoss(stop_price=D("63"), limit_price=D("63.40")),
            client_order_id="a-1",
        ),
        {
            "qty": "3",
            "type": "limit",
            "time_in_force": "day",
            "limit_price": "61",
            "order_class": "bracket",
            "take_profit": {"limit_price": "55.5"},
            "stop_loss": {"stop_price": "63", "limit_price": "63.4"},
        },
    ),
    (
        sell(
            3,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.GTC,
            order_class=OrderClass.OCO,
            take_profit=TakeProfit(limit_price=D("66")),
            stop_loss=StopLoss(stop_price=D("57")),
            client_order_id="a-1",
        ),
        {
            "qty": "3",
            "type": "limit",
            "time_in_force": "gtc",
            "order_class": "oco",
            "take_profit": {"limit_price": "66"},
            "stop_loss": {"stop_price": "57"},
        },
    ),
    (
        sell(3, order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=D("63")), client_order_id="a-1"),
        {
            "qty": "3",
            "type": "market",
            "time_in_force": "day",
            "order_class": "oto",
            "stop_loss": {"stop_price": "63"},
        },
    ),
]


@pytest.mark.parametrize(("order", "body"), ORDERS, ids=lambda case: "" if isinstance(case, Order) else str(case))
def test_an_order_is_written_with_its_own_fields_and_numbers_as_text(order, body):
    assert sent(order) == COMMON | body


def test_an_order_without_an_id_is_not_written():
    with pytest.raises(InvalidOrder, match="client_order_id"):
        wire.order_body(buy(1))


exact_prices = st.decimals("0.0001", "99999.9999", places=4)
quantities = st.integers(1, 10**8).map(Decimal)
fractions = st.decimals("0.000000001", "9999.999999999", places=9)


@st.composite
def legal_orders(draw) -> Order:
    """Any order that can be built, with digits everywhere."""
    (order_class, order_type), row = draw(st.sampled_from(sorted(LEGAL_COMBINATIONS.items())))
    in_force = draw(st.sampled_from(sorted(row.time_in_force)))
    fields: dict[str, Any] = {}
    for name in draw(st.sampled_from(sorted(row.prices))):
        if name == "take_profit":
            fields[name] = TakeProfit(limit_price=draw(exact_prices))
        elif name == "stop_loss":
            fields[name] = StopLoss(stop_price=draw(exact_prices), limit_price=draw(st.none() | exact_prices))
        else:
            fields[name] = draw(exact_prices)
    if in_force in row.fractional and draw(st.booleans()):
        fields[draw(st.sampled_from(["quantity", "notional"]))] = draw(fractions)
    else:
        fields["quantity"] = draw(quantities)
    return Order(
        symbol="BRK.B",
        side=draw(st.sampled_from(OrderSide)),
        order_type=order_type,
        time_in_force=in_force,
        order_class=order_class,
        extended_hours=in_force in row.extended_hours and not row.fractional & {in_force} and draw(st.booleans()),
        client_order_id="p-1",
        **fields,
    )


@given(legal_orders())
def test_no_digit_is_lost_between_an_order_and_its_bytes(order):
    """Read back without floats, every number is the one that was meant, written in plain notation."""
    body = json.loads(wire.order_body(order), parse_float=lambda _: pytest.fail("a number is not text"))
    names = {"qty": order.quantity or None, "notional": order.notional}
    names |= {name: getattr(order, name) for name in ("limit_price", "stop_price", "trail_price", "trail_percent")}
    for leg in ("take_profit", "stop_loss"):
        part = getattr(order, leg)
        assert (leg in body) == (part is not None)
        for name in part.__struct_fields__ if part is not None else ():
            written = body[leg].get(name)
            assert (None if written is None else D(written)) == getattr(part, name)
    for name, value in names.items():
        assert (D(body[name]) if name in body else None) == value
        assert "E" not in body.get(name, "")


# -- replacements --------------------------------------------------------------------------------------------------


def replaced(order: Order, **before: Any) -> dict[str, Any]:
    return json.loads(wire.replace_body(shown(**before), order))


def test_a_replacement_names_what_changes_and_its_own_id():
    cheaper = buy(8, limit="60.90", client_order_id="mine-2")
    assert replaced(cheaper) == {"limit_price": "60.9", "client_order_id": "mine-2"}
    fewer = buy(5, limit="61.25", time_in_force=TimeInForce.GTC, client_order_id="mine-2")
    assert replaced(fewer) == {"qty": "5", "time_in_force": "gtc", "client_order_id": "mine-2"}


def test_the_trail_of_a_trailing_stop_is_replaced_under_its_own_name():
    order = sell(8, order_type=OrderType.TRAILING_STOP, trail_percent=D(3), client_order_id="mine-2")
    before = {"side": "sell", "type": "trailing_stop", "trail_percent": "2", "limit_price": None}
    assert replaced(order, **before) == {"trail": "3", "client_order_id": "mine-2"}


IRREPLACEABLE = [
    ("client_order_id", buy(8, limit="61", client_order_id="mine-1"), {}),
    ("symbol", buy(8, "XOM", limit="61", client_order_id="n"), {}),
    ("side", sell(8, limit="61", client_order_id="n"), {}),
    ("order_type", buy(8, client_order_id="n"), {}),
    ("quantity", buy("7.5", limit="61.25", client_order_id="n"), {}),
    ("notional", buy(8, limit="61", client_order_id="n"), {"qty": None, "notional": "500"}),
    ("limit_price", buy(8, limit="61.25", client_order_id="n"), {}),
]


@pytest.mark.parametrize(("field", "order", "before"), IRREPLACEABLE, ids=[case[0] for case in IRREPLACEABLE])
def test_a_replacement_that_the_broker_would_refuse_is_not_written(field, order, before):
    with pytest.raises(InvalidOrder) as caught:
        replaced(order, **before)
    assert caught.value.field == field


# -- answers -------------------------------------------------------------------------------------------------------


def test_an_order_is_read_with_exact_numbers_and_microseconds():
    order = shown(filled_qty="3.000000001", filled_avg_price="61.123456789", status="partially_filled")
    assert (order.qty, order.filled_qty, order.filled_avg_price) == (D(8), D("3.000000001"), D("61.123456789"))
    assert order.submitted_at == datetime(2027, 3, 9, 15, 0, 0, 1, tzinfo=UTC)


def test_times_are_read_with_a_z_or_an_offset_and_never_without():
    early = shown(updated_at="2027-03-09T10:00:00.5-05:00").updated_at
    assert early is not None
    assert early.astimezone(UTC) == datetime(2027, 3, 9, 15, 0, 0, 500000, tzinfo=UTC)
    with pytest.raises(msgspec.ValidationError, match="updated_at"):
        shown(updated_at="2027-03-09T10:00:00")


def test_unknown_fields_and_words_and_missing_options_break_nothing():
    least = {"id": "v", "client_order_id": "c", "symbol": "KO", "side": "buy", "status": "new", "filled_qty": "0"}
    order = wire.read_json(json.dumps({**least, "a_new_field": {"deep": [1]}}).encode(), AlpacaOrder)
    assert (order.qty, order.type, order.legs, order.updated_at) == (None, "", None, None)
    strange = shown(status="pending_miracle", type="pegged", time_in_force="gtd", order_class="mleg")
    assert wire.status_of(strange) is S.IN_DOUBT
    account = {"id": "i", "account_number": "PA1", "status": "ACTIVE", "cash": "1", "equity": "2"}
    assert wire.read_json(json.dumps(account).encode(), AlpacaAccount).buying_power is None


def test_numbers_may_come_as_json_numbers_and_stay_exact():
    assert shown(qty=0.1, filled_qty=0, limit_price=187.23000000000002).limit_price == D("187.23000000000002")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999999", "none", ""])
def test_what_is_no_finite_number_refuses_the_whole_message(value):
    if value == "1e999999":
        assert shown(limit_price=value).limit_price == D(value)  # finite, and refused where it would be used
        with pytest.raises(ValueError, match="too large"):
            wire.broker_order(shown(qty=value))
    else:
        with pytest.raises(msgspec.ValidationError):
            shown(limit_price=value)


STATUSES = """
accepted              0   held
accepted_for_bidding  0   held
held                  0   held
pending_review        0   held
pending_new           0   working
new                   0   working
new                   3   partially_filled
pending_cancel        0   working
pending_cancel        3   partially_filled
pending_replace       3   partially_filled
stopped               0   working
partially_filled      3   partially_filled
suspended             3   suspended
done_for_day          3   done_for_day
calculated            8   done_for_day
filled                8   filled
canceled              3   canceled
expired               0   expired
rejected              0   rejected
replaced              3   replaced
somewhere_else        0   in_doubt
"""


@pytest.mark.parametrize("row", STATUSES.strip().splitlines())
def test_every_word_for_a_status_has_its_meaning(row):
    word, filled, meaning = row.split()
    assert wire.status_of(shown(status=word, filled_qty=filled)) is S(meaning)


def test_the_table_of_statuses_is_complete():
    assert {row.split()[0] for row in STATUSES.strip().splitlines()} - {"somewhere_else"} == set(wire.STATUSES)


def test_an_order_in_dollars_has_the_quantity_that_it_traded():
    order = wire.broker_order(shown(qty=None, notional="500", filled_qty="8.163265306", status="filled"))
    assert (order.quantity, order.filled_quantity) == (D("8.163265306"), D("8.163265306"))


@given(quantity=fractions, price=st.decimals("0.000001", "999999.999999", places=6), total=fractions)
def test_no_digit_is_lost_between_the_bytes_of_a_fill_and_its_execution(quantity, price, total):
    order = order_json(filled_qty=str(total), status="partially_filled", qty=None, notional="1")
    data = {"event": "partial_fill", "order": order, "timestamp": stamp(), "qty": str(quantity), "price": str(price)}
    for packed in (json.dumps(data).encode(), msgspec.msgpack.encode(data)):
        read = wire.read_json if packed[:1] == b"{" else wire.read_msgpack
        execution = wire.execution_of_update(read(packed, TradeUpdate))
        assert (execution.quantity, execution.price, execution.cumulative_quantity) == (quantity, price, total)


@given(st.floats(min_value=0.0001, max_value=1e9, allow_subnormal=False))
def test_a_double_stands_for_its_shortest_decimal_text(price):
    row = {"T": "q", "S": "KO", "bp": price, "ap": price, "t": stamp()}
    by_pack = wire.read_msgpack(msgspec.msgpack.encode(row), StreamItem)
    by_text = wire.read_json(json.dumps(row).encode(), StreamItem)
    assert isinstance(by_pack, StreamQuote)
    assert by_pack == by_text
    assert by_pack.bid == D(repr(price))


def test_a_fill_and_its_row_in_the_history_are_the_same_execution():
    told = wire.execution_of_update(
        wire.read_json(json.dumps(fill_json("8", "5", seconds=2)["data"]).encode(), TradeUpdate)
    )
    booked = wire.execution_of_fill(
        wire.read_json(json.dumps(activity_json("8", "5", seconds=2)).encode(), FillActivity)
    )
    assert told == booked
    assert told.execution_id == "x-mine-1-8"


def test_an_older_fill_without_an_id_gets_one_from_its_order_and_place():
    data = fill_json("8", "5")["data"]
    del data["execution_id"]
    assert wire.execution_of_update(wire.read_json(json.dumps(data).encode(), TradeUpdate)).execution_id == "v-mine-1:8"


@pytest.mark.parametrize(
    "change", [{"qty": "0"}, {"qty": "-3"}, {"price": "0"}, {"qty": None}, {"price": None}, {"timestamp": None}]
)
@pytest.mark.fault("fill-senseless")
def test_a_fill_without_a_real_quantity_price_and_time_is_no_execution(change):
    data = fill_json("8", "5")["data"] | change
    with pytest.raises(ValueError, match=r"above zero|without"):
        wire.execution_of_update(wire.read_json(json.dumps(data).encode(), TradeUpdate))


def test_a_short_position_is_negative_with_or_without_its_sign():
    for quantity in ("-12", "12"):
        text = json.dumps({"symbol": "XOM", "qty": quantity, "side": "short", "avg_entry_price": "104.5"})
        position = wire.broker_position(wire.read_json(text.encode(), AlpacaPosition))
        assert (position.quantity, position.average_price) == (D(-12), D("104.5"))


ECHOES = """
client_order_id  somebody
symbol           XOM
side             sell
qty              9
notional         500
"""


@pytest.mark.parametrize("row", ECHOES.strip().splitlines())
@pytest.mark.fault("answer-about-another")
def test_an_answer_about_another_order_is_noticed(row):
    field, value = row.split()
    order = buy(8, limit="61.25", client_order_id="mine-1")
    assert wire.difference(order, shown()) == ""
    assert wire.difference(order, shown(**{field: value})) == field


def test_the_broker_may_change_the_type_of_an_order():
    """A stop order to buy comes back as a stop-limit order, which protects its owner."""
    order = buy(8, order_type=OrderType.STOP, stop_price=D(62), client_order_id="mine-1")
    assert wire.difference(order, shown(type="stop_limit", stop_price="62", limit_price="64.48")) == ""


def test_times_in_queries_are_utc_and_never_naive():
    assert wire.moment_text(datetime(2027, 3, 9, 15, 0, 0, 7, tzinfo=UTC)) == "2027-03-09T15:00:00.000007Z"
    with pytest.raises(ValueError, match="no time zone"):
        wire.moment_text(datetime(2027, 3, 9))  # noqa: DTZ001 - the fault that is tested
