"""Real processes on real sockets, killed without warning, with faults on the line: every book agrees afterwards.

`make soak` runs hundreds of these deaths. A failure prints the command that repeats it.
"""

from __future__ import annotations

import signal

import pytest

from tests.support.kill_audit import breaches
from tests.support.kill_bench import Bench
from tests.support.kill_storm import MISFORTUNES, storm

SEED = 1
HALF = 6


@pytest.mark.timeout(300)
@pytest.mark.parametrize("skipped", [0, HALF])
@pytest.mark.fault(
    "engine-killed",
    "killed-before-sending",
    "killed-before-answer",
    "killed-in-recovery",
    "killed-while-halted",
    "venue-killed",
    "request-lost",
    "answer-lost",
    "answer-unreadable",
    "server-error",
    "request-late",
    "stream-cut",
    "fill-lost",
    "fill-twice",
    "halt-from-outside",
)
def test_a_dozen_deaths_leave_books_that_agree(tmp_path, skipped):
    """Engine and venue die in every way that there is: nothing is lost, doubled, or sent in the face of a halt."""
    assert len(MISFORTUNES) <= 2 * HALF
    run = storm(tmp_path / "storm", SEED, HALF, skipped)
    assert sum(count for what, count in run.done.items() if what.startswith("killed")) == HALF
    assert run.orders > HALF


@pytest.mark.timeout(120)
def test_the_audit_finds_what_is_wrong(tmp_path):
    """An order that nobody intended, and an execution that the venue takes back behind our back, are both named."""
    bench = Bench(tmp_path / "bench", SEED)
    try:
        with bench.life() as life:
            life.until("filled: ", times=3)
            life.end(signal.SIGTERM)
        assert breaches(bench.engine, bench.venue, settled=True) == []

        bought = bench.venue.control("/books")[bench.engine.account]["trades"][0]
        bench.venue.control("/bust", {"account": bench.engine.account, "execution": bought["reference"]})
        body = {"symbol": "SPY", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
        bench.engine.broker("POST", "/orders", {**body, "client_order_id": "by-hand"})

        found = "\n".join(breaches(bench.engine, bench.venue, settled=True))
        assert "by-hand is at the venue, and the journal has no intent of it" in found
        assert f"we booked {abs(int(bought['quantity']))} shares, the venue filled 0" in found
        assert "our positions are" in found
        assert "our cash is" in found
    finally:
        bench.close()
