"""How long a process that ends may wait for a broker that does not answer: one budget for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from quant_trading_system.core.clock import Clock, wait_for_either

STOP_PATIENCE = timedelta(seconds=45)
"""From the word to stop, or the failure, until nothing is waited for any more."""
TURN_SHARE = timedelta(seconds=15)
"""How much of it the turn may use that was under way."""
HURRIED_PATIENCE = timedelta(seconds=1)
"""After a second word to stop: enough for cancels to leave, not for their answers."""


class StopPatience:
    """Begins with the first word to stop; whatever waits for others from then on draws on the same budget."""

    def __init__(self, clock: Clock) -> None:
        """Prepare; nothing is bounded before `begin`."""
        self._clock = clock
        self._begun = asyncio.Event()
        self._hurried = asyncio.Event()
        self._since = self._hurried_at = 0.0

    @property
    def is_hurried(self) -> bool:
        """Somebody wants the end now."""
        return self._hurried.is_set()

    def begin(self) -> None:
        """The budget begins to run; a second call changes nothing."""
        if not self._begun.is_set():
            self._since = self._clock.monotonic()
            self._begun.set()

    def hurry(self) -> None:
        """What is left of the budget is hardly anything."""
        self.begin()
        if not self.is_hurried:
            self._hurried_at = self._clock.monotonic()
            self._hurried.set()

    async def lets_end(self, turns: Coroutine[Any, Any, None]) -> bool:
        """Run `turns` until they end by themselves; after the word to stop only for their share, or until hurried.

        Returns:
            False when they were given up: what was being sent is in doubt, and on record as such.
        """
        return await _either(turns, self._share_is_over())

    async def lets(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` for what is left of the budget, at least until it waits for the first time.

        Returns:
            False when it was given up. Whatever `work` raises before is raised.
        """
        return await _either(work, self._budget_is_over())

    async def _share_is_over(self) -> None:
        await self._begun.wait()
        await self._rest(self._since, TURN_SHARE)

    async def _budget_is_over(self) -> None:
        await self._begun.wait()
        await self._rest(self._since, STOP_PATIENCE)
        if self.is_hurried:
            left = self._hurried_at + HURRIED_PATIENCE.total_seconds() - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(timedelta(seconds=left))

    async def _rest(self, since: float, span: timedelta) -> None:
        """Return `span` after `since`, or when hurried."""
        left = since + span.total_seconds() - self._clock.monotonic()
        if left > 0 and not self.is_hurried:
            await wait_for_either(self._clock, self._hurried, timedelta(seconds=left))


async def _either(work: Coroutine[Any, Any, None], bound: Coroutine[Any, Any, None]) -> bool:
    """Run `work` until it or `bound` ends; whether it was `work`."""
    working, bounding = asyncio.ensure_future(work), asyncio.ensure_future(bound)
    try:
        await asyncio.wait((working, bounding), return_when=asyncio.FIRST_COMPLETED)
        is_done = working.done()
    finally:
        for task in (working, bounding):
            task.cancel()
        await asyncio.gather(working, bounding, return_exceptions=True)
    if not is_done and working.cancelled():
        return False
    working.result()
    return True
