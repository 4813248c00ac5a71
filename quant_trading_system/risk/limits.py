"""The front door of risk: the kill switch, the gate and the limits under one name."""

from __future__ import annotations

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import KillSwitchActiveError, KillSwitchIncomplete, ResetRefused
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.pre_trade import ApprovedOrder, PreTradeRiskChecker

__all__ = [
    "ApprovedOrder",
    "HaltLevel",
    "KillSwitch",
    "KillSwitchActiveError",
    "KillSwitchIncomplete",
    "PreTradeRiskChecker",
    "ResetRefused",
    "RiskLimits",
]
