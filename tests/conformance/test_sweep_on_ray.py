"""A sweep on a real Ray cluster of two nodes finds what one process finds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import qts_here

ROOT = Path(__file__).parents[2]

STRATEGY = """
from quant_trading_system.trading.strategy import Strategy

class Shifted(Strategy):
    def __init__(self, bar: int = 1, weight: str = "0.05"):
        if bar == 4:
            raise ValueError("not four")
        self.bar, self.weight = bar, weight

    def on_bar(self, market):
        if market.bar == self.bar:
            yield market.long("KO", weight=self.weight)
"""

ARGUMENTS = (
    "sweep", "shifted.py", "--param", "bar=1:4", "--param", "weight=0.05,0.08", "--symbols", "KO",
    "--from", "2020-03-02", "--to", "2020-04-30", "--walk-forward", "1", "--json",
)  # fmt: skip


@pytest.fixture
def surroundings(tmp_path):
    """Loopback only, and nothing is told to the makers of Ray."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "QTS_STATE_DIR": str(tmp_path / "state"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }


@pytest.fixture
def cluster(surroundings):
    """The address of a cluster of two nodes with one processor each."""
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.support.ray_cluster"],
        cwd=ROOT, env=surroundings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        yield program.stdout.readline().strip()
    finally:
        program.stdin.close()  # it stops its nodes by Ray's own means
        program.wait(timeout=60)
        program.stdout.close()


def qts(*arguments, directory, surroundings):
    command = [sys.executable, "-m", "quant_trading_system.cli.main", *ARGUMENTS, *arguments]
    return subprocess.run(
        command, cwd=directory, env=surroundings, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.timeout(300)
def test_two_nodes_find_what_one_process_finds(cluster, surroundings, tmp_path):
    (tmp_path / "shifted.py").write_text(STRATEGY)
    far = qts("--ray", cluster, "--out", "far", directory=tmp_path, surroundings=surroundings)
    assert far.returncode == 0, far.stderr
    near = qts("--jobs", "1", "--out", "near", directory=tmp_path, surroundings=surroundings)
    assert near.returncode == 0, near.stderr
    for file in ("results.parquet", "report.html"):
        assert (tmp_path / "far" / file).read_bytes() == (tmp_path / "near" / file).read_bytes()
    assert {**json.loads(far.stdout), "directory": ""} == {**json.loads(near.stdout), "directory": ""}
    assert [one["number"] for one in json.loads(far.stdout)["failed"]] == [6, 7]
    assert len((tmp_path / "far" / "trials.jsonl").read_text().splitlines()) == 8 + 8 + 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:port"])
def test_where_no_cluster_answers(surroundings, tmp_path, address):
    (tmp_path / "shifted.py").write_text(STRATEGY)
    refused = qts("--ray", address, directory=tmp_path, surroundings=surroundings)
    assert refused.returncode == 1
    assert "no cluster answers" in refused.stderr


def test_a_cluster_is_instead_of_processes(surroundings, tmp_path):
    (tmp_path / "shifted.py").write_text(STRATEGY)
    refused = qts_here(*ARGUMENTS, "--ray", "auto", "--jobs", "2", directory=tmp_path, environment=surroundings)
    assert refused.returncode == 1
    assert "exclude each other" in refused.stderr
