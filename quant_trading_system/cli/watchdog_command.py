"""`qts watchdog`: a second process that stops an account when its engine hangs or dies."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Annotated

import typer

from quant_trading_system.cli.log_options import Log, LogFormat, teller
from quant_trading_system.cli.trade_command import Keys, Name, require_name

Bound = Annotated[float, typer.Option(help="Seconds without a sign of life, after which it acts.", min=2, max=600)]
Account = Annotated[str, typer.Option(help="Id or number of the account that the keys must belong to.")]
Stay = Annotated[bool, typer.Option("--stay", help="Watch the next engine, too, instead of ending with this one.")]


def watchdog(
    name: Name = "default",
    account: Account = "",
    credentials: Keys = None,
    bound: Bound = 5.0,
    stay: Stay = False,
    log: Log = LogFormat.TEXT,
) -> None:
    """Watch the engine of an account; when it gives no sign of life, halt the account and cancel its orders.

    `qts trade` starts one by itself. Run another as a service where systemd would end both together.
    Keys and hosts are read as by `qts trade`.

    Example: [bold]qts watchdog --stay[/bold]
    """
    from quant_trading_system.app.watchdog import WatchdogLimits
    from quant_trading_system.app.watching import watch_account
    from quant_trading_system.config.settings import state_directory
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.execution.credentials import read_access

    require_name(name)
    access = read_access(os.environ, credentials)
    asyncio.run(
        watch_account(
            access,
            state_directory() / name,
            WatchdogLimits(bound=timedelta(seconds=bound), stay=stay),
            teller(log, "watchdog", SystemClock(), access.credentials.hidden_in),
            account_id=account,
        )
    )


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(watchdog)
