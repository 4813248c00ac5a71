"""How a process that runs for long tells what it does: lines for people, or records for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from quant_trading_system.cli.screen import line_teller

if TYPE_CHECKING:
    from quant_trading_system.core.clock import Clock


class LogFormat(StrEnum):
    """For whom."""

    TEXT = "text"
    JSON = "json"


Log = Annotated[
    LogFormat, typer.Option("--log", envvar="QTS_LOG", help="text for people; json: one object a line, with ids.")
]


def teller(log: LogFormat, name: str, clock: Clock, hide: Callable[[str], str]) -> Callable[[str], None]:
    """What takes the lines of the process called `name`; `hide` strikes out its keys."""
    if log is LogFormat.TEXT:
        return line_teller(clock, hide)
    from quant_trading_system.app.logs import Secrets, log_to, record_teller

    log_to(sys.stdout, clock, Secrets(os.environ))
    return record_teller(name, hide)
