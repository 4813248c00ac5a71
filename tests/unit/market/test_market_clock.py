"""What time it is on the market: our clock, or the broker's while ours is proven wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.market.market_clock import MarketClock, Reading
from tests.support.desk import limits_with
from tests.support.market import NOON, JumpingClock

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NO_TIME = timedelta(0)
EITHER_WAY = pytest.mark.parametrize(
    "wrong", [6 * SECOND, -6 * SECOND, 3 * HOUR, -3 * HOUR, timedelta(days=400), -timedelta(days=400)], ids=str
)


class Scene:
    """A wall clock that is set wrong at will, and a broker that tells the true time, or another one."""

    def __init__(self, *, most: int = 5) -> None:
        self.clock = JumpingClock(NOON)
        self.market = MarketClock(self.clock, limits_with(max_clock_skew_s=Decimal(most)))

    @property
    def truth(self):
        """The time that nobody can set."""
        return ManualClock.now(self.clock)

    def pass_by(self, span: timedelta) -> None:
        self.clock.move_to(self.truth + span)

    def hear(self, off: timedelta = NO_TIME, doubt: timedelta = NO_TIME) -> bool:
        """The broker says the true time, but for `off`."""
        return self.market.hear(Reading(self.truth + off, self.clock.monotonic(), doubt))


@EITHER_WAY
def test_nothing_is_held_against_our_clock_before_the_broker_has_told_its_time(wrong):
    scene = Scene()
    scene.clock.jump = wrong
    assert scene.market.now() == scene.truth + wrong
    assert not scene.market.is_known
    assert not scene.market.is_wrong
    assert scene.market.skew is None


@EITHER_WAY
def test_a_clock_that_jumps_is_found_out_at_the_next_question_and_again_when_it_is_set_right(wrong):
    scene = Scene()
    scene.hear()
    for passed in (SECOND, HOUR):
        scene.clock.jump = wrong
        scene.pass_by(passed)
        assert scene.market.now() == scene.truth
        assert (scene.market.is_wrong, scene.market.skew) == (True, wrong)
        scene.clock.jump = NO_TIME
        assert scene.market.now() == scene.truth
        assert not scene.market.is_wrong


def test_our_clock_is_followed_as_far_as_it_may_differ():
    scene = Scene()
    scene.hear()
    for wrong in (5 * SECOND, -5 * SECOND):
        scene.clock.jump = wrong
        assert scene.market.now() == scene.truth + wrong
    scene.market.use_limits(limits_with(max_clock_skew_s=Decimal(4)))
    assert scene.market.now() == scene.truth


def test_what_the_travel_of_the_answer_explains_proves_nothing():
    scene = Scene()
    scene.clock.jump = 7 * SECOND
    scene.hear(doubt=2 * SECOND)
    assert scene.market.now() == scene.truth + 7 * SECOND
    assert scene.market.proven_skew == 5 * SECOND


def test_an_answer_that_travelled_for_too_long_does_not_take_the_place_of_a_better_one():
    scene = Scene()
    scene.hear()
    scene.clock.jump = HOUR
    assert scene.hear(off=9 * SECOND, doubt=10 * SECOND)
    assert scene.market.now() == scene.truth


def test_whoever_listens_hears_of_it_before_the_brokers_time_is_told():
    scene = Scene()
    scene.hear()
    heard = []
    scene.market.on_change(lambda: heard.append(scene.market.is_wrong))
    scene.clock.jump = HOUR
    scene.market.now()
    scene.market.now()
    assert heard == [True]
    scene.clock.jump = NO_TIME
    scene.market.now()
    assert heard == [True, False]


def test_a_clock_that_is_wrong_at_a_start_needs_the_brokers_word_twice():
    scene = Scene()
    scene.clock.jump = HOUR
    assert not scene.hear()
    assert scene.market.now() == scene.truth + HOUR, "one word stands against another"
    assert scene.market.unproven == -HOUR
    scene.pass_by(SECOND)
    assert scene.hear()
    assert scene.market.now() == scene.truth
    assert scene.market.unproven is None


@pytest.mark.fault("broker-clock-jumps")
@EITHER_WAY
@pytest.mark.parametrize("ours", [NO_TIME, HOUR], ids=["ours is right", "ours is wrong"])
def test_a_clock_of_the_broker_that_jumps_moves_nothing_before_it_says_so_again(ours, wrong):
    scene = Scene()
    scene.hear()
    scene.clock.jump = ours
    assert not scene.hear(wrong)
    assert scene.market.now() == scene.truth
    assert scene.market.unproven == wrong
    scene.pass_by(SECOND)
    assert scene.hear()
    assert scene.market.unproven is None
    assert scene.market.now() == scene.truth
    scene.hear(wrong)
    assert scene.hear(wrong)
    assert scene.market.now() == scene.truth + wrong


def test_a_broker_that_says_something_else_every_time_is_never_followed():
    scene = Scene()
    scene.hear()
    for minutes in range(1, 20):
        assert not scene.hear(timedelta(minutes=minutes))
        assert scene.market.now() == scene.truth


def test_what_passes_is_measured_by_the_machine():
    scene = Scene()
    scene.hear()
    scene.clock.jump = HOUR

    async def wait() -> float:
        before = scene.market.monotonic()
        waiting = asyncio.ensure_future(scene.market.sleep(SECOND))
        await asyncio.sleep(0)
        await scene.clock.advance(SECOND)
        await waiting
        return scene.market.monotonic() - before

    assert asyncio.run(wait()) == 1
