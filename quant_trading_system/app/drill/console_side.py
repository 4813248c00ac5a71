"""Stopping through the HTTP interface: a console in a process of its own, and a token that may halt."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from quant_trading_system.app.drill.stage import BY, Pull, Stage
from quant_trading_system.app.drill.venue_books import session
from quant_trading_system.core.exceptions import DrillFailed

_ADDRESS = re.compile(r"http://[\w.]+:\d+")


class _Token(msgspec.Struct, frozen=True):
    token: str


@asynccontextmanager
async def console_ready(stage: Stage, reason: str) -> AsyncIterator[Pull]:
    """A console that runs until the block ends; what is given asks it to halt the account.

    Raises:
        DrillFailed: the console did not start, or did not halt.
    """
    made = await stage.qts("token", "create", BY, "--role", "trader", "--json")
    token = msgspec.json.decode(made, type=_Token).token
    console = await stage.start("console", "--port", "0")
    try:
        address = await stage.within_patience(_address(console.stdout), "a console that serves")
        yield lambda: _post(f"{address}/v1/halt", token, reason)
    finally:
        if console.returncode is None:
            console.kill()
        await console.wait()


async def _address(told: asyncio.StreamReader | None) -> str:
    while told is not None and (line := await told.readline()):
        if found := _ADDRESS.search(line.decode(errors="replace")):
            return found.group()
    raise DrillFailed("the console ended before it served; is the extra `console` installed?")


async def _post(url: str, token: str, reason: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = msgspec.json.encode({"reason": reason})
    async with session() as line, line.post(url, data=body, headers=headers) as answer:
        if answer.status != 200:
            raise DrillFailed(f"POST /v1/halt was answered with {answer.status}: {(await answer.text())[:200]}")
