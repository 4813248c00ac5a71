"""`qts journal verify | replay | export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Far, Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import (
    AsJson,
    as_it_stands,
    following,
    journal_path,
    key_of,
    print_json,
    reading,
    screen,
    table,
)
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from quant_trading_system.journal.replay import ReplayReport

File = Annotated[
    Path | None, typer.Argument(help="A journal file; by default that of the latest run.", show_default=False)
]


def verify(journal: File = None, as_json: AsJson = False, *, far: Far) -> None:
    """Check every entry of a journal, its chain and its end; exit code 1 when something is wrong.

    Example: [bold]qts journal verify runs/demo/journal.db[/bold]
    """
    from quant_trading_system.journal.verify import verify as verify_journal

    if far.api:
        _verify_far(Record(journal, far.api, far.token_file).far, as_json=as_json)
        return
    path = journal_path(journal)
    report = verify_journal(path, key_of(path))
    if as_json:
        print_json(report)
    else:
        mark = "[green]sound[/green]" if report.is_sound else "[bold red]NOT SOUND[/bold red]"
        screen().print(f"{as_it_stands(path)}: {mark}")
        screen().print(f"  {report.message}", markup=False)
        screen().print(f"  {report.entries} entries, head {report.head}", markup=False)
    if not report.is_sound:
        raise typer.Exit(1)


def list_entries(
    kind: Annotated[str, typer.Option("--kind", help="Only such entries, such as fill.", show_default=False)] = "",
    about: Annotated[str, typer.Option("--about", help="Only of the order of that id.", show_default=False)] = "",
    last: Annotated[int, typer.Option("--last", help="At most so many, the newest.", min=1, max=500)] = 20,
    before: Annotated[int, typer.Option("--before", help="Only entries with lower numbers.", show_default=False)] = 0,
    as_json: AsJson = False,
    *,
    record: Record,
) -> None:
    """List the newest entries of a journal.

    Example: [bold]qts journal list --kind fill --last 5[/bold]
    """
    from quant_trading_system.app.readings.entries import EntryPage, entry_page

    if record.far.api:
        page: EntryPage = record.far.read(
            "/v1/journal", EntryPage, kind=kind, subject=about, limit=str(last), before=str(before)
        )
    else:
        with following(record.journal, catch_up=False) as follower:
            page = entry_page(follower, before=before, kind=kind, subject=about, limit=last)
    if as_json:
        print_json(page.rows)
        return
    shown = table("entry", "time (UTC)", "kind", "about", "content", right=("entry",))
    for row in reversed(page.rows):
        shown.add_row(str(row.seq), f"{row.at:%Y-%m-%d %H:%M:%S}", row.kind, row.subject, row.body)
    screen().print(shown)


def replay(journal: File = None, as_json: AsJson = False) -> None:
    """Rebuild orders, positions, cash and halt state from a journal and compare them with the recorded books.

    Example: [bold]qts journal replay[/bold]
    """
    from quant_trading_system.journal.replay import replay as replay_journal

    with reading(journal) as reader:
        report = replay_journal(reader)
    if as_json:
        print_json(_as_data(report))
    else:
        _show(report)
    if not report.agrees:
        raise typer.Exit(1)


def export(
    target: Annotated[Path, typer.Argument(help="The file to write: .jsonl or .parquet.")],
    journal: Annotated[
        Path | None, typer.Option("--journal", help="A journal file; by default that of the latest run.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write all entries of a journal to a file for other tools.

    Example: [bold]qts journal export entries.parquet[/bold]
    """
    from quant_trading_system.journal.export import export as export_journal

    with reading(journal) as reader:
        count = export_journal(reader, target, force=force)
    screen().print(f"{count} entries written to {target}", markup=False)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="Verify, replay and export the record of a run.", no_args_is_help=True)
    group.command()(grouped(verify))
    group.command("list")(grouped(list_entries))
    group.command()(replay)
    group.command()(export)
    app.add_typer(group, name="journal")


def _verify_far(far: Far, *, as_json: bool) -> None:
    """What a console says of the journal that it follows."""
    from quant_trading_system.app.readings.entries import ChainStatus

    found: ChainStatus = far.read("/v1/journal/chain", ChainStatus)
    if as_json:
        print_json(found)
    else:
        screen().print("[green]sound[/green]" if found.is_sound else "[bold red]NOT SOUND[/bold red]")
        screen().print(f"  {found.says}", markup=False)
    if not found.is_sound:
        raise typer.Exit(1)


def _as_data(report: ReplayReport) -> dict[str, object]:
    state = report.projection
    held = {symbol: position for symbol, position in sorted(state.positions.items()) if position.quantity}
    return {
        "agrees": report.agrees,
        "entries": report.entries,
        "states_compared": report.states,
        "differences": [str(difference) for difference in report.differences],
        "cash": plain(state.cash),
        "realized_pnl": plain(state.realized_pnl),
        "fees": plain(state.fees),
        "halt_level": state.halt.level.name.lower(),
        "open_orders": sorted(state.orders.open),
        "positions": {symbol: plain(position.quantity) for symbol, position in held.items()},
        "breaks": [f"{found} since {first_seen:%Y-%m-%d %H:%M:%S}" for found, first_seen in state.breaks.values()],
    }


def _show(report: ReplayReport) -> None:
    state = report.projection
    positions = table(
        "symbol", "shares", "average price", "realized P&L", right=("shares", "average price", "realized P&L")
    )
    for symbol, position in sorted(state.positions.items()):
        if position.quantity:
            positions.add_row(
                symbol, plain(position.quantity), f"{position.average_price:.4f}", f"{position.realized_pnl:,.2f}"
            )
    screen().print(positions)
    screen().print(f"cash {usd(state.cash)} · realized P&L {usd(state.realized_pnl)} · fees {usd(state.fees)}")
    screen().print(f"halt level {state.halt.level.name.lower()} · {len(state.orders.open)} open orders")
    for found, first_seen in state.breaks.values():
        screen().print(f"differs from the broker since {first_seen:%Y-%m-%d %H:%M:%S}: {found}", markup=False)
    if not report.agrees:
        screen().print(f"[bold red]{report.difference_count} differences from the recorded books:[/bold red]")
        for difference in report.differences[:20]:
            screen().print(f"  {difference}", markup=False)
    else:
        screen().print("[green]the recorded books agree with the entries[/green]")
