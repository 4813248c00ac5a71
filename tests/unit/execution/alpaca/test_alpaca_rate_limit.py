"""The broker's limit is kept by following its headers, and cancels never wait for anything."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import NotSent
from quant_trading_system.execution import rate_limit
from quant_trading_system.execution.rate_limit import Lane, RateLimiter
from tests.support.alpaca_lines import START, settled

SECOND = timedelta(seconds=1)


def headers(left: int, ends_in: int, limit: int = 200, clock_ahead: int = 0) -> dict[str, str]:
    """What the broker, whose clock may be ahead of ours, says after an answer."""
    now = START + clock_ahead * SECOND
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(int(now.timestamp()) + ends_in),
        "date": format_datetime(now, usegmt=True),
    }


class Desk:
    def __init__(self, per_minute: int = 200) -> None:
        self.clock = ManualClock(START)
        self.limiter = RateLimiter(self.clock, per_minute=per_minute)

    def admit(self, lane: Lane, times: int = 1) -> None:
        """Requests that may all go at once."""
        for _ in range(times):
            with pytest.raises(StopIteration):
                self.limiter.admit(lane).send(None)

    def wait(self, lane: Lane) -> float:
        return self.limiter.wait_for(lane).total_seconds()


def test_reads_yield_to_orders_and_orders_to_cancels():
    """Of 200 a minute reads get 140, orders 40 more, and the last 20 are for cancels alone."""
    desk = Desk()
    desk.admit(Lane.READS, 140)
    assert desk.wait(Lane.READS) == 60
    desk.admit(Lane.ORDERS, 40)
    assert desk.wait(Lane.ORDERS) == 60
    desk.admit(Lane.STOPPING, 500)
    assert desk.wait(Lane.STOPPING) == 0


@pytest.mark.fault("cancels-starved")
def test_a_cancel_goes_out_at_once_while_hundreds_of_reads_and_orders_wait():
    """Load on every other lane, and a refusal by the broker on top: the lane for stopping is free."""

    async def story() -> None:
        desk = Desk()
        limiter = desk.limiter
        waiting = [asyncio.create_task(limiter.admit(Lane.READS)) for _ in range(300)]
        waiting += [asyncio.create_task(limiter.admit(Lane.ORDERS)) for _ in range(150)]
        await settled()
        limiter.heard(429, headers(0, 30))
        cancel = asyncio.create_task(limiter.admit(Lane.STOPPING))
        await settled(1)
        assert cancel.done()
        assert sum(not task.done() for task in waiting) > 250
        for task in waiting:
            task.cancel()

    asyncio.run(story())


def test_waiting_ends_with_the_brokers_window():
    async def story() -> None:
        desk = Desk()
        desk.admit(Lane.READS)
        desk.limiter.heard(200, headers(left=0, ends_in=30))
        task = asyncio.create_task(desk.limiter.admit(Lane.READS))
        await settled()
        await desk.clock.advance(30 * SECOND)
        assert not task.done()
        await desk.clock.advance(SECOND)  # both times in the headers are whole seconds
        await settled()
        assert task.done()
        assert desk.limiter.left == 199

    asyncio.run(story())


def test_the_brokers_count_includes_what_others_sent_with_the_same_keys():
    desk = Desk()
    desk.admit(Lane.READS)
    desk.limiter.heard(200, headers(left=61, ends_in=45))
    desk.admit(Lane.READS)
    assert desk.wait(Lane.READS) == 46
    assert desk.wait(Lane.ORDERS) == 0


def test_requests_on_their_way_count_in_the_next_window():
    desk = Desk()
    desk.admit(Lane.READS, 3)
    desk.limiter.heard(200, headers(left=150, ends_in=20))
    assert desk.limiter.left == 148


def test_a_late_answer_of_an_earlier_window_changes_nothing():
    desk = Desk()
    desk.admit(Lane.READS, 2)
    desk.limiter.heard(200, headers(left=199, ends_in=50))
    desk.limiter.heard(200, headers(left=3, ends_in=10))
    assert desk.limiter.left == 198


def test_the_end_of_the_window_is_told_by_the_brokers_own_clock():
    """Ours is forty seconds behind; without the broker's we would wait for them, too."""
    desk = Desk()
    desk.admit(Lane.READS)
    desk.limiter.heard(200, headers(left=0, ends_in=10, clock_ahead=40))
    assert desk.wait(Lane.READS) == 11


@pytest.mark.parametrize("ends_in", [-500, 10_000_000])
def test_no_header_makes_us_wait_longer_than_a_minute_or_not_at_all(ends_in):
    desk = Desk()
    desk.admit(Lane.READS)
    desk.limiter.heard(200, headers(left=0, ends_in=ends_in))
    assert 1 <= desk.wait(Lane.READS) <= 61


@pytest.mark.fault("rate-limited")
def test_a_refusal_closes_the_line_for_the_time_that_it_names():
    desk = Desk()
    desk.admit(Lane.ORDERS)
    desk.limiter.heard(429, {"retry-after": "7"})
    assert (desk.wait(Lane.ORDERS), desk.wait(Lane.READS), desk.wait(Lane.STOPPING)) == (8, 8, 0)
    assert desk.limiter.refusals == 1


def test_a_refusal_without_a_word_about_time_closes_it_for_a_whole_window():
    desk = Desk()
    desk.admit(Lane.ORDERS)
    desk.limiter.heard(429, {})
    assert desk.wait(Lane.ORDERS) == 60


def test_a_broker_that_names_no_limit_has_none():
    """Answers of gateways in its place do not count: they never name one."""
    desk = Desk(per_minute=10)
    desk.admit(Lane.READS, 7)
    desk.limiter.heard(502, {})
    assert desk.wait(Lane.READS) == 60
    desk.limiter.heard(200, {})
    desk.admit(Lane.READS, 5000)


@pytest.mark.parametrize("strange", ["", "-1", "1e3", "٣", "NaN", "9" * 40])
def test_strange_headers_are_no_numbers(strange):
    desk = Desk()
    desk.admit(Lane.READS)
    desk.limiter.heard(500, {"x-ratelimit-remaining": strange, "x-ratelimit-reset": strange, "date": strange})
    assert desk.limiter.left == 199


def test_who_has_no_patience_is_told_that_nothing_was_sent():
    desk = Desk()
    desk.admit(Lane.ORDERS, 180)
    with pytest.raises(NotSent, match="used up for the next 60 s") as caught:
        desk.limiter.admit(Lane.ORDERS, SECOND).send(None)
    assert caught.value.held_back


def test_it_is_known_beforehand_that_no_order_could_go():
    desk = Desk()
    desk.admit(Lane.ORDERS, 179)
    assert desk.limiter.crowded(SECOND) == ""
    desk.admit(Lane.ORDERS)
    assert desk.limiter.crowded(SECOND) == "the broker's rate limit is used up for the next 60 s"
    asyncio.run(desk.clock.advance(59 * SECOND))
    assert desk.limiter.crowded(SECOND) == "", "an order waits so long"


def test_the_queue_is_bounded(monkeypatch):
    async def story() -> None:
        monkeypatch.setattr(rate_limit, "MAX_WAITING", 5)
        desk = Desk()
        desk.admit(Lane.READS, 140)
        waiting = [asyncio.create_task(desk.limiter.admit(Lane.READS)) for _ in range(5)]
        await settled()
        with pytest.raises(NotSent, match="5 requests wait"):
            await desk.limiter.admit(Lane.READS)
        for task in waiting:
            task.cancel()

    asyncio.run(story())
