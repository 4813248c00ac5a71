"""Knocks at the door of a running engine: gives it a command and waits for what came of it."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from platform import node

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector

from quant_trading_system.app.account_files import DOOR_FILE
from quant_trading_system.app.door_socket import COMMANDS_PATH, place_of
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Outcome, Request
from quant_trading_system.core.exceptions import EngineNotRunning, EngineSilent, InvalidCommand
from quant_trading_system.core.ids import run_id

PATIENCE = timedelta(seconds=90)
"""How long an answer may take; every command answers with what is known well before."""


def fresh_key(clock: Clock) -> str:
    """The key of a new intention of this process."""
    return f"qts-{run_id(clock.now().isoformat(), node(), os.getpid())}"


class EngineDoor:
    """The engine of one account."""

    def __init__(self, directory: Path, patience: timedelta = PATIENCE) -> None:
        """Of the account that is kept in `directory`."""
        self._directory = directory
        self._patience = patience

    async def ask(self, command: AnyCommand, *, key: str, principal: str, source: Source) -> Outcome:
        """Have `command` carried out.

        Args:
            key: the same for every repeat of one intention.
            principal: who answers for it; `source`: the way in.

        Raises:
            EngineNotRunning: nobody listens; nothing was done.
            InvalidCommand: the engine cannot read it; nothing was done.
            EngineSilent: no answer in time; it may be done, so repeat it with the same key only.
        """
        request = Request(key=key, principal=principal, source=source, command=command)
        status, body = await self._post(msgspec.json.encode(request), key)
        try:
            if status == 200:
                return msgspec.json.decode(body, type=Outcome)
            answer = msgspec.json.decode(body, type=dict[str, str])
        except msgspec.MsgspecError:
            answer = {"error": body.decode(errors="replace")}
        raise InvalidCommand(f"the engine does not understand the request: {answer.get('error', status)}")

    async def _post(self, body: bytes, key: str) -> tuple[int, bytes]:
        door = self._directory / DOOR_FILE
        connector = UnixConnector(path=str(place_of(door)))
        timeout = ClientTimeout(total=self._patience.total_seconds())
        try:
            async with (
                ClientSession(connector=connector, timeout=timeout) as session,
                session.post(f"http://engine{COMMANDS_PATH}", data=body) as answer,
            ):
                return answer.status, await answer.read()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise self._nobody() from error
        except (ClientError, TimeoutError, OSError) as error:
            if isinstance(error, OSError) and _was_refused(error):
                raise self._nobody() from error
            raise EngineSilent(
                f"the engine gave no answer ({error!r}); it may have done it: look at the orders, or repeat the "
                f"command with --key {key}, which acts once"
            ) from error

    def _nobody(self) -> EngineNotRunning:
        name = self._directory.name
        return EngineNotRunning(
            f"no engine is running for account {name} ({self._directory}); start it with `qts trade … --name {name}`; "
            "`qts halt` works without one"
        )


def _was_refused(error: OSError) -> bool:
    """Nobody listened, so nothing was sent."""
    cause = getattr(error, "os_error", error)
    return isinstance(cause, FileNotFoundError | ConnectionRefusedError)
