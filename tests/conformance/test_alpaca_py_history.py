"""Market data by request through `alpaca-py`: bars, trades, quotes, the latest of each, snapshots, pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.alpaca_sdk import (
    Adjustment,
    CorporateActionsClient,
    CorporateActionsRequest,
    DataFeed,
    StockBarsRequest,
    StockHistoricalDataClient,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
    TimeFrame,
    TimeFrameUnit,
)

FRIDAY = datetime(2026, 1, 9, 14, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 1, 9, 5, tzinfo=UTC)
CLOSE = datetime(2026, 1, 9, 21, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bars(desk, symbols="MSFT", timeframe=TimeFrame.Minute, **fields):
    return desk.data.get_stock_bars(StockBarsRequest(symbol_or_symbols=symbols, timeframe=timeframe, **fields)).data


def test_a_session_has_a_bar_for_every_minute(desk):
    found = bars(desk, start=FRIDAY, end=CLOSE)["MSFT"]
    assert [bar.timestamp for bar in found] == [FRIDAY + n * MINUTE for n in range(390)]
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in found)
    assert all(bar.low <= bar.vwap <= bar.high and bar.volume > 0 and bar.trade_count > 0 for bar in found)


def test_the_daily_bar_is_what_the_minutes_come_to(desk):
    minutes = bars(desk, start=FRIDAY, end=CLOSE)["MSFT"]
    (day,) = bars(
        desk, timeframe=TimeFrame.Day, start=datetime(2026, 1, 9, tzinfo=UTC), end=datetime(2026, 1, 9, 23, tzinfo=UTC)
    )["MSFT"]
    assert day.timestamp == datetime(2026, 1, 9, 5, tzinfo=UTC)
    assert (day.open, day.close) == (minutes[0].open, minutes[-1].close)
    assert (day.high, day.low) == (max(bar.high for bar in minutes), min(bar.low for bar in minutes))
    assert day.volume == sum(bar.volume for bar in minutes)


def test_daily_history_reaches_back_to_2024(desk):
    found = bars(desk, "SPY", TimeFrame.Day, start=datetime(2024, 1, 1, tzinfo=UTC))["SPY"]
    assert found[0].timestamp == datetime(2024, 1, 2, 5, tzinfo=UTC)
    assert found[-1].timestamp.date() == date(2026, 1, 12)
    assert len(found) == len({bar.timestamp for bar in found}) == 509


@pytest.mark.parametrize(
    ("timeframe", "first", "count"),
    [
        (TimeFrame(5, TimeFrameUnit.Minute), "2026-01-09T14:30", 78),
        (TimeFrame(15, TimeFrameUnit.Minute), "2026-01-09T14:30", 26),
        (TimeFrame.Hour, "2026-01-09T14:00", 7),
        (TimeFrame.Day, "2026-01-09T05:00", 1),
    ],
)
def test_longer_bars_begin_at_round_times(desk, timeframe, first, count):
    found = bars(
        desk, timeframe=timeframe, start=datetime(2026, 1, 9, 5, tzinfo=UTC), end=datetime(2026, 1, 9, 23, tzinfo=UTC)
    )["MSFT"]
    assert (found[0].timestamp.strftime("%Y-%m-%dT%H:%M"), len(found)) == (first, count)


@pytest.mark.parametrize(
    ("timeframe", "labels"),
    [
        (TimeFrame.Week, ["2025-12-01", "2025-12-08", "2025-12-15", "2025-12-22", "2025-12-29"]),
        (TimeFrame.Month, ["2025-12-01"]),
    ],
)
def test_weeks_begin_on_monday_and_months_on_the_first(desk, timeframe, labels):
    found = bars(
        desk, timeframe=timeframe, start=datetime(2025, 12, 1, tzinfo=UTC), end=datetime(2025, 12, 31, tzinfo=UTC)
    )["MSFT"]
    assert [bar.timestamp.date().isoformat() for bar in found] == labels


def test_descending_bars_are_the_same_the_other_way_round(desk):
    up = bars(desk, start=FRIDAY, end=CLOSE)["MSFT"]
    down = bars(desk, start=FRIDAY, end=CLOSE, sort="desc")["MSFT"]
    assert [bar.timestamp for bar in down] == [bar.timestamp for bar in reversed(up)]


def test_start_and_end_are_included(desk):
    found = bars(desk, start=FRIDAY, end=FRIDAY + 2 * MINUTE)["MSFT"]
    assert [bar.timestamp for bar in found] == [FRIDAY, FRIDAY + MINUTE, FRIDAY + 2 * MINUTE]


def test_several_symbols_come_in_one_answer(desk):
    found = bars(desk, ["MSFT", "AAPL", "ZZZZ"], start=FRIDAY, end=FRIDAY + MINUTE)
    assert {symbol: len(rows) for symbol, rows in found.items()} == {"AAPL": 2, "MSFT": 2}


def test_a_limit_counts_rows_of_all_symbols(desk):
    found = bars(desk, ["MSFT", "AAPL"], start=FRIDAY, end=CLOSE, limit=391)
    assert {symbol: len(rows) for symbol, rows in found.items()} == {"AAPL": 390, "MSFT": 1}


@pytest.mark.parametrize("path", ["bars", "trades", "quotes"])
@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_fit_together(desk, path, sort):
    query = {"symbols": "AAPL,MSFT", "timeframe": "1Min", "start": FRIDAY.isoformat(), "sort": sort}
    query["end"] = (FRIDAY + 9 * MINUTE).isoformat() if path == "bars" else (FRIDAY + MINUTE / 6).isoformat()
    whole = desk.data.get(f"/stocks/{path}", query)
    rows, token, pages = {}, None, 0
    while pages == 0 or token:
        page = desk.data.get(f"/stocks/{path}", {**query, "limit": 7, **({"page_token": token} if token else {})})
        for symbol, part in page[path].items():
            rows.setdefault(symbol, []).extend(part)
        token, pages = page["next_page_token"], pages + 1
    assert whole["next_page_token"] is None
    assert rows == whole[path]
    assert pages == -(-sum(map(len, rows.values())) // 7)


def test_the_sdk_reads_through_all_pages(desk):
    found = bars(desk, start=FRIDAY - timedelta(days=45), end=CLOSE)["MSFT"]
    assert len(found) > 10_000
    assert len({bar.timestamp for bar in found}) == len(found)


def test_trades_and_quotes_agree_at_every_second(desk):
    fields = {"symbol_or_symbols": "MSFT", "start": FRIDAY, "end": FRIDAY + MINUTE}
    trades = desk.data.get_stock_trades(StockTradesRequest(**fields)).data["MSFT"]
    quotes = desk.data.get_stock_quotes(StockQuotesRequest(**fields)).data["MSFT"]
    assert len(trades) == len(quotes) == 61
    assert all(quote.bid_price < quote.ask_price and quote.bid_size > 0 for quote in quotes)
    assert [trade.timestamp for trade in trades] == [quote.timestamp for quote in quotes]
    assert len({trade.id for trade in trades}) == len(trades)


def test_history_ends_now(desk):
    now = desk.client.get_clock().timestamp
    found = bars(desk, start=datetime(2026, 1, 12, 14, 30, tzinfo=UTC), end=datetime(2026, 1, 13, tzinfo=UTC))["MSFT"]
    assert found[-1].timestamp + MINUTE <= now
    assert now - found[-1].timestamp < timedelta(minutes=2)


def test_no_data_is_an_empty_answer(desk):
    assert bars(desk, start=datetime(2026, 1, 10, tzinfo=UTC), end=datetime(2026, 1, 11, tzinfo=UTC)) == {}


def test_words_of_other_feeds_and_adjustments_are_taken(desk):
    fields = {"feed": DataFeed.IEX, "adjustment": Adjustment.ALL, "asof": "2026-01-09", "currency": "USD"}
    assert len(bars(desk, start=FRIDAY, end=FRIDAY, **fields)["MSFT"]) == 1


# -- the latest --------------------------------------------------------------------------------------------------------


def test_the_latest_quote_trade_and_bar(desk):
    symbols = {"symbol_or_symbols": ["SPY", "AAPL"]}
    quote = desk.data.get_stock_latest_quote(StockLatestQuoteRequest(**symbols))["SPY"]
    trade = desk.data.get_stock_latest_trade(StockLatestTradeRequest(**symbols))["SPY"]
    bar = desk.data.get_stock_latest_bar(StockLatestBarRequest(**symbols))["SPY"]
    assert (quote.bid_price, quote.ask_price, trade.price) == (569.98, 570.02, 570.0)
    assert bar.timestamp.second == 0


def test_a_snapshot_has_five_parts(desk):
    found = desk.data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=["SPY", "MSFT", "ZZZZ"]))
    assert set(found) == {"SPY", "MSFT"}
    parts = found["SPY"]
    assert parts.latest_trade.price == 570.0
    assert parts.daily_bar.timestamp.date() == date(2026, 1, 12)
    assert parts.previous_daily_bar.timestamp.date() == date(2026, 1, 9)
    assert parts.minute_bar.timestamp.date() == date(2026, 1, 12)
    assert parts.latest_quote.ask_price == 570.02


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/stocks/MSFT/bars?timeframe=1Day&start=2026-01-08", {"bars", "symbol", "next_page_token"}),
        ("/stocks/MSFT/trades?start=2026-01-09&limit=1", {"trades", "symbol", "next_page_token"}),
        ("/stocks/MSFT/quotes?start=2026-01-09&limit=1", {"quotes", "symbol", "next_page_token"}),
        ("/stocks/MSFT/bars/latest", {"bar", "symbol"}),
        ("/stocks/MSFT/trades/latest", {"trade", "symbol"}),
        ("/stocks/MSFT/quotes/latest", {"quote", "symbol"}),
        ("/stocks/MSFT/snapshot",
         {"symbol", "latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar"}),
        ("/stocks/meta/exchanges", {"V", "A", "N", "P", "Q"}),
        ("/stocks/meta/conditions/trade?tape=A", {"@", "I", "Q", "M"}),
        ("/stocks/MSFT/auctions?start=2026-01-08", {"auctions", "symbol", "next_page_token"}),
    ],
)  # fmt: skip
def test_the_paths_of_single_symbols_and_tables(desk, path, keys):
    assert set(desk.data.get(path)) == keys
    assert set(desk.data.get(path.replace("?", "/?") if "?" in path else f"{path}/")) == keys


def test_basic_credentials_are_taken(desk):
    keys = desk.keys
    client = StockHistoricalDataClient(keys.key, keys.secret, use_basic_auth=True, url_override=desk.venue.url)
    assert client.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="SPY"))["SPY"].price == 570.0


def test_there_are_no_corporate_actions(desk):
    client = CorporateActionsClient(desk.keys.key, desk.keys.secret, url_override=desk.venue.url)
    request = CorporateActionsRequest(symbols=["SPY"], start=date(2024, 1, 1))
    assert client.get_corporate_actions(request).data == {}
