"""With all limits, losses and costs as shipped, backtests come to what the documents say of them."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.market.history import PriceHistory
from tests.support import random_plans as plans
from tests.support.random_changes import changed, taken_back
from tests.support.random_opinions import NAMES, of_several
from tests.support.shipped_runs import charge_of, compare_as_shipped

SEEDS = st.integers(0, 10**6)


def without_volume(history: PriceHistory) -> PriceHistory:
    """No wish is traded by an algorithm."""
    return PriceHistory(
        history.symbols,
        history.axis,
        history.close_micros,
        history.present,
        history.open_micros,
        history.high_micros,
        history.low_micros,
    )


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.booleans())
def test_as_shipped_it_comes_to_what_is_documented(seed, daily):
    chance = Random(seed)
    history = without_volume(plans.random_history(chance, daily=daily, symbols=chance.choice((2, 3, 6))))
    said = {}
    for name in chance.sample(NAMES, chance.choice((1, 1, 2))):
        wishes = chance.choice((plans.random_wishes, plans.sized_wishes))(chance, history)
        orders = plans.random_orders(chance, history)
        if chance.random() < 0.5:
            orders = plans.with_exits(chance, orders, history)
        said[name] = chance.choice((wishes, orders, plans.both(chance, orders, wishes)))
        if chance.random() < 0.3:
            said[name] = taken_back(chance, said[name], len(history) - plans.PAST - 1)
        if chance.random() < 0.2:
            said[name] = changed(chance, said[name], len(history) - plans.PAST - 1)
    plan = of_several(chance, said, 60_000_000)
    cash = Fraction(chance.choice((5_000, 20_000, 100_000, 1_000_000)))
    compare_as_shipped(history, plan, cash, seed, tuple(said))


def test_fees_are_read_from_the_page():
    sec, taf, cat = map(charge_of, ("SEC_SECTION_31", "FINRA_TRADING_ACTIVITY", "CONSOLIDATED_AUDIT_TRAIL"))
    assert (len(sec), len(taf), len(cat)) == (33, 8, 4)
    assert taf[-1].cap == Fraction("9.79")
    assert cat[1].cap is None
