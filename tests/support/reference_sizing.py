"""How many shares the wishes of the second simulation ask for.

Written from docs/sizing.md and docs/strategies.md alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from tests.support.reference_prices import Bar, down, since_gap
from tests.support.reference_weights import kelly_weights, optimal_weights

ZERO = Fraction(0)
EIGHT, FOUR = 10**8, 10**4
LEAST_ROOM = Fraction(1, 10**5)
OPTIMISERS = ("min-variance", "max-diversification", "risk-parity")


@dataclass(frozen=True)
class Wish:
    """A position that is wanted in a symbol: a share of equity, or as much as the sizer says.

    Attributes:
        weight: negative for short, 0 for nothing; None leaves the size to the sizer.
        side: of a wish without a weight; 0 for nothing.
        stop: where the idea would be wrong.
        confidence, source: how sure which strategy is.
        lasts: microseconds after which it is forgotten; None if it is not.
    """

    symbol: str
    weight: Fraction | None = None
    side: int = 0
    strength: Fraction = Fraction(1)
    stop: Fraction | None = None
    confidence: Fraction = Fraction(1)
    source: str = ""
    lasts: int | None = None

    @property
    def direction(self) -> int:
        """1 for long, -1 for short, 0 for nothing."""
        return self.side if self.weight is None else (self.weight > 0) - (self.weight < 0)


@dataclass(frozen=True)
class Account:
    """What a size depends on beside the wish: dollars, the price and the past of its symbol, and what else is wanted.

    Attributes:
        most: share of equity in one symbol; `drawdown`: below the peak, as a share of it.
        wanted: number of wanted symbols; `sides`: of those that have a price.
        past: bars that have ended, oldest first.
        room: share of equity that positions leave which stay; all symbols are of one sector.
    """

    equity: Fraction
    price: Fraction
    lot: Fraction
    most: Fraction
    drawdown: Fraction
    wanted: int
    past: Sequence[Bar]
    sides: Mapping[str, int] = field(default_factory=dict)
    room: Fraction = Fraction(1)


@dataclass(frozen=True)
class Sizer:
    """One of the sizers with its numbers; `drawdown` scales it: start, end and least."""

    name: str = "equal-weight"
    gross: Fraction = Fraction(95, 100)
    risk: Fraction = Fraction(1, 100)
    multiple: Fraction = Fraction(2)
    target: Fraction = Fraction(15, 100)
    cap: Fraction = Fraction(1)
    decay: Fraction = Fraction(94, 100)
    window: int = 14
    fewest: int = 20
    periods: int = 252
    fraction: Fraction = Fraction(1, 4)
    leverage: Fraction = Fraction(1)
    rate: Fraction = Fraction(0)
    shrinks: bool = True
    drawdown: tuple[Fraction, Fraction, Fraction] | None = None

    def shares(self, wish: Wish, account: Account) -> Fraction | None:
        """Signed shares to hold; None when nobody can say."""
        if not wish.direction:
            return ZERO
        dollars = abs(wish.weight) * account.equity if wish.weight is not None else self._dollars(wish, account)
        if dollars is None:
            return None
        found = down(min(dollars, account.most * account.equity) / account.price, account.lot)
        if self.drawdown is not None and wish.weight is None:
            start, end, least = self.drawdown
            left = min(max((end - account.drawdown) / (end - start), ZERO), Fraction(1))
            found = down(found * (least + (1 - least) * left), account.lot)
        return wish.direction * found

    def _dollars(self, wish: Wish, account: Account) -> Fraction | None:
        share = wish.strength * account.equity
        if self.name == "equal-weight":
            return self.gross * share / account.wanted
        if self.name == "kelly":
            weight = self._kelly(account).get(wish.symbol)
            return None if weight is None else weight * share
        if self.name in OPTIMISERS:
            return self._optimal(wish, account)
        if self.name == "vol-target":
            exposure = self._exposure(account.past, wish.symbol)
            return None if exposure is None else exposure * share / account.wanted
        stop = wish.stop
        if self.name == "atr":
            span = self._range(account.past, wish.symbol)
            stop = span and Fraction(round((account.price - wish.direction * self.multiple * span) * FOUR), FOUR)
        if stop is None or (account.price - stop) * wish.direction <= 0:
            return None
        return self.risk * share / abs(account.price - stop) * account.price

    def _optimal(self, wish: Wish, account: Account) -> Fraction | None:
        room = min(account.room / self.gross, Fraction(1))
        found = optimal_weights(
            self.name,
            account.past,
            account.sides,
            window=self.window,
            fewest=self.fewest,
            room=room if room > LEAST_ROOM else Fraction(1),
        )
        weight = found.get(wish.symbol)
        return None if weight is None else self.gross * weight * wish.strength * account.equity

    def _kelly(self, account: Account) -> dict[str, Fraction]:
        return kelly_weights(
            account.past,
            account.sides,
            window=self.window,
            fewest=self.fewest,
            fraction=float(self.fraction),
            cap=float(min(account.most, self.leverage)),
            leverage=float(self.leverage),
            rate=float(self.rate) / self.periods,
            shrinks=self.shrinks,
        )

    def _exposure(self, past: Sequence[Bar], symbol: str) -> Fraction | None:
        closes = [float(prices[-1]) for prices in since_gap(past[-self.window - 1 :], symbol)]
        returns = [after / before - 1 for before, after in pairwise(closes)]
        if len(returns) < self.fewest or not any(returns):
            return None
        weights = [float(self.decay) ** age for age in reversed(range(len(returns)))]
        variance = math.fsum(weight * one**2 for weight, one in zip(weights, returns, strict=True)) / math.fsum(weights)
        return min(Fraction(round(float(self.target) / math.sqrt(self.periods * variance) * EIGHT), EIGHT), self.cap)

    def _range(self, past: Sequence[Bar], symbol: str) -> Fraction | None:
        """Wilder's average of true ranges; None where there are too few, or nothing ever moved."""
        seen = past[-10 * self.window - 1 :]
        known = [bar.prices[symbol] for bar in seen if symbol in bar.prices]
        if any(len(prices) == 1 for prices in known):
            known = since_gap(seen, symbol)
        ranges = [
            max(after[1 if len(after) > 1 else -1], before[-1]) - min(after[2 if len(after) > 1 else -1], before[-1])
            for before, after in pairwise(known)
        ]
        if len(ranges) < self.window:
            return None
        average = sum(ranges[: self.window], ZERO) / self.window
        for one in ranges[self.window :]:
            average = (average * (self.window - 1) + one) / self.window
        return Fraction(round(average * EIGHT), EIGHT) or None
