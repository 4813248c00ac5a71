"""The groups in which people look for orders."""

from __future__ import annotations

from enum import StrEnum

from quant_trading_system.core.order_state import OrderStatus


class OrderGroup(StrEnum):
    """Orders that people look for together."""

    ALL = "all"
    OPEN = "open"
    FILLED = "filled"
    REFUSED = "refused"  # by our own gate, or by the broker
    ENDED = "ended"  # cancelled, expired, replaced or never sent

    def includes(self, status: OrderStatus) -> bool:
        """An order of that status is one of them."""
        return self is OrderGroup.ALL or self is _GROUPS.get(status, _group_of_others(status))


_GROUPS = {
    OrderStatus.FILLED: OrderGroup.FILLED,
    OrderStatus.DENIED: OrderGroup.REFUSED,
    OrderStatus.REJECTED: OrderGroup.REFUSED,
}


def _group_of_others(status: OrderStatus) -> OrderGroup:
    return OrderGroup.ENDED if status.is_terminal else OrderGroup.OPEN
