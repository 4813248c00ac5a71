"""`qts overview`: the account on one page, as the console's first page shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quant_trading_system.cli.engine_calls import Record
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, as_it_stands, following, print_json, screen, table
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.numbers import usd

if TYPE_CHECKING:
    from decimal import Decimal

    from quant_trading_system.app.readings.headroom import Headroom
    from quant_trading_system.app.readings.overview import Overview

_MARKS = {True: "[green]●[/green]", False: "[bold red]●[/bold red]", None: "[dim]○[/dim]"}


def overview(as_json: AsJson = False, *, record: Record) -> None:
    """Show equity, today's profit and loss, drawdown, exposure, room left in the limits, health and what is wrong.

    It works while the engine is down.

    Example: [bold]qts overview[/bold]
    """
    from quant_trading_system.app.readings.overview import Overview

    shown = record.far.read("/v1/overview", Overview) if record.far.api else _near(record.journal)
    if as_json:
        print_json(shown)
    else:
        _show(shown)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(grouped(overview))


def _near(journal: Path | None) -> Overview:
    """From the files of this machine."""
    from quant_trading_system.app.readings.engine import EngineWatch
    from quant_trading_system.app.readings.overview import overview as read_overview
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.core.clock import SystemClock

    with following(journal) as follower:
        engine = EngineWatch(follower.directory, host_latch_path()).look(follower)
        return read_overview(follower, engine, SystemClock().now())


def _show(shown: Overview) -> None:
    out, cash, held = screen(), shown.money, shown.holdings
    out.print(shown.engine.says, markup=False)
    halts = (
        (shown.engine.host, "everything on this machine"),
        *((halt, str(halt.scope)) for halt in (shown.engine.halt, *shown.engine.scopes)),
    )
    for halt, what in halts:
        if halt.is_active:
            out.print(f"[bold red]{halt.level.upper()}[/bold red] {as_it_stands(f'{what}: {halt.reason}')}")
    figures = table("figure", "value", "beside", right=("value",))
    figures.add_row("equity", usd(cash.equity), f"peak {usd(cash.peak)}")
    figures.add_row("today", usd(cash.daily_pnl), _percent(cash.daily_fraction))
    figures.add_row("drawdown", _percent(cash.drawdown), f"worst {_percent(cash.worst_drawdown)}")
    figures.add_row("exposure", _percent(held.gross_fraction), f"{len(held.positions)} positions")
    figures.add_row("cash", usd(cash.cash), f"fees {usd(cash.fees)}")
    figures.add_row("orders", f"{shown.run.orders:,}", f"{shown.run.refused:,} refused, {shown.open_orders:,} open")
    figures.show_header = False
    out.print(figures)
    out.print(_limits(shown.headroom))
    for line in shown.health:
        out.print(f"{_MARKS[line.is_well]} {line.name}: ", end="")
        out.print(line.says, markup=False)
    _show_troubles(shown)


def _limits(rows: tuple[Headroom, ...]) -> object:
    shown = table("limit", "used", "of", "share", "about", right=("used", "of", "share"))
    for row in rows:
        shown.add_row(row.label, _number(row, row.used), _number(row, row.limit), f"{row.share:.0%}", row.of)
    return shown


def _number(row: Headroom, value: Decimal) -> str:
    from quant_trading_system.app.decision_record import amount

    if row.is_fraction:
        return _percent(value)
    return usd(value) if row.unit is Unit.USD else amount(value, row.unit)


def _show_troubles(shown: Overview) -> None:
    """What a person should look at; nothing when all is well."""
    troubles = (
        *(f"differs from the broker: {line}" for line in shown.breaks),
        *(f"the fate of order {order_id} is unknown: qts reconcile --now" for order_id in shown.in_doubt),
        *(f"strategy {name} was stopped: {error}" for name, error in shown.stopped.items()),
        *(f"{line.at:%Y-%m-%d %H:%M:%S} {line.weight.value}: {line.what}: {line.detail}" for line in shown.alerts),
    )
    if troubles:
        screen().print("\n[bold]look at[/bold]")
    for line in troubles:
        screen().print(f"  {line}", markup=False)


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f} %"
