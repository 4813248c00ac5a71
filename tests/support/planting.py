"""What a planted bug is, and how it is looked for: on stormy days, or by the tests that prove its invariant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from quant_trading_system.app.simulating import day_report
from quant_trading_system.simulation.storm.plan import CALM, DayPlan

ROOT = Path(__file__).resolve().parents[2]
Patch = pytest.MonkeyPatch


class PlantedBug(NamedTuple):
    """One bug that stormy days can bring out.

    Attributes:
        plant: puts it in; taken out again by the end of the test.
        caught_by: invariants of which one must be violated.
        kinds: faults that the days hold.
        longer: minutes of storm beyond the usual ones.
    """

    number: str
    what: str
    plant: Callable[[Patch], None]
    caught_by: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    longer: int = 0

    def days_to_catch(self, most: int, first: int = 1) -> int:
        """The first of `most` days on which one of its invariants is violated, or 0; `first` is tried before all."""
        for seed in dict.fromkeys((first, *range(1, most + 1))):
            day = day_report(DayPlan(seed=seed, kinds=self.kinds, minutes=CALM + 25 + self.longer))
            if any(found.invariant in self.caught_by for found in day.violations):
                return seed
        return 0


class BugWithTests(NamedTuple):
    """One bug in what stormy days have no part in: a console, files of settings, real files.

    Attributes:
        plant: puts it in, in a process of its own.
        caught_by: the invariants that the tests prove.
        tests: of which one must fail by what it asserts.
    """

    number: str
    what: str
    plant: Callable[[Patch], None]
    caught_by: tuple[str, ...]
    tests: tuple[str, ...]

    def is_caught(self) -> bool:
        """True when one of its tests fails while it is in; `tests/support/bug_in_tests.py` puts it in."""
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-p", "tests.support.bug_in_tests", *self.tests],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PLANTED_BUG": self.number},
            capture_output=True,
            text=True,
            check=False,
        )
        return f"{self.number} was caught" in done.stdout


class SeededBug(NamedTuple):
    """One bug that makes two processes live through the same day in different ways; fields as in `PlantedBug`."""

    number: str
    what: str
    plant: Callable[[Patch], None]
    caught_by: tuple[str, ...]
    kinds: tuple[str, ...] = ()

    def days_to_catch(self, most: int, first: int = 1) -> int:
        """The first of `most` days on which processes with different hash seeds disagree, or 0; as `PlantedBug`."""
        for seed in dict.fromkeys((first, *range(1, most + 1))):
            if len({self._digest(seed, hash_seed) for hash_seed in ("1", "2", "3")}) > 1:
                return seed
        return 0

    def _digest(self, seed: int, hash_seed: str) -> str:
        program = (
            "import sys, pytest; from tests.support.planted_bugs import BUGS; "
            "bug = next(bug for bug in BUGS if bug.number == sys.argv[1]); bug.plant(pytest.MonkeyPatch()); "
            "print(bug.digest_here(int(sys.argv[2])))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, self.number, str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[-1]

    def digest_here(self, seed: int) -> str:
        """Of the day, in this process."""
        return day_report(DayPlan(seed=seed, kinds=self.kinds, minutes=CALM + 25)).digest


StormBug = PlantedBug | SeededBug
AnyBug = StormBug | BugWithTests
