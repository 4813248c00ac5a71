"""Account, positions, reference data and watchlists through `alpaca-py`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tests.conformance.conftest import refusal_of
from tests.support.alpaca_sdk import (
    AssetExchange,
    AssetStatus,
    ClosePositionRequest,
    CreateWatchlistRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetPortfolioHistoryRequest,
    MarketMoversRequest,
    MostActivesBy,
    MostActivesRequest,
    NewsClient,
    NewsRequest,
    OrderSide,
    ScreenerClient,
    TradingClient,
    UpdateWatchlistRequest,
)
from tests.support.venue_process import until

# -- account -----------------------------------------------------------------------------------------------------------


def test_a_fresh_account_has_its_cash_and_twice_that_to_buy_with(desk):
    account = desk.client.get_account()
    assert account.status.value == "ACTIVE"
    assert account.account_number.startswith("PA")
    assert (account.cash, account.equity, account.buying_power, account.multiplier) == (
        "100000",
        "100000",
        "200000",
        "2",
    )
    assert (account.long_market_value, account.short_market_value, account.initial_margin) == ("0", "0", "0")
    assert (account.trading_blocked, account.account_blocked, account.shorting_enabled) == (False, False, True)
    assert (account.pattern_day_trader, account.daytrade_count) == (None, None)


def test_cash_and_equity_add_up_after_a_trade(desk):
    desk.buy(qty=10)
    account = desk.client.get_account()
    assert (account.cash, account.long_market_value, account.equity) == ("94299.8", "5700", "99999.8")
    assert (account.initial_margin, account.maintenance_margin) == ("2850", "1710")


def test_an_open_order_takes_its_buying_power_at_once_and_gives_it_back(desk):
    order = desk.rest(price=500, qty=100)
    assert desk.client.get_account().buying_power == "150000"
    desk.client.cancel_order_by_id(order.id)
    desk.settled(order.id, "canceled")
    assert desk.client.get_account().buying_power == "200000"


def test_settings_are_changed_and_nulls_leave_them_alone(desk):
    settings = desk.client.get_account_configurations()
    assert (settings.fractional_trading, settings.max_margin_multiplier) == (True, "4")
    settings.fractional_trading = False
    changed = desk.client.set_account_configurations(settings)
    assert (changed.fractional_trading, changed.no_shorting, changed.trade_confirm_email.value) == (False, False, "all")
    body = {"symbol": "SPY", "qty": "0.5", "side": "buy", "type": "market", "time_in_force": "day"}
    assert desk.refusal(body)[:2] == (403, 40310000)


def test_settings_have_what_older_clients_insist_on(desk):
    assert {"dtbp_check", "pdt_check"} <= set(desk.client.get("/account/configurations"))
    assert desk.client.patch("/account/configurations", {"dtbp_check": "both"})["dtbp_check"] == "entry"


@pytest.mark.parametrize(
    ("setting", "side", "words"),
    [
        ("suspend_trade", "buy", "account not authorized to trade"),
        ("no_shorting", "sell", "account is not allowed to short"),
    ],
)
def test_settings_that_forbid_orders_do(desk, setting, side, words):
    desk.client.patch("/account/configurations", {setting: True})
    body = {"symbol": "SPY", "qty": "1", "side": side, "type": "market", "time_in_force": "day"}
    assert desk.refusal(body) == (403, 40310000, words)


def test_a_setting_that_is_not_possible_changes_nothing(desk):
    found = refusal_of(lambda: desk.client.patch("/account/configurations", {"max_margin_multiplier": "3"}))
    assert found == (422, 40010001, "invalid max_margin_multiplier")
    assert desk.client.get_account_configurations().max_margin_multiplier == "4"


# -- positions ---------------------------------------------------------------------------------------------------------


def test_a_long_position_is_valued_at_the_last_trade(desk):
    desk.buy(qty=10)
    held = desk.client.get_open_position("SPY")
    assert (held.qty, held.side.value, held.avg_entry_price, held.current_price) == ("10", "long", "570.02", "570")
    assert (held.cost_basis, held.market_value, held.unrealized_pl) == ("5700.2", "5700", "-0.2")
    assert held.unrealized_plpc == "-0.0000350865"
    assert Decimal(held.change_today) == round(Decimal(570) / Decimal(held.lastday_price) - 1, 10)
    assert (held.exchange.value, held.asset_class.value, held.asset_marginable) == ("ARCA", "us_equity", True)


def test_a_short_position_is_negative_throughout(desk):
    desk.sell(qty=5)
    held = desk.client.get_open_position("SPY")
    assert (held.qty, held.side.value, held.qty_available) == ("-5", "short", "-5")
    assert (held.market_value, held.cost_basis, held.unrealized_pl) == ("-2850", "-2849.9", "-0.1")
    account = desk.client.get_account()
    assert (account.short_market_value, account.cash) == ("-2850", "102849.9")


def test_positions_are_found_by_symbol_and_by_asset_id(desk):
    desk.buy(qty=1)
    desk.buy("AAPL", qty=2)
    assert {held.symbol: held.qty for held in desk.client.get_all_positions()} == {"SPY": "1", "AAPL": "2"}
    by_id = desk.client.get_open_position(desk.client.get_asset("AAPL").id)
    assert (by_id.symbol, by_id.qty) == ("AAPL", "2")


def test_resting_sells_promise_their_shares(desk):
    desk.buy(qty=10)
    desk.rest(price=600, qty=4, side=OrderSide.SELL)
    assert desk.client.get_open_position("SPY").qty_available == "6"


@pytest.mark.parametrize(
    ("part", "sold", "left"),
    [
        (None, "10", None),
        (ClosePositionRequest(qty="4"), "4", "6"),
        (ClosePositionRequest(percentage="50"), "5", "5"),
        (ClosePositionRequest(percentage="33"), "3", "7"),
        (ClosePositionRequest(qty="0.01"), "0.01", "9.99"),
    ],
)
def test_a_position_is_closed_in_whole_or_in_part(desk, part, sold, left):
    desk.buy(qty=10)
    order = desk.client.close_position("SPY", part)
    assert (order.side.value, order.type.value, order.qty) == ("sell", "market", sold)
    desk.settled(order.id, "filled")
    assert {held.symbol: held.qty for held in desk.client.get_all_positions()} == ({"SPY": left} if left else {})


def test_a_short_position_is_bought_back(desk):
    desk.sell(qty=5)
    order = desk.client.close_position("SPY")
    assert (order.side.value, order.qty) == ("buy", "5")
    desk.settled(order.id, "filled")
    assert desk.client.get_all_positions() == []


def test_all_positions_are_closed_after_their_orders_are_cancelled(desk):
    desk.buy(qty=10)
    desk.buy("AAPL", qty=5)
    desk.rest(price=600, qty=10, side=OrderSide.SELL)
    answers = desk.client.close_all_positions(cancel_orders=True)
    assert {(answer.symbol, answer.status) for answer in answers} == {("SPY", 200), ("AAPL", 200)}
    until(lambda: not desk.client.get_all_positions(), "all positions to be closed")
    assert desk.client.get_orders() == []


def test_promised_shares_make_closing_fail_without_the_flag(desk):
    desk.buy(qty=10)
    desk.rest(price=600, qty=10, side=OrderSide.SELL)
    (answer,) = desk.client.close_all_positions()
    assert (answer.symbol, answer.status, answer.body.code, answer.body.available) == ("SPY", 403, 40310000, 0)


def test_closing_nothing_answers_an_empty_list(desk):
    assert desk.client.close_all_positions() == []


# -- history -----------------------------------------------------------------------------------------------------------


def test_executions_are_listed_with_pages_that_fit_together(desk):
    for _ in range(3):
        desk.buy(qty=1)
    desk.sell(qty=3)
    rows = desk.client.get("/account/activities/FILL")
    assert [(row["side"], row["qty"], row["type"]) for row in rows] == [("sell", "3", "fill")] + [
        ("buy", "1", "fill")
    ] * 3
    first = desk.client.get("/account/activities", {"activity_types": "FILL", "page_size": 3})
    second = desk.client.get("/account/activities", {"page_size": 3, "page_token": first[-1]["id"]})
    assert [row["id"] for row in first + second] == [row["id"] for row in rows]
    oldest_first = desk.client.get("/account/activities/FILL", {"direction": "asc"})
    assert [row["id"] for row in oldest_first] == [row["id"] for row in reversed(rows)]


def test_an_execution_tells_its_order(desk):
    filled = desk.buy(qty=2)
    (row,) = desk.client.get("/account/activities/FILL")
    assert row["order_id"] == str(filled.id)
    assert (row["price"], row["cum_qty"], row["leaves_qty"], row["order_status"]) == ("570.02", "2", "0", "filled")
    assert row["id"].startswith("20260112")
    assert desk.client.get("/account/activities", {"category": "non_trade_activity"}) == []


@pytest.mark.parametrize(
    ("query", "timeframe"),
    [({}, "1D"), ({"period": "1D"}, "1Min"), ({"period": "1W", "timeframe": "1D"}, "1D"), ({"period": "2W"}, "15Min")],
)
def test_the_portfolio_has_a_history_of_equal_lengths(desk, query, timeframe):
    desk.buy(qty=10)
    history = desk.client.get_portfolio_history(GetPortfolioHistoryRequest(**query))
    assert history.timeframe == timeframe
    assert len(history.timestamp) == len(history.equity) == len(history.profit_loss) == len(history.profit_loss_pct) > 0
    assert (history.base_value, history.equity[-1], history.profit_loss[-1]) == (100000, 99999.8, -0.2)


# -- reference data ----------------------------------------------------------------------------------------------------


def test_the_clock_stands_in_new_york(desk):
    clock = desk.client.get_clock()
    assert clock.is_open is True
    assert clock.timestamp.utcoffset().total_seconds() == -5 * 3600
    assert clock.next_close.isoformat() == "2026-01-12T16:00:00-05:00"
    assert clock.next_open.isoformat() == "2026-01-13T09:30:00-05:00"


def test_the_calendar_knows_holidays_and_half_days(desk):
    days = desk.client.get_calendar(GetCalendarRequest(start=date(2024, 7, 2), end=date(2024, 7, 8)))
    assert [(day.date.day, day.close.hour) for day in days] == [(2, 16), (3, 13), (5, 16), (8, 16)]


def test_the_calendar_tells_extended_hours_and_settlement(desk):
    (row,) = desk.client.get("/calendar", {"start": "2026-11-27", "end": "2026-11-27"})
    assert row == {
        "date": "2026-11-27", "open": "09:30", "close": "13:00", "session_open": "0400", "session_close": "1700",
        "settlement_date": "2026-11-30",
    }  # fmt: skip


def test_the_screener_knows_what_is_traded(desk):
    screener = ScreenerClient(desk.keys.key, desk.keys.secret, url_override=desk.venue.url)
    active = screener.get_most_actives(MostActivesRequest(by=MostActivesBy.VOLUME, top=2)).most_actives
    assert len(active) == 2
    assert active[0].volume >= active[1].volume > 0
    moved = screener.get_market_movers(MarketMoversRequest(top=50))
    assert {mover.symbol for mover in moved.gainers + moved.losers} <= {"SPY", "AAPL", "MSFT", "KO"}
    assert all(mover.change > 0 for mover in moved.gainers)
    assert all(mover.change < 0 for mover in moved.losers)


def test_there_are_neither_news_nor_announcements(desk):
    news = NewsClient(desk.keys.key, desk.keys.secret, url_override=desk.venue.url)
    assert news.get_news(NewsRequest(symbols="SPY")).data["news"] == []
    query = {"ca_types": "dividend", "since": "2026-01-01", "until": "2026-02-01"}
    assert desk.client.get("/corporate_actions/announcements", query) == []


def test_assets_are_listed_and_filtered(desk):
    assert {asset.symbol for asset in desk.client.get_all_assets()} == {"SPY", "AAPL", "MSFT", "KO"}
    request = GetAssetsRequest(status=AssetStatus.ACTIVE, exchange=AssetExchange.NASDAQ)
    assert {asset.symbol for asset in desk.client.get_all_assets(request)} == {"AAPL", "MSFT"}
    assert desk.client.get_all_assets(GetAssetsRequest(status=AssetStatus.INACTIVE)) == []


def test_an_asset_is_found_by_symbol_and_by_id(desk):
    asset = desk.client.get_asset("SPY")
    assert (asset.tradable, asset.fractionable, asset.shortable, asset.easy_to_borrow) == (True, True, True, True)
    assert desk.client.get_asset(asset.id).symbol == "SPY"


# -- watchlists --------------------------------------------------------------------------------------------------------


def test_the_life_of_a_watchlist(desk):
    made = desk.client.create_watchlist(CreateWatchlistRequest(name="Primary", symbols=["SPY"]))
    assert ([asset.symbol for asset in made.assets], made.name) == (["SPY"], "Primary")
    assert [row.assets for row in desk.client.get_watchlists()] == [None]
    added = desk.client.add_asset_to_watchlist_by_id(made.id, "AAPL")
    assert [asset.symbol for asset in added.assets] == ["SPY", "AAPL"]
    renamed = desk.client.update_watchlist_by_id(made.id, UpdateWatchlistRequest(name="Other"))
    assert (renamed.name, len(renamed.assets)) == ("Other", 2)
    removed = desk.client.remove_asset_from_watchlist_by_id(made.id, "SPY")
    assert [asset.symbol for asset in removed.assets] == ["AAPL"]
    assert desk.client.get_watchlist_by_id(made.id).name == "Other"
    desk.client.delete_watchlist_by_id(made.id)
    assert desk.client.get_watchlists() == []


def test_watchlists_are_found_by_name_and_names_are_unique(desk):
    desk.client.create_watchlist(CreateWatchlistRequest(name="Primary", symbols=["SPY"]))
    assert desk.client.get("/watchlists:by_name", {"name": "Primary"})["assets"][0]["symbol"] == "SPY"
    again = CreateWatchlistRequest(name="Primary", symbols=[])
    assert refusal_of(lambda: desk.client.create_watchlist(again)) == (422, 40010001, "watchlist name must be unique")


def test_basic_and_bearer_credentials_open_the_same_account(desk):
    bearer = TradingClient(oauth_token=f"{desk.keys.key}:{desk.keys.secret}", url_override=desk.venue.url)
    assert bearer.get_account().id == desk.client.get_account().id
