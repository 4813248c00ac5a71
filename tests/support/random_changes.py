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
    """The same with other limits for some of the orders that are open then."""
    changes = {
        bar: [Change(chance.randrange(100), Fraction(round(chance.gauss(0, 0.003) * 10**5), 10**5))]
        for bar in range(bars)
        if chance.random() < 0.5
    }
    return {bar: [*plan.get(bar, ()), *changes.get(bar, ())] for bar in sorted({*plan, *changes})}
