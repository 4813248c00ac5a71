"""Splitting a quantity and laying it out in time: worked cases, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder
from quant_trading_system.execution.algo.parent import ParentOrder
from quant_trading_system.execution.algo.schedule import (
    MAX_SLICES,
    Schedule,
    Slice,
    randomised,
    require_sum,
    twap_schedule,
    weighted_schedule,
)
from quant_trading_system.execution.algo.slicing import exact_weights, largest_remainder
from tests.support.algo_desk import MINUTE, NOON

D = Decimal

SPLITS = """
quantity  lot    weights                slices
1000      1      1,1,1,1,1,1,1          143,143,143,143,143,143,142
2500      100    1,1,1,1                700,600,600,600
1.000     0.001  1,1,1                  0.334,0.333,0.333
2         1      1,1,1,1                1,1,0,0
1001      1      22,15,11,10,14,28      220,150,110,100,140,281
7         1      0,5,0,5                0,4,0,3
100       1      1,1,1                  34,33,33
4.5       0.1    0.31,0.27,0.42         1.4,1.2,1.9
5         1      3                      5
3         1      1E-9,1,1               0,2,1
"""


@pytest.mark.parametrize("row", SPLITS.strip().splitlines()[1:])
def test_worked_splits(row: str):
    quantity, lot, weights, slices = row.split()
    found = largest_remainder(D(quantity), [D(weight) for weight in weights.split(",")], D(lot))
    assert list(found) == [D(part) for part in slices.split(",")]


def test_ties_are_decided_in_exact_arithmetic():
    """In floats 0.1 + 0.2 is more than 0.3, and the tie falls the other way."""
    assert largest_remainder(D(1), [D("0.1") + D("0.2"), D("0.3")]) == (1, 0)
    assert largest_remainder(D(1), [Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("quantity", "lot", "field"),
    [("0", "1", "quantity"), ("-5", "1", "quantity"), ("NaN", "1", "quantity"), ("150", "100", "quantity"),
     ("5", "0", "lot"), ("5", "-1", "lot")],
)  # fmt: skip
def test_a_quantity_that_is_no_positive_multiple_of_the_lot_is_refused(quantity, lot, field):
    with pytest.raises(InvalidOrder) as refused:
        largest_remainder(D(quantity), [1, 1], D(lot))
    assert refused.value.field == field


def test_the_refusal_names_the_nearest_quantities():
    with pytest.raises(InvalidOrder, match="take 100 or 200"):
        largest_remainder(D(150), [1], D(100))


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1], [D("NaN")], [D("Infinity"), 1]])
def test_weights_that_say_nothing_are_refused(weights):
    with pytest.raises(InvalidNumber):
        largest_remainder(D(10), weights)


def test_floats_become_exact_weights_and_rounding_below_zero_becomes_zero():
    assert exact_weights([0.5, -1e-12, 0.25]) == (Fraction(1, 2), 0, Fraction(1, 4))
    for bad in ([0.5, -0.1], [float("nan")], [float("inf"), 1.0]):
        with pytest.raises(InvalidNumber):
            exact_weights(bad)


def test_a_twap_has_equal_slices_at_equal_distances():
    schedule = twap_schedule(D(1000), NOON, NOON + 70 * MINUTE, 7)
    assert [part.start - NOON for part in schedule.slices] == [10 * MINUTE * i for i in range(7)]
    assert schedule.quantity == 1000
    assert schedule.end_of(6) == schedule.end == NOON + 70 * MINUTE


@pytest.mark.parametrize("slices", [0, -1, MAX_SLICES + 1])
def test_a_twap_needs_a_sensible_number_of_slices(slices):
    with pytest.raises(InvalidNumber):
        twap_schedule(D(1000), NOON, NOON + MINUTE, slices)


def test_a_schedule_knows_which_slice_is_running():
    schedule = twap_schedule(D(40), NOON, NOON + 40 * MINUTE, 4)
    numbers = [schedule.number_at(NOON + minutes * MINUTE) for minutes in (-1, 0, 9, 10, 39, 40, 500)]
    assert numbers == [-1, 0, 0, 1, 3, 3, 3]


def test_a_faster_schedule_leaves_the_past_and_shortens_the_rest():
    schedule = twap_schedule(D(40), NOON, NOON + 40 * MINUTE, 4).faster(NOON + 10 * MINUTE, D(2))
    assert [part.start - NOON for part in schedule.slices] == [0 * MINUTE, 10 * MINUTE, 15 * MINUTE, 20 * MINUTE]
    assert schedule.end == NOON + 25 * MINUTE
    half_as_fast_again = twap_schedule(D(40), NOON, NOON + 40 * MINUTE, 4).faster(NOON + 10 * MINUTE, D("1.5"))
    assert half_as_fast_again.end == NOON + 30 * MINUTE
    with pytest.raises(InvalidNumber):
        schedule.faster(NOON, D(1))


@pytest.mark.parametrize(
    ("slices", "end"),
    [
        ((), NOON),
        ((Slice(NOON, D(1)), Slice(NOON, D(1))), NOON + MINUTE),
        ((Slice(NOON, D(1)),), NOON),
        ((Slice(NOON, D(-1)),), NOON + MINUTE),
        ((Slice(NOON, D(110)), Slice(NOON + MINUTE, D(-10))), NOON + 2 * MINUTE),
        ((Slice(NOON.replace(tzinfo=None), D(1)),), NOON + MINUTE),
    ],
)
def test_senseless_schedules_are_refused(slices, end):
    with pytest.raises(InvalidOrder):
        Schedule(slices, end)


def test_a_schedule_must_end_after_it_starts():
    with pytest.raises(InvalidOrder, match="must be after"):
        weighted_schedule(D(10), NOON, NOON, [1])


def test_a_schedule_must_sum_to_its_parent_in_whole_lots():
    schedule = twap_schedule(D(40), NOON, NOON + MINUTE, 4)
    require_sum(schedule, D(40), D(10))
    with pytest.raises(InvalidOrder, match="sum to 40"):
        require_sum(schedule, D(50), D(10))
    with pytest.raises(InvalidOrder, match="no multiple of the lot"):
        require_sum(twap_schedule(D(40), NOON, NOON + MINUTE, 3), D(40), D(20))


def test_randomisation_moves_times_and_sizes_and_depends_on_its_seed_only():
    plain = twap_schedule(D(1000), NOON, NOON + 60 * MINUTE, 10)
    one, two = (randomised(plain, seed, time_jitter=D("0.5"), size_jitter=D("0.3")) for seed in ("1", "2"))
    assert one != two
    assert one.quantity == two.quantity == 1000
    assert len(set(one.quantities)) > 2
    late = [a.start - b.start for a, b in zip(one.slices, plain.slices, strict=True)]
    assert min(late) >= timedelta(0)
    assert max(late) < 3 * MINUTE
    assert len(set(late)) > 5
    assert randomised(plain, "1") == plain
    for jitter in (D(-1), D(1)):
        with pytest.raises(InvalidNumber):
            randomised(plain, "1", time_jitter=jitter)


def test_a_slice_may_begin_between_seconds():
    schedule = twap_schedule(D(7), NOON, NOON + MINUTE, 7)
    assert schedule.slices[1].start - NOON == timedelta(microseconds=8571429)


@pytest.mark.parametrize("algorithm", ["vwap", "shortfall", "adaptive"])
def test_a_parent_without_a_schedule_is_told_who_makes_one(algorithm):
    with pytest.raises(
        InvalidOrder, match=f'{algorithm} needs one; a signal with execution="{algorithm}" gets one made'
    ):
        ParentOrder(symbol="KO", side="buy", quantity=100, algorithm=algorithm, start=NOON, end=NOON + 60 * MINUTE)
