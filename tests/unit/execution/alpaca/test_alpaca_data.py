"""Prices from Alpaca: every page, every digit, and the same prices in our own words."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.exceptions import BrokerRejected, MarketDataError, OutcomeUnknown
from quant_trading_system.execution.alpaca_data import SYMBOLS_AT_ONCE, AlpacaData
from quant_trading_system.execution.alpaca_history import history_of
from quant_trading_system.execution.alpaca_market import BarRow, QuoteRow, flaw_of, to_bar, to_quote
from quant_trading_system.execution.alpaca_wire import read_json
from quant_trading_system.execution.transport import Reply, Request
from quant_trading_system.market.sessions import TradingCalendar
from tests.support.alpaca_lines import START, Line, refusal, reply

D = Decimal
CALENDAR = TradingCalendar.nyse(date(2027, 3, 1), date(2027, 3, 31))


def bar(at: str, close: float = 61.25, **fields: Any) -> dict[str, Any]:
    return {"t": at, "o": 61.1, "h": 61.5, "l": 61.05, "c": close, "v": 1200, "n": 14, "vw": 61.234567, **fields}


def quote(**fields: Any) -> dict[str, Any]:
    return {"t": "2027-03-09T15:00:00.123456789Z", "bp": 61.24, "bs": 300, "ap": 61.26, "as": 200, "c": ["R"], **fields}


TRADE = {"t": "2027-03-09T15:00:00.1Z", "p": 61.255, "s": 40, "i": 77, "x": "D", "c": ["@"], "z": "A"}


class Data(Line):
    def __init__(self, *answers: Any, **options: Any) -> None:
        super().__init__(*answers, **options)
        self.data = AlpacaData(self.api)

    def ask(self, question: Any) -> Any:
        return self.run(question(self.data))

    @property
    def query(self) -> dict[str, str]:
        return dict(self.transport.requests[-1].query)


def test_pages_are_read_until_the_broker_says_that_there_are_no_more():
    """A symbol may continue on the next page, and a short page is not the last one."""
    first = {"bars": {"KO": [bar("2027-03-09T15:00:00Z")]}, "next_page_token": "two"}
    second = {"bars": {"KO": [bar("2027-03-09T15:01:00Z", 61.3)], "XOM": []}, "next_page_token": "three"}
    third = {"bars": {"XOM": [bar("2027-03-09T15:00:00Z", 104.07)]}, "next_page_token": None}
    line = Data(reply(first), reply(second), reply(third))
    found = line.ask(lambda data: data.bars(("KO", "XOM"), "1Min", start=START, end=date(2027, 3, 10)))
    assert {symbol: [row.close for row in rows] for symbol, rows in found.items()} == {
        "KO": [D("61.25"), D("61.3")],
        "XOM": [D("104.07")],
    }
    assert line.query == {
        "symbols": "KO,XOM",
        "start": "2027-03-09T15:00:00Z",
        "end": "2027-03-10",
        "feed": "iex",
        "limit": "10000",
        "timeframe": "1Min",
        "adjustment": "raw",
        "page_token": "three",
    }


def test_a_page_that_comes_again_is_an_error_and_no_endless_loop():
    line = Data(script=lambda _: reply({"trades": {"KO": [TRADE]}, "next_page_token": "same"}))
    with pytest.raises(OutcomeUnknown, match="repeats a page"):
        line.ask(lambda data: data.trades(("KO",), start=START))


def test_no_data_is_an_empty_answer():
    line = Data(reply({"bars": {}, "next_page_token": None}), reply({"quotes": None, "next_page_token": None}))
    assert line.ask(lambda data: data.bars(("KO",), "1Day", start=START)) == {}
    assert line.ask(lambda data: data.quotes(("KO",), start=START)) == {}


def test_trades_and_quotes_keep_every_digit():
    line = Data(
        reply({"trades": {"KO": [TRADE | {"u": "corrected"}]}, "next_page_token": None}),
        Reply(200, b'{"quotes":{"KO":[{"t":"2027-03-09T15:00:00Z","bp":61.2400000000000007,"ap":0}]}}'),
    )
    (trade,) = line.ask(lambda data: data.trades(("KO",), start=START))["KO"]
    assert (trade.price, trade.size, trade.trade_id, trade.update) == (D("61.255"), 40, 77, "corrected")
    (found,) = line.ask(lambda data: data.quotes(("KO",), start=START))["KO"]
    assert (found.bid, found.ask) == (D("61.2400000000000007"), 0)


def test_the_latest_of_everything():
    line = Data(
        reply({"bars": {"KO": bar("2027-03-09T15:00:00Z")}}),
        reply({"quotes": {"KO": quote()}}),
        reply({"trades": {"KO": TRADE}}),
        reply({"KO": {"latestTrade": TRADE, "latestQuote": quote(), "prevDailyBar": bar("2027-03-08T05:00:00Z")}}),
    )
    symbols = ("KO", "NOPE")
    assert line.ask(lambda data: data.latest_bars(symbols))["KO"].vwap == D("61.234567")
    assert line.ask(lambda data: data.latest_quotes(symbols))["KO"].ask_size == 200
    assert line.ask(lambda data: data.latest_trades(symbols))["KO"].price == D("61.255")
    snapshot = line.ask(lambda data: data.snapshots(symbols))["KO"]
    assert (snapshot.trade.price, snapshot.quote.bid, snapshot.minute_bar) == (D("61.255"), D("61.24"), None)
    assert [request.path.removeprefix("/v2/stocks/") for request in line.transport.requests] == [
        "bars/latest",
        "quotes/latest",
        "trades/latest",
        "snapshots",
    ]


@pytest.mark.parametrize(
    "answer",
    [Reply(400, b'{"message": "invalid timeframe"}'), refusal(403, 42210000, "recent data is not in the plan")],
)
def test_a_question_that_the_broker_does_not_take_is_a_definite_no(answer: Reply):
    def once(_: Request) -> Reply:
        return answer

    line = Data(script=once)
    with pytest.raises(BrokerRejected):
        line.ask(lambda data: data.bars(("KO",), "7Min", start=START))
    assert len(line.transport.requests) == 1


# -- in our words --------------------------------------------------------------------------------------------------


def read_quote(**fields: Any) -> QuoteRow:
    return read_json(json.dumps(quote(**fields)).encode(), QuoteRow)


def test_a_quote_goes_onto_the_board_with_its_own_time_and_ours():
    ours = to_quote("KO", read_quote(), received_at=START, source="alpaca iex", sequence=3, last=D("61.25"))
    assert (ours.bid, ours.ask, ours.bid_size, ours.ask_size) == (D("61.24"), D("61.26"), 300, 200)
    assert ours.at == datetime(2027, 3, 9, 15, 0, 0, 123457, tzinfo=UTC)
    assert (ours.received_at, ours.flaw) == (START, "")


FLAWS = """
61.24   61.26                ''
61.24   0                    ''
0.0501  0.0502               ''
-1      61.26                a negative price
61.24   61.265               a price between two ticks
61.24   61.260000000000001   a price between two ticks
"""


@pytest.mark.parametrize("row", FLAWS.strip().splitlines())
def test_odd_prices_are_flagged(row):
    bid, ask, flaw = row.split(maxsplit=2)
    text = f'{{"t":"2027-03-09T15:00:00Z","bp":{bid},"ap":{ask}}}'
    assert flaw_of(read_json(text.encode(), QuoteRow)) == flaw.strip("'")


def rows(*bars: dict[str, Any]) -> list[BarRow]:
    return [read_json(json.dumps(one).encode(), BarRow) for one in bars]


def test_a_bar_of_a_minute_is_known_at_its_end():
    (row,) = rows(bar("2027-03-09T10:00:00-05:00"))
    ours = to_bar("KO", row)
    assert (ours.start, ours.end) == (START, START + timedelta(minutes=1))
    assert (ours.open, ours.high, ours.low, ours.close, ours.volume) == (
        D("61.1"), D("61.5"), D("61.05"), D("61.25"), 1200,
    )  # fmt: skip


def test_minute_bars_of_several_symbols_become_a_history_with_holes():
    history = history_of(
        {
            "KO": rows(bar("2027-03-09T15:01:00Z", 61.3), bar("2027-03-09T15:00:00Z", 61.25)),
            "XOM": rows(bar("2027-03-09T15:01:00Z", 104.0701)),
            "NOPE": [],
        },
        CALENDAR,
        timedelta(minutes=1),
    )
    assert history.symbols == ("KO", "XOM")
    assert history.present.tolist() == [[True, False], [True, True]]
    assert history.close_micros[:, 0].tolist() == [61_250_000, 61_300_000]
    assert history.close_micros[1, 1] == 104_070_100
    assert history.time_at(0) == START + timedelta(minutes=1)
    assert history.volume is not None
    assert history.volume[1].tolist() == [1200, 1200]


def test_daily_bars_become_sessions():
    history = history_of({"KO": rows(bar("2027-03-08T05:00:00Z"), bar("2027-03-09T05:00:00Z"))}, CALENDAR)
    assert history.is_daily
    assert history.dates.tolist() == [date(2027, 3, 8), date(2027, 3, 9)]
    assert history.time_at(1) == datetime(2027, 3, 9, 21, tzinfo=UTC)


def test_adjusted_prices_are_rounded_to_the_millionth_of_a_dollar():
    history = history_of({"KO": rows(bar("2027-03-09T05:00:00Z", 30.6249995))}, CALENDAR)
    assert history.close_micros[0, 0] == 30_625_000


@pytest.mark.parametrize(
    ("bars", "why"),
    [
        ({}, "no bar"),
        ({"KO": [bar("2027-03-09T05:00:00Z"), bar("2027-03-09T05:00:00Z")]}, "KO has two bars that begin at"),
        ({"KO": [bar("2027-03-09T05:00:00Z", 0)]}, "close is 0"),
        ({"KO": [bar("2027-03-07T05:00:00Z")]}, "closed on 2027-03-07"),
    ],
)
def test_bars_that_cannot_be_trusted_make_no_history(bars, why):
    with pytest.raises(MarketDataError, match=why):
        history_of({symbol: rows(*some) for symbol, some in bars.items()}, CALENDAR)


# -- many symbols ----------------------------------------------------------------------------------------------------

MANY = tuple(f"S{number:04d}" for number in range(2 * SYMBOLS_AT_ONCE + 1))
"""More than the address of two requests can hold."""


def answer_for(request: Request) -> Reply:
    """What the broker says about the symbols that were asked for."""
    symbols = dict(request.query)["symbols"].split(",")
    match request.path.removeprefix("/v2/stocks/").split("/"):
        case ["snapshots"]:
            return reply({symbol: {"latestTrade": TRADE} for symbol in symbols})
        case [what, "latest"]:
            rows = {"bars": bar("2027-03-09T15:00:00Z"), "quotes": quote(), "trades": TRADE}
            return reply({what: dict.fromkeys(symbols, rows[what])})
        case [what]:
            rows = {"bars": bar("2027-03-09T15:00:00Z"), "quotes": quote(), "trades": TRADE}
            return reply({what: {symbol: [rows[what]] for symbol in symbols}, "next_page_token": None})
    raise AssertionError(request.path)


@pytest.mark.parametrize(
    "question",
    [
        lambda data: data.bars(MANY, "1Day", start=START),
        lambda data: data.quotes(MANY, start=START),
        lambda data: data.trades(MANY, start=START),
        lambda data: data.latest_bars(MANY),
        lambda data: data.latest_quotes(MANY),
        lambda data: data.latest_trades(MANY),
        lambda data: data.snapshots(MANY),
    ],
    ids=["bars", "quotes", "trades", "latest bars", "latest quotes", "latest trades", "snapshots"],
)
def test_many_symbols_are_asked_for_in_parts_that_fit_into_an_address(question):
    line = Data(script=answer_for)
    assert tuple(line.ask(question)) == MANY
    asked = [dict(request.query)["symbols"] for request in line.transport.requests]
    assert [part.count(",") + 1 for part in asked] == [SYMBOLS_AT_ONCE, SYMBOLS_AT_ONCE, 1]
    assert max(len(part.replace(",", "%2C")) for part in asked) < 4_000


def test_nothing_is_asked_about_no_symbols():
    line = Data(script=answer_for)
    assert line.ask(lambda data: data.latest_quotes(())) == {}
    assert line.transport.requests == []
