"""Work that begins before its task has a turn."""

from __future__ import annotations

import asyncio
import sys

import pytest

from quant_trading_system.execution.begun import begun

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 12), reason="tasks begin at once by themselves")


def test_work_without_a_pause_is_done_before_anybody_waits_for_it():
    done: list[str] = []

    async def work() -> None:
        done.append("all")

    async def story() -> None:
        left = begun(work())
        assert done == ["all"]
        await asyncio.create_task(left)

    asyncio.run(story())


def test_work_with_pauses_goes_on_in_its_task():
    done: list[str] = []

    async def story() -> None:
        buffer, empty = asyncio.get_running_loop().create_future(), asyncio.Event()

        async def work() -> None:
            done.append("first")
            done.append(await buffer)
            await empty.wait()
            done.append("third")

        task = asyncio.create_task(begun(work()))
        assert done == ["first"]
        buffer.set_result("second")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert done == ["first", "second"]
        empty.set()
        await task
        assert done == ["first", "second", "third"]

    asyncio.run(story())


def test_a_cancel_reaches_the_work():
    done: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            done.append("cleaned up")

    async def story() -> None:
        task = asyncio.create_task(begun(work()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert done == ["cleaned up"]


@pytest.mark.parametrize("pauses", [0, 2])
def test_what_the_work_raises_is_raised(pauses):
    async def work() -> None:
        for _ in range(pauses):
            await asyncio.sleep(0)
        raise ConnectionError("gone")

    async def story() -> None:
        await begun(work())

    with pytest.raises(ConnectionError, match="gone"):
        asyncio.run(story())
