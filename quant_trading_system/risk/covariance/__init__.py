"""Covariances of returns: seven estimators, repair, gaps handled by name, and no look into the future."""

from quant_trading_system.risk.covariance.estimate import (
    Covariance,
    CovarianceModel,
    Estimator,
    Gaps,
    known_returns,
    walk_forward,
)
from quant_trading_system.risk.covariance.psd import Repair

__all__ = ["Covariance", "CovarianceModel", "Estimator", "Gaps", "Repair", "known_returns", "walk_forward"]
