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
    """Another limit for its own open limit order in that place, oldest first, likewise.

    Attributes:
        away: from its limit, as a part of that.
    """

    place: int
    away: Fraction
    source: str = ""


Said = Want | Wish | TakeBack | Change
