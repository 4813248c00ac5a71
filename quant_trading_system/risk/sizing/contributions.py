"""Where the risk of a portfolio lies: volatility, and the share of each position in it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np

from quant_trading_system.core.exceptions import EstimateError
from quant_trading_system.risk.covariance import Covariance


class PortfolioRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Ex-ante risk of weights.

    Attributes:
        volatility: of a year, as a fraction of equity.
        contributions: by symbol, shares of the variance; negative for what takes risk away; their sum is one.
        gross, net: sums of absolute and of signed weights; largest: absolute weight.
        positions: the effective number of them, one over the sum of squared shares of gross.
    """

    volatility: float
    contributions: dict[str, float]
    gross: float
    net: float
    largest: float
    positions: float


def risk_of(weights: Mapping[str, Decimal], covariance: Covariance, periods: int = 252) -> PortfolioRisk:
    """The risk of signed weights, fractions of equity, under a covariance of returns of which a year has `periods`.

    Raises:
        EstimateError: a weight of a symbol that the covariance does not know.
    """
    held = {symbol: float(weight) for symbol, weight in weights.items() if weight}
    unknown = sorted(held.keys() - set(covariance.symbols))
    if unknown:
        raise EstimateError(f"the covariance does not know {', '.join(unknown)}; estimate it for all that is held")
    w = np.array([held.get(symbol, 0.0) for symbol in covariance.symbols])
    parts = w * (covariance.matrix @ w)
    variance = float(parts.sum())
    shares = parts / variance if variance > 0 else np.zeros_like(w)
    gross = float(np.abs(w).sum())
    return PortfolioRisk(
        volatility=float(np.sqrt(max(variance, 0.0) * periods)),
        contributions={s: float(share) for s, share in zip(covariance.symbols, shares, strict=True) if s in held},
        gross=gross,
        net=float(w.sum()),
        largest=float(np.abs(w).max(initial=0.0)),
        positions=gross**2 / float((w**2).sum()) if held else 0.0,
    )
