"""The orders of a run as the journal tells them, newest kept."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.numbers import dollar_sign, plain
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass
from quant_trading_system.journal.store import JournalSource


class OrderLine(msgspec.Struct, kw_only=True):
    """One order in a list."""

    order_id: str
    at: datetime
    symbol: str
    strategy: str
    what: str
    status: OrderStatus
    filled: Decimal
    why: str
    refused_by: Rule | None


def list_orders(journal: JournalSource, *, symbol: str = "", refused: bool = False, last: int = 50) -> list[OrderLine]:
    """The newest `last` orders, oldest first; of one symbol, or the refused ones, if asked."""
    lines: dict[str, OrderLine] = {}
    kept: deque[str] = deque()
    for entry in journal.entries(kinds=("order",)):
        event = entry.event
        if not isinstance(event, OrderEvent):
            continue
        if event.order is not None and _is_wanted(event, symbol, refused):
            lines[event.order_id] = _line(event, event.order)
            kept.append(event.order_id)
            if len(kept) > last:
                del lines[kept.popleft()]
        line = lines.get(event.order_id)
        if line is not None:
            line.status, line.filled = event.status, event.quantity_filled
            line.why = event.reason or line.why
    return list(lines.values())


def symbols_with_orders(journal: JournalSource) -> list[str]:
    """Every symbol that an order was for, in order of the alphabet."""
    events = (entry.event for entry in journal.entries(kinds=("order",)))
    return sorted({event.symbol for event in events if isinstance(event, OrderEvent)})


def _is_wanted(event: OrderEvent, symbol: str, refused: bool) -> bool:
    return (not symbol or event.symbol == symbol) and (not refused or event.status is OrderStatus.DENIED)


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
    )


def order_in_words(order: Order) -> str:
    """An order in one line, such as ``buy 10 KO limit 60.1 day``."""
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
    return " ".join(words)
