"""Less when it is wild, more when it is calm."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from quant_trading_system.core.numbers import cut, from_float
from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.strategy import MarketView, Strategy


class VolatilityManaged(Strategy):
    """Equal parts of everything, once a month scaled by the usual over the latest variance of the whole.

    The usual variance is the mean of those of all months so far; the exposure is never above `gross`.

    Source: Moreira & Muir (2017), Volatility-managed portfolios: they scale by the variance, not by the volatility.
    """

    def __init__(self, *, month: int = 21, memory: int = 504, gross: Decimal = Decimal("0.95")) -> None:
        """Compare the variance of the last `month` bars with that of `memory` bars."""
        self.month = month
        self.memory = memory
        self.gross = gross

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Once a month, ask for the same share of everything."""
        if (market.bar - 1) % self.month:
            return
        returns = market.returns(self.memory)
        known = [s for s, column in zip(market.symbols, returns.T, strict=True) if np.isfinite(column).all()]
        whole = np.nanmean(returns, axis=1)
        if len(whole) < 3 * self.month or not whole[-self.month :].var() > 0:
            return
        scale = min(1.0, float(whole.var() / whole[-self.month :].var()))
        for symbol in known:
            weight = cut(self.gross / len(known) * from_float(scale, 4))
            yield market.long(symbol, weight=weight, reason=f"variance of the month: {scale:.2f} of full size")
