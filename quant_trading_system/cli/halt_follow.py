"""After a halt at this terminal: wait for the engine, and cancel at the broker when it does not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import screen

if TYPE_CHECKING:
    from quant_trading_system.app.heartbeat import Heartbeat
    from quant_trading_system.app.outside_halt import HaltedAccount
    from quant_trading_system.core.halt_scope import HaltScope
    from quant_trading_system.risk.halt_state import Halt
    from quant_trading_system.risk.kill_switch import KillSwitch
    from quant_trading_system.risk.latch import FileLatch

_PATIENCE = timedelta(seconds=60)
NOT_CONFIRMED = 3
"""Exit code: orders are stopped, but it is not certain that none is open."""

Keys = Annotated[
    Path | None,
    typer.Option(
        "--credentials",
        help="A private file with the keys, should the engine not answer; its own by default, or the environment.",
        show_default=False,
    ),
]
Wait = Annotated[
    int,
    typer.Option(
        "--wait", help="Seconds to see it through: 5 for the engine, then at the broker; 0 to wait not at all."
    ),
]


def halted_account(latch: FileLatch, scope: HaltScope, by: str) -> HaltedAccount:
    """The account of `latch`, of which `scope` was just halted; while all of it is halted, that is what counts."""
    from quant_trading_system.app.outside_halt import HaltedAccount

    def now() -> Halt:
        state = latch.read()
        return state.halt_of() if state.level >= _halted() else state.halt_of(scope)

    return HaltedAccount(directory=latch.path.parent, halt=now(), now=now, goes_on=lambda: bool(now().level), by=by)


def accounts_of_machine(host: KillSwitch, by: str) -> list[HaltedAccount]:
    """Every account in the state directory that an engine has traded; all of them were just halted."""
    from quant_trading_system.app.account_files import LATCH_FILE
    from quant_trading_system.app.heartbeat import ENGINE_FILE
    from quant_trading_system.app.outside_halt import HaltedAccount
    from quant_trading_system.config.settings import state_directory
    from quant_trading_system.risk.latch import look_at

    def halted(directory: Path) -> HaltedAccount:
        def now() -> Halt:
            return look_at(directory / LATCH_FILE).halt_of()

        def goes_on() -> bool:
            return bool(host.level or now().level)

        return HaltedAccount(directory=directory, halt=host.state.halt_of(), now=now, goes_on=goes_on, by=by)

    return [halted(path.parent) for path in sorted(state_directory().glob(f"*/{ENGINE_FILE}"))]


def follow(accounts: list[HaltedAccount], credentials: Path | None, wait: int, *, named: bool = False) -> None:
    """Tell what the engines do, and act where they do not.

    Args:
        named: say of which account a line is.

    Raises:
        typer.Exit: it is not certain that no order is open.
    """
    if not all(asyncio.run(_all(accounts, credentials, timedelta(seconds=wait), named=named))):
        raise typer.Exit(NOT_CONFIRMED)


def act_now(account: HaltedAccount, last: Heartbeat, credentials: Path | None, *, quiet: bool) -> None:
    """Cancel at the broker for an engine that gives no sign of life any more, and tell what is left.

    Args:
        last: its latest sign of life. `quiet`: tell nothing; it is on record all the same.
    """
    from quant_trading_system.app.heartbeat import Phase
    from quant_trading_system.app.keys_place import access_of
    from quant_trading_system.app.outside_halt import EngineState, act_outside
    from quant_trading_system.core.clock import SystemClock

    state = EngineState.ENDED if last.phase is Phase.ENDED else EngineState.SILENT
    access, tell = partial(access_of, account.directory, credentials), partial(_tell, "", quiet=quiet)
    asyncio.run(act_outside(account, last, state, access, SystemClock(), tell, _PATIENCE))


async def _all(
    accounts: list[HaltedAccount], credentials: Path | None, patience: timedelta, *, named: bool
) -> list[bool]:
    from quant_trading_system.app.keys_place import access_of
    from quant_trading_system.app.outside_halt import see_through
    from quant_trading_system.core.clock import SystemClock

    work = (
        see_through(
            account,
            partial(access_of, account.directory, credentials),
            SystemClock(),
            partial(_tell, f"{account.directory.name}: " if named else ""),
            patience,
        )
        for account in accounts
    )
    return await asyncio.gather(*work)


def _tell(about: str, line: str, *, quiet: bool = False) -> None:
    if not quiet:
        screen().print(f"  {about}{line}", markup=False)


def _halted() -> int:
    from quant_trading_system.core.events import HaltLevel

    return HaltLevel.HALTED
