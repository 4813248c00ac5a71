"""Writes docs/performance.md from a run of `make bench`, and keeps what it was made from beside it.

python tools/write_performance.py build/bench.json             take a new run, and one of `make bench-peers` if any
python tools/write_performance.py build/peers/backtests.json   take the latter alone
python tools/write_performance.py                              write the page anew from the runs that are kept
"""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
RUN = ROOT / "docs" / "performance-run.json"
PEERS = ROOT / "build" / "peers" / "backtests.json"
LIBRARIES = ("numpy", "msgspec", "polars")

LIVE = ("syncs_a_second", "durable_orders", "quotes_a_second", "late_ms", "orders_a_second")

WORKLOADS = {
    "w1_": "an EMA cross with fees, one symbol of minute bars",
    "w1v": "the same by a strategy that is asked once for all bars",
    "w2": "W1 on a hundred symbols in one portfolio",
    "w3_": "a market order on every bar",
    "w3b": "limit orders that rest and are cancelled",
    "w4": "a position with a stop that rests out of reach",
    "w5": "quotes to a strategy that does nothing",
    "w7": "a sweep of parameter pairs, each a whole backtest",
}

HEAD = """# Performance

What the workloads of `make bench` cost, as measured in one run. `python tools/write_performance.py` made this page from
that run.

Every order of every workload goes the whole way: strategy, gate with all its checks, reservation, kill switch, order
manager, journal in memory, venue, fill, books, risk limits; prices and money are exact decimals. The *bare loop* beside
each is plain Python that does next to nothing: slotted objects, six comparisons of floats, integer cents, no gate, no
journal. Orders and fills of both are the same, and the equity at the end is, to the cent; a run in which they differ
fails.

Seconds are those of processors, child processes included, so that other programs on the machine disturb little.

Only ratios taken in one run can be compared. `make bench` holds each of them to the accepted one of
`tests/bench/accepted_ratios.json` and fails when one has grown by half; `make bench ARGS=--accept` accepts what it
measures. `make bench ARGS="-k workloads --full"` takes a million bars instead of some thousands.
"""


GROWING = {"test_growth_of_orders_that_rest": "a limit order that stays on each bar, twenty symbols"}
"""What grows, where the name in brackets does not say it."""
GROWTH_HEAD = """## Growth

Microseconds of one bar or order at one, ten and a hundred times the work. A run in which more work costs half as much
again is refused.
"""

LIVE_HEAD = """## The live path

Orders a second whose intent is durable before they leave: alone each waits for a sync of the disk, in company they
share one. A thousand streaming symbols on the loop that also trades: how late it comes to what is due. And limit orders
over HTTP on this machine, to the local venue, beside the official client, which knows only one after another.
"""

FLAMES = """## Where the time goes

What hangs below another was called by it, and width is time: W1 above, W3 below. `make flame` draws them with py-spy;
opened by themselves in a browser ([W1](images/flame-w1.svg), [W3](images/flame-w3.svg)) they tell names and shares.

![Flame graph of W1](images/flame-w1.svg)

![Flame graph of W3](images/flame-w3.svg)
"""

PEERS_HEAD = """## Beside others

The workloads in other libraries, each in a process of its own, after a small one that imports, compiles and warms up
what it needs, as `make bench-peers ARGS=backtests` measured them in one run. *Seconds* and *to ours* are those of
processors, *wall* is the clock. W2 has a hundred symbols in one portfolio, W3b leaves a limit after each bar and
cancels it after the next one (ours is given as many quotes), W5 has quotes for bars, and W7 is a hundred backtests.

All of them come to the same orders, fills and equity, to the cent, but only here every order passes a complete gate and
is kept in a journal that can be verified. vectorbt is told W1, W2 and W7 in vector operations and W3 as a list of
orders; it has no orders that rest. backtesting.py knows one symbol only, and quotes are known to nautilus_trader only.
"""


def main(wanted: list[str]) -> int:
    taken = json.loads(Path(wanted[0]).read_text(encoding="utf-8")) if wanted else None
    if isinstance(taken, list):
        kept = json.loads(RUN.read_text(encoding="utf-8"))
        _keep(kept | {"peers": taken})
    elif taken is not None:
        run = taken
        names = [one["name"] for one in run["benchmarks"]]
        missing = [
            key
            for key in ("start", "growth", "durable", "a_thousand", "round_trips", *WORKLOADS)
            if not any(name.startswith(f"test_{key}") for name in names)
        ]
        if missing:
            print(f"that run did not measure {', '.join(missing)}; docs/performance.md stays as it is")
            return 0
        kept = _kept(run)
        known = json.loads(RUN.read_text(encoding="utf-8")).get("peers", []) if RUN.exists() else []
        kept["peers"] = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else known
        _keep(kept)
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
    return 0


def _keep(run: dict[str, Any]) -> None:
    RUN.write_text(json.dumps(run, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def page(run: dict[str, Any]) -> str:
    """The page that a kept run makes."""
    rows = run["measured"]
    parts = [HEAD, "## The run\n", *_machine(run), "", "## Workloads\n", *_workloads(rows)]
    parts += ["", GROWTH_HEAD, *_growth(run["growth"]), "", FLAMES.rstrip()]
    parts += ["", LIVE_HEAD, *_live(run["live"])]
    starts = [row for row in rows if row["name"].startswith("test_start")]
    if starts:
        parts += ["", "## Start-up\n", *_starts(starts)]
    if run["peers"]:
        parts += ["", PEERS_HEAD, *_peers(run["peers"])]
    return "\n".join(parts) + "\n"


def _peers(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| | bars | orders | seconds | to ours | wall |", "| --- | --: | --: | --: | --: | --: |"]
    for row in rows:
        told = f"{row['workload']}: {row['name']}"
        spans = f"{row['seconds']:,.3f} | {row['ratio']:,.3f} | {row['wall']:,.3f}"
        lines.append(f"| {told} | {row['bars']:,} | {row['orders']:,} | {spans} |")
    return lines


def _machine(run: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return [
        f"| when | {run['when'][:10]} |",
        "| --- | --- |",
        f"| processor | {run['processor']}, {run['cores']} cores |",
        f"| system | {run['system']} |",
        f"| versions | {run['python']}, {versions} |",
        f"| load average when it ended | {run['load']:.1f} |",
    ]


def _workloads(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| | size | microseconds each | bare loop | ratio |", "| --- | --: | --: | --: | --: |"]
    for row in rows:
        key = next((key for key in WORKLOADS if row["name"].startswith(f"test_{key}")), None)
        if key is None:
            continue
        jobs = " on two processes" if row["name"].endswith("[2]") else ""
        each, bare = (row[name] / row["units"] * 1e6 for name in ("seconds", "bare_seconds"))
        size = f"{row['units']:,} {row['unit']}s"
        told = f"{key.rstrip('_').upper()}: {WORKLOADS[key]}{jobs}"
        lines.append(f"| {told} | {size} | {each:,.2f} | {bare:,.3f} | {row['ratio']:,.0f} |")
    return lines


def _growth(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| | 1 × | 10 × | 100 × |", "| --- | --: | --: | --: |"]
    for row in rows:
        name = GROWING.get(row["name"]) or row["name"].partition("[")[2].rstrip("]")
        costs = " | ".join(f"{cost:,.2f}" for _, cost in row["growth"])
        least, most = row["growth"][0][0], row["growth"][-1][0]
        lines.append(f"| {name}: {least:,} to {most:,} {row['unit']}s | {costs} |")
    return lines


def _live(rows: dict[str, Any]) -> list[str]:
    lines = ["| | |", "| --- | --: |", f"| syncs of a plain file | {rows['syncs_a_second']:,.0f} a second |"]
    for at_once, rate in rows["durable_orders"]:
        lines.append(f"| durable orders, {at_once} at once | {rate:,.0f} a second |")
    lines.append(f"| quotes of 1,000 symbols | {rows['quotes_a_second']:,.0f} a second |")
    lines.append(f"| the loop is late by, median | {rows['late_ms']['median']:,.1f} ms |")
    lines.append(f"| the same, 99 % | {rows['late_ms']['99 %']:,.1f} ms |")
    lines += [f"| orders over HTTP, {name} | {rate:,.0f} a second |" for name, rate in rows["orders_a_second"].items()]
    return lines


def _starts(rows: list[dict[str, Any]]) -> list[str]:
    lines = ["| | milliseconds | beyond the interpreter alone |", "| --- | --: | --: |"]
    for row in rows:
        name = row["name"].partition("[")[2].rstrip("]")
        beyond = (row["seconds"] - row["bare_seconds"]) * 1000
        lines.append(f"| {name} | {row['seconds'] * 1000:,.0f} | {beyond:,.0f} |")
    return lines


def _kept(run: dict[str, Any]) -> dict[str, Any]:
    """What the page needs of a run of pytest-benchmark."""
    cpu = run["machine_info"].get("cpu", {})
    return {
        "when": run["datetime"],
        "processor": cpu.get("brand_raw") or platform.processor() or run["machine_info"]["machine"],
        "cores": os.cpu_count(),
        "system": f"{run['machine_info']['system']} {run['machine_info']['machine']}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version(name) for name in LIBRARIES},
        "load": os.getloadavg()[0],
        "measured": [
            {"name": one["name"], **one["extra_info"]} for one in run["benchmarks"] if "ratio" in one["extra_info"]
        ],
        "growth": [
            {"name": one["name"], **one["extra_info"]} for one in run["benchmarks"] if "growth" in one["extra_info"]
        ],
        "live": {key: value for one in run["benchmarks"] for key, value in one["extra_info"].items() if key in LIVE},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
