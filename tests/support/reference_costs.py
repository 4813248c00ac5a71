"""What trading costs in the second simulation: fees by the day, and slippage.

Written from docs/backtest.md alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.support.reference_prices import BUY, CENT, SELL, up

ZERO = Fraction(0)
DIGITS = 10**30


@dataclass(frozen=True)
class Row:
    """What is charged from a day on: dollars a dollar or a share, and at most so many dollars for one execution."""

    since: date
    rate: Fraction
    cap: Fraction | None = None


Charge = Sequence[Row]


@dataclass(frozen=True)
class Costs:
    """What trading costs, and how many microseconds orders and reports are on their way.

    Attributes:
        slippage_bps: of the far side; `slippage_spread`: a share of the spread.
        impact_bps: of the far side for all that trades in a step, with the square root of our share of it.
        participation: at most this share of what trades in a step is ours; None for no limit.
        through: what rests trades only when the far side is better than its limit.
        at_open, half_life: times as wide the spread is when a session opens, and microseconds in which that halves.
        queue: a limit order that rests waits for those before it.
        curve: times as much of a daily bar as at noon trades at the open, and at the close.
        sec, taf, cat: fees of the dollars sold, of the shares sold, and of shares on both sides.
    """

    spread_bps: Fraction = ZERO
    slippage_bps: Fraction = ZERO
    slippage_spread: Fraction = ZERO
    impact_bps: Fraction = ZERO
    order_takes: int = 0
    report_takes: int = 0
    participation: Fraction | None = None
    through: bool = False
    at_open: Fraction = Fraction(1)
    half_life: int = 900_000_000
    queue: bool = False
    curve: tuple[Fraction, Fraction] = (Fraction(3), Fraction(3))
    sec: Charge = ()
    taf: Charge = ()
    cat: Charge = ()

    def spread(self, since_open: int) -> Fraction:
        """Basis points, so many microseconds after the opening."""
        later = Fraction(0.5 ** (since_open / self.half_life))
        return self.spread_bps * (1 + (self.at_open - 1) * later)

    def fee(self, day: date, side: int, quantity: Fraction, price: Fraction) -> Fraction:
        """Dollars for one execution, each charge rounded up to the cent."""
        fee = _charged(self.cat, day, Fraction(math.ceil(quantity)))
        if side == SELL:
            fee += _charged(self.sec, day, quantity * price) + _charged(self.taf, day, quantity)
        return fee

    def slippage(self, side: int, quote: tuple[Fraction, Fraction], quantity: Fraction, volume: Fraction) -> Fraction:
        """Dollars a share beyond the far side, of which `quantity` trades while all others trade `volume`."""
        bid, ask = quote
        far = ask if side == BUY else bid
        cost = far * self.slippage_bps / 10_000 + self.slippage_spread * (ask - bid)
        if self.impact_bps and volume:
            cost += far * self.impact_bps / 10_000 * _root(quantity / volume)
        return cost


def _charged(rows: Charge, day: date, base: Fraction) -> Fraction:
    if not rows:
        return ZERO
    row = max((one for one in rows if one.since <= day), key=lambda one: one.since, default=rows[0])
    fee = up(base * row.rate, CENT)
    return fee if row.cap is None else min(fee, row.cap)


def _root(number: Fraction) -> Fraction:
    """The square root, to thirty digits."""
    return Fraction(math.isqrt(number.numerator * DIGITS**2 // number.denominator), DIGITS)
