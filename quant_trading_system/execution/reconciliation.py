"""Compares our books with the broker's: orders, fills, positions and cash. It finds; it corrects nothing.

What is on its way is no difference: an order without an answer, and shares that the broker calls filled and
whose executions it has not shown us yet. What differs all the same may still be a matter of a second, for two
lists are never read at one moment; `BreakBook` asks for a second look before it believes a break.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.breaks import Break, BreakKind, Owner, Severity
from quant_trading_system.core.ids import is_our_make
from quant_trading_system.core.numbers import LEDGER, ZERO, plain
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.broker import BrokerOrder
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.statement import SeenActivity, SeenOrder, SeenPosition, Statement
from quant_trading_system.risk.portfolio import Portfolio

CASH_TOLERANCE = Decimal("5.00")
"""Dollars; regulatory fees reach the broker's cash before the entry that tells of them."""

_ON_ITS_WAY = frozenset({OrderStatus.SENT, OrderStatus.IN_DOUBT})


class OurOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order on our books.

    Attributes:
        quantity: None for one in dollars, whose shares only the broker knows.
        filled: shares, with those of the orders whose place it took, for the broker counts them so.
        waits: it is a leg that is held; the broker's lists of open orders leave those out.
    """

    symbol: str
    side: OrderSide
    status: OrderStatus
    quantity: Decimal | None
    filled: Decimal
    leaves: Decimal
    waits: bool = False

    @property
    def sign(self) -> int:
        """1 for a purchase, -1 for a sale."""
        return 1 if self.side is OrderSide.BUY else -1


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Our side at one moment.

    Attributes:
        positions: symbol to signed shares. `cash`: dollars.
        orders: by client order id: the open ones, and those that the statement shows and we know.
    """

    positions: Mapping[str, Decimal]
    cash: Decimal
    orders: Mapping[str, OurOrder]


def our_order(record: OrderRecord) -> OurOrder:
    """An order of the order manager, for the comparison."""
    order = record.order
    return OurOrder(
        symbol=order.symbol,
        side=order.side,
        status=record.status,
        quantity=None if order.notional is not None else record.quantity,
        filled=record.chain_filled,
        leaves=record.leaves,
        waits=bool(record.parent) and record.status is OrderStatus.HELD,
    )


def our_books(portfolio: Portfolio, orders: OrderManager, known: Iterable[OrderRecord]) -> Books:
    """The books of this moment.

    Args:
        known: the orders of ours that the statement shows, open or not.
    """
    with portfolio.lock:
        records = [*known, *orders.open_orders()]
        return Books(
            positions={symbol: position.quantity for symbol, position in portfolio.positions.items()},
            cash=portfolio.cash,
            orders={record.order_id: our_order(record) for record in records},
        )


def of_this_time(statement: Statement, known: Container[str], opened: datetime) -> Statement:
    """The statement without the orders of others that ended before our books began.

    Args:
        known: the client order ids that our books have.
    """
    filled = {fill.order_id for fill in statement.fills if fill.execution.at >= opened}
    orders = tuple(
        order
        for order in statement.orders
        if order.seen.client_order_id in known or order.seen.status.is_open or order.seen.client_order_id in filled
    )
    return msgspec.structs.replace(statement, orders=orders)


def compare(books: Books, statement: Statement) -> tuple[Break, ...]:
    """Every difference that nothing on its way explains; cash only with a full statement."""
    orders = [*_compare_orders(books, statement.orders)]
    on_its_way = _unbooked_shares(books, statement.orders)
    differing = compare_positions(books.positions, statement.positions, _slack(books, on_its_way))
    found = [*orders, *(_explained(one, statement.activities) for one in differing)]
    is_settled = not on_its_way and not any(order.status in _ON_ITS_WAY for order in books.orders.values())
    if statement.cash is not None and is_settled:
        found += compare_cash(books.cash, statement.cash)
    return tuple(found)


def _explained(found: Break, entries: Iterable[SeenActivity]) -> Break:
    """A difference in shares with the corporate action that makes it up exactly, where the broker's statement has one.

    The newest entry counts: older ones were taken over when they came.
    """
    cause = next((e for e in entries if e.action and e.symbol == found.symbol and e.shares == found.difference), None)
    if cause is None:
        return found
    words = f"{cause.action} (entry {cause.activity_id}: {plain(cause.shares)} shares)"
    return msgspec.structs.replace(found, cause=words)


# -- orders --------------------------------------------------------------------------------------------------------


def _compare_orders(books: Books, shown: Iterable[SeenOrder]) -> Iterator[Break]:
    theirs = {order.seen.client_order_id: order for order in shown}
    for order_id, ours in books.orders.items():
        seen = theirs.get(order_id)
        if seen is not None:
            yield from _compare_one(order_id, ours, seen)
        elif ours.status.is_open and ours.status not in _ON_ITS_WAY and not ours.waits:
            yield Break(
                kind=BreakKind.MISSING_ORDER,
                subject=order_id,
                symbol=ours.symbol,
                ours=ours.status.value,
                theirs="unknown",
                owner=Owner.BROKER,
            )
    for order_id, order in theirs.items():
        if order_id not in books.orders and (order.seen.status.is_open or order.seen.filled_quantity):
            yield foreign_order(order)


def _compare_one(order_id: str, ours: OurOrder, theirs: SeenOrder) -> Iterator[Break]:
    seen = theirs.seen
    if seen.status.is_open and not ours.status.is_open:
        yield Break(
            kind=BreakKind.FOREIGN_ORDER,
            subject=order_id,
            symbol=ours.symbol,
            ours=ours.status.value,
            theirs=_in_short(seen),
        )
    if seen.filled_quantity > ours.filled:
        yield Break(
            kind=BreakKind.MISSING_FILL,
            subject=order_id,
            symbol=ours.symbol,
            ours=plain(ours.filled),
            theirs=plain(seen.filled_quantity),
            owner=Owner.BROKER,
            difference=seen.filled_quantity - ours.filled,
        )
    if theirs.notional is None and ours.quantity is not None and ours.status.is_open and seen.quantity != ours.quantity:
        yield Break(
            kind=BreakKind.ORDER_QUANTITY,
            subject=order_id,
            symbol=ours.symbol,
            ours=plain(ours.quantity),
            theirs=plain(seen.quantity),
            difference=seen.quantity - ours.quantity,
        )


def foreign_order(order: SeenOrder) -> Break:
    """An order that we did not send; one whose id only a program like ours gives means a second engine."""
    seen = order.seen
    return Break(
        kind=BreakKind.FOREIGN_ORDER,
        subject=seen.client_order_id,
        symbol=seen.symbol,
        ours="unknown",
        theirs=_in_short(seen),
        severity=Severity.CRITICAL if is_our_make(seen.client_order_id) else Severity.SERIOUS,
    )


def _in_short(seen: BrokerOrder) -> str:
    return f"{seen.side} {plain(seen.quantity)} {seen.symbol} {seen.status}"


# -- positions and cash --------------------------------------------------------------------------------------------


def _unbooked_shares(books: Books, shown: Iterable[SeenOrder]) -> dict[str, Decimal]:
    """Signed shares by symbol that the broker calls filled and that we have not booked yet."""
    found: dict[str, Decimal] = {}
    for order in shown:
        ours = books.orders.get(order.seen.client_order_id)
        if ours is not None and order.seen.filled_quantity > ours.filled:
            missing = ours.sign * (order.seen.filled_quantity - ours.filled)
            found[ours.symbol] = found.get(ours.symbol, ZERO) + missing
    return found


Slack = Mapping[str, tuple[Decimal, Decimal]]
"""Symbol to the least and the most by which the broker's position may differ, for named reasons."""


def _slack(books: Books, unbooked: Mapping[str, Decimal]) -> Slack:
    slack = {symbol: (shares, shares) for symbol, shares in unbooked.items()}
    for order in books.orders.values():
        if order.status in _ON_ITS_WAY:
            least, most = slack.get(order.symbol, (ZERO, ZERO))
            shares = order.sign * order.leaves
            slack[order.symbol] = (least + min(shares, ZERO), most + max(shares, ZERO))
    return slack


def compare_positions(
    ours: Mapping[str, Decimal], theirs: Iterable[SeenPosition], slack: Slack | None = None
) -> list[Break]:
    """Every symbol whose signed quantity differs by other than what is on its way."""
    seen = {position.symbol: position.quantity for position in theirs}
    found = []
    for symbol in sorted({*ours, *seen}):
        we, they = ours.get(symbol, ZERO), seen.get(symbol, ZERO)
        least, most = (slack or {}).get(symbol, (ZERO, ZERO))
        if least <= they - we <= most:
            continue
        found.append(
            Break(
                kind=BreakKind.POSITION,
                subject=symbol,
                symbol=symbol,
                ours=plain(we),
                theirs=plain(they),
                difference=they - we,
            )
        )
    return found


def compare_cash(ours: Decimal, theirs: Decimal) -> list[Break]:
    """Cash that differs at all is told; beyond `CASH_TOLERANCE` it shuts the account for new risk."""
    difference = LEDGER.subtract(theirs, ours)
    if not difference:
        return []
    severity = Severity.SERIOUS if abs(difference) > CASH_TOLERANCE else Severity.NOTICE
    return [
        Break(
            kind=BreakKind.CASH,
            subject="cash",
            ours=plain(ours),
            theirs=plain(theirs),
            severity=severity,
            difference=difference,
        )
    ]
