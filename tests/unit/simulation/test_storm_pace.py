"""What the auditor lets pass: requests of two minutes of the broker within one, or of each process in it, and
connections as far apart as growing pauses make them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from quant_trading_system.execution.backoff import Backoff
from quant_trading_system.execution.stream_session import StreamSession
from quant_trading_system.execution.transport import Frame, Socket
from quant_trading_system.simulation.storm.auditor import MOST_REQUESTS, Auditor
from quant_trading_system.simulation.storm.virtual_time import VirtualClock, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def clock(loop) -> VirtualClock:
    return VirtualClock(loop, datetime(2026, 3, 10, 14, tzinfo=UTC))


@pytest.fixture
def auditor(clock) -> Auditor:
    return Auditor(clock, timedelta(seconds=1), responsive=True)


@pytest.mark.parametrize(
    ("processes", "requests", "violations"),
    [
        (1, 2 * MOST_REQUESTS, 0),
        (1, 2 * MOST_REQUESTS + 1, 1),
        (2, 2 * MOST_REQUESTS + 1, 1),
        (4, 4 * MOST_REQUESTS, 0),
        (4, 4 * MOST_REQUESTS + 1, 1),
    ],
)
def test_requests_of_a_minute_are_bounded(auditor, processes, requests, violations):
    for number in range(requests):
        auditor._require_pace(60 * number / requests, number % processes)
    assert [found.invariant for found in auditor.findings.violations] == ["I18"] * violations


def test_what_was_sent_more_than_a_minute_ago_counts_no_more(auditor):
    for number in range(10 * MOST_REQUESTS):
        auditor._require_pace(number * 0.16, 1)
    assert not auditor.findings.violations


# -- connections ---------------------------------------------------------------------------------------------------


class Refusing:
    """The other end of a stream that lets nobody in; the auditor sees every attempt."""

    def __init__(self, auditor: Auditor, clock: VirtualClock, process: int, name: str) -> None:
        self.name = name
        self.attempts = 0
        self._seen = lambda: auditor._require_pauses(clock.monotonic(), process, name)

    async def open(self) -> Socket:
        self.attempts += 1
        self._seen()
        raise ConnectionError("refused")

    async def agree(self, socket: Socket) -> None:
        raise AssertionError("nobody is let in")

    def hear(self, frame: Frame) -> None:
        raise AssertionError("nothing is said")

    async def catch_up(self) -> bool:
        return True

    async def silence_is_normal(self) -> bool:
        return True


@pytest.fixture
def try_for(loop, clock, auditor):
    """Lives of the two streams that come to nothing, one after the other; how often they tried."""

    async def live(span: timedelta, lives: int, seed: int) -> int:
        attempts = 0
        for process in range(lives):
            lines = [Refusing(auditor, clock, process, name) for name in ("orders", "prices")]
            tasks = [loop.create_task(StreamSession(line, clock, lambda _: None, seed=seed).run()) for line in lines]
            await clock.sleep(span)
            for task in tasks:
                task.cancel()
            attempts += sum(line.attempts for line in lines)
        return attempts

    return lambda span, lives=1, seed=0: loop.run_until_complete(live(span, lives, seed))


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_that_is_refused_for_an_hour_is_tried_with_growing_pauses(try_for, auditor, seed):
    try_for(timedelta(hours=1), seed=seed)
    assert not auditor.findings.violations


def test_many_short_lives_may_connect_more_often_than_one_long_one(try_for, auditor):
    assert try_for(timedelta(seconds=20), lives=30) > 160
    assert not auditor.findings.violations


@pytest.mark.parametrize("pause", [timedelta(milliseconds=10), timedelta(seconds=1), timedelta(seconds=7)])
def test_a_client_whose_pauses_do_not_grow_is_caught_in_one_life(try_for, auditor, monkeypatch, pause):
    monkeypatch.setattr(Backoff, "next_pause", lambda _: pause)
    try_for(timedelta(minutes=1))
    assert {found.invariant for found in auditor.findings.violations} == {"I37"}


def test_a_client_whose_longest_pause_is_too_short_is_caught_within_ten_minutes(try_for, auditor, monkeypatch):
    monkeypatch.setattr(Backoff, "next_pause", lambda _: timedelta(seconds=14))
    try_for(timedelta(minutes=10))
    assert {found.invariant for found in auditor.findings.violations} == {"I37"}
