"""`qts backtest`: a strategy over the bundled prices or your own."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.cli.sizing_options import Policy, Sizers, chosen_sizing
from quant_trading_system.core.exceptions import ConfigurationError, MarketDataError
from quant_trading_system.core.numbers import exact, usd

if TYPE_CHECKING:
    from quant_trading_system.app.backtesting import BacktestResult
    from quant_trading_system.app.bootstrap import SimulatedAccount
    from quant_trading_system.core.instruments import Universe
    from quant_trading_system.market.history import PriceHistory
    from quant_trading_system.research.backtest import Progress

_BUNDLED = "sp500"


class Stamps(StrEnum):
    """Which end of an intraday bar its time names."""

    START = "start"
    END = "end"


StrategyName = Annotated[
    str, typer.Argument(help="One that ships, such as momentum; FILE.py, FILE.py:CLASS or MODULE:CLASS.")
]
Prices = Annotated[str, typer.Option(help="A CSV or Parquet file, or sp500 for the bundled prices.")]
Symbols = Annotated[str, typer.Option(help="Only these, separated by commas; for a file of one stock, its symbol.")]
First = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="First day to trade; earlier bars are the strategy's past."),
]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day to trade.")]
Cash = Annotated[str, typer.Option(help="Dollars at the start.")]
Seed = Annotated[int, typer.Option(help="Decides every random number of market and venue.")]
Limits = Annotated[Path | None, typer.Option(help="Your risk_params.yaml instead of the shipped one.")]
UniverseFile = Annotated[Path | None, typer.Option("--universe", help="CSV of what may be traded, with sectors.")]
Timezone = Annotated[str, typer.Option(help="Of intraday times without a zone, such as America/New_York.")]
StampsAre = Annotated[
    Stamps, typer.Option("--timestamps", help="Whether intraday bars are labelled by their start or end.")
]
Sort = Annotated[bool, typer.Option("--sort", help="Sort unsorted rows instead of refusing them.")]
Spread = Annotated[str, typer.Option("--spread-bps", help="Quoted spread in basis points.")]
Out = Annotated[
    Path | None, typer.Option(help="Directory for journal and report.", show_default="runs/backtest-NUMBER")
]


def backtest(
    strategy: StrategyName,
    prices: Prices = _BUNDLED,
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
    spread: Spread = "4",
    sizers: Sizers = [],  # noqa: B006 - read only
    policy: Policy = [],  # noqa: B006 - read only
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Trade prices of the past with a strategy, on the same road as live.

    Example: [bold]qts backtest my_strategy.py --prices prices.csv --cash 50000[/bold]
    """
    from quant_trading_system.app.backtesting import report_path, write_report
    from quant_trading_system.app.bootstrap import Costs, Setup, simulated_account
    from quant_trading_system.app.latest_run import remember_run
    from quant_trading_system.app.strategy_loading import load_strategy
    from quant_trading_system.config.loader import load_limits

    chosen = load_strategy(strategy)
    history, may_trade, source = _prices(prices, symbols, stamps=stamps, timezone=timezone, sort=sort)
    history, first_bar = _span(history, first, last)
    sizer, worked = chosen_sizing(sizers, policy)
    directory = _directory(out)
    setup = Setup(
        strategies=(chosen,),
        cash=_dollars(cash, "--cash"),
        seed=seed,
        limits=load_limits(limits) if limits else None,
        universe=_universe(universe) or may_trade,
        sizer=sizer,
        own_weights=sizer is None,
        policy=worked,
        costs=Costs(spread_bps=_dollars(spread, "--spread-bps")),
        directory=directory,
        first_bar=first_bar,
        data=source,
    )
    account = simulated_account(history, setup)
    result = _run(account, quiet=as_json)
    write_report(result, report_path(directory), title=f"Backtest: {chosen.name}")
    remember_run(directory)
    if as_json:
        print_json(_data(result))
        return
    show_result(result)
    screen().print(f"report   {directory}/report.html\njournal  {directory}/journal.db", markup=False)


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
        out.print(f"[dim]{stats.benchmark.name}: {_percent(stats.benchmark.total_return)}[/dim]")
    for stop in result.stopped:
        out.print(f"[bold red]strategy {stop.strategy} was stopped on {stop.at:%Y-%m-%d}[/bold red]")
        out.print(f"  {stop.error}", markup=False)
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
            if bar is not None and task is not None and progress.is_day_end:
                bar.update(task, completed=progress.done)

        return asyncio.run(run_account(account, watch))


def _prices(
    place: str, symbols: str, *, stamps: Stamps, timezone: str, sort: bool
) -> tuple[PriceHistory, Universe | None, str]:
    wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    if place == _BUNDLED:
        from quant_trading_system.market.bundled import SP500_SOURCE, load_sp500
        from quant_trading_system.market.universes import sp500_20

        return load_sp500(symbols=wanted or None), sp500_20(), SP500_SOURCE
    from quant_trading_system.market.loading import load_prices

    ends: Literal["start", "end"] = "end" if stamps is Stamps.END else "start"
    load = partial(load_prices, Path(place), timestamps=ends, timezone=timezone or None, sort=sort)
    try:
        history = load()
        if len(wanted) == len(history.symbols) == 1 and wanted != list(history.symbols):
            history = load(symbol=wanted[0])
    except MarketDataError as error:
        raise MarketDataError(_in_words_of_the_command(str(error))) from None
    return (history.select(wanted) if wanted else history), None, Path(place).name


def _in_words_of_the_command(message: str) -> str:
    """The library speaks of its arguments; people at a terminal know options."""
    for argument, option in (("sort=True", "--sort"), ("timezone=", "--timezone "), ("symbol=", "--symbols ")):
        message = message.replace(argument, option)
    return message


def _span(history: PriceHistory, first: datetime | None, last: datetime | None) -> tuple[PriceHistory, int]:
    if first is not None and last is not None and first > last:
        raise ConfigurationError(f"--from {first.date()} is after --to {last.date()}; swap them")
    if last is not None:
        begin, end = history.dates[0].item(), history.dates[-1].item()
        if last.date() < begin:
            raise ConfigurationError(f"--to {last.date()}: the prices cover {begin} to {end}; choose a day in between")
        history = history.between(date.min, last.date())
    return history, history.index_of(first.date()) if first is not None else 0


def _universe(path: Path | None) -> Universe | None:
    if path is None:
        return None
    from quant_trading_system.market.universes import load_universe

    return load_universe(path)


def _dollars(text: str, option: str) -> Decimal:
    try:
        value = exact(text)
    except ValueError as error:
        raise ConfigurationError(f"{option}: {error}") from None
    if value <= 0:
        raise ConfigurationError(f"{option}: {value} must be above zero")
    return value


def _directory(chosen: Path | None) -> Path:
    """A directory that holds no run yet."""
    if chosen is not None:
        try:
            chosen.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_empty = not any(chosen.iterdir())
        except OSError as error:
            why = "is a file" if chosen.is_file() else f"cannot be made or read ({error.strerror or error})"
            raise ConfigurationError(f"--out {chosen} {why}; name a directory for the run") from error
        if not is_empty:
            raise ConfigurationError(f"{chosen} is not empty; a run needs a directory of its own")
        return chosen
    number = 1
    while (path := Path("runs") / f"backtest-{number}").exists():
        number += 1
    return path


def _data(result: BacktestResult) -> dict[str, object]:
    return {
        "halts": [halt for halt in result.record.halts if halt.level],
        "stopped_strategies": result.stopped,
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
