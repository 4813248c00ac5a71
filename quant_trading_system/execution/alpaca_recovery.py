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

import msgspec

from quant_trading_system.core.order_groups import LegKind
from quant_trading_system.execution.alpaca_models import AlpacaOrder, FillActivity
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.leg_names import LegNames
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


async def read_account_since(
    client: AlpacaReads, since: datetime, followed: Iterable[str], names: LegNames
) -> Evidence:
    """Every order that is open, was submitted, or was filled since a moment, and those `followed` by the broker's id.

    Legs bear our names.

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
    orders = await name_legs(client, tuple(found.values()), names)
    return Evidence(orders, _by_order(fills), await _handed_on(client, orders))


async def read_order(client: AlpacaReads, client_order_id: str, names: LegNames) -> Evidence:
    """One order with all its executions; empty when the broker says that there is none.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer.
    """
    order = await find_order(client, client_order_id, names)
    if order is None:
        return Evidence((), {})
    if not order.filled_qty:
        return Evidence((order,), {})
    handed_on = await _handed_on(client, (order,))
    begin = order.submitted_at or order.created_at
    fills = await client.fills(after=None if begin is None else begin - OVERLAP)
    return Evidence((order,), _by_order(fill for fill in fills if fill.order_id == order.id), handed_on)


# -- legs ----------------------------------------------------------------------------------------------------------


async def find_order(
    client: AlpacaReads, client_order_id: str, names: LegNames, lane: Lane = Lane.ORDERS
) -> AlpacaOrder | None:
    """The order of our id, with its legs; a leg, which has no id of ours there, by the broker's.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer.
    """
    leader = names.leader_of(client_order_id)
    if leader:
        if not names.theirs(client_order_id):
            await find_order(client, leader, names, lane)
        theirs = names.theirs(client_order_id)
        found = await client.order(theirs, lane) if theirs else None
    else:
        found = await client.order_by_client_id(client_order_id, lane)
        if found is not None and found.is_grouped and not found.legs:
            found = await client.order(found.id, lane) or found  # only this question shows them for certain
    return None if found is None else under_our_names(found, names)


async def name_legs(client: AlpacaReads, orders: tuple[AlpacaOrder, ...], names: LegNames) -> tuple[AlpacaOrder, ...]:
    """The same orders, legs under our names; where a leg may be ours and is not known, its group is asked for.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer; it would be taken for somebody else's order.
    """
    orders = tuple(under_our_names(order, names) for order in orders)
    for symbol in {order.symbol for order in orders if may_be_leg(order, names)}:
        for leader in names.incomplete(symbol):
            await find_order(client, leader, names)
    return tuple(under_our_names(order, names) for order in orders)


def may_be_leg(order: AlpacaOrder, names: LegNames) -> bool:
    """It belongs to a group, and could be a leg of ours that the broker has not shown as such yet."""
    waiting = names.incomplete(order.symbol) if order.is_grouped and not order.legs else ()
    return bool(waiting) and order.client_order_id not in waiting and not names.leader_of(order.client_order_id)


def under_our_names(order: AlpacaOrder, names: LegNames) -> AlpacaOrder:
    """The same order, and the legs that it leads, with our ids in place of the broker's."""
    for leg in order.legs or ():
        kind = LegKind.TAKE_PROFIT if leg.stop_price is None else LegKind.STOP_LOSS
        names.learn(order.client_order_id, kind, leg.id)
    ours = names.ours(order.id)
    if not ours and not order.legs:
        return order
    legs = None if order.legs is None else tuple(under_our_names(leg, names) for leg in order.legs)
    return msgspec.structs.replace(order, client_order_id=ours or order.client_order_id, legs=legs)


# -- inside --------------------------------------------------------------------------------------------------------


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
