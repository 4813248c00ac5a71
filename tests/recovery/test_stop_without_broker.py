"""A real engine that is told to stop while its broker stands still: it ends, and says what it leaves behind."""

from __future__ import annotations

import pytest

from tests.support.kill_bench import Bench, stop_without_broker


@pytest.mark.timeout(120)
@pytest.mark.fault("stop-told-twice", "stop-with-orders")
def test_a_second_signal_ends_an_engine_whose_broker_is_gone_with_an_order_in_doubt(tmp_path):
    """At once, with the exit code of orders that remain, halted, and each of them named in its last entry."""
    bench = Bench(tmp_path / "bench", 1)
    try:
        end = stop_without_broker(bench, twice=True)
    finally:
        bench.close()
    assert end.seconds < 15  # a second for cancels to leave, two for each stream to close, and a slow machine
    assert end.code == 3, end.told
    assert end.finished.hurried
    assert end.finished.remaining
    assert "has not confirmed the cancels of" in end.told
    assert end.is_halted
