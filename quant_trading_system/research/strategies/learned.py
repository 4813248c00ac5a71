"""A signal that is learned, and learned again as time goes on."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import numpy as np

from quant_trading_system.core.numbers import cut
from quant_trading_system.core.signals import Signal
from quant_trading_system.research.learning import Panel, learn
from quant_trading_system.trading.strategy import MarketView, Strategy


class Learned(Strategy):
    """Once a month, holds the stocks that a logistic regression expects to beat the median one over the month.

    It learns anew every quarter, from rows whose outcome is known by then. How much it is regularised is chosen by a
    purged walk-forward test; when no choice beats a coin there, nothing is held until the next quarter.

    Source: López de Prado (2018) for purging; Gu, Kelly & Xiu (2020) for learning across stocks.
    """

    def __init__(self, *, horizon: int = 21, lookback: int = 756, hold: int = 8) -> None:
        """Learn from `lookback` bars what the next `horizon` bring; hold `hold` stocks in equal parts.

        Raises:
            StrategyError: scikit-learn is not installed.
        """
        self.horizon, self.lookback, self.hold = horizon, lookback, hold
        self.model: Any = None
        self.skill = 0.0

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Learn when it is time, then rank."""
        if (market.bar - 1) % self.horizon:
            return
        panel = Panel.of(np.column_stack([market.closes(s, self.lookback) for s in market.symbols]), self.horizon)
        if panel is None:
            return
        if (market.bar - 1) % (3 * self.horizon) == 0:
            self.model, self.skill = learn(panel)
        chances = np.zeros(len(market.symbols)) if self.model is None else panel.chances(self.model)
        best = {market.symbols[i] for i in np.argsort(-chances, kind="stable")[: self.hold] if chances[i] > 0.5}
        for symbol, chance in zip(market.symbols, chances, strict=True):
            if symbol in best:
                reason = f"beats the median with a chance of {chance:.1%}; accuracy in tests {self.skill:.1%}"
                yield market.long(symbol, weight=cut(Decimal("0.72") / self.hold), reason=reason)
            elif market.position(symbol):
                yield market.flat(symbol, reason="no longer among the best")
