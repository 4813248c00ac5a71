"""Refusals as `alpaca-py` shows them: HTTP status, the broker's code, and its words."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from tests.conformance.conftest import refusal_of
from tests.support.alpaca_sdk import (
    APIError,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderSide,
    ReplaceOrderRequest,
    StockBarsRequest,
    StockHistoricalDataClient,
    StockLatestTradeRequest,
    TimeFrame,
    TimeInForce,
    TradingClient,
)

MALFORMED, UNPROCESSABLE, FORBIDDEN, NOT_FOUND = 40010001, 42210000, 40310000, 40410000
STRANGER = "61e69015-8549-4bfd-b9c3-01e75843f47d"
LIMIT = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "500"}
MARKET = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
EXITS = {"take_profit": {"limit_price": "600"}, "stop_loss": {"stop_price": "540"}}
SUB_PENNY = "sub-penny increment does not fulfill minimum pricing criteria"


def without(body, *fields):
    return {name: value for name, value in body.items() if name not in fields}


REFUSED = {
    "no size": (without(MARKET, "qty"), 422, MALFORMED, "qty or notional is required"),
    "two sizes": ({**MARKET, "notional": "100"}, 422, MALFORMED, "only one of qty or notional is accepted"),
    "no symbol": (without(MARKET, "symbol"), 422, MALFORMED, "symbol is required"),
    "wrong side": ({**MARKET, "side": "hold"}, 422, MALFORMED, "invalid side"),
    "wrong type": ({**MARKET, "type": "iceberg"}, 422, MALFORMED, "invalid order type"),
    "wrong time in force": ({**MARKET, "time_in_force": "gtd"}, 422, MALFORMED, "invalid time_in_force"),
    "limit without price": (without(LIMIT, "limit_price"), 422, MALFORMED, "limit orders require a limit price"),
    "stop without price": ({**MARKET, "type": "stop"}, 422, MALFORMED, "stop orders require a stop price"),
    "stop limit with one price": (
        {**LIMIT, "type": "stop_limit"}, 422, MALFORMED, "stop limit orders require both stop and limit price"),
    "market with price": (
        {**MARKET, "limit_price": "500"}, 422, MALFORMED, "market orders require no stop or limit price"),
    "limit with stop": ({**LIMIT, "stop_price": "400"}, 422, MALFORMED, "limit orders must not have stop_price"),
    "trailing without trail": (
        {**MARKET, "type": "trailing_stop"}, 422, MALFORMED,
        "trailing stop orders must specify one of trail_price or trail_percent"),
    "long id": (
        {**LIMIT, "client_order_id": "x" * 129}, 422, MALFORMED, "client_order_id must be no more than 128 characters"),
    "bracket without profit": (
        {**MARKET, "order_class": "bracket", "stop_loss": EXITS["stop_loss"]}, 422, MALFORMED,
        "bracket orders require take_profit.limit_price"),
    "bracket without loss": (
        {**MARKET, "order_class": "bracket", "take_profit": EXITS["take_profit"]}, 422, MALFORMED,
        "bracket orders require stop_loss.stop_price"),
    "oto without exit": (
        {**MARKET, "order_class": "oto"}, 422, MALFORMED, "oto orders require either take_profit or stop_loss"),
    "zero shares": ({**MARKET, "qty": "0"}, 422, UNPROCESSABLE, "qty must be > 0"),
    "negative shares": ({**MARKET, "qty": -1}, 422, UNPROCESSABLE, "qty must be > 0"),
    "few dollars": (
        {**without(MARKET, "qty"), "notional": "0.99"}, 422, UNPROCESSABLE, "notional amount must be >= 1.00"),
    "sub-penny limit": (
        {**LIMIT, "limit_price": "290.123"}, 422, UNPROCESSABLE, f"invalid limit_price 290.123. {SUB_PENNY}"),
    "sub-penny float": (
        {**LIMIT, "limit_price": 290.123}, 422, UNPROCESSABLE, f"invalid limit_price 290.123. {SUB_PENNY}"),
    "sub-penny stop": (
        {**MARKET, "type": "stop", "stop_price": "600.001"}, 422, UNPROCESSABLE,
        f"invalid stop_price 600.001. {SUB_PENNY}"),
    "fraction for long": (
        {**LIMIT, "qty": "0.5", "time_in_force": "gtc"}, 422, UNPROCESSABLE, "fractional orders must be DAY orders"),
    "fraction in bracket": (
        {**MARKET, "qty": "0.5", "order_class": "bracket", **EXITS}, 422, UNPROCESSABLE,
        "fractional orders must be simple orders"),
    "fraction sold short": (
        {**MARKET, "qty": "0.5", "side": "sell"}, 422, UNPROCESSABLE, "fractional orders cannot be sold short"),
    "market in extended hours": (
        {**MARKET, "extended_hours": True}, 422, UNPROCESSABLE, "extended hours order must be DAY or GTC limit orders"),
    "unknown symbol": ({**MARKET, "symbol": "ZZZZZZ"}, 422, UNPROCESSABLE, 'asset "ZZZZZZ" not found'),
    "profit below loss": (
        {**MARKET, "order_class": "bracket", "take_profit": {"limit_price": "560"},
         "stop_loss": {"stop_price": "565"}}, 422, UNPROCESSABLE,
        "take_profit.limit_price must be > stop_loss.stop_price"),
    "profit too low": (
        {**MARKET, "order_class": "bracket", **EXITS, "take_profit": {"limit_price": "560"}}, 422, UNPROCESSABLE,
        "take_profit.limit_price must be >= base_price + 0.01"),
    "loss too high": (
        {**MARKET, "order_class": "bracket", **EXITS, "stop_loss": {"stop_price": "590"}}, 422, UNPROCESSABLE,
        "stop_loss.stop_price must be <= base_price - 0.01"),
    "more than money": ({**MARKET, "qty": "1000"}, 403, FORBIDDEN, "insufficient buying power"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_an_order_that_cannot_be_is_refused_in_the_brokers_words(desk, case):
    body, status, code, words = REFUSED[case]
    assert desk.refusal(body) == (status, code, words)
    assert desk.client.get_orders() == []


def extra(action):
    with pytest.raises(APIError) as caught:
        action()
    body = json.loads(str(caught.value))
    return {name: value for name, value in body.items() if name not in ("code", "message")}


def test_too_little_money_is_told_with_both_sums(desk):
    fields = extra(lambda: desk.client.post("/orders", {**MARKET, "qty": "1000"}))
    assert fields == {"symbol": "SPY", "buying_power": "200000", "cost_basis": "570020"}


def test_shares_that_are_promised_are_told_with_the_orders_that_hold_them(desk):
    desk.buy(qty=10)
    resting = desk.rest(price=600, qty=6, side=OrderSide.SELL)
    order = MarketOrderRequest(symbol="SPY", qty=5, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
    words = "insufficient qty available for order (requested: 5, available: 4)"
    assert refusal_of(lambda: desk.client.submit_order(order)) == (403, FORBIDDEN, words)
    assert extra(lambda: desk.client.submit_order(order)) == {
        "symbol": "SPY", "existing_qty": "10", "available": "4", "held_for_orders": "6",
        "related_orders": [str(resting.id)],
    }  # fmt: skip


def test_no_order_crosses_zero(desk):
    desk.buy(qty=1)
    words = "insufficient qty available for order (requested: 2, available: 1)"
    assert desk.refusal({**MARKET, "qty": "2", "side": "sell"}) == (403, FORBIDDEN, words)


def test_a_wash_trade_names_the_order_in_its_way(desk):
    desk.buy(qty=10)
    resting = desk.rest(price=500)
    sell = {**MARKET, "side": "sell"}
    assert desk.refusal(sell) == (403, FORBIDDEN, "potential wash trade detected. use complex orders")
    assert extra(lambda: desk.client.post("/orders", sell)) == {
        "existing_order_id": str(resting.id), "reject_reason": "opposite side market/stop order exists",
    }  # fmt: skip


def test_a_long_and_a_short_position_are_not_opened_together(desk):
    desk.rest(price=500)
    words = "cannot open a short sell while a long buy order is open"
    assert desk.refusal({**LIMIT, "side": "sell", "limit_price": "600"}) == (403, FORBIDDEN, words)


@pytest.mark.parametrize("finished", [False, True])
def test_a_client_order_id_is_used_once_for_ever(desk, finished):
    first = desk.rest(client_order_id=f"{desk.keys.name}-once")
    if finished:
        desk.client.cancel_order_by_id(first.id)
        desk.settled(first.id, "canceled")
    again = {**LIMIT, "client_order_id": f"{desk.keys.name}-once"}
    assert desk.refusal(again) == (422, MALFORMED, "client_order_id must be unique")


def test_a_refused_order_does_not_use_up_its_id(desk):
    body = {**MARKET, "qty": "1000", "client_order_id": f"{desk.keys.name}-kept"}
    assert desk.refusal(body)[0] == 403
    assert desk.client.post("/orders", {**body, "qty": "1"})["client_order_id"] == body["client_order_id"]


# -- orders and positions that are not there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "status", "code", "words"),
    [
        (lambda d: d.client.get_order_by_id(STRANGER), 404, NOT_FOUND, f"order not found for {STRANGER}"),
        (lambda d: d.client.cancel_order_by_id(STRANGER), 404, NOT_FOUND, f"order not found for {STRANGER}"),
        (lambda d: d.client.get_order_by_client_id("nobody"), 404, NOT_FOUND, "order not found for nobody"),
        (lambda d: d.client.get("/orders/not-an-id"), 422, MALFORMED, "order_id is missing"),
        (lambda d: d.client.get_open_position("SPY"), 404, NOT_FOUND, "position does not exist"),
        (lambda d: d.client.close_position("SPY"), 404, NOT_FOUND, "position does not exist"),
        (lambda d: d.client.get_open_position("ZZZZZZ"), 404, NOT_FOUND, "symbol not found: ZZZZZZ"),
        (lambda d: d.client.get_asset("ZZZZZZ"), 404, NOT_FOUND, "asset not found for ZZZZZZ"),
        (lambda d: d.client.get("/nowhere"), 404, NOT_FOUND, "endpoint not found."),
        (lambda d: d.client.get_watchlist_by_id(UUID(STRANGER)), 404, NOT_FOUND, f"watchlist not found for {STRANGER}"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(desk, action, status, code, words):
    assert refusal_of(lambda: action(desk)) == (status, code, words)


# -- states ------------------------------------------------------------------------------------------------------------


def test_a_finished_order_cannot_be_cancelled(desk):
    filled = desk.buy()
    words = 'order is already in "filled" state'
    assert refusal_of(lambda: desk.client.cancel_order_by_id(filled.id)) == (422, UNPROCESSABLE, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"limit_price": 500}, "order parameters are not changed"),
        ({"stop_price": 400}, "limit orders must not have stop_price"),
        ({"limit_price": 499.123}, f"invalid limit_price 499.123. {SUB_PENNY}"),
    ],
)
def test_a_replace_that_cannot_be_leaves_the_order_as_it_is(desk, change, words):
    order = desk.rest()
    status, _, told = refusal_of(lambda: desk.client.replace_order_by_id(order.id, ReplaceOrderRequest(**change)))
    assert (status, told) == (422, words)
    assert desk.client.get_order_by_id(order.id).status.value == "new"


def test_a_replaced_order_cannot_be_replaced_again(desk):
    order = desk.rest()
    desk.settled(desk.client.replace_order_by_id(order.id, ReplaceOrderRequest(limit_price=499)).id, "new")
    action = ReplaceOrderRequest(limit_price=498)
    found = refusal_of(lambda: desk.client.replace_order_by_id(order.id, action))
    assert found == (422, UNPROCESSABLE, "order already replaced")


def test_an_order_on_its_way_cannot_be_replaced(desk):
    """Two requests in one connection: the second may overtake the first's arrival or come after it."""
    filled = desk.buy()
    status, code, words = refusal_of(
        lambda: desk.client.replace_order_by_id(filled.id, ReplaceOrderRequest(limit_price=498))
    )
    assert (status, code, words) == (422, UNPROCESSABLE, "cannot replace order in filled status")


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", [TradingClient, StockHistoricalDataClient])
def test_a_wrong_secret_opens_nothing(desk, client):
    stranger = client(desk.keys.key, "wrong", url_override=desk.venue.url)
    action = (
        stranger.get_account
        if client is TradingClient
        else lambda: stranger.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="SPY"))
    )
    assert refusal_of(action) == (401, 40110000, "request is not authorized")


def test_an_account_does_not_see_the_orders_of_another(venue, desk):
    other = venue.fresh_account()
    order = desk.rest()
    stranger = TradingClient(other.key, other.secret, url_override=venue.url)
    assert refusal_of(lambda: stranger.get_order_by_id(order.id))[0] == 404
    assert stranger.get_orders() == []


# -- market data -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        ("/stocks/bars", {"symbols": "SPY", "timeframe": "61Min"}, "invalid timeframe: 61Min"),
        ("/stocks/bars", {"timeframe": "1Min"}, "symbols is required"),
        ("/stocks/trades", {"symbols": "SPY", "limit": 0}, "invalid limit: must be between 1 and 10000"),
        ("/stocks/trades", {"symbols": "SPY", "page_token": "nonsense"}, "invalid page_token"),
        ("/stocks/quotes", {"symbols": "SPY", "start": "2026-01-12", "end": "2026-01-10"},
         "end should not be before start"),
        ("/stocks/quotes", {"symbols": "SPY", "feed": "pigeon"}, "invalid feed"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_meant_is_refused(desk, path, query, words):
    assert refusal_of(lambda: desk.data.get(path, query)) == (400, MALFORMED, words)


def test_an_unknown_symbol_is_just_missing(desk):
    found = desk.data.get_stock_bars(StockBarsRequest(symbol_or_symbols=["ZZZZZZ"], timeframe=TimeFrame.Day))
    assert found.data == {}


def test_a_price_below_a_dollar_may_have_four_decimals(desk):
    order = LimitOrderRequest(symbol="KO", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=0.1234)
    assert desk.settled(desk.client.submit_order(order).id, "new").limit_price == "0.1234"
