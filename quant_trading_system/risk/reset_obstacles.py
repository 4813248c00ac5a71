"""What a running engine knows that stands against a reset of its own kill switch."""

from __future__ import annotations

from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.latch import Latch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.reset import (
    Obstacles,
    ResetWish,
    cause_obstacles,
    causes_of,
    dirt_obstacles,
    file_obstacles,
)


def obstacles_of(portfolio: Portfolio, monitor: RiskMonitor, agreement: Agreement, latch: Latch) -> Obstacles:
    """Causes that persist, books that differ, orders whose fate is unknown, and the file that asks for a halt."""

    def obstacles(wish: ResetWish) -> list[str]:
        with portfolio.lock:
            doubtful = [room.order_id for _, room in portfolio.reservations() if room.in_doubt]
        found = cause_obstacles(wish, causes_of(monitor.measures()))
        found += dirt_obstacles(wish, agreement.obstacles(wish.halt.scope.symbol), doubtful)
        return [*found, *file_obstacles(latch)]

    return obstacles
