"""Groups of orders in KO, which is offered at 99.99 to 100.01."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from quant_trading_system.core.orders import Order, OrderClass, OrderType, StopLoss, TakeProfit
from tests.support.orders import buy, sell

LEADER, PROFIT, LOSS = "run-1-0", "run-1-0.tp", "run-1-0.sl"


def take_profit(price: str = "110.00") -> TakeProfit:
    return TakeProfit(limit_price=Decimal(price))


def stop_loss(price: str = "95.00") -> StopLoss:
    return StopLoss(stop_price=Decimal(price))


def bracket(quantity: int = 10, **fields: Any) -> Order:
    """Buy, then sell at 110, or at the market below 95."""
    return buy(
        quantity, order_class=OrderClass.BRACKET, **{"take_profit": take_profit(), "stop_loss": stop_loss(), **fields}
    )


def oto(quantity: int = 10, **fields: Any) -> Order:
    """Buy, then sell at the market below 95."""
    return buy(quantity, order_class=OrderClass.OTO, **{"stop_loss": stop_loss(), **fields})


def oco(quantity: int = 10, **fields: Any) -> Order:
    """Sell what is held at 110, or at the market below 95."""
    return sell(
        quantity,
        order_type=OrderType.LIMIT,
        order_class=OrderClass.OCO,
        **{"take_profit": take_profit(), "stop_loss": stop_loss(), **fields},
    )
