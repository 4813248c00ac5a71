"""A basket of orders in a CSV file: one order a line, below a line with the names of the columns."""

from __future__ import annotations

import csv
from pathlib import Path

from quant_trading_system.core.exceptions import ConfigurationError, InvalidOrder
from quant_trading_system.core.numbers import exact
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce

COLUMNS = ("symbol", "side", "quantity", "limit", "strategy")
"""The last two may be missing, or empty in a line."""
_NEEDED = COLUMNS[:3]
MOST_BYTES = 1_000_000


def read_basket(path: Path) -> tuple[Order, ...]:
    """The orders of the file, each for the day.

    Raises:
        ConfigurationError: the file cannot be read, holds no order, or a line makes none; names the line.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"{path} is too large for a basket of orders")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    lines = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in lines.fieldnames or ()]
    if not set(_NEEDED) <= set(names) <= set(COLUMNS):
        raise ConfigurationError(
            f"{path}: the first line must name the columns {', '.join(COLUMNS)}; two may be missing"
        )
    lines.fieldnames = names
    orders = []
    for line in lines:
        try:
            orders.append(_order({name: (value or "").strip() for name, value in line.items() if name in COLUMNS}))
        except (ValueError, TypeError, InvalidOrder) as error:
            raise ConfigurationError(f"{path}, line {lines.line_num}: {error}") from error
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
