"""The whole live engine against the venue with a wall clock that is wrong: what is told to get out gets out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quant_trading_system.app.simulating import day_report
from quant_trading_system.app.stormy_day import stormy_day
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.simulation.storm.deeds import Deeds
from quant_trading_system.simulation.storm.plan import CALM, DayPlan
from quant_trading_system.simulation.storm.world import World

MINUTE = timedelta(minutes=1)
HELD_BY = 10 * MINUTE
"""When people have had enough; the account has traded for a while by then."""
OUT_WITHIN = timedelta(seconds=90)
QUIET = DayPlan(seed=4, kinds=(), minutes=CALM + 20)


class WrongClock:
    """The wall clock is set wrong on a day without any other fault, and people tell the account to close everything."""

    def __init__(self, error: timedelta, *, from_the_start: bool) -> None:
        self.held: dict[str, int] = {}
        self.left: dict[str, int] | None = None
        self._error = error
        self._from_the_start = from_the_start

    def begin(self, world: World) -> None:
        """Put it on the agenda of the day."""
        if self._from_the_start:
            world.set_wall(self._error)
        else:
            world.later(HELD_BY - MINUTE, lambda: world.set_wall(self._error))
        world.later(HELD_BY, lambda: self._get_out(world))
        world.later(HELD_BY + OUT_WITHIN, lambda: self._look(world))

    def _get_out(self, world: World) -> None:
        self.held = _positions(world)
        Deeds(world).halt(HaltLevel.FLATTENING)

    def _look(self, world: World) -> None:
        assert world.wall_error == self._error
        self.left = _positions(world)


def _positions(world: World) -> dict[str, int]:
    return {position.symbol: int(position.quantity) for position in world.desk.venue.positions()}


@pytest.mark.fault("clock-differs", "wall-clock-jumps")
@pytest.mark.parametrize("from_the_start", [False, True], ids=["in mid-session", "before the start"])
@pytest.mark.parametrize(
    "error",
    [
        timedelta(seconds=20),
        -timedelta(seconds=20),
        timedelta(minutes=90),
        -timedelta(minutes=90),
        timedelta(days=2),
        -timedelta(days=2),
    ],
    ids=str,
)
def test_a_liquidation_ends_flat_while_the_wall_clock_is_wrong(monkeypatch, error, from_the_start):
    wrong, begin = WrongClock(error, from_the_start=from_the_start), World.begin

    def begin_wrong(world: World) -> None:
        begin(world)
        wrong.begin(world)

    monkeypatch.setattr(World, "begin", begin_wrong)
    world = stormy_day(QUIET)
    if not from_the_start:
        assert wrong.held, "nothing was held that could have been closed"
    assert wrong.left == {}
    assert list(world.findings.violations) == []


@pytest.mark.parametrize("seed", range(1, 7))
def test_days_on_which_clocks_jump_while_people_halt_and_close(seed):
    day = day_report(DayPlan(seed=seed, kinds=("clock.jump", "ops.halt", "process.kill"), minutes=CALM + 30))
    assert day.violations == ()
