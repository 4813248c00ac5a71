"""How the simulated market answers to us and to the time of day: everything here is off unless it is asked for.

Parameters are known exactly, so that what is measured afterwards can be compared with what was put in. All
decisions on prices and quantities are in `Decimal`; a displacement of prices is a whole number of parts.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple, Protocol

import msgspec

from quant_trading_system.core.numbers import BASIS_POINT, ONE, ZERO
from quant_trading_system.simulation.matching import whole_or_fraction

PARTS = 1_000_000_000_000
"""A displacement of prices is counted in so many parts of the price."""

_HALF = Decimal("0.5")
_BISECTIONS = 80


class MarketImpact(msgspec.Struct, frozen=True, kw_only=True):
    """What our own executions do to prices.

        temporary: what a share costs on top = temporary_bps · price · rate ^ exponent
        permanent: how far all later prices move = permanent_bps · price · quantity / volume of the day

    `rate` is our shares over those that the market trades in the same window, a step of the market. An exponent of
    1 is the linear model, ½ the square-root law, 3/5 that of Almgren et al. The permanent part is always linear,
    for with any other shape a round trip could earn money. What an order pays is rounded to the nearest tick.

    Attributes:
        temporary_bps: basis points at a rate of 1; `permanent_bps`: basis points for the volume of a day.

    Raises:
        ValueError: a parameter is out of range.

    Source:
        Almgren & Chriss (2000); Almgren, Thum, Hauptmann & Li (2005); Huberman & Stanzl (2004) for the linear part.
    """

    temporary_bps: Decimal = ZERO
    permanent_bps: Decimal = ZERO
    exponent: Decimal = ONE

    def __post_init__(self) -> None:
        if min(self.temporary_bps, self.permanent_bps) < 0:
            raise ValueError("impact is a cost: its parameters are at least 0")
        if not 0 < self.exponent <= 1:
            raise ValueError(f"the exponent of the impact is {self.exponent}; it must be above 0 and at most 1")

    def adverse(self, price: Decimal, before: Decimal, quantity: Decimal, volume: Decimal | None) -> Decimal:
        """Dollars a share that `quantity` shares cost on top, after `before` in the same window.

        The cost of a window does not depend on how its orders are cut: each pays what it adds to it.

        Args:
            volume: shares that the market trades in the window; nothing is paid where it is unknown or zero.
        """
        if not self.temporary_bps or not volume:
            return ZERO
        after = before + quantity
        added = after * self._power(after / volume) - before * self._power(before / volume)
        return self.temporary_bps * BASIS_POINT * price * added / quantity

    def affordable(
        self,
        price: Decimal,
        room: Decimal,
        before: Decimal,
        wanted: Decimal,
        volume: Decimal | None,
        *,
        fractional: bool,
    ) -> Decimal:
        """The most shares of `wanted` that cost at most `room` dollars a share on top."""
        if self.adverse(price, before, wanted, volume) <= room:
            return wanted
        low, high = ZERO, wanted
        for _ in range(_BISECTIONS):
            middle = whole_or_fraction((low + high) * _HALF, fractional=fractional)
            if middle <= low:
                break
            if self.adverse(price, before, middle, volume) <= room:
                low = middle
            else:
                high = middle
        return low

    def displacement(self, shares: Decimal, daily_volume: Decimal) -> int:
        """Parts of the price by which `shares` move it for good; those of a sale are negative, so that they add up."""
        if not daily_volume:
            return 0
        moved = self.permanent_bps * BASIS_POINT * shares / daily_volume * PARTS
        return int(moved.to_integral_value(ROUND_HALF_EVEN))

    def _power(self, rate: Decimal) -> Decimal:
        if self.exponent == 1:
            return rate
        return rate.sqrt() if self.exponent == _HALF else rate**self.exponent


class SpreadModel(msgspec.Struct, frozen=True, kw_only=True):
    """How the quoted spread moves during the day, as a factor on its usual width.

        width = usual · opening · (1 + with_volatility · (ratio − 1))
        opening = 1 + (at_open − 1) · ½ ^ (time since the opening / half_life)

    `ratio` is the volatility of the last `span` over the usual one; it begins every day at 1.

    Attributes:
        at_open: times as wide when the session opens as later, at least 1.
        with_volatility: 0 ignores volatility, 1 makes the spread proportional to it.

    Raises:
        ValueError: a parameter is out of range.
    """

    at_open: Decimal = ONE
    half_life: timedelta = timedelta(minutes=15)
    with_volatility: Decimal = ZERO
    span: timedelta = timedelta(minutes=30)

    def __post_init__(self) -> None:
        if self.at_open < 1 or not 0 <= self.with_volatility <= 1:
            raise ValueError("the spread at the open is at least 1 time the usual, and its volatility part from 0 to 1")
        if self.half_life <= timedelta(0) or self.span <= timedelta(0):
            raise ValueError("half-life and span of the spread are above zero")


class VolumeCurve(msgspec.Struct, frozen=True, kw_only=True):
    """How the volume of a daily bar is spread over its session: a parabola on each side of midday.

    Attributes:
        at_open, at_close: times as much as at midday; 1 on both sides spreads it evenly.

    Raises:
        ValueError: a parameter is not above zero.
    """

    at_open: Decimal = Decimal(3)
    at_close: Decimal = Decimal(3)

    def __post_init__(self) -> None:
        if self.at_open <= 0 or self.at_close <= 0:
            raise ValueError("open and close trade more than nothing")


class Realism(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulated market does beyond filling at the quote.

    Attributes:
        queue: a limit order that rests waits for the shares quoted before it; see `queueing`.
        impact: our executions move prices. A limit order takes what its limit pays for, at least the quoted size.
        spread: it moves during the day; `volume`: of daily bars, in place of the built-in curve.
    """

    queue: bool = False
    impact: MarketImpact | None = None
    spread: SpreadModel | None = None
    volume: VolumeCurve | None = None


PLAIN = Realism()
"""Fills at the quote, which nobody moves."""


class Window(NamedTuple):
    """The time in which the temporary impact of executions adds up.

    Attributes:
        number: another one for another window of the symbol.
        volume: shares that the market trades in it, None when unknown.
    """

    number: int
    volume: Decimal | None


class MovableMarket(Protocol):
    """A market that our executions move."""

    def window(self, symbol: str) -> Window:
        """The present window of a symbol."""

    def press(self, symbol: str, shares: Decimal) -> None:
        """We have bought `shares`, or sold them when negative; prices move from the next one on."""
