"""`qts console`: the control API and the operator's console of one account, in a process of its own.

The command line lies above the console: it starts the server, and imports it only when asked to, so that everything
else works without the extra `console`.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Coroutine
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quant_trading_system.cli.screen import screen
from quant_trading_system.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from quant_trading_system.console.desk import Desk

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
    from quant_trading_system.app.latest_run import account_directory
    from quant_trading_system.app.logs import Secrets, log_to
    from quant_trading_system.app.tokens import TOKENS_FILE, TokenStore
    from quant_trading_system.config.settings import host_latch_path, state_directory
    from quant_trading_system.core.clock import SystemClock
    from quant_trading_system.core.roles import Role

    if metrics_open and open_to_network:
        raise ConfigurationError("--metrics-open is for loopback only; give Prometheus a token of the role viewer")
    require_loopback(host, open_to_network=open_to_network)
    directory, clock = account_directory(name), SystemClock()
    log_to(sys.stderr, clock, Secrets(os.environ))
    desk = Desk(directory, host_latch_path(), TokenStore(state_directory() / TOKENS_FILE, clock), clock)
    names = LOOPBACK_NAMES | {name.lower() for name in (*allow_host, host)}
    app = create_app(desk, hosts=names, pages=mount, metrics_open=metrics_open, beside=_beside(desk))
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


def _beside(desk: Desk) -> list[Callable[[], Coroutine[Any, Any, None]]]:
    """What runs as long as the server: telling people, when alerts.yaml says whom."""
    from quant_trading_system.app.alerting.settings import SETTINGS_FILE, read_settings
    from quant_trading_system.app.alerting.watch import watch_of
    from quant_trading_system.config.settings import state_directory

    path = state_directory() / SETTINGS_FILE
    if not path.exists():
        return []
    settings = read_settings(path)
    return [watch_of(desk.directory, desk.follower, desk.engine_now, settings, desk.clock).run]
