"""What a halt covers: the whole account, or the orders of a strategy, a symbol, a side, or of these together."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from quant_trading_system.core.orders import OrderSide


class Aimed(Protocol):
    """An order or a parent order: somebody wants to trade a symbol on a side."""

    @property
    def symbol(self) -> str:
        """What is traded."""

    @property
    def strategy(self) -> str:
        """Who wants it."""

    @property
    def side(self) -> OrderSide:
        """Buy or sell."""


class HaltScope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Orders that agree with every field that is set; all of the account when none is.

    Attributes:
        symbol: its orders only; empty for any.
        strategy: its orders only; empty for any.
        side: orders of this side only, None for both. The position that a side builds is long for buys and short
            for sells.
    """

    symbol: str = ""
    strategy: str = ""
    side: OrderSide | None = None

    @property
    def is_account(self) -> bool:
        """True when nothing narrows it."""
        return not self.symbol and not self.strategy and self.side is None

    def covers(self, order: Aimed) -> bool:
        """True when `order` is one of those that the scope speaks of."""
        return (
            (not self.symbol or order.symbol == self.symbol)
            and (not self.strategy or order.strategy == self.strategy)
            and (self.side is None or order.side is self.side)
        )

    def covers_position(self, symbol: str, quantity: Decimal) -> bool:
        """True when a position of signed shares is of this symbol and was built by this side; any strategy."""
        if self.symbol and symbol != self.symbol:
            return False
        return self.side is None or (quantity > 0) == (self.side is OrderSide.BUY)

    def __str__(self) -> str:
        """``the account``, or what narrows it: ``symbol KO, side buy``."""
        parts = {"strategy": self.strategy, "symbol": self.symbol, "side": "" if self.side is None else self.side.value}
        return ", ".join(f"{name} {value}" for name, value in parts.items() if value) or "the account"


ACCOUNT = HaltScope()
"""Every order of the account."""
