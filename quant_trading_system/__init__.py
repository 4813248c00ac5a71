"""A trading and execution system for US stocks that people trust with their own money.

The names below are what most users need; they are imported on first use, so that `import
quant_trading_system` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Direction": "core.signals",
    "EndedOrder": "trading.order_wishes",
    "ExecutionError": "core.exceptions",
    "FillCorrected": "core.events",
    "FillEvent": "core.events",
    "KillSwitch": "risk.limits",
    "KillSwitchActiveError": "core.exceptions",
    "OpenOrder": "trading.order_wishes",
    "OpenParent": "trading.order_wishes",
    "Order": "core.orders",
    "OrderClass": "core.orders",
    "OrderManager": "execution.order_manager",
    "OrderSide": "core.orders",
    "OrderType": "core.orders",
    "PositionSide": "core.positions",
    "PositionTracker": "execution.position_tracker",
    "PreTradeRiskChecker": "risk.limits",
    "RiskEvent": "core.events",
    "Signal": "core.signals",
    "StopLoss": "core.orders",
    "Strategy": "trading.strategy",
    "VectorStrategy": "trading.vector_strategy",
    "TakeProfit": "core.orders",
    "TimeInForce": "core.orders",
}

if TYPE_CHECKING:
    from quant_trading_system.core.events import FillCorrected, FillEvent, RiskEvent
    from quant_trading_system.core.exceptions import ExecutionError, KillSwitchActiveError
    from quant_trading_system.core.orders import (
        Order,
        OrderClass,
        OrderSide,
        OrderType,
        StopLoss,
        TakeProfit,
        TimeInForce,
    )
    from quant_trading_system.core.positions import PositionSide
    from quant_trading_system.core.signals import Direction, Signal
    from quant_trading_system.execution.order_manager import OrderManager
    from quant_trading_system.execution.position_tracker import PositionTracker
    from quant_trading_system.risk.limits import KillSwitch, PreTradeRiskChecker
    from quant_trading_system.trading.order_wishes import EndedOrder, OpenOrder, OpenParent
    from quant_trading_system.trading.strategy import Strategy
    from quant_trading_system.trading.vector_strategy import VectorStrategy

__all__ = [
    "Direction",
    "EndedOrder",
    "ExecutionError",
    "FillCorrected",
    "FillEvent",
    "KillSwitch",
    "KillSwitchActiveError",
    "OpenOrder",
    "OpenParent",
    "Order",
    "OrderClass",
    "OrderManager",
    "OrderSide",
    "OrderType",
    "PositionSide",
    "PositionTracker",
    "PreTradeRiskChecker",
    "RiskEvent",
    "Signal",
    "StopLoss",
    "Strategy",
    "TakeProfit",
    "TimeInForce",
    "VectorStrategy",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
