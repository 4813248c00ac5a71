"""`qts console` as a process beside another command: started, told about, and ended with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from quant_trading_system.cli.screen import screen

_PROGRAM = (sys.executable, "-m", "quant_trading_system.cli.main", "console", "--port", "0")
_GOODBYE_S = 10


class ConsoleProcess:
    """The console of the latest run, on a free port. Without it the command that wanted it goes on all the same.

    Attributes:
        address: logs in once; empty when the console could not be started.
    """

    def __init__(self) -> None:
        """Start it, and print where it is."""
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            _PROGRAM, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        found = (line for line in self._process.stdout if "/login#" in line)
        self.address = next(found, "").rpartition(" ")[2].strip()
        self._tell()

    def stay(self) -> None:
        """Say again where it is, and wait for Ctrl-C."""
        if not self.address:
            return
        self._tell()
        screen().print("[dim]the console stays open until Ctrl-C[/dim]")
        with suppress(KeyboardInterrupt):
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it, whatever has happened."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tell(self) -> None:
        if self.address:
            screen().print(f"[bold]console[/bold]  {self.address}", soft_wrap=True)
        else:
            screen().print("[dim]no console: `qts console` says why[/dim]")
