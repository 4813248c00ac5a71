"""`qts sweep`: many backtests of one strategy, and what the best of them is worth."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.replay_options import (
    BUNDLED,
    PAY_OUT,
    Cash,
    Decimals,
    Ended,
    First,
    Last,
    Limits,
    Prices,
    Sort,
    Spread,
    Stamps,
    StampsAre,
    StrategyName,
    Symbols,
    Timezone,
    UniverseFile,
    chosen_prices,
    chosen_setup,
    chosen_span,
    free_directory,
)
from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.cli.sizing_options import Policy, Sizers
from quant_trading_system.core.exceptions import ConfigurationError, SweepInterrupted
from quant_trading_system.research.sweep_words import Metric, Sampler

if TYPE_CHECKING:
    from quant_trading_system.app.sweeping.pools import Pool
    from quant_trading_system.app.sweeping.sweep import Sweep, SweepProgress, SweepResult

MOST_SHOWN = 10
"""Trials in the table of the terminal; report and Parquet file have more."""

Params = Annotated[
    list[str],
    typer.Option(
        "--param",
        help="NAME=4,6,8 or NAME=LOW:HIGH:STEP; to draw from, NAME=LOW:HIGH or NAME=LOW:HIGH:log.",
        show_default=False,
    ),
]
SamplerName = Annotated[Sampler, typer.Option("--sampler", help="tpe learns as it goes; random and tpe need Optuna.")]
Trials = Annotated[int | None, typer.Option(help="How many to draw, with random and tpe.", show_default=False)]
MetricName = Annotated[Metric, typer.Option("--metric", help="What the best trial is best in.")]
Jobs = Annotated[int, typer.Option(help="Processes on this machine.", show_default="one for each core")]
RayAddress = Annotated[
    str,
    typer.Option("--ray", help="A Ray cluster, such as 10.0.0.5:6379, instead of --jobs.", show_default=False),
]
Seed = Annotated[int, typer.Option(help="Decides every random number of market, venue and sampler.")]
Folds = Annotated[int, typer.Option("--walk-forward", help="Choose and trade on so many windows, one after the other.")]
Purge = Annotated[int, typer.Option(help="Days before each test that choosing may not see.")]
Embargo = Annotated[int, typer.Option(help="Days more, for what lingers.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Directory of the sweep; one that was interrupted goes on.", show_default="runs/sweep-NUMBER"),
]


def sweep(
    strategy: StrategyName,
    params: Params = [],  # noqa: B006 - read only
    sampler: SamplerName = Sampler.GRID,
    trials: Trials = None,
    metric: MetricName = Metric.SHARPE,
    jobs: Jobs = 0,
    ray: RayAddress = "",
    folds: Folds = 0,
    purge: Purge = 0,
    embargo: Embargo = 0,
    prices: Prices = BUNDLED,
    symbols: Symbols = "",
    first: First = None,
    last: Last = None,
    cash: Cash = "100000",
    seed: Seed = 7,
    limits: Limits = None,
    universe: UniverseFile = None,
    timezone: Timezone = "",
    stamps: StampsAre = Stamps.START,
    sort: Sort = False,
    decimals: Decimals = None,
    spread: Spread = "4",
    ended: Ended = PAY_OUT,
    sizers: Sizers = [],  # noqa: B006 - read only
    policy: Policy = [],  # noqa: B006 - read only
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Try many parameters of a strategy, each in a whole backtest, and tell how much of the best is luck.

    Example: [bold]qts sweep momentum --param hold=4,6,8 --param lookback=126:252:63[/bold]
    """
    from quant_trading_system.app.strategy_loading import StrategySource
    from quant_trading_system.app.sweeping.sweep import Sweep, SweepPlan
    from quant_trading_system.research.sweep import Window

    history, may_trade, named = chosen_prices(
        prices, symbols, stamps=stamps, timezone=timezone, sort=sort, decimals=decimals
    )
    history, first_bar = chosen_span(history, first, last)
    plan = SweepPlan(
        source=StrategySource.read(strategy),
        params=tuple(params),
        window=Window(history.dates[first_bar].item(), history.dates[-1].item()),
        setup=chosen_setup(
            cash=cash, seed=seed, limits=limits, universe=universe, may_trade=may_trade, spread=spread, ended=ended,
            sizers=sizers, policy=policy, data=named,
        ),
        sampler=sampler,
        trials=trials,
        seed=seed,
        metric=metric,
        folds=folds,
        purge=purge,
        embargo=embargo,
    )  # fmt: skip
    _sweep(Sweep(plan, history), out or free_directory("sweep"), jobs=jobs, ray=ray, as_json=as_json)


def _sweep(prepared: Sweep, directory: Path, *, jobs: int, ray: str, as_json: bool) -> None:
    """Run it, and write and tell what it came to."""
    from quant_trading_system.app.sweeping.results import summary, write_results, write_sweep_report

    result = _run(prepared, directory, jobs=jobs, ray=ray, quiet=as_json)
    write_results(result, directory)
    write_sweep_report(result, directory)
    if as_json:
        print_json(summary(result) | {"directory": str(directory)})
        return
    _show(result)
    screen().print(f"report   {directory}/report.html\ntrials   {directory}/results.parquet", markup=False)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(sweep)


def _run(prepared: Sweep, directory: Path, *, jobs: int, ray: str, quiet: bool) -> SweepResult:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    pool = _pool(prepared, directory, jobs=jobs, ray=ray)
    if not quiet:
        count = "1 trial" if prepared.total == 1 else f"{prepared.total:,} trials"
        screen().print(f"{count}; after an interruption go on with --out {directory}", markup=False)
    columns = (
        TextColumn("trials"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[best]}"),
    )
    bar = Progress(*columns, console=screen(), transient=True) if sys.stdout.isatty() and not quiet else None
    metric, done = prepared.plan.metric, 0
    with bar or nullcontext():
        task = None if bar is None else bar.add_task("trials", total=prepared.total, best="")

        def watch(progress: SweepProgress) -> None:
            nonlocal done
            done = progress.done
            if bar is not None and task is not None:
                best = progress.best
                told = "" if best is None else f"{metric.told} {best.figures[metric]:.2f}"
                bar.update(task, completed=done, best=told)

        try:
            return prepared.run(pool, directory, watch)
        except (KeyboardInterrupt, SweepInterrupted) as stop:
            why, kept = str(stop) or "stopped", f"{done:,} of {prepared.total:,} trials are kept"
            raise SweepInterrupted(f"{why}; {kept}: the same command with --out {directory} goes on") from None


def _pool(prepared: Sweep, directory: Path, *, jobs: int, ray: str) -> Pool:
    """Where the trials run."""
    from quant_trading_system.app.sweeping.pools import InProcess, Processes

    if jobs < 0:
        raise ConfigurationError(f"--jobs {jobs}: give the number of processes, 1 or more")
    if ray and jobs:
        raise ConfigurationError("--ray and --jobs exclude each other; a cluster has as many processes as processors")
    if ray:
        from quant_trading_system.app.sweeping.cluster import RayCluster

        return RayCluster(prepared.work, prepared.history, address=ray)
    count = min(jobs or os.cpu_count() or 1, prepared.total)
    if count == 1:
        return InProcess(prepared.work, prepared.history)
    return Processes(prepared.work, prepared.history, jobs=count, directory=directory)


def _show(result: SweepResult) -> None:
    """The best trials and the verdict on the terminal."""
    out, verdict = screen(), result.verdict
    names = [dimension.name for dimension in result.space.dimensions]
    figures = ("total_return", "sharpe", "max_drawdown")
    columns = ("trial", *names, "return", "Sharpe", "drawdown", "orders", "refused", "halts")
    best = table(*columns, right=columns)
    by_number = {one.number: one for one in result.outcomes}
    for one in (by_number[number] for number in verdict.ranked[:MOST_SHOWN]):
        total, sharpe, fall = (one.figures[name] for name in figures)
        told = (_percent(total), _number(sharpe), _percent(fall), str(one.orders), str(one.refused), str(one.halts))
        best.add_row(str(one.number), *(one.parameters[name] for name in names), *told)
    out.print(best)
    if len(verdict.ranked) > MOST_SHOWN:
        out.print(f"the best {MOST_SHOWN} of {len(verdict.ranked):,}; all are in the report and in the table of trials")
    failed = [one for one in result.outcomes if one.error]
    if failed:
        many = "1 trial" if len(failed) == 1 else f"{len(failed):,} trials"
        out.print(f"{many} failed; the first: {failed[0].error}", style="bold red", markup=False)
    deflated, overfitting, walked = verdict.deflated, verdict.overfitting, result.walk_forward
    if deflated is not None:
        out.print(
            f"deflated Sharpe ratio        {_percent(deflated.probability)} (luck alone shows {deflated.benchmark:.2f})"
        )
    if overfitting is not None:
        out.print(f"probability of overfitting   {_percent(overfitting.probability)}")
    if verdict.paths:
        low, high = min(verdict.paths), max(verdict.paths)
        out.print(f"Sharpe of unseen days        {low:.2f} to {high:.2f} on {len(verdict.paths)} combinatorial paths")
    if walked is not None:
        earned = f"{_percent(walked.total_return)}, Sharpe {_number(walked.sharpe)}"
        out.print(f"walk-forward                 {earned}, {len(walked.folds)} tests of what was best before each")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
