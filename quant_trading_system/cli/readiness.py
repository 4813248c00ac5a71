"""Why an account cannot trade, for `qts status`: the same answer as `/ready`, from one look at the files."""

from __future__ import annotations

from pathlib import Path

_SHOWN_ELSEWHERE = frozenset({"halt", "machine", "books"})


def why_not(latch: Path | None) -> list[str]:
    """One line for each reason but halts and open differences, which are shown by themselves; none without a journal.

    Args:
        latch: the kill latch in the directory of the account; that of the default account when None.
    """
    from quant_trading_system.app.readings.engine import EngineWatch
    from quant_trading_system.app.readings.follower import Follower
    from quant_trading_system.app.readings.readiness import readiness
    from quant_trading_system.config.settings import host_latch_path, kill_latch_path
    from quant_trading_system.core.clock import SystemClock

    follower = Follower((latch or kill_latch_path()).parent)
    if not follower.path.is_file():
        return []
    try:
        follower.catch_up()
        engine = EngineWatch(follower.directory, host_latch_path()).look(follower)
        found = readiness(follower, engine, SystemClock().now())
    finally:
        follower.close()
    return [f"{c.name}: {c.says}" for c in found.checks if c.is_well is False and c.name not in _SHOWN_ELSEWHERE]
