"""Patches that plant bugs in the lives of orders: sending, doubt, fills, room, and what a restart keeps of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from quant_trading_system.core.exceptions import OutcomeUnknown
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution import doubts, order_life
from quant_trading_system.execution.alpaca_client import AlpacaClient
from quant_trading_system.execution.alpaca_followed import FollowedOrders
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_manager import OrderManager
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.order_watch import OrderWatch
from quant_trading_system.execution.position_tracker import PositionTracker
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.simulation.storm.disk import DiskJournal, DiskLatch
from tests.support.planting import Patch


def send_before_sync(patch: Patch) -> None:
    real = OrderManager._send

    class Hasty:
        async def durable(self) -> None:
            """Nobody waits."""

    async def send(self: OrderManager, record: Any, approved: Any) -> Any:
        self._journal = Hasty()
        return await real(self, record, approved)

    patch.setattr(OrderManager, "_send", send)


def every_fiftieth_sync(patch: Patch) -> None:
    """The journal reports a sync that was not made, whenever its length is a multiple of fifty."""
    real = DiskJournal.durable

    async def durable(self: DiskJournal) -> None:
        if len(self._disk.rows) % 5:
            await real(self)

    patch.setattr(DiskJournal, "durable", durable)


def timeout_is_rejected(patch: Patch) -> None:
    real = OrderLives.answered

    def answered(self: OrderLives, record: Any, trigger: OrderTrigger, reason: str = "") -> None:
        real(self, record, OrderTrigger.REJECT if trigger is OrderTrigger.TIME_OUT else trigger, reason)

    patch.setattr(OrderLives, "answered", answered)


def one_miss_is_enough(patch: Patch) -> None:
    patch.setattr(doubts, "MISSES", 1)
    patch.setattr(doubts, "ABSENT_AFTER", timedelta(0))


def sends_again_with_a_new_id(patch: Patch) -> None:
    real = AlpacaClient.submit

    async def submit(self: AlpacaClient, approved: Any, forbid: Any = None) -> Any:
        try:
            return await real(self, approved, forbid)
        except OutcomeUnknown:
            order = approved.order.with_id(approved.order.client_order_id + "x")
            again = type("Again", (), {})()
            for name in ("quantity", "price", "shrinks", "decision", "signed_quantity"):
                setattr(again, name, getattr(approved, name))
            again.order = order
            return await real(self, again, forbid)

    patch.setattr(AlpacaClient, "submit", submit)


def sends_again_with_the_same_id(patch: Patch) -> None:
    real = AlpacaClient.submit

    async def submit(self: AlpacaClient, approved: Any, forbid: Any = None) -> Any:
        try:
            return await real(self, approved, forbid)
        except OutcomeUnknown:
            return await real(self, approved, forbid)

    patch.setattr(AlpacaClient, "submit", submit)


def fills_known_by_id_only(patch: Patch) -> None:
    patch.setattr(OrderRecord, "has_booked", lambda self, fill: fill.execution_id in self.executions)

    def renamed(fill: Any) -> Any:
        execution = real(fill)
        return msgspec.structs.replace(execution, execution_id="history-" + execution.execution_id)

    from quant_trading_system.execution import alpaca_followed

    real = alpaca_followed.execution_of_fill
    patch.setattr(alpaca_followed, "execution_of_fill", renamed)
    trails_forget(patch)


def trails_forget(patch: Patch) -> None:
    """The adapter in front of the tracker knows fills, too; without it the tracker stands alone."""
    real = FollowedOrders._hear

    def hear(self: FollowedOrders, order: Any, at: Any = None, execution: Any = None, request: Any = None) -> None:
        if execution is not None:
            self._trails.pop(order.client_order_id, None)
        real(self, order, at, execution, request)

    patch.setattr(FollowedOrders, "_hear", hear)


def fill_of_a_finished_order_is_dropped(patch: Patch) -> None:
    real = PositionTracker.apply

    def apply(self: PositionTracker, record: Any, execution: Any) -> bool:
        return record.status.is_open and real(self, record, execution)

    patch.setattr(PositionTracker, "apply", apply)


def doubtful_orders_do_not_count(patch: Patch) -> None:
    real = Portfolio.set_in_doubt

    def set_in_doubt(self: Portfolio, order_id: str, symbol: str, in_doubt: bool) -> None:
        real(self, order_id, symbol, False)
        if in_doubt:
            self.release(order_id, symbol)

    patch.setattr(Portfolio, "set_in_doubt", set_in_doubt)


def doubt_freezes_nothing(patch: Patch) -> None:
    real = Portfolio.set_in_doubt
    patch.setattr(Portfolio, "set_in_doubt", lambda self, order_id, symbol, _: real(self, order_id, symbol, False))
    patch.setattr(OrderWatch, "doubt_beside", lambda *_: "")


def room_given_back_on_request(patch: Patch) -> None:
    real = OrderManager._decide

    def decide(self: OrderManager, order: Any, plan: Any, cause: Any) -> Any:
        for record in self._orders.open_orders(order.symbol):
            self._checker._portfolio.release(record.order_id, order.symbol)
        return real(self, order, plan, cause)

    patch.setattr(OrderManager, "_decide", decide)


def latch_in_memory_only(patch: Patch) -> None:
    patch.setattr(DiskLatch, "write", lambda self, state: None)


def halt_forgets_at_restart(patch: Patch) -> None:
    """A start clears the latch."""
    from quant_trading_system.risk.halt_state import LatchState

    real = DiskLatch.__init__

    def init(self: DiskLatch, disk: Any, life: Any = None) -> None:
        real(self, disk, life)
        if life is not None and disk.latch.level:
            disk.set_latch(LatchState(activation=disk.latch.activation))

    patch.setattr(DiskLatch, "__init__", init)


def peak_forgotten(patch: Patch) -> None:
    real = RiskMonitor.restore

    def restore(self: RiskMonitor, **numbers: Any) -> None:
        real(self, **{**numbers, "peak_equity": numbers["day_start_equity"]})

    patch.setattr(RiskMonitor, "restore", restore)


def day_start_forgotten(patch: Patch) -> None:
    real = RiskMonitor.restore

    def restore(self: RiskMonitor, **numbers: Any) -> None:
        real(self, **{**numbers, "day_start_equity": numbers["day_start_equity"] - 5})

    patch.setattr(RiskMonitor, "restore", restore)


def late_word_moves_a_finished_order(patch: Patch) -> None:
    """The adapter filters what is old; without it the order manager stands alone."""
    real = order_life.advance
    trails_forget_everything(patch)

    def advance(status: OrderStatus, trigger: OrderTrigger) -> OrderStatus:
        if status is OrderStatus.FILLED and trigger in (OrderTrigger.ACCEPT, OrderTrigger.FILL_PART):
            return OrderStatus.WORKING
        return real(status, trigger)

    patch.setattr(order_life, "advance", advance)


def trails_forget_everything(patch: Patch) -> None:
    real = FollowedOrders._hear

    def hear(self: FollowedOrders, order: Any, at: Any = None, execution: Any = None, request: Any = None) -> None:
        self._trails.pop(order.client_order_id, None)
        real(self, order, at, execution, request)

    patch.setattr(FollowedOrders, "_hear", hear)
