"""The auditor: sees what crosses the wire, what is written and synced, and what the venue truly did.

It keeps books of its own (`ledger`), asks the venue's books directly, and never the account's. Every check names
the invariant that it belongs to; docs/simulation.md lists them.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import AnyEvent, HaltLevel
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.transport import Request
from quant_trading_system.journal.entry import Row
from quant_trading_system.risk.halt_state import LatchState
from quant_trading_system.simulation.alpaca_server.in_process import Reply
from quant_trading_system.simulation.records import ALL, OrderQuery
from quant_trading_system.simulation.storm.disk import Disk
from quant_trading_system.simulation.storm.findings import Findings
from quant_trading_system.simulation.storm.halts import HaltRules
from quant_trading_system.simulation.storm.ledger import Intent, Ledger
from quant_trading_system.simulation.storm.life import Life
from quant_trading_system.simulation.storm.submissions import SubmissionRules, shrinks
from quant_trading_system.simulation.storm.truth import at_venue, name_at_venue
from quant_trading_system.simulation.storm.virtual_time import VirtualClock
from quant_trading_system.simulation.venue import Venue
from quant_trading_system.simulation.venue_orders import VenueFill, VenueOrder, VenueUpdate

T_TRIGGER = timedelta(seconds=1)
"""From a broken loss limit to the halt."""
T_MOVING = timedelta(seconds=60)
"""For so long after an execution positions may be read before and after it."""
T_SKEW = timedelta(seconds=10)
"""From a wall clock set wrong to the end of new risk; an order may wait so long for a slow disk."""
READS = 2
"""Answers that tell a process the broker's time: where its own clock is wrong at the start, one bears the other out."""
MOST_REQUESTS = 200
"""Requests of a process within a minute of the broker's, reads included; each counts from nothing."""
MOST_CONNECTIONS = ((timedelta(minutes=1), 8), (timedelta(minutes=10), 40))
"""How often a process opens one stream within a span. Pauses double from a second to half a minute, and chance takes up
to half of each; every process begins anew."""

_OF_EVERY_ENTRY = ("I14", "I29", "I30")
_CHECKED_BY_LEDGER = {
    "fill": ("I2", "I3", "I4", "I14"),
    "fill_corrected": ("I3", "I4", "I13"),
    "activity_booked": ("I4",),
    "order": ("I5", "I34"),
    "risk": ("I17", "I35"),
    "run_started": ("I31",),
    "limits_set": ("I31",),
    "operator_acted": ("I9",),
}
_MINUTE = 60.0
_OK = 200
_HALT = re.compile(r"halt (\d+) of the account")


class Auditor:
    """One day's auditor.

    Attributes:
        findings: what was checked, and what did not hold.
        ledger: the books by the entries that are written; those that a crash lost are forgotten with it.
        latch_moved_at: when the latch was last written, seconds on the true clock.
        sent: client order ids that left, each with the life that sent it.
    """

    def __init__(self, clock: VirtualClock, tick: timedelta, *, responsive: bool) -> None:
        """Begin to look.

        Args:
            tick: how often the engine looks around by itself; bounds are that much wider.
            responsive: no fault of this day keeps broker and account from hearing each other.
        """
        self.findings = Findings(clock.now)
        self.ledger = Ledger()
        self.sent: dict[str, int] = {}
        self.is_resetting = False
        self.is_calm = False
        self.latch_moved_at = self._rebased_at = self._lifted_at = -1.0e9
        self._clock = clock
        self._tick = tick
        self._life: Life | None = None
        self._latch = LatchState()
        self._skew, self._skewed_since = timedelta(0), 0.0
        self._clock_reads = 0
        self._requests: deque[tuple[float, int]] = deque()
        self._connections: dict[tuple[int, str], list[float]] = {}
        self._disk: Disk
        self._venue: Venue
        self._rules: SubmissionRules
        self._halts = HaltRules(self.findings, clock, tick, responsive=responsive)

    def watch(self, disk: Disk, venue: Venue) -> None:
        """Look at this disk and at this venue."""
        self._disk = disk
        self._venue = venue
        self._rules = SubmissionRules(self.findings, disk)
        venue.subscribe(self._venue_reported)

    # -- lives -----------------------------------------------------------------------------------------------------

    def life_began(self, life: Life) -> None:
        """A process starts from what the disk holds: the books are folded anew from there."""
        self._life = life
        self._clock_reads = 0
        self.ledger = Ledger()
        promised = self._disk.promised
        held = promised is None or promised in self._disk.rows[promised[0] - 1 : promised[0]]
        self.findings.require("I24", held, "an entry that was reported safe is not in the journal")
        for row in self._disk.rows:
            self.ledger.apply(row)
        self.ledger.take_problems()  # they were told when they were written
        self._rules.life_began(self.ledger)
        self.findings.tell(f"life {life.number} begins with {len(self._disk.rows)} entries")
        self.findings.require(
            "I19", self._disk.latch.level >= self._latch.level, "a halt was forgotten between two lives"
        )

    def wall_set(self, error: timedelta) -> None:
        """The wall clock of the machine is wrong by so much from now on."""
        if self._skew <= self._most_skew():
            self._skewed_since = self._clock.monotonic()
        self._skew = abs(error)

    def _skewed_for(self, life: Life) -> float:
        """Seconds for which the process could know that its wall clock is wrong; 0 while it is right."""
        known = max(self._skewed_since, life.paused_until)
        return self._clock.monotonic() - known if self._skew > self._most_skew() else 0.0

    def _most_skew(self) -> timedelta:
        return timedelta(seconds=float(self.ledger.limit("max_clock_skew_s"))) if self.ledger.limits else timedelta(0)

    def calm_began(self) -> None:
        """No fault strikes any more."""
        self.is_calm = True
        self.findings.tell("calm")

    # -- entries ---------------------------------------------------------------------------------------------------

    def entry_written(self, life: Life, row: Row, event: AnyEvent) -> None:  # noqa: ARG002 - read as raw JSON instead
        """An entry was appended."""
        self.findings.require("I27", life is self._life, lambda: f"life {life.number} writes, which is over")
        body = self.ledger.apply(row)
        for invariant, words in self.ledger.take_problems():
            self.findings.report(invariant, words)
        self.findings.checks.update((*_OF_EVERY_ENTRY, *_CHECKED_BY_LEDGER.get(row[2], ())))
        if row[2] == "fill":
            self._require_execution(body["order_id"], body)
        elif row[2] == "fill_corrected":
            self._require_correction(body["order_id"], body)
        elif row[2] == "order":
            self._require_truth(self.ledger.intents[body["order_id"]])
            if body.get("decision"):
                self._require_way_out(life, self.ledger.intents[body["order_id"]])
        elif row[2] == "position_adopted":
            self._require_real_position(body["symbol"])
        elif row[2] == "risk" and body["reason"] == "rebased":
            self._rebased_at = self._clock.monotonic()
        elif row[2] == "risk" and body["reason"] == "streak_forgiven":
            return  # written by a reset, before anybody has looked at prices again: its losses are those of the halt
        elif row[2] == "risk" and (broken := self.ledger.broken_limit(body)):
            self._later(T_TRIGGER + self._tick, partial(self._require_halt, life, broken, self._clock.monotonic()))

    def _require_execution(self, order_id: str, body: dict[str, str]) -> None:
        key = (body["cumulative_quantity"], body["quantity"], body["price"])
        wanted = tuple(Decimal(text) for text in key)
        real = [(fill.cumulative_quantity, fill.quantity, fill.price) for fill in self._executions(order_id)]
        self.findings.require("I12", wanted in real, lambda: f"{order_id}: a fill {key} that the venue never made")

    def _executions(self, order_id: str) -> tuple[VenueFill, ...]:
        intent = self.ledger.intents.get(order_id)
        return self._venue.executions(order_id if intent is None else name_at_venue(self._venue, intent))

    def _require_correction(self, order_id: str, body: dict[str, str]) -> None:
        real = [(fill.quantity, fill.price) for fill in self._executions(order_id) if fill.quantity]
        quantity, price = Decimal(body.get("quantity", "0")), Decimal(body.get("price", "0"))
        ours = self.ledger.intents[order_id].fills
        known = (quantity, price) in real if quantity else len(real) <= len(ours)
        self.findings.require("I13", known, lambda: f"{order_id}: corrected to {quantity} at {price}, says nobody else")

    def _require_real_position(self, symbol: str) -> None:
        """Whoever takes over the broker's positions takes over those that there are, but for what trades just now."""
        real = {position.symbol: position.quantity for position in self._venue.positions()}.get(symbol, Decimal(0))
        ours = self.ledger.positions[symbol]
        fills = (fill for order in self.orders_at_venue() for fill in self._venue.executions(order.client_order_id))
        is_moving = any(self.age(fill.at) < T_MOVING for fill in fills)
        self.findings.require("I3", real == ours or is_moving, f"{ours} {symbol} taken over, and {real} are there")

    def _require_truth(self, intent: Intent) -> None:
        """What is said to be over is over; silence is no evidence."""
        if intent.status not in ("filled", "canceled", "expired", "rejected", "unsent", "denied", "absent"):
            return
        real = at_venue(self._venue, intent)
        if intent.status in ("unsent", "denied"):
            left = intent.order_id in self.sent
            self.findings.require("I10", not left, lambda: f"{intent.order_id} is called {intent.status} and has left")
        elif intent.status == "rejected":
            refused = real is None or real.status is OrderStatus.REJECTED
            self.findings.require("I10", refused, lambda: f"{intent.order_id} is called rejected and {_shown(real)}")
        elif intent.status == "absent":
            self._rules.require_denials(intent.parent or intent.order_id, self._clock.monotonic())
        else:
            over = real is not None and not real.status.is_open
            words = f"{intent.order_id} is called {intent.status} and {_shown(real)}"
            self.findings.require("I10", over, words)

    def _require_way_out(self, life: Life, intent: Intent) -> None:
        """A process that has read the broker's clock takes no fresh quote for an old one, whatever its own says."""
        quote, is_refused = intent.decision.get("quote"), intent.decision.get("refused_by") == Rule.MAX_QUOTE_AGE.value
        if quote is None or not shrinks(intent) or self._clock_reads < READS or self._skewed_for(life) <= 0:
            return
        age = (self._clock.now() - datetime.fromisoformat(quote["at"])).total_seconds()
        surely = float(self.ledger.limit("max_quote_age_s") - self.ledger.limit("max_clock_skew_s"))
        held_up = is_refused and life.is_up and 0 <= age <= surely
        self.findings.require("I35", not held_up, lambda: f"{intent.order_id}: no way out on a quote {age} s old")

    def _require_halt(self, life: Life, rule: str, since: float) -> None:
        """Baselines that began anew since then were moved by the reset of an earlier halt, and the loss is known.

        A halt that people have lifted since then was one.
        """
        if self._rebased_at < since and life.is_alive and life.paused_until <= self._clock.monotonic():
            was_halted = self._rules.was_halted or self._lifted_at >= since
            self.findings.require("I17", was_halted, f"{rule} was broken and nobody halted the account")

    # -- the wire --------------------------------------------------------------------------------------------------

    def request_sent(self, life: Life, request: Request) -> None:
        """A request is about to leave."""
        now = self._clock.monotonic()
        if life.is_watchdog:
            self.findings.require("I27", request.method in ("GET", "DELETE"), f"the watchdog sends {request.name}")
            return
        self.findings.require("I27", life is self._life and life.is_alive, lambda: f"{request.name} by another process")
        self._rules.is_off = self._skew > self._most_skew()
        self._rules.is_skewed = self._skewed_for(life) > T_SKEW.total_seconds() + self._tick.total_seconds()
        self._require_pace(now, life.number)
        if request.method == "DELETE":
            self._halts.cancel_sent(request.path.rpartition("/")[2])
            self._require_recorded_halt(request.path.rpartition("/")[2])
        elif request.method in ("POST", "PATCH") and request.path.startswith("/v2/orders"):
            self._rules.judge(request, self.ledger, self.sent, life, now, self._clock.now())

    def _require_pace(self, now: float, process: int) -> None:
        """Any minute reaches into two minutes of the broker's, and a crash loop has several processes in one."""
        self._requests.append((now, process))
        while self._requests[0][0] < now - _MINUTE:
            self._requests.popleft()
        sent, processes = len(self._requests), len({process for _, process in self._requests})
        words = f"{sent} requests of {processes} processes within a minute"
        self.findings.require("I18", sent <= MOST_REQUESTS * max(processes, 2), words)

    def _require_recorded_halt(self, venue_order_id: str) -> None:
        """A cancel that a halt asks for leaves after the latch was written and the halt was put on record."""
        for intent in self.ledger.intents.values():
            found = _HALT.match(intent.reason) if intent.venue_order_id == venue_order_id else None
            if found and intent.pending == "cancel":
                number, words = int(found[1]), f"{intent.order_id} is cancelled for {intent.reason}, which is not on"
                self.findings.require("I7", self.ledger.activation >= number, f"{words} record")
                self.findings.require("I23", self._disk.latch.activation >= number, f"{words} the latch")

    def answer_read(self, life: Life, request: Request, reply: Reply) -> None:
        """The account has read an answer."""
        if life.is_watchdog:
            return
        self._rules.answer_read(request, reply)
        self._clock_reads += request.path == "/v2/clock" and reply.status == _OK

    def connected(self, life: Life, stream: str) -> None:
        """A stream was opened, or tried to."""
        self._rules.connected()
        self._require_pauses(self._clock.monotonic(), life.number, stream)

    def _require_pauses(self, now: float, process: int, stream: str) -> None:
        """Whoever was refused waits, and longer every time."""
        opened = self._connections.setdefault((process, stream), [])
        opened.append(now)
        for span, most in MOST_CONNECTIONS:
            recent = sum(now - at <= span.total_seconds() for at in opened)
            words = f"life {process} opened the stream of {stream} {recent} times within {span}"
            self.findings.require("I37", recent <= most, words)

    def watchdog_lives(self, *, lives: bool) -> None:
        """The account's watchdog is there, or is gone."""
        if lives:
            self._rules.unwatched_since = None
        elif self._rules.unwatched_since is None:
            self._rules.unwatched_since = self._clock.monotonic()

    def age(self, moment: datetime) -> timedelta:
        """Of something that happened at the venue."""
        return self._clock.now() - moment

    # -- the latch -------------------------------------------------------------------------------------------------

    def latch_moved(self, state: LatchState) -> None:
        """The kill latch holds another state."""
        before, self._latch = self._latch, state
        self.latch_moved_at = self._clock.monotonic()
        if state.level > before.level:
            self.findings.tell(f"latch {state.level.name} by {state.by}: {state.reason[:120]}")
            self._rules.was_halted = True
            if state.level is not HaltLevel.REDUCING:
                life = self._life
                if life is not None and life.is_up:
                    self._halts.halted(life, self.ledger, self._disk, self._venue, self.sent)
        elif state.level < before.level:
            self._rules.was_halted = False
            self._lifted_at = self.latch_moved_at
            self.findings.tell(f"latch {state.level.name} by {state.by}")
            self.findings.require("I21", self.is_resetting, f"the halt was lifted by {state.by}, whom nobody asked")

    # -- the venue -------------------------------------------------------------------------------------------------

    def _venue_reported(self, update: VenueUpdate) -> None:
        order = update.order
        if update.fill is not None:
            fill = update.fill
            self.findings.tell(
                f"venue: {order.client_order_id} {order.order.side} {order.order.symbol} filled {fill.quantity} "
                f"at {fill.price}, {fill.cumulative_quantity} in all"
            )
        else:
            self.findings.tell(f"venue: {order.client_order_id} {order.order.symbol} is {order.status}")

    def orders_at_venue(self) -> tuple[VenueOrder, ...]:
        """All orders of the day, oldest first."""
        return self._venue.orders(OrderQuery(status=ALL, ascending=True, limit=1_000_000))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _later(self, span: timedelta, check: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(span.total_seconds(), check)


def _shown(order: VenueOrder | None) -> str:
    return "the venue does not know it" if order is None else f"is {order.status} at the venue"
