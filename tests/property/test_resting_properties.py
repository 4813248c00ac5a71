"""Orders that rest are left alone, and nobody can tell: the venue does the same as one that looks at each of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.resting_orders import Shelf
from tests.support.crowded_desk import CrowdedDesk
from tests.support.plain_exchange import let_nothing_rest

ACTIONS = 170


def lived(seed: int) -> tuple[list[object], bytes]:
    """Every report of a crowded desk, and all that its venue knows at the end."""
    crowd = CrowdedDesk(seed).live(ACTIONS)
    return list(crowd.desk.updates), crowd.desk.venue.snapshot()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_whatever_rests_the_venue_does_the_same_as_one_where_nothing_does(seed):
    quick = lived(seed)
    with pytest.MonkeyPatch.context() as patch:
        let_nothing_rest(patch)
        patch.setattr(CrowdedDesk, "may_pass_over", False)
        plain = lived(seed)
    assert quick[0] == plain[0]
    assert quick[1] == plain[1]


def test_the_desks_are_crowded_with_orders_that_rest_and_wake(monkeypatch):
    """Otherwise the test above would say nothing."""
    settled, woken, leaps = [0], [0], 0
    settle, reached = OrderIndex.settle, Shelf.reached

    def count_settled(self, live):
        settled[0] += 1
        settle(self, live)

    def count_woken(self, price):
        found = reached(self, price)
        woken[0] += len(found)
        return found

    monkeypatch.setattr(OrderIndex, "settle", count_settled)
    monkeypatch.setattr(Shelf, "reached", count_woken)
    for seed in range(5):
        leaps += CrowdedDesk(seed).live(ACTIONS).leaps
    assert min(settled[0], woken[0]) > 100
    assert leaps > 3


def test_orders_that_sleep_through_their_prices_are_noticed(monkeypatch):
    told = [lived(seed) for seed in range(3)]
    monkeypatch.setattr(Shelf, "reached", lambda self, price: [])
    assert [lived(seed) for seed in range(3)] != told
