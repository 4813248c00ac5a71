"""Drills with real processes: engine, venue, watchdog and command line, over real HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from quant_trading_system.app.drill.rehearsal import rehearse
from quant_trading_system.app.drill.ways import BY_NAME
from quant_trading_system.core.clock import SystemClock

pytestmark = pytest.mark.timeout(240)


def explain(found) -> str:
    failed = [f"{check.name}: {check.found}" for check in found.checks if not check.passed]
    return found.error or "; ".join(failed)


@pytest.mark.parametrize("way", ["alone", "signal", "flatten", "symbol", "side"])
def test_every_way_of_stopping_stops_real_processes(way, tmp_path):
    found = asyncio.run(rehearse(BY_NAME[way], tmp_path / way, SystemClock()))
    assert found.passed, explain(found)
    assert found.figures.cancelled is not None
    assert (found.figures.flat is not None) == (way == "flatten")


def test_a_strategy_is_stopped_and_the_others_trade_on(tmp_path):
    """An engine in a hurry, whose strategy speaks at every turn instead of once a minute."""
    way = BY_NAME["strategy"]
    found = asyncio.run(rehearse(way, tmp_path / "strategy", SystemClock(), program="tests.support.hasty_trade"))
    assert found.passed, explain(found)


@pytest.mark.control("drill")
def test_the_command_writes_evidence(tmp_path):
    place = tmp_path / "evidence"
    command = [sys.executable, "-m", "quant_trading_system.cli.main", "drill", "--only", "resume", "--json"]
    done = subprocess.run([*command, "--out", str(place)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told, kept = json.loads(done.stdout), json.loads((place / "drill.json").read_text())
    assert told == kept
    (found,) = kept["rehearsals"]
    assert [check["name"] for check in found["checks"] if "resume" in check["name"]] == [
        "one approval does not resume",
        "a second person resumes",
    ]
    assert "| resume |" in (place / "drill.md").read_text()
