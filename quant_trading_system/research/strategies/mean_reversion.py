"""Reversal within a month."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.numbers import from_float
from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.strategy import MarketView, Strategy


class MeanReversion(Strategy):
    """Buys what fell far below its average without falling out of its rising trend, and sells it at the average.

    A stock is far below when its close lies `entry` standard deviations under the mean of `window` closes. Its stop is
    as far away again; without a rise over `trend` bars it is left alone.

    Source: Jegadeesh (1990) and Lehmann (1990) for the reversal; the bands are Bollinger's (2001).
    """

    def __init__(
        self, *, window: int = 20, entry: float = 2.0, trend: int = 200, weight: Decimal = Decimal("0.05")
    ) -> None:
        """Look at `window` bars, and give every holding `weight` of equity."""
        self.window = window
        self.entry = entry
        self.trend = trend
        self.weight = weight

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Ask every stock how far it is from its average."""
        for symbol in market.symbols:
            closes = market.closes(symbol, self.trend)
            recent = closes[-self.window :]
            if len(closes) < self.trend or not (recent > 0).all() or not recent.std() > 0:
                continue
            distance = (recent[-1] - recent.mean()) / recent.std(ddof=1)
            if market.position(symbol):
                if distance >= 0:
                    yield market.flat(symbol, reason="back at its average")
            elif distance <= -self.entry and recent.mean() > closes.mean():
                stop = from_float(float(recent[-1] - self.entry * recent.std(ddof=1)), 2)
                if stop > 0:
                    reason = f"{-distance:.1f} deviations below its average"
                    yield market.long(symbol, weight=self.weight, stop_price=stop, reason=reason)
