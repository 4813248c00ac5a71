"""Long runs: many seeds, kills at random moments. ``make soak SEEDS=100 MINUTES=30`` says how long."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from quant_trading_system.app.simulating import day_report
from quant_trading_system.simulation.storm.plan import CALM
from tests.property.test_plain_way_in_storms import require_the_same
from tests.support.bugs_beside_storms import TESTED_BUGS
from tests.support.crash_sweeps import SWEEPS
from tests.support.kill_storm import MISFORTUNES, storm
from tests.support.planted_bugs import BUGS
from tests.support.planting import SeededBug

ROOT = Path(__file__).resolve().parents[2]
QTS = [sys.executable, "-m", "quant_trading_system.cli.main"]

pytestmark = pytest.mark.soak


def seeds() -> Iterator[int]:
    """As many as SEEDS says, for no longer than MINUTES."""
    deadline = time.monotonic() + 60 * float(os.environ.get("MINUTES", "10"))
    for seed in range(int(os.environ.get("SEEDS", "20"))):
        if time.monotonic() > deadline:
            print(f"time is up after {seed} seeds", flush=True)
            return
        yield seed


class Place:
    """A directory of its own for one run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        state = str(directory / "state")
        self.environment = {**os.environ, "QTS_STATE_DIR": state, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}

    def qts(self, *arguments: str) -> dict:
        done = subprocess.run(
            [*QTS, *arguments], cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout[done.stdout.index("{") :])

    def require_intact(self) -> int:
        """Every entry is good and adds up to the books on record; the number of entries."""
        (journal,) = self.directory.rglob("journal.db")
        verified = self.qts("journal", "verify", str(journal), "--json")
        replayed = self.qts("journal", "replay", str(journal), "--json")
        assert verified["is_sound"]
        assert replayed["agrees"], replayed["differences"]
        return int(verified["entries"])


@pytest.mark.parametrize("crash", [False, True], ids=["normal", "crash"])
def test_every_seed_ends_with_books_that_add_up(tmp_path, crash):
    for seed in seeds():
        place = Place(tmp_path / str(seed))
        told = place.qts(
            "demo", "--in-process", "--headless", "--json", "--seed", str(seed), *(["--crash"] if crash else [])
        )
        assert told["journal_verified"]
        print(f"seed {seed}: {told['orders']} orders, {place.require_intact()} entries", flush=True)


def test_short_cuts_leave_the_same_journal_on_every_stormy_day():
    for seed in seeds():
        print(f"seed {seed}: {len(require_the_same(seed, minutes=60))} entries", flush=True)


def test_a_run_that_is_killed_at_any_moment_leaves_books_that_add_up(tmp_path):
    for seed in seeds():
        place = Place(tmp_path / str(seed))
        moment = random.Random(seed).randrange(1, 8)
        with subprocess.Popen(
            [*QTS, "demo", "--in-process", "--headless", "--seed", str(seed)],
            cwd=place.directory, env=place.environment, stdout=subprocess.PIPE, text=True,
        ) as demo:  # fmt: skip
            assert demo.stdout is not None
            quarters = 0
            for line in demo.stdout:
                quarters += line.startswith("202")
                if quarters == moment:
                    demo.kill()
                    break
        print(f"seed {seed}: killed in quarter {moment}, {place.require_intact()} entries", flush=True)


@pytest.mark.parametrize(
    ("first", "minutes"), [(10_000, "0"), (101, str(CALM + 10))], ids=["of any length", "as short as in every run"]
)
def test_many_stormy_days(first, minutes):
    """SEEDS days for every seed that the other tests run; the table is printed."""
    count = 10 * int(os.environ.get("SEEDS", "20"))
    command = [*QTS, "simulate", "--seeds", str(count), "--first-seed", str(first), "--minutes", minutes, "--jobs", "2"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    print(done.stdout, flush=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("apart", [0, 9, 60], ids=["once", "again at once", "again while it recovers"])
@pytest.mark.parametrize("name", SWEEPS)
def test_a_death_at_every_single_step(name, apart):
    """Of every sweep, and a second death so many steps later, until MINUTES are over."""
    plan = SWEEPS[name]
    total = day_report(plan).points
    deadline = time.monotonic() + 60 * float(os.environ.get("MINUTES", "10"))
    for point in range(1, total * 9 // 10):  # who dies later is not up again when the books are compared
        if time.monotonic() > deadline:
            print(f"{name}: time is up after {point - 1} of {total} crash points", flush=True)
            return
        kills = (point, point + apart) if apart else (point,)
        day = day_report(msgspec.structs.replace(plan, kill_at=kills))
        assert day.violations == (), (kills, day.violations[0])
    print(f"{name}: all {total} crash points", flush=True)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.number)
def test_every_planted_bug_is_caught(bug, monkeypatch):
    """Within fifty days; how many it took is printed."""
    if not isinstance(bug, SeededBug):
        bug.plant(monkeypatch)
    days = bug.days_to_catch(50)
    assert days, f"{bug.number} survives: {bug.what}"
    print(f"{bug.number} caught on day {days}: {bug.what}", flush=True)


@pytest.mark.parametrize("bug", TESTED_BUGS, ids=lambda bug: bug.number)
def test_every_bug_beside_the_storms_is_caught(bug):
    assert bug.is_caught(), f"{bug.number} survives: {bug.what}"


def test_processes_that_are_killed_again_and_again_keep_books_that_agree(tmp_path):
    """Engine and venue die in every way, once for each seed; a failure prints the command that repeats it."""
    done: Counter[str] = Counter()
    for seed in seeds():
        run = storm(tmp_path / str(seed), seed)
        done += run.done
        deaths = sum(count for what, count in done.items() if what.startswith("killed"))
        print(f"seed {seed}: {run.orders} orders; {deaths} deaths so far", flush=True)
    print("\n".join(f"{what:<32} {times}" for what, times in sorted(done.items())), flush=True)
    assert all(done[misfortune.__name__] for misfortune in MISFORTUNES)
