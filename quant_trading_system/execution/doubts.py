"""Orders of which nobody knows what became of them: the broker is asked until it is known, many at once by its lists.

A negative answer alone settles nothing, for a request may be on its way for a while; an order is never sent again. A
list proves something about the orders that it shows and nothing about the others: only an answer to its id denies one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import BrokerRejected, OutcomeUnknown, UnknownOrder
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution.broker import LISTED_FROM, Broker, OnBooks
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_store import OrderRecord

MISSES = 3
"""How often the broker must deny an order in doubt before it is given up."""
ABSENT_AFTER = timedelta(minutes=2)
"""How old it must be by then; a request may be on its way for a while."""


class Doubts:
    """Settles them."""

    def __init__(self, lives: OrderLives, broker: Broker, clock: Clock) -> None:
        """Ask `broker` about orders of `lives`."""
        self._lives = lives
        self._broker = broker
        self._clock = clock
        self._began = clock.monotonic()

    async def resolve(self, order_id: str) -> OrderStatus:
        """Ask the broker what became of an order.

        One that the broker did not know `MISSES` times, the last time `ABSENT_AFTER` it was sent, is given up as
        ``absent``. Should it show up all the same, it counts in full again.

        Raises:
            UnknownOrder: no order of that id is on our books.
            OutcomeUnknown: the broker gave no answer.
        """
        record = self._lives.find(order_id)
        if record is None:
            raise UnknownOrder(f"no order {order_id} is on our books", order_id)
        found = await self._broker.find(order_id)
        if found is None:
            self._missed(record)
            return record.status
        record.misses = 0
        self._lives.found(record, found, await self._broker.executions(order_id))
        return record.status

    async def resolve_listed(self, order_ids: Iterable[str]) -> list[str]:
        """Settle what the broker's lists show; the ids of the others, which `resolve` has to ask for."""
        ids = list(dict.fromkeys(order_ids))
        if len(ids) < LISTED_FROM:
            return ids
        records = {order_id: record for order_id in ids if (record := self._lives.find(order_id)) is not None}
        try:
            shown = await self._broker.look_up({order_id: _on_books(record) for order_id, record in records.items()})
        except OutcomeUnknown:
            return ids
        settled = {found.order.client_order_id for found in shown}
        for found in shown:
            record = records[found.order.client_order_id]
            record.misses = 0
            self._lives.found(record, found.order, found.executions)
        return [order_id for order_id in ids if order_id not in settled]

    async def tend(self) -> None:
        """Look up what seems wrong with an order, and tell of those that are in doubt for long."""
        watch = self._lives.watch
        for order_id in tuple(watch.suspects):
            try:
                await self.resolve(order_id)
            except (OutcomeUnknown, BrokerRejected):
                continue  # asked again at the next turn
            watch.suspects.discard(order_id)
        if watch.doubtful:
            watch.look()

    def _missed(self, record: OrderRecord) -> None:
        with self._lives.lock:
            record.misses += 1
            is_old = self._age(record) >= ABSENT_AFTER
            has_proof = record.older is not None and record.older.status is OrderStatus.REPLACED  # of its existence
            if record.status is OrderStatus.IN_DOUBT and is_old and record.misses >= MISSES and not has_proof:
                self._lives.step(record, OrderTrigger.FIND_ABSENT, f"the broker did not know it {record.misses} times")

    def _age(self, record: OrderRecord) -> timedelta:
        """Since it may have been sent: an order of an earlier process left before this one began.

        Never by the wall clock, which may have been wrong then, or may be now.
        """
        left_at = self._began if record.left_at is None else record.left_at
        return timedelta(seconds=self._clock.monotonic() - left_at)


def _on_books(record: OrderRecord) -> OnBooks:
    booked = tuple(execution for execution in record.executions.values() if execution.quantity)
    return OnBooks(sent_at=record.sent_at, executions=booked)
