"""What has happened, in past participles: the records of the journal and the messages to listeners.

Every event is frozen, with its time from the injected clock, and one JSON object: ``kind`` names its class.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum

import msgspec

from quant_trading_system.core.approval_events import AnyApprovalEvent
from quant_trading_system.core.book_events import (
    ActivitiesCovered,
    ActivityBooked,
    BreakClosed,
    BreakOpened,
    GroupAlarm,
    Reconciled,
)
from quant_trading_system.core.decisions import Decision
from quant_trading_system.core.event import Event
from quant_trading_system.core.halt_events import AnyHaltEvent
from quant_trading_system.core.halt_scope import ACCOUNT, HaltScope
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.limit_events import AnyLimitsEvent
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.operator_events import OperatorActed, OperatorAnswered, StrategySwitched
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.positions import Trade
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.core.signals import Signal
from quant_trading_system.core.strategy_events import StrategyTold


class HaltLevel(IntEnum):
    """How much is stopped. Orders that add risk leave only while RUNNING."""

    RUNNING = 0
    REDUCING = 1  # only orders proven to shrink a position
    HALTED = 2  # no order at all; cancels always pass
    FLATTENING = 3  # working orders are cancelled, then positions are closed by reducing orders


class HaltTrigger(StrEnum):
    """What made the kill switch act."""

    MANUAL = "manual"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    LOSING_STREAK = "losing_streak"
    WEEKLY_LOSS = "weekly_loss"
    MONTHLY_LOSS = "monthly_loss"
    RAPID_LOSS = "rapid_loss"  # much within minutes
    REJECTION_RATE = "rejection_rate"  # the broker refuses too many orders
    BROKER_ERRORS = "broker_errors"  # too many orders without an answer
    SLIPPAGE = "slippage"  # market orders fill far from the quotes that they were judged by
    STALE_FEED = "stale_feed"  # prices have stopped, so losses cannot be seen
    CLOCK_SKEW = "clock_skew"  # the exchange's stamps lie ahead of our clock
    STRESS_LOSS = "stress_loss"  # what is held would lose too much on a day of the past
    EQUITY_DIFFERENCE = "equity_difference"
    BROKER_LOSS = "broker_loss"  # our books could not be compared with the broker's for long
    INTEGRITY = "integrity"  # unreadable latch, broken invariant
    WATCHDOG = "watchdog"  # the engine gave no sign of life
    HOST = "host"  # everything on this machine was halted
    FILE = "file"  # somebody laid a file named HALT beside the latch
    SIGNAL = "signal"  # the engine was sent SIGUSR1
    RESET = "reset"


class RiskEventKind(StrEnum):
    """Why the risk numbers are told."""

    RECALCULATED = "recalculated"  # after a fill
    DAY_OPENED = "day_opened"
    DAY_CLOSED = "day_closed"
    LIMIT_NEARED = "limit_neared"  # the warning before a breach
    LIMIT_BREACHED = "limit_breached"
    REBASED = "rebased"  # persons accepted the loss; peak and day start begin anew, and the losing streak
    STREAK_FORGIVEN = "streak_forgiven"  # persons reset the switch; the losing streak begins anew


class RunStarted(Event, frozen=True, kw_only=True, omit_defaults=True, tag="run_started"):
    """The first entry of a run: all that is needed to repeat it; `limits` by ``section.key``, as text."""

    run: str
    mode: str
    strategies: tuple[str, ...]
    seed: int
    version: str
    limits: dict[str, str]
    limits_version: str
    universe: tuple[Instrument, ...]
    data: str = ""


class RunFinished(Event, frozen=True, kw_only=True, omit_defaults=True, tag="run_finished"):
    """The run ended in order, but for orders that `remain` open against its `policy`.

    `policy` is ``cancel`` or ``leave`` of working orders, ``not started`` of a start that came to nothing, else empty.
    """

    run: str
    orders: int
    fills: int
    policy: str = ""
    remaining: tuple[str, ...] = ()
    hurried: bool = False


class CashMoved(Event, frozen=True, kw_only=True, omit_defaults=True, tag="cash_moved"):
    """Money that came or went without a trade; counts neither as profit nor as loss."""

    amount: Decimal
    cash: Decimal
    reason: str


class PositionAdopted(Event, frozen=True, kw_only=True, omit_defaults=True, tag="position_adopted"):
    """A position that was there before our first order, taken over on a named person's word; never a fill.

    `quantity` counts signed shares, `cost` their signed cost in dollars.
    """

    symbol: str
    quantity: Decimal
    cost: Decimal
    approved_by: str
    reason: str


class SignalEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="signal"):
    """A strategy spoke."""

    signal: Signal


class OrderEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="order"):
    """The life of an order changed, or something was asked of it.

    Attributes:
        trigger: what happened to its life; None when only `pending` changed.
        order, decision: the full content, in the first event of an order.
        quantity_filled: cumulative shares.
        replaces: the order whose place this one is to take, in its first event.
        replaced_by: the order that is to take its place, when a replace was asked for.
        parent: the order that leads the group of which this one is a leg, in its first event.
        quantity: shares that the order is for from now on, when the broker has made it smaller; else None.
        valued_at, filled_before: of somebody else's order: dollars a share of its room, shares booked already.
    """

    order_id: str
    symbol: str
    status: OrderStatus
    trigger: OrderTrigger | None = None
    pending: PendingRequest = PendingRequest.NONE
    quantity_filled: Decimal = ZERO
    venue_order_id: str = ""
    reason: str = ""
    order: Order | None = None
    decision: Decision | None = None
    replaces: str = ""
    replaced_by: str = ""
    parent: str = ""
    quantity: Decimal | None = None
    valued_at: Decimal | None = None
    filled_before: Decimal = ZERO

    @property
    def asks_for_cancel(self) -> bool:
        """Nothing has happened to it but that its cancel was asked for."""
        return self.pending is PendingRequest.CANCEL and self.trigger is None and self.quantity is None


class FillEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="fill"):
    """One execution, applied exactly once.

    Attributes:
        quantity: shares of this execution, above zero; `price` dollars a share; `fee` dollars.
        cumulative_quantity: shares of the order filled so far, this execution included.
        position_quantity, cash: the books after it.
        realized_pnl: dollars realized by it, before fees.
        strategy, tag: of the order.
    """

    order_id: str
    execution_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal
    price: Decimal
    cumulative_quantity: Decimal
    fee: Decimal = ZERO
    position_quantity: Decimal = ZERO
    cash: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    strategy: str = ""
    tag: str = ""

    @property
    def signed_quantity(self) -> Decimal:
        """Shares: positive bought, negative sold."""
        return self.quantity if self.side is OrderSide.BUY else -self.quantity


class FillCorrected(Event, frozen=True, kw_only=True, omit_defaults=True, tag="fill_corrected"):
    """The broker took an execution back (a bust: `quantity` is 0) or changed it; the fill stays on record as it was.

    Attributes:
        was_quantity, was_price, was_fee: as booked until now; `quantity`, `price`, `fee`: as booked from now on.
        position_quantity, cash: the books after it.
        realized_pnl: by how many dollars it changes what was realized, before fees.
        losing_streak: losing round trips in a row, counted anew.
    """

    order_id: str
    execution_id: str
    symbol: str
    side: OrderSide
    was_quantity: Decimal
    was_price: Decimal
    was_fee: Decimal = ZERO
    quantity: Decimal = ZERO
    price: Decimal = ZERO
    fee: Decimal = ZERO
    position_quantity: Decimal = ZERO
    cash: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    losing_streak: int = 0
    strategy: str = ""
    tag: str = ""

    @property
    def was(self) -> Trade:
        """What was booked, signed."""
        return Trade(0, ("", ""), self._signed(self.was_quantity), self.was_price, self.was_fee)

    @property
    def now(self) -> Trade:
        """What is booked in its place, signed."""
        return Trade(0, ("", ""), self._signed(self.quantity), self.price, self.fee)

    def _signed(self, quantity: Decimal) -> Decimal:
        return quantity if self.side is OrderSide.BUY else quantity.copy_negate()


class RiskEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="risk"):
    """The risk numbers, after they were recalculated or a limit was broken.

    Attributes:
        daily_pnl: dollars since the day opened, flows excluded; `current_drawdown`: fraction lost from `peak_equity`;
            `losing_streak`: losing round trips in a row.
        week_start_equity, month_start_equity: dollars that their losses count from; 0 in old records.
    """

    reason: RiskEventKind
    equity: Decimal
    day_start_equity: Decimal
    peak_equity: Decimal
    daily_pnl: Decimal
    current_drawdown: Decimal
    losing_streak: int = 0
    week_start_equity: Decimal = ZERO
    month_start_equity: Decimal = ZERO
    rule: str = ""
    actual: Decimal | None = None
    limit: Decimal | None = None
    order_id: str = ""


class KillSwitchEvent(Event, frozen=True, kw_only=True, omit_defaults=True, tag="kill_switch"):
    """The kill switch moved, with the numbers that made it move.

    Attributes:
        activation: counts activations, of the account and of scopes apart; a reset names the one that it ends.
        by: who did it; of a reset, everybody who approved it, and `accepts_loss`: that the loss counts no more.
    """

    level: HaltLevel
    reason: str
    trigger: HaltTrigger
    by: str
    activation: int
    numbers: dict[str, str] = msgspec.field(default_factory=dict)
    scope: HaltScope = ACCOUNT
    accepts_loss: bool = False


class StrategyStopped(Event, frozen=True, kw_only=True, omit_defaults=True, tag="strategy_stopped"):
    """A strategy failed and was stopped; the others go on."""

    strategy: str
    error: str


class WishNotSized(Event, frozen=True, kw_only=True, omit_defaults=True, tag="wish_not_sized"):
    """A wish for a position led to no order, for its size is zero, unknown or too small; told once until that changes.

    Attributes:
        bound_by: ``missing`` where an input is; what is held is then left alone. Otherwise the rule that left nothing.
    """

    symbol: str
    strategy: str
    bound_by: str
    detail: str


class SenderLocked(Event, frozen=True, kw_only=True, omit_defaults=True, tag="sender_locked"):
    """An engine took the lock of its account: from here on, only it may send.

    Attributes:
        account: the broker's id; `epoch`: how often the lock has been taken, part of every client order id since.
        pid, host, directory: who took it.
        watchdog: another process watches over the engine; False when somebody chose to do without.
    """

    account: str
    epoch: int
    pid: int
    host: str
    directory: str
    watchdog: bool


class WatchdogActed(Event, frozen=True, kw_only=True, omit_defaults=True, tag="watchdog_acted"):
    """What a watchdog, or `qts halt`, did while the engine could not; taken over from a record at the next start.

    Attributes:
        entry: its id in the record; `pid`: of who did it; `epoch`: of the engine that it watched.
        what: one line for people.
    """

    entry: str
    pid: int
    epoch: int
    what: str


class StateRecorded(Event, frozen=True, kw_only=True, omit_defaults=True, tag="state_recorded"):
    """The engine's own books at this point, which a replay of the entries before it must reproduce.

    Attributes:
        open_orders: order id to ``status/filled``.
        positions: symbol to signed shares; flat ones are left out.
        costs: symbol to the signed cost of the open quantity (dollars).
        parents: parent orders that have not ended, id to ``status/filled``.
    """

    open_orders: dict[str, str]
    positions: dict[str, Decimal]
    costs: dict[str, Decimal]
    cash: Decimal
    realized_pnl: Decimal
    fees: Decimal
    halt_level: HaltLevel
    orders: int
    fills: int
    parents: dict[str, str] = msgspec.field(default_factory=dict)


AnyEvent = (
    RunStarted
    | RunFinished
    | CashMoved
    | PositionAdopted
    | ActivityBooked
    | ActivitiesCovered
    | BreakOpened
    | BreakClosed
    | Reconciled
    | SignalEvent
    | OrderEvent
    | ParentEvent
    | FillEvent
    | FillCorrected
    | RiskEvent
    | RiskNow
    | KillSwitchEvent
    | AnyHaltEvent
    | GroupAlarm
    | AnyApprovalEvent
    | AnyLimitsEvent
    | StrategyStopped
    | StrategySwitched
    | StrategyTold
    | WishNotSized
    | OperatorActed
    | OperatorAnswered
    | SenderLocked
    | WatchdogActed
    | StateRecorded
)
