"""`qts simulate`: stormy days by the hundred, each seed a day that can be lived through again."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen, table

if TYPE_CHECKING:
    from quant_trading_system.app.simulating import CampaignReport, DayReport

Seeds = Annotated[int, typer.Option(help="How many days; each seed is one.", min=1)]
FirstSeed = Annotated[int, typer.Option("--first-seed", help="The first seed; with --seeds 1 the one to repeat.")]
Jobs = Annotated[int, typer.Option(help="Processes that work side by side.", min=1)]
Minutes = Annotated[int, typer.Option(help="Length of every day; 0 leaves it to the seed.", min=0)]
Story = Annotated[bool, typer.Option("--story", help="Tell what happened on every bad day, line by line.")]

_MOST_SHOWN = 3


def simulate(
    seeds: Seeds = 100,
    first_seed: FirstSeed = 1,
    jobs: Jobs = 2,
    minutes: Minutes = 0,
    story: Story = False,
    as_json: AsJson = False,
) -> None:
    """Let the live account trade through stormy days on simulated time, and audit every one of them.

    Faults of broker, network, disk, clock and people strike by chance; whatever does not hold is named with its
    seed, and the day is made as short as it goes. The exit code is 1 then, and also when a kind of fault that was
    due on twenty days or more never struck.

    Example: [bold]qts simulate --seeds 1000 --jobs 2[/bold]
    """
    from quant_trading_system.app.simulating import campaign, shrunk
    from quant_trading_system.core.clock import SystemClock

    clock = SystemClock()
    began = clock.monotonic()
    with _Progress(seeds, quiet=as_json) as progress:
        report, bad = campaign(first_seed, seeds, jobs=jobs, minutes=minutes, watch=progress.day_ended)
    speed = round(60 * report.days / max(clock.monotonic() - began, 0.001), 1)
    stories = [shrunk(day) for day in bad[:_MOST_SHOWN]]
    if as_json:
        told = {"days_per_minute": speed, "shortest": [_shortest(day) for day in stories]}
        print_json({**msgspec.structs.asdict(report), **told}, numbers=True)
    else:
        _show(report, speed)
        for day in stories:
            _tell(day, in_full=story)
    if not report.passed:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(simulate)


class _Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, seeds: int, *, quiet: bool) -> None:
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        shown = sys.stdout.isatty() and not quiet
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        words = TextColumn("{task.fields[bad]} bad")
        self._bar = Progress(*columns, words, console=screen(), transient=True) if shown else None
        self._task = None if self._bar is None else self._bar.add_task("days", total=seeds, bad=0)
        self._bad = 0

    def __enter__(self) -> _Progress:
        (self._bar or nullcontext()).__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def day_ended(self, day: DayReport) -> None:
        """One more."""
        self._bad += bool(day.violations)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, bad=self._bad)


def _show(report: CampaignReport, days_per_minute: float) -> None:
    out = screen()
    sums = table("", "", right=("",), title=f"seeds {report.first_seed} to {report.first_seed + report.seeds - 1}")
    for name, value in (
        ("trading days", f"{report.days:,.1f}"),
        ("trading days a minute", f"{days_per_minute:,.1f}"),
        ("starts of the process", f"{report.lives:,}"),
        ("orders", f"{report.orders:,}"),
        ("fills", f"{report.fills:,}"),
        ("faults", f"{report.faults:,}"),
        (
            "faults of the catalogue",
            f"{len(report.catalogue)} of {len(report.catalogue) + len(report.catalogue_missed)}",
        ),
        ("crash points passed", f"{report.crash_points:,}"),
        ("invariants", f"{len(report.invariants)}"),
        ("checks", f"{sum(report.invariants.values()):,}"),
        ("violations", f"{len(report.violations):,}"),
    ):
        sums.add_row(name, value)
    out.print(sums)
    faults = table("fault", "strikes", right=("strikes",))
    for kind, count in report.faults_by_kind.items():
        faults.add_row(kind, f"{count:,}")
    out.print(faults)
    checks = table("invariant", "checks", right=("checks",))
    for invariant, count in report.invariants.items():
        checks.add_row(invariant, f"{count:,}")
    out.print(checks)
    for kind in report.silent:
        out.print(f"[bold red]{kind} never struck, although it was due[/bold red]")
    for found in report.violations[:20]:
        out.print(f"[bold red]seed {found['seed']}: {found['invariant']}[/bold red]")
        out.print(f"  {found['what']}", markup=False)
    out.print(f"digest {report.digest}")


def _shortest(day: DayReport) -> dict[str, object]:
    plan, found = day.plan, day.violations[0]
    return {"seed": plan.seed, "minutes": plan.minutes, "kinds": plan.kinds, "invariant": found.invariant} | {
        "what": found.what,
        "story": found.story,
    }


def _tell(day: DayReport, *, in_full: bool) -> None:
    found, out = day.violations[0], screen()
    faults = ", ".join(day.plan.kinds) or "no faults"
    out.print(f"[bold]seed {day.plan.seed}, {day.plan.minutes} minutes, with {faults}:[/bold]")
    for line in found.story if in_full else found.story[-12:]:
        out.print(f"  {line}", markup=False)
