"""What the gate of the second simulation knows of the past: correlations of returns, and how much trades on a day.

Written from docs/risk-limits.md and docs/rejections.md alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from tests.support.reference_prices import Bar

MICRO = 10**6
HOUR = 3600 * MICRO
SESSIONS, FEWEST_SESSIONS = 20, 5


class Past:
    """Bars that have ended, oldest first.

    Attributes:
        known: how many of them have.
    """

    def __init__(self, bars: Sequence[Bar], known: int) -> None:
        self._bars, self.known = bars, known

    def correlation(self, one: str, other: str, window: int, fewest: int) -> Fraction | None:
        """Of the latest returns, of those that both have; None if too few, or one does not move.

        Returns that span a night do not count where bars are shorter than an hour.
        """
        counts = [
            (before, after)
            for before, after in pairwise(self._bars[: self.known])
            if before.day == after.day or after.end - after.start >= HOUR
        ]
        pairs = [
            (_return(before, after, one), _return(before, after, other))
            for before, after in counts[-window:]
            if all(symbol in bar.prices for symbol in (one, other) for bar in (before, after))
        ]
        if len(pairs) < fewest:
            return None
        means = [math.fsum(column) / len(pairs) for column in zip(*pairs, strict=True)]
        apart = [(mine - means[0], theirs - means[1]) for mine, theirs in pairs]
        squares = [math.fsum(number**2 for number in column) for column in zip(*apart, strict=True)]
        if not all(squares):
            return None
        product = math.fsum(mine * theirs for mine, theirs in apart)
        return Fraction(round(product / math.sqrt(squares[0] * squares[1]) * MICRO), MICRO)

    def day_volume(self, symbol: str) -> int | None:
        """Average shares of the latest sessions, this one as far as it has gone; None while too few are known."""
        days: dict[object, int | None] = {}
        for bar in self._bars[: self.known]:
            days.setdefault(bar.day, None)
            if symbol in bar.volume:
                days[bar.day] = (days[bar.day] or 0) + bar.volume[symbol]
        told = [shares for shares in list(days.values())[-SESSIONS:] if shares is not None]
        return sum(told) // len(told) if len(told) >= FEWEST_SESSIONS and any(told) else None


def _return(before: Bar, after: Bar, symbol: str) -> float:
    return float(after.prices[symbol][-1]) / float(before.prices[symbol][-1]) - 1
