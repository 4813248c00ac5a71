"""`qts demo`: twenty real stocks through the whole road, in front of your eyes."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from quant_trading_system.cli.screen import print_json, screen
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.numbers import usd

if TYPE_CHECKING:
    from quant_trading_system.app.backtesting import BacktestResult
    from quant_trading_system.app.bootstrap import ReplayAccount
    from quant_trading_system.app.demo import DemoPlan, Operator
    from quant_trading_system.cli.console_process import ConsoleProcess
    from quant_trading_system.research.backtest import Progress, Watcher

_OWN = ("journal.db", "kill_latch.json", "report.html")
"""What the names of our files begin with."""


def demo(
    crash: Annotated[
        bool, typer.Option("--crash", help="2008 instead of 2021 and 2022: watch the drawdown limit halt the account.")
    ] = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="A venue in this process instead of HTTP and WebSocket: same trades.")
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
    console: Annotated[
        bool | None,
        typer.Option(
            "--console/--no-console",
            help="Show the run in the browser while it goes on, until Ctrl-C.",
            show_default="--console in a terminal",
        ),
    ] = None,
    pace: Annotated[
        int, typer.Option("--pace", help="Milliseconds to rest after each day of the live view.", min=0)
    ] = 15,
) -> None:
    """Trade twenty real S&P 500 stocks with 100 000 dollars through the whole road.

    A venue that speaks Alpaca's interfaces runs in a process of its own; the account of `qts trade` trades on it over
    HTTP and WebSocket. A momentum strategy trades two years; a planted rogue shows the gate refusing. Needs no keys
    and no internet.

    Example: [bold]qts demo --crash[/bold]
    """
    from quant_trading_system.app.demo import DemoPlan
    from quant_trading_system.app.latest_run import remember_run

    live = sys.stdout.isatty() and not headless and not as_json
    _clear(out)
    plan = DemoPlan(seed, crash=crash)
    way = "in process" if in_process else "over HTTP and WebSocket"
    audience = _Audience(f"{plan.title}, {way}", pace) if live else _QuietAudience(quiet=as_json)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    remember_run(out)
    with _console_process(live if console is None else console) as shown:
        with audience:
            result = asyncio.run(_trade(plan, out, audience, in_process=in_process))
        report = _write_report(result, out, plan.title)
        if as_json:
            print_json(_figures(result), numbers=True)
        else:
            _summary(result, audience.story, report)
        if shown is not None:
            shown.stay()


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


@contextmanager
def _console_process(wanted: bool) -> Iterator[ConsoleProcess | None]:
    """The console beside the run, if it is wanted."""
    if not wanted:
        yield None
        return
    from quant_trading_system.cli.console_process import ConsoleProcess

    with ConsoleProcess() as process:
        yield process


async def _trade(plan: DemoPlan, out: Path, audience: _Audience, *, in_process: bool) -> BacktestResult:
    from quant_trading_system.app.backtesting import run_account
    from quant_trading_system.app.demo import demo_account
    from quant_trading_system.app.wire_demo import demo_over_wire

    if in_process:
        account = demo_account(plan, out)
        return await run_account(account, audience.begin(account))
    return await demo_over_wire(plan, out, audience.begin)


class _Audience:
    """Whoever looks on: the people of the demonstration, who act on what they see, and a live view."""

    def __init__(self, title: str, pace: int) -> None:
        self._title = title
        self._rest = timedelta(milliseconds=pace)
        self._stack = ExitStack()
        self._operator: Operator | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def story(self) -> list[str]:
        """What happened to the kill switch."""
        return self._operator.story if self._operator is not None else []

    def begin(self, account: ReplayAccount) -> Watcher:
        """Show the account; the answer is called after every step of the market."""
        from quant_trading_system.app.demo import Operator

        self._operator = operator = Operator(account)
        show = self._shown(account)

        def watch(progress: Progress) -> Awaitable[None] | None:
            operator.watch(progress)
            return show(progress)

        return watch

    def _shown(self, account: ReplayAccount) -> Watcher:
        from quant_trading_system.cli.live_view import LiveView
        from quant_trading_system.core.clock import SystemClock

        clock, view = SystemClock(), self._stack.enter_context(LiveView(screen(), account, self._title))

        def watch(progress: Progress) -> Awaitable[None] | None:
            view.watch(progress)
            return clock.sleep(self._rest) if progress.is_day_end and self._rest else None

        return watch


class _QuietAudience(_Audience):
    """The same people without a live view: a line a quarter, or none."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__("", 0)
        self._quiet = quiet

    def _shown(self, account: ReplayAccount) -> Watcher:
        quarter = ""

        def watch(progress: Progress) -> None:
            nonlocal quarter
            now = f"{progress.at.year} Q{(progress.at.month + 2) // 3}"
            if progress.is_day_end and now != quarter:
                quarter = now
                if not self._quiet:
                    equity = account.system.portfolio.equity
                    screen().print(f"{now}  equity {usd(equity)}  {progress.done:.0%} of the prices")

        return watch


def _write_report(result: BacktestResult, out: Path, title: str) -> Path:
    from quant_trading_system.app.backtesting import report_path, write_report

    return write_report(result, report_path(out), title=f"Demo: {title}")


def _summary(result: BacktestResult, story: list[str], report: Path) -> None:
    from quant_trading_system.cli.backtest_command import show_result

    out = screen()
    show_result(result)
    if story:
        out.print("\n[bold]what happened to the kill switch[/bold]")
        for line in story:
            out.print(f"  {line}", markup=False)
    out.print(f"report   {report}", markup=False)
    if result.record.journal is not None:
        out.print(f"journal  {result.record.journal.path}", markup=False)
    for line in _next_steps(result):
        out.print(line, markup=False, style="dim")


def _next_steps(result: BacktestResult) -> Iterator[str]:
    """What to type next, with the name of an order that was refused."""
    refused = [order_id for order_id, decision in result.decisions.items() if decision.refused_by is not None]
    if refused:
        yield f"why an order was refused, the whole decision: qts explain {refused[-1]}"
    yield "every refused order with its reason: qts orders --refused"
    yield "all of it in the browser: qts console"
    yield "whether the record is whole and adds up: qts journal verify, qts journal replay"


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
