"""Short ways to write an order in a test."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce


def order(side: str, quantity: str | int, symbol: str = "KO", limit: str | None = None, **fields: Any) -> Order:
    """A day order of `quantity` shares: at `limit` when given, else at the market.

    `repeat` is set, so that only tests about duplicates meet the duplicate window.
    """
    return Order(
        symbol=symbol,
        side=OrderSide(side),
        quantity=Decimal(quantity),
        order_type=fields.pop("order_type", OrderType.MARKET if limit is None else OrderType.LIMIT),
        time_in_force=fields.pop("time_in_force", TimeInForce.DAY),
        limit_price=None if limit is None else Decimal(limit),
        repeat=fields.pop("repeat", True),
        **fields,
    )


def buy(quantity: str | int, symbol: str = "KO", limit: str | None = None, **fields: Any) -> Order:
    """An order to buy."""
    return order("buy", quantity, symbol, limit, **fields)


def sell(quantity: str | int, symbol: str = "KO", limit: str | None = None, **fields: Any) -> Order:
    """An order to sell."""
    return order("sell", quantity, symbol, limit, **fields)
