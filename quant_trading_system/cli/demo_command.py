"""`qts demo`: twenty real stocks through the whole road, in front of your eyes."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import print_json, screen
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.numbers import usd

if TYPE_CHECKING:
    from quant_trading_system.app.backtesting import BacktestResult
    from quant_trading_system.app.bootstrap import SimulatedAccount
    from quant_trading_system.app.demo import Operator
    from quant_trading_system.research.backtest import Progress

_OWN = ("journal.db", "kill_latch.json", "report.html")
"""What the names of our files begin with."""


def demo(
    crash: Annotated[
        bool, typer.Option("--crash", help="2008 instead of 2021 and 2022: watch the drawdown limit halt the account.")
    ] = False,
    seed: Annotated[
        int, typer.Option("--seed", help="Decides every random number; the same seed gives the same journal.")
    ] = 7,
    headless: Annotated[bool, typer.Option("--headless", help="No live view; a line a quarter.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object in the last line.")
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", help="Directory for journal and report; an earlier demo in it is replaced.")
    ] = Path("runs/demo"),
    pace: Annotated[
        int, typer.Option("--pace", help="Milliseconds to rest after each day of the live view.", min=0)
    ] = 15,
) -> None:
    """Trade twenty real S&P 500 stocks with 100 000 dollars through the whole road.

    A momentum strategy trades two years; a planted rogue shows the gate refusing. Needs no keys and no internet.

    Example: [bold]qts demo --crash[/bold]
    """
    from quant_trading_system.app.demo import Operator, demo_account
    from quant_trading_system.app.latest_run import remember_run

    live = sys.stdout.isatty() and not headless and not as_json
    _clear(out)
    account = demo_account(seed=seed, crash=crash, directory=out)
    operator = Operator(account)
    title = "2008 and 2009, real prices" if crash else "2021 and 2022, real prices"
    result = _run_live(account, operator, title, pace) if live else _run_quietly(account, operator, quiet=as_json)
    report = _write_report(result, out, title)
    remember_run(out)
    if not as_json:
        _summary(result, operator, report)
    if as_json:
        print_json(_figures(result), numbers=True)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(demo)


def _clear(directory: Path) -> None:
    """Remove an earlier demo, and nothing that is not ours."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise JournalUnavailable(f"--out {directory} is a file; name a directory for the demo")
    strangers = [entry.name for entry in directory.iterdir() if not entry.name.startswith(_OWN)]
    if strangers:
        raise JournalUnavailable(
            f"{directory} holds files that no demo made ({', '.join(sorted(strangers)[:3])}); "
            f"choose another directory with --out"
        )
    shutil.rmtree(directory)


def _run_live(account: SimulatedAccount, operator: Operator, title: str, pace: int) -> BacktestResult:
    from quant_trading_system.app.backtesting import run_account
    from quant_trading_system.cli.live_view import LiveView
    from quant_trading_system.core.clock import SystemClock

    clock, rest = SystemClock(), timedelta(milliseconds=pace)
    with LiveView(screen(), account, title) as view:

        def watch(progress: Progress) -> Awaitable[None] | None:
            operator.watch(progress)
            view.watch(progress)
            return clock.sleep(rest) if progress.is_day_end and pace else None

        return asyncio.run(run_account(account, watch))


def _run_quietly(account: SimulatedAccount, operator: Operator, *, quiet: bool) -> BacktestResult:
    from quant_trading_system.app.backtesting import run_account

    quarter = ""

    def watch(progress: Progress) -> None:
        nonlocal quarter
        operator.watch(progress)
        now = f"{progress.at.year} Q{(progress.at.month + 2) // 3}"
        if progress.is_day_end and now != quarter:
            quarter = now
            if not quiet:
                equity = account.system.portfolio.equity
                screen().print(f"{now}  equity {usd(equity)}  {progress.done:.0%} of the prices")

    return asyncio.run(run_account(account, watch))


def _write_report(result: BacktestResult, out: Path, title: str) -> Path:
    from quant_trading_system.app.backtesting import report_path, write_report

    return write_report(result, report_path(out), title=f"Demo: {title}")


def _summary(result: BacktestResult, operator: Operator, report: Path) -> None:
    from quant_trading_system.cli.backtest_command import show_result

    out = screen()
    show_result(result)
    if operator.story:
        out.print("\n[bold]what happened to the kill switch[/bold]")
        for line in operator.story:
            out.print(f"  {line}", markup=False)
    out.print(f"report   {report}", markup=False)
    if result.record.journal is not None:
        out.print(f"journal  {result.record.journal.path}", markup=False)
    out.print("[dim]next: qts orders --refused · qts explain ORDER · qts journal verify · qts journal replay[/dim]")


def _figures(result: BacktestResult) -> dict[str, object]:
    quality, stats, seal = result.quality, result.statistics, result.record.journal
    return {
        "orders": quality.orders,
        "fills": len(result.record.fills),
        "rejections": quality.rejections,
        "equity_start": stats.equity_start,
        "equity_end": stats.equity_end,
        "max_drawdown": stats.max_drawdown,
        "fill_rate": quality.fill_rate,
        "slippage": quality.slippage,
        "latency_ms": quality.latency_ms,
        "rejection_rate": quality.rejection_rate,
        "var_95": stats.var_95,
        "position_concentration": result.position_concentration,
        "halts": sum(1 for event in result.record.halts if event.level),
        "journal_entries": result.journal_entries,
        "journal_verified": seal is not None and seal.verified,
        "journal_head": result.journal_head,
        "journal": None if seal is None else seal.path,
    }
