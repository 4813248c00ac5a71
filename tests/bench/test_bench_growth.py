"""What one bar and one order cost at one, ten and a hundred times the work: flat, or nobody could leave it running."""

from __future__ import annotations

import pytest

from tests.support.workloads import Crowding, EmaCross, EmaCrossVector, EveryBar, prices, told, traded

STRATEGIES = {
    "W1": (lambda bars: EmaCross(), 2_000, "bar"),
    "W1V": (lambda bars: EmaCrossVector(), 2_000, "bar"),
    "W3": (EveryBar, 300, "order"),
}
"""The strategy for a number of bars, the least number, and what is counted."""


@pytest.mark.parametrize("workload", STRATEGIES)
def test_growth(growing, workload):
    make, least, unit = STRATEGIES[workload]
    histories = {size: prices(size, seed=1) for size in (least, 10 * least, 100 * least)}
    growing(lambda size: told(traded(make(size), histories[size])), sizes=tuple(histories), unit=unit)


def test_growth_of_orders_that_rest(growing):
    """Each bar leaves one more limit order behind, on twenty symbols; a step costs what can trade in it."""
    histories = {size: prices(size, 20, seed=6) for size in (50, 500, 5_000)}

    def crowd(size: int) -> object:
        return told(traded(Crowding(size), histories[size], max_open_orders_per_symbol=1_000))

    growing(crowd, sizes=tuple(histories), unit="bar")
