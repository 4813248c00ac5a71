"""`qts venue` as a process: real time, restarts, signals, options, other sources of prices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from http.client import HTTPConnection
from urllib.error import HTTPError

import pytest

from tests.support.alpaca_sdk import (
    ClosePositionRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    OrderClass,
    OrderSide,
    StockBarsRequest,
    StockHistoricalDataClient,
    StockLatestQuoteRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TimeFrame,
    TimeInForce,
    TradingClient,
    TrailingStopOrderRequest,
)
from tests.support.sdk_streams import data_stream, order_stream
from tests.support.venue_process import Keys, running_venue, until

SPY = "SPY:570"


def client_of(venue, keys):
    return TradingClient(keys.key, keys.secret, url_override=venue.url)


def market(**fields):
    defaults = {"symbol": "SPY", "qty": 10, "side": OrderSide.BUY, "time_in_force": TimeInForce.DAY}
    return MarketOrderRequest(**{**defaults, **fields})


@pytest.fixture(scope="module")
def live():
    """The present day, open whatever the wall clock says, sixty times as fast as real."""
    with running_venue("--symbols", f"{SPY},AAPL:190", "--always-open", "--speed", "60", accounts=20) as venue:
        yield venue


def test_an_order_fills_by_itself_in_real_time(live):
    keys = live.fresh_account()
    client = client_of(live, keys)
    with order_stream(live, keys) as heard:
        sent = client.submit_order(market())
        assert sent.status.value == "pending_new"
        assert [update.event for update in heard.until_event("fill")] == ["pending_new", "new", "fill"]
    assert client.get_order_by_id(sent.id).status.value == "filled"


def test_a_cancel_is_done_before_the_next_question(live):
    """The vendor's example cancels everything and sells a few lines later."""
    client = client_of(live, live.fresh_account())
    order = client.submit_order(market(qty=2))
    until(lambda: client.get_order_by_id(order.id).status.value == "filled", "the order to fill")
    request = LimitOrderRequest(symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, limit_price=300)
    for _ in range(3):
        client.submit_order(request)
    client.cancel_orders()
    until(lambda: not client.get_orders(), "the orders to be cancelled")
    assert client.close_position("SPY").side.value == "sell"


def test_the_orders_of_the_vendors_example_go_through_one_after_the_other(live):
    """Nobody waits between them; each stands on what the ones before have done."""
    client = client_of(live, live.fresh_account())
    buy = {"symbol": "SPY", "side": OrderSide.BUY}
    day, gtc = {"time_in_force": TimeInForce.DAY}, {"time_in_force": TimeInForce.GTC}
    exits = {"take_profit": TakeProfitRequest(limit_price=700), "stop_loss": StopLossRequest(stop_price=300)}
    requests = [
        MarketOrderRequest(**buy, **day, qty=5.5),
        MarketOrderRequest(**buy, **day, notional=1.11),
        LimitOrderRequest(**buy, **day, qty=0.01, limit_price=450.25),
        StopOrderRequest(**buy, **gtc, qty=1, stop_price=700),
        StopLimitOrderRequest(**buy, **gtc, qty=1, stop_price=700, limit_price=550),
        MarketOrderRequest(**buy, **day, qty=5, order_class=OrderClass.BRACKET, **exits),
        LimitOrderRequest(**buy, **day, qty=1, limit_price=450, Class=OrderClass.OTO, stop_loss=exits["stop_loss"]),
        LimitOrderRequest(**buy, **day, qty=1, limit_price=450, Class=OrderClass.OCO),
        TrailingStopOrderRequest(symbol="SPY", side=OrderSide.SELL, **gtc, qty=1, trail_percent=0.20),
    ]
    for request in requests:
        client.submit_order(request)
    everything = client.get_orders(GetOrdersRequest(status="all", symbols=["SPY"]))
    assert len(everything) == len(requests) + 2
    assert client.get_orders(GetOrdersRequest(status="open", symbols=["SPY"]))
    client.cancel_orders()
    position = client.get_open_position("SPY")
    assert client.get_open_position(position.asset_id).symbol == "SPY"
    closing = client.close_position("SPY", ClosePositionRequest(qty="0.01"))
    assert (closing.qty, closing.side.value) == ("0.01", "sell")


def test_live_bars_come_at_the_end_of_every_minute(live):
    keys = live.fresh_account()
    with data_stream(live, keys, bars=["SPY"]) as heard:
        first, second = heard.take(2)
    assert (second.timestamp - first.timestamp).total_seconds() == 60
    data = StockHistoricalDataClient(keys.key, keys.secret, url_override=live.url)
    request = StockBarsRequest(symbol_or_symbols="SPY", timeframe=TimeFrame.Minute, start=first.timestamp, limit=2)
    assert data.get_stock_bars(request).data["SPY"] == [first, second]


def test_the_market_begins_near_the_wanted_price(live):
    keys = live.fresh_account()
    data = StockHistoricalDataClient(keys.key, keys.secret, url_override=live.url)
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="SPY"))["SPY"]
    assert quote.bid_price == pytest.approx(570, rel=0.02)
    assert client_of(live, keys).get_clock().is_open is True


def test_the_limit_of_requests_holds_and_is_told():
    with running_venue("--symbols", SPY, "--always-open", "--rate-limit", "3") as venue:
        keys = venue.fresh_account()
        client = client_of(venue, keys)
        client._retry = 0
        for _ in range(3):
            client.get_clock()
        with pytest.raises(Exception, match="rate limit exceeded"):
            client.get_clock()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_venue_with_a_file_goes_on_where_it_was(tmp_path, how):
    """Whether it is ended or killed: what was answered a moment ago is there when it is back."""
    options = ("--symbols", SPY, "--from", "2026-01-12", "--stepped", "--db", str(tmp_path / "venue.db"))
    with running_venue(*options, clean=how is not signal.SIGKILL) as venue:
        keys = venue.fresh_account()
        client = client_of(venue, keys)
        filled = client.submit_order(market())
        until(lambda: client.get_order_by_id(filled.id).status.value == "filled", "the order to fill")
        request = LimitOrderRequest(
            symbol="SPY", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=300
        )
        resting = client.submit_order(request)
        venue.pass_time(60)
        before = client.get_account(), client.get_all_positions()
        until(lambda: venue.control("/time")["saved"], "the state to be written")
        os.kill(venue.process.pid, how)
        venue.process.wait()
    with running_venue(*options) as venue:
        client = client_of(venue, keys)
        assert (client.get_account(), client.get_all_positions()) == before
        assert [order.id for order in client.get_orders()] == [resting.id]
        assert len(client.get("/account/activities/FILL")) == 1


def test_the_bundled_prices_are_replayed_from_a_day():
    options = ("--source", "sp500", "--symbols", "KO,PEP", "--from", "2022-01-03", "--stepped", "--rate-limit", "0")
    with running_venue(*options) as venue:
        keys = venue.fresh_account()
        client = client_of(venue, keys)
        assert client.get_clock().timestamp == datetime.fromisoformat("2022-01-03T09:30:00-05:00")
        assert {asset.symbol: asset.name for asset in client.get_all_assets()} == {
            "KO": "The Coca-Cola Company",
            "PEP": "PepsiCo, Inc.",
        }
        data = StockHistoricalDataClient(keys.key, keys.secret, url_override=venue.url)
        request = StockBarsRequest(symbol_or_symbols="KO", timeframe=TimeFrame.Day, start=datetime(1990, 1, 1))  # noqa: DTZ001
        bars = data.get_stock_bars(request).data["KO"]
        assert (bars[0].timestamp.date().isoformat(), bars[0].close) == ("1990-01-02", 2.235)
        assert len(bars) > 8_000


def test_a_users_own_file_is_replayed(tmp_path):
    path = tmp_path / "prices.csv"
    rows = [f"2026-01-{day:02},{10 + day},{11 + day},{9 + day},{10 + day},1000000" for day in (5, 6, 7, 8, 9, 12)]
    path.write_text("\n".join(["date,open,high,low,close,volume", *rows]))
    named = tmp_path / "XYZ.csv"
    path.rename(named)
    with running_venue("--source", str(named), "--from", "2026-01-09", "--stepped", "--rate-limit", "0") as venue:
        keys = venue.fresh_account()
        data = StockHistoricalDataClient(keys.key, keys.secret, url_override=venue.url)
        venue.control("/time", {"to": "2026-01-09T21:00:00Z"})
        request = StockBarsRequest(symbol_or_symbols="XYZ", timeframe=TimeFrame.Day, start=datetime(2026, 1, 5))  # noqa: DTZ001
        bars = data.get_stock_bars(request).data["XYZ"]
        assert [(bar.open, bar.high, bar.low, bar.close) for bar in bars][-1] == (19.0, 20.0, 18.0, 19.0)
        assert len(bars) == 5


def test_without_a_token_the_control_surface_is_closed():
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "venue", "--port=0", "--json", "--symbols", SPY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        card = json.loads(process.stdout.readline())
        assert set(card) >= {
            "trading_url", "data_url", "trading_stream_url", "data_stream_url", "key_id", "secret_key",
        }  # fmt: skip
        keys = Keys("paper", card["key_id"], card["secret_key"])
        assert TradingClient(keys.key, keys.secret, url_override=card["trading_url"]).get_account().cash == "100000"
        from urllib.request import urlopen

        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{card['trading_url']}/_venue/books")
        process.terminate()
        assert process.wait(10) == 0


def test_a_mistake_in_the_options_is_told_in_one_line():
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "venue", "--port=0", "--host", "0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("qts: 0.0.0.0 can be reached from other machines")
    assert done.stderr.count("\n") == 1


def test_a_venue_ends_with_the_program_that_started_it():
    """When its starter dies without a word, the pipe between them closes."""
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "venue", "--port=0", "--json", "--end-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["trading_url"]
        process.stdin.close()
        assert process.wait(20) == 0


def test_a_request_on_its_way_arrives_although_its_sender_has_gone(live):
    """The venue holds it back for longer than the sender waits, and does it all the same."""
    keys = live.fresh_account()
    live.control("/faults/http", {"fault": "delay_request", "method": "POST", "path": "/v2/orders", "seconds": 1})
    body = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    headers = {"APCA-API-KEY-ID": keys.key, "APCA-API-SECRET-KEY": keys.secret}
    sender = HTTPConnection(live.url.removeprefix("http://"))
    sender.request("POST", "/v2/orders", json.dumps(body), headers)
    sender.close()
    until(lambda: live.control(f"/books/{keys.name}")["trades"], "the order to arrive")
