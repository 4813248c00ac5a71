"""The orders of one symbol that are at rest, by the prices that wake them.

An order at rest does nothing at a quote that does not reach its price, so a quote is compared with the best price of
each kind only, however many orders there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import compress
from operator import attrgetter, itemgetter

import numpy as np

from quant_trading_system.market.history import dollars
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.resting import (
    Path,
    Paths,
    Rest,
    Waits,
    follow,
    micros,
    quiet_steps,
    reaches,
    rest_of,
    side_of,
    steps_before,
)

_FALLING = frozenset({Waits.ASK_FALLS, Waits.LAST_FALLS, Waits.TRAILED_FALLS})
_TRAILED = frozenset({Waits.TRAILED_FALLS, Waits.TRAILED_RISES})
_LOOKED_AT = {Waits.ASK_FALLS: attrgetter("ask"), Waits.BID_RISES: attrgetter("bid")}
_last, _price = attrgetter("last"), itemgetter(0)


class Shelf:
    """Orders that wait for one price of the market, sorted by their own."""

    def __init__(self, waits: Waits) -> None:
        """Nothing rests here yet; `waits` says what for."""
        self._falls = waits in _FALLING
        self._seen = _LOOKED_AT.get(waits, _last)
        self._rows: list[tuple[Decimal, int]] = []

    @property
    def best(self) -> Decimal | None:
        """The price that the market reaches first, None while nothing rests here."""
        return None if not self._rows else self._rows[-1 if self._falls else 0][0]

    def add(self, price: Decimal, number: int) -> None:
        """The order of that number comes to rest."""
        insort(self._rows, (price, number))

    def remove(self, price: Decimal, number: int) -> None:
        """It rests no longer."""
        del self._rows[bisect_left(self._rows, (price, number))]

    def met(self, quote: Quote) -> list[int]:
        """The numbers of the orders that this quote reaches."""
        price = self._seen(quote)
        return [] if price is None else self.reached(price)

    def reached(self, price: Decimal) -> list[int]:
        """The numbers of the orders whose prices are reached when the market is at this one."""
        rows = self._rows
        if not rows or (rows[-1][0] < price if self._falls else rows[0][0] > price):
            return []
        if self._falls:
            return [number for _, number in rows[bisect_left(rows, price, key=_price) :]]
        return [number for _, number in rows[: bisect_right(rows, price, key=_price)]]


class RestingOrders:
    """Those of one symbol."""

    def __init__(self) -> None:
        """Nothing rests yet."""
        self._orders: dict[int, tuple[LiveOrder, Rest]] = {}
        self._shelves: dict[Waits, Shelf] = {}

    def add(self, live: LiveOrder, rest: Rest) -> None:
        """An order comes to rest until the market reaches one of these prices."""
        self._orders[live.number] = live, rest
        for waits, price in rest:
            shelf = self._shelves.get(waits)
            if shelf is None:
                shelf = self._shelves[waits] = Shelf(waits)
            shelf.add(price, live.number)

    def pop(self, number: int) -> LiveOrder | None:
        """The order rests no longer; None when it did not rest."""
        live, rest = self._orders.pop(number, (None, ()))
        for waits, price in rest:
            self._shelves[waits].remove(price, number)
        return live

    def numbers(self) -> list[int]:
        """The numbers of all."""
        return list(self._orders)

    def met(self, quote: Quote) -> list[int]:
        """The numbers of the orders that this quote reaches; one may be there twice."""
        return [number for shelf in self._shelves.values() for number in shelf.met(quote)]

    def best(self) -> Iterator[tuple[Waits, Decimal]]:
        """What wakes the first of those that wait for the same."""
        for waits, shelf in self._shelves.items():
            price = shelf.best
            if price is not None:
                yield waits, price

    @property
    def has_trailed(self) -> bool:
        """There may be a trailing stop among them."""
        return Waits.TRAILED_FALLS in self._shelves

    def trailed_steps(self, path: Path) -> int:
        """How many of the coming steps leave all trailing stops at rest, though they move."""
        steps = len(path.last)
        for live in self._moving(path):
            steps = min(steps, quiet_steps(live, path, through=False))
        return steps

    def pass_over(self, path: Path) -> None:
        """Trailing stops move along with steps at which all of them rested."""
        for live in self._moving(path):
            self.pop(live.number)
            follow(live, path)
            rest = rest_of(live)
            assert rest is not None, "it rested before"
            self.add(live, rest)

    def _moving(self, path: Path) -> Iterable[LiveOrder]:
        """The trailing stops that move along the path, or are set off."""
        if not self.has_trailed:
            return ()
        falls, rises = self._shelves[Waits.TRAILED_FALLS], self._shelves[Waits.TRAILED_RISES]
        found = {*falls.reached(dollars(path.last.min().item())), *rises.reached(dollars(path.last.max().item()))}
        return [self._orders[number][0] for number in sorted(found)]


def quiet_steps_of(resting: Mapping[str, RestingOrders], ahead: Paths, *, through: bool) -> int:
    """How many of the coming steps leave the resting orders of all these symbols at rest.

    Args:
        through: limits trade only when the quote is better than they are.
    """
    steps = len(ahead.last)
    best: dict[Waits, dict[str, Decimal]] = {}
    for symbol, orders in resting.items():
        for waits, price in orders.best():
            best.setdefault(waits, {})[symbol] = price
    for waits, prices in best.items():
        seen = side_of(waits, ahead)[:steps].take([ahead.columns[symbol] for symbol in prices], axis=1)
        wakes = reaches(waits, seen, np.array([micros(price) for price in prices.values()]), through=through)
        if waits not in _TRAILED:
            steps = steps_before(np.logical_or.reduce(wakes, axis=1))
        else:
            for symbol in compress(prices, np.logical_or.reduce(wakes, axis=0)):
                steps = min(steps, resting[symbol].trailed_steps(ahead.of(symbol)))
        if not steps:
            break
    return steps
