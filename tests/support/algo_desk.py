"""A desk for execution algorithms: a market that a test moves, and a broker with books of its own.

The broker knows only orders and what it did with them. What the walker believes is compared with that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.execution.algo.children import ChildReport
from quant_trading_system.execution.algo.parent import Algorithm, ParentOrder, ParentState, new_parent
from quant_trading_system.execution.algo.schedule import twap_schedule
from quant_trading_system.execution.algo.walker import AfterCrash, CancelChild, PlaceChild, Step, recover, step
from quant_trading_system.execution.algo.wishes import MarketFacts
from quant_trading_system.market.sessions import Session

D = Decimal
OPEN = datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
CLOSE = datetime(2024, 1, 8, 21, 0, tzinfo=UTC)
SESSION = Session(OPEN.date(), OPEN, CLOSE)
NOON = datetime(2024, 1, 8, 17, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def twap_parent(quantity: str = "1000", slices: int = 10, minutes: int = 60, **changes) -> ParentOrder:
    """A TWAP that starts at NOON."""
    amount, end = D(quantity), NOON + minutes * MINUTE
    lot = changes.get("lot", D(1))
    values = {
        "parent_id": "run-7",
        "symbol": "KO",
        "side": OrderSide.BUY,
        "quantity": amount,
        "algorithm": Algorithm.TWAP,
        "start": NOON,
        "end": end,
        "schedule": twap_schedule(amount, NOON, end, slices, lot),
    }
    return ParentOrder(**{**values, **changes})


class BrokerOrder:
    """One order as the broker sees it."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.filled = D(0)
        self.value = D(0)
        self.status = OrderStatus.WORKING

    @property
    def leaves(self) -> Decimal:
        """Shares that may still trade here."""
        return self.order.quantity - self.filled if self.status.is_open else D(0)


class Desk:
    """Drives one parent by hand or by itself."""

    def __init__(self, order: ParentOrder, now: datetime | None = None) -> None:
        self.state: ParentState = new_parent(order)
        self.now = now or order.start
        self.bid, self.ask = D("59.99"), D("60.01")
        self.volume: Decimal | None = D(0)
        self.session: Session | None = SESSION
        self.halted = self.killed = False
        self.orders: dict[str, BrokerOrder] = {}
        self.wake_at: datetime | None = None
        self.sent: list[tuple[datetime, Order]] = []
        self.cancels: list[str] = []
        self.steps = 0

    @property
    def facts(self) -> MarketFacts:
        return MarketFacts(
            bid=self.bid, ask=self.ask, volume=self.volume, session=self.session, halted=self.halted, killed=self.killed
        )

    @property
    def traded(self) -> Decimal:
        """Shares that the broker has executed."""
        return sum((order.filled for order in self.orders.values()), D(0))

    @property
    def out(self) -> Decimal:
        """Shares that may still trade at the broker."""
        return sum((order.leaves for order in self.orders.values()), D(0))

    def step(self, *reports: ChildReport) -> Step:
        """One step of the walker; its orders reach the broker, its cancellations are noted."""
        found = step(self.state, self.now, self.facts, reports)
        self.state, self.wake_at = found.state, found.wake_at
        self.steps += 1
        for action in found.actions:
            if isinstance(action, PlaceChild):
                self.sent.append((self.now, action.order))
                assert action.order.client_order_id not in self.orders, "an id was used twice"
                self.orders[action.order.client_order_id] = BrokerOrder(action.order)
            else:
                assert isinstance(action, CancelChild)
                self.cancels.append(action.child_id)
        return found

    def after(self, span: timedelta, *reports: ChildReport) -> Step:
        """Let time pass, then step."""
        self.now += span
        return self.step(*reports)

    @property
    def latest(self) -> str:
        """Id of the latest child."""
        return self.sent[-1][1].client_order_id

    def report(self, child_id: str, status: OrderStatus | None = None) -> ChildReport:
        """The broker's truth about a child."""
        order = self.orders[child_id]
        return ChildReport(child_id=child_id, status=status or order.status, filled=order.filled, value=order.value)

    def fill(self, child_id: str, quantity: Decimal | None = None) -> ChildReport:
        """Execute some or all of an order."""
        order = self.orders[child_id]
        amount = order.leaves if quantity is None else min(quantity, order.leaves)
        order.filled += amount
        order.value += amount * (order.order.limit_price or self.ask)
        if not order.leaves:
            order.status = OrderStatus.FILLED
        elif amount:
            order.status = OrderStatus.PARTIALLY_FILLED
        if self.volume is not None:
            self.volume += amount
        return self.report(child_id)

    def end(self, child_id: str, status: OrderStatus) -> ChildReport:
        """End an order that is still alive."""
        order = self.orders[child_id]
        if order.status.is_open:
            order.status = status
        return self.report(child_id)

    def restart(self, policy: AfterCrash = AfterCrash.RESUME) -> None:
        """The engine dies; what was written down comes back."""
        written = msgspec.json.encode(self.state)
        self.state = recover(msgspec.json.decode(written, type=ParentState), policy)

    def run(self, until: datetime, *, passive_fills: bool = True, volume_per_minute: int = 10_000) -> None:
        """Let the market trade: aggressive orders fill at once, passive ones as told; cancels are obeyed."""
        reports: list[ChildReport] = []
        while self.now < until and not self.state.status.is_final:
            found = self.step(*reports)
            reports = []
            for action in found.actions:
                if isinstance(action, CancelChild):
                    reports.append(self.end(action.child_id, OrderStatus.CANCELED))
                elif passive_fills or self._crosses(action.order):
                    reports.append(self.fill(action.order.client_order_id))
            if not reports:
                later = min(found.wake_at or until, until)
                if self.volume is not None:
                    self.volume += D(volume_per_minute * ((later - self.now) // SECOND) // 60)
                self.now = max(later, self.now + timedelta(microseconds=1))
        if reports:
            self.step(*reports)

    def _crosses(self, order: Order) -> bool:
        price = order.limit_price
        if price is None:
            return True
        return price >= self.ask if order.side is OrderSide.BUY else price <= self.bid
