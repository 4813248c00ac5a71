"""Which of two values of a limit lets more through.

Every key of `risk_params.yaml` declares it once, beside its range. A tighter value takes effect at once; a
looser one waits for people. Where neither of two values is tighter than both, the approved one holds.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Looser(StrEnum):
    """How a value has to change to let more through."""

    HIGHER = "higher"  # of a flag: true
    LOWER = "lower"
    FEWER_NAMES = "fewer_names"  # a shorter list of what is forbidden
    MORE_NAMES = "more_names"  # a longer list of people; an empty one, which means anybody, is the loosest
    ANY_CHANGE = "any_change"  # the values have no order, so nobody but people can say


def tighter_of(looser: Looser, approved: Any, other: Any) -> Any:
    """The value that lets through only what both let through; `approved` where there is none such.

    None stands for no limit, which is the loosest value of every key that may be off.

    Args:
        approved, other: values of one key, as `LimitKey.value_of` reads them, tuples for lists.

    >>> tighter_of(Looser.HIGHER, 5, 7), tighter_of(Looser.LOWER, 5, 7), tighter_of(Looser.ANY_CHANGE, 5, 7)
    (5, 7, 5)
    >>> tighter_of(Looser.MORE_NAMES, ("Ana", "Ben"), ("Ben", "Cid"))
    ('Ben',)
    """
    if approved is None or other is None:
        return other if approved is None else approved
    match looser:
        case Looser.FEWER_NAMES:
            return tuple(sorted({*approved, *other}))
        case Looser.HIGHER:
            return min(approved, other)
        case Looser.LOWER:
            return max(approved, other)
        case Looser.MORE_NAMES:
            return _fewest(approved, other)
        case Looser.ANY_CHANGE:
            return approved


def is_looser(looser: Looser, approved: Any, other: Any) -> bool:
    """True when `other` lets something through that `approved` does not, or when that cannot be ruled out."""
    return bool(tighter_of(looser, approved, other) != other)


def _fewest(approved: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if not approved or not other:
        return approved or other
    both = tuple(name for name in approved if name in other)
    return both or approved
