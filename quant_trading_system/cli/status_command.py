"""`qts status`: may orders leave, and what stands in the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Far
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, as_it_stands, print_json, screen
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from decimal import Decimal

    from quant_trading_system.app.status import AccountStatus, HaltStatus
    from quant_trading_system.risk.halt_state import LatchState
    from quant_trading_system.risk.latch import FileLatch

Latch = Annotated[
    Path | None,
    typer.Option("--latch", help="An existing kill latch file; by default the account's own.", show_default=False),
]


All = Annotated[bool, typer.Option("--all", help="Everything on this machine that shares the state directory.")]


def status(as_json: AsJson = False, latch: Latch = None, everything: All = False, *, far: Far) -> None:
    """Show whether orders may leave; exit code 3 while anything of the account, or the machine, is halted.

    Example: [bold]qts status[/bold]
    """
    if latch is not None and everything:
        raise ConfigurationError("--latch names one latch, --all means that of the machine; choose one")
    require_near(far, latch)
    found = _far_status(far) if far.api else _status(latch, everything)
    if as_json:
        print_json(found)
    else:
        _tell(found)
    if found.stops_something:
        raise typer.Exit(3)


def require_near(far: Far, latch: Path | None) -> None:
    """Refuse a latch file together with a console elsewhere.

    Raises:
        ConfigurationError: both were given.
    """
    if far.api and latch is not None:
        raise ConfigurationError("--latch names a file of this machine, and --api another one; choose one")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(grouped(status))


def account_latch(latch: Path | None) -> FileLatch:
    """The latch that was named, or the account's own.

    Raises:
        ConfigurationError: no latch was ever made where it was named, or the account's cannot be kept.
    """
    from quant_trading_system.risk.latch import existing_latch, own_latch

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


def tell_halt(halt: HaltStatus) -> None:
    """One halt that is active, and what a resume still takes."""
    where = "" if halt.scope == "the account" else f" {as_it_stands(halt.scope)}"
    screen().print(
        f"[bold red]{halt.level.upper()}[/bold red]{where} since {halt.at or 'unknown'} by {as_it_stands(halt.by)}"
    )
    screen().print(f"  {halt.reason}", markup=False)
    if halt.persons > 1:
        screen().print(f"  to resume: {halt.missing}", markup=False)


def tell_host(level: str, reason: str, at: str) -> None:
    """Say so when everything on the machine is halted."""
    if level != "running":
        screen().print(f"[bold red]everything on this machine is {level.upper()}[/bold red] since {at}")
        screen().print(f"  {reason}; qts resume --all ends it", markup=False)


def tell_probation(until: str, factor: Decimal) -> None:
    """Say so while limits are reduced after a reset."""
    if until:
        screen().print(f"limits on size are reduced to {factor:%} until {until}", markup=False)


def _tell(found: AccountStatus) -> None:
    if found.is_active:
        tell_halt(found)
    else:
        screen().print("[green]running[/green]: the kill switch is not active")
    for halt in found.scopes:
        tell_halt(halt)
    tell_probation(found.probation_until, found.probation_factor)
    tell_host(found.host_level, found.host_reason, found.host_at)
    for name, lines in (
        ("differs from the broker", found.breaks),
        ("exits not in order", found.exits),
        ("cannot trade", found.why_not),
    ):
        for line in lines:
            screen().print(f"{name}: {line}", markup=False)


def _status(latch: Path | None, everything: bool) -> AccountStatus:
    """Of this machine, from the files."""
    from quant_trading_system.app.status import account_status
    from quant_trading_system.cli.readiness import ready_now
    from quant_trading_system.config.settings import kill_latch_path
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.risk.kill_switch import KillSwitch

    directory = (latch or kill_latch_path()).parent
    state = KillSwitch(latch=host_latch() if everything else account_latch(latch)).state
    return account_status(directory, state, host_state(), ready_now(directory), SystemClock().now())


def _far_status(far: Far) -> AccountStatus:
    from quant_trading_system.app.status import AccountStatus

    found: AccountStatus = far.read("/v1/status", AccountStatus)
    return found


def host_state() -> LatchState:
    """Of the machine; running where it was never halted and no engine has run."""
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.risk.latch import look_at

    return look_at(host_latch_path())
