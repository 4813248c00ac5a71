"""The console beside a busy engine, for as long as MINUTES says: memory bounded, pages in time, the engine no slower.

A real engine trades on the venue over HTTP; orders come and go through its door until 200 entries a second stand in
its journal. The time that it takes for an answer is measured with the console closed, then with pages open.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from quant_trading_system.app.door import EngineDoor
from quant_trading_system.config.loader import default_limits, limits_as_text
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Cancel, Outcome, PlaceOrder, Result
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from tests.support.engine_process import QTS, ROOT, Engine
from tests.support.venue_process import running_venue

pytestmark = pytest.mark.soak

EVENTS_A_SECOND = 200
ENTRIES_A_ROUND = 8
"""An order: asked for, sent, shown, answered; its cancel: asked for, sent, confirmed, answered."""
HANDS = 4
"""People who send and cancel side by side."""
ALONE_S = 60
MINUTES = float(os.environ.get("MINUTES", "10"))
WIDE = {
    "max_orders_per_minute": "100000",
    "max_notional_per_minute": "1000000000",
    "max_messages_per_minute": "100000",
    "max_repeated_orders": "100000",
    "max_orders_per_day": "10000000",
    "max_notional_per_day": "1000000000000",
    "max_open_orders_per_symbol": "1000",
    "max_open_orders": "1000",
}
QUIET = (
    "from quant_trading_system import Strategy\n\n\nclass Quiet(Strategy):\n"
    "    def on_bar(self, market):\n        return ()\n"
)


class Load(NamedTuple):
    """What was measured.

    Attributes:
        answers_ms: how long each answer took; `rate`: entries a second; `seconds`: of all.
        held_back: orders that were refused: the engine does so for a while when the whole machine has stood still.
        stall_s: how late a sleep of this process ended at worst; the machine had other things to do.
    """

    answers_ms: list[float]
    rate: float
    seconds: float
    held_back: int
    stall_s: float

    def line(self, when: str) -> str:
        high = sorted(self.answers_ms)[len(self.answers_ms) * 99 // 100]
        return (
            f"{when}: {self.rate:.0f} entries a second for {self.seconds:.0f} s; an answer takes "
            f"{statistics.median(self.answers_ms):.1f} ms, p99 {high:.1f} ms ({len(self.answers_ms)} answers, "
            f"{self.held_back} orders refused; a sleep here ended {self.stall_s:.1f} s late at worst)"
        )


class Crowd:
    """Sends orders that rest and cancels them, at the pace that makes `EVENTS_A_SECOND`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._door = EngineDoor(directory)
        self._numbers = count(1)
        self._answers_ms: list[float] = []
        self._held_back, self._stall_s = 0, 0.0

    def work(self, seconds: float) -> Load:
        began, before = time.monotonic(), self.entries()
        self._answers_ms, self._held_back, self._stall_s = [], 0, 0.0
        asyncio.run(self._hands(began + seconds))
        took = time.monotonic() - began
        return Load(self._answers_ms, (self.entries() - before) / took, took, self._held_back, self._stall_s)

    def entries(self) -> int:
        path = self._directory / "journal.db"
        with JournalReader(path, journal_key(path)) as journal:
            return journal.head[0]

    async def _hands(self, until: float) -> None:
        await asyncio.gather(*(self._hand(until, hand) for hand in range(HANDS)))

    async def _hand(self, until: float, hand: int) -> None:
        pause = HANDS * ENTRIES_A_ROUND / EVENTS_A_SECOND
        due = time.monotonic() + pause * hand / HANDS
        while time.monotonic() < until:
            wakes = max(due, time.monotonic())
            await asyncio.sleep(wakes - time.monotonic())
            self._stall_s = max(self._stall_s, time.monotonic() - wakes)
            due = max(due + pause, time.monotonic() - pause)
            price = Decimal("50") + Decimal(next(self._numbers) % 500) / 100
            sent = await self._ask(
                PlaceOrder(
                    symbol="KO",
                    side=OrderSide.BUY,
                    quantity=Decimal(1),
                    order_type=OrderType.LIMIT,
                    limit_price=price,
                    repeat=True,
                )
            )
            if sent.result is Result.REFUSED:
                self._held_back += 1
                continue
            gone = await self._ask(Cancel(order_id=sent.order_id))
            assert gone.result in (Result.DONE, Result.PENDING), gone.message

    async def _ask(self, command: AnyCommand) -> Outcome:
        before = time.monotonic()
        key = f"load-{os.getpid()}-{next(self._numbers)}"
        outcome = await self._door.ask(command, key=key, principal="load", source=Source.CLI)
        self._answers_ms.append((time.monotonic() - before) * 1000)
        return outcome


def test_a_console_that_is_open_costs_the_engine_nothing(tmp_path):
    (tmp_path / "quiet.py").write_text(QUIET)
    (tmp_path / "limits.yaml").write_text(_limits())
    with running_venue("--always-open", "--symbols", "KO:60,PEP:170", "--rate-limit", "0") as venue:
        engine = Engine(venue, tmp_path, "quiet.py", "--symbols", "KO,PEP", "--limits", "limits.yaml")
        with engine.running() as process:
            engine.told(process, "takes commands")
            engine.told(process, "opened, equity")
            drain = ThreadPoolExecutor(2)
            drain.submit(lambda: process.stdout.read())
            crowd = Crowd(engine.directory)
            crowd.work(10)
            alone = crowd.work(ALONE_S)
            print(alone.line("console closed"), flush=True)
            engine_mb = [_memory_mb(process.pid)]
            with _console(tmp_path / "state") as (console, pages):
                began = _memory_mb(console.pid)
                working = drain.submit(crowd.work, 60 * MINUTES)
                delays, sizes = [], []
                while not working.done():
                    pages[1].wait_for_timeout(5000)
                    delays.append(_delay_ms(pages[1], crowd))
                    sizes.append(_memory_mb(console.pid))
                    engine_mb.append(_memory_mb(process.pid))
                watched = working.result()
            again = crowd.work(ALONE_S)
            process.terminate()
            process.wait(timeout=60)
            drain.shutdown()
    print(watched.line("two pages open"), flush=True)
    print(again.line("console closed again"), flush=True)
    print(f"a page has a new entry after {statistics.median(delays):.0f} ms, {max(delays):.0f} ms at worst")
    print(f"memory of the console {began:.0f} MB at first, {sizes[len(sizes) // 2]:.0f} half way, {sizes[-1]:.0f} MB")
    print(f"memory of the engine {engine_mb[0]:.0f} MB at first, {engine_mb[-1]:.0f} MB at the end", flush=True)
    assert watched.held_back <= len(watched.answers_ms) // 100
    assert watched.rate > 0.8 * EVENTS_A_SECOND
    assert statistics.median(delays) < 1000
    assert sizes[-1] < 1.5 * sizes[len(sizes) // 2] + 20
    slower = max(statistics.median(alone.answers_ms), statistics.median(again.answers_ms))
    assert statistics.median(watched.answers_ms) < 1.5 * slower + 5


@contextmanager
def _console(state: Path) -> Iterator[tuple[subprocess.Popen[str], tuple[Page, Page]]]:
    environment = {**os.environ, "QTS_STATE_DIR": str(state), "PYTHONPATH": str(ROOT)}
    program = [*QTS, "console", "--name", "default", "--port", "0"]
    quiet = subprocess.DEVNULL
    with (
        subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=quiet, text=True) as console,
        sync_playwright() as playwright,
    ):
        assert console.stdout is not None
        login = next(line for line in console.stdout if "/login#" in line).split()[-1]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context()
        overview, journal = context.new_page(), context.new_page()
        overview.goto(login)
        overview.wait_for_url("**/")
        journal.goto(login.split("/login")[0] + "/journal")
        journal.wait_for_selector("tbody tr")
        try:
            yield console, (overview, journal)
        finally:
            browser.close()
            console.terminate()


def _delay_ms(page: Page, crowd: Crowd) -> float:
    """Until the journal's page shows what the journal has now, or more."""
    wanted, at = crowd.entries(), time.monotonic()
    page.wait_for_function(
        "n => Number(document.querySelector('tbody tr').dataset.key) >= n", arg=wanted, polling=20, timeout=60_000
    )
    return (time.monotonic() - at) * 1000


def _limits() -> str:
    """The shipped limits with room for a crowd."""
    sections: dict[str, list[str]] = {}
    for path, text in limits_as_text(default_limits()).items():
        section, _, name = path.partition(".")
        sections.setdefault(section, []).append(f"  {name}: {WIDE.get(name, text)}")
    return "\n".join(f"{section}:\n" + "\n".join(lines) for section, lines in sections.items())


def _memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
