"""The line between customer and matching: what is on its way in, and the reports on their way out."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any

from quant_trading_system.simulation.models import LatencyModel, stream
from quant_trading_system.simulation.venue_orders import LiveOrder, VenueUpdate

Event = Callable[[LiveOrder, datetime], None]
Subscriber = Callable[[VenueUpdate], None]


class Wire:
    """Everything on its way, in time order; what is due together arrives in the order in which it was sent.

    Nothing overtakes in one direction: a cancel never arrives before its order, nor a fill before the
    acknowledgement.
    """

    def __init__(self, latency: LatencyModel, seed: int) -> None:
        self._latency = latency
        self._delays_in, self._delays_out = stream(seed, "latency/orders"), stream(seed, "latency/reports")
        self._latest_in: datetime | None = None
        self._latest_out: datetime | None = None
        self._heap: list[tuple[datetime, int, Callable[[Any, datetime], None], Any]] = []
        self._order = count()
        self._subscribers: list[Subscriber] = []

    @property
    def next_at(self) -> datetime | None:
        """When the next thing arrives, None when nothing is on its way."""
        return self._heap[0][0] if self._heap else None

    def run(self, until: datetime) -> None:
        """Let everything arrive that is due, also what these arrivals send."""
        while self._heap and self._heap[0][0] <= until:
            at, _, event, subject = heapq.heappop(self._heap)
            event(subject, at)

    def send(self, sent: datetime, event: Event, live: LiveOrder) -> None:
        """Call `event` when a message about `live` that leaves the customer at `sent` arrives."""
        self._latest_in = _after(self._latest_in, sent + self._latency.order_delay(self._delays_in))
        self._plan(self._latest_in, event, live)

    def report(self, update: VenueUpdate) -> None:
        """Tell the subscribers, after the time that a report takes."""
        self._latest_out = _after(self._latest_out, update.at + self._latency.report_delay(self._delays_out))
        self._plan(self._latest_out, self._deliver, update)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` with every report."""
        self._subscribers.append(subscriber)

    def _plan(self, at: datetime, event: Callable[[Any, datetime], None], subject: object) -> None:
        heapq.heappush(self._heap, (at, next(self._order), event, subject))

    def _deliver(self, update: VenueUpdate, _: datetime) -> None:
        for subscriber in self._subscribers:
            subscriber(update)


def _after(latest: datetime | None, arrival: datetime) -> datetime:
    return arrival if latest is None or arrival > latest else latest
