"""How marked tests ended when they were last run for the record: written by `fault_report` and `control_report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).resolve().parent.parent / "docs"
RECORD = _DOCS / "faults-run.json"
CONTROLS_RECORD = _DOCS / "controls-run.json"
PLANTED_RECORD = _DOCS / "planted-run.json"

PASSED, FAILED = "passed", "FAILED"


def recorded_run(record: Path = RECORD) -> dict[str, Any]:
    """Date, version and results; empty when there is no record."""
    run: dict[str, Any] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    return run


def recorded_results(record: Path = RECORD) -> dict[str, str]:
    """How each test ended, by its name without the values of its parameters."""
    results: dict[str, str] = recorded_run(record).get("results", {})
    return results


def outcome_of(results: Sequence[str]) -> str:
    """One word for all tests of a fault; a test without a result has not been run for the record."""
    if not results:
        return "–"
    if FAILED in results:
        return FAILED
    missing = sum(1 for result in results if result != PASSED)
    return PASSED if not missing else f"{missing} of {len(results)} not run"
