"""The blotter: the newest orders, filtered and in pages, newest first."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from quant_trading_system.app.decision_record import DecisionRecord, decision_record
from quant_trading_system.app.order_list import OrderLine
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.order_state import OrderStatus

MOST_ROWS = 500


class OrderGroup(StrEnum):
    """Orders that people look for together."""

    ALL = "all"
    OPEN = "open"
    FILLED = "filled"
    REFUSED = "refused"  # by our own gate, or by the broker
    ENDED = "ended"  # cancelled, expired, replaced or never sent


_BELONGS: dict[OrderGroup, Callable[[OrderStatus], bool]] = {
    OrderGroup.ALL: lambda _: True,
    OrderGroup.OPEN: lambda status: not status.is_terminal,
    OrderGroup.FILLED: lambda status: status is OrderStatus.FILLED,
    OrderGroup.REFUSED: lambda status: status in (OrderStatus.DENIED, OrderStatus.REJECTED),
    OrderGroup.ENDED: lambda status: (
        status.is_terminal and status not in (OrderStatus.FILLED, OrderStatus.DENIED, OrderStatus.REJECTED)
    ),
}


class OrderFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are wanted; everything empty wants all.

    Attributes:
        text: part of an order id, of a symbol, or of what was said about the order.
    """

    group: OrderGroup = OrderGroup.ALL
    symbol: str = ""
    strategy: str = ""
    text: str = ""


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of the blotter.

    Attributes:
        rows: newest first; `offset`: how many newer ones match, `total`: how many match at all.
        counts: orders of each group that match everything else.
        symbols, strategies: what can be filtered by.
        dropped: older orders that are not kept; `qts orders` finds them.
    """

    rows: tuple[OrderLine, ...]
    offset: int
    total: int
    counts: dict[str, int]
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    dropped: int


def order_page(follower: Follower, wanted: OrderFilter, *, offset: int = 0, limit: int = 50) -> OrderPage:
    """The page of `limit` rows (at most `MOST_ROWS`) after `offset` newer ones."""
    with follower.lock:
        lines = follower.views.orders
        newest = list(reversed(lines.lines.values()))
        matching = [line for line in newest if _matches(line, wanted)]
        rows = [line for line in matching if _BELONGS[wanted.group](line.status)]
        page = rows[max(offset, 0) : max(offset, 0) + min(max(limit, 1), MOST_ROWS)]
        return OrderPage(
            rows=tuple(msgspec.structs.replace(line) for line in page),
            offset=offset,
            total=len(rows),
            counts={group.value: sum(belongs(line.status) for line in matching) for group, belongs in _BELONGS.items()},
            symbols=tuple(sorted({line.symbol for line in newest})),
            strategies=tuple(sorted({line.strategy for line in newest})),
            dropped=lines.dropped,
        )


def order_record(follower: Follower, order_id: str) -> DecisionRecord:
    """The whole decision about one order, from the journal.

    Raises:
        UnknownOrder: the journal has no such order.
        JournalUnavailable, JournalDamaged: it cannot be read.
    """
    return decision_record(follower.reader(), order_id)


def _matches(line: OrderLine, wanted: OrderFilter) -> bool:
    if wanted.symbol and line.symbol != wanted.symbol:
        return False
    if wanted.strategy and line.strategy != wanted.strategy:
        return False
    text = wanted.text.strip().casefold()
    return not text or any(text in part.casefold() for part in (line.order_id, line.symbol, line.why, line.parent))
