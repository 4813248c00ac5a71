"""SIGUSR1 halts: `kill -USR1 PID` for whoever has no more than a process number at hand."""

from __future__ import annotations

import logging
from pathlib import Path

from quant_trading_system.app.account_files import LATCH_FILE
from quant_trading_system.core.events import HaltTrigger
from quant_trading_system.core.exceptions import KillSwitchIncomplete
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import FileLatch

_log = logging.getLogger(__name__)


def halt_by_signal(directory: Path) -> None:
    """Set the latch of the account in `directory`; the engine sees it like a halt by any other process.

    It works from the first moment of the process on, before there is an engine.
    """
    switch = KillSwitch(latch=FileLatch(directory / LATCH_FILE))
    try:
        switch.activate("the engine was sent SIGUSR1", trigger=HaltTrigger.SIGNAL, activated_by="signal")
    except KillSwitchIncomplete as incomplete:
        _log.critical("%s", incomplete)
