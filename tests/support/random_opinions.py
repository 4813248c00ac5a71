"""Random plans of several strategies that disagree, for backtests that two simulations are to agree about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from random import Random

from tests.support.independent_reference import Plan
from tests.support.reference_sizing import Wish
from tests.support.reference_words import Said

NAMES = ("zeal", "caution", "habit")


def of_several(chance: Random, plans: Mapping[str, Plan], bar_lasts: int) -> Plan:
    """What each strategy says, in the order of the strategies; some wishes are surer than others, and some do not last.

    Args:
        bar_lasts: microseconds from one bar to the next.
    """
    often = chance.choice((0.0, 0.2, 0.6))
    said: dict[int, list[Said]] = {}
    for name, plan in plans.items():
        for bar, words in plan.items():
            said.setdefault(bar, []).extend(_said_by(chance, name, one, bar_lasts, often) for one in words)
    return dict(sorted(said.items()))


def _said_by(chance: Random, name: str, one: Said, bar_lasts: int, often: float) -> Said:
    if not isinstance(one, Wish):
        return replace(one, source=name)
    lasts = None
    if chance.random() < often:
        lasts = chance.choice((1, 30_000_000, bar_lasts // 2, bar_lasts, 2 * bar_lasts + 1, 7 * bar_lasts))
    return replace(
        one,
        source=name,
        confidence=Fraction(chance.choice(("1", "1", "0.8", "0.35"))),
        strength=one.strength if one.weight is None else Fraction(chance.choice(("1", "0.5"))),
        lasts=lasts,
    )
