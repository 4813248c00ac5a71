"""Stormy days: the live account under seeded faults, audited; the same seed gives the same day in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from quant_trading_system.app.simulating import campaign, day_report, shrunk
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.simulation.storm.kinds import KINDS
from quant_trading_system.simulation.storm.plan import CALM, DayPlan, plan_of
from tests.support.planted_bugs import BUGS, PlantedBug

ROOT = Path(__file__).resolve().parents[3]
SHORT = CALM + 20
MOST_SEEDS = 12
"""Days within which a planted bug has to be caught."""
SWEEP = DayPlan(seed=13, kinds=(), minutes=CALM + 6)
DEATHS = 12
"""Of the quick sweep, spread over all crash points; the soak tests die at every one."""


@pytest.mark.parametrize("first", range(1, 41, 8))
def test_no_invariant_breaks_in_a_storm(first):
    report, bad = campaign(first, 8, minutes=SHORT)
    assert [(day.plan.seed, day.violations[0]) for day in bad] == []
    assert report.passed
    assert report.orders > 0
    assert report.faults > 0


KEPT = {
    17: "an order that never left was asked about once at every start, and no start succeeded",
    32: "the same, with nothing but a full disk",
    38: "a cancel without an answer held up the cancels of other orders during a halt",
    1071: "a halt from outside made the books on record contradict a replay",
}


@pytest.mark.parametrize("seed", KEPT)
def test_seeds_that_once_broke_something_hold(seed):
    assert day_report(plan_of(seed, 100)).violations == ()


def test_a_seed_gives_the_same_day_in_another_process_with_another_hash_seed():
    found = {}
    for hash_seed in ("0", "4242"):
        command = [sys.executable, "-m", "quant_trading_system.cli.main", "simulate", "--json", "--jobs", "1"]
        done = subprocess.run(
            [*command, "--seeds", "2", "--first-seed", "15", "--minutes", str(SHORT)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        found[hash_seed] = json.loads(done.stdout.splitlines()[-1])
    assert found["0"] == found["4242"]
    fields = {"seeds", "days", "orders", "fills", "faults", "faults_by_kind", "invariants", "violations", "digest"}
    assert fields <= found["0"].keys()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.number)
def test_a_planted_bug_is_caught_by_its_invariant(bug: PlantedBug, monkeypatch):
    bug.plant(monkeypatch)
    for seed in range(1, MOST_SEEDS + 1):
        day = day_report(DayPlan(seed=seed, kinds=bug.kinds, minutes=SHORT + 5))
        if any(found.invariant in bug.caught_by for found in day.violations):
            return
    pytest.fail(f"{bug.what}: not caught within {MOST_SEEDS} days")


def crash_points() -> int:
    return day_report(SWEEP).points


@pytest.mark.fault("engine-killed", "killed-before-sending", "killed-before-answer")
def test_the_process_may_die_anywhere():
    """A plain stretch of trading is lived through once to count its crash points, then again with a death at each."""
    total = crash_points()
    assert total > 100
    for point in range(1, total + 1, max(total // DEATHS, 1)):
        day = day_report(msgspec.structs.replace(SWEEP, kill_at=(point,)))
        assert day.lives == 2 or point > total - 100, point  # whoever dies while the day ends is not started again
        assert day.violations == (), point


@pytest.mark.fault("killed-in-recovery")
def test_it_may_die_again_while_it_recovers():
    for point in (40, 90):
        kills = (point, point + 7, point + 30)
        day = day_report(msgspec.structs.replace(SWEEP, kill_at=kills))
        assert day.lives == 4
        assert day.violations == ()


def test_a_bad_day_is_made_short(monkeypatch):
    """Of all faults that struck, only those without which it does not fail are left."""
    bug = next(bug for bug in BUGS if bug.number == "M31")
    bug.plant(monkeypatch)
    kinds = ("ops.halt", "stream.dup", "feed.zero", "disk.slow")
    bad = next(
        day
        for day in (day_report(DayPlan(seed=seed, kinds=kinds, minutes=CALM + 40)) for seed in range(1, 9))
        if day.violations
    )
    short = shrunk(bad)
    assert short.plan.kinds == ("ops.halt",)
    assert short.plan.minutes <= bad.plan.minutes
    assert short.violations[0].invariant == bad.violations[0].invariant
    assert "VIOLATION" in short.violations[0].story[-1]


def test_a_fault_that_never_strikes_fails_the_campaign():
    report, _ = campaign(1, 1, minutes=CALM + 1)
    assert report.passed
    assert not msgspec.structs.replace(report, silent=["stream.dup"]).passed


def test_a_campaign_needs_days_with_a_storm():
    with pytest.raises(ConfigurationError, match="at least one seed"):
        campaign(1, 0)
    with pytest.raises(ConfigurationError, match="minutes"):
        campaign(1, 1, minutes=CALM)


def test_taking_a_kind_away_shifts_no_other():
    """Each kind draws from a stream of its own."""
    from datetime import timedelta

    from quant_trading_system.simulation.storm.weather import Weather

    hours = timedelta(hours=2)
    alone, together = Weather(5, ["http.storm"]), Weather(5, list(KINDS))
    assert alone.moments("http.storm", hours) == together.moments("http.storm", hours)
