"""Queues and moving spreads come to the cent to what a second simulation says, written from the documents."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.market.history import PriceHistory
from tests.support import random_plans as plans
from tests.support.compared_runs import compare
from tests.support.random_costs import of_a_market_that_answers, random_costs

SEEDS = st.integers(0, 10**6)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.booleans(), st.booleans())
def test_queues_spreads_and_volumes_are_as_documented(seed, daily, parts):
    chance = Random(seed)
    history = plans.random_history(chance, daily=daily)
    orders = plans.random_orders(chance, history)
    if chance.random() < 0.4:
        orders = plans.with_exits(chance, orders, history)
    if chance.random() < 0.6:
        orders = plans.larger(chance, orders)
    wishes = plans.random_wishes(chance, history) if chance.random() < 0.4 else {}
    costs = of_a_market_that_answers(chance, random_costs(chance, parts=parts))
    if costs.at_open != 1:
        history = without_gaps(history)
    compare(chance, history, plans.both(chance, orders, wishes), costs=costs)


def without_gaps(history: PriceHistory) -> PriceHistory:
    """The same, and no bar is missing."""
    return PriceHistory(
        history.symbols,
        history.axis,
        history.close_micros,
        np.ones_like(history.present),
        history.open_micros,
        history.high_micros,
        history.low_micros,
        volume=history.volume,
    )
