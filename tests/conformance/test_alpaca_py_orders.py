"""Orders through `alpaca-py`: every type, time in force and class, and what can be done with them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid5

import pytest

from tests.support.alpaca_sdk import (
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderClass,
    OrderSide,
    OrderStatus,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TimeInForce,
    TrailingStopOrderRequest,
)
from tests.support.venue_process import until

BUY, SELL = OrderSide.BUY, OrderSide.SELL


def market(**fields):
    return MarketOrderRequest(**{"symbol": "SPY", "qty": 10, "side": BUY, "time_in_force": TimeInForce.DAY, **fields})


def limit(price, **fields):
    defaults = {"symbol": "SPY", "qty": 10, "side": BUY, "time_in_force": TimeInForce.DAY, "limit_price": price}
    return LimitOrderRequest(**{**defaults, **fields})


# -- types and times in force ------------------------------------------------------------------------------------------

FILLING = {
    "market": lambda tif: market(time_in_force=tif),
    "limit": lambda tif: limit(571, time_in_force=tif),
}
RESTING = {
    "limit": lambda tif: limit(500, time_in_force=tif),
    "stop": lambda tif: StopOrderRequest(symbol="SPY", qty=10, side=BUY, time_in_force=tif, stop_price=600),
    "stop_limit": lambda tif: StopLimitOrderRequest(
        symbol="SPY", qty=10, side=BUY, time_in_force=tif, stop_price=600, limit_price=601
    ),
    "trailing_price": lambda tif: TrailingStopOrderRequest(
        symbol="SPY", qty=10, side=BUY, time_in_force=tif, trail_price=25
    ),
    "trailing_percent": lambda tif: TrailingStopOrderRequest(
        symbol="SPY", qty=10, side=BUY, time_in_force=tif, trail_percent=5
    ),
}


@pytest.mark.parametrize("tif", ["day", "gtc", "ioc", "fok"])
@pytest.mark.parametrize("kind", FILLING)
def test_a_marketable_order_fills_at_the_quote(desk, kind, tif):
    sent = desk.client.submit_order(FILLING[kind](TimeInForce(tif)))
    assert sent.status is OrderStatus.PENDING_NEW
    assert (sent.type.value, sent.time_in_force.value, sent.qty, sent.filled_qty) == (kind, tif, "10", "0")
    filled = desk.settled(sent.id, "filled")
    assert (filled.filled_qty, filled.filled_avg_price) == ("10", "570.02")
    assert filled.filled_at >= filled.submitted_at


@pytest.mark.parametrize("tif", ["day", "gtc"])
@pytest.mark.parametrize("kind", RESTING)
def test_an_order_away_from_the_market_rests_until_it_is_cancelled(desk, kind, tif):
    sent = desk.client.submit_order(RESTING[kind](TimeInForce(tif)))
    assert desk.settled(sent.id, "new").filled_qty == "0"
    desk.client.cancel_order_by_id(sent.id)
    cancelled = desk.settled(sent.id, "canceled")
    assert cancelled.canceled_at is not None
    assert cancelled.filled_qty == "0"


@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_an_immediate_order_that_cannot_trade_is_cancelled(desk, tif):
    sent = desk.client.submit_order(limit(500, time_in_force=TimeInForce(tif)))
    assert desk.settled(sent.id, "canceled").filled_qty == "0"


@pytest.mark.parametrize("kind", FILLING)
def test_an_order_for_the_closing_auction_waits_for_it(desk, kind):
    sent = desk.client.submit_order(FILLING[kind](TimeInForce.CLS))
    assert desk.settled(sent.id, "new").time_in_force is TimeInForce.CLS


def test_a_trailing_stop_shows_where_it_stands(desk):
    desk.buy()
    request = TrailingStopOrderRequest(symbol="SPY", qty=10, side=SELL, time_in_force=TimeInForce.GTC, trail_percent=1)
    sent = desk.client.submit_order(request)
    shown = desk.settled(sent.id, "new")
    assert (shown.hwm, shown.stop_price, shown.trail_percent, shown.trail_price) == ("570", "564.3", "1", None)


def test_good_till_cancelled_orders_end_after_ninety_days_and_day_orders_at_the_close(desk):
    gtc, day = desk.rest(time_in_force=TimeInForce.GTC), desk.rest()
    assert gtc.expires_at.date() - gtc.created_at.date() == timedelta(days=90)
    assert day.expires_at.isoformat() == "2026-01-12T21:00:00+00:00"


def test_an_extended_hours_limit_order_is_taken(desk):
    sent = desk.client.submit_order(limit(500, extended_hours=True))
    assert desk.settled(sent.id, "new").extended_hours is True


# -- fractions and dollars ---------------------------------------------------------------------------------------------


def test_a_fraction_of_a_share_is_bought_exactly(desk):
    filled = desk.buy(qty=0.123456789)
    assert (filled.qty, filled.filled_qty, filled.notional) == ("0.123456789", "0.123456789", None)


def test_a_dollar_order_has_no_quantity_and_buys_to_nine_decimals(desk):
    sent = desk.client.submit_order(market(qty=None, notional=100.5))
    filled = desk.settled(sent.id, "filled")
    assert (filled.qty, filled.notional, filled.filled_qty) == (None, "100.5", "0.176309603")


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: limit(500, qty=0.5),
        lambda: StopOrderRequest(symbol="SPY", qty=0.5, side=BUY, time_in_force=TimeInForce.DAY, stop_price=600),
        lambda: StopLimitOrderRequest(
            symbol="SPY", qty=0.5, side=BUY, time_in_force=TimeInForce.DAY, stop_price=600, limit_price=601
        ),
    ],
    ids=["limit", "stop", "stop_limit"],
)
def test_fractions_rest_as_day_orders_of_these_types(desk, request_of):
    assert desk.settled(desk.client.submit_order(request_of()).id, "new").qty == "0.5"


# -- classes -----------------------------------------------------------------------------------------------------------


def bracket(request_of, **fields):
    exits = {"take_profit": TakeProfitRequest(limit_price=600), "stop_loss": StopLossRequest(stop_price=540)}
    return request_of(order_class=OrderClass.BRACKET, **{**exits, **fields})


def test_a_bracket_shows_both_exits_and_holds_the_stop_after_the_entry(desk):
    sent = desk.client.submit_order(bracket(market))
    assert sent.order_class is OrderClass.BRACKET
    profit, loss = sent.legs
    assert (profit.type.value, profit.limit_price, profit.status.value) == ("limit", "600", "held")
    assert (loss.type.value, loss.stop_price, loss.status.value) == ("stop", "540", "held")
    desk.settled(sent.id, "filled")
    assert desk.settled(profit.id, "new").qty == "10"
    assert desk.client.get_order_by_id(loss.id).status is OrderStatus.HELD


def test_a_bracket_may_have_a_stop_limit_for_its_loss(desk):
    loss = StopLossRequest(stop_price=540, limit_price=539.5)
    sent = desk.client.submit_order(bracket(lambda **fields: limit(550, **fields), stop_loss=loss))
    assert [leg.type.value for leg in sent.legs] == ["limit", "stop_limit"]
    assert desk.settled(sent.id, "new").status is OrderStatus.NEW


def test_cancelling_one_exit_of_a_bracket_cancels_the_other(desk):
    sent = desk.client.submit_order(bracket(market))
    profit, loss = sent.legs
    desk.settled(profit.id, "new")
    desk.client.cancel_order_by_id(profit.id)
    desk.settled(profit.id, "canceled")
    desk.settled(loss.id, "canceled")


@pytest.mark.parametrize("leg", ["take_profit", "stop_loss"])
def test_one_exit_suffices_for_an_oto_order(desk, leg):
    exits = {"take_profit": TakeProfitRequest(limit_price=600), "stop_loss": StopLossRequest(stop_price=540)}
    sent = desk.client.submit_order(market(order_class=OrderClass.OTO, **{leg: exits[leg]}))
    assert (sent.order_class, len(sent.legs)) == (OrderClass.OTO, 1)
    desk.settled(sent.id, "filled")
    desk.settled(sent.legs[0].id, "new")


def test_an_oco_order_is_the_take_profit_with_the_stop_as_its_leg(desk):
    desk.buy()
    request = LimitOrderRequest(
        symbol="SPY",
        qty=10,
        side=SELL,
        time_in_force=TimeInForce.GTC,
        order_class=OrderClass.OCO,
        take_profit=TakeProfitRequest(limit_price=600),
        stop_loss=StopLossRequest(stop_price=540),
    )
    sent = desk.client.submit_order(request)
    assert (sent.order_class, sent.limit_price, len(sent.legs)) == (OrderClass.OCO, "600", 1)
    desk.settled(sent.id, "new")
    held = desk.client.get_order_by_id(sent.legs[0].id)
    assert (held.status, held.stop_price) == (OrderStatus.HELD, "540")
    assert desk.client.get_open_position("SPY").qty_available == "0"


def test_exits_without_an_order_class_are_left_out(desk):
    """The vendor's own example misspells the class, and its orders go through."""
    sent = desk.client.submit_order(limit(500, stop_loss=StopLossRequest(stop_price=300)))
    assert (sent.order_class, sent.legs) == (OrderClass.SIMPLE, None)


# -- reading -----------------------------------------------------------------------------------------------------------


def test_an_order_is_found_by_both_ids(desk):
    made = str(uuid5(UUID(int=1), desk.keys.name))
    sent = desk.rest(client_order_id=made)
    assert desk.client.get_order_by_client_id(made).id == sent.id
    assert desk.client.get_order_by_id(str(sent.id), GetOrderByIdRequest(nested=True)).client_order_id == made


@pytest.fixture
def five_orders(desk):
    """Two finished, three open, in this order of submission: filled, SPY, SPY, AAPL, cancelled."""
    first = desk.buy("AAPL")
    orders = [first, desk.rest(price=500), desk.rest(price=501), desk.rest("AAPL", 150), desk.rest(price=502)]
    desk.client.cancel_order_by_id(orders[-1].id)
    desk.settled(orders[-1].id, "canceled")
    return [order.id for order in orders]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [3, 2, 1]),
        ({"status": "open"}, [3, 2, 1]),
        ({"status": "closed"}, [4, 0]),
        ({"status": "all"}, [4, 3, 2, 1, 0]),
        ({"status": "all", "direction": "asc"}, [0, 1, 2, 3, 4]),
        ({"status": "all", "limit": 2}, [4, 3]),
        ({"status": "all", "symbols": ["AAPL"]}, [3, 0]),
        ({"status": "all", "symbols": ["AAPL", "SPY"], "limit": 1}, [4]),
        ({"status": "all", "side": "sell"}, []),
        ({"status": "all", "nested": True}, [4, 3, 2, 1, 0]),
    ],
)
def test_lists_of_orders_are_filtered_and_sorted(desk, five_orders, query, expected):
    found = desk.client.get_orders(GetOrdersRequest(**query))
    assert [order.id for order in found] == [five_orders[place] for place in expected]


def test_the_bounds_of_time_are_exclusive(desk):
    first = desk.rest()
    desk.venue.pass_time(0.001)
    second = desk.rest()
    after = desk.client.get_orders(GetOrdersRequest(after=first.submitted_at))
    until_then = desk.client.get_orders(GetOrdersRequest(until=second.submitted_at))
    assert ([o.id for o in after], [o.id for o in until_then]) == ([second.id], [first.id])


def test_orders_can_be_paged_by_their_ids(desk, five_orders):
    rows = desk.client.get("/orders", {"status": "all", "before_order_id": str(five_orders[3]), "limit": 2})
    assert [row["id"] for row in rows] == [str(five_orders[2]), str(five_orders[1])]


def test_nested_lists_show_legs_under_their_parent_only(desk):
    sent = desk.client.submit_order(bracket(lambda **fields: limit(550, **fields)))
    desk.settled(sent.id, "new")
    flat = desk.client.get_orders(GetOrdersRequest(status="all"))
    nested = desk.client.get_orders(GetOrdersRequest(status="all", nested=True))
    assert (len(flat), [order.legs for order in flat]) == (3, [None, None, None])
    assert [(order.id, len(order.legs)) for order in nested] == [(sent.id, 2)]


# -- changing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"limit_price": 499.5}, ("10", "499.5", "day")),
        ({"qty": 12}, ("12", "500", "day")),
        ({"qty": 7, "limit_price": 498}, ("7", "498", "day")),
        ({"time_in_force": "gtc"}, ("10", "500", "gtc")),
    ],
)
def test_a_replace_gives_a_new_order_and_ends_the_old_one(desk, change, shown):
    old = desk.rest()
    new = desk.client.replace_order_by_id(old.id, ReplaceOrderRequest(**change))
    assert new.replaces == old.id
    settled = desk.settled(new.id, "new")
    assert (settled.qty, settled.limit_price, settled.time_in_force.value) == shown
    ended = desk.client.get_order_by_id(old.id)
    assert (ended.status, ended.replaced_by) == (OrderStatus.REPLACED, new.id)
    assert ended.replaced_at is not None


def test_a_replace_may_bring_its_own_client_order_id(desk):
    old = desk.rest()
    request = ReplaceOrderRequest(limit_price=499, client_order_id=f"{desk.keys.name}-second")
    assert desk.client.replace_order_by_id(old.id, request).client_order_id == f"{desk.keys.name}-second"


def test_a_stop_and_a_trail_can_be_moved(desk):
    stop = desk.client.submit_order(RESTING["stop"](TimeInForce.DAY))
    desk.settled(stop.id, "new")
    assert desk.client.replace_order_by_id(stop.id, ReplaceOrderRequest(stop_price=610)).stop_price == "610"
    trail = desk.client.submit_order(RESTING["trailing_price"](TimeInForce.DAY))
    desk.settled(trail.id, "new")
    assert desk.client.replace_order_by_id(trail.id, ReplaceOrderRequest(trail=30)).trail_price == "30"


def test_a_replaced_order_that_becomes_marketable_fills(desk):
    old = desk.rest()
    new = desk.client.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=571))
    assert desk.settled(new.id, "filled").filled_avg_price == "570.02"


def test_all_orders_are_cancelled_with_one_request(desk):
    orders = {desk.rest().id, desk.rest(price=501).id, desk.rest("AAPL", 150).id}
    answers = desk.client.cancel_orders()
    assert {(answer.id, answer.status) for answer in answers} == {(order, 200) for order in orders}
    until(lambda: not desk.client.get_orders(), "all orders to be gone")


def test_cancelling_all_orders_of_an_idle_account_answers_an_empty_list(desk):
    assert desk.client.cancel_orders() == []
