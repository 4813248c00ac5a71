"""`qts algo start`, `pause`, `resume`, `speed-up`, `reduce` and `cancel`: parent orders of a running engine."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer

from quant_trading_system.cli.engine_calls import Line, Why, Yes, confirm, send
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.ticket_commands import ReduceOnly, Side, Symbol
from quant_trading_system.core.exceptions import ConfigurationError

Parent = Annotated[str, typer.Argument(metavar="PARENT", help="Id of the parent order; `qts algo status` lists them.")]


def start(
    symbol: Symbol,
    side: Side,
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="Shares.")],
    use: Annotated[
        str, typer.Option(help="auto, twap, vwap, pov, shortfall, adaptive, iceberg, peg, opening_ or closing_auction.")
    ] = "auto",
    limit: Annotated[str, typer.Option("--limit", help="Worst price, dollars a share.", show_default=False)] = "",
    minutes: Annotated[int | None, typer.Option(help="Take no longer.", min=1, show_default=False)] = None,
    participation: Annotated[
        str, typer.Option(help="Own shares per share of others, at most.", show_default=False)
    ] = "",
    display: Annotated[str, typer.Option(help="Of iceberg and peg: shares shown at once.", show_default=False)] = "",
    reduce_only: ReduceOnly = False,
    yes: Yes = False,
    *,
    line: Line,
) -> None:
    """Trade a quantity by an execution algorithm; the gate judges all of it first. `qts algo plan` shows the ways.

    Example: [bold]qts algo start KO buy 5000 --use vwap --limit 61.00[/bold]
    """
    from quant_trading_system.app.ticket_text import number
    from quant_trading_system.core.commands import StartParent

    command = StartParent(
        symbol=symbol.strip().upper(),
        side=side,
        quantity=_needed(quantity, "QTY"),
        algorithm=use,
        limit_price=number(limit, "--limit"),
        minutes=minutes,
        participation=number(participation, "--participation"),
        display=number(display, "--display"),
        reduce_only=reduce_only,
    )
    confirm(f"{side.value} {quantity} {command.symbol} by {use}?", yes=yes)
    send(command, line)


def pause(
    parent: Parent,
    reason: Why = "",
    *,
    line: Line,
) -> None:
    """Send no more slices and cancel the one that is out; it stays paused over restarts. Exit code 3 while one is out.

    Example: [bold]qts algo pause 3f2a91c07b1e-12 --reason "news"[/bold]
    """
    from quant_trading_system.core.commands import PauseParent

    command = PauseParent(parent_id=parent, reason=reason)
    send(command, line)


def resume(
    parent: Parent,
    *,
    line: Line,
) -> None:
    """Let a paused parent order go on; what it missed is spread over the time that is left.

    Example: [bold]qts algo resume 3f2a91c07b1e-12[/bold]
    """
    from quant_trading_system.core.commands import ResumeParent

    send(ResumeParent(parent_id=parent), line)


def speed_up(
    parent: Parent,
    factor: Annotated[str, typer.Argument(metavar="FACTOR", help="So many times as fast, above 1.")],
    *,
    line: Line,
) -> None:
    """Trade faster from now on; price limit and participation stay.

    Example: [bold]qts algo speed-up 3f2a91c07b1e-12 2[/bold]
    """
    from quant_trading_system.core.commands import SpeedUpParent

    command = SpeedUpParent(parent_id=parent, factor=_needed(factor, "FACTOR"))
    send(command, line)


def reduce(
    parent: Parent,
    quantity: Annotated[str, typer.Argument(metavar="QTY", help="Shares wanted in all, filled ones included.")],
    *,
    line: Line,
) -> None:
    """Want less of a parent order; what has filled beyond it stays.

    Example: [bold]qts algo reduce 3f2a91c07b1e-12 2000[/bold]
    """
    from quant_trading_system.core.commands import ReduceParent

    command = ReduceParent(parent_id=parent, quantity=_needed(quantity, "QTY"))
    send(command, line)


def cancel(
    parent: Parent,
    reason: Why = "",
    *,
    line: Line,
) -> None:
    """Stop a parent order for good; what has filled stays. Exit code 3 while a slice is out.

    Example: [bold]qts algo cancel 3f2a91c07b1e-12[/bold]
    """
    from quant_trading_system.core.commands import CancelParent

    command = CancelParent(parent_id=parent, reason=reason)
    send(command, line)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (start, pause, resume, reduce, cancel):
        app.command()(grouped(command))
    app.command("speed-up")(grouped(speed_up))


def _needed(text: str, what: str) -> Decimal:
    from quant_trading_system.app.ticket_text import number

    found = number(text, what)
    if found is None:
        raise ConfigurationError(f"{what} is empty")
    return found
