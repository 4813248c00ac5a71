"""`qts status`: may orders leave, and what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.readiness import why_not
from quant_trading_system.cli.screen import AsJson, print_json, screen
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.risk.halt_state import Halt, LatchState
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import FileLatch

Latch = Annotated[
    Path | None,
    typer.Option("--latch", help="An existing kill latch file; by default the account's own.", show_default=False),
]


All = Annotated[bool, typer.Option("--all", help="Everything on this machine that shares the state directory.")]


def status(as_json: AsJson = False, latch: Latch = None, everything: All = False) -> None:
    """Show whether orders may leave; exit code 3 while anything of the account, or the machine, is halted.

    Example: [bold]qts status[/bold]
    """
    from quant_trading_system.risk.kill_switch import KillSwitch

    if latch is not None and everything:
        raise ConfigurationError("--latch names one latch, --all means that of the machine; choose one")
    switch = KillSwitch(latch=host_latch() if everything else account_latch(latch))
    state, host = switch.state, _host_state()
    if as_json:
        print_json(_as_data(switch, state, host, latch))
    else:
        _tell(switch, state, latch)
    if state.stops_something or host.level:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(status)


def account_latch(latch: Path | None) -> FileLatch:
    """The latch that was named, or the account's own.

    Raises:
        ConfigurationError: no latch was ever made where it was named, or the account's cannot be kept.
    """
    from quant_trading_system.risk.kill_switch import own_latch
    from quant_trading_system.risk.latch import existing_latch

    return own_latch() if latch is None else existing_latch(latch)


def host_latch() -> FileLatch:
    """The latch of the machine.

    Raises:
        ConfigurationError: it cannot be kept.
    """
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.risk.latch import FileLatch

    path = host_latch_path()
    try:
        return FileLatch(path)
    except OSError as error:
        raise ConfigurationError(
            f"the latch of the machine cannot be kept in {path.parent} ({error.strerror or error}); halt the broker's "
            "account at the broker, and set QTS_STATE_DIR to a directory that you may write to"
        ) from error


def tell_host() -> None:
    """Say so when everything on this machine is halted."""
    state = _host_state()
    if state.level:
        screen().print(f"[bold red]everything on this machine is {state.level.name}[/bold red] since {state.at}")
        screen().print(f"  {state.reason}; qts resume --all ends it", markup=False)


def tell_probation(state: LatchState) -> None:
    """Say so while limits are reduced after a reset."""
    if _on_probation(state):
        factor = state.policy.probation_factor
        screen().print(f"limits on size are reduced to {factor:%} until {state.probation_until}", markup=False)


def _tell(switch: KillSwitch, state: LatchState, latch: Path | None) -> None:
    if state.level:
        _tell_halt(switch, state.halt_of())
    else:
        screen().print("[green]running[/green]: the kill switch is not active")
    for halt in state.stopped_scopes:
        _tell_halt(switch, halt)
    tell_probation(state)
    tell_host()
    for line in _breaks(latch):
        screen().print(f"differs from the broker: {line}", markup=False)
    for line in _exits(latch):
        screen().print(f"exits not in order: {line}", markup=False)
    for line in why_not(latch):
        screen().print(f"cannot trade: {line}", markup=False)


def _tell_halt(switch: KillSwitch, halt: Halt) -> None:
    where = "" if halt.scope.is_account else f" {halt.scope}"
    screen().print(f"[bold red]{halt.level.name}[/bold red]{where} since {halt.at or 'unknown'} by {halt.by}")
    screen().print(f"  {halt.reason}", markup=False)
    standing = switch.standing(halt.scope)
    if standing.needed > 1:
        screen().print(f"  to resume: {standing.missing}", markup=False)


def _as_data(switch: KillSwitch, state: LatchState, host: LatchState, latch: Path | None) -> dict[str, object]:
    account = {"level": state.level.name.lower(), **_words(switch, state.halt_of())}
    return {
        **account,
        "scopes": [
            {"scope": str(halt.scope), "level": halt.level.name.lower(), **_words(switch, halt)}
            for halt in state.stopped_scopes
        ],
        "probation_until": state.probation_until if _on_probation(state) else "",
        "host_level": host.level.name.lower(),
        "host_reason": host.reason,
        "breaks": _breaks(latch),
        "exits": _exits(latch),
        "why_not": why_not(latch),
    }


def _words(switch: KillSwitch, halt: Halt) -> dict[str, object]:
    standing = switch.standing(halt.scope)
    names = ("reason", "by", "at", "activation", "numbers")
    return {
        **{name: getattr(halt, name) for name in names},
        "approvals": [approval.by for approval in standing.approvals],
        "missing": standing.missing if halt.level else "",
    }


def _on_probation(state: LatchState) -> bool:
    from quant_trading_system.core.clock import SystemClock

    return state.on_probation(SystemClock().now())


def _host_state() -> LatchState:
    """Of the machine; running where it was never halted and no engine has run."""
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.risk.latch import look_at

    return look_at(host_latch_path())


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
