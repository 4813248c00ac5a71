"""Equal parts, bought once."""

from __future__ import annotations

from collections.abc import Iterable

from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.strategy import MarketView, Strategy


class BuyAndHold(Strategy):
    """Buys every symbol once, in equal parts, and keeps it."""

    def on_bar(self, market: MarketView) -> Iterable[Signal]:
        """Ask for everything on the first bar."""
        if market.bar == 1:
            for symbol in market.symbols:
                yield market.long(symbol, reason="buy and hold")
