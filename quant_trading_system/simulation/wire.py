"""The line between customer and matching: what is on its way in, the reports on their way out, and the timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any

import msgspec

from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.simulation.faults import Dice
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.models import LatencyModel, RandomState, state_of, stream, with_state
from quant_trading_system.simulation.venue_orders import Notice, VenueFill, VenueOrder, VenueUpdate


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


_REPORT = EventKind.REPORT

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
        self._orders_take_time, self._reports_take_time = bool(latency.order), bool(latency.report)
        self._delays_in, self._delays_out = stream(seed, "latency/orders"), stream(seed, "latency/reports")
        self._latest_in: datetime | None = None
        self._latest_out: datetime | None = None
        self._messages: list[Event] = []
        self._timers: list[Event] = []
        self._numbered = 0
        self._subscribers: list[Subscriber] = []

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
        messages, timers, subscribers = self._messages, self._timers, self._subscribers
        while (heap := self._first() if timers else messages) and heap[0][0] <= until:
            at, _, kind, live, update = heappop(heap)
            if update is None:
                handlers[kind](live, at)
                continue
            for subscriber in subscribers:
                subscriber(update)

    def send(self, sent: datetime, kind: EventKind, live: LiveOrder) -> None:
        """A message about `live` leaves the customer at `sent`."""
        arrival = sent + self._latency.order_delay(self._delays_in) if self._orders_take_time else sent
        latest = self._latest_in
        if latest is None or arrival > latest:
            self._latest_in = latest = arrival
        self._numbered += 1
        heappush(self._messages, (latest, self._numbered, kind, live, None))

    def set_timer(self, at: datetime, kind: EventKind, live: LiveOrder | None = None) -> None:
        """Something falls due at `at`."""
        self._numbered += 1
        heappush(self._timers, (at, self._numbered, kind, live, None))

    def report(
        self,
        order: VenueOrder,
        trigger: OrderTrigger | None,
        at: datetime,
        reason: str,
        fill: VenueFill | None,
        notice: Notice | None = None,
    ) -> None:
        """Tell the subscribers what happened at `at`, after the time that a report takes; see `VenueUpdate`."""
        self.reports += 1
        update = VenueUpdate(self.reports, order, trigger, at, fill, reason, notice)
        arrival, latest = at, self._latest_out
        if self._reports_take_time:
            arrival += self._latency.report_delay(self._delays_out)
        if latest is None or arrival > latest:
            self._latest_out = latest = arrival
        is_doubled = False
        if not self._dice.calm:
            if self._dice.strikes("lose_report"):
                return
            if self._dice.strikes("delay_report"):
                latest += self._dice.faults.report_delay
            is_doubled = fill is not None and self._dice.strikes("double_fill")
        while True:
            self._numbered += 1
            heappush(self._messages, (latest, self._numbered, _REPORT, None, update))
            if not is_doubled:
                return
            is_doubled = False

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

        self._messages[:] = [revived(event) for event in state.messages]
        self._timers[:] = [revived(event) for event in state.timers]

    def _first(self) -> list[Event]:
        """The heap whose first event is the next one."""
        messages, timers = self._messages, self._timers
        return timers if timers and (not messages or timers[0] < messages[0]) else messages


def _kept(event: Event) -> EventState:
    at, number, kind, live, update = event
    return at, number, kind, 0 if live is None else live.number, update
