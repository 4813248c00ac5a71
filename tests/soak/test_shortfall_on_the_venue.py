"""The frontier with thousands of days; ``make soak SEEDS=5 ARGS="-k shortfall" MINUTES=10`` says how many."""

from __future__ import annotations

import os
import time

import pytest

from quant_trading_system.research.execution_study import frontier
from tests.support.studies import STUDY

PATHS = 1_000

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("urgency", [0.01, 1.0, 2.0, 3.0, 5.0])
def test_the_shortfall_of_many_days_lies_on_the_frontier(urgency):
    """The mean over all seeds within four standard errors, and so the deviation."""
    deadline = time.monotonic() + 60 * float(os.environ.get("MINUTES", "10"))
    points = []
    for seed in range(int(os.environ.get("SEEDS", "20"))):
        if points and time.monotonic() > deadline:
            break
        points += frontier(STUDY, [urgency], PATHS, seed)
    count, first = len(points), points[0]
    mean = sum(point.seen.mean for point in points) / count
    deviation = sum(point.seen.deviation for point in points) / count
    error, deviation_error = first.seen.error / count**0.5, first.seen.deviation_error / count**0.5
    print(
        f"κT {urgency}: {count * PATHS} days, cost {mean:,.0f} ± {error:,.0f} of {first.expected_cost:,.0f}, "
        f"risk {deviation:,.0f} ± {deviation_error:,.0f} of {first.expected_risk:,.0f}",
        flush=True,
    )
    assert abs(mean - first.expected_cost) < 4 * error
    assert abs(deviation - first.expected_risk) < 4 * deviation_error
