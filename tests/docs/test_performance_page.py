"""The page on performance says what the kept run measured."""

from __future__ import annotations

import json

from tools import write_performance
from tools.peers import backtests
from tools.write_performance import PAGE, RUN, WORKLOADS, page


def test_the_page_is_made_from_the_run_that_is_kept():
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(RUN.read_text(encoding="utf-8")))


def test_every_workload_was_measured():
    names = [row["name"] for row in json.loads(RUN.read_text(encoding="utf-8"))["measured"]]
    assert [key for key in WORKLOADS if not any(name.startswith(f"test_{key}") for name in names)] == []
    assert sum(name.startswith("test_start") for name in names) == 3


def test_growth_was_measured_at_three_sizes():
    rows = json.loads(RUN.read_text(encoding="utf-8"))["growth"]
    workloads = [f"test_growth[{name}]" for name in ("W1", "W1V", "W3")]
    assert [row["name"] for row in rows] == [*workloads, "test_growth_of_orders_that_rest"]
    assert all([size / row["growth"][0][0] for size, _ in row["growth"]] == [1, 10, 100] for row in rows)


def test_every_peer_ran_every_workload_that_it_knows():
    rows = json.loads(RUN.read_text(encoding="utf-8"))["peers"]
    for workload in backtests.WORKLOADS:
        told = [row["name"] for row in rows if row["workload"] == workload]
        known = [name for name, peer in backtests.PEERS.items() if workload in peer.workloads.split()]
        assert all(row.startswith(name.rstrip(" 12")) for row, name in zip(told, known, strict=True))


def test_a_run_of_the_peers_is_taken_alone(tmp_path, monkeypatch):
    for name, path in (("ROOT", tmp_path), ("RUN", tmp_path / RUN.name), ("PAGE", tmp_path / PAGE.name)):
        monkeypatch.setattr(write_performance, name, path)
    before = json.loads(RUN.read_text(encoding="utf-8"))
    write_performance.RUN.write_text(json.dumps(before), encoding="utf-8")
    row = {"workload": "W1", "name": "ours", "bars": 9, "orders": 3, "seconds": 1.0, "ratio": 1.0, "wall": 2.0}
    new = tmp_path / "peers.json"
    new.write_text(json.dumps([row]), encoding="utf-8")
    assert write_performance.main([str(new)]) == 0
    assert json.loads(write_performance.RUN.read_text(encoding="utf-8")) == before | {"peers": [row]}
    assert "| W1: ours | 9 | 3 | 1.000 | 1.000 | 2.000 |" in write_performance.PAGE.read_text(encoding="utf-8")
