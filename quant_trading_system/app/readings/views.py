"""Lists and curves beside the books, each of bounded size, fed with every entry once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.app.order_list import OrderLines
from quant_trading_system.app.readings.alert_fold import AlertFold
from quant_trading_system.app.readings.curve import Curve
from quant_trading_system.app.readings.quality_fold import QualityFold
from quant_trading_system.app.readings.strategies import StrategyFold
from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.decisions import CheckResult, Rule
from quant_trading_system.core.events import (
    AnyEvent,
    FillCorrected,
    FillEvent,
    OrderEvent,
    RiskEvent,
    RiskEventKind,
    RunStarted,
    SenderLocked,
    SignalEvent,
    StrategyStopped,
)
from quant_trading_system.core.numbers import ZERO, divide
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.risk_now import RiskNow
from quant_trading_system.execution.parent_history import ParentHistories
from quant_trading_system.journal.projection import Difference

KEPT_ORDERS = 10_000
KEPT_PARENTS = 200
KEPT_FILLS = 200
KEPT_DAYS = 252
_HALF = Decimal("0.5")
_RETURN = Decimal("1E-8")


class Mark(msgspec.Struct, frozen=True):
    """The last price of a symbol that the journal tells of (dollars a share): of a fill, or a mid at a decision."""

    price: Decimal
    at: datetime


class Pace(msgspec.Struct):
    """What the run has done since it began, and on the day that runs."""

    orders: int = 0
    refused: int = 0
    fills: int = 0
    fees: Decimal = ZERO


class Views:
    """Everything that is kept for reading beside the books.

    Attributes:
        begins_at: the first entry that lists and curves know of.
        curve: equity and drawdown; `orders`: the newest orders; `parents`: the newest parent orders; `alerts`: theirs.
        roster: which strategies are listened to.
        quality: of execution; `returns`: of the last days, fractions; `checks`: the gate's last answer by rule.
        marks: last known price by symbol.
        run, today: counts of orders and fills; `refusals`: of the run, by rule.
        risk: the latest risk numbers; `reconciled`, `sender`: the latest entries of their kind.
        stopped: strategies that failed in this run, with the error.
        quote_at: time of the newest quote that a decision was based on; `broker_at`: of the broker's last answer.
    """

    def __init__(self) -> None:
        self.begins_at = 1
        self.curve = Curve()
        self.orders = OrderLines(KEPT_ORDERS)
        self.parents = ParentHistories(KEPT_PARENTS)
        self.alerts = AlertFold()
        self.quality = QualityFold()
        self.roster = StrategyFold()
        self.fills: deque[FillEvent] = deque(maxlen=KEPT_FILLS)
        self.returns: deque[Decimal] = deque(maxlen=KEPT_DAYS)
        self.checks: dict[Rule, CheckResult] = {}
        self.marks: dict[str, Mark] = {}
        self.run = Pace()
        self.today = Pace()
        self.refusals: Counter[str] = Counter()
        self.risk: RiskEvent | None = None
        self.reconciled: Reconciled | None = None
        self.sender: SenderLocked | None = None
        self.strategies: dict[str, datetime] = {}
        self.stopped: dict[str, str] = {}
        self.quote_at: datetime | None = None
        self.broker_at: datetime | None = None
        self._takers: dict[type, Callable[[Any], None]] = {
            RunStarted: self._begin_run,
            OrderEvent: self._take_order,
            FillEvent: self._take_fill,
            FillCorrected: self._correct,
            ParentEvent: self.parents.take,
            RiskEvent: self._measure,
            RiskNow: self._look,
            Reconciled: self._reconcile,
            SenderLocked: self._lock,
            SignalEvent: self._hear,
            StrategyStopped: self._stop,
        }

    def take(self, seq: int, event: AnyEvent) -> None:
        """The next entry."""
        taker = self._takers.get(type(event))
        if taker is not None:
            taker(event)
        self.alerts.take(seq, event)
        self.roster.take(event)

    def differ(self, at: datetime, differences: Iterable[Difference]) -> None:
        """Where an entry contradicts the books: an alarm each."""
        for difference in differences:
            self.alerts.differ(at, difference)

    def _begin_run(self, _: RunStarted) -> None:
        self.run, self.today = Pace(), Pace()
        self.quality.begin_run()
        self.refusals.clear()
        self.stopped.clear()
        self.strategies = {}

    def _take_order(self, event: OrderEvent) -> None:
        self.orders.take(event)
        self.parents.take(event)
        self.quality.order(event)
        decision = event.decision
        if decision is not None:
            is_refused = event.status is OrderStatus.DENIED
            for pace in (self.run, self.today):
                pace.orders += 1
                pace.refused += is_refused
            self.checks |= {check.rule: check for check in decision.checks if check.headroom is not None}
            if decision.refused_by is not None:
                self.refusals[decision.refused_by.value] += 1
            if decision.quote is not None:
                quote = decision.quote
                self.quote_at = quote.at
                self.marks[event.symbol] = Mark((quote.bid + quote.ask) * _HALF, event.at)
        elif event.venue_order_id:
            self.broker_at = event.at

    def _take_fill(self, event: FillEvent) -> None:
        self.orders.fill(event)
        self.quality.fill(event)
        self.parents.take(event)
        self.fills.append(event)
        self.marks[event.symbol] = Mark(event.price, event.at)
        self.broker_at = event.at
        for pace in (self.run, self.today):
            pace.fills += 1
            pace.fees += event.fee

    def _correct(self, event: FillCorrected) -> None:
        self.orders.correct(event)
        self.parents.take(event)

    def _measure(self, event: RiskEvent) -> None:
        self.risk = event
        self.curve.add(event.at, event.equity, event.current_drawdown)
        if event.reason is RiskEventKind.DAY_CLOSED and event.day_start_equity > 0:
            self.returns.append(divide(event.daily_pnl, event.day_start_equity, _RETURN))
        if event.reason is RiskEventKind.DAY_OPENED:
            self.today = Pace()

    def _look(self, event: RiskNow) -> None:
        self.curve.add(event.at, event.equity, event.current_drawdown)

    def _reconcile(self, event: Reconciled) -> None:
        self.reconciled, self.broker_at = event, event.at

    def _lock(self, event: SenderLocked) -> None:
        self.sender = event

    def _hear(self, event: SignalEvent) -> None:
        self.strategies[event.signal.source] = event.at
        self.quality.hear(event)

    def _stop(self, event: StrategyStopped) -> None:
        self.stopped[event.strategy] = event.error
