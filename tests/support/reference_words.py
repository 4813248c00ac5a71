"""What strategies of the second simulation say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from tests.support.reference_sizing import Wish
from tests.support.reference_venue import Want


@dataclass(frozen=True)
class TakeBack:
    """The cancel of its own open order in that place, oldest first; counted round, nothing where none is open."""

    place: int
    source: str = ""


@dataclass(frozen=True)
class Change:
    """Other terms for its own open order in that place, of those without exits, oldest first, likewise.

    Attributes:
        away: from its limit, as a part of that; `stop_away`: from its stop, likewise.
        size, trail: times its quantity, and its trail.
    """

    place: int
    away: Fraction = Fraction(0)
    stop_away: Fraction = Fraction(0)
    size: Fraction = Fraction(1)
    trail: Fraction = Fraction(1)
    source: str = ""


Said = Want | Wish | TakeBack | Change
