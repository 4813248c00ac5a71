"""What Alpaca has said about one order, on whatever channel and in whatever order it came.

Stream and REST repeat, overtake and contradict each other. Executions count once, by the interval of the
order's cumulative quantity that they cover. For the life of the order the newest evidence wins, by the
broker's time and by what has filled, never by arrival. An end is told only when every share that the broker
calls filled has been told before it: until then the order counts in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, auto

import msgspec

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, RequestTrigger
from quant_trading_system.execution.alpaca_models import AlpacaOrder
from quant_trading_system.execution.alpaca_wire import status_of
from quant_trading_system.execution.broker import BrokerUpdate, Execution

S, T = OrderStatus, OrderTrigger

_ENDS = {
    S.FILLED: T.FILL_LAST,
    S.CANCELED: T.CANCEL,
    S.EXPIRED: T.EXPIRE,
    S.REJECTED: T.REJECT,
    S.REPLACED: T.REPLACE,
}
_PAUSES = {S.SUSPENDED: T.SUSPEND, S.DONE_FOR_DAY: T.FINISH_DAY}
_RANKS = {S.HELD: 0, S.IN_DOUBT: 0, S.WORKING: 1, S.SUSPENDED: 2, S.PARTIALLY_FILLED: 3, S.DONE_FOR_DAY: 4}
_LAST_RANK = 5
_ENDLESS = Decimal("Infinity")

Evidence = tuple[datetime, Decimal, int]
"""How new a statement is: the broker's time, shares filled, and how far the status is."""


class Covered(Enum):
    """What an interval is to those before it."""

    NEW = auto()
    KNOWN = auto()
    CLASHES = auto()  # overlaps without being known: the two tellings cannot both be whole


class Intervals:
    """Disjoint half-open intervals of shares, in rising order; neighbours are joined."""

    __slots__ = ("_parts", "total")

    def __init__(self) -> None:
        self._parts: list[tuple[Decimal, Decimal]] = []
        self.total = ZERO

    @property
    def begin(self) -> Decimal:
        """Where the first interval begins; infinity while there is none."""
        return self._parts[0][0] if self._parts else _ENDLESS

    def add(self, start: Decimal, end: Decimal) -> Covered:
        """Take in ``(start, end]``, with start < end, unless it is there or clashes."""
        for low, high in self._parts:
            if low <= start and end <= high:
                return Covered.KNOWN
            if start < high and low < end:
                return Covered.CLASHES
        self._join([*self._parts, (start, end)])
        return Covered.NEW

    def remove(self, start: Decimal, end: Decimal) -> None:
        """Take out an interval that was added."""
        rest = []
        for low, high in self._parts:
            rest += [(low, high)] if end <= low or high <= start else [(low, start), (end, high)]
        self._join([part for part in rest if part[0] < part[1]])

    def _join(self, parts: list[tuple[Decimal, Decimal]]) -> None:
        joined: list[tuple[Decimal, Decimal]] = []
        for low, high in sorted(parts):
            if joined and joined[-1][1] == low:
                joined[-1] = (joined[-1][0], high)
            else:
                joined.append((low, high))
        self._parts = joined
        self.total = sum((high - low for low, high in joined), ZERO)


class OrderTrail:
    """The evidence about one order, and what listeners were told of it.

    Attributes:
        order_id: the broker's id, empty while it is not known.
        status: by the newest evidence; None before the first.
        reported: shares that the broker calls filled.
        handed_on: shares that the order whose place it took had filled; the broker counts them as its own. None
            while nobody has told; 0 for an order that took nobody's place.
        has_clash: executions were told that cannot both be true.
        submitted_at: by the broker's time; None while it has not said.
        corrected_at: when the broker said that an execution was taken back or changed; None once that was settled.
    """

    __slots__ = (
        "_booked",
        "_newest",
        "_told",
        "client_order_id",
        "corrected_at",
        "handed_on",
        "has_clash",
        "order_id",
        "reported",
        "status",
        "submitted_at",
    )

    def __init__(self, client_order_id: str) -> None:
        self.client_order_id = client_order_id
        self.order_id = ""
        self.status: OrderStatus | None = None
        self.reported = ZERO
        self.handed_on: Decimal | None = ZERO
        self.has_clash = False
        self.submitted_at: datetime | None = None
        self.corrected_at: datetime | None = None
        self._booked = Intervals()
        self._told: OrderStatus | None = None
        self._newest: Evidence | None = None

    @property
    def is_open(self) -> bool:
        """The end of the order has not been told."""
        return self._told not in _ENDS

    @property
    def unexplained(self) -> str:
        """Why the history has to be read; empty when everything fits together."""
        if self.corrected_at is not None:
            return "an execution was taken back or changed, and the history does not show it yet"
        if not self._is_complete:
            if self.has_clash:
                return "its executions contradict each other"
            return f"{self.reported - self._explained} of {self.reported} filled shares have no execution"
        if self.status is S.IN_DOUBT:
            return "the broker's word for its status is not known"
        return ""

    def hear(
        self,
        order: AlpacaOrder,
        *,
        at: datetime,
        execution: Execution | None = None,
        request: RequestTrigger | None = None,
    ) -> list[BrokerUpdate]:
        """Take in a statement; what listeners are to be told now.

        Args:
            at: when the broker said it.
            execution: the one that this statement is about.
            request: set when it is a refusal of a cancel or replace.
        """
        self.order_id, self.submitted_at = order.id, order.submitted_at
        self.reported = max(self.reported, order.filled_qty)
        self._weigh(order, at)
        updates = [] if execution is None else self._fill(execution)
        trigger = self._next_step()
        if trigger is not None or request is not None:
            updates.append(self._update(at, trigger, request=request))
        return updates

    def restate(self, order: AlpacaOrder, executions: tuple[Execution, ...], at: datetime) -> BrokerUpdate | None:
        """Forget what was told of executions and begin from the history; None while it cannot be whole.

        Args:
            executions: of this order, as the history shows them.
        """
        total = sum((execution.quantity for execution in executions), ZERO)
        if total not in (order.filled_qty, order.filled_qty - (self.handed_on or ZERO)):
            return None
        if self.corrected_at is not None and order.updated_at is not None and order.updated_at < self.corrected_at:
            return None
        self._booked, self.has_clash, self.corrected_at = Intervals(), False, None
        for execution in executions:
            end = execution.cumulative_quantity
            self._booked.add(end - execution.quantity, end)
        self.reported = order.filled_qty
        return msgspec.structs.replace(self._update(at, None), history=executions)

    def recall(self, executions: Iterable[Execution]) -> None:
        """Count as told what listeners know from an earlier process."""
        for execution in executions:
            self._booked.add(execution.cumulative_quantity - execution.quantity, execution.cumulative_quantity)

    def is_ahead_of(self, order: AlpacaOrder) -> bool:
        """Something newer than this statement was heard."""
        moment = order.updated_at or order.submitted_at
        return self._newest is not None and moment is not None and moment < self._newest[0]

    def is_as(self, order: AlpacaOrder) -> bool:
        """The newest evidence says the same of it as `order`."""
        return self.status is status_of(order) and self.reported == order.filled_qty

    def take_back(self, update: BrokerUpdate) -> None:
        """A listener failed on `update`: tell it again when the history is read."""
        self._told = None
        if update.execution is not None:
            end = update.execution.cumulative_quantity
            self._booked.remove(end - update.execution.quantity, end)

    def _weigh(self, order: AlpacaOrder, at: datetime) -> None:
        moment = order.updated_at or order.submitted_at or at
        status = status_of(order)
        evidence = (moment.astimezone(UTC), order.filled_qty, _RANKS.get(status, _LAST_RANK))
        if self._newest is None or evidence > self._newest:
            self._newest = evidence
            self.status = status

    def _fill(self, execution: Execution) -> list[BrokerUpdate]:
        end = execution.cumulative_quantity
        covered = self._booked.add(end - execution.quantity, end)
        if covered is Covered.CLASHES:
            self.has_clash = True
        if covered is not Covered.NEW:
            return []
        self.reported = max(self.reported, end)
        is_last = self.status is S.FILLED and self._is_complete
        if is_last:
            self._told = S.FILLED
        elif self.is_open:
            self._told = S.PARTIALLY_FILLED
        return [self._update(execution.at, T.FILL_LAST if is_last else T.FILL_PART, execution=execution)]

    @property
    def _is_complete(self) -> bool:
        return self._explained >= self.reported

    @property
    def _explained(self) -> Decimal:
        """Shares that executions account for: its own, and those of the order before it if its own begin after them."""
        handed_on = self.handed_on or ZERO
        return self._booked.total + (handed_on if self._booked.begin >= handed_on else ZERO)

    def _next_step(self) -> OrderTrigger | None:
        """What the status by the newest evidence adds to what was told."""
        status, told = self.status, self._told
        if status is None or status is told or status is S.IN_DOUBT:
            return None
        if status in _ENDS:
            return self._end(status)
        if told in _ENDS:
            return None  # nothing follows an end but a late fill
        if status in _PAUSES:
            self._told = status
            return _PAUSES[status]
        if status is S.HELD:
            return self._say(S.HELD, T.HOLD) if told is None else None
        if told is S.WORKING or told is S.PARTIALLY_FILLED:
            return None
        if self._booked.total:
            return self._say(S.PARTIALLY_FILLED, T.FILL_PART)
        return self._say(S.WORKING, T.ACCEPT)

    def _end(self, status: OrderStatus) -> OrderTrigger | None:
        if not self._is_complete or (self._told in _ENDS and status is not S.FILLED):
            return None
        return self._say(status, _ENDS[status])

    def _say(self, status: OrderStatus, trigger: OrderTrigger) -> OrderTrigger:
        self._told = status
        return trigger

    def _update(
        self,
        at: datetime,
        trigger: OrderTrigger | None,
        *,
        execution: Execution | None = None,
        request: RequestTrigger | None = None,
    ) -> BrokerUpdate:
        return BrokerUpdate(
            client_order_id=self.client_order_id,
            venue_order_id=self.order_id,
            at=at.astimezone(UTC),
            trigger=trigger,
            request=request,
            execution=execution,
        )
