"""Runs every test that provokes a fault, keeps how they ended, and writes the table of docs/faults.md anew.

python tools/fault_report.py                      all of them
python tools/fault_report.py tests/recovery       those of some paths; the others keep their results
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quant_trading_system import __version__  # noqa: E402 - found once the line above has run
from quant_trading_system.core.clock import SystemClock  # noqa: E402
from tools.docs_tables import filled_in  # noqa: E402
from tools.fault_marks import MARK, proofs_in  # noqa: E402
from tools.fault_runs import FAILED, PASSED, RECORD, recorded_results  # noqa: E402

PAGE = ROOT / "docs" / "faults.md"
_IMPORTED = "ignore::pytest.PytestAssertRewriteWarning"  # this tool has imported what pytest would rewrite


class Results:
    """Collects how tests end; of a test with several values the worst counts."""

    def __init__(self) -> None:
        self.by_test: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for setup, call and teardown of every test."""
        name = report.nodeid.split("[", 1)[0]
        if report.failed:
            self.by_test[name] = FAILED
        elif report.when == "call" and report.passed:
            self.by_test.setdefault(name, PASSED)


def main(paths: list[str], mark: str = MARK, record: Path = RECORD, page: Path = PAGE) -> int:
    results = Results()
    options = ["-q", "--no-header", "-m", f"{mark} and not soak", "-W", _IMPORTED]
    code = pytest.main([*options, *(paths or ["tests"])], plugins=[results])
    known = {proof.node for proof in proofs_in(ROOT, mark)}
    merged = {name: result for name, result in (recorded_results(record) | results.by_test).items() if name in known}
    run = {
        "date": f"{SystemClock().now():%Y-%m-%d}",
        "version": __version__,
        "results": dict(sorted(merged.items())),
    }
    record.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    page.write_text(filled_in(page.read_text(encoding="utf-8")), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
