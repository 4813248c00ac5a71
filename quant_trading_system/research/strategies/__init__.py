"""Strategies to start from, each in a file of its own that fits on a screen. Copy one and change it.

They are examples of how a strategy is written and tested, not of how money is made.
"""

from __future__ import annotations

from quant_trading_system.research.strategies.buy_and_hold import BuyAndHold
from quant_trading_system.research.strategies.learned import Learned
from quant_trading_system.research.strategies.mean_reversion import MeanReversion
from quant_trading_system.research.strategies.momentum import Momentum
from quant_trading_system.research.strategies.pairs import Pairs
from quant_trading_system.research.strategies.risk_parity import RiskParity
from quant_trading_system.research.strategies.volatility_managed import VolatilityManaged

__all__ = ["BuyAndHold", "Learned", "MeanReversion", "Momentum", "Pairs", "RiskParity", "VolatilityManaged"]
