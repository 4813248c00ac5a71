"""Hands commands to an engine: at its door on this machine, or through the HTTP interface of a console elsewhere."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from quant_trading_system.cli.screen import AsJson, JournalPath, print_json, screen
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.app.api_door import Api as HttpApi
    from quant_trading_system.app.api_door import ApiDoor
    from quant_trading_system.app.door import EngineDoor
    from quant_trading_system.core.commands import AnyCommand, Outcome

EXIT_CODES = {"done": 0, "pending": 3, "refused": 1, "failed": 1}
"""Of the commands that act on an engine, by the result of its answer."""

Name = Annotated[str, typer.Option("--name", help="Of the account's directory, as for `qts trade`.")]
Directory = Annotated[
    Path | None,
    typer.Option("--directory", help="Of the account, instead of --name; for the demo runs/demo.", show_default=False),
]
Api = Annotated[
    str,
    typer.Option(
        "--api", envvar="QTS_API_URL", help="A console's URL, for an engine on another host.", show_default=False
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="QTS_API_TOKEN_FILE",
        help="A private file with the token for --api; or QTS_API_TOKEN.",
        show_default=False,
    ),
]
Key = Annotated[
    str,
    typer.Option("--key", help="Names this intention: repeated with the same key, it acts once.", show_default=False),
]
By = Annotated[str, typer.Option("--by", help="Who answers for it.", show_default="the user of this terminal")]
Why = Annotated[str, typer.Option("--reason", help="Why; goes on record.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking once more.")]


class Line(NamedTuple):
    """Which engine is spoken to, and in whose name.

    Attributes:
        name, directory: of the account on this machine.
        api, token_file: of a console instead.
        key: of the intention; a fresh one when empty.
        by: who answers for it; the user of this terminal when empty.
        as_json: the answer is printed for a program.
    """

    name: Name = "default"
    directory: Directory = None
    api: Api = ""
    token_file: TokenFile = None
    key: Key = ""
    by: By = ""
    as_json: AsJson = False

    @property
    def far(self) -> Far:
        """The console on another host; its `api` is empty for an engine of this machine."""
        return Far(self.api, self.token_file)

    @property
    def home(self) -> Path:
        """The account's directory on this machine."""
        from quant_trading_system.config.settings import kill_latch_path

        return self.directory or kill_latch_path(self.name).parent


class Far(NamedTuple):
    """A console on another host, where one is named."""

    api: Api = ""
    token_file: TokenFile = None

    def read(self, path: str, kind: Any, /, **query: str) -> Any:
        """What the console tells at `path`, as `kind`; raises as `app.api_door.Api.read`."""
        return asyncio.run(api_at(self.api, self.token_file).read(path, kind, **query))

    def write(self, path: str, fields: Mapping[str, Any], kind: Any) -> tuple[int, Any]:
        """What came of a change, and whether it is final (200) or others have to follow (202)."""
        from quant_trading_system.app.door import fresh_key
        from quant_trading_system.core.clock import SystemClock

        api = api_at(self.api, self.token_file)
        return asyncio.run(api.write_for_status(path, fields, kind, fresh_key(SystemClock())))


class Elsewhere(NamedTuple):
    """A console on another host that is named each time: no variable turns a halt away from this machine."""

    api: Annotated[
        str,
        typer.Option(
            "--api",
            help="A console's URL, for an account on another host; no variable stands for it.",
            show_default=False,
        ),
    ] = ""
    token_file: TokenFile = None

    @property
    def far(self) -> Far:
        """The same console."""
        return Far(self.api, self.token_file)


class Record(NamedTuple):
    """What is read: a journal of this machine, or a console on another host.

    Attributes:
        journal: that of the latest run when None.
    """

    journal: JournalPath = None
    api: Api = ""
    token_file: TokenFile = None

    @property
    def far(self) -> Far:
        """The console; its `api` is empty for a journal of this machine.

        Raises:
            ConfigurationError: a journal was named, too.
        """
        if self.api and self.journal is not None:
            raise ConfigurationError("--journal names a file of this machine, and --api another one; choose one")
        return Far(self.api, self.token_file)


def api_at(url: str, token_file: Path | None) -> HttpApi:
    """The interface at a URL, with the token of this terminal.

    Raises:
        ConfigurationError: the token is missing, or the URL would show it to others.
    """
    from quant_trading_system.app.api_door import Api as HttpApi
    from quant_trading_system.app.api_door import read_token

    return HttpApi(url, read_token(token_file))


def ask(command: AnyCommand, line: Line) -> Outcome:
    """What the engine answers.

    Raises:
        EngineNotRunning, EngineSilent, InvalidCommand: as `EngineDoor.ask` and `ApiDoor.ask`.
        ConfigurationError: the token is missing, or the URL would show it to others.
    """
    from quant_trading_system.app.door import fresh_key
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.core.command import Source

    key = line.key or fresh_key(SystemClock())
    by = line.by or getpass.getuser()
    return asyncio.run(_door(line).ask(command, key=key, principal=by, source=Source.CLI))


def send(command: AnyCommand, line: Line) -> None:
    """Ask the engine, print what it answers, and end with the exit code of that."""
    tell(ask(command, line), as_json=line.as_json)


def tell(outcome: Outcome, *, as_json: bool) -> None:
    """Print an answer and end with its exit code: 0 done, 3 not final yet, 1 refused or failed."""
    from quant_trading_system.core.commands import Result

    if as_json:
        print_json(outcome)
    else:
        colour = {Result.DONE: "green", Result.PENDING: "yellow"}.get(outcome.result, "red")
        screen().print(f"[bold {colour}]{outcome.result.value}[/bold {colour}]  ", end="")
        screen().print(outcome.message, markup=False)
    code = EXIT_CODES[outcome.result.value]
    if code:
        raise typer.Exit(code)


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person once more.

    Raises:
        ConfigurationError: nobody can be asked here.
        typer.Exit: the person said no.
    """
    if yes:
        return
    if not somebody_is_there():
        raise ConfigurationError(f"{question} Nobody can be asked here: repeat the command with --yes")
    if not typer.confirm(question):
        screen().print("nothing was done")
        raise typer.Exit(1)


def somebody_is_there() -> bool:
    """A person can answer at this terminal."""
    return sys.stdin.isatty()


def _door(line: Line) -> EngineDoor | ApiDoor:
    from quant_trading_system.app.api_door import ApiDoor
    from quant_trading_system.app.door import EngineDoor

    if line.api:
        return ApiDoor(api_at(line.api, line.token_file))
    return EngineDoor(line.home)
