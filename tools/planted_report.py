"""Looks for every planted bug, keeps how each was caught, and writes the table of docs/simulation.md anew.

python tools/planted_report.py             all of them; a quarter of an hour on two cores
python tools/planted_report.py M01 M63     these; the others keep their results
"""

from __future__ import annotations

import json
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quant_trading_system import __version__  # noqa: E402 - found once the line above has run
from quant_trading_system.core.clock import SystemClock  # noqa: E402
from tests.support.bugs_beside_storms import ALL_BUGS  # noqa: E402
from tests.support.planting import BugWithTests, SeededBug  # noqa: E402
from tools.docs_tables import filled_in  # noqa: E402
from tools.fault_runs import PLANTED_RECORD, recorded_results  # noqa: E402

PAGE = ROOT / "docs" / "simulation.md"
MOST_DAYS = 50


def found(number: str) -> tuple[str, str]:
    """The number of a bug, and how it was caught in words."""
    bug = next(bug for bug in ALL_BUGS if bug.number == number)
    if isinstance(bug, BugWithTests):
        return number, "by a test" if bug.is_caught() else "SURVIVES"
    with pytest.MonkeyPatch.context() as patch:
        if not isinstance(bug, SeededBug):  # that one is planted into processes of its own
            bug.plant(patch)
        days = bug.days_to_catch(MOST_DAYS)
    return number, f"on day {days}" if days else "SURVIVES"


def main(wanted: list[str]) -> int:
    numbers = [bug.number for bug in ALL_BUGS]
    with get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        for number, words in pool.imap_unordered(found, wanted or numbers, chunksize=1):
            print(number, words, flush=True)
            _keep({name: known for name, known in _known().items() if name in numbers} | {number: words})
    PAGE.write_text(filled_in(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return int("SURVIVES" in _known().values())


def _known() -> dict[str, str]:
    return recorded_results(PLANTED_RECORD)


def _keep(results: dict[str, str]) -> None:
    """At once, so that a long run that ends early is no loss."""
    run = {"date": f"{SystemClock().now():%Y-%m-%d}", "version": __version__, "results": dict(sorted(results.items()))}
    PLANTED_RECORD.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
