"""Bracket, OTO and OCO orders: which of them are taken, and the simple orders that they are made of.

Source:
    Alpaca, "Placing orders": the exits' prices lie at least a cent from the base price, which is the limit of the
    entry, of the take-profit in an OCO order, and for stops in any case the market's price, too.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.numbers import plain
from quant_trading_system.core.order_groups import legs_of
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.simulation.admission import Application, unprocessable

_CENT = Decimal("0.01")


def ask_group(application: Application) -> None:
    """Refuse a group that does not fit the position, or whose prices do not fit each other.

    Raises:
        VenueRefusal: says what is wrong; for prices with the `base_price`.
    """
    order, quote = application.order, application.quote
    if order.order_class is OrderClass.SIMPLE or quote is None:
        return
    leaves = order.order_class is OrderClass.OCO
    if application.is_closing is not leaves:
        raise unprocessable(f"{order.order_class} orders must be {'exit' if leaves else 'entry'} orders")
    market = quote.mid if quote.last is None else quote.last
    entry = order.side.opposite if leaves else order.side  # the side that began, or will begin, the position
    profit = None if order.take_profit is None else order.take_profit.limit_price
    loss = None if order.stop_loss is None else order.stop_loss.stop_price
    base = profit if leaves else order.limit_price or market
    require_exits_apart(entry, profit, loss)
    require_exits_beyond(entry, base, None if leaves else profit, loss)
    require_exits_beyond(entry, market, None, loss)


def require_exits_apart(entry: OrderSide, profit: Decimal | None, loss: Decimal | None) -> None:
    """The take-profit lies on the profitable side of the stop-loss.

    Raises:
        VenueRefusal: it does not.
    """
    if profit is not None and loss is not None and entry.sign * (profit - loss) <= 0:
        sign = ">" if entry is OrderSide.BUY else "<"
        raise unprocessable(f"take_profit.limit_price must be {sign} stop_loss.stop_price")


def require_exits_beyond(entry: OrderSide, base: Decimal | None, profit: Decimal | None, loss: Decimal | None) -> None:
    """The exits lie at least a cent from `base`, each on its own side.

    Raises:
        VenueRefusal: with the `base_price`.
    """
    if base is None:
        return
    less, more = ("<= base_price - 0.01", ">= base_price + 0.01")
    if entry is OrderSide.SELL:
        less, more = more, less
    if profit is not None and entry.sign * (profit - base) < _CENT:
        raise unprocessable(f"take_profit.limit_price must be {more}", base_price=plain(base))
    if loss is not None and entry.sign * (base - loss) < _CENT:
        raise unprocessable(f"stop_loss.stop_price must be {less}", base_price=plain(base))


def members_of(order: Order) -> list[Order]:
    """The simple orders that a group is worked as: the leader first, then take-profit and stop-loss."""
    leader = msgspec.structs.replace(order, order_class=OrderClass.SIMPLE, take_profit=None, stop_loss=None,
                                     limit_price=_leading_limit(order))  # fmt: skip
    return [leader, *(msgspec.structs.replace(leg, client_order_id="") for leg in legs_of(order).values())]


def _leading_limit(order: Order) -> Decimal | None:
    """An OCO order is its own take-profit."""
    if order.order_class is OrderClass.OCO and order.take_profit is not None:
        return order.take_profit.limit_price
    return order.limit_price
