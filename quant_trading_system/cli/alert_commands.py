"""`qts alerts`: what a person should look at, who has taken notice, and telling people while no console runs."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from quant_trading_system.cli.engine_calls import Far
from quant_trading_system.cli.option_groups import grouped
from quant_trading_system.cli.screen import AsJson, print_json, screen, table
from quant_trading_system.core.exceptions import ConfigurationError

Name = Annotated[str, typer.Option("--name", help="Of the account's directory; by default that of the latest run.")]
Settings = Annotated[
    Path | None,
    typer.Option("--settings", help="By default alerts.yaml in the state directory.", show_default=False),
]
Key = Annotated[str, typer.Argument(help="Of the alert, as `qts alerts list` shows it.")]
By = Annotated[str, typer.Option("--by", help="Who has taken notice; by default the user of this machine.")]
Note = Annotated[str, typer.Option(help="One line for those who come after.")]
Everything = Annotated[bool, typer.Option("--all", help="Also what is over.")]


def list_alerts(name: Name = "", everything: Everything = False, as_json: AsJson = False, *, far: Far) -> None:
    """List what is wrong or waits for somebody, the newest first, with its runbook.

    Example: [bold]qts alerts list[/bold]
    """
    from quant_trading_system.app.alerting.book import Alert, AlertBook
    from quant_trading_system.app.latest_run import account_directory

    if far.api:
        if name:
            raise ConfigurationError("--api tells of the alerts of its account; leave out --name")
        found: tuple[Alert, ...] = far.read(f"/v1/alerts/{'all' if everything else 'open'}", tuple[Alert, ...])
    else:
        book = AlertBook(account_directory(name))
        found = book.newest() if everything else book.open()
    if as_json:
        print_json(found)
        return
    shown = table("since (UTC)", "weight", "alert", "key", "seen", "told", "taken notice")
    for alert in found:
        line = alert.line
        state = alert.acknowledged_by or ("over" if alert.is_over else "nobody")
        shown.add_row(
            f"{alert.first_at:%Y-%m-%d %H:%M:%S}",
            line.weight.value,
            f"{line.what}: {line.detail}\n{line.runbook}",
            line.key,
            str(alert.count),
            ", ".join(alert.told) or "nobody",
            state,
        )
    screen().print(shown if found else "no alert is open")


def ack(key: Key, by: By = "", note: Note = "", name: Name = "", *, far: Far) -> None:
    """Say that a person has taken notice, so that nobody else is woken.

    Example: [bold]qts alerts ack halted:3 --by ana --note "looking at the feed"[/bold]
    """
    from quant_trading_system.app.alerting.book import Alert, AlertBook
    from quant_trading_system.app.latest_run import account_directory
    from quant_trading_system.core.clock import SystemClock

    if far.api:
        alert: Alert = far.write("/v1/alerts/ack", {"key": key, "note": note}, Alert)[1]
    else:
        person = by or getpass.getuser()
        alert = AlertBook(account_directory(name)).acknowledge(key, person, "cli", SystemClock().now(), note)
    screen().print(f"{alert.line.what}: {alert.acknowledged_by} has taken notice", markup=False)


def try_channels(settings: Settings = None) -> None:
    """Send a test message through every channel, and say which ones work; exit code 1 when one does not.

    Example: [bold]qts alerts test[/bold]
    """
    import asyncio

    from quant_trading_system.app.alerting.settings import read_settings
    from quant_trading_system.app.alerting.watch import delivery_of
    from quant_trading_system.core.clock import SystemClock

    found = read_settings(_settings(settings))
    delivery = delivery_of(found, SystemClock())
    try:
        worked = asyncio.run(delivery.each("[test] quant_trading_system", "this is a test: docs/operations.md#test"))
    finally:
        delivery.close()
    for channel, is_well in worked.items():
        screen().print(f"{channel}: {'told' if is_well else 'DID NOT WORK'}", markup=False)
    if not all(worked.values()):
        raise typer.Exit(1)


def watch(name: Name = "", settings: Settings = None) -> None:
    """Tell people about alerts, as a process of its own that needs neither engine nor console; Ctrl-C ends it.

    A console tells people, too; only one process does at a time, and another takes over when it ends. The log goes to
    the standard error, one line of JSON a record.

    Example: [bold]qts alerts watch --name default[/bold]
    """
    import asyncio
    import os
    import sys
    from contextlib import closing, suppress

    from quant_trading_system.app.alerting.settings import read_settings
    from quant_trading_system.app.alerting.watch import watch_of
    from quant_trading_system.app.latest_run import account_directory
    from quant_trading_system.app.logs import Secrets, log_to
    from quant_trading_system.app.readings.engine import EngineWatch
    from quant_trading_system.app.readings.follower import Follower
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.core.clock import SystemClock

    directory, clock, chosen = account_directory(name), SystemClock(), read_settings(_settings(settings))
    log_to(sys.stderr, clock, Secrets(os.environ, values=chosen.secrets))
    engine = EngineWatch(directory, host_latch_path())
    with closing(Follower(directory)) as follower, suppress(KeyboardInterrupt):
        watching = watch_of(directory, follower, lambda: engine.look(follower), chosen, clock)
        screen().print(f"watching {directory}; {', '.join(chosen.groups)} will be told", markup=False)
        asyncio.run(watching.run())


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    group = typer.Typer(help="What a person should look at. Example: qts alerts list", no_args_is_help=True)
    group.command("list")(grouped(list_alerts))
    group.command("test")(try_channels)
    group.command()(grouped(ack))
    group.command()(watch)
    app.add_typer(group, name="alerts")


def _settings(chosen: Path | None) -> Path:
    from quant_trading_system.app.alerting.settings import SETTINGS_FILE
    from quant_trading_system.config.settings import state_directory

    return chosen or state_directory() / SETTINGS_FILE
