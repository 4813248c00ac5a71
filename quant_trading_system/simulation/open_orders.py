"""The open orders of one symbol: those that want to see every quote, and those at rest.

Whatever happens to an order wakes it. When it has met a quote, it may rest again; see `resting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import msgspec

from quant_trading_system.market.quotes import Quote
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.resting import Paths, Rest, follow
from quant_trading_system.simulation.resting_orders import RestingOrders


class OpenOrders(msgspec.Struct, eq=False, gc=False):
    """Those of one symbol.

    Attributes:
        orders: all of them by number; `buys`: how many of them buy.
        awake: those that are not at rest; `resting`: those that are, None before the first.
        meeting: the number of the order that meets a quote now, 0 for none; `due`: a heap of those to come.
    """

    orders: dict[int, LiveOrder] = {}
    buys: int = 0
    awake: dict[int, LiveOrder] = {}
    resting: RestingOrders | None = None
    meeting: int = 0
    due: list[int] = []

    def put_to_rest(self, live: LiveOrder, rest: Rest) -> None:
        """The order wants to see no quote that does not reach it."""
        if self.awake.pop(live.number, None) is not None:
            if self.resting is None:
                self.resting = RestingOrders()
            self.resting.add(live, rest)

    def wake(self, number: int) -> None:
        """Something has happened to the order; while a quote goes round, it will have its turn."""
        live = None if self.resting is None else self.resting.pop(number)
        if live is not None:
            self.awake[number] = live
            if 0 < self.meeting < number:
                heappush(self.due, number)

    def wake_all(self) -> None:
        """Something has happened to all of them."""
        for number in () if self.resting is None else self.resting.numbers():
            self.wake(number)

    def remove(self, number: int) -> None:
        """The order is final."""
        del self.orders[number]
        if self.awake.pop(number, None) is None and self.resting is not None:
            self.resting.pop(number)

    def meet(self, quote: Quote) -> Iterable[LiveOrder]:
        """The orders to which the quote may do something, oldest first, also those that it wakes on the way."""
        for number in () if self.resting is None else self.resting.met(quote):
            self.wake(number)
        return self._in_turn() if self.awake else ()

    def _in_turn(self) -> Iterator[LiveOrder]:
        due = self.due = sorted(self.awake)  # which makes it a heap
        try:
            while due:
                number = self.meeting = heappop(due)
                live = self.awake.get(number)
                if live is not None:
                    yield live
        finally:
            self.meeting = 0

    def pass_over(self, passed: Paths, symbol: str) -> None:
        """Take note of steps at which all of them rested."""
        for live in self.awake.values():
            follow(live, passed.of(symbol))
        if self.resting is not None and self.resting.has_trailed:
            self.resting.pass_over(passed.of(symbol))
