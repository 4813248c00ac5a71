"""`qts report tca`: what parent orders cost, against what, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Far, Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, print_json, reading, screen, table
from quant_trading_system.core.exceptions import ConfigurationError
from quant_trading_system.core.numbers import plain, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quant_trading_system.app.readings.execution_quality import ExecutionQuality
    from quant_trading_system.execution.tca_groups import GroupCosts
    from quant_trading_system.execution.tca_report import ParentCosts, TcaReport

Html = Annotated[Path | None, typer.Option("--html", help="Write a page with plots to this file.", show_default=False)]


Prices = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        help="CSV or Parquet of those days, a file or a directory: benchmarks open, close and VWAP.",
        show_default=False,
    ),
]


def tca(html: Html = None, prices: Prices = None, as_json: AsJson = False, *, record: Record) -> None:
    """Show what the parent orders of a run cost: implementation shortfall and its causes, expected and realised.

    Example: [bold]qts report tca --html costs.html[/bold]
    """
    import msgspec

    if record.far.api:
        if prices is not None:
            raise ConfigurationError("--prices goes with a journal of this machine; leave out --api")
        report, quality = _far(record.far)
    else:
        report, quality = _near(record.journal, prices)
    if html is not None:
        from quant_trading_system.research.tca_page import write_tca

        write_tca(html, report, title="Transaction costs", quality=quality.rows())
    if as_json:
        print_json({**msgspec.structs.asdict(report), "quality": quality})
        return
    _show(report)
    words = ", ".join(f"{name} {value}" for name, value in quality.rows()[1:])
    screen().print(f"orders of the run: {words}", markup=False)
    if html is not None:
        screen().print(f"written to {html}", markup=False)


def _near(journal: Path | None, prices: Path | None) -> tuple[TcaReport, ExecutionQuality]:
    """Costs of parent orders and quality of execution, from a journal of this machine."""
    from quant_trading_system.app.readings.execution_quality import execution_quality
    from quant_trading_system.execution.tca_report import tca_report
    from quant_trading_system.market.loading import load_prices

    bars = None if prices is None else load_prices(prices)
    with reading(journal) as reader:
        return tca_report(reader, bars), execution_quality(reader)


def _far(far: Far) -> tuple[TcaReport, ExecutionQuality]:
    """The same of the newest parent orders and of the run, as a console tells it."""
    from quant_trading_system.app.readings.algorithms import Costs

    found: Costs = far.read("/v1/tca", Costs)
    return found, found.quality


def add_to(app: typer.Typer) -> None:
    """Register the command group."""
    group = typer.Typer(
        no_args_is_help=True, help="Reports read from the journal of a run. Example: [bold]qts report tca[/bold]"
    )
    group.command()(grouped(tca))
    group.callback()(_report)
    app.add_typer(group, name="report")


def _report() -> None:
    """Reports read from the journal of a run.

    Example: [bold]qts report tca --json[/bold]
    """


def _show(report: TcaReport) -> None:
    out = screen()
    if not report.parents:
        out.print("no parent order in this journal; every order was sent whole")
        return
    out.print(_parents(report.parents))
    out.print(_benchmarks(report.parents))
    if report.total is not None:
        total = report.total
        out.print(
            f"all that have ended: {usd(total.total)}, {total.total_bps:.2f} bp of {usd(total.value)}; "
            f"{total.quantity_rate * 100:.1f} % filled",
            markup=False,
        )
        out.print(_groups(report.by_algorithm))


def _parents(parents: Sequence[ParentCosts]) -> object:
    numbers = ("filled", "average", "arrival bp", "expected bp", "delay", "spread", "timing", "missed", "fees", "bp")
    shown = table("parent", "what", "status", *numbers, right=numbers)
    for parent in parents:
        cut, arrival = parent.shortfall, parent.against.get("arrival")
        shown.add_row(
            parent.parent_id,
            f"{parent.algorithm} {parent.side} {plain(parent.quantity)} {parent.symbol}",
            parent.status,
            plain(parent.filled),
            "" if parent.average is None else f"{parent.average:.4f}",
            "" if arrival is None else f"{arrival:.2f}",
            "" if parent.expected_bps is None else f"{parent.expected_bps}",
            *(("",) * 6 if cut is None else (
                f"{cut.delay:.2f}", f"{cut.spread:.2f}", f"{cut.timing + cut.impact:.2f}", f"{cut.opportunity:.2f}",
                f"{cut.fees:.2f}", f"{cut.total_bps:.2f}",
            )),
        )  # fmt: skip
    return shown


def _benchmarks(parents: Sequence[ParentCosts]) -> object:
    """Basis points by which the average fill was worse than each benchmark that is known for any of them."""
    from quant_trading_system.execution.tca_report import known_benchmarks

    names = known_benchmarks(parents)
    shown = table("worse than, bp", *names, right=names)
    for parent in parents:
        values = [parent.against.get(name) for name in names]
        shown.add_row(parent.parent_id, *("" if value is None else f"{value:.2f}" for value in values))
    return shown


def _groups(groups: Sequence[GroupCosts]) -> object:
    numbers = ("parents", "filled", "cost", "bp", "expected bp", "realised bp")
    shown = table("algorithm", *numbers, right=numbers)
    for group in groups:
        shown.add_row(
            group.name,
            str(group.parents),
            f"{group.quantity_rate * 100:.1f} %",
            usd(group.total),
            f"{group.total_bps:.2f}",
            "" if group.expected_bps is None else f"{group.expected_bps:.2f}",
            "" if group.realised_bps is None else f"{group.realised_bps:.2f}",
        )
    return shown
