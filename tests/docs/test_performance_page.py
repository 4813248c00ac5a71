"""The page on performance says what the kept run measured."""

from __future__ import annotations

import json

from tools.write_performance import PAGE, RUN, WORKLOADS, page


def test_the_page_is_made_from_the_run_that_is_kept():
    assert PAGE.read_text(encoding="utf-8") == page(json.loads(RUN.read_text(encoding="utf-8")))


def test_every_workload_was_measured():
    names = [row["name"] for row in json.loads(RUN.read_text(encoding="utf-8"))["measured"]]
    assert [key for key in WORKLOADS if not any(name.startswith(f"test_{key}") for name in names)] == []
    assert sum(name.startswith("test_start") for name in names) == 3


def test_growth_was_measured_at_three_sizes():
    rows = json.loads(RUN.read_text(encoding="utf-8"))["growth"]
    assert [row["name"] for row in rows] == ["test_growth[W1]", "test_growth[W1V]", "test_growth[W3]"]
    assert all([size / row["growth"][0][0] for size, _ in row["growth"]] == [1, 10, 100] for row in rows)
