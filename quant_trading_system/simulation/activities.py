"""The account's activities: executions, charges and other money that moved, under ids that sort by time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.sessions import NEW_YORK
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.venue_orders import VenueFill

_ZERO = Decimal(0)
_ROWS = 4
"""At most so many rows come from one execution: itself and three charges."""

FILL, FEE, REORGANISATION = "FILL", "FEE", "REORG"
TRADES, OTHERS = "trade_activity", "non_trade_activity"


class FillActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An execution.

    Attributes:
        side: ``buy``, ``sell`` or ``sell_short``.
        leaves_quantity: shares of the order that were still open after it; 0 for dollar orders.
        order_status: in the broker's words, right after it.
    """

    id: str
    at: datetime
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    cumulative_quantity: Decimal
    leaves_quantity: Decimal
    order_id: str
    order_status: str
    activity_type: str = FILL

    @property
    def kind(self) -> str:
        """``fill`` for the last execution of an order, else ``partial_fill``."""
        return "fill" if self.order_status == "filled" else "partial_fill"


class CashActivity(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved beside a trade: a charge, a dividend, interest, a transfer.

    Attributes:
        net_amount: dollars, negative when paid.
        quantity: shares that came in with it, negative out, as by a split.
    """

    id: str
    at: datetime
    date: date
    symbol: str
    net_amount: Decimal
    description: str
    activity_type: str = FEE
    quantity: Decimal = _ZERO


Activity = FillActivity | CashActivity


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are wanted; the default is the newest hundred.

    Attributes:
        types: such as ``FILL``; empty for all. `category`: ``trade_activity`` or ``non_trade_activity``.
        after, until: exclusive bounds of the time.
        page_token: the id of the last row that was seen.
    """

    types: frozenset[str] = frozenset()
    category: str = ""
    after: datetime | None = None
    until: datetime | None = None
    ascending: bool = False
    page_size: int = 100
    page_token: str = ""

    def wants(self, row: Activity) -> bool:
        """The row passes every filter but the page."""
        if self.types and row.activity_type not in self.types:
            return False
        if self.category and self.category != (TRADES if row.activity_type == FILL else OTHERS):
            return False
        return (self.after is None or row.at > self.after) and (self.until is None or row.at < self.until)


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An execution: the number of its order, its index there, and if it was the last one; or a posting, by index."""

    number: int
    index: int
    complete: bool


_POSTING = 0
"""The number of the order of a posting, which has none."""


class ActivityLog:
    """Executions in the order in which they happened; rows are made when somebody asks."""

    def __init__(self, orders: OrderIndex, id_prefix: str) -> None:
        self.entries: list[Remembered] = []
        self.postings: list[CashActivity] = []
        self._orders = orders
        self._id_prefix = id_prefix

    def add(self, live: LiveOrder, *, complete: bool) -> None:
        """Remember the latest execution of an order."""
        self.entries.append(Remembered(live.number, len(live.fills) - 1, complete))

    def post(
        self, at: datetime, activity_type: str, amount: Decimal, symbol: str, description: str, shares: Decimal = _ZERO
    ) -> CashActivity:
        """Remember money or shares that moved beside a trade."""
        posted = CashActivity(
            id=self._id(at, len(self.entries) * _ROWS),
            at=at,
            date=at.astimezone(NEW_YORK).date(),
            symbol=symbol,
            net_amount=amount,
            description=description,
            activity_type=activity_type,
            quantity=shares,
        )
        self.postings.append(posted)
        self.entries.append(Remembered(_POSTING, len(self.postings) - 1, True))
        return posted

    def rows(self, query: ActivityQuery) -> tuple[Activity, ...]:
        """The rows that are wanted, at most one page."""
        found: list[Activity] = []
        for row in self._after(self._number_of(query.page_token), ascending=query.ascending):
            if query.wants(row):
                found.append(row)
                if len(found) == query.page_size:
                    break
        return tuple(found)

    def _after(self, seen: int | None, *, ascending: bool) -> Iterator[Activity]:
        """The rows that follow the one that was seen last, or all of them."""
        last = len(self.entries) * _ROWS
        if ascending:
            wanted = range(0 if seen is None else seen + 1, last)
        else:
            wanted = range(last if seen is None else min(seen, last))[::-1]
        rows: list[Activity] = []
        place = -1
        for number in wanted:
            if number // _ROWS != place:
                place = number // _ROWS
                rows = list(self._made(place))
            if number % _ROWS < len(rows):
                yield rows[number % _ROWS]

    def _made(self, place: int) -> Iterator[Activity]:
        entry = self.entries[place]
        if entry.number == _POSTING:
            yield self.postings[entry.index]
            return
        live = self._orders.by_number(entry.number)
        fill = live.fills[entry.index]
        if not fill.quantity:  # busted
            return
        yield self._fill(place * _ROWS, live, fill, complete=entry.complete)
        charges = (("SEC fee", fill.fees.sec), ("TAF fee", fill.fees.taf), ("CAT fee", fill.fees.cat))
        for row, (name, amount) in enumerate(((n, a) for n, a in charges if a), 1):
            yield CashActivity(
                id=self._id(fill.at, place * _ROWS + row),
                at=fill.at,
                date=fill.at.astimezone(NEW_YORK).date(),
                symbol=live.order.symbol,
                net_amount=-amount,
                description=f"{name} for {fill.quantity.normalize():f} shares of {live.order.symbol}",
            )

    def _fill(self, number: int, live: LiveOrder, fill: VenueFill, *, complete: bool) -> FillActivity:
        order = live.order
        short = order.side is OrderSide.SELL and not live.closing
        return FillActivity(
            id=self._id(fill.at, number),
            at=fill.at,
            symbol=order.symbol,
            side="sell_short" if short else order.side.value,
            price=fill.price,
            quantity=fill.quantity,
            cumulative_quantity=fill.cumulative_quantity,
            leaves_quantity=max(order.quantity - fill.cumulative_quantity, _ZERO),
            order_id=live.venue_order_id,
            order_status="filled" if complete else "partially_filled",
        )

    def _id(self, at: datetime, number: int) -> str:
        there = at.astimezone(NEW_YORK)
        return f"{there:%Y%m%d%H%M%S}{there.microsecond // 1000:03d}::{self._id_prefix}{number:012x}"

    def _number_of(self, page_token: str) -> int | None:
        """The number in an id of ours, None for anything else."""
        digits = page_token.rpartition("-")[2]
        try:
            return int(digits, 16) if page_token else None
        except ValueError:
            return None
