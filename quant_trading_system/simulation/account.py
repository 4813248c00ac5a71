"""The customer's account at the venue: what is held, what it is worth, what may still be bought."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.market.quotes import QuoteSource
from quant_trading_system.simulation.books import UNIT, Books, decimal_of, dollars, units


class Market(QuoteSource, Protocol):
    """Prices that the venue may look up by itself."""

    def last_price(self, symbol: str) -> Decimal:
        """Dollars a share of the last trade."""

    def volume(self, symbol: str) -> Decimal | None:
        """Shares that trade in the present step, None when unknown."""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of one symbol; `quantity` is negative when short, prices are dollars a share."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal


class VenueAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account in dollars.

    Attributes:
        buying_power: what opening orders may still use: multiplier times equity, less the size of all
            positions and what open orders hold back.
        short_value: value of the short positions, at most 0.
        fees: charged since the beginning.
    """

    account_id: str
    cash: Decimal
    equity: Decimal
    buying_power: Decimal
    long_value: Decimal
    short_value: Decimal
    fees: Decimal


class Account:
    """Books with a valuation."""

    def __init__(self, account_id: str, cash: Decimal, multiplier: Decimal, market: Market | None) -> None:
        self.books = Books(cash)
        self._account_id = account_id
        self._multiplier = units(multiplier)
        self._market = market

    def mark_all(self) -> None:
        """Value everything that is held at the market's last prices."""
        if self._market is not None:
            for symbol in self.books.holdings():
                self.books.mark(symbol, self._market.last_price(symbol))

    def buying_power(self, reserved: int) -> int:
        """Money for opening orders, at the marks as they are, when open orders hold back `reserved`."""
        books = self.books
        return max(books.equity * self._multiplier // UNIT - books.gross_value - reserved, 0)

    def positions(self) -> tuple[VenuePosition, ...]:
        """Every position that is not flat, valued anew."""
        self.mark_all()
        return tuple(
            VenuePosition(
                symbol=symbol,
                quantity=decimal_of(holding.quantity),
                average_price=decimal_of(holding.cost // holding.quantity),
                last_price=decimal_of(holding.mark),
            )
            for symbol, holding in self.books.holdings().items()
        )

    def summary(self, reserved: int) -> VenueAccount:
        """The account as of now, valued anew."""
        self.mark_all()
        books = self.books
        return VenueAccount(
            account_id=self._account_id,
            cash=dollars(books.cash),
            equity=dollars(books.equity),
            buying_power=dollars(self.buying_power(reserved)),
            long_value=dollars(books.long_value),
            short_value=dollars(books.short_value),
            fees=dollars(books.fees),
        )
