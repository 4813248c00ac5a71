"""What has to follow a halt: cancels leave at once, whatever else is broken, and every order ends in time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from quant_trading_system.simulation.storm.disk import Disk
from quant_trading_system.simulation.storm.findings import Findings
from quant_trading_system.simulation.storm.ledger import Ledger
from quant_trading_system.simulation.storm.life import Life
from quant_trading_system.simulation.storm.virtual_time import VirtualClock
from quant_trading_system.simulation.venue import Venue

T_CANCEL = timedelta(seconds=3)
"""From a halt to the request to cancel, for every order of this process that the broker has shown."""
T_KILL = timedelta(seconds=5)
"""From a halt to the end of every working order, while the broker answers."""


class HaltRules:
    """Looks at an account after each of its halts."""

    def __init__(self, findings: Findings, clock: VirtualClock, tick: timedelta, *, responsive: bool) -> None:
        """Bounds are wider by `tick`, when the engine sees what others did; T_KILL asks for a broker that answers."""
        self._findings = findings
        self._clock = clock
        self._tick = tick
        self._responsive = responsive
        self._cancels: dict[str, float] = {}

    def cancel_sent(self, venue_order_id: str) -> None:
        """A request to cancel is about to leave."""
        self._cancels[venue_order_id] = self._clock.monotonic()

    def halted(self, life: Life, ledger: Ledger, disk: Disk, venue: Venue, sent: dict[str, int]) -> None:
        """Orders were stopped just now, while `life` traded."""
        since, activation = self._clock.monotonic(), disk.latch.activation
        ours = [intent for intent in ledger.intents.values() if sent.get(intent.order_id) == life.number]
        shown = [intent for intent in ours if intent.is_open and intent.venue_order_id]
        working = [order.client_order_id for order in venue.open_orders() if order.client_order_id in sent]

        def goes_on() -> bool:
            is_paused = life.paused_until > since
            return life.is_alive and life.is_up and not is_paused and bool(disk.latch.level)

        def require_cancels() -> None:
            for intent in shown if goes_on() and disk.latch.activation == activation else ():
                real = venue.find(intent.order_id)
                over = not intent.is_open or real is None or not real.status.is_open
                done = over or self._cancels.get(intent.venue_order_id, -1.0) >= since
                self._findings.require("I22", done, f"{intent.order_id} still works and no cancel left")

        def require_ends() -> None:
            for name in working if goes_on() and disk.latch.activation == activation else ():
                order = venue.find(name)
                over = order is None or not order.status.is_open
                self._findings.require("I7", over, f"{name} still works after the halt")

        loop = asyncio.get_running_loop()
        loop.call_later((T_CANCEL + self._tick).total_seconds(), require_cancels)
        if self._responsive:
            loop.call_later((T_KILL + self._tick).total_seconds(), require_ends)
