"""The orders of a run as the journal tells them, newest kept."""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from itertools import islice

import msgspec

from quant_trading_system.app.refusal import refusal_of
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import FillCorrected, FillEvent, OrderEvent
from quant_trading_system.core.numbers import ZERO, divide, dollar_sign, plain
from quant_trading_system.core.order_listing import OrderGroup
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.journal.backwards import newest_first
from quant_trading_system.journal.store import JournalSource

_PRICE = Decimal("0.0001")


class OrderLine(msgspec.Struct, kw_only=True):
    """One order in a list.

    Attributes:
        what: the order in words; `why`: what was last said about it.
        refusal: why our gate refused it, in one sentence; empty when it did not.
        quantity: shares wanted; `filled`: shares traded; `value`: dollars that they traded for.
        pending: what was asked of it and is not answered.
        parent: the parent order of which it is a slice, or the order whose leg it is.
    """

    order_id: str
    at: datetime
    symbol: str
    strategy: str
    what: str
    status: OrderStatus
    filled: Decimal
    why: str
    refused_by: Rule | None
    side: OrderSide
    quantity: Decimal
    value: Decimal = ZERO
    pending: PendingRequest = PendingRequest.NONE
    refusal: str = ""
    parent: str = ""
    tag: str = ""

    @property
    def average_price(self) -> Decimal | None:
        """Dollars a share, to the hundredth of a cent; None without a fill."""
        return divide(self.value, self.filled, _PRICE) if self.filled and self.value else None


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are wanted; everything empty wants all.

    Attributes:
        text: part of an order id, of a symbol, of a tag, or of what was said about the order.
    """

    group: OrderGroup = OrderGroup.ALL
    symbol: str = ""
    strategy: str = ""
    text: str = ""

    def wants(self, line: OrderLine) -> bool:
        """It is about the order, and its status is of the group."""
        return self.group.includes(line.status) and self.is_about(line)

    def is_about(self, line: OrderLine) -> bool:
        """Symbol, strategy and words are those of the order, whatever its status."""
        if (self.symbol and line.symbol != self.symbol) or (self.strategy and line.strategy != self.strategy):
            return False
        text = self.text.strip().casefold()
        parts = (line.order_id, line.symbol, line.tag, line.why, line.parent)
        return not text or any(text in part.casefold() for part in parts)


class OrderLines:
    """The newest orders, kept up to date entry by entry.

    Attributes:
        lines: by order id, oldest first.
        dropped: older ones that are not kept any more.
    """

    def __init__(self, most: int) -> None:
        """Keep at most `most`."""
        self.lines: dict[str, OrderLine] = {}
        self.dropped = 0
        self._most = most

    def take(self, event: OrderEvent) -> None:
        """An order event; the first one of an order puts it on the list."""
        line = self.lines.get(event.order_id)
        if line is None:
            if event.order is not None:
                self._put(_line(event, event.order))
            return
        line.status, line.filled, line.pending = event.status, event.quantity_filled, event.pending
        line.why = event.reason or line.why
        line.quantity = event.quantity or line.quantity

    def fill(self, event: FillEvent) -> None:
        """An execution of an order."""
        self._add_value(event.order_id, event.quantity * event.price)

    def correct(self, event: FillCorrected) -> None:
        """An execution was another one, or none."""
        self._add_value(event.order_id, event.quantity * event.price - event.was_quantity * event.was_price)

    def drop_unless(self, order_id: str, wanted: OrderFilter) -> None:
        """Forget an order that has ended and is none of those that are wanted."""
        line = self.lines.get(order_id)
        if line is not None and not wanted.wants(line):
            del self.lines[order_id]

    def _put(self, line: OrderLine) -> None:
        self.lines[line.order_id] = line
        if len(self.lines) > self._most:
            del self.lines[next(iter(self.lines))]
            self.dropped += 1

    def _add_value(self, order_id: str, value: Decimal) -> None:
        line = self.lines.get(order_id)
        if line is not None:
            line.value += value


def list_orders(journal: JournalSource, wanted: OrderFilter, last: int = 50) -> list[OrderLine]:
    """The newest `last` orders of those that are wanted, oldest first."""
    is_any = wanted == OrderFilter()
    found = OrderLines(last if is_any else sys.maxsize)
    start = _start_of_newest(journal, last) if is_any else 1
    for entry in journal.entries(start, kinds=("order", "fill", "fill_corrected")):
        event = entry.event
        if isinstance(event, FillEvent):
            found.fill(event)
        elif isinstance(event, FillCorrected):
            found.correct(event)
        elif isinstance(event, OrderEvent):
            found.take(event)
            if event.status.is_terminal:
                found.drop_unless(event.order_id, wanted)
    return [line for line in found.lines.values() if wanted.wants(line)][-last:]


def _start_of_newest(journal: JournalSource, last: int) -> int:
    """The entry with which the newest `last` orders begin; only its first event has all of an order."""
    begun = (
        entry.seq
        for entry in newest_first(journal, ("order",))
        if isinstance(entry.event, OrderEvent) and entry.event.order is not None
    )
    return next(islice(begun, last - 1, None), 1)


def symbols_with_orders(journal: JournalSource) -> list[str]:
    """Every symbol that an order was for, in order of the alphabet."""
    events = (entry.event for entry in journal.entries(kinds=("order",)))
    return sorted({event.symbol for event in events if isinstance(event, OrderEvent)})


def _line(event: OrderEvent, order: Order) -> OrderLine:
    return OrderLine(
        order_id=event.order_id,
        at=event.at,
        symbol=event.symbol,
        strategy=order.strategy,
        what=order_in_words(order),
        status=event.status,
        filled=event.quantity_filled,
        why=event.reason,
        refused_by=event.decision.refused_by if event.decision else None,
        side=order.side,
        quantity=order.quantity,
        pending=event.pending,
        refusal=refusal_of(event.decision) if event.decision else "",
        parent=event.parent or _parent(event),
        tag=order.tag,
    )


def _parent(event: OrderEvent) -> str:
    plan = event.decision.plan if event.decision is not None else None
    return plan.parent if plan is not None else ""


def order_in_words(order: Order) -> str:
    """An order in one line, such as ``buy 10 KO limit 60.1 day``; its tag in quotes."""
    size = f"{dollar_sign(plain(order.notional))} of" if order.notional is not None else plain(order.quantity)
    words = [order.side.value, size, order.symbol]
    prices = {"stop": order.stop_price, "limit": order.limit_price, "trail": order.trail_price or order.trail_percent}
    given = [f"{name} {plain(price)}" for name, price in prices.items() if price is not None]
    words += [*(given or [order.order_type.value]), order.time_in_force.value]
    if order.order_class is not OrderClass.SIMPLE:
        words.append(order.order_class.value)
    if order.take_profit is not None:
        words.append(f"take-profit {plain(order.take_profit.limit_price)}")
    if order.stop_loss is not None:
        words.append(f"stop-loss {plain(order.stop_loss.stop_price)}")
    if order.tag:
        words.append(f'"{order.tag}"')
    return " ".join(words)
