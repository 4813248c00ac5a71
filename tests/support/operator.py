"""An account with somebody who gives it commands, while a test moves time and the engine looks around."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Outcome, Request
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.trading.operations import Operations
from tests.support.desk import Account

_TENTH = timedelta(milliseconds=100)
_NUMBERS = count(1)


def fresh_key() -> str:
    """A key that no other request of this test run has."""
    return f"test-key-{next(_NUMBERS)}"


class Operator:
    """Gives commands to an account.

    Attributes:
        news: called after every tenth of a second in which an answer is awaited; tells what the broker does.
    """

    def __init__(self, account: Account | None = None, source: JournalSource | None = None, **parts: Any) -> None:
        self.account = account or Account()
        self.operations = Operations(self.account.system, source=source, **parts)
        self.news: Callable[[], None] = lambda: None

    def ask(self, command: AnyCommand, key: str = "") -> Outcome:
        """The answer; time passes and the engine turns until it is there."""
        return asyncio.run(self.asked(command, key))

    def ask_within_one_loop(
        self,
        command: AnyCommand,
        *,
        then: Callable[[], object],
        minutes: int = 1,
        last: str = "",
        asked: AnyCommand | None = None,
    ) -> tuple[Outcome, Outcome]:
        """The answer, and after `then` and some minutes the answer to the same request, or to that of key `last`."""
        key = fresh_key()

        async def story() -> tuple[Outcome, Outcome]:
            first = await self.asked(command, key)
            then()
            for second in range(minutes * 60):
                for _ in range(8):
                    await asyncio.sleep(0)
                self.account.offer()
                await self.account.system.engine.on_step()
                self.news()
                await self.account.clock.advance(_TENTH * 10)
                if second % 60 == 0 and self.account.system.engine.is_idle and second:
                    break
            return first, await self.asked(asked or command, last or key)

        return asyncio.run(story())

    async def asked(self, command: AnyCommand, key: str = "") -> Outcome:
        """The same within a running loop."""
        answer = asyncio.ensure_future(self.operations.carry_out(request(command, key)))
        while not answer.done():
            for _ in range(8):
                await asyncio.sleep(0)
            if answer.done():
                break
            self.account.offer()
            await self.account.system.engine.on_step()
            self.news()
            await self.account.clock.advance(_TENTH)
        return answer.result()


def request(command: AnyCommand, key: str = "") -> Request:
    """A request of anna at the command line."""
    return Request(key=key or fresh_key(), principal="anna", source=Source.CLI, command=command)
