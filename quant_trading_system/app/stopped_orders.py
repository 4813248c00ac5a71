"""The orders at the broker that a halt of a part of the account stops, or one that lets exits stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.exceptions import BrokerRejected, JournalError, OutcomeUnknown
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.risk.halt_state import Halt

WhoWanted = Callable[[list[str]], Mapping[str, str]]
"""Finds the strategies of orders by their ids; what it does not know is left out."""


class _Listed(msgspec.Struct, frozen=True):
    """An order on the broker's list, as a scope sees it."""

    symbol: str
    side: OrderSide
    strategy: str


class StoppedOrders:
    """A `Canceller` for one halt: by what the broker shows of orders and positions, and the journal of strategies."""

    def __init__(self, client: AlpacaClient, halt: Halt, who_wanted: WhoWanted, note: Callable[[str], None]) -> None:
        """Cancel what `halt` stops.

        Args:
            who_wanted: finds the strategies of orders; asked only for a halt of a strategy.
        """
        self._client = client
        self._halt = halt
        self._who_wanted = who_wanted
        self._strategies: dict[str, str] = {}
        self._note = note

    async def open_order_ids(self) -> tuple[str, ...]:
        return tuple(order.client_order_id for order in await self._due())

    async def cancel_all(self) -> None:
        """Ask for each; one that is refused, as it may just have ended, or not answered, keeps no other from it."""
        failed: BrokerRejected | OutcomeUnknown | None = None
        for order in await self._due():
            try:
                await self._client.cancel(order.id)
            except (BrokerRejected, OutcomeUnknown) as error:
                failed = error
        if failed is not None:
            raise failed

    async def _due(self) -> list[AlpacaOrder]:
        orders, held = await self._client.orders("open"), {}
        if self._halt.level is not HaltLevel.HALTED:
            held = {found.symbol: found.qty for found in await self._client.positions()}
        if self._halt.scope.strategy:
            self._strategies |= self._who_wanted(
                [o.client_order_id for o in orders if o.client_order_id not in self._strategies]
            )
            strangers = [o.client_order_id for o in orders if o.client_order_id not in self._strategies]
            if strangers:
                self._note(f"left alone, for nobody here knows whose they are: {', '.join(strangers)}")
        return [order for order in orders if self._must_go(order, held.get(order.symbol, ZERO))]

    def _must_go(self, order: AlpacaOrder, held: Decimal) -> bool:
        """As the engine decides: exits stay while reducing, and go while their position is to be closed."""
        scope, level = self._halt.scope, self._halt.level
        listed = _Listed(order.symbol, OrderSide(order.side), self._strategies.get(order.client_order_id, ""))
        shrinks = _shrinks(order, held)
        if level is HaltLevel.REDUCING:
            return scope.covers(listed) and not shrinks
        if level is HaltLevel.FLATTENING and shrinks and not scope.strategy:
            return scope.covers(listed) or scope.covers_position(order.symbol, held)
        return scope.covers(listed)


def strategies_on_record(path: Path, order_ids: Iterable[str]) -> dict[str, str]:
    """Who wanted these orders, by order id; those that the journal does not know, or cannot show, are left out."""
    if not path.is_file():
        return {}
    try:
        with JournalReader(path, journal_key(path)) as journal:
            events = (entry.event for order_id in order_ids for entry in journal.about(order_id))
            return {e.order_id: e.order.strategy for e in events if isinstance(e, OrderEvent) and e.order is not None}
    except JournalError:
        return {}


def _shrinks(order: AlpacaOrder, held: Decimal) -> bool:
    """It can only bring the position nearer to zero; one in dollars may do more."""
    if order.qty is None or not held:
        return False
    against = held > 0 if order.side == OrderSide.SELL.value else held < 0
    return against and order.qty - order.filled_qty <= abs(held)
