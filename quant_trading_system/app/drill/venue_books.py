"""What the venue itself has booked about one account: its orders and its trades, past the engine that sent them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec
from aiohttp import ClientSession, ClientTimeout

from quant_trading_system.app.venue_process import Card
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.alpaca_server.control import TOKEN_HEADER

_PAGE = 500
_ANSWER_S = 60
T = TypeVar("T")
_ENDED = frozenset({"filled", "canceled", "expired", "replaced", "rejected"})


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order on the venue's books.

    Attributes:
        quantity: shares; `filled`: of these.
        accepted_at: when the venue took it; `cancelled_at`: when it took it back, None before.
        strategy: who wanted it, which only the engine knows; empty for a person.
    """

    client_order_id: str
    symbol: str
    side: OrderSide
    status: str
    quantity: Decimal = msgspec.field(name="qty")
    filled: Decimal = msgspec.field(name="filled_qty", default=ZERO)
    accepted_at: datetime = msgspec.field(name="submitted_at")
    cancelled_at: datetime | None = msgspec.field(name="canceled_at", default=None)
    strategy: str = ""

    @property
    def is_open(self) -> bool:
        """It may still trade, or give life to one that may."""
        return self.status not in _ENDED


class VenueTrade(msgspec.Struct, frozen=True):
    """One execution; `quantity`: shares, negative sold."""

    at: datetime
    symbol: str
    quantity: Decimal


class VenueBooks(msgspec.Struct, frozen=True, kw_only=True):
    """The account as the venue has it.

    Attributes:
        orders, trades: all of them, oldest first.
    """

    orders: tuple[VenueOrder, ...] = ()
    trades: tuple[VenueTrade, ...] = ()

    def held(self, symbol: str, before: datetime) -> Decimal:
        """Signed shares of `symbol` just before a moment."""
        return sum((trade.quantity for trade in self.trades if trade.symbol == symbol and trade.at < before), ZERO)

    @property
    def positions(self) -> dict[str, Decimal]:
        """Signed shares by symbol, without those that are flat."""
        held: dict[str, Decimal] = {}
        for trade in self.trades:
            held[trade.symbol] = held.get(trade.symbol, ZERO) + trade.quantity
        return {symbol: shares for symbol, shares in held.items() if shares}

    @property
    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Orders that have not ended."""
        return tuple(order for order in self.orders if order.is_open)


class _Ledger(msgspec.Struct, frozen=True):
    trades: tuple[VenueTrade, ...]


class VenueReader:
    """Asks the venue for its books, in nobody's name but that of the account's owner."""

    def __init__(self, card: Card, token: str, session: ClientSession, clock: Clock) -> None:
        """Ask the venue of `card`; `token` opens its control surface."""
        self._card = card
        self._owner = {"APCA-API-KEY-ID": card.key_id, "APCA-API-SECRET-KEY": card.secret_key}
        self._control = {TOKEN_HEADER: token}
        self._session = session
        self._clock = clock

    async def books(self) -> VenueBooks:
        """Everything that has happened until now, by our clock."""
        ahead = await self._ahead()
        (ledger,) = (await self._get("/_venue/books", self._control, dict[str, _Ledger])).values()
        orders = await self._orders("all")
        return VenueBooks(
            orders=tuple(_moved(order, ahead) for order in orders),
            trades=tuple(msgspec.structs.replace(trade, at=trade.at - ahead) for trade in ledger.trades),
        )

    async def open_orders(self) -> list[VenueOrder]:
        """Orders that have not ended."""
        return await self._orders("open")

    async def positions(self) -> dict[str, Decimal]:
        """Signed shares by symbol."""
        found = await self._get("/_venue/books", self._control, dict[str, _Positions])
        return {symbol: shares for account in found.values() for symbol, shares in account.positions.items() if shares}

    async def hold(self, symbol: str, price: str) -> None:
        """Let the symbol stand at this price."""
        body = msgspec.json.encode({"symbol": symbol, "price": price, "hold": True})
        url = f"{self._card.trading_url}/_venue/price"
        async with self._session.post(url, data=body, headers=self._control) as answer:
            answer.raise_for_status()

    async def _ahead(self) -> timedelta:
        """By how much the venue's clock is ahead of ours."""
        before = self._clock.now()
        now = (await self._get("/_venue/time", self._control, _Moment)).now
        return now - before - (self._clock.now() - before) / 2

    async def _orders(self, status: str) -> list[VenueOrder]:
        found: list[VenueOrder] = []
        after = ""
        while True:
            path = f"/v2/orders?status={status}&direction=asc&limit={_PAGE}{after}"
            page = await self._get(path, self._owner, list[_Listed])
            found += [order.read() for order in page]
            if len(page) < _PAGE:
                return found
            after = f"&after_order_id={page[-1].id}"

    async def _get(self, path: str, headers: dict[str, str], kind: type[T]) -> T:
        url = f"{self._card.trading_url}{path}"
        async with self._session.get(url, headers=headers) as answer:
            answer.raise_for_status()
            return msgspec.json.decode(await answer.read(), type=kind, strict=False)


def session() -> ClientSession:
    """A line to a venue; closed by whoever opened it."""
    return ClientSession(timeout=ClientTimeout(total=_ANSWER_S))


class _Moment(msgspec.Struct, frozen=True):
    now: datetime


class _Positions(msgspec.Struct, frozen=True):
    positions: dict[str, Decimal]


class _Listed(VenueOrder, frozen=True, kw_only=True):
    id: str

    def read(self) -> VenueOrder:
        return VenueOrder(**{name: getattr(self, name) for name in VenueOrder.__struct_fields__})


def _moved(order: VenueOrder, ahead: timedelta) -> VenueOrder:
    cancelled = None if order.cancelled_at is None else order.cancelled_at - ahead
    return msgspec.structs.replace(order, accepted_at=order.accepted_at - ahead, cancelled_at=cancelled)
