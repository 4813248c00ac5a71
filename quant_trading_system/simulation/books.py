"""The venue's own books: cash and holdings on whole numbers, so that no digit can be lost.

Quantities and prices count billionths (`units`), money counts billionths of billionths, and a product of two
units is money without any rounding. Nothing here is shared with the engine's accounting: when two sets of
books agree, neither has copied from the other.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import NamedTuple

import msgspec

UNIT = 10**9
"""Units in one share or one dollar a share."""
MONEY = UNIT * UNIT
"""Money units in one dollar."""

_GIGA = Decimal(UNIT)
_REMEMBERED = 4096
"""Numbers whose other form is kept, for an order brings the same few back many times."""
_WIDE = Context(prec=60, rounding=ROUND_HALF_EVEN)
_CENTS = MONEY // 100


@lru_cache(_REMEMBERED)
def units(value: Decimal) -> int:
    """A price or quantity in billionths; values with more than nine decimals break an invariant."""
    scaled = value * _GIGA
    count = int(scaled)
    assert count == scaled, f"{value} has more than nine decimals"
    return count


@lru_cache(_REMEMBERED)
def decimal_of(count: int) -> Decimal:
    """Units as a `Decimal`; whole numbers without decimals."""
    whole, rest = divmod(count, UNIT)
    return Decimal(whole) if not rest else _WIDE.scaleb(Decimal(count), -9)


def dollars(money: int) -> Decimal:
    """Money units as dollars, with two decimals where cents suffice."""
    cents, rest = divmod(money, _CENTS)
    return _WIDE.scaleb(Decimal(cents), -2) if not rest else _WIDE.scaleb(Decimal(money), -18)


class Holding(msgspec.Struct):
    """What is held of one symbol.

    Attributes:
        mark: last price, units of dollars a share.
        quantity: units of shares, negative when short.
        cost: money paid for it, negative when short; fees apart.
        lots: what is left of earlier days, oldest first: units of shares and price.
        opened, closed: what was added today, and how many units of shares left it.
    """

    mark: int
    quantity: int = 0
    cost: int = 0
    lots: list[tuple[int, int]] = []
    opened: list[tuple[int, int]] = []
    closed: int = 0

    @property
    def value(self) -> int:
        """Signed money at the last mark."""
        return self.quantity * self.mark

    def move(self, quantity: int, price: int) -> None:
        """Take in a trade; what closes leaves at average cost, rounded down to one money unit."""
        held = self.quantity
        if held * quantity >= 0:
            self.cost += quantity * price
            self.opened.append((quantity, price))
        else:
            assert abs(quantity) <= abs(held), "the venue lets no order cross zero"
            self.cost -= self.cost * abs(quantity) // abs(held)
            self.closed += abs(quantity)
        self.quantity = held + quantity

    def become(self, quantity: int) -> None:
        """As many units of shares from now on, for the same money: a split, or a symbol that is renamed."""
        if self.quantity and quantity:
            self.mark = self.mark * self.quantity // quantity
        self.quantity = quantity
        self.lots = [(quantity, self.cost // quantity)] if quantity else []
        self.opened, self.closed = [], 0

    @property
    def of_today(self) -> tuple[int, int]:
        """Units of shares that were added today and are still there, and the money that they cost on average."""
        added = sum(quantity for quantity, _ in self.opened)
        left = abs(added) - self.closed
        if left <= 0:
            return 0, 0
        spent = sum(quantity * price for quantity, price in self.opened)
        share = left if added > 0 else -left
        return share, spent * left // abs(added)

    def end_day(self) -> None:
        """Reckon the cost anew from the lots that are left: trades of the day close each other, then the oldest."""
        if not self.opened and not self.closed:
            return
        today = _without(self.opened, self.closed)
        added = sum(abs(quantity) for quantity, _ in self.opened)
        self.lots = [*_without(self.lots, max(self.closed - added, 0)), *today]
        self.cost = sum(quantity * price for quantity, price in self.lots)
        self.opened, self.closed = [], 0


def _without(lots: list[tuple[int, int]], closed: int) -> list[tuple[int, int]]:
    """The lots after `closed` units of shares left, oldest first."""
    left = []
    for quantity, price in lots:
        gone = min(abs(quantity), closed)
        closed -= gone
        rest = quantity - gone if quantity > 0 else quantity + gone
        if rest:
            left.append((rest, price))
    return left


class LedgerEntry(NamedTuple):
    """One line of the statement.

    Attributes:
        quantity: shares, negative sold; `price`: dollars a share; `fee`: dollars, at least 0.
        amount: dollars that the trade brought (negative: cost) before the fee.
        cash: dollars after it.
    """

    at: datetime
    reference: str
    symbol: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    fee: Decimal
    cash: Decimal


class Booked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trade: units of shares and of dollars a share, the fee and the cash after it in money."""

    at: datetime
    reference: str
    symbol: str
    quantity: int
    price: int
    fee: int
    cash: int


class BooksState(msgspec.Struct, frozen=True, kw_only=True):
    """The books, to be kept."""

    cash: int
    fees: int
    holdings: dict[str, Holding]
    trades: list[Booked]


class Books:
    """Cash, holdings and every trade that moved them."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = units(cash) * UNIT
        self.fees = 0
        self.long_value = 0
        self.short_value = 0
        self._holdings: dict[str, Holding] = {}
        self._trades: list[Booked] = []

    @property
    def equity(self) -> int:
        """Money: cash and the signed value of all holdings at their last marks."""
        return self.cash + self.long_value + self.short_value

    @property
    def gross_value(self) -> int:
        """Money: value of the long holdings plus the size of the short ones."""
        return self.long_value - self.short_value

    def quantity(self, symbol: str) -> int:
        """Units of shares held, negative when short."""
        holding = self._holdings.get(symbol)
        return 0 if holding is None else holding.quantity

    def holdings(self) -> dict[str, Holding]:
        """The holdings that are not flat, in the order in which they were opened."""
        return dict(self._holdings)

    def trade(
        self,
        at: datetime,
        reference: str,
        symbol: str,
        quantity: int,
        price: int,
        fee: int,
        *,
        mark: int | None = None,
        crossing: bool = False,
    ) -> int:
        """Book an execution: `quantity` in units, negative sold; `price` in units; `fee` in money.

        A new holding is valued at its own price until it is marked.

        Args:
            mark: units of dollars a share that the holding is valued at from now on, None for as before.
            crossing: the holding may change its side.

        Returns:
            Units of shares held after it.
        """
        holding = self._holdings.get(symbol)
        if holding is None:
            holding = self._holdings[symbol] = Holding(price)
        else:
            self._count(holding, -1)
        if crossing and abs(quantity) > abs(holding.quantity) and quantity * holding.quantity < 0:
            beyond = quantity + holding.quantity
            holding.move(-holding.quantity, price)
            holding.move(beyond, price)
        else:
            holding.move(quantity, price)
        if mark is not None:
            holding.mark = mark
        held = holding.quantity
        if held:
            self._count(holding, +1)
        else:
            del self._holdings[symbol]
        self.cash -= quantity * price + fee
        self.fees += fee
        self._trades.append(Booked(at, reference, symbol, quantity, price, fee, self.cash))
        return held

    def move_cash(self, amount: Decimal) -> None:
        """Dollars come in, or go out when negative, without a trade."""
        self.cash += units(amount) * UNIT

    def pay_out(self, symbol: str, price: int) -> int:
        """All shares leave for `price`, units of dollars a share; the units of shares that were held."""
        held = self.quantity(symbol)
        self.cash += held * price
        self.move_shares(symbol, -held)
        return held

    def move_shares(self, symbol: str, quantity: int) -> None:
        """Units of shares come in, or go out when negative, without a trade and without money."""
        holding = self._holdings.setdefault(symbol, Holding(0))
        self._count(holding, -1)
        holding.become(holding.quantity + quantity)
        self._count(holding, +1)
        if not holding.quantity:
            del self._holdings[symbol]

    def mark(self, symbol: str, price: Decimal) -> None:
        """Value the holding at `price` (dollars a share) from now on; nothing happens when none is held."""
        holding = self._holdings.get(symbol)
        if holding is not None:
            mark = units(price)
            change = holding.quantity * (mark - holding.mark)
            holding.mark = mark
            if holding.quantity > 0:
                self.long_value += change
            else:
                self.short_value += change

    def end_day(self) -> None:
        """The trading day is over; see `Holding.end_day`."""
        for holding in self._holdings.values():
            holding.end_day()

    def statement(self) -> tuple[LedgerEntry, ...]:
        """Every trade since the beginning, oldest first."""
        return tuple(
            LedgerEntry(
                trade.at,
                trade.reference,
                trade.symbol,
                decimal_of(trade.quantity),
                decimal_of(trade.price),
                dollars(-trade.quantity * trade.price),
                dollars(trade.fee),
                dollars(trade.cash),
            )
            for trade in self._trades
        )

    def state(self) -> BooksState:
        """Everything, to be kept."""
        return BooksState(cash=self.cash, fees=self.fees, holdings=self._holdings, trades=self._trades)

    def restore(self, state: BooksState) -> None:
        """Be as it was."""
        self.cash, self.fees = state.cash, state.fees
        self._holdings, self._trades = state.holdings, state.trades
        self.long_value = self.short_value = 0
        for holding in self._holdings.values():
            self._count(holding, +1)

    def _count(self, holding: Holding, sign: int) -> None:
        value = sign * holding.quantity * holding.mark
        if holding.quantity > 0:
            self.long_value += value
        else:
            self.short_value += value
