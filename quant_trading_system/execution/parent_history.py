"""Parent orders as the journal tells of them: what was known, what was sent and filled, and what it cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.decisions import Decision, ExecutionPlan
from quant_trading_system.core.events import FillCorrected, FillEvent, OrderEvent
from quant_trading_system.core.numbers import ZERO, divide
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.parent_events import ParentEvent, ParentStart
from quant_trading_system.execution.algo.calibration import Calibration, calibrate
from quant_trading_system.execution.tca import Execution, ParentResult, PricePath
from quant_trading_system.execution.tca_groups import impact_samples
from quant_trading_system.journal.store import JournalSource

_KINDS = ("parent", "order", "fill", "fill_corrected")
_HALF = Decimal("0.5")
_PLACES = Decimal("1E-12")


class ChildLine(msgspec.Struct, kw_only=True):
    """One child: its last status and what it traded."""

    order_id: str
    at: datetime
    quantity: Decimal
    limit_price: Decimal | None
    status: OrderStatus
    filled: Decimal = ZERO


class ParentHistory:
    """Everything that the journal has about one parent.

    Attributes:
        first, last: its first and its latest entry; `begun`: what was known at the first.
        children: by order id, oldest first.
    """

    def __init__(self, first: ParentEvent, begun: ParentStart) -> None:
        """Begin with the first entry of a parent."""
        self.first = first
        self.begun = begun
        self.last = first
        self.children: dict[str, ChildLine] = {}
        self._fills: dict[str, tuple[datetime, Decimal, Decimal, Decimal]] = {}
        self._mids: list[tuple[datetime, Decimal]] = []
        self._spreads: list[Decimal] = []
        self.take(first)

    @property
    def decision(self) -> Decision:
        """The gate's decision about the whole parent."""
        return self.begun.decision

    @property
    def plan(self) -> ExecutionPlan | None:
        """How it was to be worked, and the cost that was expected before the first child left."""
        return self.begun.decision.plan

    def take(self, event: ParentEvent) -> None:
        """The next entry of the parent."""
        self.last = event
        if event.market is not None:
            self.see(event.at, event.market.bid, event.market.ask)

    def see(self, at: datetime, bid: Decimal, ask: Decimal) -> None:
        """A quote that was seen; times never run backwards."""
        self._spreads.append(ask - bid)
        mid = (bid + ask) * _HALF
        if self._mids and at <= self._mids[-1][0]:
            self._mids[-1] = (self._mids[-1][0], mid)
        else:
            self._mids.append((at, mid))

    def fill(self, event: FillEvent) -> None:
        """One execution of a child."""
        self._fills[event.execution_id] = (event.at, event.quantity, event.price, event.fee)

    def correct(self, event: FillCorrected) -> None:
        """An execution was another one, or none."""
        at = self._fills.get(event.execution_id, (event.at, ZERO, ZERO, ZERO))[0]
        self._fills[event.execution_id] = (at, event.quantity, event.price, event.fee)

    @property
    def fills(self) -> tuple[Execution, ...]:
        """What its children traded, with the mid that was last seen before each."""
        return tuple(
            Execution(at=at, quantity=quantity, price=price, fees=fee, mid=self._mid_at(at))
            for at, quantity, price, fee in self._fills.values()
            if quantity
        )

    @property
    def path(self) -> PricePath | None:
        """The mids that it saw; None without any."""
        return PricePath(*map(tuple, zip(*self._mids, strict=True))) if self._mids else None

    def _mid_at(self, moment: datetime) -> Decimal | None:
        place = bisect_right(self._mids, moment, key=lambda point: point[0])
        return self._mids[place - 1][1] if place else None

    def result(self) -> ParentResult | None:
        """What it cost so far; None while no price is known, or when nothing was wanted in the end."""
        fills = self.fills
        arrival = self._mids[0][1] if self._mids else None
        quantity = max(self.last.quantity, sum((fill.quantity for fill in fills), ZERO))
        if arrival is None or not quantity:
            return None
        plan, seen = self.plan, self.last.market
        return ParentResult(
            parent_id=self.first.parent_id,
            symbol=self.first.symbol,
            side=self.first.side,
            quantity=quantity,
            decision_price=self.begun.decision_price or arrival,
            arrival_price=arrival,
            end_price=self._mids[-1][1],
            started_at=self.first.at,
            ended_at=self.last.at,
            fills=fills,
            algorithm=self.first.algorithm,
            strategy=self.first.strategy,
            expected_cost_bps=None if plan is None else plan.expected_slippage_bps,
            daily_volume=self.begun.daily_volume,
            volatility=self.begun.volatility,
            others_volume=None if seen is None else seen.others_volume,
            quoted_spread=divide(sum(self._spreads, ZERO), Decimal(len(self._spreads)), _PLACES),
        )


class ParentHistories:
    """The parents of a journal, kept up to date entry by entry.

    Attributes:
        parents: by id, in the order in which they began.
    """

    def __init__(self, most: int | None = None) -> None:
        """Keep the newest `most`, or all."""
        self.parents: dict[str, ParentHistory] = {}
        self._parent_of: dict[str, ParentHistory] = {}
        self._most = most

    def take(self, event: ParentEvent | OrderEvent | FillEvent | FillCorrected) -> None:
        """The next entry of a parent, or of an order, whosever it is."""
        if isinstance(event, ParentEvent):
            self._take_step(event)
        elif isinstance(event, OrderEvent):
            self._take_child(event)
        elif (parent := self._parent_of.get(event.order_id)) is not None:
            if isinstance(event, FillEvent):
                parent.fill(event)
            else:
                parent.correct(event)

    def _take_step(self, event: ParentEvent) -> None:
        if event.begun is not None:
            self.parents[event.parent_id] = ParentHistory(event, event.begun)
            if self._most is not None and len(self.parents) > self._most:
                self._forget(next(iter(self.parents)))
        elif event.parent_id in self.parents:
            self.parents[event.parent_id].take(event)

    def _take_child(self, event: OrderEvent) -> None:
        decision, order = event.decision, event.order
        if order is None or decision is None or decision.plan is None or decision.plan.parent not in self.parents:
            if event.order_id in self._parent_of:
                child = self._parent_of[event.order_id].children[event.order_id]
                child.status, child.filled = event.status, event.quantity_filled
            return
        parent = self._parent_of[event.order_id] = self.parents[decision.plan.parent]
        parent.children[event.order_id] = ChildLine(
            order_id=event.order_id,
            at=event.at,
            quantity=order.quantity,
            limit_price=order.limit_price,
            status=event.status,
        )
        if decision.quote is not None:
            parent.see(event.at, decision.quote.bid, decision.quote.ask)

    def _forget(self, parent_id: str) -> None:
        for order_id in self.parents.pop(parent_id).children:
            self._parent_of.pop(order_id, None)


def parents_of(journal: JournalSource) -> list[ParentHistory]:
    """Every parent of the journal, in the order in which they began, read in one pass.

    Raises:
        JournalDamaged: an entry cannot be read.
    """
    found = ParentHistories()
    for entry in journal.entries(kinds=_KINDS):
        event = entry.event
        if isinstance(event, ParentEvent | OrderEvent | FillEvent | FillCorrected):
            found.take(event)
    return list(found.parents.values())


def results_of(parents: Iterable[ParentHistory], *, ended: bool = True) -> list[ParentResult]:
    """What the parents cost.

    Args:
        ended: leave out those that are still worked.
    """
    found = (parent.result() for parent in parents if parent.last.ended or not ended)
    return [result for result in found if result is not None]


def calibrated(journals: Sequence[JournalSource]) -> Calibration:
    """The impact coefficients that the finished parents of these journals tell of, with their errors.

    Raises:
        InvalidNumber: fewer than 20 of them can be used, or they are too alike.
        JournalDamaged: an entry cannot be read.
    """
    results = [result for journal in journals for result in results_of(parents_of(journal))]
    return calibrate(impact_samples(results))
