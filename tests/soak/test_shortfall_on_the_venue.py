"""The frontier with thousands of paths; ``make soak SEEDS=5 ARGS="-k shortfall" MINUTES=10`` says how many."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.shortfall_experiments import frontier_point

PATHS = 1_000

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("urgency", [0.01, 1.0, 2.0, 3.0, 5.0])
def test_the_shortfall_of_many_paths_lies_on_the_frontier(urgency):
    """The mean over all seeds within four standard errors, and so the deviation."""
    deadline = time.monotonic() + 60 * float(os.environ.get("MINUTES", "10"))
    points = []
    for seed in range(int(os.environ.get("SEEDS", "20"))):
        if points and time.monotonic() > deadline:
            break
        points.append(frontier_point(urgency, PATHS, seed))
    theory = points[0][0]
    count = len(points)
    mean, deviation = (sum(seen[place] for _, seen in points) / count for place in (0, 2))
    error, deviation_error = points[0][1].error / count**0.5, points[0][1].deviation_error / count**0.5
    print(
        f"κT {urgency}: {count * PATHS} paths, cost {mean:,.0f} ± {error:,.0f} of {theory.expected_cost:,.0f}, "
        f"risk {deviation:,.0f} ± {deviation_error:,.0f} of {theory.deviation:,.0f}",
        flush=True,
    )
    assert abs(mean - theory.expected_cost) < 4 * error
    assert abs(deviation - theory.deviation) < 4 * deviation_error
