"""Clocks: the wall, and one that moves only when the test says so."""

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from time import perf_counter

import pytest

from quant_trading_system.core.clock import ManualClock, SystemClock, reader

OPEN = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
NEW_YORK_IN_WINTER = timezone(-timedelta(hours=5))


class Diary(list[tuple[str, timedelta]]):
    """Who woke when, counted from the start of the clock."""


async def napper(clock, name, spans, diary):
    """Sleeps again and again, and writes down when it woke."""
    for span in spans:
        await clock.sleep(span)
        diary.append((name, clock.now() - OPEN))


async def asleep(*sleepers):
    """Start the sleepers and let each of them fall asleep."""
    tasks = [asyncio.create_task(sleeper) for sleeper in sleepers]
    await asyncio.sleep(0)
    return tasks


# -- the manual clock --------------------------------------------------------------------------------------------------


def test_a_manual_clock_stands_still_until_it_is_moved():
    async def story():
        clock = ManualClock(OPEN)
        assert (OPEN, 0) == (clock.now(), clock.monotonic())
        assert OPEN == clock.now()
        await clock.advance(90 * SECOND)
        assert (OPEN + 90 * SECOND, 90) == (clock.now(), clock.monotonic())

    asyncio.run(story())


def test_sleepers_wake_in_the_order_of_time_each_at_its_own_time():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(
            napper(clock, "late", [50 * MINUTE], diary),
            napper(clock, "often", [20 * MINUTE, 20 * MINUTE, 20 * MINUTE], diary),
            napper(clock, "early", [5 * MINUTE], diary),
            napper(clock, "beyond", [61 * MINUTE], diary),
        )
        await clock.advance(HOUR)
        assert OPEN + HOUR == clock.now()
        return diary

    assert [
        ("early", 5 * MINUTE),
        ("often", 20 * MINUTE),
        ("often", 40 * MINUTE),
        ("late", 50 * MINUTE),
        ("often", 60 * MINUTE),
    ] == asyncio.run(story())


def test_sleepers_of_the_same_moment_wake_in_the_order_in_which_they_fell_asleep():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(*(napper(clock, name, [MINUTE], diary) for name in "cab"))
        await clock.advance(MINUTE)
        return [name for name, _ in diary]

    assert ["c", "a", "b"] == asyncio.run(story())


def test_six_hours_pass_in_milliseconds():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(napper(clock, "slice", [5 * MINUTE] * 72, diary))
        await clock.advance(6 * HOUR)
        return diary

    began = perf_counter()
    diary = asyncio.run(story())
    assert perf_counter() - began < 1
    assert [5 * MINUTE * n for n in range(1, 73)] == [moment for _, moment in diary]


def test_a_sleeper_that_was_cancelled_wakes_nobody_and_holds_nobody_up():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        first, _ = await asleep(
            napper(clock, "cancelled", [MINUTE], diary), napper(clock, "patient", [2 * MINUTE], diary)
        )
        first.cancel()
        await clock.advance(HOUR)
        return diary

    assert [("patient", 2 * MINUTE)] == asyncio.run(story())


def test_move_to_jumps_without_waking_anybody():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(napper(clock, "sleeper", [MINUTE], diary))
        clock.move_to(OPEN + HOUR)
        await asyncio.sleep(0)
        assert [] == diary
        assert OPEN + HOUR == clock.now()

    asyncio.run(story())


def test_sleepers_that_were_jumped_over_wake_at_the_next_move_and_see_no_earlier_time():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(napper(clock, "overslept", [MINUTE, MINUTE], diary))
        clock.move_to(OPEN + HOUR)
        await clock.advance(5 * MINUTE)
        return diary

    assert [("overslept", 60 * MINUTE), ("overslept", 61 * MINUTE)] == asyncio.run(story())


def test_a_sleep_that_should_have_ended_already_does_not_turn_the_clock_back():
    async def story():
        clock, diary = ManualClock(OPEN), Diary()
        await asleep(napper(clock, "hurried", [-HOUR], diary))
        await clock.advance(timedelta(0))
        return diary

    assert [("hurried", timedelta(0))] == asyncio.run(story())


def test_a_sleeper_that_moves_the_clock_itself_is_not_undone():
    async def story():
        clock = ManualClock(OPEN)

        async def pusher():
            await clock.sleep(MINUTE)
            clock.move_to(OPEN + 2 * HOUR)

        await asleep(pusher())
        await clock.advance(HOUR)
        assert OPEN + 2 * HOUR == clock.now()

    asyncio.run(story())


def test_a_manual_clock_refuses_to_go_back_and_stays_where_it_is():
    clock = ManualClock(OPEN)
    with pytest.raises(ValueError, match="time cannot go back from 2024-01-02T14:30"):
        clock.move_to(OPEN - SECOND)
    with pytest.raises(ValueError, match="time cannot go back by 0:00:01"):
        asyncio.run(clock.advance(-SECOND))
    clock.move_to(OPEN)  # standing still is no step back
    assert OPEN == clock.now()


def test_a_manual_clock_needs_a_time_zone():
    with pytest.raises(ValueError, match="2024-01-02T14:30:00 has no time zone; add tzinfo=UTC"):
        ManualClock(OPEN.replace(tzinfo=None))


def test_times_of_other_zones_are_told_in_utc():
    clock = ManualClock(OPEN.astimezone(NEW_YORK_IN_WINTER))
    assert (OPEN, UTC) == (clock.now(), clock.now().tzinfo)
    clock.move_to((OPEN + HOUR).astimezone(NEW_YORK_IN_WINTER))
    assert (OPEN + HOUR, UTC) == (clock.now(), clock.now().tzinfo)


# -- the wall ----------------------------------------------------------------------------------------------------------


def test_the_clock_of_the_machine_is_aware_in_utc_and_its_seconds_never_run_back():
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


@pytest.mark.parametrize("span", [timedelta(0), -HOUR])
def test_sleeping_for_no_time_on_the_wall_returns_at_once(span):
    asyncio.run(SystemClock().sleep(span))


def test_a_suspend_counts_where_the_platform_has_a_clock_for_it():
    asked: list[int] = []

    def boot_clock(number: int) -> float:
        asked.append(number)
        return 7.5

    assert reader(7, boot_clock)() == 7.5
    assert set(asked) == {7}


def test_without_such_a_clock_the_usual_one_is_read():
    def unknown(number: int) -> float:
        raise OSError(22, "Invalid argument")

    assert reader(None, unknown) is time.monotonic
    assert reader(7, unknown) is time.monotonic


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="the platform has no such clock")
def test_the_system_clock_counts_a_suspend():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    seen = SystemClock().monotonic()
    assert before <= seen <= time.clock_gettime(time.CLOCK_BOOTTIME)
