"""`qts flatten`: close positions under the kill switch, and wait until the broker shows flat."""

from __future__ import annotations

import asyncio
import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.halt_commands import require_reason
from quant_trading_system.cli.scope_options import SideOption, StrategyOption, SymbolOption, scope_from
from quant_trading_system.cli.screen import AsJson, print_json, screen
from quant_trading_system.cli.status_command import Latch, account_latch

if TYPE_CHECKING:
    from quant_trading_system.app.flattening import Follower

_LOOK = timedelta(seconds=1)


def flatten(
    reason: Annotated[str, typer.Option("--reason", help="Why; goes on record.")],
    by: Annotated[str, typer.Option("--by", help="Who answers for it.", show_default="the user of this terminal")] = "",
    symbol: SymbolOption = "",
    strategy: StrategyOption = "",
    side: SideOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask once more.")] = False,
    wait: Annotated[int, typer.Option("--wait", help="Seconds to wait until all is flat; 0 to wait not at all.")] = 300,
    latch: Latch = None,
    as_json: AsJson = False,
) -> None:
    """Halt, cancel what rests, and close every position, or those of a symbol, a strategy or a side.

    An engine closes them by limit orders in slices; the halt stays until somebody lifts it with `qts resume`. Exit
    code 3 when not all is flat in time.

    Example: [bold]qts flatten --symbol KO --reason "bad news"[/bold]
    """
    from quant_trading_system.app.flattening import Follower
    from quant_trading_system.core.events import HaltLevel
    from quant_trading_system.risk.kill_switch import KillSwitch

    require_reason(reason)
    scope = scope_from(symbol, strategy, side)
    if not yes:
        typer.confirm(f"close all positions of {scope}?", abort=True)
    kept = account_latch(latch)
    switch = KillSwitch(latch=kept)
    switch.activate(reason, level=HaltLevel.FLATTENING, activated_by=by or getpass.getuser(), scope=scope)
    halt = switch.state.halt_of(scope)
    if not as_json:
        screen().print(f"[bold red]FLATTENING[/bold red] {scope}, activation {halt.activation}")
    follower = Follower(kept.path.parent, scope, halt.activation)
    asyncio.run(_follow(follower, wait, quiet=as_json))
    if as_json:
        print_json({"scope": str(scope), "activation": halt.activation, "progress": follower.progress})
    if wait and follower.progress.flat_s is None:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(flatten)


async def _follow(follower: Follower, patience: int, *, quiet: bool) -> None:
    """Tell what the engine does until all is flat, nobody acts, or patience ends."""
    from quant_trading_system.core.clock import SystemClock

    clock = SystemClock()
    deadline = clock.monotonic() + patience
    while patience:
        for line in follower.look():
            if not quiet:
                screen().print(f"  {line}", markup=False)
        if follower.progress.flat_s is not None:
            return
        if follower.is_alone:
            _tell(quiet, "no engine runs on this account: nothing is closed before one does; start `qts trade`")
            return
        if clock.monotonic() >= deadline:
            _tell(quiet, "not flat yet; the engine goes on, and `qts status` shows the halt")
            return
        await clock.sleep(_LOOK)


def _tell(quiet: bool, line: str) -> None:
    if not quiet:
        screen().print(f"  {line}", markup=False)
