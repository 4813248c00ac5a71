"""Alpaca's stock history over REST: bars, quotes and trades to the last page, the latest of each, snapshots."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

from quant_trading_system.core.exceptions import OutcomeUnknown
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_market import BarRow, QuoteRow, Snapshot, TradeRow
from quant_trading_system.execution.alpaca_reads import Query, present

ROWS_PER_PAGE = 10_000
MAX_PAGES = 10_000
"""A history that does not end by then is asked for in parts."""
SYMBOLS_AT_ONCE = 400
"""More do not fit into the address of a request, of which servers read eight kilobytes; they are asked for in parts."""

_STOCKS = "/v2/stocks"

R = TypeVar("R", BarRow, QuoteRow, TradeRow)


class _Page(msgspec.Struct, Generic[R]):
    """One page; only the field that was asked for is filled."""

    next_page_token: str | None = None
    bars: dict[str, list[R]] | None = None
    quotes: dict[str, list[R]] | None = None
    trades: dict[str, list[R]] | None = None

    @property
    def rows(self) -> dict[str, list[R]]:
        """By symbol."""
        return self.bars or self.quotes or self.trades or {}


class _Latest(msgspec.Struct, Generic[R]):
    bars: dict[str, R] | None = None
    quotes: dict[str, R] | None = None
    trades: dict[str, R] | None = None

    @property
    def rows(self) -> dict[str, R]:
        """By symbol."""
        return self.bars or self.quotes or self.trades or {}


class AlpacaData:
    """Stock prices. Every method may raise `BrokerRejected` (a definite no) and `OutcomeUnknown`.

    Symbols that the broker does not know are missing from its answers.
    """

    def __init__(self, api: AlpacaApi, *, feed: str = "iex") -> None:
        """Ask through `api`, the line to the data host, for prices of `feed`."""
        self._api = api
        self._feed = feed

    async def bars(
        self,
        symbols: Iterable[str],
        timeframe: str,
        *,
        start: date | datetime,
        end: date | datetime | None = None,
        adjustment: str = "raw",
    ) -> dict[str, list[BarRow]]:
        """All bars of a span of time, both ends included, oldest first.

        Args:
            timeframe: such as ``1Min``, ``1Hour``, ``1Day``.
            adjustment: ``raw``, ``split``, ``dividend`` or ``all``.
        """
        query = present(timeframe=timeframe, adjustment=adjustment)
        return await self._all("bars", _Page[BarRow], symbols, start, end, *query)

    async def quotes(
        self, symbols: Iterable[str], *, start: date | datetime, end: date | datetime | None = None
    ) -> dict[str, list[QuoteRow]]:
        """All quotes of a span of time, both ends included, oldest first."""
        return await self._all("quotes", _Page[QuoteRow], symbols, start, end)

    async def trades(
        self, symbols: Iterable[str], *, start: date | datetime, end: date | datetime | None = None
    ) -> dict[str, list[TradeRow]]:
        """All trades of a span of time, both ends included, oldest first."""
        return await self._all("trades", _Page[TradeRow], symbols, start, end)

    async def latest_bars(self, symbols: Iterable[str]) -> dict[str, BarRow]:
        """The latest minute bar of each symbol."""
        return await self._latest("bars", _Latest[BarRow], symbols)

    async def latest_quotes(self, symbols: Iterable[str]) -> dict[str, QuoteRow]:
        """The latest quote of each symbol."""
        return await self._latest("quotes", _Latest[QuoteRow], symbols)

    async def latest_trades(self, symbols: Iterable[str]) -> dict[str, TradeRow]:
        """The latest trade of each symbol."""
        return await self._latest("trades", _Latest[TradeRow], symbols)

    async def snapshots(self, symbols: Iterable[str]) -> dict[str, Snapshot]:
        """The latest trade, quote and bars of each symbol."""
        found: dict[str, Snapshot] = {}
        for part in _parts(symbols):
            query = present(symbols=part, feed=self._feed)
            answer = await self._api.get(f"{_STOCKS}/snapshots", dict[str, Snapshot | None], *query)
            found |= {symbol: snapshot for symbol, snapshot in answer.items() if snapshot is not None}
        return found

    async def _all(
        self,
        what: str,
        model: type[_Page[R]],
        symbols: Iterable[str],
        start: date | datetime,
        end: date | datetime | None,
        *query: Query,
    ) -> dict[str, list[R]]:
        rows: dict[str, list[R]] = {}
        for part in _parts(symbols):
            wanted: list[Query] = present(symbols=part, start=start, end=end, feed=self._feed, limit=str(ROWS_PER_PAGE))
            async for page in self._pages(f"{_STOCKS}/{what}", model, [*wanted, *query]):
                for symbol, more in page.items():
                    rows.setdefault(symbol, []).extend(more)
        return rows

    async def _pages(
        self, path: str, model: type[_Page[R]], query: list[Query]
    ) -> AsyncIterator[Mapping[str, list[R]]]:
        token: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._api.get(path, model, *query, *present(page_token=token))
            yield page.rows
            if page.next_page_token is None:
                return
            if page.next_page_token == token:
                raise OutcomeUnknown(f"GET {path}: the broker repeats a page")
            token = page.next_page_token
        raise OutcomeUnknown(f"GET {path}: more than {MAX_PAGES} pages; ask for a shorter span")

    async def _latest(self, what: str, model: type[_Latest[R]], symbols: Iterable[str]) -> dict[str, R]:
        found: dict[str, R] = {}
        for part in _parts(symbols):
            query = present(symbols=part, feed=self._feed)
            found |= (await self._api.get(f"{_STOCKS}/{what}/latest", model, *query)).rows
        return found


def _parts(symbols: Iterable[str]) -> Iterator[str]:
    """The symbols as the broker wants them, as many at a time as one request can hold."""
    names = tuple(symbols)
    for start in range(0, len(names), SYMBOLS_AT_ONCE):
        yield ",".join(names[start : start + SYMBOLS_AT_ONCE])
