"""The strategies of an account, as its journal tells: who is listened to, and who put whom to silence."""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.core.events import AnyEvent, RunFinished, RunStarted, StrategyStopped
from quant_trading_system.core.operator_events import StrategySwitched
from quant_trading_system.journal.store import JournalSource

ARMED, DISARMED, FAILED = "armed", "disarmed", "failed"
STRATEGY_KINDS = ("run_started", "run_finished", "strategy_stopped", "strategy_switched")
"""Entries that say something about strategies."""


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


class StrategyFold:
    """Which strategies are listened to, kept up to date entry by entry."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._runs = False
        self._switched: dict[str, StrategySwitched] = {}
        self._failed: dict[str, StrategyStopped] = {}

    def take(self, event: AnyEvent) -> None:
        """The next entry; most are about something else."""
        if isinstance(event, RunStarted):
            self._names, self._runs, self._failed = event.strategies, True, {}
        elif isinstance(event, RunFinished):
            self._runs = False
        elif isinstance(event, StrategyStopped):
            self._failed[event.strategy] = event
        elif isinstance(event, StrategySwitched):
            self._switched[event.strategy] = event
            self._failed.pop(event.strategy, None)

    def lines(self) -> list[StrategyReading]:
        """Every strategy of the last run, in its order."""
        return [
            _reading(name, self._switched.get(name), self._failed.get(name), runs=self._runs) for name in self._names
        ]


def strategies(source: JournalSource) -> list[StrategyReading]:
    """Every strategy of the last run, in its order."""
    fold = StrategyFold()
    for entry in source.entries(kinds=STRATEGY_KINDS):
        fold.take(entry.event)
    return fold.lines()


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
