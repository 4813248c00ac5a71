"""The two streams through `alpaca-py`: order updates in their order, and market data as time goes by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.alpaca_sdk import (
    MarketOrderRequest,
    OrderClass,
    OrderSide,
    ReplaceOrderRequest,
    StockBarsRequest,
    StopLossRequest,
    TakeProfitRequest,
    TimeFrame,
    TimeInForce,
)
from tests.support.sdk_streams import data_stream, order_stream

MINUTE = timedelta(minutes=1)


def market(**fields):
    defaults = {"symbol": "SPY", "qty": 10, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    return MarketOrderRequest(**{**defaults, **fields})


def story(heard):
    """Event and status of each update."""
    return [(update.event, update.order.status.value) for update in heard]


# -- orders ------------------------------------------------------------------------------------------------------------


def test_a_fill_is_told_step_by_step(venue, desk):
    with order_stream(venue, desk.keys) as heard:
        sent = desk.client.submit_order(market())
        updates = heard.until_event("fill")
    assert story(updates) == [("pending_new", "pending_new"), ("new", "new"), ("fill", "filled")]
    assert {update.order.id for update in updates} == {sent.id}
    last = updates[-1]
    assert (last.price, last.qty, last.position_qty) == (570.02, 10.0, 10.0)
    assert (last.order.filled_qty, last.order.filled_avg_price) == ("10", "570.02")
    assert len({update.execution_id for update in updates}) == 3
    assert [update.timestamp for update in updates] == sorted(update.timestamp for update in updates)


def test_an_execution_has_the_same_id_on_the_stream_and_in_the_activities(venue, desk):
    with order_stream(venue, desk.keys) as heard:
        desk.client.submit_order(market())
        fill = heard.until_event("fill")[-1]
    (row,) = desk.client.get("/account/activities/FILL")
    assert row["id"].partition("::")[2] == str(fill.execution_id)


def test_a_cancel_is_told(venue, desk):
    with order_stream(venue, desk.keys) as heard:
        order = desk.rest()
        desk.client.cancel_order_by_id(order.id)
        updates = heard.until_event("canceled")
    assert story(updates) == [("pending_new", "pending_new"), ("new", "new"), ("canceled", "canceled")]
    assert updates[-1].order.canceled_at is not None


def test_a_replace_ends_the_old_order_before_the_new_one_begins(venue, desk):
    old = desk.rest()
    with order_stream(venue, desk.keys) as heard:
        new = desk.client.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=499))
        ended, begun = heard.take(2)
    assert story([ended, begun]) == [("replaced", "replaced"), ("new", "new")]
    assert (ended.order.id, ended.order.replaced_by, begun.order.id) == (old.id, new.id, new.id)


def test_a_short_sale_tells_a_negative_position(venue, desk):
    with order_stream(venue, desk.keys) as heard:
        desk.client.submit_order(market(side=OrderSide.SELL, qty=5))
        assert heard.until_event("fill")[-1].position_qty == -5.0


def test_a_bracket_tells_of_its_exits(venue, desk):
    exits = {"take_profit": TakeProfitRequest(limit_price=600), "stop_loss": StopLossRequest(stop_price=540)}
    with order_stream(venue, desk.keys) as heard:
        sent = desk.client.submit_order(market(order_class=OrderClass.BRACKET, **exits))
        profit, loss = sent.legs
        updates = heard.take(6)
        assert {update.order.id: update.event for update in updates if update.event == "held"} == {
            profit.id: "held",
            loss.id: "held",
        }
        assert (updates[-1].order.id, updates[-1].event) == (profit.id, "new")
        desk.client.cancel_order_by_id(profit.id)
        ends = heard.take(2)
    assert {(update.order.id, update.event) for update in ends} == {
        (profit.id, "canceled"),
        (loss.id, "canceled"),
    }


def test_an_account_does_not_hear_of_another(venue, desk):
    other = venue.fresh_account()
    with order_stream(venue, other) as heard_by_other, order_stream(venue, desk.keys) as heard:
        desk.client.submit_order(market())
        heard.until_event("fill")
        venue.control("/settle", {})
        assert heard_by_other._queue.empty()


def test_every_connection_of_an_account_hears_every_update(venue, desk):
    with order_stream(venue, desk.keys) as one, order_stream(venue, desk.keys) as two:
        desk.client.submit_order(market())
        assert story(one.until_event("fill")) == story(two.until_event("fill"))


def test_a_stream_that_is_cut_is_taken_up_again(venue, desk):
    with order_stream(venue, desk.keys) as heard:
        desk.client.submit_order(market())
        heard.until_event("fill")
        venue.control("/faults/stream", {"stream": "trade_updates", "fault": "cut"})
    with order_stream(venue, desk.keys) as heard:
        desk.client.submit_order(market())
        assert heard.until_event("fill")[-1].position_qty == 20.0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("drop", ["new", "fill"]),
        ("duplicate", ["pending_new", "pending_new", "new", "fill"]),
        ("reorder", ["new", "pending_new", "fill"]),
    ],
)
def test_faults_of_the_stream_happen_on_request(venue, desk, fault, expected):
    with order_stream(venue, desk.keys) as heard:
        venue.control("/faults/stream", {"stream": "trade_updates", "fault": fault})
        desk.client.submit_order(market())
        assert [update.event for update in heard.until_event("fill")] == expected


# -- market data -------------------------------------------------------------------------------------------------------


def test_trades_and_quotes_come_with_every_tick(venue, desk):
    with data_stream(venue, desk.keys, trades=["SPY"], quotes=["SPY"]) as heard:
        venue.pass_time(1)
        quote, trade = heard.take(2)
    assert (quote.symbol, quote.bid_price, quote.ask_price) == ("SPY", 569.98, 570.02)
    assert (trade.symbol, trade.price, trade.tape, trade.conditions) == ("SPY", 570.0, "B", ["@"])
    assert trade.timestamp == quote.timestamp


def test_a_star_is_every_symbol(venue, desk):
    with data_stream(venue, desk.keys, quotes=["*"]) as heard:
        venue.pass_time(1)
        assert {quote.symbol for quote in heard.take(4)} == {"SPY", "AAPL", "MSFT", "KO"}


def test_the_bar_of_each_minute_is_that_of_the_history(venue, desk):
    now = datetime.fromisoformat(venue.control("/time")["now"])
    with data_stream(venue, desk.keys, bars=["MSFT"]) as heard:
        venue.pass_time(120)
        first, second = heard.take(2)
    start = now.replace(second=0, microsecond=0)
    assert [first.timestamp, second.timestamp] == [start, start + MINUTE]
    request = StockBarsRequest(symbol_or_symbols="MSFT", timeframe=TimeFrame.Minute, start=start, end=start + MINUTE)
    assert desk.data.get_stock_bars(request).data["MSFT"] == [first, second]


def test_the_bar_of_the_day_grows(venue, desk):
    with data_stream(venue, desk.keys, daily_bars=["MSFT"]) as heard:
        venue.pass_time(120)
        first, second = heard.take(2)
    assert first.timestamp == second.timestamp == datetime(2026, 1, 12, 5, tzinfo=UTC)
    assert second.volume > first.volume
    assert second.trade_count > first.trade_count


def test_a_late_trade_changes_the_bar_of_its_minute(venue, desk):
    with data_stream(venue, desk.keys, updated_bars=["KO"], trades=["KO"]) as heard:
        venue.control("/price", {"symbol": "KO", "price": "70", "seconds_ago": 90})
        assert heard.next().price == 70.0
        venue.pass_time(31)
        changed = next(message for message in iter(heard.next, None) if hasattr(message, "high"))
    assert changed.high == 70.0


def test_a_halt_and_its_end_are_told(venue, desk):
    with data_stream(venue, desk.keys, trading_statuses=["MSFT"]) as heard:
        venue.control("/halt", {"symbol": "MSFT"})
        venue.control("/resume", {"symbol": "MSFT"})
        halted, resumed = heard.take(2)
    assert (halted.status_code, halted.tape, resumed.status_code) == ("H", "C", "T")


def test_symbols_can_be_added_while_the_stream_runs(venue, desk):
    with data_stream(venue, desk.keys, trades=["SPY"]) as heard:
        venue.pass_time(1)
        assert heard.next().symbol == "SPY"


@pytest.mark.parametrize("feed", ["iex", "sip", "delayed_sip"])
def test_all_feeds_tell_the_same(venue, desk, feed):
    with data_stream(venue, desk.keys, feed, trades=["AAPL"]) as heard:
        venue.pass_time(1)
        assert Decimal(str(heard.next().price)) == Decimal(190)


def test_the_test_feed_trades_by_itself(venue, desk):
    with data_stream(venue, desk.keys, "test", trades=["FAKEPACA"]) as heard:
        assert heard.next().symbol == "FAKEPACA"
