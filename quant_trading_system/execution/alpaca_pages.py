"""Orders that have ended, out of Alpaca's list of all orders: begun where the oldest of them was submitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from quant_trading_system.core.exceptions import BrokerRejected, OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_reads import ORDERS_PER_PAGE, PAGE_OVERLAP, AlpacaReads
from quant_trading_system.execution.alpaca_wire import status_of

OVERLAP = timedelta(minutes=2)
"""The history may trail the stream, and clocks differ."""


async def ended_since(
    client: AlpacaReads, sent: Mapping[str, datetime], name_of: Callable[[AlpacaOrder], str]
) -> dict[str, AlpacaOrder]:
    """Those of some orders that the list shows as ended, by name, or as held, which lists of open orders leave out.

    It takes about a page for each at most, for what lies between them is skipped. Called after the open orders were
    read: one that is shown as working now and was not among them is in question, and left out.

    What it leaves out is asked for one by one, so a page without an answer is no more than the end of the list.

    Args:
        sent: when each was submitted, or about when.
        name_of: an order's name in `sent`.
    """
    found: dict[str, AlpacaOrder] = {}
    missing = sorted((at - OVERLAP, at + OVERLAP, name) for name, at in sent.items())
    after: datetime | None = None
    while missing:
        after = missing[0][0] if after is None else max(after, missing[0][0])
        try:
            page = await client.first_orders(after)
        except (BrokerRejected, OutcomeUnknown):
            break
        found.update((name, order) for order in page if (name := name_of(order)) in sent and _is_at_rest(order))
        passed = max((order.submitted_at for order in page if order.submitted_at is not None), default=after)
        if len(page) < ORDERS_PER_PAGE or passed - PAGE_OVERLAP <= after:
            break  # the end of the list, or one that cannot be read on
        after = passed - PAGE_OVERLAP
        missing = [row for row in missing if row[1] >= passed and row[2] not in found]
    return found


def _is_at_rest(order: AlpacaOrder) -> bool:
    status = status_of(order)
    return status is OrderStatus.HELD or not status.is_open
