"""What the account of the second simulation may do.

Written from docs/risk-limits.md alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from tests.support.reference_venue import Want


@dataclass(frozen=True)
class Terms:
    """In what sizes symbols trade: lots in shares, where these are not one, and which symbols trade in parts of one."""

    lots: Mapping[str, Fraction] = field(default_factory=dict)
    fractionable: frozenset[str] = frozenset()

    def lot(self, symbol: str) -> Fraction:
        """Shares that orders are multiples of."""
        return self.lots.get(symbol, Fraction(1))

    def forbid(self, want: Want) -> bool:
        """It is not of such a size."""
        if want.is_fraction:
            return want.symbol not in self.fractionable
        return want.quantity % self.lot(want.symbol) != 0


WHOLE_SHARES = Terms()


@dataclass(frozen=True)
class Limits:
    """What the account may do: parts of equity where nothing else is said.

    Attributes:
        position, sector, gross, net: worst-case values; `squares`: of all values, added up.
        power: buying power.
        position_dollars, position_shares: of one symbol; `positions`: symbols.
        least, most: dollars of an order; `shares`: of an order.
        open_of_symbol, open_orders: orders, the new one included.
        orders_a_minute, dollars_a_minute, orders_a_day, dollars_a_day, turnover: of what leaves.
        collar: how far a price may hurt, and `spread`: how wide the quote may be, as parts of the price.
        settled_only: purchases are paid with cash that has settled.
        correlation: of returns over `window` bars, of which `fewest` are known; of bets that lie the other way less it.
        volume: of the shares that trade on an average day, for one order, and `volume_a_day` for all those of a day.
        repeats: seconds in which an identical order is one too many.
        sectors: of symbols that do not share the one without a name.
    """

    position: Fraction = Fraction(1)
    sector: Fraction = Fraction(1)
    gross: Fraction = Fraction(4)
    net: Fraction | None = None
    squares: Fraction | None = None
    power: Fraction = Fraction(4)
    position_dollars: Fraction | None = None
    position_shares: Fraction = Fraction(10**8)
    positions: int = 500
    least: Fraction = Fraction(1, 100)
    most: Fraction = Fraction(10**7)
    shares: Fraction = Fraction(10**7)
    open_of_symbol: int = 1000
    open_orders: int = 10_000
    orders_a_minute: int = 10**5
    dollars_a_minute: Fraction = Fraction(10**12)
    orders_a_day: int = 10**7
    dollars_a_day: Fraction = Fraction(10**13)
    turnover: Fraction | None = None
    collar: Fraction = Fraction(9, 10)
    spread: Fraction = Fraction(9, 10)
    settled_only: bool = False
    correlation: Fraction = Fraction(1)
    window: int = 60
    fewest: int = 5
    volume: Fraction | None = None
    volume_a_day: Fraction | None = None
    repeats: int = 5
    sectors: Mapping[str, str] = field(default_factory=dict)


WIDE = Limits()
