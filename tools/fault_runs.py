"""How the tests that provoke faults ended when they were last run for the record: written by `fault_report`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RECORD = Path(__file__).resolve().parent.parent / "docs" / "faults-run.json"

PASSED, FAILED = "passed", "FAILED"


def recorded_run() -> dict[str, Any]:
    """Date, version and results; empty when there is no record."""
    run: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    return run


def recorded_results() -> dict[str, str]:
    """How each test ended, by its name without the values of its parameters."""
    results: dict[str, str] = recorded_run().get("results", {})
    return results


def outcome_of(results: Sequence[str]) -> str:
    """One word for all tests of a fault; a test without a result has not been run for the record."""
    if not results:
        return "–"
    if FAILED in results:
        return FAILED
    missing = sum(1 for result in results if result != PASSED)
    return PASSED if not missing else f"{missing} of {len(results)} not run"
