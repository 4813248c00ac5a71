"""Processes that are killed without warning: a venue that comes back on its port, and engines in all their lives."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from quant_trading_system.core.events import RunFinished
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.risk.latch import FileLatch
from tests.support.engine_process import Engine
from tests.support.kill_audit import doubts_of, journal_of
from tests.support.venue_process import START_S, TOKEN, VenueProcess

PATIENCE_S = 60
"""For one thing to happen, on a machine that has much else to do."""
PRICES = {"KO": "60", "PEP": "170", "SPY": "570"}
ROOMY = """
risk:
  max_position_pct: 0.10
  max_portfolio_positions: 20
  max_daily_loss_pct: 0.05
  max_drawdown_pct: 0.15
  max_sector_exposure: 1.00
  max_correlation: 1.00
orders:
  max_order_quantity: 100000
  min_order_notional: 1.00
  max_order_notional: 1000000
  max_open_orders_per_symbol: 10
  duplicate_window_s: 0
halt:
  max_consecutive_losses: 1000
  halt_level: halted
  authorized_resetters: []
"""
"""Limits under which a trader in a hurry is not stopped for being one."""


def wait_until(found: Callable[[], Any], what: str) -> Any:
    """Ask again and again until the answer is true; every question reads a file or a socket."""
    end = monotonic() + PATIENCE_S
    while not (answer := found()):
        if monotonic() > end:
            raise AssertionError(f"{what}: not within {PATIENCE_S} s")
    return answer


class KillableVenue(VenueProcess):
    """A venue that keeps its books in a file; whoever kills it finds it again where it was."""

    def __init__(self, place: Path, seed: int) -> None:
        """Start it with one account and prices that stand still."""
        self._options = (
            "--always-open", "--rate-limit=0", "--json", "--end-with-stdin", f"--control-token={TOKEN}",
            f"--seed={seed}", f"--symbols={','.join(f'{symbol}:{price}' for symbol, price in PRICES.items())}",
            f"--db={place / 'venue.db'}", "--account=a0:PKTEST0000:secret-0:100000",
        )  # fmt: skip
        super().__init__(*self._started(0))
        for symbol, price in PRICES.items():
            self.hold(symbol, price)

    def _started(self, port: int) -> tuple[subprocess.Popen, dict[str, Any]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "quant_trading_system.cli.main", "venue", f"--port={port}", *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the venue did not start: exit code {process.wait(START_S)}"
        return process, json.loads(line)

    def kill_and_restart(self) -> None:
        """SIGKILL once its file holds everything, then a new process on the same port with the same file."""
        wait_until(lambda: self.control("/time")["saved"], "the venue to write its books")
        self.end(signal.SIGKILL)
        self.process, _ = self._started(int(self.url.rsplit(":", 1)[1]))

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End this process; its exit code."""
        self.process.send_signal(by)
        code = self.process.wait(PATIENCE_S)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return code


class Life:
    """One process of an engine, from its start to its end, and the lines that it has told so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def until(self, *words: str, times: int = 1) -> str:
        """The line in which one of `words` comes for the n-th time from now on.

        Raises:
            AssertionError: it ended, or fell silent, without saying so.
        """
        end = monotonic() + PATIENCE_S
        while monotonic() < end:
            try:
                line = self._queue.get(timeout=max(end - monotonic(), 0.01))
            except queue.Empty:
                break
            if line is None:
                raise AssertionError(f"it ended without saying {words}:\n{''.join(self.lines[-40:])}")
            self.lines.append(line)
            times -= any(word in line for word in words)
            if not times:
                return line
        raise AssertionError(f"it did not say {words} within {PATIENCE_S} s:\n{''.join(self.lines[-40:])}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, by: signal.Signals) -> int:
        """End it; its exit code."""
        self.signal(by)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


class Bench:
    """A venue, and one account that an engine trades on in many lives."""

    def __init__(self, place: Path, seed: int) -> None:
        place.mkdir(parents=True, exist_ok=True)
        self.venue = KillableVenue(place, seed)
        limits = place / "limits.yaml"
        limits.write_text(ROOMY)
        limits.chmod(0o644)
        trader = Path(__file__).with_name("busy_trader.py")
        self.engine = Engine(
            self.venue, place, str(trader), "--symbols", ",".join(PRICES), "--limits", str(limits),
            program="tests.support.hasty_trade",
        )  # fmt: skip

    @contextmanager
    def life(self) -> Iterator[Life]:
        """An engine that has reconciled and trades."""
        with self.engine.running() as process:
            life = Life(process)
            life.until("reconciled")
            yield life

    def close(self) -> None:
        """End the venue."""
        if self.venue.process.poll() is None:
            self.venue.end()


class End(NamedTuple):
    """How an engine ended: after how long, its exit code, what it told, its last entry, and the latch."""

    seconds: float
    code: int
    told: str
    finished: RunFinished
    is_halted: bool


def stop_without_broker(bench: Bench, *, twice: bool) -> End:
    """Stop an engine that has sent an order to a venue which stands still; `twice`: and say so again."""
    with bench.life() as life:
        life.until("filled: ")
        bench.venue.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: doubts_of(bench.engine), "an order to leave whose answer is never going to come")
            began = monotonic()
            life.signal(signal.SIGTERM)
            if twice:
                life.signal(signal.SIGINT)
            code = life.process.wait(2 * PATIENCE_S)
            seconds = monotonic() - began
        finally:
            bench.venue.process.send_signal(signal.SIGCONT)
        with suppress(AssertionError):
            life.until("never said")
    path = journal_of(bench.engine)
    with JournalReader(path, journal_key(path)) as reader:
        *_, last = reader.entries(kinds=("run_finished",))
    assert isinstance(last.event, RunFinished)
    is_halted = FileLatch(bench.engine.directory / "kill_latch.json").read().level > 0
    return End(seconds, code, "".join(life.lines), last.event, is_halted)
