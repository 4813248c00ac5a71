"""Lines of processes that trade: who reads them may go away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SPEAKER = """
import sys
from quant_trading_system.cli.screen import line_teller
from quant_trading_system.core.clock import SystemClock
tell = line_teller(SystemClock())
tell("before")
sys.stdin.readline()
tell("after")
tell("and on")
sys.stderr.write("alive")
sys.stderr.flush()
"""


def speaker(output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", SPEAKER], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE
    )


def test_a_reader_that_goes_away_ends_nothing():
    """The printing of rich would end an engine here, and a watchdog in the middle of its cancels."""
    read_end, write_end = os.pipe()
    with speaker(write_end) as process:
        os.close(write_end)
        assert b"before" in os.read(read_end, 100)
        os.close(read_end)
        _, said = process.communicate(b"\n", timeout=30)
    assert b"alive" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_behind_a_redirection_ends_nothing():
    with Path("/dev/full").open("wb") as full, speaker(full.fileno()) as process:
        _, said = process.communicate(b"\n", timeout=30)
    assert b"alive" in said
