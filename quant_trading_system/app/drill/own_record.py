"""What the engine's journal adds to the venue's books: who wanted an order, and when it was marked as being sent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from quant_trading_system.app.drill.venue_books import VenueBooks
from quant_trading_system.app.drill.verdict import Push
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.core.orders import Order
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader


class OwnRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was read.

    Attributes:
        orders: every order that was decided about, and `decided_at` when, by client order id.
        sent_at: when each was marked as being sent; `stopped`: those that the kill switch refused.
    """

    orders: dict[str, Order]
    decided_at: dict[str, datetime]
    sent_at: dict[str, datetime]
    stopped: frozenset[str]

    def named(self, books: VenueBooks) -> VenueBooks:
        """The venue's books, with the names of the strategies."""
        orders = (
            msgspec.structs.replace(order, strategy=self._strategy(order.client_order_id)) for order in books.orders
        )
        return msgspec.structs.replace(books, orders=tuple(orders))

    def wishes_of(self, strategy: str, books: VenueBooks) -> list[Push]:
        """What a strategy of the engine asked for, and whether the venue has it."""
        arrived = {order.client_order_id for order in books.orders}
        return [
            Push(
                asked_at=self.decided_at[order_id],
                symbol=order.symbol,
                side=order.side,
                order_id=order_id,
                strategy=strategy,
                is_refused=order_id in self.stopped,
                is_sent=order_id in arrived,
            )
            for order_id, order in self.orders.items()
            if order.strategy == strategy
        ]

    def _strategy(self, order_id: str) -> str:
        order = self.orders.get(order_id)
        return "" if order is None else order.strategy


def own_record(path: Path) -> OwnRecord:
    """Read the journal at `path`, whether or not its engine runs.

    Raises:
        JournalError: it cannot be read.
    """
    orders: dict[str, Order] = {}
    decided_at: dict[str, datetime] = {}
    sent_at: dict[str, datetime] = {}
    stopped: set[str] = set()
    with JournalReader(path, journal_key(path)) as journal:
        for entry in journal.entries(kinds=("order",)):
            event = entry.event
            if not isinstance(event, OrderEvent):
                continue
            if event.order is not None:
                orders[event.order_id], decided_at[event.order_id] = event.order, event.at
            if event.trigger is OrderTrigger.SEND:
                sent_at[event.order_id] = event.at
            elif event.trigger is OrderTrigger.DENY and _is_stopped(event):
                stopped.add(event.order_id)
    return OwnRecord(orders=orders, decided_at=decided_at, sent_at=sent_at, stopped=frozenset(stopped))


def _is_stopped(event: OrderEvent) -> bool:
    return event.decision is not None and event.decision.refused_by is Rule.KILL_SWITCH
