"""The parent orders that are open: their states, in memory and in the journal, and what follows from a new one."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.decisions import ExecutionPlan
from quant_trading_system.core.exceptions import UnknownOrder
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.algo.children import ChildReport, with_reports
from quant_trading_system.execution.algo.parent import ParentState, ParentStatus
from quant_trading_system.execution.algo.walker import CancelChild
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.order_life import Journal
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.trading.algo_market import AlgoMarket, Baseline, Touch, seen
from quant_trading_system.trading.algo_record import changes, later, parent_event

_REMEMBERED = 10_000
"""Ended parents whose state is known still."""


class Parent:
    """One parent order on the desk.

    Attributes:
        state: now; `recorded`: as the journal has it.
        plan: of all its children; `seq`: its first entry.
        base: where the market's volume is counted from.
        wake_at: when to look again by itself; `looked_at`: the touch that it has seen.
        is_dirty: something happened to it since its last step.
        has_room: the rest of it is kept in the portfolio.
        is_broken: its algorithm raised; it only waits for its children to end.
        returned: children that came back after they were thought absent.
    """

    __slots__ = (
        "base", "has_room", "is_broken", "is_dirty", "looked_at", "plan", "recorded", "returned", "seq", "state",
        "wake_at",
    )  # fmt: skip

    def __init__(self, state: ParentState, plan: ExecutionPlan, seq: int, base: Baseline | None) -> None:
        self.state = state
        self.recorded = state
        self.plan = plan
        self.seq = seq
        self.base = base
        self.wake_at: datetime | None = None
        self.looked_at: Touch | None = None
        self.is_dirty = True
        self.has_room = True
        self.is_broken = False
        self.returned: set[str] = set()

    @property
    def parent_id(self) -> str:
        """Its id."""
        return self.state.order.parent_id


class ParentBook:
    """Keeps parents; the only one who changes the state of one.

    Attributes:
        open: those that have not ended, by id.
    """

    def __init__(self, *, market: AlgoMarket, orders: OrderManager, journal: Journal, clock: Clock) -> None:
        """Join the parts, and listen to what becomes of children."""
        self.open: dict[str, Parent] = {}
        self._market = market
        self._orders = orders
        self._journal = journal
        self._clock = clock
        self._ended: OrderedDict[str, ParentState] = OrderedDict()
        self._parent_of: dict[str, str] = {}
        orders.lives.on_settled(lambda record: self.noticed(record.order_id) if self.open else None)
        orders.lives.on_return(self._returned)

    def require(self, parent_id: str) -> Parent:
        """The open parent of that id.

        Raises:
            UnknownOrder: there is none.
        """
        parent = self.open.get(parent_id)
        if parent is None:
            raise UnknownOrder(f"no parent order {parent_id} is open; `qts algo status` lists them", parent_id)
        return parent

    def state_of(self, parent_id: str) -> ParentState | None:
        """The latest state of a parent, one that ended not long ago included."""
        parent = self.open.get(parent_id)
        return self._ended.get(parent_id) if parent is None else parent.state

    def add(self, parent: Parent) -> None:
        """A parent that is on record goes on the desk."""
        self.open[parent.parent_id] = parent
        for number in parent.state.open_children:
            self.owns(parent, parent.state.child_id(number))

    def owns(self, parent: Parent, child_id: str) -> None:
        """News of this order are the parent's."""
        self._parent_of[child_id] = parent.parent_id

    def put(self, parent: Parent, state: ParentState) -> None:
        """The next state of a parent: on record before anything is done about it.

        Raises:
            JournalError: it cannot be recorded, and is not taken.
        """
        was = parent.recorded
        change = changes(was, state)
        if change:
            facts = self._market.facts(state, parent.base, killed=False)
            event = parent_event(state, change, self._clock.now(), market=seen(facts, state))
            self._journal.append(event, parent.seq)
            parent.recorded = state
        parent.state = state
        if state.status is not was.status:
            self._follow_status(parent)

    def _follow_status(self, parent: Parent) -> None:
        state = parent.state
        if state.status is ParentStatus.FAILED:
            self.alarm(parent, f"failed: {state.reason}")
        if state.status in (ParentStatus.WORKING, ParentStatus.PAUSED):
            return
        self.give_back_room(parent)
        if state.status.is_final:
            del self.open[parent.parent_id]
            self._ended[parent.parent_id] = state
            if len(self._ended) > _REMEMBERED:
                self._forget(self._ended.popitem(last=False)[1])

    def give_back_room(self, parent: Parent) -> None:
        """Keep no room for what it has not sent."""
        if parent.has_room:
            self._orders.rooms.give_back(parent.parent_id)
            parent.has_room = False

    def reports(self, parent: Parent) -> list[ChildReport]:
        """What the order manager knows of every child that may trade."""
        open_now = [parent.state.child_id(number) for number in parent.state.open_children]
        returned, parent.returned = sorted(parent.returned), set()
        return [self._report(child_id) for child_id in (*open_now, *returned)]

    def _report(self, child_id: str) -> ChildReport:
        record = self._orders.order(child_id)
        if record is None:  # the intent was never on record, so nothing can have left
            return ChildReport(child_id=child_id, status=OrderStatus.UNSENT, reason="the engine ended before it")
        return ChildReport(
            child_id=child_id,
            status=record.status,
            filled=record.filled,
            value=record.filled_value,
            reason=record.reason,
        )

    def is_due(self, parent: Parent) -> bool:
        """It has something to do: it was told something, it is time, or its market moved."""
        if parent.is_dirty or (parent.wake_at is not None and self._market.now() >= parent.wake_at):
            return True
        return parent.state.in_doubt or self._market.touch(parent.state.order.symbol) != parent.looked_at

    def wind_up(self, parent: Parent) -> tuple[CancelChild, ...]:
        """Without its algorithm: what is open is cancelled; when nothing is, the parent has failed."""
        now = self._market.now()
        state = with_reports(parent.state, self.reports(parent), now)
        if not state.open_children:
            state = msgspec.structs.replace(state, status=ParentStatus.FAILED)
        parent.wake_at = later(now + state.order.limits.retry_after, now)
        self.put(parent, state)
        return tuple([CancelChild(state.child_id(number), "its algorithm failed") for number in state.open_children])

    def alarm(self, parent: Parent, message: str) -> None:
        """Tell a person."""
        message = f"{parent.parent_id}: {message}"
        self._orders.lives.watch.notify(NoticeKind.PARENT_STOPPED, message, parent.parent_id)

    def parent_of(self, order_id: str) -> str:
        """Id of the parent of an order, empty for none."""
        return self._parent_of.get(order_id, "")

    def noticed(self, order_id: str) -> None:
        """Something happened to an order; if it is a child, its parent is to look at it."""
        parent = self.open.get(self._parent_of.get(order_id, ""))
        if parent is not None:
            parent.is_dirty = True

    def _returned(self, record: OrderRecord) -> None:
        """The order manager has a late arrival cancelled; its parent counts it until then."""
        parent = self.open.get(self._parent_of.get(record.order_id, ""))
        if parent is not None:
            parent.returned.add(record.order_id)
            parent.is_dirty = True

    def _forget(self, state: ParentState) -> None:
        for child in state.children:
            self._parent_of.pop(state.child_id(child.number), None)
