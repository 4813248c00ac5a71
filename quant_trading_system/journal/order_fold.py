"""Orders as their events tell them, held to the table of order states and to the sum of their fills."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable
from decimal import Decimal
from itertools import islice

import msgspec

from quant_trading_system.core.events import FillCorrected, FillEvent, OrderEvent
from quant_trading_system.core.exceptions import InvalidTransition
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest, advance
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.journal.entry import Entry

REMEMBERED_ORDERS = 10_000
"""Orders that have ended and whose details are still at hand; older ones are read again from the history."""

RECENT_LEGS = 1_000
"""Ended orders among which legs of positions that are still held are looked for."""

History = Callable[[str, int], Iterable[Entry]]
"""Finds the entries about one order."""

Differ = Callable[[str, object, object], None]

Interval = tuple[Decimal, Decimal]
"""From, exclusive, to, inclusive."""


_BEGINNINGS = (OrderTrigger.SEND, OrderTrigger.DENY, OrderTrigger.ADOPT)


class OrderView(msgspec.Struct, kw_only=True):
    """One order as its entries tell it.

    Attributes:
        side, quantity: what was wanted (shares); None and 0 when no entry tells.
        quantity_filled: shares, as its order events say; `executed`: as its fills add up.
        covered: intervals of the cumulative quantity that fills have told of, disjoint and ascending.
        order: the full content, while the order may still trade.
        parent: the order that leads its group, when it is a leg.
    """

    order_id: str
    symbol: str
    status: OrderStatus = OrderStatus.CREATED
    pending: PendingRequest = PendingRequest.NONE
    side: OrderSide | None = None
    quantity: Decimal = ZERO
    quantity_filled: Decimal = ZERO
    executed: Decimal = ZERO
    covered: list[Interval] = []
    venue_order_id: str = ""
    strategy: str = ""
    order: Order | None = None
    parent: str = ""


class OrderFold:
    """Every order of the journal: open ones in full, ended ones by count and, for a while, by id.

    Attributes:
        open: by id, in the order in which they were sent.
        ended: number of orders in each terminal status.
    """

    def __init__(self, differ: Differ, history: History | None = None) -> None:
        self.open: dict[str, OrderView] = {}
        self.ended: Counter[OrderStatus] = Counter()
        self._recent: OrderedDict[str, OrderView] = OrderedDict()
        self._forgotten = 0
        self._differ = differ
        self._history = history

    @property
    def count(self) -> int:
        """All orders that were sent or denied."""
        return len(self.open) + self.ended.total()

    def get(self, order_id: str) -> OrderView | None:
        """The order, while it is open or among the last ones that ended."""
        return self.open.get(order_id) or self._recent.get(order_id)

    def legs(self) -> dict[str, str]:
        """The broker's ids of legs by our ids: of the open ones, and of those that ended lately."""
        views = (*self.open.values(), *self._recent.values())
        return {view.order_id: view.venue_order_id for view in views if view.parent and view.venue_order_id}

    def leaders_of(self, symbols: Container[str]) -> list[str]:
        """Ids of the orders that lead groups of which a leg in one of `symbols` ended lately, the last ones first."""
        legs = (view.parent for view in islice(reversed(self._recent.values()), RECENT_LEGS) if view.symbol in symbols)
        return list(dict.fromkeys(filter(None, legs)))

    def change(self, seq: int, event: OrderEvent) -> bool:
        """Take in an order event; True when it is the first of its order."""
        view = self._known(seq, event.order_id)
        is_first = view is None
        if view is None:
            view = self._first(event)
        else:
            self._take_out(view)
            self._check_status(view, event)
        if event.quantity_filled < view.quantity_filled:
            self._differ(f"quantity_filled of {event.order_id}", event.quantity_filled, view.quantity_filled)
        _adopt(view, event)
        self._file(view)
        return is_first

    def fill(self, seq: int, event: FillEvent) -> None:
        """Take in a fill: it must belong to an order that was sent, and tell of new shares."""
        view = self._known(seq, event.order_id)
        if view is None:
            self._differ(f"order {event.order_id}", "filled", "never sent")
            return
        if (event.symbol, event.side) != (view.symbol, view.side):
            self._differ(f"fill of {event.order_id}", f"{event.side} {event.symbol}", f"{view.side} {view.symbol}")
        told = view.covered
        if not _book(view, event):
            self._differ(f"cumulative_quantity of {event.order_id}", event.cumulative_quantity, _told(told))

    def correct(self, seq: int, event: FillCorrected) -> None:
        """Take in a correction: the order has traded more or fewer shares than its fills said."""
        view = self._known(seq, event.order_id)
        if view is None or view.executed < event.was_quantity:
            self._differ(f"order {event.order_id}", "corrected", "never filled that much")
            return
        _restate(view, event)

    def _first(self, event: OrderEvent) -> OrderView:
        order = event.order
        view = OrderView(order_id=event.order_id, symbol=event.symbol)
        if order is None or event.trigger not in _BEGINNINGS:
            self._differ(f"order {event.order_id}", event.trigger or event.status, "an order that was never sent")
        else:
            self._check_status(view, event)
        if order is not None:
            view.side, view.quantity, view.strategy, view.order = order.side, order.quantity, order.strategy, order
            view.parent = event.parent
        return view

    def _check_status(self, view: OrderView, event: OrderEvent) -> None:
        try:
            expected = view.status if event.trigger is None else advance(view.status, event.trigger)
        except InvalidTransition:
            self._differ(f"transition of {event.order_id}", event.trigger, f"not possible when {view.status}")
            return
        if event.status is not expected:
            self._differ(f"status of {event.order_id}", event.status, expected)

    def _known(self, seq: int, order_id: str) -> OrderView | None:
        """The order, out of memory or, when it ended long ago, out of the history."""
        view = self.get(order_id)
        if view is None and self._forgotten and self._history is not None:
            view = _recalled(self._history(order_id, seq))
        return view

    def _take_out(self, view: OrderView) -> None:
        """Ended orders are counted under their new status afterwards; open ones keep their place."""
        if not view.status.is_terminal:
            return
        self.ended[view.status] -= 1
        if self._recent.pop(view.order_id, None) is None:
            self._forgotten -= 1

    def _file(self, view: OrderView) -> None:
        if not view.status.is_terminal:
            self.open[view.order_id] = view
            return
        if view.status is not OrderStatus.ABSENT:  # an absent order may still turn up, and then counts in full
            view.order = None
        self.open.pop(view.order_id, None)
        self.ended[view.status] += 1
        self._recent[view.order_id] = view
        if len(self._recent) > REMEMBERED_ORDERS:
            self._recent.popitem(last=False)
            self._forgotten += 1


def _adopt(view: OrderView, event: OrderEvent) -> None:
    view.status, view.pending, view.quantity_filled = event.status, event.pending, event.quantity_filled
    view.venue_order_id = event.venue_order_id or view.venue_order_id
    if event.quantity is not None:
        view.quantity = event.quantity


def _recalled(entries: Iterable[Entry]) -> OrderView | None:
    """The order as it stood after these entries."""
    view: OrderView | None = None
    for entry in entries:
        event = entry.event
        if isinstance(event, OrderEvent):
            view = view or OrderView(order_id=event.order_id, symbol=event.symbol)
            if event.order is not None:
                view.side, view.quantity, view.strategy = event.order.side, event.order.quantity, event.order.strategy
            _adopt(view, event)
        elif isinstance(event, FillEvent) and view is not None:
            _book(view, event)
        elif isinstance(event, FillCorrected) and view is not None:
            _restate(view, event)
    return view


def _restate(view: OrderView, event: FillCorrected) -> None:
    """What has filled is counted anew, without gaps, from where the order began."""
    view.executed = LEDGER.add(LEDGER.subtract(view.executed, event.was_quantity), event.quantity)
    view.quantity_filled = min(view.quantity_filled, view.executed)
    begin = view.covered[0][0] if view.covered else ZERO
    view.covered = [(begin, LEDGER.add(begin, view.executed))] if view.executed else []


def _book(view: OrderView, event: FillEvent) -> bool:
    """Add a fill; False when it tells of shares that an earlier one has told of. Fills may come out of order."""
    begin, end = LEDGER.subtract(event.cumulative_quantity, event.quantity), event.cumulative_quantity
    view.executed = LEDGER.add(view.executed, event.quantity)
    is_new = begin >= 0 and all(end <= low or begin >= high for low, high in view.covered)
    view.covered = _merged([*view.covered, (begin, end)])
    return is_new


def _told(intervals: list[Interval]) -> str:
    return "fills of " + (", ".join(f"({low}, {high}]" for low, high in intervals) or "nothing")


def _merged(intervals: list[Interval]) -> list[Interval]:
    """The same shares in the fewest intervals."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged
