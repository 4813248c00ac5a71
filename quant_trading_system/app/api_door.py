"""Reading and commanding through the HTTP interface of a console, for an engine on another host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from quant_trading_system.app.door import PATIENCE
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnyCommand, Outcome
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.exceptions import (
    ConfigurationError,
    EngineNotRunning,
    EngineSilent,
    InvalidCommand,
    JournalUnavailable,
    NotAllowed,
    UnknownOrder,
)
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.journal.private_files import NOT_READABLE_BY_OTHERS, require_private

VARIABLE = "QTS_API_TOKEN"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GOOD, _CLOSED = (200, 202), (401, 403)
_NOTHING, _NOBODY, _SILENT = 404, 503, 504

T = TypeVar("T")


class _Error(msgspec.Struct, frozen=True):
    """An error answer of the interface."""

    code: str = ""
    message: str = ""
    hint: str = ""
    outcome: Outcome | None = None


class Stopped(msgspec.Struct, frozen=True):
    """What a halt has become: the fields are those of `POST /v1/halt`."""

    scope: str
    level: str
    reason: str
    at: str
    activation: int
    effect: str = ""


class Api:
    """A console's HTTP interface, such as ``http://127.0.0.1:8765`` at the end of a tunnel."""

    def __init__(self, url: str, token: str, patience: timedelta = PATIENCE) -> None:
        """Speak to the console at `url` with `token`, which says who asks.

        Raises:
            ConfigurationError: no HTTP URL, or one over which others could read the token.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError(f"--api {url}: give a URL such as http://127.0.0.1:8765")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ConfigurationError(
                f"--api {url}: over plain HTTP others could read the token; use https, or a tunnel: "
                f"ssh -L 8765:127.0.0.1:8765 {parts.hostname}, then --api http://127.0.0.1:8765"
            )
        self.url = url.rstrip("/")
        self._token = token
        self._patience = patience

    async def read(self, path: str, kind: type[T], /, **query: str) -> T:
        """What the console tells at `path`, as `kind`.

        Raises:
            EngineNotRunning, EngineSilent: no console, or no answer in time.
            UnknownOrder: there is no such thing.
            NotAllowed: the token is not enough.
            InvalidCommand: refused for another reason, or no answer of a console.
        """
        given = {name: value for name, value in query.items() if value}
        status, body = await self._send("GET", f"{path}?{urlencode(given)}" if given else path)
        return self._answer(status, body, kind)

    async def write(self, path: str, fields: Mapping[str, Any], kind: type[T], key: str = "") -> T:
        """What came of a change; repeated with the same `key` it happens once.

        Raises:
            EngineNotRunning, EngineSilent, UnknownOrder, NotAllowed, InvalidCommand: as `read`.
        """
        return (await self.write_for_status(path, fields, kind, key))[1]

    async def write_for_status(
        self, path: str, fields: Mapping[str, Any], kind: type[T], key: str = ""
    ) -> tuple[int, T]:
        """The same with its status: 200 when it is final, 202 when others have to follow."""
        status, body = await self._send("POST", path, fields, key)
        return status, self._answer(status, body, kind, key)

    def _answer(self, status: int, body: bytes, kind: type[T], key: str = "") -> T:
        try:
            if status in _GOOD:
                return msgspec.json.decode(body, type=kind)
            error = msgspec.json.decode(body, type=_Error)
        except msgspec.MsgspecError as error_:
            raise InvalidCommand(
                f"{self.url} answers {status} with something that is no answer of a console: {error_}"
            ) from error_
        words = f"{error.message}; {error.hint}" if error.hint else error.message
        if error.outcome is not None and kind is Outcome:
            return cast(T, error.outcome)
        if status == _NOBODY:
            raise EngineNotRunning(words)
        if status == _SILENT:
            raise EngineSilent(f"{words} (--key {key})" if key else words)
        if status == _NOTHING:
            raise UnknownOrder(words, "")
        if status in _CLOSED:
            raise NotAllowed(words)
        raise InvalidCommand(words)

    async def _send(
        self, method: str, path: str, fields: Mapping[str, Any] | None = None, key: str = ""
    ) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}"}
        if fields is not None:
            headers |= {"Content-Type": "application/json"}
        if key:
            headers |= {"Idempotency-Key": key}
        data = None if fields is None else msgspec.json.encode(fields)
        timeout = ClientTimeout(total=self._patience.total_seconds())
        try:
            async with (
                ClientSession(timeout=timeout) as session,
                session.request(method, self.url + path, data=data, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status, await answer.read()
        except (ClientError, TimeoutError, OSError) as error:
            if isinstance(getattr(error, "os_error", error), ConnectionRefusedError):
                raise EngineNotRunning(f"no console answers at {self.url}; `qts console` starts one") from error
            if not key:
                raise EngineSilent(f"no answer from {self.url} ({error!r})") from error
            raise EngineSilent(
                f"no answer from {self.url} ({error!r}); it may have done it: look at the orders, or repeat the "
                f"command with --key {key}, which acts once"
            ) from error


class ApiDoor:
    """The door of an engine behind a console."""

    def __init__(self, api: Api) -> None:
        """Knock through `api`."""
        self._api = api

    async def ask(self, command: AnyCommand, *, key: str, principal: str, source: Source) -> Outcome:
        """Have `command` carried out; `principal` and `source` are what the token says, so these are not sent.

        Raises:
            EngineNotRunning: no console or no engine; nothing was done.
            InvalidCommand, NotAllowed: refused before it reached the engine, with the reason; nothing was done.
            EngineSilent: no answer in time; it may be done, so repeat it with the same key only.
        """
        del principal, source
        fields: dict[str, Any] = msgspec.to_builtins(command)
        return await self._api.write(f"/v1/commands/{fields.pop('command')}", fields, Outcome, key)

    async def stop(self, level: HaltLevel, reason: str, scope: HaltScope, *, whole_machine: bool = False) -> Stopped:
        """Halt, or flatten, the account that the console serves; whether its engine runs, hangs or is down.

        Raises:
            EngineNotRunning: no console answers; nothing was done.
            InvalidCommand, NotAllowed: refused, with the reason; nothing was done, or not all of it: the message says.
            EngineSilent: no answer in time; it may be done, and to halt twice is to halt once.
        """
        fields: dict[str, Any] = {"reason": reason, **msgspec.to_builtins(scope)}
        if whole_machine:
            fields["whole_machine"] = True
        is_flattening = level is HaltLevel.FLATTENING
        if not is_flattening:
            fields["level"] = level.name.lower()
        try:
            return await self._api.write("/v1/flatten" if is_flattening else "/v1/halt", fields, Stopped)
        except EngineSilent as error:
            raise EngineSilent(f"no answer from {self._api.url}: halt again, or on that machine itself") from error


def read_token(path: Path | None, environment: Mapping[str, str] | None = None) -> str:
    """The token in a private file, or in `QTS_API_TOKEN`.

    Raises:
        ConfigurationError: there is none, or others can read the file.
    """
    environment = os.environ if environment is None else environment
    if path is None:
        token = environment.get(VARIABLE, "").strip()
    else:
        try:
            require_private(path, NOT_READABLE_BY_OTHERS)
        except JournalUnavailable as error:
            raise ConfigurationError(f"--token-file: {error}") from error
        token = path.read_text(encoding="ascii", errors="replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(
            f"--api needs a token: put one into {VARIABLE} or into a private --token-file; `qts token create` makes it"
        )
    return token
