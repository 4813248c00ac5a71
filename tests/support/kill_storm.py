"""A seeded series of deaths: real processes, real sockets, SIGKILL, and faults on the line while it happens.

python -m tests.support.kill_storm SEED [DEATHS [SKIPPED]]     repeats one, and says what was done
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from time import monotonic

from tests.support.kill_audit import breaches, doubts_of, head_of, orders_at
from tests.support.kill_bench import PRICES, Bench, Life, wait_until

ORDERS = {"method": "POST", "path": "/v2/orders"}
MOST_ENTRIES = 40
"""How many entries the journal grows by, at most, before a death that comes at any moment."""


class Storm:
    """One seed: what goes wrong in which life, and when each life ends.

    Attributes:
        done: how often each kind of death or fault has happened.
        orders: how many orders the venue has in the end.
    """

    def __init__(self, bench: Bench, seed: int, tell: Callable[[str], None]) -> None:
        """`tell` takes a line about each death."""
        self._tell = tell
        self.done: Counter[str] = Counter()
        self.orders = 0
        self._bench = bench
        self._random = Random(seed)

    def run(self, deaths: int, skipped: int = 0) -> None:
        """Let the engine die `deaths` times and end in good order once; whatever does not hold raises.

        Args:
            skipped: how many deaths of the seed's programme to leave out at its beginning.

        Raises:
            AssertionError: says what, and in which life.
        """
        for number, misfortune in enumerate(self._programme(skipped + deaths)[skipped:], 1):
            began = monotonic()
            with self._bench.life() as life:
                self._live(life)
                misfortune(self, life)
            self.done[misfortune.__name__] += 1
            self._audit(f"death {number}, {misfortune.__name__}", settled=False)
            self._tell(f"{misfortune.__name__:<32} {monotonic() - began:5.1f} s")
        with self._bench.life() as life:
            self._live(life)
            wait_until(lambda: not doubts_of(self._bench.engine), "orders in doubt to be settled")
            code = life.end(signal.SIGTERM)
            assert code == 0, f"it ended with {code}: {''.join(life.lines[-20:])}"
        self._audit("the end in good order", settled=True)
        self.orders = len(orders_at(self._bench.engine))

    def _programme(self, deaths: int) -> list[Callable[[Storm, Life], None]]:
        """Every kind as often as every other one, in an order of this seed's own."""
        programme: list[Callable[[Storm, Life], None]] = []
        while len(programme) < deaths:
            programme += self._random.sample(MISFORTUNES, len(MISFORTUNES))
        return programme[:deaths]

    def _live(self, life: Life) -> None:
        """It trades for a while."""
        life.until("filled: ", times=self._random.randint(1, 6))

    def _audit(self, when: str, *, settled: bool) -> None:
        found = breaches(self._bench.engine, self._bench.venue, settled=settled)
        assert not found, f"after {when}:\n" + "\n".join(found)

    # -- deaths ---------------------------------------------------------------------------------------------------

    def killed_at_any_entry(self, life: Life) -> None:
        """After any entry of the journal, wherever in the road that is."""
        self._wait_for_entries(self._random.randint(1, MOST_ENTRIES))
        life.end(signal.SIGKILL)

    def killed_in_recovery(self, life: Life) -> None:
        """Three lives in a row end before they have reconciled."""
        life.end(signal.SIGKILL)
        for _ in range(3):
            before = head_of(self._bench.engine)
            with self._bench.engine.running() as process:
                goal = before + self._random.randint(0, 2)
                wait_until(lambda: head_of(self._bench.engine) > goal, "the next life to begin")  # noqa: B023
                process.kill()

    def killed_before_the_answer(self, life: Life) -> None:
        """The venue has the order, and the answer never comes."""
        before = len(orders_at(self._bench.engine))
        self._http("delay_response", seconds=30)
        wait_until(lambda: len(orders_at(self._bench.engine)) > before, "an order to arrive")
        life.end(signal.SIGKILL)

    def killed_before_the_arrival(self, life: Life) -> None:
        """The order is on record and on its way; it arrives when nobody waits for it any more."""
        self._http("delay_request", seconds=self._random.choice((0.2, 1, 2)))
        self._wait_for_entries(self._random.randint(1, 6))
        life.end(signal.SIGKILL)

    def killed_with_a_lost_request(self, life: Life) -> None:
        """An order never arrived; nobody can know."""
        self._http("drop_request")
        self._wait_for_entries(self._random.randint(2, 10))
        life.end(signal.SIGKILL)

    def killed_with_a_lost_answer(self, life: Life) -> None:
        """An order arrived, and its answer was lost before the engine was."""
        self._http("drop_response", times=self._random.randint(1, 2))
        self._wait_for_entries(self._random.randint(2, MOST_ENTRIES))
        life.end(signal.SIGKILL)

    def killed_in_bad_weather(self, life: Life) -> None:
        """Errors instead of answers, before the order was taken or after."""
        for fault in self._random.sample(("garbage", "empty", "truncated"), 2):
            self._http(fault)
        self._http("status", status=self._random.choice((500, 502, 503, 504)))
        self._wait_for_entries(self._random.randint(5, MOST_ENTRIES))
        life.end(signal.SIGKILL)

    def killed_after_lost_reports(self, life: Life) -> None:
        """Reports are lost, doubled or swapped, and the stream is cut."""
        for fault in self._random.sample(("drop", "duplicate", "reorder", "garbage"), 3):
            self._stream(fault, times=self._random.randint(1, 3))
        self._wait_for_entries(self._random.randint(2, MOST_ENTRIES))
        self._stream("cut")
        self._wait_for_entries(self._random.randint(1, 5))
        life.end(signal.SIGKILL)

    def killed_while_prices_move(self, life: Life) -> None:
        """Orders that rest are filled, some of them after the death."""
        rests = list(PRICES)[-1]
        self._bench.venue.hold(rests, str(int(PRICES[rests]) - 15))
        life.end(signal.SIGKILL)
        self._bench.venue.hold(rests, PRICES[rests])

    def killed_after_the_venue(self, life: Life) -> None:
        """The venue dies first and comes back; the engine notices, trades on, and dies, too."""
        life.signal(signal.SIGSTOP)  # nothing is under way while the venue's file is written
        self._bench.venue.kill_and_restart()
        life.signal(signal.SIGCONT)
        life.until("order stream: stream up")
        life.until("filled: ")
        self._wait_for_entries(self._random.randint(1, MOST_ENTRIES))
        life.end(signal.SIGKILL)

    def killed_while_halted(self, life: Life) -> None:
        """A halt holds over the death: the next life is told of it and sends nothing until a person resumes."""
        engine = self._bench.engine
        engine.run("halt", "--reason", "a storm", "--by", "Ana")
        life.until("kill switch: HALTED by Ana")
        wait_until(lambda: not self._bench.venue.control("/books")[engine.account]["open_orders"], "the cancels")
        sent = len(orders_at(engine))
        life.end(signal.SIGKILL)
        with self._bench.life() as next_life:
            next_life.until("HALTED since")
            next_life.end(signal.SIGKILL)
        assert len(orders_at(engine)) == sent, "an order was sent in the face of a halt"
        engine.run("resume", "--authorized-by", "Ana", "--reason", "the storm is over")

    def killed_after_a_pause(self, life: Life) -> None:
        """It stands still while its stream is cut and prices move, goes on, and dies."""
        life.signal(signal.SIGSTOP)
        rests = list(PRICES)[-1]
        self._stream("cut")
        self._bench.venue.hold(rests, str(int(PRICES[rests]) - 15))
        self._bench.venue.hold(rests, PRICES[rests])
        life.signal(signal.SIGCONT)
        self._wait_for_entries(self._random.randint(1, MOST_ENTRIES))
        life.end(signal.SIGKILL)

    # -- means ----------------------------------------------------------------------------------------------------

    def _wait_for_entries(self, count: int) -> None:
        goal = head_of(self._bench.engine) + count
        wait_until(lambda: head_of(self._bench.engine) >= goal, f"{count} more entries")

    def _http(self, fault: str, **fields: object) -> None:
        self.done[f"line: {fault}"] += 1
        self._bench.venue.control("/faults/http", {**ORDERS, "fault": fault, **fields})

    def _stream(self, fault: str, times: int = 1) -> None:
        self.done[f"stream: {fault}"] += 1
        self._bench.venue.control("/faults/stream", {"stream": "trade_updates", "fault": fault, "times": times})


MISFORTUNES = (
    Storm.killed_at_any_entry,
    Storm.killed_in_recovery,
    Storm.killed_before_the_answer,
    Storm.killed_before_the_arrival,
    Storm.killed_with_a_lost_request,
    Storm.killed_with_a_lost_answer,
    Storm.killed_in_bad_weather,
    Storm.killed_after_lost_reports,
    Storm.killed_while_prices_move,
    Storm.killed_after_the_venue,
    Storm.killed_while_halted,
    Storm.killed_after_a_pause,
)


def storm(
    place: Path,
    seed: int,
    deaths: int = len(MISFORTUNES),
    skipped: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> Storm:
    """Run one seed in a directory of its own; a failure says how to repeat it."""
    bench = Bench(place, seed)
    try:
        run = Storm(bench, seed, tell)
        run.run(deaths, skipped)
    except BaseException:
        print(f"again: .venv/bin/python -m tests.support.kill_storm {seed} {deaths} {skipped}", flush=True)
        raise
    finally:
        with suppress(ProcessLookupError):
            bench.close()
    return run


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    kept = Path(mkdtemp(prefix="kill-storm-"))
    print(f"what it leaves behind is in {kept}", flush=True)
    finished = storm(kept / "storm", *given, tell=print)
    for what, times in sorted(finished.done.items()):
        print(f"{what:<32} {times}")
    print(f"{finished.orders} orders; every book agrees")
    rmtree(kept)
