"""Work that ends when somebody says stop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when `stop` was set before there is one, and `work` was cancelled."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await end_all((task, stopped))


async def end_all(work: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what is not done, one after the other, and wait until it has ended."""
    for task in work:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
