"""The seconds that speed is measured in count every process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.processor_time import processor_seconds

TICKS = 0.03
"""Seconds that may be missing: Linux tells them in hundredths, user and system apart."""
WORKS = "import time\nwhile time.process_time() < 0.3: pass\n"
SAYS_SO = "print('done', flush=True)\ninput()"
PROGRAMS = {
    "child": WORKS + SAYS_SO,
    "child of a child": f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {WORKS!r}])\n{SAYS_SO}",
}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only those that have ended can be counted")
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_processes_that_still_run_are_counted(program):
    before = processor_seconds()
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        running = processor_seconds()
        child.communicate(b"\n")
    assert running - before >= 0.3 - TICKS
    assert processor_seconds() >= running - TICKS
