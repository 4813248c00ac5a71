"""Deadlines kept with one timer, on a loop whose time passes by itself."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.execution.deadlines import Deadlines, Wait
from quant_trading_system.execution.http_transport import HttpTransport, _departure
from quant_trading_system.execution.transport import Request, Timeouts
from quant_trading_system.simulation.storm.virtual_time import VirtualLoop


class CountingLoop(VirtualLoop):
    """Counts the timers that were set, apart from those of sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.rings: list[float] = []

    def call_at(self, when: float, callback: Any, *args: Any, **options: Any) -> asyncio.TimerHandle:
        if getattr(callback, "__self__", None).__class__ is Deadlines:
            self.rings.append(when)
        return super().call_at(when, callback, *args, **options)


def run(story: Coroutine[Any, Any, None]) -> CountingLoop:
    loop = CountingLoop()
    try:
        loop.run_until_complete(story)
    finally:
        loop.close()
    return loop


def now() -> float:
    return asyncio.get_running_loop().time()


async def waited(deadlines: Deadlines, seconds: float, work: float) -> str:
    wait = Wait(now() + seconds)
    try:
        async with wait.limit:
            deadlines.add(wait, wait.due)
            await asyncio.sleep(work)
            return f"done at {now():g}"
    except TimeoutError:
        return f"too late at {now():g}"
    finally:
        deadlines.drop(wait)


def test_what_takes_too_long_ends_at_its_deadline_and_nothing_else_does():
    async def story() -> None:
        deadlines = Deadlines()
        took = await asyncio.gather(
            waited(deadlines, 8, 20), waited(deadlines, 3, 1), waited(deadlines, 2, 9), waited(deadlines, 10, 10.5)
        )
        assert took == ["too late at 8", "done at 1", "too late at 2", "too late at 10"]

    run(story())


def test_a_thousand_waits_that_end_in_time_cost_one_timer():
    async def story() -> None:
        deadlines = Deadlines()
        for _ in range(1_000):
            assert (await waited(deadlines, 8, 0.001)).startswith("done")

    assert run(story()).rings == [8.0]


def test_a_deadline_that_is_put_off_counts_from_there():
    async def put_off() -> None:
        deadlines, wait = Deadlines(), Wait(2.0)
        async with wait.limit:
            deadlines.add(wait, 2.0)
            await asyncio.sleep(1.5)
            wait.due = 5.0
            await asyncio.sleep(60)

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await put_off()
        assert now() == 5.0

    assert run(story()).rings == [2.0, 5.0]


def test_who_is_cancelled_by_others_is_cancelled():
    async def story() -> None:
        deadlines = Deadlines()
        task = asyncio.create_task(waited(deadlines, 8, 20))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert now() == 1.0

    run(story())


def test_nothing_rings_after_the_end():
    async def story() -> None:
        deadlines = Deadlines()
        await waited(deadlines, 8, 1)
        deadlines.close()
        deadlines.close()
        await asyncio.sleep(30)

    assert run(story()).rings == [8.0]


class SlowLine:
    """In the place of aiohttp: a connection takes as long as the path says, and then nobody answers."""

    async def request(self, method: str, url: str, **_: Any) -> None:
        await asyncio.sleep(float(url.rpartition("/")[2]))
        _departure.get().begin()
        await asyncio.sleep(1_000)


async def gives_up_after(transport: HttpTransport, connecting: float, timeouts: Timeouts) -> float:
    began = now()
    with pytest.raises(BrokerTimeout):
        await transport.send(Request(method="GET", path=f"/{connecting}"), timeouts)
    return now() - began


async def a_slow_transport() -> HttpTransport:
    transport = HttpTransport("http://a-host", {})
    await transport._session.close()
    transport._session = SlowLine()  # type: ignore[assignment]
    return transport


TIMEOUTS = Timeouts(read=timedelta(seconds=8), total=timedelta(seconds=60))


def test_a_request_whose_connection_is_being_made_when_the_timer_rings_waits_no_longer_than_others():
    """Then only the end of all its patience was known; its silence begins when the connection stands."""

    async def story() -> None:
        transport = await a_slow_transport()
        first = asyncio.create_task(gives_up_after(transport, 0, TIMEOUTS))
        await asyncio.sleep(7.5)
        assert await gives_up_after(transport, 1, TIMEOUTS) == pytest.approx(9)
        assert await first == pytest.approx(8)

    run(story())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_however_many_are_on_their_way_each_has_its_own_patience(seed):
    chance = random.Random(seed)

    async def one(transport: HttpTransport) -> None:
        await asyncio.sleep(chance.uniform(0, 30))
        connecting, read, total = chance.uniform(0, 3), chance.uniform(1, 9), chance.uniform(4, 40)
        timeouts = Timeouts(read=timedelta(seconds=read), total=timedelta(seconds=total))
        assert await gives_up_after(transport, connecting, timeouts) == pytest.approx(min(connecting + read, total))

    async def story() -> None:
        transport = await a_slow_transport()
        await asyncio.gather(*(one(transport) for _ in range(6)))

    run(story())
