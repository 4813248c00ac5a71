"""A basket of orders in a CSV file: one order a line, below a line with the names of the columns."""

from __future__ import annotations

from pathlib import Path

from quant_trading_system.app.csv_lines import csv_lines
from quant_trading_system.core.exceptions import ConfigurationError, InvalidOrder
from quant_trading_system.core.numbers import exact
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce

_NEEDED, _OPTIONAL = ("symbol", "side", "quantity"), ("limit", "strategy")


def read_basket(path: Path) -> tuple[Order, ...]:
    """The orders of the file, each for the day.

    Raises:
        ConfigurationError: the file cannot be read, holds no order, or a line makes none; names the line.
    """
    orders = []
    for number, fields in csv_lines(path, _NEEDED, _OPTIONAL):
        try:
            orders.append(_order(fields))
        except (ValueError, TypeError, InvalidOrder) as error:
            raise ConfigurationError(f"{path}, line {number}: {error}") from error
    if not orders:
        raise ConfigurationError(f"{path} holds no order")
    return tuple(orders)


def _order(fields: dict[str, str]) -> Order:
    limit = exact(fields["limit"]) if fields.get("limit") else None
    return Order(
        symbol=fields["symbol"].upper(),
        side=OrderSide(fields["side"].lower()),
        order_type=OrderType.MARKET if limit is None else OrderType.LIMIT,
        time_in_force=TimeInForce.DAY,
        quantity=exact(fields["quantity"]),
        limit_price=limit,
        strategy=fields.get("strategy", ""),
    )
