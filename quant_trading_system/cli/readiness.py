"""What an account needs to trade, from one look at its files: the same answer as `/ready`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quant_trading_system.app.readings.readiness import Readiness


def ready_now(directory: Path) -> Readiness | None:
    """Of the account in `directory`; None without a journal."""
    from quant_trading_system.app.readings.engine import EngineWatch
    from quant_trading_system.app.readings.follower import Follower
    from quant_trading_system.app.readings.readiness import readiness
    from quant_trading_system.config.settings import host_latch_path
    from quant_trading_system.core.clock import SystemClock

    follower = Follower(directory, tail=0)
    if not follower.path.is_file():
        return None
    try:
        follower.catch_up()
        engine = EngineWatch(follower.directory, host_latch_path()).look(follower)
        return readiness(follower, engine, SystemClock().now())
    finally:
        follower.close()
