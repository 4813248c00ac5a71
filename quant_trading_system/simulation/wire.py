"""The line between customer and matching: what is on its way in, the reports on their way out, and the timers."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from quant_trading_system.simulation.faults import Dice
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.models import LatencyModel, RandomState, state_of, stream, with_state
from quant_trading_system.simulation.venue_orders import VenueUpdate


class EventKind(StrEnum):
    """What can arrive or fall due."""

    NEW = "new"  # messages to the matching
    CANCEL = "cancel"
    REPLACE = "replace"
    REPORT = "report"  # a message to the customer
    EXPIRE = "expire"  # timers
    REJECT = "reject"
    FILL_LATE = "fill_late"
    END_DAY = "end_day"


Subscriber = Callable[[VenueUpdate], None]
Handlers = Mapping[EventKind, Callable[[Any, datetime], None]]
"""What to do with each kind of event; most are about an order."""


Event = tuple[datetime, int, EventKind, LiveOrder | None, VenueUpdate | None]
"""When, a number that settles ties, what, and the order or the report that it is about."""


EventState = tuple[datetime, int, EventKind, int, VenueUpdate | None]
"""An `Event` for the file: the order by its number, 0 for none."""


class WireState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is on its way."""

    delays_in: RandomState
    delays_out: RandomState
    latest_in: datetime | None
    latest_out: datetime | None
    numbered: int
    reports: int
    messages: list[EventState]
    timers: list[EventState]


class Wire:
    """Everything on its way, in time order; what is due together arrives in the order in which it was sent.

    Nothing overtakes in one direction: a cancel never arrives before its order, nor a fill before the
    acknowledgement, unless a fault wants it.

    Attributes:
        reports: how many reports were made.
    """

    def __init__(self, latency: LatencyModel, seed: int, dice: Dice) -> None:
        self.reports = 0
        self._dice = dice
        self._latency = latency
        self._delays_in, self._delays_out = stream(seed, "latency/orders"), stream(seed, "latency/reports")
        self._latest_in: datetime | None = None
        self._latest_out: datetime | None = None
        self._messages: list[Event] = []
        self._timers: list[Event] = []
        self._numbered = 0
        self._subscribers: list[Subscriber] = []

    @property
    def next_message_at(self) -> datetime | None:
        """When the next message arrives, None when nothing is on its way."""
        return self._messages[0][0] if self._messages else None

    @property
    def next_due_at(self) -> datetime | None:
        """When the next message arrives or the next timer ends, whichever is first."""
        heap = self._first()
        return heap[0][0] if heap else None

    def run(self, until: datetime, handlers: Handlers) -> None:
        """Let everything happen that is due, also what follows from it."""
        while (heap := self._first()) and heap[0][0] <= until:
            at, _, kind, live, update = heapq.heappop(heap)
            if update is None:
                handlers[kind](live, at)
                continue
            for subscriber in self._subscribers:
                subscriber(update)

    def send(self, sent: datetime, kind: EventKind, live: LiveOrder) -> None:
        """A message about `live` leaves the customer at `sent`."""
        self._latest_in = _after(self._latest_in, sent + self._latency.order_delay(self._delays_in))
        self._plan(self._messages, self._latest_in, kind, live, None)

    def set_timer(self, at: datetime, kind: EventKind, live: LiveOrder | None = None) -> None:
        """Something falls due at `at`."""
        self._plan(self._timers, at, kind, live, None)

    def report(self, update: VenueUpdate) -> None:
        """Tell the subscribers, after the time that a report takes."""
        self._latest_out = _after(self._latest_out, update.at + self._latency.report_delay(self._delays_out))
        arrival, faults = self._latest_out, self._dice.faults
        if not self._dice.calm:
            if self._dice.strikes("lose_report"):
                return
            if self._dice.strikes("delay_report"):
                arrival += faults.report_delay
            if update.fill is not None and self._dice.strikes("double_fill"):
                self._plan(self._messages, arrival, EventKind.REPORT, None, update)
        self._plan(self._messages, arrival, EventKind.REPORT, None, update)

    def next_report(self) -> int:
        """The number of a new report."""
        self.reports += 1
        return self.reports

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every report."""
        self._subscribers.append(subscriber)

    def state(self) -> WireState:
        """Everything on its way, to be kept."""
        return WireState(
            delays_in=state_of(self._delays_in),
            delays_out=state_of(self._delays_out),
            latest_in=self._latest_in,
            latest_out=self._latest_out,
            numbered=self._numbered,
            reports=self.reports,
            messages=[_kept(event) for event in self._messages],
            timers=[_kept(event) for event in self._timers],
        )

    def restore(self, state: WireState, order: Callable[[int], LiveOrder]) -> None:
        """Be as it was; `order` finds orders by their numbers."""
        self._delays_in, self._delays_out = with_state(state.delays_in), with_state(state.delays_out)
        self._latest_in, self._latest_out = state.latest_in, state.latest_out
        self._numbered, self.reports = state.numbered, state.reports

        def revived(event: EventState) -> Event:
            at, number, kind, about, update = event
            return at, number, kind, order(about) if about else None, update

        self._messages = [revived(event) for event in state.messages]
        self._timers = [revived(event) for event in state.timers]

    def _first(self) -> list[Event]:
        """The heap whose first event is the next one."""
        messages, timers = self._messages, self._timers
        if not timers:
            return messages
        return messages if messages and messages[0] < timers[0] else timers

    def _plan(
        self, heap: list[Event], at: datetime, kind: EventKind, live: LiveOrder | None, update: VenueUpdate | None
    ) -> None:
        self._numbered += 1
        heapq.heappush(heap, (at, self._numbered, kind, live, update))


def _kept(event: Event) -> EventState:
    at, number, kind, live, update = event
    return at, number, kind, 0 if live is None else live.number, update


def _after(latest: datetime | None, arrival: datetime) -> datetime:
    return arrival if latest is None or arrival > latest else latest
