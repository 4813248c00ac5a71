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
    from quant_trading_system.risk.latch import LatchState


class Level(StrEnum):
    """How much to stop."""

    REDUCING = "reducing"
    HALTED = "halted"
    FLATTENING = "flattening"


Latch = Annotated[
    Path | None,
    typer.Option("--latch", help="An existing kill latch file; by default the account's own.", show_default=False),
]


All = Annotated[bool, typer.Option("--all", help="Everything on this machine that shares the state directory.")]


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why; goes on record.")],
    level: Annotated[
        Level, typer.Option("--level", help="reducing: exits only; halted: no order; flattening: close everything.")
    ] = Level.HALTED,
    by: Annotated[str, typer.Option("--by", help="Who halts.", show_default="the user of this terminal")] = "",
    latch: Latch = None,
    everything: All = False,
) -> None:
    """Stop orders now. Works whether or not an engine is running or hanging, and survives every restart.

    Example: [bold]qts halt --reason "investigating an anomaly"[/bold]
    """
    from quant_trading_system.core.events import HaltLevel

    _require_reason(reason)
    switch = _switch(latch, everything)
    switch.activate(reason, level=HaltLevel[level.name], activated_by=by or getpass.getuser())
    state = switch.state
    screen().print(f"[bold red]{state.level.name}[/bold red] since {state.at}, activation {state.activation}")
    screen().print(f"  {state.reason}", markup=False)


def resume(
    authorized_by: Annotated[str, typer.Option("--authorized-by", help="The person who answers for it.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe to go on.")],
    latch: Latch = None,
    everything: All = False,
) -> None:
    """Let orders leave again; needs a name on the list of authorised persons when there is one, and a reason.

    Example: [bold]qts resume --authorized-by admin@company.com --reason "feed repaired"[/bold]
    """
    _require_reason(reason)
    switch = _switch(latch, everything)
    if not switch.is_active():
        screen().print("the kill switch is not active")
        return
    switch.reset(authorized_by, reason)
    if everything:
        screen().print(f"the machine is released by {authorized_by}; accounts that were halted stay so: qts resume")
    else:
        screen().print(f"[green]running[/green], reset by {authorized_by}")
        _tell_host()


def status(as_json: AsJson = False, latch: Latch = None, everything: All = False) -> None:
    """Show whether orders may leave; exit code 3 while the account's kill switch, or that of the machine, is active.

    Example: [bold]qts status[/bold]
    """
    state = _switch(latch, everything).state
    host = _host_state()
    if as_json:
        print_json(
            {
                "level": state.level.name.lower(),
                **{k: getattr(state, k) for k in ("reason", "by", "at", "activation", "numbers")},
                "host_level": host.level.name.lower(),
                "host_reason": host.reason,
                "breaks": _breaks(latch),
                "exits": _exits(latch),
            }
        )
    elif state.level:
        screen().print(f"[bold red]{state.level.name}[/bold red] since {state.at or 'unknown'} by {state.by}")
        screen().print(f"  {state.reason}", markup=False)
    else:
        screen().print("[green]running[/green]: the kill switch is not active")
    if not as_json:
        _tell_host()
        for line in _breaks(latch):
            screen().print(f"differs from the broker: {line}", markup=False)
        for line in _exits(latch):
            screen().print(f"exits not in order: {line}", markup=False)
    if state.level or host.level:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (halt, resume, status):
        app.command()(command)


def _switch(latch: Path | None, everything: bool) -> KillSwitch:
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import FileLatch, existing_latch

    if latch is not None and everything:
        raise ConfigurationError("--latch names one latch, --all means that of the machine; choose one")
    if latch is not None:
        return KillSwitch(latch=existing_latch(latch))
    if not everything:
        return KillSwitch()
    path = host_latch_path()
    try:
        return KillSwitch(latch=FileLatch(path))
    except OSError as error:
        raise ConfigurationError(
            f"the latch of the machine cannot be kept in {path.parent} ({error.strerror or error}); halt the broker's "
            "account at the broker, and set QTS_STATE_DIR to a directory that you may write to"
        ) from error


def _host_state() -> LatchState:
    """Of the machine; running where it was never halted and no engine has run."""
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.risk.latch import look_at

    return look_at(host_latch_path())


def _tell_host() -> None:
    state = _host_state()
    if state.level:
        screen().print(f"[bold red]everything on this machine is {state.level.name}[/bold red] since {state.at}")
        screen().print(f"  {state.reason}; qts resume --all ends it", markup=False)


def _breaks(latch: Path | None) -> list[str]:
    """What the engine's journal beside the latch says differs from the broker's books."""
    from quant_trading_system.app.bootstrap import JOURNAL_FILE
    from quant_trading_system.app.open_breaks import open_breaks
    from quant_trading_system.config.settings import kill_latch_path

    return open_breaks((latch or kill_latch_path()).parent / JOURNAL_FILE)


def _exits(latch: Path | None) -> list[str]:
    """What the same journal says of bracket, OCO and OTO orders whose exits do not protect what was filled."""
    from quant_trading_system.app.bootstrap import JOURNAL_FILE
    from quant_trading_system.app.open_breaks import open_alarms
    from quant_trading_system.config.settings import kill_latch_path

    return open_alarms((latch or kill_latch_path()).parent / JOURNAL_FILE)


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigurationError("--reason is empty; say why in a few words, it goes on record")
