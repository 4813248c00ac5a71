"""`qts service`: prints the unit under which systemd runs an engine or its watchdog."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from quant_trading_system.cli.trade_command import Name, require_name

Words = Annotated[list[str] | None, typer.Argument(help="What follows `qts trade`, after --.", show_default=False)]
Keys = Annotated[str, typer.Option(help="The file with the keys, readable by the service's user only.")]
User = Annotated[str, typer.Option(help="Who it runs as.")]

_ENGINE = """\
[Unit]
Description=qts trade, account {name}
Wants=network-online.target qts-watchdog-{name}.service
After=network-online.target qts-watchdog-{name}.service
# Five starts in ten minutes, then systemd waits for a person: systemctl reset-failed
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
User={user}
EnvironmentFile={keys}
Environment=QTS_LOG=json
ExecStart={command}
Restart=on-failure
RestartSec=10
# The first signal goes to the engine alone: it withdraws its orders and closes its run on record.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=90
OOMScoreAdjust=-500
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""

_WATCHDOG = """\
[Unit]
Description=Watchdog of qts trade, account {name}
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={user}
EnvironmentFile={keys}
Environment=QTS_LOG=json
ExecStart={command}
Restart=always
RestartSec=1
OOMScoreAdjust=-900
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def service(words: Words = None, name: Name = "default", keys: Keys = "/etc/qts/keys", user: User = "qts") -> None:
    """Print the systemd unit of an engine; without words, that of its watchdog.

    Example: [bold]qts service -- my_strategy.py --symbols KO,PEP > qts-default.service[/bold]
    """
    require_name(name)
    program = [sys.executable, "-m", "quant_trading_system.cli.main"]
    if words:
        template, command = _ENGINE, [*program, "trade", *words, "--name", name]
    else:
        template, command = _WATCHDOG, [*program, "watchdog", "--name", name, "--stay"]
    line = shlex.join(command).replace("%", "%%")  # a percent sign begins a specifier of systemd
    print(template.format(name=name, user=user, keys=keys, command=line), end="")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(service)
