"""Positions by average cost, exact to the last digit.

The books keep the *cost of the open quantity* rather than an average price, so that an average such as
30.02 / 3 never has to be rounded; only a partial close divides, and what the rounding leaves stays in the
open cost. Therefore, after every fill and for any mark,

    cash flow + quantity · mark  =  realized P&L + unrealized P&L − fees        (exactly)
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from quant_trading_system.core.numbers import LEDGER, ZERO, divide

COST_QUANTUM = Decimal("1E-18")
"""Dollars; the step to which the released cost of a partial close is rounded."""


class PositionSide(StrEnum):
    """Long, short, or nothing held."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class Applied(NamedTuple):
    """What one fill did to a position.

    Attributes:
        realized: gross profit or loss of the quantity that it closed (dollars).
        round_trip: net profit or loss since the position was opened, when this fill closed it; else None.
    """

    realized: Decimal
    round_trip: Decimal | None


class Position:
    """Quantity and cost of one symbol.

    Attributes:
        quantity: shares, negative when short.
        cost: signed cost of the open quantity in dollars; negative when short.
        realized_pnl: dollars, before fees.
        fees: dollars paid so far.
        mark: last valid price, None before the first one.
    """

    __slots__ = ("_trip_pnl", "cost", "fees", "mark", "quantity", "realized_pnl", "symbol")

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = ZERO
        self.cost = ZERO
        self.realized_pnl = ZERO
        self.fees = ZERO
        self.mark: Decimal | None = None
        self._trip_pnl = ZERO

    def __repr__(self) -> str:
        return f"Position({self.symbol} {self.quantity} @ {self.average_price:f})"

    @property
    def side(self) -> PositionSide:
        """Long, short or flat."""
        if self.quantity > 0:
            return PositionSide.LONG
        return PositionSide.SHORT if self.quantity < 0 else PositionSide.FLAT

    @property
    def average_price(self) -> Decimal:
        """Dollars a share, rounded for reading to 18 decimals; 0 when flat."""
        return divide(self.cost, self.quantity, COST_QUANTUM) if self.quantity else ZERO

    @property
    def market_value(self) -> Decimal:
        """Signed dollars at the last mark; at cost while there is no mark."""
        return self.cost if self.mark is None else LEDGER.multiply(self.quantity, self.mark)

    @property
    def unrealized_pnl(self) -> Decimal:
        """Dollars at the last mark."""
        return LEDGER.subtract(self.market_value, self.cost)

    def adopt(self, quantity: Decimal, cost: Decimal) -> None:
        """Take over shares that were bought before these books began: neither a fill nor a profit."""
        self.quantity = LEDGER.add(self.quantity, quantity)
        self.cost = LEDGER.add(self.cost, cost)

    def apply(self, signed_quantity: Decimal, price: Decimal, fee: Decimal = ZERO) -> Applied:
        """Book one execution: positive quantities buy, negative ones sell; a flip closes, then opens.

        Source: average-cost accounting; fees beside the gross profit, outside the average price.
        """
        closing = self._closed_by(signed_quantity)
        realized = self._close(closing, price) if closing else ZERO
        opening = LEDGER.subtract(signed_quantity, closing)
        self.fees = LEDGER.add(self.fees, fee)
        self._trip_pnl = LEDGER.add(self._trip_pnl, LEDGER.subtract(realized, fee))
        round_trip = None
        if closing and not self.quantity:
            round_trip, self._trip_pnl = self._trip_pnl, ZERO
        if opening:
            self.cost = LEDGER.add(self.cost, LEDGER.multiply(opening, price))
            self.quantity = LEDGER.add(self.quantity, opening)
        return Applied(realized, round_trip)

    def _closed_by(self, signed_quantity: Decimal) -> Decimal:
        held = self.quantity
        if not held or (held > 0) == (signed_quantity > 0):
            return ZERO
        return signed_quantity if signed_quantity.copy_abs() <= held.copy_abs() else held.copy_negate()

    def _close(self, closing: Decimal, price: Decimal) -> Decimal:
        held = self.quantity
        leaving = closing.copy_negate()  # the signs of arithmetic operators would round to the thread's context
        if leaving == held:
            released = self.cost
        else:
            released = divide(LEDGER.multiply(self.cost, leaving), held, COST_QUANTUM)
        realized = LEDGER.subtract(LEDGER.multiply(leaving, price), released)
        self.cost = LEDGER.subtract(self.cost, released)
        self.quantity = LEDGER.subtract(held, leaving)
        self.realized_pnl = LEDGER.add(self.realized_pnl, realized)
        return realized
