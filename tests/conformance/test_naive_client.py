"""The same faults for `alpaca-py` used naively and for this system: one orders twice and misses fills, one does not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tools.naive_client import demonstration_venue, naive, ours

HEAR_S = 0.5


@pytest.fixture(scope="module")
def venue():
    with demonstration_venue() as running:
        yield running


@pytest.mark.parametrize("fault", ["the answer is lost", "the answer is garbage"])
@pytest.mark.fault("answer-lost", "answer-lost-and-filled", "answer-unreadable")
def test_a_blind_retry_after_a_lost_answer_orders_twice_and_ours_does_not(venue, fault):
    theirs = naive(venue, [fault], HEAR_S)
    assert (theirs.decided, theirs.orders, theirs.held) == (1, 2, Decimal(2))
    assert "1 too many" in theirs.verdict
    assert ours(venue, [fault]) == (1, 1, Decimal(1), Decimal(1))


@pytest.mark.fault("stream-cut", "fill-lost")
def test_a_fill_while_the_stream_is_down_is_missed_by_a_believer_and_not_by_ours(venue):
    fault = "the stream breaks while an order fills"
    theirs = naive(venue, [fault], HEAR_S)
    assert (theirs.held, theirs.believed) == (Decimal(1), Decimal(0))
    assert theirs.verdict == "believes what is not so"
    assert ours(venue, [fault]) == (1, 1, Decimal(1), Decimal(1))


@pytest.mark.fault("fill-twice")
def test_a_report_that_comes_twice_counts_twice_for_a_believer_and_once_for_ours(venue):
    fault = "the report of a fill comes twice"
    theirs = naive(venue, [fault], HEAR_S)
    assert (theirs.held, theirs.believed) == (Decimal(1), Decimal(2))
    assert ours(venue, [fault]) == (1, 1, Decimal(1), Decimal(1))
