"""The strategy of the drill: with every bar it leaves one more order resting, so that a halt always finds some."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from quant_trading_system.core.numbers import floor_to_tick
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.trading.strategy import MarketView, Strategy

NAME = "drill"
_BELOW = Decimal("0.90")
_SOLD_SHORT = "XOM"
"""A bid of ours there would forbid the sale with which the drill begins."""


class DrillTrader(Strategy):
    """Bids for one share, a tenth below the market."""

    name = NAME

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        """One bid, on each symbol in turn but the one that is sold short."""
        symbols = [symbol for symbol in market.symbols if symbol != _SOLD_SHORT]
        symbol = symbols[market.bar % len(symbols)]
        close = market.close(symbol)
        if close is not None:
            yield Order(
                symbol=symbol,
                side=OrderSide.BUY,
                quantity=Decimal(1),
                order_type=OrderType.LIMIT,
                limit_price=floor_to_tick(close * _BELOW),
                time_in_force=TimeInForce.DAY,
            )
