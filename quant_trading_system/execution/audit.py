"""Looks for executions that the broker took back or changed while nobody listened: our fills against its history."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.broker import Broker
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_store import OrderRecord

SETTLED_AFTER = timedelta(minutes=2)
"""How old the last fill of an order must be: the history may trail the stream."""
AT_ONCE = 15
"""Orders that are asked about in a row: each is some eight requests, and others need the line, too."""


class Audited(NamedTuple):
    """The ids of orders that differed, of those of which nothing is certain yet, and of those not asked about."""

    differed: tuple[str, ...]
    uncertain: tuple[str, ...]
    left: tuple[str, ...]


async def audit(
    broker: Broker,
    lives: OrderLives,
    *,
    now: datetime,
    since: datetime,
    symbols: Collection[str] = (),
    orders: Collection[str] = (),
    most: int = sys.maxsize,
) -> Audited:
    """Bring every order that has filled since a moment in line with the broker's history.

    Only a history that is whole counts: its executions add up to what the broker says has filled. One answer that the
    broker does not know an order settles nothing.

    Args:
        symbols: only orders in these; empty for all.
        orders: these and no others, whatever their symbols; empty for all.
        most: how many the broker is asked about; the others are `left`.

    Raises:
        OutcomeUnknown: the broker gave no answer; orders that were looked at before are in line.
    """
    records = _filled(lives, since, symbols) if not orders else filter(None, map(lives.find, orders))
    differed: list[str] = []
    uncertain: list[str] = []
    left: list[str] = []
    for record in records:
        newest = max(execution.at for execution in record.executions.values())
        if abs(now - newest) < SETTLED_AFTER:
            uncertain.append(record.order_id)
            continue  # what our wall clock takes for the future is old as well: the clock is wrong
        if not most:
            left.append(record.order_id)
            continue
        most -= 1
        is_changed = await _in_line(broker, lives, record)
        if is_changed is None:
            uncertain.append(record.order_id)
        elif is_changed:
            differed.append(record.order_id)
    return Audited(tuple(differed), tuple(uncertain), tuple(left))


async def _in_line(broker: Broker, lives: OrderLives, record: OrderRecord) -> bool | None:
    """Bring one order in line; whether it differed, None when that is not certain."""
    booked = dict(record.executions)
    seen, history = await broker.find(record.order_id), await broker.executions(record.order_id)
    if seen is None or record.executions != booked:
        return None  # a fill that came while we read is not missing because the reading was older
    total = sum((execution.quantity for execution in history), ZERO)
    handed_on = record.chain_filled - record.filled
    if total not in (seen.filled_quantity, seen.filled_quantity - handed_on):
        return None
    return lives.restate(record, history, "found in the broker's history")


def _filled(lives: OrderLives, since: datetime, symbols: Collection[str]) -> Iterator[OrderRecord]:
    """Orders with a fill since a moment, those of earlier processes included."""
    here = [record.order_id for record in lives.store if any(e.at >= since for e in record.executions.values())]
    for order_id in dict.fromkeys([*lives.filled_since(since), *here]):
        record = lives.find(order_id)
        if record is not None and record.executions and (not symbols or record.order.symbol in symbols):
            yield record
