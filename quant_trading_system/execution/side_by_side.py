"""Requests that need nothing of each other: begun in their order, and none waits for the answer to another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable


async def side_by_side(asks: Iterable[Callable[[], Awaitable[None]]], at_once: int) -> None:
    """Run all, `at_once` at the same time; then raise the first of what they raised. One alone needs no task."""
    asks = list(asks)
    if len(asks) == 1:
        await asks[0]()
        return
    room = asyncio.Semaphore(at_once)

    async def one(ask: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await ask()

    for outcome in await asyncio.gather(*map(one, asks), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
