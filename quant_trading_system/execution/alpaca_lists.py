"""Many orders at once, out of Alpaca's lists: what is open, then what has ended since the oldest of the rest was sent.

A list is of one moment and orders go on meanwhile, so only what fits together is told: an order with every execution
that the list counts, and of which nothing newer was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal

from quant_trading_system.core.exceptions import BrokerRejected, OutcomeUnknown
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.alpaca_followed import FollowedOrders
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_pages import ended_since
from quant_trading_system.execution.alpaca_reads import AlpacaReads
from quant_trading_system.execution.alpaca_recovery import (
    Evidence,
    histories,
    under_our_names,
    whole_history,
)
from quant_trading_system.execution.alpaca_wire import broker_order
from quant_trading_system.execution.broker import OnBooks, Shown
from quant_trading_system.execution.leg_names import LegNames


async def look_up(
    client: AlpacaReads, followed: FollowedOrders, names: LegNames, wanted: Mapping[str, OnBooks]
) -> tuple[Shown, ...]:
    """Those of the `wanted` orders that lists show whole; `followed` hears of them.

    Raises:
        BrokerRejected: a definite no.
        OutcomeUnknown: no answer; nothing is known.
    """
    listed = await _listed(client, names, wanted)
    behind = [order for order in listed if order.filled_qty != _booked(wanted[order.client_order_id])]
    evidence = Evidence((), {})
    with suppress(BrokerRejected, OutcomeUnknown):  # then the history of these is no whole one
        evidence = await histories(client, behind)
    late = {order.id for order in behind}
    shown: list[Shown] = []
    for order in listed:  # nothing waits here: what was heard meanwhile is known
        known = () if order.id in late else wanted[order.client_order_id].executions
        try:
            executions = whole_history(order, evidence) if order.id in late else ()
            answer = Shown(order=broker_order(order), executions=executions)
        except (OutcomeUnknown, ValueError):
            continue  # asked for by its id, it tells what is wrong
        if followed.hear_listed(order, evidence, known):
            shown.append(answer)
    return tuple(shown)


def _booked(books: OnBooks) -> Decimal:
    return sum((execution.quantity for execution in books.executions), ZERO)


async def _listed(client: AlpacaReads, names: LegNames, wanted: Mapping[str, OnBooks]) -> list[AlpacaOrder]:
    """The wanted orders under our names; leaders without all their legs are left out, for a list need not show them."""

    def name_of(order: AlpacaOrder) -> str:
        return names.ours(order.id) or order.client_order_id

    listed = {name_of(order): order for order in await client.orders("open")}
    sent = {name: books.sent_at for name, books in wanted.items() if books.sent_at is not None and name not in listed}
    listed |= await ended_since(client, sent, name_of)
    found = [under_our_names(listed[name], names) for name in wanted if name in listed]
    incomplete = set(names.incomplete())
    return [order for order in found if order.client_order_id not in incomplete]
