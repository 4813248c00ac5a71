"""Execution cost by algorithm, and the frontier: tables to be read (``-s``), and the time that they take."""

from __future__ import annotations

from tests.support.shortfall_experiments import (
    PRICE,
    QUANTITY,
    compare,
    comparison_problem,
    frontier_point,
    table,
)

PATHS = 400


def test_algorithms_side_by_side(benchmark):
    benchmark.group = "shortfall"
    rows = benchmark.pedantic(compare, args=(PATHS, 3), rounds=1)
    print(f"\n{PATHS} days, 100,000 shares of a stock that trades a million, λ = κ²η/σ² with κT = 3\n")
    print(table(rows, comparison_problem().risk_aversion))


def test_points_of_the_frontier(benchmark):
    benchmark.group = "shortfall"
    bp = float(QUANTITY * PRICE) / 1e4
    urgencies = (0.01, 1.0, 2.0, 3.0, 5.0)
    points = benchmark.pedantic(lambda: [frontier_point(kappa, PATHS, 11) for kappa in urgencies], rounds=1)
    print("\n κT     cost bp   on the venue        risk bp   on the venue")
    for kappa, (theory, seen) in zip(urgencies, points, strict=True):
        print(
            f" {kappa:<5.3g}{theory.expected_cost / bp:>9.1f}{seen.mean / bp:>10.1f} ± {seen.error / bp:<8.1f}"
            f"{theory.deviation / bp:>8.1f}{seen.deviation / bp:>10.1f} ± {seen.deviation_error / bp:.1f}"
        )
