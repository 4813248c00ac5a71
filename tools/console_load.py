"""Measures the console under load: how late its pages show what is written, and what that costs the writer.

python tools/console_load.py --seconds 600 --rate 200      needs chromium

Prints the delay from writing an order to seeing it (median, worst), what an append costs its writer with and without
pages open, and the memory of the console's process at the beginning and at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.demo_journal import Scribe  # noqa: E402 - found once the line above has run

LOOK_EVERY_S = 5.0


class Writer(Thread):
    """Writes orders and risk numbers at a steady rate, and times every append."""

    def __init__(self, scribe: Scribe, rate: float) -> None:
        super().__init__(daemon=True)
        self.scribe = scribe
        self.rate = rate
        self.stopping = Event()
        self.costs_ms: list[float] = []
        self.written: dict[str, float] = {}

    def run(self) -> None:
        began, entries = time.monotonic(), 0
        while not self.stopping.is_set():
            before = time.monotonic()
            name = self.scribe.send("KO", 1)
            self.costs_ms.append((time.monotonic() - before) * 1000 / 2)
            self.written[name] = time.monotonic()
            self.scribe.fill(name, "KO", 1)
            entries += 4
            self.stopping.wait(max(began + entries / self.rate - time.monotonic(), 0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=200)
    chosen = parser.parse_args()
    with TemporaryDirectory() as directory:
        scribe = Scribe(Path(directory, "load"))
        alone = _written_for(Writer(scribe, chosen.rate), 10)
        writer = Writer(scribe, chosen.rate)
        delays, memory = _watched(Path(directory), writer, chosen.seconds)
        scribe.close()
    print(f"{len(writer.costs_ms) * 4 / chosen.seconds:.0f} events a second for {chosen.seconds} s, two pages open")
    print(f"seen after {statistics.median(delays):.0f} ms (median), {max(delays):.0f} ms (worst of {len(delays)})")
    print(f"memory of the console {memory[0]:.0f} MB at the beginning, {memory[-1]:.0f} MB at the end")
    for name, costs in (("without", alone), ("with", writer.costs_ms)):
        ordered = sorted(costs)
        high = ordered[len(ordered) * 99 // 100]
        print(f"append {name} pages open: {statistics.median(ordered):.2f} ms, p99 {high:.2f} ms")
    return 0


def _written_for(writer: Writer, seconds: float) -> list[float]:
    writer.start()
    time.sleep(seconds)
    writer.stopping.set()
    writer.join()
    return writer.costs_ms


def _watched(state: Path, writer: Writer, seconds: int) -> tuple[list[float], list[float]]:
    program = [sys.executable, "-m", "quant_trading_system.cli.main", "console", "--name", "load", "--port", "0"]
    environment = {**os.environ, "QTS_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    quiet = subprocess.DEVNULL
    with (
        subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=quiet, text=True) as console,
        sync_playwright() as playwright,
    ):
        assert console.stdout is not None
        login = next(line for line in console.stdout if "/login#" in line).split()[-1]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context()
        overview, orders = context.new_page(), context.new_page()
        overview.goto(login)
        overview.wait_for_url("**/")
        orders.goto(login.split("/login")[0] + "/orders")
        orders.wait_for_selector("tbody[data-rows=orders] tr")
        writer.start()
        delays, memory, until = [], [], time.monotonic() + seconds
        while time.monotonic() < until:
            orders.wait_for_timeout(LOOK_EVERY_S * 1000)
            delays.append(_delay_ms(orders, writer))
            memory.append(_memory_mb(console.pid))
        writer.stopping.set()
        writer.join()
        browser.close()
        console.terminate()
    return delays, memory


def _delay_ms(orders: Page, writer: Writer) -> float:
    """From the last order written now to the moment at which the page has it, or a newer one."""
    name, at = max(writer.written.items(), key=lambda item: item[1])
    wanted = int(name.split("-")[1])
    orders.wait_for_function(
        "n => Number(document.querySelector('tbody[data-rows=orders] tr').dataset.key.split('-')[1]) >= n",
        arg=wanted,
        polling=20,
    )
    return (time.monotonic() - at) * 1000


def _memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
