"""Momentum across stocks."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.numbers import cut, from_float
from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.strategy import MarketView, Strategy


class Momentum(Strategy):
    """Once a month, hold the stocks that gained most over a year, the last month left out, in calm sizes.

    Every holding gets the same share of `gross`, scaled down for stocks that move more than the median one.

    Source: Jegadeesh & Titman (1993) for the twelve-month-minus-one ranking.
    """

    def __init__(
        self, *, hold: int = 8, every: int = 21, lookback: int = 252, gross: Decimal = Decimal("0.72")
    ) -> None:
        """Hold `hold` stocks, decide every `every` bars on `lookback` bars, invest `gross` of equity at most."""
        self.hold = hold
        self.every = every
        self.lookback = lookback
        self.gross = gross

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Rank, and ask for the best; everything else is to be flat."""
        if (market.bar - 1) % self.every:
            return
        gains = {}
        for symbol in market.symbols:
            closes = market.closes(symbol, self.lookback + 1)
            if len(closes) == self.lookback + 1:
                gains[symbol] = closes[-self.every] / closes[0] - 1
        best = sorted(gains, key=lambda symbol: (-gains[symbol], symbol))[: self.hold]
        calm = dict(zip(market.symbols, market.returns(63).std(axis=0), strict=True)) if best else {}
        typical = sorted(calm[symbol] for symbol in best)[len(best) // 2] if best else 0.0
        for symbol in market.symbols:
            if symbol in best and gains[symbol] > 0:
                size = min(1.0, typical / calm[symbol])
                weight = cut(self.gross / self.hold * from_float(size, 4))
                reason = f"rank {best.index(symbol) + 1}: {gains[symbol]:+.1%} in a year"
                yield market.long(symbol, weight=weight, reason=reason)
            elif market.position(symbol):
                yield market.flat(symbol, reason="no longer among the best")
