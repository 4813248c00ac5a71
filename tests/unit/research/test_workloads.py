"""The workloads by which speed is measured come to what a bare loop says: orders, fills, and equity to the cent."""

from __future__ import annotations

import pytest

from tests.support import bare_loops
from tests.support.workloads import EmaCross, EveryBar, cents, prices, told, traded


@pytest.mark.parametrize(("seed", "fast", "slow"), [(1, 10, 20), (2, 3, 50), (3, 12, 26)])
def test_crosses_of_one_symbol(seed, fast, slow):
    history = prices(1500, seed=seed)
    found = told(traded(EmaCross(fast, slow), history))
    assert found == bare_loops.crosses(cents(history), fast, slow)
    assert found.orders > 10


@pytest.mark.parametrize(("seed", "fast", "slow"), [(4, 10, 20), (5, 5, 9)])
def test_crosses_of_many_symbols_in_one_portfolio(seed, fast, slow):
    history = prices(300, 20, seed=seed)
    found = told(traded(EmaCross(fast, slow), history))
    assert found == bare_loops.crosses(cents(history), fast, slow)
    assert found.orders > 200


def test_an_order_on_every_bar():
    history = prices(500, seed=6)
    found = told(traded(EveryBar(500), history))
    assert found == bare_loops.every_bar(cents(history))
    assert found.orders == 499
