"""The orders of one symbol that are at rest, by the prices that wake them.

An order at rest does nothing at a quote that does not reach its price, so a quote is compared with the best price of
each kind only, however many orders there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from decimal import Decimal
from operator import attrgetter, itemgetter

from quant_trading_system.market.history import dollars
from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.resting import (
    Path,
    Rest,
    Waits,
    follow,
    quiet_steps,
    reaches,
    rest_of,
    steps_before,
)

_FALLING = frozenset({Waits.ASK_FALLS, Waits.LAST_FALLS, Waits.TRAILED_FALLS})
_TRAILED = frozenset({Waits.TRAILED_FALLS, Waits.TRAILED_RISES})
_LOOKED_AT = {Waits.ASK_FALLS: attrgetter("ask"), Waits.BID_RISES: attrgetter("bid")}
_last, _price = attrgetter("last"), itemgetter(0)


class Shelf:
    """Orders that wait for one price of the market, sorted by their own.

    Attributes:
        waits: what they wait for.
    """

    def __init__(self, waits: Waits) -> None:
        """Nothing rests here yet."""
        self.waits = waits
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
        if not rows:
            return []
        if self._falls:
            found = rows[bisect_left(rows, price, key=_price) :] if rows[-1][0] >= price else []
        else:
            found = rows[: bisect_right(rows, price, key=_price)] if rows[0][0] <= price else []
        return [number for _, number in found]


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

    def quiet_steps(self, path: Path, *, through: bool) -> int:
        """How many of the coming steps leave all of them at rest."""
        steps = len(path.last)
        for shelf in self._shelves.values():
            best = shelf.best
            if best is not None and shelf.waits not in _TRAILED:
                steps = min(steps, steps_before(reaches(shelf.waits, best, path, through=through)))
        for live in self._trailing(path):
            steps = min(steps, quiet_steps(live, path, through=through))
        return steps

    def pass_over(self, path: Path) -> None:
        """Trailing stops move along with steps at which all of them rested."""
        for live in self._trailing(path):
            self.pop(live.number)
            follow(live, path)
            rest = rest_of(live)
            assert rest is not None, "it rested before"
            self.add(live, rest)

    def _trailing(self, path: Path) -> Iterator[LiveOrder]:
        """The trailing stops that move along the path, or are set off."""
        found: set[int] = set()
        falls, rises = self._shelves.get(Waits.TRAILED_FALLS), self._shelves.get(Waits.TRAILED_RISES)
        if falls is not None:
            found.update(falls.reached(dollars(path.last.min().item())))
        if rises is not None:
            found.update(rises.reached(dollars(path.last.max().item())))
        return (self._orders[number][0] for number in found)
