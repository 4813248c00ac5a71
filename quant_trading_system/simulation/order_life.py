"""How an order goes from one status to the next: counted, reported, and with what it means for its group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.venue_orders import Notice, VenueFill
from quant_trading_system.simulation.wire import Wire


class OrderLife(ABC):
    """Moves orders through their statuses; whoever works them says how they meet the market."""

    def __init__(self, orders: OrderIndex, groups: Groups, wire: Wire) -> None:
        self._orders = orders
        self._groups = groups
        self._wire = wire

    @abstractmethod
    def meet_market(self, live: LiveOrder, at: datetime) -> None:
        """Work the order against the present quote."""

    def tell(
        self,
        live: LiveOrder,
        status: OrderStatus,
        trigger: OrderTrigger,
        at: datetime,
        reason: str = "",
        fill: VenueFill | None = None,
    ) -> None:
        """The order has a new status: report it."""
        live.status, live.updated_at = status, at
        if live.is_open:
            self._orders.wake(live)
        shown = self._groups.show(live) if live.group else self._orders.show(live)
        self._wire.report(shown, trigger, at, reason, fill)

    def notify(self, live: LiveOrder, notice: Notice, at: datetime, reason: str, fill: VenueFill | None = None) -> None:
        """Report something that leaves the order's life as it is."""
        live.updated_at = at
        self._wire.report(self._groups.show(live), None, at, reason, fill, notice)

    def finish(
        self,
        live: LiveOrder,
        status: OrderStatus,
        trigger: OrderTrigger,
        at: datetime,
        reason: str = "",
        fill: VenueFill | None = None,
    ) -> None:
        """The order is final."""
        live.is_open = False
        live.finished_at = at
        self._orders.finish(live)
        self.tell(live, status, trigger, at, reason, fill)
        if live.group:
            self._groups.ended(live, at, self)

    def cancel(self, live: LiveOrder, at: datetime, reason: str) -> None:
        """The order ends without having traded, or without having traded all."""
        self.finish(live, OrderStatus.CANCELED, OrderTrigger.CANCEL, at, reason)
