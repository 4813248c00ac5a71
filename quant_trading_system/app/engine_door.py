"""The door of a running engine: a Unix socket in its account's directory, for people and programs of its owner.

One request is one JSON object (`core.commands.Request`), one answer an `Outcome`. It is answered on the engine's own
loop, beside its turns. Only the owner of the directory can knock: the socket has mode 600.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from quant_trading_system.app.logs import REQUEST
from quant_trading_system.core.commands import MAX_REQUEST_BYTES
from quant_trading_system.core.exceptions import ConfigurationError, InvalidCommand
from quant_trading_system.core.requests import read_request
from quant_trading_system.journal.private_files import NOT_WRITABLE_BY_OTHERS, PRIVATE
from quant_trading_system.trading.operations import Operations

DOOR_FILE = "control.sock"
COMMANDS_PATH = "/commands"
LONGEST_PATH = 100
"""Bytes of a path that every system can make a socket at; a longer one becomes a link to a shorter one."""
_BACKLOG = 16
_ELSEWHERE = "qts-door-"


@asynccontextmanager
async def open_door(directory: Path, operations: Operations, tell: Callable[[str], None]) -> AsyncIterator[None]:
    """Serve `operations` at the door of `directory` until the block ends.

    Args:
        tell: takes one line about what happens, for people.

    Raises:
        ConfigurationError: another engine answers there, or others may write to the directory.
    """
    door, listening = _make_door(directory)
    runner = web.AppRunner(_app(operations, tell), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        await web.SockSite(runner, listening, backlog=_BACKLOG).start()
        tell(f"takes commands at {door}")
        yield
    finally:
        _remove_door(door)
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


# -- the socket ----------------------------------------------------------------------------------------------------


def _make_door(directory: Path) -> tuple[Path, socket.socket]:
    """A socket that nobody but the owner can connect to, in place of one that a dead engine left."""
    if directory.stat().st_mode & NOT_WRITABLE_BY_OTHERS:
        raise ConfigurationError(f"others may write to {directory}; run: chmod 700 '{directory}'")
    door = directory / DOOR_FILE
    _clear(door)
    place = door
    if len(os.fsencode(door.absolute())) > LONGEST_PATH:
        place = Path(tempfile.mkdtemp(prefix=_ELSEWHERE)) / DOOR_FILE
        door.symlink_to(place)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(place))
        place.chmod(PRIVATE)  # before anybody can connect: it does not listen yet
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise ConfigurationError(f"no door can be opened at {place}: {error.strerror or error}") from error
    return door, listening


def _clear(door: Path) -> None:
    """Remove what a dead engine left; a door that answers is somebody's.

    Raises:
        ConfigurationError: it answers, or is no socket.
    """
    place = place_of(door)
    try:
        mode = place.stat().st_mode
    except OSError:
        _remove_door(door)
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigurationError(f"{door} is no socket of an engine; move it away")
    if _answers(place):
        raise ConfigurationError(f"another engine answers at {door}; stop it first")
    _remove_door(door)


def _answers(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.setblocking(False)
        try:
            knocking.connect(str(place))
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EINPROGRESS)  # its queue is full: somebody lives there
    return True


def place_of(door: Path) -> Path:
    """Where the socket is: the file itself, or what the link says whose path is short enough."""
    try:
        return door.readlink()
    except OSError:
        return door


def _remove_door(door: Path) -> None:
    place = place_of(door)
    door.unlink(missing_ok=True)
    if place != door and place.parent.name.startswith(_ELSEWHERE):
        shutil.rmtree(place.parent, ignore_errors=True)
