"""`qts backtest`: a strategy over the bundled prices or your own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
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
    Seed,
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
    run_directory,
)
from quant_trading_system.cli.screen import AsJson, as_it_stands, print_json, screen, table
from quant_trading_system.cli.sizing_options import Policy, Sizers
from quant_trading_system.core.numbers import plain, usd
from quant_trading_system.core.wording import first_few

if TYPE_CHECKING:
    from quant_trading_system.app.backtesting import BacktestResult
    from quant_trading_system.app.bootstrap import SimulatedAccount
    from quant_trading_system.research.backtest import Progress

_MOST_PAID_OUT = 5

Out = Annotated[
    Path | None, typer.Option(help="Directory for journal and report.", show_default="runs/backtest-NUMBER")
]


def backtest(
    strategy: StrategyName,
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
    """Trade prices of the past with a strategy, on the same road as live. Exit code 1 when the strategy failed.

    Example: [bold]qts backtest my_strategy.py --prices prices.csv --cash 50000[/bold]
    """
    from quant_trading_system.app.backtesting import report_path, write_report
    from quant_trading_system.app.bootstrap import simulated_account
    from quant_trading_system.app.latest_run import remember_run
    from quant_trading_system.app.strategy_loading import load_strategy

    chosen = load_strategy(strategy)
    history, may_trade, source = chosen_prices(
        prices, symbols, stamps=stamps, timezone=timezone, sort=sort, decimals=decimals
    )
    history, first_bar = chosen_span(history, first, last)
    described = chosen_setup(
        cash=cash, seed=seed, limits=limits, universe=universe, may_trade=may_trade, spread=spread, ended=ended,
        sizers=sizers, policy=policy, data=source,
    )  # fmt: skip
    directory = run_directory(out, "backtest")
    setup = replace(described, strategies=(chosen,), directory=directory, first_bar=first_bar)
    account = simulated_account(history, setup)
    result = _run(account, quiet=as_json)
    write_report(result, report_path(directory), title=f"Backtest: {chosen.name}")
    remember_run(directory)
    if as_json:
        print_json(_data(result))
    else:
        show_result(result)
        screen().print(f"report   {directory}/report.html\njournal  {directory}/journal.db", markup=False)
    if result.stopped:
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(backtest)


def show_result(result: BacktestResult) -> None:
    """The key figures of a run on the terminal."""
    from rich.table import Table

    stats, quality = result.statistics, result.quality
    body = Table.grid(padding=(0, 3))
    rows = (
        (
            "equity",
            f"{usd(stats.equity_start)} to {usd(stats.equity_end)}",
            "orders",
            f"{quality.orders} ({quality.submitted} sent)",
        ),
        ("return", _percent(stats.total_return), "fill rate", _percent(quality.fill_rate)),
        ("CAGR", _percent(stats.cagr), "rejection rate", _percent(quality.rejection_rate)),
        ("volatility", _percent(stats.volatility), "slippage", _unit(quality.slippage, "bp")),
        ("Sharpe", _number(stats.sharpe), "latency", _unit(quality.latency_ms, "ms")),
        ("Sortino", _number(stats.sortino), "fees", usd(stats.fees)),
        ("max drawdown", _percent(stats.max_drawdown), "turnover", _unit(stats.turnover, "x a year")),
        ("VaR 95, one day", _percent(stats.var_95), "exposure", _percent(stats.exposure)),
        ("hit rate", _percent(stats.hit_rate), "largest position", _percent(result.position_concentration)),
    )
    for row in rows:
        body.add_row(row[0], f"[bold]{row[1]}[/bold]", row[2], f"[bold]{row[3]}[/bold]")
    out = screen()
    out.print(f"\n[bold]{stats.start} to {stats.end}[/bold]")
    out.print(body)
    if stats.benchmark is not None and stats.benchmark.total_return is not None:
        out.print(f"[dim]{as_it_stands(stats.benchmark.name)}: {_percent(stats.benchmark.total_return)}[/dim]")
    if result.record.paid_out:
        paid = [f"{plain(-one.shares)} {one.symbol} at ${plain(one.price)}" for one in result.record.paid_out]
        out.print(f"paid out when prices had ended: {first_few(paid, _MOST_PAID_OUT)}", markup=False)
    for stop in result.stopped:
        out.print(f"[bold red]strategy {as_it_stands(stop.strategy)} was stopped on {stop.at:%Y-%m-%d}[/bold red]")
        out.print(f"  {stop.error}", markup=False)
    if not quality.orders and not result.stopped:
        out.print("no order came about: a wish counts when on_bar yields it, or returns it in a list", markup=False)
    for halt in result.record.halts:
        if halt.level:
            out.print(f"[bold red]{halt.level.name} on {halt.at:%Y-%m-%d}[/bold red]")
            out.print(f"  {halt.reason}", markup=False)
    if quality.rejections:
        _show_refusals(quality.rejections)


def _show_refusals(rejections: dict[str, int]) -> None:
    refused = table("refused by rule", "orders", right=("orders",))
    for rule, count in sorted(rejections.items(), key=lambda item: (-item[1], item[0])):
        refused.add_row(rule, str(count))
    screen().print(refused)


def _run(account: SimulatedAccount, *, quiet: bool) -> BacktestResult:
    from rich.progress import Progress as Bar

    from quant_trading_system.app.backtesting import run_account

    bar = Bar(console=screen(), transient=True) if sys.stdout.isatty() and not quiet else None
    with bar or nullcontext():
        task = None if bar is None else bar.add_task("trading", total=1.0)

        def watch(progress: Progress) -> None:
            if bar is not None and task is not None:
                bar.update(task, completed=progress.done)

        return asyncio.run(run_account(account, watch_days=watch))


def _data(result: BacktestResult) -> dict[str, object]:
    return {
        "halts": [halt for halt in result.record.halts if halt.level],
        "stopped_strategies": result.stopped,
        "paid_out": result.record.paid_out,
        "statistics": msgspec.to_builtins(result.statistics, builtin_types=()),
        "quality": result.quality,
        "position_concentration": result.position_concentration,
        "journal": result.record.journal,
    }


def _percent(value: float | Decimal | None) -> str:
    return "–" if value is None else f"{value:.2%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _unit(value: float | Decimal | None, unit: str) -> str:
    return "–" if value is None else f"{value:.2f} {unit}"
