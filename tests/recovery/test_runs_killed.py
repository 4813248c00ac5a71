"""A run that is killed without warning leaves a journal that verifies and adds up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QTS = [sys.executable, "-m", "quant_trading_system.cli.main"]


def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "QTS_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def read(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QTS, *arguments], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )


TALKATIVE = """
from quant_trading_system import Strategy

class Talkative(Strategy):
    def on_bar(self, market):
        if market.bar == 1500:
            print("bar 1500", flush=True)
        for symbol in market.symbols:
            if market.bar % 20 == 0:
                yield market.long(symbol, weight="0.03") if market.bar % 40 else market.flat(symbol)
"""


def assert_intact(tmp_path: Path, run: str) -> None:
    """Every entry is good, and the books that were recorded agree with the entries."""
    journal = str(tmp_path / "runs" / run / "journal.db")
    verified = read(tmp_path, "journal", "verify", journal, "--json")
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["entries"] > 10
    replayed = json.loads(read(tmp_path, "journal", "replay", journal, "--json").stdout)
    assert replayed["agrees"] is True
    assert replayed["differences"] == []


@pytest.mark.parametrize("quarter", ["2021 Q1", "2021 Q4", "2022 Q3"])
@pytest.mark.fault("engine-killed")
def test_a_demo_killed_in_the_middle_leaves_an_intact_journal(tmp_path, quarter):
    """SIGKILL while it trades: every entry is good, and the books that it recorded agree with the entries."""
    with subprocess.Popen(
        [*QTS, "demo", "--in-process", "--headless"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith(quarter):
                demo.send_signal(signal.SIGKILL)
                break
        demo.stdout.close()
        assert demo.wait() == -signal.SIGKILL
    assert_intact(tmp_path, "demo")


@pytest.mark.fault("engine-killed")
def test_a_backtest_killed_in_the_middle_leaves_an_intact_journal(tmp_path):
    """A backtest writes in batches; what it has written is a prefix of what happened."""
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    with subprocess.Popen(
        [*QTS, "backtest", "talkative.py"], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as backtest:
        assert backtest.stdout is not None
        assert backtest.stdout.readline() == "bar 1500\n"
        backtest.send_signal(signal.SIGKILL)
    assert_intact(tmp_path, "backtest-1")


def test_a_killed_demo_does_not_stand_in_the_way_of_the_next(tmp_path):
    with subprocess.Popen(
        [*QTS, "demo", "--in-process", "--headless"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        demo.send_signal(signal.SIGKILL)
    again = read(tmp_path, "demo", "--in-process", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["journal_verified"] is True
