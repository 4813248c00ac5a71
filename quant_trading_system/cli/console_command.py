"""`qts console`: the control API and the operator's console of one account, in a process of its own.

The command line lies above the console: it starts the server, and imports it only when asked to, so that everything
else works without the extra `console`.
"""

from __future__ import annotations

import getpass
import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from quant_trading_system.cli.screen import screen
from quant_trading_system.cli.trade_command import require_name
from quant_trading_system.core.exceptions import ConfigurationError

Name = Annotated[str, typer.Option("--name", help="Of the account's directory; by default that of the latest run.")]
Port = Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)]
Host = Annotated[str, typer.Option(help="Address to listen on; others than loopback need --open-to-network.")]
Names = Annotated[list[str], typer.Option("--allow-host", help="A further name under which browsers may call it.")]
Open = Annotated[
    bool, typer.Option("--open-to-network", help="Yes, other machines may connect; a TLS proxy stands in front.")
]
MetricsOpen = Annotated[
    bool, typer.Option("--metrics-open", help="Answer /metrics and /ready without a token, on loopback only.")
]
Grafana = Annotated[bool, typer.Option("--grafana", help="Print a dashboard for Grafana, ready to import, and end.")]


def console(
    name: Name = "",
    port: Port = 8765,
    host: Host = "127.0.0.1",
    allow_host: Names = [],  # noqa: B006 - read only
    open_to_network: Open = False,
    metrics_open: MetricsOpen = False,
    grafana: Grafana = False,
) -> None:
    """Serve the control API and the console of one account, whether or not its engine runs.

    Prints an address that logs you in once, within ten minutes; other people log in with a token of `qts token`.
    The log goes to the standard error, one line of JSON a record.

    Example: [bold]qts console[/bold]
    """
    if grafana:
        print(files("quant_trading_system.console").joinpath("grafana.json").read_text(encoding="utf-8"))
        return
    try:
        from quant_trading_system.console.desk import Desk
        from quant_trading_system.console.guard import LOOPBACK_NAMES
        from quant_trading_system.console.pages.mounting import mount
        from quant_trading_system.console.server import create_app
        from quant_trading_system.console.serving import address_of, listen, require_loopback, serve
    except ImportError as error:
        raise ConfigurationError(
            f"the console needs a library that is not here ({error.name}): pip install 'quant-trading-system[console]'"
        ) from error
    from quant_trading_system.app.logs import Secrets, log_to
    from quant_trading_system.app.tokens import TOKENS_FILE, Role, TokenStore
    from quant_trading_system.config.settings import host_latch_path, state_directory
    from quant_trading_system.core.clock import SystemClock

    if metrics_open and open_to_network:
        raise ConfigurationError("--metrics-open is for loopback only; give Prometheus a token of the role viewer")
    require_loopback(host, open_to_network=open_to_network)
    directory, clock = _directory(name), SystemClock()
    log_to(sys.stderr, clock, Secrets(os.environ))
    desk = Desk(directory, host_latch_path(), TokenStore(state_directory() / TOKENS_FILE, clock), clock)
    names = LOOPBACK_NAMES | {name.lower() for name in (*allow_host, host)}
    app = create_app(desk, hosts=names, pages=mount, metrics_open=metrics_open)
    with listen(host, port) as listener:
        address = address_of(listener)

        def tell() -> None:
            code = desk.sessions.offer_login(getpass.getuser(), Role.ADMIN)
            screen().print(f"console of {directory} on {address}; Ctrl-C ends it", markup=False)
            screen().print(f"log in once, within ten minutes: {address}/login#{code}", markup=False, soft_wrap=True)
            sys.stdout.flush()

        serve(app, listener, tell)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(console)


def _directory(name: str) -> Path:
    from quant_trading_system.app.latest_run import latest_run
    from quant_trading_system.config.settings import state_directory

    if not name:
        return latest_run()
    require_name(name)
    directory = state_directory() / name
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is not there; `qts trade --name {name}` makes it")
    return directory
