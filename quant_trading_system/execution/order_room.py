"""The room that orders take in the account: taken, moved and given back as their lives go on."""

from __future__ import annotations

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.portfolio import Portfolio

_IN_DOUBT = OrderStatus.IN_DOUBT


class OrderRoom:
    """Keeps the reservations in `Portfolio` in line with the orders."""

    def __init__(self, portfolio: Portfolio) -> None:
        """Reserve in `portfolio`."""
        self._portfolio = portfolio

    def take(self, record: OrderRecord) -> None:
        """An order begins, or is taken up again."""
        order, is_leg = record.order, record.group is not None
        self._portfolio.reserve(record.order_id, order.symbol, record.room, record.room_price, order, is_leg=is_leg)
        if record.status is _IN_DOUBT:
            self._portfolio.set_in_doubt(record.order_id, record.order.symbol, True)

    def adjust(self, record: OrderRecord, before: OrderStatus) -> None:
        """The status of an order has changed."""
        order, status = record.order, record.status
        if before.is_open is not status.is_open:
            if before.is_open:
                self._portfolio.release(record.order_id, order.symbol)
            elif before is not OrderStatus.CREATED:
                room, is_leg = record.room, record.group is not None
                self._portfolio.restore(record.order_id, order.symbol, room, record.room_price, order, is_leg=is_leg)
        elif (before is _IN_DOUBT) is not (status is _IN_DOUBT):
            self._portfolio.set_in_doubt(record.order_id, order.symbol, status is _IN_DOUBT)
        if record.group is not None or record.older is not None or record.newer is not None:
            self.share(record)

    def share(self, record: OrderRecord) -> None:
        """What happens to one order of a chain, or of a group, changes what the others may still fill."""
        if record.group is not None:
            for member in record.group.members:
                self.resize(member)
                if member in record.group.exits:
                    member.shrinks = record.group.only_closes(member)
            return
        if record.older is None and record.newer is None:
            return
        leg: OrderRecord | None = record
        while leg is not None:
            self.resize(leg)
            leg = leg.newer

    def resize(self, record: OrderRecord) -> None:
        """An open order may fill other shares than were reserved for it."""
        self._portfolio.resize(record.order_id, record.order.symbol, record.room)
