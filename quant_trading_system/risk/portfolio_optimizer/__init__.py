"""The portfolio optimiser: exact solvers where every bar asks, cvxpy and skfolio for everything else."""

from quant_trading_system.risk.portfolio_optimizer.black_litterman import Posterior, black_litterman
from quant_trading_system.risk.portfolio_optimizer.portfolio import Attempt, Portfolio, exact_weights
from quant_trading_system.risk.portfolio_optimizer.problem import (
    Constraints,
    Costs,
    Method,
    Problem,
    View,
    participation_caps,
)
from quant_trading_system.risk.portfolio_optimizer.solving import frontier, optimize

__all__ = [
    "Attempt",
    "Constraints",
    "Costs",
    "Method",
    "Portfolio",
    "Posterior",
    "Problem",
    "View",
    "black_litterman",
    "exact_weights",
    "frontier",
    "optimize",
    "participation_caps",
]
