"""A strategy that always has something in flight: it enters, rests an exit, takes it back, leaves, and begins anew.

The last of its symbols only rests, below the market, until somebody moves the price.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from quant_trading_system.core.numbers import floor_to_tick
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Signal
from quant_trading_system.trading.strategy import MarketView, Strategy

STEPS = 4
RESTS_EVERY = 12
FAR = Decimal("1.03")
ACROSS = Decimal("1.01")
BELOW = Decimal("0.98")


class BusyTrader(Strategy):
    """Its symbols are at different steps of the same circle."""

    def on_bar(self, market: MarketView) -> Iterator[Signal | Order]:
        *turned, rests = market.symbols
        if market.bar % RESTS_EVERY == 1:
            yield _limit(market, rests, OrderSide.BUY, Decimal(1), BELOW)
        for place, symbol in enumerate(turned):
            step, held = (market.bar + place) % STEPS, market.position(symbol)
            if step == 0:
                yield market.long(symbol, weight="0.05")
            elif step == 1 and held > 0:
                yield _limit(market, symbol, OrderSide.SELL, held, FAR)
            elif step == 2:
                yield market.flat(symbol)
            elif step == 3 and held == 0:
                yield _limit(market, symbol, OrderSide.BUY, Decimal(1 + market.bar % 50), ACROSS)


def _limit(market: MarketView, symbol: str, side: OrderSide, quantity: Decimal, factor: Decimal) -> Order:
    price = market.close(symbol)
    assert price is not None
    return Order(
        symbol=symbol,
        side=side,
        quantity=quantity,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY if factor != ACROSS else TimeInForce.IOC,
        limit_price=floor_to_tick(price * factor),
    )
