"""Several strategies that disagree come to the cent to what a second simulation says, written from the documents."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import random_plans as plans
from tests.support.compared_runs import compare
from tests.support.known_bars import bars_of
from tests.support.random_changes import taken_back
from tests.support.random_opinions import NAMES, of_several
from tests.support.reference_limits import WIDE

SEEDS = st.integers(0, 10**6)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_strategies_that_disagree_are_followed_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    fits = chance.random() < 0.3
    sizer = plans.random_sizer(chance) if fits or chance.random() < 0.5 else None
    cash = Fraction(chance.choice((20_000, 100_000, 10_000_000)))
    said = {}
    for name in chance.sample(NAMES, chance.choice((2, 3))):
        said[name] = (plans.random_wishes if sizer is None else plans.sized_wishes)(chance, history)
        if chance.random() < 0.4:
            said[name] = plans.both(chance, said[name], plans.random_orders(chance, history))
        if chance.random() < 0.4:
            said[name] = taken_back(chance, said[name], len(history) - plans.PAST - 1)
    plan = of_several(chance, said, bar_lasts(history))
    limits = plans.random_limits(chance, history) if fits or chance.random() < 0.3 else WIDE
    compare(chance, history, plan, parts=parts, cash=cash, sizer=sizer, names=tuple(said), limits=limits, fits=fits)


def bar_lasts(history):
    first, second = bars_of(history)[:2]
    return second.end - first.end
