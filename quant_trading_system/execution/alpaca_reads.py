"""What can be asked of Alpaca's trading interface, one method per question.

Lists are read to their last page, or not at all: a list that cannot be completed is an error, for an order
that is missing from it would be taken for one that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from urllib.parse import quote

from quant_trading_system.core.exceptions import BrokerRejected, OutcomeUnknown
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.alpaca_api import AlpacaApi
from quant_trading_system.execution.alpaca_errors import NOT_FOUND
from quant_trading_system.execution.alpaca_models import (
    AccountConfigurations,
    Activity,
    AlpacaAccount,
    AlpacaOrder,
    AlpacaPosition,
    Asset,
    BrokerClock,
    CalendarDay,
    FillActivity,
    PortfolioHistory,
)
from quant_trading_system.execution.alpaca_wire import moment_text
from quant_trading_system.execution.rate_limit import Lane

T = TypeVar("T")
Row = TypeVar("Row", FillActivity, Activity)
Query = tuple[str, str]

ORDERS = "/v2/orders"
POSITIONS = "/v2/positions"
CONFIGURATIONS = "/v2/account/configurations"
BY_CLIENT_ID = f"{ORDERS}:by_client_order_id"

ORDERS_PER_PAGE = 500
ACTIVITIES_PER_PAGE = 100
MAX_PAGES = 1000
"""A list that does not end by then is no list."""

_ACTIVITIES = "/v2/account/activities"
PAGE_OVERLAP = timedelta(microseconds=2)  # the broker counts nanoseconds, and orders of one moment may lie on two pages


class AlpacaReads:
    """Questions about the account. Every method may raise `BrokerRejected` (a definite no) and `OutcomeUnknown`."""

    def __init__(self, api: AlpacaApi) -> None:
        """Ask through `api`, the line to the trading host."""
        self._api = api

    # -- orders --------------------------------------------------------------------------------------------------

    async def order(self, order_id: str, lane: Lane = Lane.READS) -> AlpacaOrder | None:
        """The order of the broker's id with its legs, or None when the broker says that there is none."""
        found = await self._found(path_of(ORDERS, order_id), AlpacaOrder, ("nested", "true"), lane=lane)
        require_asked_for(found is None or found.id == order_id, order_id)
        return found

    async def order_by_client_id(self, client_order_id: str, lane: Lane = Lane.ORDERS) -> AlpacaOrder | None:
        """The order of our id, or None when the broker says that there is none, which alone proves nothing."""
        found = await self._found(BY_CLIENT_ID, AlpacaOrder, by_client_id(client_order_id), lane=lane)
        require_asked_for(found is None or found.client_order_id == client_order_id, client_order_id)
        return found

    async def orders(
        self,
        status: str = "open",
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        symbols: Iterable[str] = (),
        side: OrderSide | None = None,
        nested: bool = False,
    ) -> tuple[AlpacaOrder, ...]:
        """All orders that were submitted in a span of time, oldest first.

        Args:
            status: ``open``, ``closed`` or ``all``.
            nested: show legs within their parents only, not as orders of their own.
        """
        wanted = [("nested", "true")] if nested else []
        wanted += present(symbols=",".join(symbols), side=side, until=until)
        found: dict[str, AlpacaOrder] = {}
        for _ in range(MAX_PAGES):
            page = await self._page_of_orders(status, after, *wanted)
            fresh = [order for order in page if order.id not in found]
            if not fresh and len(page) < ORDERS_PER_PAGE:
                return tuple(found.values())
            found.update((order.id, order) for order in fresh)
            submitted = [order.submitted_at for order in page if order.submitted_at is not None]
            if not fresh or len(submitted) < len(page):
                raise OutcomeUnknown("the list of orders cannot be read on: too many of one moment, or one of none")
            after = max(submitted) - PAGE_OVERLAP
        raise OutcomeUnknown(f"the list of orders does not end within {MAX_PAGES} pages")

    async def first_orders(self, after: datetime) -> list[AlpacaOrder]:
        """The first `ORDERS_PER_PAGE` orders, open or not, that were submitted after a moment, oldest first."""
        return await self._page_of_orders("all", after)

    async def _page_of_orders(self, status: str, after: datetime | None, *wanted: tuple[str, str]) -> list[AlpacaOrder]:
        query = [("status", status), ("direction", "asc"), ("limit", str(ORDERS_PER_PAGE)), *wanted]
        return await self._api.get(ORDERS, list[AlpacaOrder], *query, *present(after=after))

    # -- account -------------------------------------------------------------------------------------------------

    async def account(self) -> AlpacaAccount:
        """Cash, equity and flags."""
        return await self._api.get("/v2/account", AlpacaAccount)

    async def configurations(self) -> AccountConfigurations:
        """What the owner has set."""
        return await self._api.get(CONFIGURATIONS, AccountConfigurations)

    async def positions(self) -> tuple[AlpacaPosition, ...]:
        """Every position that is not flat."""
        return tuple(await self._api.get(POSITIONS, list[AlpacaPosition]))

    async def position(self, symbol: str) -> AlpacaPosition | None:
        """The position in `symbol`, or None when the broker says that there is none."""
        found = await self._found(path_of(POSITIONS, symbol), AlpacaPosition)
        require_asked_for(found is None or found.symbol == symbol, symbol)
        return found

    async def fills(self, *, after: datetime | None = None, until: datetime | None = None) -> tuple[FillActivity, ...]:
        """All executions of the account in a span of time, oldest first."""
        return await self._activities(f"{_ACTIVITIES}/FILL", list[FillActivity], after, until)

    async def activities(
        self,
        types: Iterable[str] = (),
        *,
        category: str = "",
        after: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Activity, ...]:
        """All rows of the account's activities of some `types` (by default of all), oldest first.

        Args:
            category: ``trade_activity`` or ``non_trade_activity``; empty for both.
        """
        wanted = present(activity_types=",".join(types), category=category)
        return await self._activities(_ACTIVITIES, list[Activity], after, until, *wanted)

    async def portfolio_history(
        self, *, period: str = "", timeframe: str = "", start: datetime | None = None, end: datetime | None = None
    ) -> PortfolioHistory:
        """Equity over time; `period` such as ``1M``, `timeframe` such as ``1D``, the broker's choice by default."""
        query = present(period=period, timeframe=timeframe, start=start, end=end)
        return await self._api.get("/v2/account/portfolio/history", PortfolioHistory, *query)

    # -- the market ----------------------------------------------------------------------------------------------

    async def clock(self) -> BrokerClock:
        """The broker's clock."""
        return await self._api.get("/v2/clock", BrokerClock)

    async def calendar(self, start: date, end: date) -> tuple[CalendarDay, ...]:
        """The trading days from `start` to `end`, both included."""
        return tuple(await self._api.get("/v2/calendar", list[CalendarDay], *present(start=start, end=end)))

    async def assets(self, *, status: str = "active", exchange: str = "") -> tuple[Asset, ...]:
        """Every US stock with this status, ``active`` or ``inactive``; empty for all."""
        query = present(status=status, exchange=exchange, asset_class="us_equity")
        return tuple(await self._api.get("/v2/assets", list[Asset], *query))

    async def asset(self, symbol: str) -> Asset | None:
        """What the broker knows about `symbol`, or None when it knows nothing."""
        found = await self._found(path_of("/v2/assets", symbol), Asset)
        require_asked_for(found is None or found.symbol == symbol, symbol)
        return found

    # -- inside --------------------------------------------------------------------------------------------------

    async def _found(self, path: str, model: type[T], *query: Query, lane: Lane = Lane.READS) -> T | None:
        try:
            return await self._api.get(path, model, *query, lane=lane)
        except BrokerRejected as error:
            if error.code == NOT_FOUND:
                return None
            raise

    async def _activities(
        self, path: str, page_of: type[list[Row]], after: datetime | None, until: datetime | None, *query: Query
    ) -> tuple[Row, ...]:
        wanted = [
            *query,
            *present(after=after, until=until),
            ("direction", "asc"),
            ("page_size", str(ACTIVITIES_PER_PAGE)),
        ]
        found: dict[str, Row] = {}
        for _ in range(MAX_PAGES):
            token = [("page_token", max(found))] if found else []
            page = await self._api.get(path, page_of, *wanted, *token)
            fresh = [row for row in page if row.id not in found]
            if not fresh:
                return tuple(found[identity] for identity in sorted(found))
            found.update((row.id, row) for row in fresh)
        raise OutcomeUnknown(f"the activities do not end within {MAX_PAGES} pages")


def require_asked_for(is_so: bool, name: str) -> None:
    """An answer about something else is no answer.

    Raises:
        OutcomeUnknown: it is about something else than `name`.
    """
    if not is_so:
        raise OutcomeUnknown(f"asked about {name}, the broker answered about something else")


def by_client_id(client_order_id: str) -> Query:
    """The question for the order of our id."""
    return ("client_order_id", client_order_id)


def path_of(collection: str, name: str) -> str:
    """The path of one member of a collection."""
    return f"{collection}/{quote(name, safe='')}"


def present(**named: str | Decimal | date | None) -> list[Query]:
    """The parameters that have a value, as text."""
    return [(name, _text(value)) for name, value in named.items() if value is not None and value != ""]


def _text(value: str | Decimal | date) -> str:
    if isinstance(value, date):
        return moment_text(value) if isinstance(value, datetime) else value.isoformat()
    return plain(value) if isinstance(value, Decimal) else value
