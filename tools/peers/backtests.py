"""The same backtests here and in nautilus_trader 1 and 2, zipline, backtrader, backtesting.py and vectorbt.

    make bench-peers ARGS=backtests
    QTS_PEER_BARS=1000000 make bench-peers ARGS=backtests    with as many bars as you like

W1 is an EMA cross with fees on minute bars of one symbol, W2 the same on a hundred symbols in one portfolio, W3 a
market order on every bar, W3b a limit that rests from each bar to the next and is cancelled there, W5 quotes to a
strategy that does nothing, W7 a hundred pairs of EMA spans, each a backtest of its own. They have as many bars in all,
W7 ten times as many. A peer is left out of what it does not know: backtesting.py has one symbol only, vectorbt no
orders that rest, and quotes are known to nautilus_trader only.

Orders, fills and equity are those of a bare loop, to the cent, or cancels and quotes in the place of fills; whoever
differs is told. Each is run in a process of its own, and a small workload of the same kind before it, for what is
imported, compiled or first asked of the system on the way is not measured. Seconds are those of processors, child
processes included; `wall` are those of the clock.

None of the others keeps a journal that could be verified, or asks more than a few questions about an order.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.bare_loops import Told
from tests.support.processor_time import processor_seconds
from tools.peers.work import Given, Run

BARS = int(os.environ.get("QTS_PEER_BARS", "10000"))
WARM_UP = {"bars": 1000, "most_pairs": 1}
HERE = Path(__file__).parent
RESULTS = Path("build/peers/backtests.json")
"""What `tools/write_performance.py` makes a table of."""
WORKLOADS = ("W1", "W2", "W3", "W3b", "W5", "W7")


class Peer(NamedTuple):
    """Where the code for a peer is.

    Attributes:
        module: in tools.peers, and what of it says how to prepare each workload that the peer knows.
        workloads: which of them are run.
        library: whose version is told.
        environment: in build/peers, which `run.sh` makes for those that cannot live with the others.
    """

    module: str
    workloads: str
    library: str = ""
    environment: str = ""


PEERS = {
    "ours": Peer("ours:OURS", "W1 W2 W3 W3b W5 W7"),
    "ours, asked once": Peer("ours:ASKED_ONCE", "W1 W2"),
    "ours, two processes": Peer("ours:ON_TWO", "W7"),
    "bare loop": Peer("backtests:BARE", "W1 W2 W3 W3b W5 W7"),
    "nautilus_trader 1": Peer("nautilus:KNOWS", "W1 W2 W3 W3b W5 W7", "nautilus_trader"),
    "nautilus_trader 2": Peer("nautilus2:KNOWS", "W1 W2 W3 W3b W5 W7", "nautilus_trader", "nautilus2"),
    "zipline": Peer("zipline_minutes:KNOWS", "W1 W2 W3 W3b W7", "zipline-reloaded", "zipline"),
    "backtrader": Peer("backtrader_feeds:KNOWS", "W1 W2 W3 W3b W7", "backtrader"),
    "backtesting.py": Peer("backtesting_one:KNOWS", "W1 W3 W3b W7", "backtesting"),
    "vectorbt": Peer("vectorbt_arrays:KNOWS", "W1 W2 W3 W7", "vectorbt"),
}


def _bare(given: Given) -> Run:
    assert given.cents, "made before the clock runs"
    assert given.quotes
    return given.expected


BARE: dict[str, Callable[[Given], Run]] = dict.fromkeys(WORKLOADS, _bare)


class Measured(NamedTuple):
    """What one peer made of one workload."""

    told: Told
    seconds: float
    wall: float
    version: str


def measure(name: str, workload: str) -> Measured:
    """Run one workload in this process."""
    peer = PEERS[name]
    module, _, table = peer.module.partition(":")
    prepare = getattr(import_module(f"tools.peers.{module}"), table)[workload]
    prepare(Given(workload, **WARM_UP))()
    run = prepare(Given(workload, BARS))
    began, clock = processor_seconds(), time.perf_counter()
    told = run()
    return Measured(told, processor_seconds() - began, time.perf_counter() - clock, _installed(peer.library))


def _installed(library: str) -> str:
    try:
        return version(library) if library else ""
    except PackageNotFoundError:
        return "(not installed)"


def measured_apart(name: str, workload: str) -> Measured | str:
    """The same in a process of its own, or why not."""
    environment = PEERS[name].environment
    python = Path("build/peers", environment, "bin", "python") if environment else Path(sys.executable)
    if not python.exists():
        return "left out: there is no Python for it here"
    command = [str(python), "-W", "ignore", __file__, name, workload]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        return f"failed: {answer.stderr.strip().splitlines()[-1]}"
    told, *others = json.loads(answer.stdout.splitlines()[-1])
    return Measured(Told(*told), *others)


def main() -> int:
    print(f"{BARS:,} bars; seconds of processors, and of the clock")
    print(f"{'':>4} {'':<24} {'orders':>8} {'fills':>8} {'equity':>17} {'seconds':>9} {'wall':>9} {'to ours':>9}")
    rows: list[dict[str, Any]] = []
    wrong = 0
    for workload in WORKLOADS:
        given, ours = Given(workload, BARS), 0.0
        expected = given.expected()
        for name in (name for name, peer in PEERS.items() if workload in peer.workloads.split()):
            found = measured_apart(name, workload)
            if isinstance(found, str):
                wrong += found.startswith("failed")
                print(f"{workload:>4} {name:<24} {found}")
                continue
            ours = ours or found.seconds
            row = _row(given, name, found, ours)
            differs = "" if found.told == expected else f"  differs from the bare loop: {expected}"
            wrong += found.told != expected
            rows.append(row)
            print(f"{workload:>4} {_line(row, found.told)}{differs}", flush=True)
    if wrong:
        return 1
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


def _row(given: Given, name: str, found: Measured, ours: float) -> dict[str, Any]:
    label = f"{name.rstrip(' 12')} {found.version}" if found.version else name
    seconds, wall = found.seconds, found.wall
    return {
        "workload": given.workload, "name": label, "bars": given.size, "orders": found.told.orders,
        "seconds": seconds, "wall": wall, "ratio": seconds / ours,
    }  # fmt: skip


def _line(row: dict[str, Any], told: Told) -> str:
    return (
        f"{row['name']:<24} {told.orders:>8,} {told.fills:>8,} {told.equity / 100:>17,.2f} "
        f"{row['seconds']:>9.3f} {row['wall']:>9.3f} {row['ratio']:>9.2f}"
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        sys.exit(main())
