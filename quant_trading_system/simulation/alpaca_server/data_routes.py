"""Market data by request: `/v2/stocks/...` for history, the latest prices, snapshots and code tables."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

import msgspec

from quant_trading_system.simulation.admission import MALFORMED, VenueRefusal, not_found
from quant_trading_system.simulation.alpaca_server import answers
from quant_trading_system.simulation.alpaca_server import parameters as read
from quant_trading_system.simulation.alpaca_server.auctions import OFFICIAL_CLOSE, OFFICIAL_OPEN, shown_auctions
from quant_trading_system.simulation.alpaca_server.bars import midnight_ns, read_timeframe
from quant_trading_system.simulation.alpaca_server.codec import time_text
from quant_trading_system.simulation.alpaca_server.history_pages import Span, read_page
from quant_trading_system.simulation.alpaca_server.latest_prices import LatestPrices
from quant_trading_system.simulation.alpaca_server.market_wire import IEX, Row
from quant_trading_system.simulation.alpaca_server.routes import Answer, Call, Handler, Parameter, Route, Scope

FEEDS = ("sip", "iex", "delayed_sip", "otc", "boats", "overnight")
ADJUSTMENTS = frozenset({"raw", "split", "dividend", "spin-off", "all"})
EXCHANGES = {
    IEX: "IEX",
    "A": "NYSE American (AMEX)",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
}
CONDITIONS = {
    "trade": {
        "@": "Regular Sale",
        "I": "Odd Lot Trade",
        OFFICIAL_OPEN: "Market Center Official Open",
        OFFICIAL_CLOSE: "Market Center Official Close",
    },
    "quote": {"R": "Regular, Two-Sided Open Quote"},
}

_MOST_ROWS, _USUAL_ROWS = 10_000, 1_000
_MOST_AUCTIONS = 60
"""Days of auctions on a page, whatever its limit: each needs the trades of its day."""
_NO_ROWS = msgspec.Raw(b"[]")
_AS_IT_IS = "-"
"""A symbol means what it means now, whatever it was called before."""
_BAD = 400


class Kind(NamedTuple):
    """One kind of market data: the keys of answers about many symbols and about one."""

    many: str
    one: str


BARS, TRADES, QUOTES = Kind("bars", "bar"), Kind("trades", "trade"), Kind("quotes", "quote")
AUCTIONS = Kind("auctions", "auction")
LATEST: dict[Kind, Callable[[LatestPrices], Row | None]] = {
    BARS: lambda prices: prices.minute_bar,
    TRADES: lambda prices: prices.trade,
    QUOTES: lambda prices: prices.quote,
}
"""Picks the latest of a symbol."""


# -- history -----------------------------------------------------------------------------------------------------------


async def history_of_many(call: Call, kind: Kind) -> Answer:
    """Rows of several symbols, a page at a time."""
    rows, token = await _page(call, kind, _symbols(call))
    return Answer({kind.many: rows, "next_page_token": token, **_currency(call)})


async def history_of_one(call: Call, kind: Kind) -> Answer:
    """Rows of one symbol, a page at a time."""
    symbol = _symbol(call)
    rows, token = await _page(call, kind, (symbol,))
    shown = rows.get(symbol, _NO_ROWS)
    return Answer({kind.many: shown, "symbol": symbol, "next_page_token": token, **_currency(call)})


async def _page(call: Call, kind: Kind, symbols: tuple[str, ...]) -> tuple[dict[str, msgspec.Raw], str | None]:
    """The rows of each symbol in JSON, and the token of the next page; others are served meanwhile."""
    now = call.host.market.now_ns
    span = _span(call, now)
    limit = read.whole_number(call.query, "limit", default=_USUAL_ROWS, least=1, most=_MOST_ROWS, http=_BAD)
    _require_known_words(call)
    reader, name = _reader(call, kind, now)
    known = tuple(symbol for symbol in symbols if symbol in call.host.tape.symbols)
    token = call.query.get("page_token")
    show, most = (shown_auctions, _MOST_AUCTIONS) if kind is AUCTIONS else (_shown, _MOST_ROWS)

    def found() -> tuple[dict[str, msgspec.Raw], str | None]:
        page = read_page(known, reader, span, min(limit, most), token, name)
        return {symbol: _encoded([show(row) for row in rows]) for symbol, rows in page.rows.items()}, page.next_token

    return await call.in_background(found)


def _encoded(rows: list[Row]) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(rows))


def _reader(call: Call, kind: Kind, now: int) -> tuple[Callable[[str, Span], Iterator[list[Row]]], str]:
    """What reads the rows, and the name that page tokens carry."""
    history = call.history
    if kind is BARS:
        timeframe = read_timeframe(call.query.get("timeframe", ""))
        return (lambda symbol, span: history.bars(symbol, timeframe, span, now)), str(timeframe)
    rows = {TRADES: history.trades, QUOTES: history.quotes, AUCTIONS: history.auctions}[kind]
    return (lambda symbol, span: rows(symbol, span, now)), kind.many


def _span(call: Call, now: int) -> Span:
    start = read.moment_ns(call.query, "start", http=_BAD)
    end = read.moment_ns(call.query, "end", end_of_day=True, http=_BAD)
    if start is not None and end is not None and start > end:
        raise VenueRefusal(MALFORMED, _BAD, "end should not be before start")
    order = read.choice(call.query, "sort", ("asc", "desc"), "asc", _BAD)
    today = midnight_ns(call.host.market.today)
    return Span(today if start is None else start, now if end is None else end, order == "desc")


def _require_known_words(call: Call) -> None:
    """Refuse feeds, adjustments and currencies that do not exist; those that do all mean the same here."""
    read.choice(call.query, "feed", FEEDS, "sip", _BAD)
    read.choice(call.query, "currency", ("USD", "usd"), "USD", _BAD)
    if call.query.get("asof") != _AS_IT_IS:
        read.day(call.query, "asof", http=_BAD)
    if not ADJUSTMENTS.issuperset(read.words(call.query, "adjustment")):
        raise read.refuse("adjustment", http=_BAD)


# -- the latest --------------------------------------------------------------------------------------------------------


async def latest_of_many(call: Call, kind: Kind) -> Answer:
    """The latest of several symbols; those without any are left out."""
    symbols = _symbols(call)
    _require_known_words(call)
    found = await call.in_background(lambda: {symbol: LATEST[kind](prices_of(call, symbol)) for symbol in symbols})
    rows = {symbol: _shown(row) for symbol, row in found.items() if row is not None}
    return Answer({kind.many: rows, **_currency(call)})


async def latest_of_one(call: Call, kind: Kind) -> Answer:
    """The latest of one symbol."""
    symbol = _symbol(call)
    _require_known_words(call)
    row = await call.in_background(lambda: LATEST[kind](prices_of(call, symbol)))
    if row is None:
        raise not_found(f"no {kind.one} found for {symbol}")
    return Answer({"symbol": symbol, kind.one: _shown(row), **_currency(call)})


async def snapshots(call: Call) -> Answer:
    """The snapshots of several symbols, by symbol."""
    symbols = _symbols(call)
    _require_known_words(call)
    found = await call.in_background(lambda: {symbol: prices_of(call, symbol).snapshot for symbol in symbols})
    return Answer({symbol: _snapshot(parts) for symbol, parts in found.items() if parts is not None})


async def snapshot(call: Call) -> Answer:
    """The snapshot of one symbol."""
    symbol = _symbol(call)
    _require_known_words(call)
    parts = await call.in_background(lambda: prices_of(call, symbol).snapshot)
    if parts is None:
        raise not_found(f"no snapshot found for {symbol}")
    return Answer({"symbol": symbol, **_snapshot(parts)})


def prices_of(call: Call, symbol: str) -> LatestPrices:
    """The latest prices of a symbol."""
    host = call.host
    return LatestPrices(host.tape, host.scene.calendar, call.history, symbol, host.market.now_ns)


# -- tables ------------------------------------------------------------------------------------------------------------


def exchanges(call: Call) -> Answer:
    """Exchange codes and their names."""
    del call
    return Answer(EXCHANGES)


def conditions(call: Call) -> Answer:
    """Condition codes and what they mean."""
    found = CONDITIONS.get(call.path["ticktype"])
    if found is None or call.query.get("tape", "A").upper() not in ("A", "B", "C"):
        raise read.refuse("ticktype or tape", http=_BAD)
    return Answer(found)


# -- inside ------------------------------------------------------------------------------------------------------------


def _symbols(call: Call) -> tuple[str, ...]:
    found = read.symbols(call.query, http=_BAD)
    if not found:
        raise VenueRefusal(MALFORMED, _BAD, "symbols is required")
    return found


def _symbol(call: Call) -> str:
    return read.require_symbol(call.path["symbol"].upper(), _BAD)


def _currency(call: Call) -> dict[str, str]:
    return {"currency": call.query["currency"].upper()} if call.query.get("currency") else {}


def _shown(row: Row) -> Row:
    return {**row, "t": time_text(row["t"])}


def _snapshot(parts: Row) -> Row:
    return {name: None if row is None else _shown(row) for name, row in parts.items()}


_LIST = {"pattern": "^[A-Z]{1,5}(,[A-Z]{1,5})*$", "examples": ["SPY", "AAPL,SPY"]}
_ISO = {"format": "date-time"}
_SYMBOLS = Parameter("symbols", description="Separated by commas.", required=True, more=_LIST)
_FEED = Parameter("feed", values=FEEDS)
_CURRENCY = Parameter("currency", values=("USD",))
_HISTORY = (
    Parameter("start", description="RFC 3339 or a date; included. The beginning of today without it.", more=_ISO),
    Parameter("end", description="RFC 3339 or a date; included. Now without it.", more=_ISO),
    Parameter("limit", "integer", "Rows of all symbols together.", more={"minimum": 1, "maximum": _MOST_ROWS}),
    Parameter("page_token", description="From the page before."),
    Parameter("sort", values=("asc", "desc")),
    Parameter("asof", description="A date, or a hyphen.", more={"format": "date"}),
    _FEED,
    _CURRENCY,
)
_BAR = (
    Parameter(
        "timeframe",
        description="1Min to 59Min, 1Hour to 23Hour, 1Day, 1Week, 1Month to 12Month.",
        required=True,
        more={"pattern": "^([1-9]|[1-5][0-9])Min$|^1Hour$|^1Day$|^1Week$|^1Month$", "examples": ["1Min", "1Day"]},
    ),
    Parameter("adjustment", description="Some of them, separated by commas.", more={"enum": sorted(ADJUSTMENTS)}),
)
_NOW = (_FEED, _CURRENCY)


Work = Callable[[Call, Kind], Awaitable[Answer]]
_TAPE = Parameter("tape", values=("A", "B", "C"))
_ROWS = {BARS: answers.BAR, TRADES: answers.TRADE, QUOTES: answers.QUOTE, AUCTIONS: answers.AUCTION_DAY}


def _routes_of(kind: Kind) -> Iterator[Route]:
    extra = _BAR if kind is BARS else ()

    row = _ROWS[kind]
    many, one = answers.by_symbol(answers.list_of(row)), answers.list_of(row)

    def route(path: str, work: Work, words: str, answer: answers.Schema, *parameters: Parameter) -> Route:
        return _route(path, lambda call: work(call, kind), f"{words} {kind.many}", answer, *parameters)

    paged = answers.page_of(kind.many, many), answers.page_of(kind.many, one)
    yield route(f"/{kind.many}", history_of_many, "Historical", paged[0], _SYMBOLS, *extra, *_HISTORY)
    yield route(f"/{{symbol}}/{kind.many}", history_of_one, "One symbol's historical", paged[1], *extra, *_HISTORY)
    if kind in LATEST:
        latest = answers.fields(**{kind.many: answers.by_symbol(row)}), answers.fields(**{kind.one: row})
        yield route(f"/{kind.many}/latest", latest_of_many, "Latest", latest[0], _SYMBOLS, *_NOW)
        yield route(f"/{{symbol}}/{kind.many}/latest", latest_of_one, "One symbol's latest", latest[1], *_NOW)


def _route(path: str, handler: Handler, words: str, answer: answers.Schema, *parameters: Parameter) -> Route:
    return Route("GET", f"/v2/stocks{path}", handler, words, Scope.DATA, parameters, answer=answer)


def data_routes() -> tuple[Route, ...]:
    """All of them; fixed paths before those with a symbol in them."""
    made = [route for kind in (BARS, TRADES, QUOTES, AUCTIONS) for route in _routes_of(kind)]
    table = answers.by_symbol(answers.TEXT)
    made += [
        _route("/snapshots", snapshots, "Snapshots", answers.by_symbol(answers.SNAPSHOT), _SYMBOLS, *_NOW),
        _route("/{symbol}/snapshot", snapshot, "One symbol's snapshot", answers.SNAPSHOT, *_NOW),
        _route("/meta/exchanges", exchanges, "Exchange codes", table),
        _route("/meta/conditions/{ticktype}", conditions, "Condition codes", table, _TAPE),
    ]
    return tuple(sorted(made, key=lambda route: "{symbol}" in route.path))
