"""The blotter: the newest orders, filtered and in pages, newest first."""

from __future__ import annotations

import msgspec

from quant_trading_system.app.decision_record import DecisionRecord, decision_record
from quant_trading_system.app.order_list import OrderFilter, OrderLine
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.order_listing import OrderGroup

MOST_ROWS = 500


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
        matching = [line for line in newest if wanted.is_about(line)]
        rows = [line for line in matching if wanted.group.includes(line.status)]
        page = rows[max(offset, 0) : max(offset, 0) + min(max(limit, 1), MOST_ROWS)]
        return OrderPage(
            rows=tuple(msgspec.structs.replace(line) for line in page),
            offset=offset,
            total=len(rows),
            counts={group.value: sum(group.includes(line.status) for line in matching) for group in OrderGroup},
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
