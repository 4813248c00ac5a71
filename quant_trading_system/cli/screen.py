"""What the commands share: printing for people and for programs, and opening a journal to read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.wording import printable, printable_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from quant_trading_system.app.readings.follower import Follower
    from quant_trading_system.core.clock import Clock
    from quant_trading_system.journal.sqlite_reader import JournalReader

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text for people.")]
JournalPath = Annotated[
    Path | None,
    typer.Option("--journal", help="A journal file; by default that of the latest run.", show_default=False),
]


@cache
def screen() -> Console:
    """The terminal, made on first use."""
    from quant_trading_system.cli.terminal import Terminal

    to_people = sys.stdout.isatty()
    return Terminal(highlight=False, soft_wrap=not to_people, width=None if to_people else 160)


def as_it_stands(value: object) -> str:
    """Words for a styled line: brackets in them are brackets, and not markup."""
    from rich.markup import escape

    return escape(str(value))


def line_teller(clock: Clock, hide: Callable[[str], str] = str) -> Callable[[str], None]:
    """Prints one line with its time, for processes that must go on when nobody reads them any more.

    What a broker or a strategy says may end up in it: `hide` strikes out secrets, and what could begin a line of its
    own or move a terminal's cursor becomes a space.

    A terminal that is gone or a full disk behind a redirection costs the line and nothing else; what counts is in
    the journal. rich would end the process.
    """

    def tell(line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(f"{clock.now():%H:%M:%S} {printable(hide(line))}\n")
            sys.stdout.flush()

    return tell


def print_json(value: Any, *, numbers: bool = False) -> None:
    """One JSON document in one line; decimals as text, or written out as JSON `numbers`."""
    encoder = msgspec.json.Encoder(decimal_format="number" if numbers else "string")
    sys.stdout.write(printable_json(encoder.encode(value).decode()) + "\n")


def table(*columns: str, title: str = "", right: tuple[str, ...] = ()) -> Table:
    """A table of the house style; columns named in `right` hold numbers."""
    from rich import box

    from quant_trading_system.cli.terminal import PlainTable

    made = PlainTable(
        title=title or None, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold", pad_edge=False
    )
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return made


def journal_path(chosen: Path | None) -> Path:
    """The journal to read: the one chosen, or that of the latest run.

    Raises:
        ConfigurationError: nothing was run yet.
        JournalUnavailable: there is no such file.
    """
    from quant_trading_system.app.account_files import JOURNAL_FILE
    from quant_trading_system.app.latest_run import latest_run

    path = latest_run() / JOURNAL_FILE if chosen is None else chosen
    if path.is_dir():
        path = path / JOURNAL_FILE
    if not path.is_file():
        raise JournalUnavailable(f"{path}: no such journal; `qts demo` makes one")
    return path


@contextmanager
def reading(chosen: Path | None) -> Iterator[JournalReader]:
    """An open journal; its writer may be running."""
    from quant_trading_system.journal.sqlite_reader import JournalReader

    path = journal_path(chosen)
    with JournalReader(path, key_of(path)) as reader:
        yield reader


@contextmanager
def following(chosen: Path | None, *, catch_up: bool = True) -> Iterator[Follower]:
    """The account of a journal as its readers see it; with `catch_up` all of it is read.

    Raises:
        JournalUnavailable, JournalDamaged: it cannot be read to its end.
    """
    from quant_trading_system.app.readings.follower import Follower

    path = journal_path(chosen)
    follower = Follower(path.parent, path.name)
    try:
        if catch_up:
            follower.catch_up()
            if follower.problem:
                raise JournalUnavailable(f"{path}: {follower.problem}")
        yield follower
    finally:
        follower.close()


def key_of(path: Path) -> bytes:
    """The key of a journal that is there.

    Raises:
        JournalUnavailable: the key is not there or unusable, or the file is no journal at all.
    """
    from quant_trading_system.journal.keys import journal_key
    from quant_trading_system.journal.sqlite_reader import connect_read_only, require_schema

    try:
        return journal_key(path)
    except JournalUnavailable:
        with closing(connect_read_only(path)) as connection:
            require_schema(connection, path)  # what is no journal has no key to miss
        raise
