"""`qts flatten`: close positions under the kill switch, and wait until the broker shows flat."""

from __future__ import annotations

import asyncio
import getpass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Elsewhere, Far, api_at
from quant_trading_system.cli.halt_commands import require_reason, stop_far, tell_stopped
from quant_trading_system.cli.halt_follow import Keys, act_now, halted_account
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.scope_options import SideOption, StrategyOption, SymbolOption, scope_from
from quant_trading_system.cli.screen import AsJson, as_it_stands, print_json, screen
from quant_trading_system.cli.status_command import Latch, account_latch, require_near

if TYPE_CHECKING:
    from quant_trading_system.app.flattening import Follower
    from quant_trading_system.core.halt_scope import HaltScope

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
    credentials: Keys = None,
    as_json: AsJson = False,
    *,
    elsewhere: Elsewhere,
) -> None:
    """Halt, cancel what rests, and close every position, or those of a symbol, a strategy or a side.

    An engine closes them by limit orders in slices; the halt stays until somebody lifts it with `qts resume`. Where no
    engine gives a sign of life, this command cancels at the broker, and tells what is left to close. Exit code 3 when
    not all is flat in time.

    Example: [bold]qts flatten --symbol KO --reason "bad news"[/bold]
    """
    from quant_trading_system.app.flattening import Follower
    from quant_trading_system.core.events import HaltLevel
    from quant_trading_system.risk.kill_switch import KillSwitch

    require_reason(reason)
    scope = scope_from(symbol, strategy, side)
    if not yes:
        typer.confirm(f"close all positions of {scope}?", abort=True)
    far = elsewhere.far
    require_near(far, latch)
    if far.api:
        _flatten_far(far, reason, scope, wait, as_json=as_json)
        return
    kept = account_latch(latch)
    switch = KillSwitch(latch=kept)
    who = by or getpass.getuser()
    switch.activate(reason, level=HaltLevel.FLATTENING, activated_by=who, scope=scope)
    halt = switch.state.halt_of(scope)
    if not as_json:
        screen().print(f"[bold red]FLATTENING[/bold red] {as_it_stands(scope)}, activation {halt.activation}")
    follower = Follower(kept.path.parent, scope, halt.activation)
    asyncio.run(_follow(follower, wait, quiet=as_json))
    if wait and follower.is_alone and follower.last is not None:
        act_now(halted_account(kept, scope, who), follower.last, credentials, quiet=as_json)
    if as_json:
        print_json({"scope": str(scope), "activation": halt.activation, "progress": follower.progress})
    if wait and follower.progress.flat_s is None:
        raise typer.Exit(3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(grouped(flatten))


def _flatten_far(far: Far, reason: str, scope: HaltScope, wait: int, *, as_json: bool) -> None:
    """Flatten over the interface of a console, and look at its positions until all are closed."""
    from quant_trading_system.core.events import HaltLevel

    halt = stop_far(far, HaltLevel.FLATTENING, reason, scope)
    if not as_json:
        tell_stopped(halt)
    left = asyncio.run(_positions_far(far, scope, wait)) if wait else None
    if as_json:
        print_json({"scope": halt.scope, "activation": halt.activation, "held": left})
    elif left:
        screen().print(f"  not flat yet: {', '.join(left)}; the engine goes on", markup=False)
    elif left is not None:
        screen().print("  flat: no position is left, and no order is open")
    if left:
        raise typer.Exit(3)


async def _positions_far(far: Far, scope: HaltScope, patience: int) -> list[str]:
    """Symbols that are held or have open orders still when patience ends; empty once all is flat."""
    from quant_trading_system.app.readings.orders import OrderPage
    from quant_trading_system.app.readings.positions import Holdings
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.core.order_listing import OrderGroup

    clock, api = SystemClock(), api_at(far.api, far.token_file)
    deadline = clock.monotonic() + patience
    while True:
        held = await api.read("/v1/positions", Holdings)
        page = await api.read("/v1/orders", OrderPage, group=OrderGroup.OPEN.value)
        left = {line.symbol for line in held.positions if scope.covers_position(line.symbol, line.quantity)}
        left |= {row.symbol for row in page.rows if scope.covers(row)}
        if not left or clock.monotonic() >= deadline:
            return sorted(left)
        await clock.sleep(_LOOK)


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
