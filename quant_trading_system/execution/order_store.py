"""The orders of the account by id, open ones apart, so that nothing ever scans the finished ones.

Finished orders are many. Where the journal can be asked for them, only the last ones stay in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.numbers import LEDGER, ZERO, divide
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution.broker import Execution

if TYPE_CHECKING:
    from quant_trading_system.execution.order_group import OrderGroup

_PRICE_QUANTUM = Decimal("1E-9")
_BUY = OrderSide.BUY
_CREATED, _NOTHING_ASKED = OrderStatus.CREATED, PendingRequest.NONE
_add, _multiply = LEDGER.add, LEDGER.multiply
AT_REST = frozenset({OrderStatus.HELD, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED})
"""An order waits at the broker."""


class OrderRecord(msgspec.Struct, eq=False):
    """One order and what became of it.

    Attributes:
        quantity: shares at most; for dollar orders the gate's worst case.
        filled: shares executed; `filled_value`: the dollars that they traded for, so that averages stay exact.
        filled_before: shares that had filled when somebody else's order was taken over; the positions contain them.
        filled_older: shares executed by the orders before it in its chain of replaces.
        booked_to: the largest cumulative quantity at which one of its executions ends.
        rejection: the gate's answer, when it said no.
        expected_price: mid at the decision, what slippage is measured against.
        room_price: dollars a share at which its room is reserved.
        sent_at, acknowledged_at: on the injected clock; it is sent in the step in which the gate decided about it.
        left_at: when it was sent by the monotonic clock; None for an order of an earlier process, or a final one.
        sent_seq: the journal entry of its decision; causes later entries.
        held_back: a rule of our own kept it from leaving; the broker has nothing to do with that.
        final_at: when it reached a terminal state.
        misses: how often the broker was asked about it and did not know it.
        replaces, replaced_by: ids of the orders before and after it in a chain of replaces, empty for none;
            `older`, `newer`: these orders, None while they are not in memory; `in_vain`: those that were to take
            its place before `newer`, and did not.
        changes: the number of the latest change that was asked for in this process, by which ids are told apart.
        order_id: the client order id.
        parent: id of the order that leads its group, when it is a leg; else empty.
        group: the bracket, OCO or OTO group that it belongs to, None for simple orders.
    """

    order: Order
    quantity: Decimal
    order_id: str = ""
    status: OrderStatus = _CREATED
    pending: PendingRequest = _NOTHING_ASKED
    filled: Decimal = ZERO
    filled_before: Decimal = ZERO
    filled_older: Decimal = ZERO
    filled_value: Decimal = ZERO
    fees: Decimal = ZERO
    expected_price: Decimal | None = None
    booked_to: Decimal = ZERO
    rejection: Rejection | None = None
    venue_order_id: str = ""
    reason: str = ""
    shrinks: bool = False
    room_price: Decimal = ZERO
    sent_at: datetime | None = None
    left_at: float | None = None
    acknowledged_at: datetime | None = None
    final_at: datetime | None = None
    sent_seq: int = 0
    held_back: bool = False
    misses: int = 0
    changes: int = 0
    replaces: str = ""
    replaced_by: str = ""
    older: OrderRecord | None = None
    newer: OrderRecord | None = None
    in_vain: tuple[OrderRecord, ...] = ()
    parent: str = ""
    group: OrderGroup | None = None
    _only: Execution | None = None  # most orders fill at once, and a dictionary is four times as large
    _several: dict[str, Execution] | None = None

    def __post_init__(self) -> None:
        self.order_id = self.order.client_order_id

    def __repr__(self) -> str:
        order, done = self.order, f"{self.filled}/{self.quantity}"
        return f"OrderRecord({order.client_order_id} {order.side} {done} {order.symbol} {self.status})"

    @property
    def executions(self) -> Mapping[str, Execution]:
        """Those booked, by id; one that was taken back has the quantity 0. Not to be changed."""
        if self._several is not None:
            return self._several
        return {} if self._only is None else {self._only.execution_id: self._only}

    def _put(self, execution: Execution) -> None:
        """Keep it, in the place of the one that has its id."""
        several, only = self._several, self._only
        if several is not None:
            several[execution.execution_id] = execution
        elif only is None or only.execution_id == execution.execution_id:
            self._only = execution
        else:
            self._several = {only.execution_id: only, execution.execution_id: execution}

    def has_booked(self, execution: Execution) -> bool:
        """It was counted before, by its id or by the interval of the cumulative quantity that it covers."""
        if self._only is None:
            return False
        executions = self.executions
        if execution.execution_id in executions:
            return True
        end = execution.cumulative_quantity
        return end <= self.booked_to and any(
            end == other.cumulative_quantity for other in executions.values() if other.quantity
        )

    def book(self, execution: Execution) -> None:
        """Count an execution."""
        quantity, end = execution.quantity, execution.cumulative_quantity
        self._put(execution)
        if end > self.booked_to:
            self.booked_to = end
        self.filled += quantity
        self.filled_value = _add(self.filled_value, _multiply(quantity, execution.price))
        self.fees += execution.fee
        if self.newer is not None:
            self._hand_on()

    def correct(self, now: Execution) -> None:
        """Count an execution anew, as `now`; those after it move up, for the broker counts without gaps."""
        told = sorted(self.executions.values(), key=lambda execution: execution.cumulative_quantity)
        end = told[0].cumulative_quantity - told[0].quantity if told else self.filled_before
        self._put(now)
        self.booked_to = self.filled = self.filled_value = self.fees = ZERO
        for execution in told:
            execution = self.executions[execution.execution_id]
            end += execution.quantity
            placed = msgspec.structs.replace(execution, cumulative_quantity=end)
            self.book(placed)

    def follow(self, old: OrderRecord) -> None:
        """It has taken the place of `old`, or is to take it."""
        if old.newer is not None:
            old.in_vain = (*old.in_vain, old.newer)
        self.older, old.newer = old, self
        old._hand_on()

    def _hand_on(self) -> None:
        """The orders that took its place, or were to, count what has filled before them; so do those after them."""
        told = [self]
        while told:
            older = told.pop()
            if older.newer is not None:
                for newer in (older.newer, *older.in_vain):
                    newer.filled_older = older.chain_filled
                    told.append(newer)

    def placed(self, execution: Execution) -> Execution:
        """An execution that was missed, at its place among those of the order, or at another where that is taken.

        After a correction we count without gaps, so that places are no longer the broker's: it comes into the first gap
        that is wide enough, or behind all others.
        """
        taken = sorted((e.cumulative_quantity - e.quantity, e.cumulative_quantity) for e in self.executions.values())
        end, quantity = execution.cumulative_quantity, execution.quantity
        if all(end <= low or high <= end - quantity for low, high in taken if high > low):
            return execution
        free = self.filled_before
        for low, high in taken:
            if low - free >= quantity:
                break
            free = max(free, high)
        return msgspec.structs.replace(execution, cumulative_quantity=free + quantity)

    @property
    def leaves(self) -> Decimal:
        """Shares that may still fill; 0 when the order is final."""
        if not self.status.is_open:
            return ZERO
        filled = self.filled + self.filled_before if self.older is None else self.chain_filled
        left = self.quantity - filled
        return ZERO if left < ZERO else left

    @property
    def chain_filled(self) -> Decimal:
        """Shares executed by it and by every order whose place it took: they are one intent."""
        return self.filled + self.filled_before + self.filled_older

    @property
    def room(self) -> Decimal:
        """Signed shares that room is kept for: of two orders of which one replaces the other, the larger counts.

        The exits of a group count once, for what they can close of it.
        """
        shares = self.leaves if self.group is None else self.group.leaves_of(self)
        if self.older is not None:
            shares = max(shares - self.older.leaves, ZERO)
        return shares if self.order.side is _BUY else -shares

    @property
    def average_price(self) -> Decimal | None:
        """Dollars a share of what has filled, to nine decimals; None before the first fill."""
        return divide(self.filled_value, self.filled, _PRICE_QUANTUM) if self.filled else None

    @property
    def slippage(self) -> Decimal | None:
        """Dollars that the fills cost against `expected_price`; positive hurts, on either side."""
        if self.expected_price is None or not self.filled:
            return None
        paid = LEDGER.subtract(self.filled_value, LEDGER.multiply(self.expected_price, self.filled))
        return paid if self.order.side is _BUY else -paid


def latest_of(record: OrderRecord) -> OrderRecord:
    """The order, or the one that has taken its place or is about to."""
    while record.newer is not None and (record.status is OrderStatus.REPLACED or record.newer.status.is_open):
        record = record.newer
    return record


class OrderStore:
    """Orders by client order id. Not locked: the order manager guards it.

    Attributes:
        count: orders that began here, those that have left memory included.
        remembered: finished orders that stay in memory, the last ones; None keeps all.
    """

    def __init__(self) -> None:
        self.count = 0
        self.remembered: int | None = None
        self._by_id: dict[str, OrderRecord] = {}
        self._open: dict[str, OrderRecord] = {}
        self._open_of: dict[str, dict[str, OrderRecord]] = {}
        self._astir: dict[str, OrderRecord] = {}  # every open order that is not at rest, and some that are by now
        self._finished: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[OrderRecord]:
        """The orders in memory, oldest first."""
        return iter(list(self._by_id.values()))

    def add(self, record: OrderRecord) -> None:
        """Take in a new order."""
        self.count += 1
        if record.status.is_open:
            self._by_id[record.order_id] = self._astir[record.order_id] = record
            self._enter(record)
        else:
            self.take_back(record)

    def take_back(self, record: OrderRecord) -> None:
        """Take in an order that began in an earlier process, or that has left memory."""
        self._by_id[record.order_id] = record
        self.settle(record)

    def link(self, record: OrderRecord) -> None:
        """Join an order with those before and after it in its chain, as far as they are in memory."""
        old, new = self.get(record.replaces), self.get(record.replaced_by)
        if old is not None and record.older is None:
            record.follow(old)
        if new is not None and record.newer is None and new.replaces == record.order_id:
            new.follow(record)

    def get(self, order_id: str) -> OrderRecord | None:
        """The order, None when it is not in memory."""
        return self._by_id.get(order_id)

    def moved(self, record: OrderRecord, before: OrderStatus) -> None:
        """The order's status changed from `before`: keep it where it belongs by now."""
        status = record.status
        if status.is_open is not before.is_open or (status.is_open and status not in AT_REST):
            self.settle(record)

    def settle(self, record: OrderRecord) -> None:
        """Sort the order among the open or the finished ones."""
        order_id = record.order_id
        if record.status.is_open:
            if self._open.get(order_id) is not record:  # another record of it may be there
                self._enter(record)
            self._astir[order_id] = record
            self._finished.pop(order_id, None)
            return
        if self._open.pop(order_id, None) is not None:
            self._open_of[record.order.symbol].pop(order_id, None)
            self._astir.pop(order_id, None)
        if record.group is not None and record.group.is_needed:
            self._finished.pop(order_id, None)
            return  # its group goes on, and must find it
        self._finished[order_id] = None
        if self.remembered is not None and len(self._finished) > self.remembered:
            oldest = next(iter(self._finished))
            del self._finished[oldest], self._by_id[oldest]

    def _enter(self, record: OrderRecord) -> None:
        order_id, symbol = record.order_id, record.order.symbol
        self._open[order_id] = record
        of_symbol = self._open_of.get(symbol)
        if of_symbol is None:
            of_symbol = self._open_of[symbol] = {}
        of_symbol[order_id] = record

    @property
    def has_open(self) -> bool:
        """Some order is open or in doubt."""
        return bool(self._open)

    def stir(self, record: OrderRecord) -> None:
        """Something is asked of the order, or no longer."""
        if record.order_id in self._open:
            self._astir[record.order_id] = record

    @property
    def is_at_rest(self) -> bool:
        """Every open order waits at the broker, and nothing is asked of any."""
        astir = self._astir
        while astir:
            order_id, record = next(iter(astir.items()))
            if record.status not in AT_REST or record.pending is not PendingRequest.NONE:
                return False
            del astir[order_id]  # it need not be looked at again before something happens to it
        return True

    def open_orders(self, symbol: str | None = None) -> list[OrderRecord]:
        """Open and in-doubt orders, oldest first; of one symbol if asked."""
        asked = self._open if symbol is None else self._open_of.get(symbol)
        return [] if asked is None else list(asked.values())
