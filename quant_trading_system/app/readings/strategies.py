"""The strategies of an account, as its journal tells: who is listened to, and who put whom to silence."""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.core.events import RunFinished, RunStarted, StrategyStopped
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.journal.store import JournalSource

ARMED, DISARMED, FAILED = "armed", "disarmed", "failed"
_KINDS = ("run_started", "run_finished", "strategy_stopped", "strategy_switched")


class StrategyReading(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy of the last run.

    Attributes:
        state: ``armed``, ``disarmed`` by a person, or ``failed``; a failed one is armed again by a restart.
        reason: of the person, or the error; `by`: who disarmed or armed it; `since`: when; empty and None without.
        runs: the last run has not ended in good order; its process may have died all the same.
    """

    strategy: str
    state: str
    reason: str = ""
    by: str = ""
    since: datetime | None = None
    runs: bool = False


def strategies(source: JournalSource) -> list[StrategyReading]:
    """Every strategy of the last run, in its order."""
    names: tuple[str, ...] = ()
    runs = False
    switched: dict[str, StrategySwitched] = {}
    failed: dict[str, StrategyStopped] = {}
    for entry in source.entries(kinds=_KINDS):
        event = entry.event
        if isinstance(event, RunStarted):
            names, runs, failed = event.strategies, True, {}
        elif isinstance(event, RunFinished):
            runs = False
        elif isinstance(event, StrategyStopped):
            failed[event.strategy] = event
        elif isinstance(event, StrategySwitched):
            switched[event.strategy] = event
            failed.pop(event.strategy, None)
    return [_reading(name, switched.get(name), failed.get(name), runs=runs) for name in names]


def _reading(
    name: str, switched: StrategySwitched | None, failed: StrategyStopped | None, *, runs: bool
) -> StrategyReading:
    if failed is not None:
        return StrategyReading(strategy=name, state=FAILED, reason=failed.error, since=failed.at, runs=runs)
    if switched is None:
        return StrategyReading(strategy=name, state=ARMED, runs=runs)
    return StrategyReading(
        strategy=name,
        state=ARMED if switched.armed else DISARMED,
        reason=switched.reason,
        by=switched.by,
        since=switched.at,
        runs=runs,
    )
