"""Runs every check of the project, even after one has failed, and ends with one line for each.

python tools/check.py                 all of them
python tools/check.py style types     some of them
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent

STAGES: dict[str, list[str]] = {
    "style": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
    "types": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
    "tests": ["pytest", "-n", "2", "--dist", "worksteal", "--benchmark-disable"],
}
"""In the order in which they run: quick ones first. The tests of a file stay with one worker while there are others to
steal, so that what they share is built once, and one worker waits for processes while the other one computes."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Outcome(NamedTuple):
    """How one stage went; `seconds` of real time."""

    stage: str
    passed: bool
    seconds: float


def main(wanted: list[str]) -> int:
    unknown = [stage for stage in wanted if stage not in STAGES]
    if unknown:
        print(f"There is no check called {', '.join(unknown)}; choose from {', '.join(STAGES)}.", file=sys.stderr)
        return 2
    outcomes = [run(stage) for stage in STAGES if stage in wanted or not wanted]
    print("\n--- summary ---")
    for outcome in outcomes:
        print(f"{outcome.stage:<8} {'passed' if outcome.passed else 'FAILED'} {outcome.seconds:7.1f} s")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def install_browser() -> None:
    """The tests of the console need one; where it is missing and may be installed, it is. Else those tests say so."""
    installer = shutil.which("apt-get")
    if any(map(shutil.which, BROWSERS)) or os.geteuid() != 0 or installer is None:
        return
    print("Installing Chromium for the tests of the console.", flush=True)
    subprocess.run([installer, "update", "-qq"], check=False)
    subprocess.run([installer, "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=False)


def run(stage: str) -> Outcome:
    program, *arguments = STAGES[stage]
    print(f"\n--- {stage}: {' '.join([program, *arguments])} ---", flush=True)
    if stage == "tests":
        install_browser()
    began = time.monotonic()
    done = subprocess.run([PROGRAMS / program, *arguments], cwd=ROOT, env=surroundings(), check=False)
    return Outcome(stage, done.returncode == 0, time.monotonic() - began)


def surroundings() -> dict[str, str]:
    """The environment, where Python may keep what it has compiled: the tests start hundreds of programs."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
