"""Compares our books with the broker's: positions, cash and open orders. It finds; it corrects nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.numbers import ZERO, plain
from quant_trading_system.execution.broker import Broker, BrokerAccount, BrokerOrder, BrokerPosition
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.portfolio import Portfolio


class BreakKind(StrEnum):
    """What does not agree."""

    POSITION = "position"
    CASH = "cash"
    MISSING_ORDER = "missing_order"  # open on our books, unknown to the broker
    FOREIGN_ORDER = "foreign_order"  # open at the broker, not on our books


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        subject: symbol, order id or ``cash``; `ours`, `theirs`: the two versions as text.
        blocks: no new risk may be taken before somebody has explained it.
    """

    kind: BreakKind
    subject: str
    ours: str
    theirs: str
    blocks: bool = True


CASH_TOLERANCE = Decimal("5.00")
"""Dollars; regulatory fees reach the broker's cash later than its fills reach us."""


async def reconcile(broker: Broker, portfolio: Portfolio, orders: OrderManager) -> tuple[Break, ...]:
    """Ask the broker about every open order of ours, then compare the books.

    Raises:
        OutcomeUnknown: the broker gave no answer; nothing can be said.
    """
    for record in orders.open_orders():
        await orders.resolve(record.order_id)
    theirs = await broker.open_orders()
    positions, account = await broker.positions(), await broker.account()
    return (
        *compare_positions({s: p.quantity for s, p in portfolio.positions.items()}, positions),
        *compare_orders(orders.open_orders(), theirs),
        *compare_cash(portfolio.cash, account),
    )


def compare_positions(ours: Mapping[str, Decimal], theirs: Iterable[BrokerPosition]) -> list[Break]:
    """Every symbol whose signed quantity differs."""
    seen = {position.symbol: position.quantity for position in theirs}
    return [
        Break(
            kind=BreakKind.POSITION,
            subject=symbol,
            ours=plain(ours.get(symbol, ZERO)),
            theirs=plain(seen.get(symbol, ZERO)),
        )
        for symbol in sorted({*ours, *seen})
        if ours.get(symbol, ZERO) != seen.get(symbol, ZERO)
    ]


def compare_orders(ours: Iterable[OrderRecord], theirs: Iterable[BrokerOrder]) -> list[Break]:
    """Open orders that only one side knows; ours that are in doubt are known to be unknown and block as well."""
    known = {record.order_id: record for record in ours}
    seen = {order.client_order_id: order for order in theirs}
    missing = [
        Break(kind=BreakKind.MISSING_ORDER, subject=order_id, ours=known[order_id].status.value, theirs="unknown")
        for order_id in known
        if order_id not in seen
    ]
    foreign = [
        Break(
            kind=BreakKind.FOREIGN_ORDER,
            subject=order_id,
            ours="unknown",
            theirs=f"{order.side} {plain(order.quantity)} {order.symbol} {order.status}",
        )
        for order_id, order in seen.items()
        if order_id not in known
    ]
    return missing + foreign


def compare_cash(ours: Decimal, account: BrokerAccount) -> list[Break]:
    """Cash that differs at all is told; beyond `CASH_TOLERANCE` it blocks."""
    if ours == account.cash:
        return []
    blocks = abs(ours - account.cash) > CASH_TOLERANCE
    return [Break(kind=BreakKind.CASH, subject="cash", ours=plain(ours), theirs=plain(account.cash), blocks=blocks)]
