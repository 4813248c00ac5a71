"""`qts strategy`: which strategies are listened to, and putting one to silence without stopping the engine."""

from __future__ import annotations

from typing import Annotated

import typer

from quant_trading_system.cli.engine_calls import Line, Record, Why, send
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, print_json, reading, screen, table

Strategy = Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name; `qts strategy list` shows them.")]

strategy = typer.Typer(
    help="List the strategies of an account, disarm one, or arm it again. Example: [bold]qts strategy list[/bold]",
    no_args_is_help=True,
)


@strategy.command("list")
@grouped
def show(as_json: AsJson = False, *, record: Record) -> None:
    """List the strategies of the last run and whether they are listened to. Works without an engine.

    Example: [bold]qts strategy list[/bold]
    """
    from quant_trading_system.app.readings.strategies import ARMED, StrategyReading, strategies

    if record.far.api:
        found = list(record.far.read("/v1/strategies", tuple[StrategyReading, ...]))
    else:
        with reading(record.journal) as reader:
            found = strategies(reader)
    if as_json:
        print_json(found)
        return
    shown = table("strategy", "state", "since (UTC)", "by", "reason")
    for one in found:
        since = "" if one.since is None else f"{one.since:%Y-%m-%d %H:%M:%S}"
        style = None if one.state == ARMED else "yellow"
        shown.add_row(one.strategy, one.state, since, one.by, one.reason, style=style)
    screen().print(shown)


@strategy.command()
@grouped
def arm(
    name_: Strategy,
    reason: Why = "",
    *,
    line: Line,
) -> None:
    """Let a strategy speak again, from the next bar on; also one that has failed.

    Example: [bold]qts strategy arm momentum --reason "data repaired"[/bold]
    """
    from quant_trading_system.core.commands import ArmStrategy

    command = ArmStrategy(strategy=name_, reason=reason)
    send(command, line)


@strategy.command()
@grouped
def disarm(
    name_: Strategy,
    reason: Why = "",
    *,
    line: Line,
) -> None:
    """Listen to a strategy no more, also after a restart, and cancel what it has working, but for its exits.

    Example: [bold]qts strategy disarm momentum --reason "it misbehaves"[/bold]
    """
    from quant_trading_system.core.commands import DisarmStrategy

    command = DisarmStrategy(strategy=name_, reason=reason)
    send(command, line)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(strategy, name="strategy")
