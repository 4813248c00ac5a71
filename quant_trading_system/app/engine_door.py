"""The door of a running engine: a Unix socket in its account's directory, for people and programs of its owner.

One request is one JSON object (`core.commands.Request`), one answer an `Outcome`. It is answered on the engine's own
loop, beside its turns. Only the owner of the directory can knock: the socket has mode 600.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from quant_trading_system.app.door_socket import COMMANDS_PATH, make_door, remove_door
from quant_trading_system.app.logs import REQUEST
from quant_trading_system.core.commands import MAX_REQUEST_BYTES
from quant_trading_system.core.exceptions import InvalidCommand
from quant_trading_system.core.requests import read_request
from quant_trading_system.trading.operations import Operations

_BACKLOG = 16


@asynccontextmanager
async def open_door(directory: Path, operations: Operations, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Serve `operations` at the door of `directory` until the block ends.

    Args:
        tell: takes one line about what happens, for people.

    Raises:
        ConfigurationError: another engine answers there, or others may write to the directory.
    """
    door, listening = make_door(directory)
    runner = web.AppRunner(_app(operations, tell), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        await web.SockSite(runner, listening, backlog=_BACKLOG).start()
        tell(f"takes commands at {door}")
        yield
    finally:
        remove_door(door)
        await operations.close()
        await runner.cleanup()
        listening.close()


def _app(operations: Operations, tell: Callable[[str], None]) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        try:
            asked = read_request(await request.read())
        except InvalidCommand as error:
            return _json({"error": str(error)}, status=400)
        request_id = REQUEST.set(asked.key)
        try:
            tell(f"{asked.principal} ({asked.source}): {asked.command.name}")
            outcome = await operations.carry_out(asked)
            tell(f"{asked.command.name}: {outcome.result}: {outcome.message}")
        finally:
            REQUEST.reset(request_id)
        return _json(outcome)

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.router.add_post(COMMANDS_PATH, answer)
    return app


def _json(answer: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")
