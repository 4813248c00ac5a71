"""What stands against a reset when no engine can be asked: the journal beside the latch, and the latch's own place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from quant_trading_system.app.open_breaks import open_breaks
from quant_trading_system.core.events import RiskEvent, RiskEventKind, RunStarted
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.journal.backwards import newest_first
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.store import JournalSource
from quant_trading_system.risk.latch import Latch
from quant_trading_system.risk.reset import Cause, Obstacles, ResetWish, cause_obstacles, dirt_obstacles, file_obstacles


def obstacles_on_record(path: Path, latch: Latch) -> Obstacles:
    """What the journal at `path` says at the moment of the question; nothing where there is none."""

    def obstacles(wish: ResetWish) -> list[str]:
        breaks = open_breaks(path)
        found = cause_obstacles(wish, _losses(path))
        if wish.halt.scope.symbol:
            breaks = [line for line in breaks if wish.halt.scope.symbol in line.split()]
        return [*found, *dirt_obstacles(wish, breaks, ()), *file_obstacles(latch)]

    return obstacles


def _losses(path: Path) -> list[Cause]:
    """The loss limits that the last numbers on record break, by the limits of the last run."""
    if not path.is_file():
        return []
    try:
        with JournalReader(path, journal_key(path)) as journal:
            run = next(newest_first(journal, ("run_started",)), None)
            numbers, closed = _measured(journal)
    except JournalError:
        return []  # `open_breaks` says so, and refuses
    started = None if run is None else run.event
    if not isinstance(started, RunStarted) or numbers is None:
        return []
    bases = {
        "risk.max_daily_loss_pct": numbers.day_start_equity if closed is None else closed,
        "triggers.max_weekly_loss_pct": numbers.week_start_equity,
        "triggers.max_monthly_loss_pct": numbers.month_start_equity,
        "risk.max_drawdown_pct": numbers.peak_equity,
    }
    found = []
    for key, base in bases.items():
        limit = Decimal(started.limits.get(key, "1")) * base  # an old run did not know every limit
        if base > 0 and base - numbers.equity > limit:
            found.append(Cause(key.rpartition(".")[2], base - numbers.equity, limit))
    return found


def _measured(journal: JournalSource) -> tuple[RiskEvent | None, Decimal | None]:
    """The last numbers, and the equity at the close while no day has begun since; None for what is not there."""
    numbers: RiskEvent | None = None
    for entry in newest_first(journal, ("risk",)):
        event = entry.event
        if not isinstance(event, RiskEvent):
            continue
        numbers = numbers or event
        if event.reason is RiskEventKind.DAY_CLOSED:
            return numbers, event.equity
        if event.reason in (RiskEventKind.DAY_OPENED, RiskEventKind.REBASED):
            break
    return numbers, None
