"""What the entries add up to: orders, positions, cash, halt state. Independent of the engine's own books.

A projection trusts nothing that an event says about sums: it keeps its own, and reports where an event
disagrees. Memory is bounded by the orders that are open, the symbols traded, and two windows of fixed size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.core.approval_events import AnyApprovalEvent, ApprovalAsked, ApprovalEnded, ApprovalGiven
from quant_trading_system.core.attribution import Attribution
from quant_trading_system.core.book_events import ActivitiesCovered, ActivityBooked, BreakClosed, BreakOpened
from quant_trading_system.core.breaks import ActivityKind, Break, BreakKind
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import (
    AnyEvent,
    CashMoved,
    FillCorrected,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    PositionAdopted,
    RiskEvent,
    RiskEventKind,
    RunFinished,
    RunStarted,
)
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.limit_events import LimitsProposed, LimitsRaised, LimitsSet, RaiseEnded
from quant_trading_system.core.numbers import LEDGER, ZERO
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.positions import Position, RoundTrips
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.journal.approval_fold import ApprovalFold
from quant_trading_system.journal.limits_fold import LimitsFold
from quant_trading_system.journal.order_fold import History, OrderFold
from quant_trading_system.journal.parent_fold import ParentFold

REMEMBERED_EXECUTIONS = 100_000
"""Execution ids within which a repeat is found by id; an older one is found by the sums of its order."""


class Difference(msgspec.Struct, frozen=True):
    """Where the record contradicts what the entries before it add up to.

    Attributes:
        seq: the entry that says so.
        field: what it speaks of, such as ``cash`` or ``position KO``.
        recorded: what it says; `folded`: what its predecessors give.
    """

    seq: int
    field: str
    recorded: str
    folded: str

    def __str__(self) -> str:
        return f"entry {self.seq}: {self.field} is recorded as {self.recorded}, the entries give {self.folded}"


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the kill switch; `activation` counts activations."""

    level: HaltLevel = HaltLevel.RUNNING
    reason: str = ""
    trigger: HaltTrigger | None = None
    by: str = ""
    activation: int = 0
    at: datetime | None = None
    scope: HaltScope = ACCOUNT


class Baselines(msgspec.Struct, frozen=True, kw_only=True):
    """What loss limits are measured against (dollars), from the last risk event, which was `at`.

    The day opened at `day_opened`. `closing_equity` is that of the last close, moved along with deposits since; None
    while a day is running. Those of week and month are 0 in records of old versions.
    """

    equity: Decimal = ZERO
    peak_equity: Decimal = ZERO
    day_start_equity: Decimal = ZERO
    week_start_equity: Decimal = ZERO
    month_start_equity: Decimal = ZERO
    losing_streak: int = 0
    at: datetime | None = None
    day_opened: datetime | None = None
    closing_equity: Decimal | None = None


class Projection:
    """The books as the entries give them. Feed it every event in order.

    Attributes:
        seq: the last entry applied; `at`: its time.
        run: the last run begun; `finished`: its end, None while it runs or after a crash.
        orders: every order, by id while it is open; `parents`: every parent order, likewise.
        approvals: everything that waits for people; `limits`: approved, raised and proposed ones.
        positions: by symbol, flat ones included.
        cash, realized_pnl, fees: dollars since the first entry, over all runs; P&L before fees.
        trips: the results of closed positions.
        run_orders, run_fills: orders decided on (sent or denied) and fills since the last run began.
        breaks: differences from the broker's books that are open, with the time at which each was first seen.
        scoped_halts: of parts of the account, as far as they are active.
        attribution: whose the shares are.
        activities: ids of the entries of the broker's statement that cash contains.
        follows_activities: those entries are booked by id; older books had their cash from the broker without.
        runaways: strategies that were stopped for repeating themselves and not armed since, and in which words.
        opened: when the books began, None before that.
        disarmed: strategies that a person has disarmed, each with the reason.
        risk_now: the latest risk numbers; `risk_day`: those of the last day that has ended. None before.
        last_intent: highest number of an intent among the order ids of each run.
    """

    def __init__(self, history: History | None = None) -> None:
        """Begin with empty books.

        Args:
            history: finds the entries about an order (`JournalSource.about`), for orders that ended long ago.
        """
        self.seq = 0
        self.at: datetime | None = None
        self.run: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.orders = OrderFold(self._differ, history)
        self.parents = ParentFold(self._differ)
        self.approvals = ApprovalFold(self._differ)
        self.limits = LimitsFold()
        self.positions: dict[str, Position] = {}
        self.cash = ZERO
        self.realized_pnl = ZERO
        self.fees = ZERO
        self.trips = RoundTrips()
        self.halt = Halt()
        self.scoped_halts: list[Halt] = []
        self.attribution = Attribution()
        self.baselines = Baselines()
        self.risk_now: RiskNow | None = None
        self.risk_day: RiskNow | None = None
        self.run_orders = 0
        self.run_fills = 0
        self.breaks: dict[tuple[BreakKind, str], tuple[Break, datetime]] = {}
        self.activities: set[str] = set()
        self.follows_activities = False
        self.runaways: dict[str, str] = {}
        self.opened: datetime | None = None
        self.disarmed: dict[str, str] = {}
        self.last_intent: dict[str, int] = {}
        self._executions: OrderedDict[str, None] = OrderedDict()
        self._differences: list[Difference] = []
        self._appliers: dict[type, Callable[[Any], None]] = {
            RunStarted: self._begin_run,
            RunFinished: self._finish_run,
            CashMoved: self._move_cash,
            ActivityBooked: self._book_activity,
            ActivitiesCovered: self._cover,
            BreakOpened: self._open_break,
            BreakClosed: self._close_break,
            OrderEvent: self._change_order,
            ParentEvent: self._change_parent,
            FillEvent: self._fill,
            FillCorrected: self._correct_fill,
            PositionAdopted: self._adopt,
            RiskEvent: self._measure,
            RiskNow: self._note_risk,
            KillSwitchEvent: self._switch,
            ApprovalAsked: self._decide,
            ApprovalGiven: self._decide,
            ApprovalEnded: self._decide,
            StrategySwitched: self._arm,
            LimitsSet: self.limits.apply,
            LimitsProposed: self.limits.apply,
            LimitsRaised: self.limits.apply,
            RaiseEnded: self.limits.apply,
        }

    def apply(self, seq: int, event: AnyEvent) -> list[Difference]:
        """Take in the next event; the answer tells where it contradicts the books."""
        self.seq, self.at = seq, event.at
        self._differences = []
        applier = self._appliers.get(type(event))
        if applier is not None:
            try:
                applier(event)
            except ArithmeticError as error:
                self._differ("arithmetic", type(error).__name__, "a sum that no exact book can hold")
        return self._differences

    def _differ(self, field: str, recorded: object, folded: object) -> None:
        self._differences.append(Difference(self.seq, field, str(recorded), str(folded)))

    def _compare(self, field: str, recorded: Decimal | int, folded: Decimal | int) -> None:
        if recorded != folded:
            self._differ(field, recorded, folded)

    def _begin_run(self, event: RunStarted) -> None:
        self.run, self.finished = event, None
        self.run_orders = self.run_fills = 0
        self.last_intent.setdefault(event.run, 0)
        self.limits.begin_run(event)

    def _finish_run(self, event: RunFinished) -> None:
        self.finished = event
        self._compare("orders of the run", event.orders, self.run_orders)
        self._compare("fills of the run", event.fills, self.run_fills)

    def _move_cash(self, event: CashMoved) -> None:
        self.opened = self.opened or event.at
        self.cash = LEDGER.add(self.cash, event.amount)
        self._compare("cash", event.cash, self.cash)

    def _book_activity(self, event: ActivityBooked) -> None:
        if event.activity_id in self.activities:
            self._differ("activity_id", event.activity_id, "the same id in an earlier entry")
        self.activities.add(event.activity_id)
        if event.activity is ActivityKind.PAY_OUT:
            self._pay_out(event)
        self.cash = LEDGER.add(self.cash, event.amount)
        if event.activity is ActivityKind.FEE:
            self.fees = LEDGER.subtract(self.fees, event.amount)
        self._compare("cash", event.cash, self.cash)

    def _pay_out(self, event: ActivityBooked) -> None:
        position = self.positions.setdefault(event.symbol, Position(event.symbol))
        number = self.trips.next_fill()
        applied = position.apply(event.shares, event.price, ZERO, key=("", event.activity_id), number=number)
        if applied.round_trip is not None:
            self.trips.closed(applied.round_trip)
        self.realized_pnl = LEDGER.add(self.realized_pnl, applied.realized)
        self.attribution.apply(event.symbol, "", event.shares, position.quantity)
        self._compare("amount", event.amount, LEDGER.multiply(event.shares, event.price).copy_negate())
        self._compare(f"position {event.symbol}", event.position_quantity, position.quantity)
        self._compare("realized_pnl of the pay-out", event.realized_pnl, applied.realized)

    def _cover(self, event: ActivitiesCovered) -> None:
        self.follows_activities = True
        self.activities.update(event.activity_ids)

    def _open_break(self, event: BreakOpened) -> None:
        self.breaks[event.found.name] = (event.found, event.first_seen)

    def _close_break(self, event: BreakClosed) -> None:
        if self.breaks.pop(event.found.name, None) is None:
            self._differ(f"break {event.found.subject}", "closed", "never opened")

    def _adopt(self, event: PositionAdopted) -> None:
        position = self.positions.setdefault(event.symbol, Position(event.symbol))
        position.adopt(event.quantity, event.cost)

    def _change_order(self, event: OrderEvent) -> None:
        if self.orders.change(self.seq, event):
            self.run_orders += 1
            self._count_intent(event.order_id)
        if event.decision is not None and event.decision.refused_by is Rule.MAX_REPEATED_ORDERS and event.order:
            self.runaways.setdefault(event.order.strategy, event.reason)

    def _change_parent(self, event: ParentEvent) -> None:
        self.parents.change(self.seq, event)
        if event.begun is not None:
            self._count_intent(f"{event.parent_id}-0")

    def _decide(self, event: AnyApprovalEvent) -> None:
        self.approvals.apply(self.seq, event)
        if isinstance(event, ApprovalEnded):
            self.limits.end_approval(event)

    def _count_intent(self, order_id: str) -> None:
        run, *numbers = order_id.rsplit("-", 2)
        if run in self.last_intent and len(numbers) == 2 and numbers[0].isdecimal():
            self.last_intent[run] = max(self.last_intent[run], int(numbers[0]))

    def _fill(self, event: FillEvent) -> None:
        self._require_new_execution(event.execution_id)
        self.orders.fill(self.seq, event)
        position = self.positions.setdefault(event.symbol, Position(event.symbol))
        number = self.trips.next_fill()
        key = (event.order_id, event.execution_id)
        applied = position.apply(event.signed_quantity, event.price, event.fee, key=key, number=number)
        if applied.round_trip is not None:
            self.trips.closed(applied.round_trip)
        paid = LEDGER.add(LEDGER.multiply(event.signed_quantity, event.price), event.fee)
        self.cash = LEDGER.subtract(self.cash, paid)
        self.realized_pnl = LEDGER.add(self.realized_pnl, applied.realized)
        self.fees = LEDGER.add(self.fees, event.fee)
        self.run_fills += 1
        self.attribution.apply(event.symbol, event.strategy, event.signed_quantity, position.quantity)
        self._compare(f"position {event.symbol}", event.position_quantity, position.quantity)
        self._compare("cash", event.cash, self.cash)
        self._compare("realized_pnl of the fill", event.realized_pnl, applied.realized)

    def _correct_fill(self, event: FillCorrected) -> None:
        self.orders.correct(self.seq, event)
        position = self.positions.setdefault(event.symbol, Position(event.symbol))
        was, now = event.was, event.now
        change = position.correct((event.order_id, event.execution_id), was, now)
        self.trips.restate(change)
        self.attribution.apply(event.symbol, event.strategy, now.quantity - was.quantity, position.quantity)
        paid_back = LEDGER.add(LEDGER.multiply(was.quantity, was.price), was.fee)
        paid = LEDGER.add(LEDGER.multiply(now.quantity, now.price), now.fee)
        self.cash = LEDGER.add(self.cash, LEDGER.subtract(paid_back, paid))
        self.realized_pnl = LEDGER.add(self.realized_pnl, change.realized)
        self.fees = LEDGER.add(self.fees, LEDGER.subtract(now.fee, was.fee))
        self._compare(f"position {event.symbol}", event.position_quantity, position.quantity)
        self._compare("cash", event.cash, self.cash)
        self._compare("realized_pnl of the correction", event.realized_pnl, change.realized)
        self._compare("losing_streak", event.losing_streak, self.trips.losing_streak)

    def _require_new_execution(self, execution_id: str) -> None:
        if execution_id in self._executions:
            self._differ("execution_id", execution_id, "the same id in an earlier fill")
        self._executions[execution_id] = None
        if len(self._executions) > REMEMBERED_EXECUTIONS:
            self._executions.popitem(last=False)

    def _measure(self, event: RiskEvent) -> None:
        if event.reason in (RiskEventKind.REBASED, RiskEventKind.STREAK_FORGIVEN):
            self.trips.forgive()
        opened = event.at if event.reason is RiskEventKind.DAY_OPENED else self.baselines.day_opened
        self.baselines = Baselines(
            equity=event.equity,
            peak_equity=event.peak_equity,
            day_start_equity=event.day_start_equity,
            week_start_equity=event.week_start_equity,
            month_start_equity=event.month_start_equity,
            losing_streak=event.losing_streak,
            at=event.at,
            day_opened=opened,
            closing_equity=self._closing_equity(event),
        )

    def _note_risk(self, event: RiskNow) -> None:
        self.risk_now = event
        if event.is_day_end:
            self.risk_day = event

    def _closing_equity(self, event: RiskEvent) -> Decimal | None:
        if event.reason is RiskEventKind.DAY_CLOSED:
            return event.equity
        before = self.baselines
        if before.closing_equity is None or event.reason in (RiskEventKind.DAY_OPENED, RiskEventKind.REBASED):
            return None
        moved = LEDGER.subtract(event.day_start_equity, before.day_start_equity)  # deposits move both alike
        return LEDGER.add(before.closing_equity, moved)

    def _arm(self, event: StrategySwitched) -> None:
        self.disarmed.pop(event.strategy, None)
        if event.armed:
            self.runaways.pop(event.strategy, None)
        else:
            self.disarmed[event.strategy] = event.reason

    def _switch(self, event: KillSwitchEvent) -> None:
        halt = Halt(
            level=event.level,
            reason=event.reason,
            trigger=event.trigger,
            by=event.by,
            activation=event.activation,
            at=event.at,
            scope=event.scope,
        )
        if not event.scope.is_account:
            others = [known for known in self.scoped_halts if known.scope != event.scope]
            self.scoped_halts = [*others, halt] if event.level else others
            return
        if event.activation < self.halt.activation:
            self._differ("activation", event.activation, f"at least {self.halt.activation}")
        if event.level is HaltLevel.RUNNING:
            self.runaways = {}
        self.halt = halt
