"""`qts halt` and `qts resume`: the account's kill switch, from any process."""

from __future__ import annotations

import asyncio
import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.engine_calls import Elsewhere, Far, api_at
from quant_trading_system.cli.halt_follow import Keys, Wait, accounts_of_machine, follow, halted_account
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.scope_options import SideOption, StrategyOption, SymbolOption, scope_from
from quant_trading_system.cli.screen import as_it_stands, screen
from quant_trading_system.cli.status_command import (
    All,
    Latch,
    account_latch,
    host_latch,
    host_state,
    require_near,
    tell_host,
    tell_probation,
)
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.app.api_door import Stopped
    from quant_trading_system.core.events import HaltLevel
    from quant_trading_system.core.halt_scope import HaltScope
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import FileLatch


_FINAL = 200


class Level(StrEnum):
    """How much to stop."""

    REDUCING = "reducing"
    HALTED = "halted"
    FLATTENING = "flattening"


def halt(
    reason: Annotated[str, typer.Option("--reason", help="Why; goes on record.")],
    level: Annotated[
        Level, typer.Option("--level", help="reducing: exits only; halted: no order; flattening: close everything.")
    ] = Level.HALTED,
    by: Annotated[str, typer.Option("--by", help="Who halts.", show_default="the user of this terminal")] = "",
    symbol: SymbolOption = "",
    strategy: StrategyOption = "",
    side: SideOption = None,
    latch: Latch = None,
    everything: All = False,
    credentials: Keys = None,
    wait: Wait = 60,
    *,
    elsewhere: Elsewhere,
) -> None:
    """Stop orders now. Works whether or not an engine is running or hanging, and survives every restart.

    The engine cancels what is open. When it does not, this command takes its right to send and cancels at the broker.
    Exit code 3 when it is not certain that no order is open.

    Example: [bold]qts halt --reason "investigating an anomaly"[/bold]
    """
    from quant_trading_system.core.events import HaltLevel
    from quant_trading_system.risk.kill_switch import KillSwitch

    require_reason(reason)
    scope = scope_from(symbol, strategy, side)
    if everything and not scope.is_account:
        raise ConfigurationError("--all stops everything on this machine; leave out --symbol, --strategy and --side")
    if elsewhere.api:
        if latch is not None or by:
            raise ConfigurationError("with --api the console knows the latch, and the token says who halts")
        tell_stopped(stop_far(elsewhere.far, HaltLevel[level.name], reason, scope, everything=everything))
        return
    who, kept = by or getpass.getuser(), _latch(latch, everything)
    switch = KillSwitch(latch=kept)
    switch.activate(reason, level=HaltLevel[level.name], activated_by=who, scope=scope)
    halted = switch.state.halt_of(scope)
    where = "" if scope.is_account else f" {as_it_stands(scope)}"
    screen().print(f"[bold red]{halted.level.name}[/bold red]{where} since {halted.at}, activation {halted.activation}")
    screen().print(f"  {halted.reason}", markup=False)
    accounts = accounts_of_machine(switch, who) if everything else [halted_account(kept, scope, who)]
    follow(accounts, credentials, wait, named=everything)


def resume(
    authorized_by: Annotated[
        str, typer.Option("--authorized-by", help="The person who answers for it; with --api the token says who.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe to go on.")],
    symbol: SymbolOption = "",
    strategy: StrategyOption = "",
    side: SideOption = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="The loss counts no more: peak and start of the day begin anew.")
    ] = False,
    latch: Latch = None,
    everything: All = False,
    *,
    elsewhere: Elsewhere,
) -> None:
    """Let orders leave again, or approve it: in live trading two persons must. Each gives a name and a reason.

    It is refused while the cause persists or the books differ from the broker's. Exit code 3 while others are missing.

    Example: [bold]qts resume --authorized-by admin@company.com --reason "feed repaired"[/bold]
    """
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.core.exceptions import ResetPending

    require_reason(reason)
    scope = scope_from(symbol, strategy, side)
    far = elsewhere.far
    require_near(far, latch)
    if far.api:
        _resume_far(far, reason, scope, everything, accept_loss)
        return
    switch = _switch(latch, everything)
    if not switch.state.halt_of(scope).level:
        screen().print("the kill switch is not active" + ("" if scope.is_account else f" for {as_it_stands(scope)}"))
        return
    try:
        switch.reset(authorized_by, reason, scope=scope, accept_loss=accept_loss)
    except ResetPending as pending:
        screen().print(f"your approval is kept; {pending}", markup=False)
        raise typer.Exit(3) from None
    lifted = switch.state.halt_of(scope)
    if everything:
        screen().print(
            f"the machine is released by {as_it_stands(lifted.by)}; accounts that were halted stay so: qts resume"
        )
        return
    where = "" if scope.is_account else f" {as_it_stands(scope)}"
    screen().print(f"[green]running[/green]{where}, reset by {as_it_stands(lifted.by)}")
    state, host = switch.state, host_state()
    if state.on_probation(SystemClock().now()):
        tell_probation(state.probation_until, state.policy.probation_factor)
    if scope.is_account:
        tell_host(host.level.name.lower(), host.reason, host.at)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (halt, resume):
        app.command()(grouped(command))


def stop_far(far: Far, level: HaltLevel, reason: str, scope: HaltScope, *, everything: bool = False) -> Stopped:
    """Halt, or flatten, over the interface of a console; what then holds."""
    from quant_trading_system.app.api_door import ApiDoor

    door = ApiDoor(api_at(far.api, far.token_file))
    return asyncio.run(door.stop(level, reason, scope, whole_machine=everything))


def tell_stopped(told: Stopped) -> None:
    """What a halt over the interface of a console has become."""
    screen().print(f"[bold red]{told.level.upper()}[/bold red] since {told.at}, activation {told.activation}")
    screen().print(f"  {told.scope}: {told.reason}; {told.effect}", markup=False)


def _resume_far(far: Far, reason: str, scope: HaltScope, everything: bool, accept_loss: bool) -> None:
    """Resume over the interface of a console: the very halt that it tells of now."""
    from quant_trading_system.app.status import HaltsNow, HaltStatus

    now: HaltsNow = far.read("/v1/halt", HaltsNow)
    halts = [now.machine] if everything else [now.account, *now.scopes]
    wanted = next((halt for halt in halts if everything or halt.scope == str(scope)), None)
    if wanted is None or not wanted.is_active:
        screen().print("the kill switch is not active" + ("" if scope.is_account else f" for {as_it_stands(scope)}"))
        return
    fields = {**_fields(scope, everything), "reason": reason, "activation": wanted.activation}
    lifted: HaltStatus
    status, lifted = far.write("/v1/resume", {**fields, "accept_loss": accept_loss}, HaltStatus)
    if status != _FINAL:
        screen().print(f"your approval is kept; {lifted.missing}", markup=False)
        raise typer.Exit(3)
    where = "the machine" if everything else as_it_stands(lifted.scope)
    screen().print(f"[green]running[/green] {where}, reset by {as_it_stands(lifted.by)}")


def _fields(scope: HaltScope, everything: bool) -> dict[str, object]:
    narrowed = {"symbol": scope.symbol, "strategy": scope.strategy, "side": scope.side}
    return {**{name: value for name, value in narrowed.items() if value}, "whole_machine": everything}


def _switch(latch: Path | None, everything: bool) -> KillSwitch:
    """The switch that the options name; a reset asks the journal beside the latch what stands against it."""
    from quant_trading_system.app.account_files import JOURNAL_FILE
    from quant_trading_system.app.reset_facts import obstacles_on_record
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.reset import file_obstacles

    kept = _latch(latch, everything)
    if everything:
        return KillSwitch(latch=kept, obstacles=lambda _: file_obstacles(kept))
    return KillSwitch(latch=kept, obstacles=obstacles_on_record(kept.path.parent / JOURNAL_FILE, kept))


def _latch(latch: Path | None, everything: bool) -> FileLatch:
    if latch is not None and everything:
        raise ConfigurationError("--latch names one latch, --all means that of the machine; choose one")
    return host_latch() if everything else account_latch(latch)


def require_reason(reason: str) -> None:
    """Refuse a reason that says nothing.

    Raises:
        ConfigurationError: it is empty.
    """
    if not reason.strip():
        raise ConfigurationError("--reason is empty; say why in a few words, it goes on record")
