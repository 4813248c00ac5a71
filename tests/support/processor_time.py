"""Seconds of processors, which other programs on the machine hardly disturb."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_FIRST_TIME = 11
"""Of the four times in what Linux tells of a process after its name: its own, and of its children that have ended."""


def processor_seconds() -> float:
    """Of this process and all that it has started, those that still run among them."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(_of_running_children())


def _of_running_children() -> Iterator[float]:
    for thread in Path("/proc/self/task").glob("*/children"):
        for child in thread.read_text().split():
            told = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            yield sum(map(int, told[_FIRST_TIME : _FIRST_TIME + 4])) / _TICKS_A_SECOND
