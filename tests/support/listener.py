"""A strategy that writes down everything that it is told of its orders, in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.trading.order_wishes import EndedOrder
from quant_trading_system.trading.strategy import MarketView, Strategy

Told = FillEvent | FillCorrected | EndedOrder


class Listener(Strategy):
    """Answers what it is told, and every bar, by a function of what it sees; a bar is told as its number."""

    def __init__(self, name: str = "mine") -> None:
        self.name = name
        self.heard: list[Told | int] = []
        self.answers: Callable[[Told | int, MarketView], Iterable[Any]] = lambda _told, _market: ()

    def on_bar(self, market: MarketView) -> Iterable[Any]:
        yield from self._hear(market.bar, market)

    def on_fill(self, fill: FillEvent, market: MarketView) -> Iterable[Any]:
        yield from self._hear(fill, market)

    def on_fill_corrected(self, fill: FillCorrected, market: MarketView) -> Iterable[Any]:
        return self._hear(fill, market)

    def on_order_ended(self, order: EndedOrder, market: MarketView) -> Iterable[Any]:
        return list(self._hear(order, market))

    def _hear(self, told: Told | int, market: MarketView) -> Iterable[Any]:
        self.heard.append(told)
        return self.answers(told, market)

    @property
    def fills(self) -> list[FillEvent]:
        """The executions that it was told of."""
        return [told for told in self.heard if isinstance(told, FillEvent)]

    @property
    def ended(self) -> list[EndedOrder]:
        """The orders that it was told have ended."""
        return [told for told in self.heard if isinstance(told, EndedOrder)]

    @property
    def words(self) -> list[str]:
        """The same in short: the number of a bar, ``fill 4``, or the status and the id of what ended."""
        return [_word(told) for told in self.heard]


def _word(told: Told | int) -> str:
    if isinstance(told, int):
        return f"bar {told}"
    if isinstance(told, EndedOrder):
        return f"{told.status} {told.order_id.partition('-')[2]}"
    return f"{'fill' if isinstance(told, FillEvent) else 'corrected to'} {told.quantity}"
