"""How well orders are executed, entry by entry in bounded memory: rates, slippage, and how long each stage took."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from quant_trading_system.core.decisions import Decision, Rule
from quant_trading_system.core.events import FillEvent, OrderEvent, SignalEvent
from quant_trading_system.core.numbers import BASIS_POINT, LEDGER, ZERO, divide
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.quality import BROKER

BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
"""Upper bounds of the buckets of a latency, milliseconds; one more bucket has no bound."""
FOLLOWED = 10_000
"""Open orders, and signals without an order yet, that are remembered at most."""

_ANSWERS = frozenset(
    {OrderTrigger.ACCEPT, OrderTrigger.HOLD, OrderTrigger.REJECT, OrderTrigger.FILL_PART, OrderTrigger.FILL_LAST}
)
_MILLI = Decimal("0.001")
_RATIO = Decimal("1E-6")
_MICROSECOND = timedelta(microseconds=1)


class Stage(StrEnum):
    """One stretch of the way from a signal to its fill."""

    SIGNAL_TO_GATE = "signal_to_gate"
    GATE_TO_SENT = "gate_to_sent"  # on record as sending
    SENT_TO_ACKNOWLEDGED = "sent_to_acknowledged"  # the first word of the broker; this is `latency_ms`
    ACKNOWLEDGED_TO_FILLED = "acknowledged_to_filled"  # completely


class Latency:
    """How long one stage took, in buckets.

    Attributes:
        counts: by bucket, as many as `BOUNDS_MS` and one.
        total_ms: the sum of all.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.total_ms = ZERO

    @property
    def count(self) -> int:
        """How many were measured."""
        return sum(self.counts)

    def add(self, begin: datetime, end: datetime) -> None:
        """One more; what seems to end before it began, by clocks that differ, counts as nothing."""
        span = max(LEDGER.multiply(Decimal((end - begin) // _MICROSECOND), _MILLI), ZERO)
        self.counts[bisect_left(BOUNDS_MS, span)] += 1
        self.total_ms = LEDGER.add(self.total_ms, span)

    def median_ms(self) -> Decimal | None:
        """The upper bound of the bucket in which half of all are reached; None without any, and without a bound."""
        reached = 0
        for bound, count in zip(BOUNDS_MS, self.counts, strict=False):
            reached += count
            if count and 2 * reached >= self.count:
                return Decimal(bound)
        return None


class _Sent(msgspec.Struct):
    sent_at: datetime
    buys: bool
    expected: Decimal | None
    acknowledged_at: datetime | None = None


class QualityFold:
    """Execution quality of the run that began last; latencies of everything that was read.

    Legs of a group do not count, nor do orders of somebody else: nobody here sent them.

    Attributes:
        orders: asked for, refused ones included; `submitted`: those that left us; `filled`: completely.
        refusals: by rule of the gate, and by `BROKER`.
        latencies: by stage.
    """

    def __init__(self) -> None:
        self.latencies = {stage: Latency() for stage in Stage}
        self._signals: dict[tuple[str, str], datetime] = {}
        self._open: dict[str, _Sent] = {}
        self.begin_run()

    def begin_run(self) -> None:
        """Rates and slippage begin anew."""
        self.orders = self.submitted = self.filled = 0
        self.refusals: Counter[str] = Counter()
        self._cost = self._value = ZERO

    @property
    def fill_rate(self) -> Decimal | None:
        """Completely filled / submitted orders; None without any."""
        return _ratio(Decimal(self.filled), Decimal(self.submitted))

    @property
    def rejection_rate(self) -> Decimal | None:
        """Refused by gate or broker / all orders; None without any."""
        return _ratio(Decimal(self.refusals.total()), Decimal(self.orders))

    @property
    def slippage(self) -> Decimal | None:
        """Average cost against the price expected at the decision, basis points by value; positive hurts."""
        return _ratio(self._cost, LEDGER.multiply(self._value, BASIS_POINT))

    def hear(self, event: SignalEvent) -> None:
        """A strategy spoke; its next order of the symbol comes of it."""
        _remember(self._signals, (event.signal.source, event.signal.symbol), event.at)

    def order(self, event: OrderEvent) -> None:
        """An order began, or its life changed."""
        if event.order is not None:
            self._begin(event)
            return
        known = self._open.get(event.order_id)
        if known is None:
            return
        if event.trigger in _ANSWERS and known.acknowledged_at is None:
            known.acknowledged_at = event.at
            self.latencies[Stage.SENT_TO_ACKNOWLEDGED].add(known.sent_at, event.at)
        if event.trigger is OrderTrigger.FILL_LAST and known.acknowledged_at is not None:
            self.filled += 1
            self.latencies[Stage.ACKNOWLEDGED_TO_FILLED].add(known.acknowledged_at, event.at)
        elif event.trigger is OrderTrigger.REJECT:
            self.refusals[BROKER] += 1
        elif event.trigger is OrderTrigger.NOT_SENT:
            self.submitted -= 1
        if event.status.is_terminal and event.status not in (OrderStatus.ABSENT, OrderStatus.FILLED):
            del self._open[event.order_id]

    def fill(self, event: FillEvent) -> None:
        """An execution."""
        known = self._open.get(event.order_id)
        if known is None or known.expected is None:
            return
        worse = event.price - known.expected if known.buys else known.expected - event.price
        self._cost = LEDGER.fma(worse, event.quantity, self._cost)
        self._value = LEDGER.fma(known.expected, event.quantity, self._value)

    def _begin(self, event: OrderEvent) -> None:
        order, decision = event.order, event.decision
        if order is None or event.parent or event.trigger not in (OrderTrigger.SEND, OrderTrigger.DENY):
            return
        self.orders += 1
        if decision is not None:
            heard = self._signals.pop((order.strategy, event.symbol), None)
            if heard is not None:
                self.latencies[Stage.SIGNAL_TO_GATE].add(heard, decision.at)
        if event.trigger is OrderTrigger.DENY:
            rule = None if decision is None else decision.refused_by
            self.refusals[Rule.CHECK_FAILED.value if rule is None else rule.value] += 1
            return
        self.submitted += 1
        if decision is not None:
            self.latencies[Stage.GATE_TO_SENT].add(decision.at, event.at)
        sent = _Sent(event.at, order.side is OrderSide.BUY, _expected(decision))
        _remember(self._open, event.order_id, sent)


def _expected(decision: Decision | None) -> Decimal | None:
    plan = None if decision is None else decision.plan
    return None if plan is None else plan.expected_price


def _remember(known: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    """Put in, and let the oldest go when there are too many."""
    known.pop(key, None)
    known[key] = value
    if len(known) > FOLLOWED:
        del known[next(iter(known))]


def _ratio(part: Decimal, whole: Decimal) -> Decimal | None:
    return divide(part, whole, _RATIO) if whole else None
