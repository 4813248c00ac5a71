"""Random cancels and changes of orders for backtests that two simulations are to agree about."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from tests.support.independent_reference import Plan
from tests.support.reference_words import Change, TakeBack


def taken_back(chance: Random, plan: Plan, bars: int) -> Plan:
    """The same with cancels of some of the orders that are open then."""
    often = chance.choice((0.1, 0.5))
    back = {bar: [TakeBack(chance.randrange(100))] for bar in range(bars) if chance.random() < often}
    return {bar: [*plan.get(bar, ()), *back.get(bar, ())] for bar in sorted({*plan, *back})}


def changed(chance: Random, plan: Plan, bars: int) -> Plan:
    """The same with other terms for some of the orders that are open then."""
    changes = {bar: [_change(chance)] for bar in range(bars) if chance.random() < 0.5}
    return {bar: [*plan.get(bar, ()), *changes.get(bar, ())] for bar in sorted({*plan, *changes})}


def _change(chance: Random) -> Change:
    """Mostly of one of the terms that an order may have."""

    def away(often: float) -> Fraction:
        return Fraction(round(chance.gauss(0, 0.003) * 10**5), 10**5) if chance.random() < often else Fraction(0)

    return Change(
        chance.randrange(100),
        away=away(0.7),
        stop_away=away(0.3),
        size=Fraction(chance.choice(("1", "1", "1", "0.1", "0.5", "1.5", "3"))),
        trail=Fraction(chance.choice(("1", "1", "0.5", "2"))),
    )
