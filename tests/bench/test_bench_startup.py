"""How long it takes until a program can ask the gate, and until `qts` answers; beside the interpreter alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

STARTS = {
    "the package": ("-c", "import quant_trading_system"),
    "the gate": ("-c", "import quant_trading_system.risk.limits"),
    "qts --help": ("-m", "quant_trading_system.cli.main", "--help"),
}


@pytest.mark.parametrize("name", STARTS)
def test_start(against, name):
    """The best of ten starts; the bare one is the interpreter, which does nothing."""
    against(lambda: start(*STARTS[name]), lambda: start("-c", "pass"), units=1, unit="start", rounds=10)


def start(*arguments: str) -> None:
    """One process, from its beginning to its end."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
