"""`qts halt`, `qts resume` and `qts status`: the account's kill switch, from any process."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import AsJson, print_json, screen
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.risk.kill_switch import KillSwitch


class Level(StrEnum):
    """How much to stop."""

    REDUCING = "reducing"
    HALTED = "halted"
    FLATTENING = "flattening"


Latch = Annotated[
    Path | None,
    typer.Option("--latch", help="An existing kill latch file; by default the account's own.", show_default=False),
]


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why; goes on record.")],
    level: Annotated[
        Level, typer.Option("--level", help="reducing: exits only; halted: no order; flattening: close everything.")
    ] = Level.HALTED,
    by: Annotated[str, typer.Option("--by", help="Who halts.", show_default="the user of this terminal")] = "",
    latch: Latch = None,
) -> None:
    """Stop orders now. Works whether or not an engine is running or hanging, and survives every restart.

    Example: [bold]qts halt --reason "investigating an anomaly"[/bold]
    """
    from quant_trading_system.core.events import HaltLevel

    _require_reason(reason)
    switch = _switch(latch)
    switch.activate(reason, level=HaltLevel[level.name], activated_by=by or getpass.getuser())
    state = switch.state
    screen().print(f"[bold red]{state.level.name}[/bold red] since {state.at}, activation {state.activation}")
    screen().print(f"  {state.reason}", markup=False)


def resume(
    authorized_by: Annotated[str, typer.Option("--authorized-by", help="The person who answers for it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe to go on.")],
    latch: Latch = None,
) -> None:
    """Let orders leave again; needs a name on the list of authorised persons when there is one, and a reason.

    Example: [bold]qts resume --authorized-by admin@company.com --reason "feed repaired"[/bold]
    """
    _require_reason(reason)
    switch = _switch(latch)
    if not switch.is_active():
        screen().print("the kill switch is not active")
        return
    switch.reset(authorized_by, reason)
    screen().print(f"[green]running[/green], reset by {authorized_by}")


def status(as_json: AsJson = False, latch: Latch = None) -> None:
    """Show whether orders may leave; exit code 3 while the kill switch is active.

    Example: [bold]qts status[/bold]
    """
    state = _switch(latch).state
    if as_json:
        print_json(
            {
                "level": state.level.name.lower(),
                **{k: getattr(state, k) for k in ("reason", "by", "at", "activation", "numbers")},
            }
        )
    elif state.level:
        screen().print(f"[bold red]{state.level.name}[/bold red] since {state.at or 'unknown'} by {state.by}")
        screen().print(f"  {state.reason}", markup=False)
    else:
        screen().print("[green]running[/green]: the kill switch is not active")
    if state.level:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (halt, resume, status):
        app.command()(command)


def _switch(latch: Path | None) -> KillSwitch:
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import existing_latch

    return KillSwitch(latch=None if latch is None else existing_latch(latch))


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigurationError("--reason is empty; say why in a few words, it goes on record")
