"""An order as a person writes it out, for the commands that take one."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.command import Command, Identity
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce


class Ticket(Command, frozen=True, kw_only=True):
    """An order as a person writes it out; the fields are those of `Order`."""

    symbol: Identity
    side: OrderSide
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    quantity: Decimal = ZERO
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    reduce_only: bool = False
    repeat: bool = False

    def order(self, client_order_id: str = "") -> Order:
        """The order that it describes.

        Raises:
            InvalidOrder: no order can be like that.
        """
        return Order(
            client_order_id=client_order_id, **{field: getattr(self, field) for field in Ticket.__struct_fields__}
        )
