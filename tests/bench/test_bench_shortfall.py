"""Execution cost by algorithm, and the frontier: the tables of `qts algo compare` with many days, and their time."""

from __future__ import annotations

from quant_trading_system.research.execution_study import compare, frontier
from tests.support.studies import STUDY, UNEVEN, table

PATHS = 400


def test_algorithms_side_by_side(benchmark):
    benchmark.group = "shortfall"
    rows = benchmark.pedantic(compare, args=(UNEVEN, PATHS, 3), rounds=1)
    print(f"\n{PATHS} days, 100,000 shares of a stock that trades a million, λ = κ²η/σ² with κT = 3\n")
    print(table(UNEVEN, rows))


def test_points_of_the_frontier(benchmark):
    benchmark.group = "shortfall"
    points = benchmark.pedantic(frontier, args=(STUDY, (0.01, 1.0, 2.0, 3.0, 5.0), PATHS, 11), rounds=1)
    print("\n" + table(STUDY, points))
