"""What the workloads come to in plain Python: slotted objects, integer cents, six comparisons, no journal, no gate.

They share no code with the system. They say how many orders there are, which fills, and the equity at the end to
the cent; and how fast a loop can be that does little more than that. Buys pay one cent more than the close: the
narrowest spread that a quote can have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CASH_CENTS = 1_000_000_000
SHARES = 100
FEE_CENTS = 50
TICK_CENTS = 1


class Told(NamedTuple):
    """Orders, fills, and equity at the end in cents."""

    orders: int
    fills: int
    equity: int


class BareOrder:
    """What an order is in the bare loop."""

    __slots__ = ("filled", "price", "quantity", "symbol")

    def __init__(self, symbol: int, quantity: int, price: float) -> None:
        self.symbol, self.quantity, self.price, self.filled = symbol, quantity, price, 0


class BareAccount:
    """Cash and positions, with six float comparisons before each order."""

    __slots__ = ("cash", "exposure", "fills", "orders", "positions")

    def __init__(self, symbols: int) -> None:
        self.cash, self.exposure = CASH_CENTS, 0.0
        self.positions = [0] * symbols
        self.orders = self.fills = 0

    def send(self, symbol: int, quantity: int, cents: int) -> None:
        """Check an order with floats, and fill it."""
        order = BareOrder(symbol, quantity, cents / 100)
        value = abs(quantity) * order.price
        if (
            order.price <= 0
            or value > 1e7
            or self.exposure + value > 2e7
            or self.cash < -1e9
            or abs(self.positions[symbol] + quantity) > 1e6
            or abs(quantity) > 1e5
        ):
            raise AssertionError("a bare loop refuses nothing")
        self.orders += 1
        paid = cents + TICK_CENTS if quantity > 0 else cents
        self.cash -= paid * quantity + FEE_CENTS
        self.positions[symbol] += quantity
        self.exposure += quantity * order.price
        order.filled = quantity
        self.fills += 1

    def told(self, last: Sequence[int]) -> Told:
        """Valued at the last closes, cents."""
        worth = sum(position * cents for position, cents in zip(self.positions, last, strict=True))
        return Told(self.orders, self.fills, self.cash + worth)


def crosses(closes: Sequence[Sequence[int]], fast: int, slow: int) -> Told:
    """W1, W2, W7: long while the fast exponential mean is above the slow one.

    Args:
        closes: rows of cents, one a bar; after the last one nobody would fill an order.
    """
    count = len(closes[0])
    account = BareAccount(count)
    quick, lazy = 2 / (fast + 1), 2 / (slow + 1)
    fasts = [cents / 100 for cents in closes[0]]
    slows = list(fasts)
    held = [False] * count
    for row in closes[1:-1]:
        for symbol, cents in enumerate(row):
            close = cents / 100
            fasts[symbol] += quick * (close - fasts[symbol])
            slows[symbol] += lazy * (close - slows[symbol])
            rising = fasts[symbol] > slows[symbol]
            if rising != held[symbol]:
                held[symbol] = rising
                account.send(symbol, SHARES if rising else -SHARES, cents)
    return account.told(closes[-1])


def every_bar(closes: Sequence[Sequence[int]]) -> Told:
    """W3: buys and sells in turn, one order on each bar but the last."""
    account = BareAccount(1)
    for number, row in enumerate(closes[:-1]):
        account.send(0, SHARES if number % 2 == 0 else -SHARES, row[0])
    return account.told(closes[-1])


def resting(orders: int) -> int:
    """W3b: limits that rest and are cancelled; how many were cancelled."""
    working: dict[int, BareOrder] = {}
    cancelled = 0
    for number in range(orders):
        order = BareOrder(0, 1, 90.0)
        if order.price <= 0 or order.quantity > 1e5 or order.price * order.quantity > 1e7:
            raise AssertionError("a bare loop refuses nothing")
        working[number] = order
        cancelled += working.pop(number) is order
    return cancelled


def protected(closes: Sequence[Sequence[int]], stop: int) -> Told:
    """W4: bought on the first bar, with a stop at so many cents that rests to the end."""
    account = BareAccount(1)
    account.send(0, SHARES, closes[0][0])
    order = BareOrder(0, -SHARES, stop / 100)
    account.orders += 1
    for row in closes[2:]:
        if row[0] / 100 <= order.price:
            raise AssertionError("the stop is out of reach")
    return account.told(closes[-1])


class BareQuote:
    """What a quote is in the bare loop."""

    __slots__ = ("ask", "bid")

    def __init__(self, bid: float, ask: float) -> None:
        self.bid, self.ask = bid, ask


def quotes(pairs: Sequence[tuple[float, float]]) -> int:
    """W5: quotes to somebody who does nothing; how many there were."""
    count = 0
    for bid, ask in pairs:
        latest = BareQuote(bid, ask)
        count += latest.bid < latest.ask
    return count
