"""What the gate says to one order of a basket."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quant_trading_system.core.orders import OrderSide


class BasketLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order of a basket, in the order in which they were given.

    Attributes:
        quantity: shares; 0 for an order in dollars.
        passes: with all orders before it that pass counted as open.
        takes_risk: it is not proven to shrink a position; of these, all or none may leave.
        rule, limit, actual, message: of a refusal.
    """

    symbol: str
    side: OrderSide
    quantity: Decimal
    passes: bool
    takes_risk: bool
    rule: str = ""
    limit: Decimal | None = None
    actual: Decimal | None = None
    message: str = ""
