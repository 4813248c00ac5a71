"""`qts drill`: rehearse the kill switch on a local venue, and keep timed evidence."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.app.drill.evidence import Evidence
    from quant_trading_system.app.drill.rehearsal import Rehearsal
    from quant_trading_system.app.drill.ways import Way


def drill(
    only: Annotated[
        str, typer.Option("--only", help="Names of ways, separated by commas; all of them without.", show_default=False)
    ] = "",
    runs: Annotated[int, typer.Option("--runs", help="How often each way is rehearsed.", min=1, max=100)] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A new directory for the evidence; by default runs/drill-TIME.", show_default=False),
    ] = None,
    ways: Annotated[bool, typer.Option("--ways", help="List the ways, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rehearse every way of stopping orders on a venue of this machine, and see by the venue's books that it works.

    Each way gets a venue, an engine and an account of its own, with positions, resting orders and an algorithm at work,
    while somebody keeps asking for more. No account of yours is touched. Exit code 1 when anything did not hold.

    Example: [bold]qts drill --only cli,hanging,flatten[/bold]
    """
    from quant_trading_system.app.drill.evidence import evidence_of, write_evidence
    from quant_trading_system.app.drill.ways import WAYS
    from quant_trading_system.core.clock import SystemClock

    if ways:
        _tell_ways(WAYS)
        return
    chosen, clock = _chosen(only), SystemClock()
    began = clock.now()
    place = (out or Path(f"runs/drill-{began:%Y%m%dT%H%M%SZ}")).absolute()
    try:
        place.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise ConfigurationError(f"--out {place}: evidence needs a new directory ({error.strerror or error})") from None
    rehearsals = asyncio.run(_all(chosen, runs, place, quiet=as_json))
    evidence = evidence_of(rehearsals, began, clock.now())
    write_evidence(evidence, place)
    if as_json:
        print_json(evidence)
    else:
        _tell(evidence, place)
    if not evidence.passed:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(drill)


def _chosen(only: str) -> list[Way]:
    from quant_trading_system.app.drill.ways import BY_NAME, WAYS

    names = [name.strip() for name in only.split(",") if name.strip()]
    strangers = [name for name in names if name not in BY_NAME]
    if strangers:
        raise ConfigurationError(f"--only {', '.join(strangers)}: there are {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in names] or list(WAYS)


async def _all(chosen: list[Way], runs: int, place: Path, *, quiet: bool) -> list[Rehearsal]:
    """One after the other: two at once would measure each other."""
    from quant_trading_system.app.drill.rehearsal import rehearse
    from quant_trading_system.core.clock import SystemClock

    found = []
    for number in range(1, runs + 1):
        for way in chosen:
            name = way.name if runs == 1 else f"{way.name}-{number}"
            found.append(await rehearse(way, place / name, SystemClock()))
            if not quiet:
                _tell_one(found[-1])
    return found


def _tell_ways(ways: tuple[Way, ...]) -> None:
    shown = table("way", "what is done")
    for way in ways:
        shown.add_row(way.name, way.does)
    screen().print(shown)


def _tell_one(found: Rehearsal) -> None:
    colour, word = ("green", "passed") if found.passed else ("bold red", "FAILED")
    screen().print(f"[{colour}]{word}[/{colour}]  {found.way:<9} ", end="")
    screen().print(found.does, markup=False)
    if found.error:
        screen().print(f"        could not be carried out: {found.error}", markup=False)
    for check in found.checks:
        if not check.passed:
            screen().print(f"        {check.name}: {check.found}", markup=False)


def _tell(evidence: Evidence, place: Path) -> None:
    from quant_trading_system.app.drill.evidence import TABLE_FILE, rows_of

    shown = table(
        "way", "passed", "latch set", "last cancel", "after the latch", "slowest", "flat", "orders", "on the wire"
    )
    for row in rows_of(evidence.rehearsals):
        times = ["" if t is None else f"{t} s" for t in row.times]
        shown.add_row(row.way, f"{row.passed} of {row.runs}", *times, str(row.orders), str(row.in_flight))
    screen().print()
    screen().print(shown)
    screen().print(f"evidence: {place / TABLE_FILE}", markup=False)
