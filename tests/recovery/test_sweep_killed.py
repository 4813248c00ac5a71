"""A sweep that is killed leaves no process behind, and goes on where it was."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.venue_process import until

STRATEGY = """
import os
from quant_trading_system.trading.strategy import Strategy

class Waits(Strategy):
    def __init__(self, number: int = 0):
        self.number = number
        if number == 7 and "SWEEP_GATE" in os.environ:
            open(os.environ["SWEEP_GATE"]).read()  # until nobody holds the other end any more

    def on_bar(self, market):
        if market.bar == 1 + self.number:
            yield market.long("KO", weight="0.08")
"""

ARGUMENTS = (
    "sweep", "waits.py", "--param", "number=0:7", "--symbols", "KO", "--from", "2020-03-02", "--to", "2020-03-31",
    "--json",
)  # fmt: skip


@pytest.fixture
def begin(tmp_path):
    """Begins `qts` in a directory of its own."""
    (tmp_path / "waits.py").write_text(STRATEGY)
    surroundings = {**os.environ, "PYTHONPATH": str(Path.cwd()), "QTS_STATE_DIR": str(tmp_path / "state")}

    def start(*arguments, **more):
        return subprocess.Popen(
            [sys.executable, "-m", "quant_trading_system.cli.main", *ARGUMENTS, *arguments],
            cwd=tmp_path, env=surroundings | more, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def finished(process):
    out, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors.decode()
    return json.loads(out)


def test_a_killed_sweep_goes_on(begin, tmp_path):
    os.mkfifo(tmp_path / "gate")
    sweep = begin("--jobs", "2", "--out", "killed", SWEEP_GATE=str(tmp_path / "gate"))
    try:
        gate = os.open(tmp_path / "gate", os.O_WRONLY)  # opens when the last trial has begun
        ledger = tmp_path / "killed" / "trials.jsonl"
        until(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") >= 5, "trials are kept")
    finally:
        sweep.send_signal(signal.SIGKILL)
        sweep.communicate()
    gone = select.poll()
    gone.register(gate, 0)
    assert gone.poll(60_000), "a process of the killed sweep lives on"  # whoever read at the gate has ended
    os.close(gate)
    kept = (tmp_path / "killed" / "trials.jsonl").read_bytes()
    again = finished(begin("--jobs", "1", "--out", "killed"))
    whole = finished(begin("--jobs", "1", "--out", "whole"))
    assert (tmp_path / "killed" / "trials.jsonl").read_bytes().startswith(kept)
    assert again["resumed"] == kept.count(b"\n") >= 5
    assert again["best"] == whole["best"]
    for file in ("results.parquet", "report.html"):
        assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "report.html", "results.parquet", "sweep.json", "trials.jsonl",
    ]  # fmt: skip


def test_an_interrupted_sweep_says_how_to_go_on(begin, tmp_path):
    os.mkfifo(tmp_path / "gate")
    sweep = begin("--jobs", "1", "--out", "stopped", SWEEP_GATE=str(tmp_path / "gate"))
    gate = os.open(tmp_path / "gate", os.O_WRONLY)
    sweep.send_signal(signal.SIGINT)
    _, errors = sweep.communicate(timeout=60)
    os.close(gate)
    assert sweep.returncode == 1
    assert errors.decode().splitlines() == [
        "qts: stopped; 7 of 8 trials are kept: the same command with --out stopped goes on"
    ]
    assert finished(begin("--jobs", "1", "--out", "stopped"))["resumed"] == 7
