"""How many requests of a minute the auditor lets pass: those of two minutes of the broker, or of each process in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quant_trading_system.simulation.storm.auditor import MOST_REQUESTS, Auditor
from quant_trading_system.simulation.storm.virtual_time import VirtualClock, VirtualLoop


@pytest.fixture
def auditor() -> Iterator[Auditor]:
    loop = VirtualLoop()
    clock = VirtualClock(loop, datetime(2026, 3, 10, 14, tzinfo=UTC))
    yield Auditor(clock, timedelta(seconds=1), responsive=True)
    loop.close()


@pytest.mark.parametrize(
    ("processes", "requests", "violations"),
    [
        (1, 2 * MOST_REQUESTS, 0),
        (1, 2 * MOST_REQUESTS + 1, 1),
        (2, 2 * MOST_REQUESTS + 1, 1),
        (4, 4 * MOST_REQUESTS, 0),
        (4, 4 * MOST_REQUESTS + 1, 1),
    ],
)
def test_requests_of_a_minute_are_bounded(auditor, processes, requests, violations):
    for number in range(requests):
        auditor._require_pace(60 * number / requests, number % processes)
    assert [found.invariant for found in auditor.findings.violations] == ["I18"] * violations


def test_what_was_sent_more_than_a_minute_ago_counts_no_more(auditor):
    for number in range(10 * MOST_REQUESTS):
        auditor._require_pace(number * 0.16, 1)
    assert not auditor.findings.violations
