"""What a stream may have missed, read from the broker's history: orders first, then the executions.

A span that overlaps what is known already costs nothing, because everything counts once; a span that is too
short would lose a fill.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from quant_trading_system.execution.alpaca_models import AlpacaOrder, FillActivity
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.rate_limit import Lane

OVERLAP = timedelta(minutes=2)
"""The history may trail the stream, and clocks differ."""


class Evidence(NamedTuple):
    """Orders with their executions, oldest first.

    Attributes:
        handed_on: by the broker's id of an order that took another's place, what the other had filled.
    """

    orders: tuple[AlpacaOrder, ...]
    fills: dict[str, list[FillActivity]]
    handed_on: Mapping[str, Decimal] = MappingProxyType({})


async def read_account_since(client: AlpacaReads, since: datetime, followed: Iterable[str]) -> Evidence:
    """Every order that is open, was submitted, or was filled since a moment, and those `followed` by the broker's id.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer; nothing is known.
    """
    found = {order.id: order for order in await client.orders("open")}
    found |= {order.id: order for order in await client.orders("all", after=since - OVERLAP)}
    fills = await client.fills(after=since - OVERLAP)
    for order_id in dict.fromkeys([*followed, *(fill.order_id for fill in fills)]):
        if order_id not in found and (order := await client.order(order_id)) is not None:
            found[order_id] = order
    return Evidence(tuple(found.values()), _by_order(fills), await _handed_on(client, found.values()))


async def read_order(client: AlpacaReads, client_order_id: str) -> Evidence:
    """One order with all its executions; empty when the broker says that there is none.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer.
    """
    order = await client.order_by_client_id(client_order_id, Lane.ORDERS)
    if order is None:
        return Evidence((), {})
    if not order.filled_qty:
        return Evidence((order,), {})
    handed_on = await _handed_on(client, (order,))
    begin = order.submitted_at or order.created_at
    fills = await client.fills(after=None if begin is None else begin - OVERLAP)
    return Evidence((order,), _by_order(fill for fill in fills if fill.order_id == order.id), handed_on)


async def _handed_on(client: AlpacaReads, orders: Iterable[AlpacaOrder]) -> dict[str, Decimal]:
    """The broker counts shares twice: under the order that traded them, and under those that took its place."""
    known = {order.id: order for order in orders}
    found: dict[str, Decimal] = {}
    for order in tuple(known.values()):
        if order.replaces and order.filled_qty:
            before = known.get(order.replaces) or await client.order(order.replaces)
            if before is not None:
                found[order.id] = before.filled_qty
    return found


def _by_order(fills: Iterable[FillActivity]) -> dict[str, list[FillActivity]]:
    found: dict[str, list[FillActivity]] = {}
    for fill in fills:
        found.setdefault(fill.order_id, []).append(fill)
    return {order_id: sorted(rows, key=lambda fill: fill.cum_qty) for order_id, rows in found.items()}
