"""Looks for executions that the broker took back or changed while nobody listened: our fills against its history."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_store import OrderRecord

SETTLED_AFTER = timedelta(minutes=2)
"""How old the last fill of an order must be: the history may trail the stream."""


async def audit(
    broker: Broker, lives: OrderLives, *, now: datetime, since: datetime, symbols: Collection[str] = ()
) -> tuple[str, ...]:
    """Bring every order that has filled since a moment in line with the broker's history; the ids that differed.

    Only a history that is whole counts: its executions add up to what the broker says has filled.

    Args:
        symbols: only orders in these; empty for all.

    Raises:
        OutcomeUnknown: the broker gave no answer; orders that were looked at before are in line.
    """
    differed = []
    for record in _filled(lives, since, symbols):
        newest = max(execution.at for execution in record.executions.values())
        if abs(now - newest) < SETTLED_AFTER:
            continue  # what our wall clock takes for the future is old as well: the clock is wrong
        booked = dict(record.executions)
        seen, history = await broker.find(record.order_id), await broker.executions(record.order_id)
        if seen is None or record.executions != booked:
            continue  # a fill that came while we read is not missing because the reading was older
        total = sum((execution.quantity for execution in history), ZERO)
        handed_on = record.chain_filled - record.filled
        is_whole = total in (seen.filled_quantity, seen.filled_quantity - handed_on)
        if is_whole and lives.restate(record, history, "found in the broker's history"):
            differed.append(record.order_id)
    return tuple(differed)


def _filled(lives: OrderLives, since: datetime, symbols: Collection[str]) -> Iterator[OrderRecord]:
    """Orders with a fill since a moment, those of earlier processes included."""
    here = [record.order_id for record in lives.store if any(e.at >= since for e in record.executions.values())]
    for order_id in dict.fromkeys([*lives.filled_since(since), *here]):
        record = lives.find(order_id)
        if record is not None and record.executions and (not symbols or record.order.symbol in symbols):
            yield record
