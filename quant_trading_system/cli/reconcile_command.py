"""`qts reconcile`: our books beside the broker's."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Line, ask, tell
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import key_of, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError, JournalUnavailable
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from quant_trading_system.app.reconcile_report import Report, Row

Adopt = Annotated[str, typer.Option("--adopt", help="Who answers for taking over the broker's positions and cash.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; goes on record. Required with --adopt.")]
Keys = Annotated[Path | None, typer.Option("--credentials", help="A private file instead of the environment.")]
Now = Annotated[bool, typer.Option("--now", help="Have the running engine compare, instead of this command.")]


def reconcile(
    adopt: Adopt = "",
    reason: Reason = "",
    now: Now = False,
    credentials: Keys = None,
    *,
    line: Line,
) -> None:
    """Compare the account's journal with the broker, also while an engine runs; exit code 3 if a break shuts new risk.

    Nothing is changed, unless --adopt names who answers for it; then no engine may run. With --now the running engine
    compares, and books what it may.

    Example: [bold]qts reconcile[/bold]
    """
    from quant_trading_system.config.settings import state_directory

    if now or line.api:
        if adopt or credentials is not None:
            raise ConfigurationError("--now and --api ask the engine, which has its own keys and adopts nothing")
        _by_the_engine(line)
        return
    if line.directory is not None:
        raise ConfigurationError("--directory goes with --now; without it, --name says which account")
    if adopt and not reason.strip():
        raise ConfigurationError("--adopt needs --reason: say why in a few words, it goes on record")
    report = asyncio.run(_report(state_directory() / line.name, credentials, adopt.strip(), reason.strip()))
    if line.as_json:
        print_json(report)
    else:
        _show(report)
    if not report.is_clean and not report.taken_over:
        raise typer.Exit(3)


def _by_the_engine(line: Line) -> None:
    from quant_trading_system.core.commands import Reconcile

    outcome = ask(Reconcile(), line)
    tell(outcome, as_json=line.as_json)
    if outcome.status == "differ":
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(grouped(reconcile))


async def _report(directory: Path, credentials: Path | None, person: str, reason: str) -> Report:
    from quant_trading_system.app.account_files import JOURNAL_FILE
    from quant_trading_system.app.reconcile_report import Comparison, require_same_account, take_over
    from quant_trading_system.app.surroundings import connect, open_journal, open_latch
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.execution.alpaca_statement import AlpacaStatements
    from quant_trading_system.execution.credentials import read_access
    from quant_trading_system.execution.leg_names import LegNames
    from quant_trading_system.execution.notices import Notice
    from quant_trading_system.journal.sqlite_reader import JournalReader

    path, clock = directory / JOURNAL_FILE, SystemClock()
    if not path.is_file():
        raise JournalUnavailable(f"{path}: no such journal; `qts trade` makes one, --name says which")

    def tell(notice: Notice) -> None:
        screen().print(f"{notice.source}: {notice.message}", markup=False)

    async with AsyncExitStack() as stack:
        lines = await connect(read_access(os.environ, credentials), "iex", clock, stack, tell)
        require_same_account(directory, (await lines.client.account()).id)
        names = LegNames()
        source = AlpacaStatements(lines.client, names)
        if not person:
            reader = stack.enter_context(JournalReader(path, key_of(path)))
            report, _ = await Comparison(reader, source, clock, names).report()
            return report
        try:
            journal = open_journal(directory)
        except JournalUnavailable as error:
            raise JournalUnavailable(
                f"{error}; an engine keeps its own books: stop it with Ctrl-C, adopt, then start it again"
            ) from error
        stack.callback(journal.close)
        latch = open_latch(directory)
        return await take_over(journal, latch, source, clock, names, person=person, reason=reason)


def _show(report: Report) -> None:
    out = screen()
    if not report.breaks:
        out.print("[green]our books and the broker's agree[/green]")
    else:
        numbers = ("ours", "theirs", "difference", "age")
        shown = table("break", "subject", *numbers[:3], "severity", "age", "to act", right=numbers)
        for row in report.breaks:
            shown.add_row(row.kind.value, row.subject, row.ours, row.theirs, *_more(row))
        out.print(shown)
    out.print(f"cash: ours {usd(report.cash)}, the broker's {usd(report.their_cash)}", markup=False)
    for entry in report.unbooked:
        amount = "no amount" if entry.amount is None else usd(entry.amount)
        kind = "an engine books it" if entry.kind else "nobody here can classify it"
        out.print(f"not booked: {entry.word} {amount} {entry.description} ({kind})", markup=False)
    if report.taken_over:
        out.print(f"taken over from the broker: {', '.join(report.taken_over)}", markup=False)
    elif report.breaks:
        out.print("[dim]nothing was changed; find out why, then see `qts reconcile --adopt NAME --reason TEXT`[/dim]")


def _more(row: Row) -> tuple[str, str, str, str]:
    difference = "" if row.difference is None else plain(row.difference)
    age = "new" if row.age_s is None else f"{row.age_s // 60} min" if row.age_s >= 120 else f"{row.age_s} s"
    return difference, row.severity.value, age, row.owner.value
