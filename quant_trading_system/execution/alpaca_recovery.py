"""What a stream may have missed, read from the broker's history: orders first, then the executions.

A span that overlaps what is known already costs nothing, because everything counts once; a span that is too
short would lose a fill.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from quant_trading_system.core.exceptions import OutcomeUnknown
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_groups import LegKind
from quant_trading_system.execution.alpaca_models import AlpacaOrder, FillActivity
from quant_trading_system.execution.alpaca_pages import OVERLAP, ended_since
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.alpaca_wire import execution_of_fill
from quant_trading_system.execution.broker import LISTED_FROM, Execution
from quant_trading_system.execution.leg_names import LegNames
from quant_trading_system.execution.rate_limit import Lane


class Evidence(NamedTuple):
    """Orders with their executions, oldest first.

    Attributes:
        handed_on: by the broker's id of an order that took another's place, what the other had filled.
    """

    orders: tuple[AlpacaOrder, ...]
    fills: dict[str, list[FillActivity]]
    handed_on: Mapping[str, Decimal] = MappingProxyType({})


async def read_account_since(
    client: AlpacaReads,
    since: datetime,
    followed: Iterable[str],
    names: LegNames,
    submitted: Callable[[str], datetime | None],
) -> Evidence:
    """Every order that is open, was submitted, or was filled since a moment, and those `followed` by the broker's id.

    Legs bear our names.

    Args:
        submitted: when an order was, by the broker's id; None when that is not known here.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer; nothing is known.
    """
    found = {order.id: order for order in await client.orders("open")}
    found |= {order.id: order for order in await client.orders("all", after=since - OVERLAP)}
    fills = await client.fills(after=since - OVERLAP)
    others = dict.fromkeys([*followed, *(fill.order_id for fill in fills)])
    sent = {name: at for name in others if name not in found and (at := submitted(name)) is not None}
    if len(sent) >= LISTED_FROM:
        found |= await ended_since(client, sent, lambda order: order.id)
    for order_id in others:
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
    return await histories(client, (order,))


async def histories(client: AlpacaReads, orders: Collection[AlpacaOrder]) -> Evidence:
    """These orders with all their executions, which one reading brings for all of them.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer.
    """
    filled = {order.id: order for order in orders if order.filled_qty}
    if not filled:
        return Evidence(tuple(orders), {})
    handed_on = await _handed_on(client, filled.values())
    begins = [order.submitted_at or order.created_at for order in filled.values()]
    known = [begin for begin in begins if begin is not None]
    fills = await client.fills(after=min(known) - OVERLAP if len(known) == len(begins) else None)
    return Evidence(tuple(orders), _by_order(fill for fill in fills if fill.order_id in filled), handed_on)


async def read_executions(client: AlpacaReads, client_order_id: str, names: LegNames) -> tuple[Execution, ...]:
    """All executions of one order, oldest first; none when the broker says that there is no such order.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer, or a history that is not whole.
        ValueError: an execution that is none.
    """
    evidence = await read_order(client, client_order_id, names)
    return whole_history(evidence.orders[0], evidence) if evidence.orders else ()


def whole_history(order: AlpacaOrder, evidence: Evidence) -> tuple[Execution, ...]:
    """The executions of an order, oldest first.

    Raises:
        OutcomeUnknown: they are not as many shares as the order has filled.
        ValueError: an execution that is none.
    """
    executions = tuple(execution_of_fill(fill) for fill in evidence.fills.get(order.id, ()))
    total = sum((execution.quantity for execution in executions), ZERO)
    handed_on = evidence.handed_on.get(order.id, ZERO)
    if total not in (order.filled_qty, order.filled_qty - handed_on):
        raise OutcomeUnknown(f"the history shows {total} of {order.filled_qty} filled shares; ask again")
    return executions


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
