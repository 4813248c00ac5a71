"""What is wrong at this moment and no entry of the journal says: silence, age, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from quant_trading_system.app.alarms import HALTING
from quant_trading_system.app.notice_record import NoticeEntry
from quant_trading_system.app.readings.alert_fold import AlertLine, alert_line
from quant_trading_system.app.readings.alert_kinds import AlertKind, Weight
from quant_trading_system.app.readings.engine import EngineReading, EngineState
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.app.readings.readiness import readiness
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.execution.notices import NoticeKind

PATIENCE: Mapping[AlertKind, timedelta] = {
    AlertKind.HALT_INCOMPLETE: timedelta(seconds=30),
    AlertKind.ORDER_IN_DOUBT: timedelta(seconds=60),
    AlertKind.LINE_DOWN: timedelta(seconds=15),
    AlertKind.WATCHDOG_GONE: timedelta(seconds=10),
    AlertKind.RECONCILIATION_OLD: timedelta(seconds=60),
}
"""How long a condition must hold before somebody is told; the others are told at once."""

_GONE = (EngineState.DIED, EngineState.SILENT, EngineState.STUCK)
_CHECKS = {
    "journal": AlertKind.JOURNAL_DAMAGED,
    "disk": AlertKind.DISK_FULL,
    "watchdog": AlertKind.WATCHDOG_GONE,
    "reconciled": AlertKind.RECONCILIATION_OLD,
    "streams": AlertKind.LINE_DOWN,
    "prices": AlertKind.LINE_DOWN,
    "broker": AlertKind.LINE_DOWN,
    "clock": AlertKind.CLOCK_WRONG,
    "heartbeat": AlertKind.CLOCK_WRONG,
}
LATCHED, MACHINE = "latch", "machine"
OF_THE_MOMENT = frozenset(_CHECKS.values()) | {
    AlertKind.ENGINE_GONE,
    AlertKind.ORDER_IN_DOUBT,
    AlertKind.HALT_INCOMPLETE,
}
"""Kinds that last as long as the condition does."""
_WORTH_A_WARNING = frozenset(
    {
        NoticeKind.STREAM_SILENT,
        NoticeKind.QUARANTINED,
        NoticeKind.SECOND_CONNECTION,
        NoticeKind.LATE_ARRIVAL,
        NoticeKind.CANCEL_LOST,
        NoticeKind.OVERFILL,
        NoticeKind.WATCHDOG,
        NoticeKind.PARENT_STOPPED,
        NoticeKind.NO_HISTORY,
        NoticeKind.HOLDING_NOT_LISTED,
    }
)


def conditions(follower: Follower, engine: EngineReading, now: datetime) -> Iterator[AlertLine]:
    """Everything that is wrong now; each has a key that stays the same while it lasts."""
    if engine.state in _GONE:
        yield alert_line(AlertKind.ENGINE_GONE, str(engine.epoch or engine.run), now, engine.says)
    with follower.lock:
        opened = tuple(follower.books.orders.open.values())
        halt = follower.books.halt
    for view in opened:
        if view.status == "in_doubt":
            told = f"{view.symbol}: nobody knows whether order {view.order_id} is working"
            yield alert_line(AlertKind.ORDER_IN_DOUBT, view.order_id, now, told, order_id=view.order_id)
    adding = [view.order_id for view in opened if view.order is None or not view.order.reduce_only]
    if halt.level >= HaltLevel.HALTED and adding:
        told = f"{len(adding)} orders are open still: {', '.join(adding[:5])}"
        yield alert_line(AlertKind.HALT_INCOMPLETE, str(halt.activation), now, told)
    yield from _latched(engine, now)
    for check in readiness(follower, engine, now).checks:
        kind = _CHECKS.get(check.name)
        is_empty = kind is AlertKind.JOURNAL_DAMAGED and engine.state is EngineState.NEVER
        if kind is not None and check.is_well is False and not is_empty:
            yield alert_line(kind, check.name, now, check.says)


def _latched(engine: EngineReading, now: datetime) -> Iterator[AlertLine]:
    """Halts that no engine has put on record: of the machine, and of the account while none runs."""
    for about, state in ((LATCHED, engine.halt), (MACHINE, engine.host)):
        if state.is_active and (about == MACHINE or not engine.is_running):
            told = f"{state.reason} (by {state.by})"
            what = f"kill switch: {state.level}" + (" for the whole machine" if about == MACHINE else "")
            yield alert_line(AlertKind.HALTED, f"{about}:{state.activation}", now, told, what=what)


def is_of_the_moment(line: AlertLine) -> bool:
    """It lasts as long as its condition does, and no entry of the journal ends it."""
    is_latch = line.key.startswith((f"{AlertKind.HALTED}:{LATCHED}", f"{AlertKind.HALTED}:{MACHINE}"))
    return line.kind in OF_THE_MOMENT or is_latch


def noticed(entry: NoticeEntry) -> AlertLine | None:
    """What the engine's adapters noticed, where it is worth telling."""
    if entry.kind not in HALTING and entry.kind not in _WORTH_A_WARNING:
        return None
    weight = Weight.CRITICAL if entry.kind in HALTING else None
    what = f"{entry.source}: {entry.kind.value.replace('_', ' ')}"
    about = f"{entry.kind.value}:{entry.order_id}" if entry.order_id else entry.kind.value
    return alert_line(
        AlertKind.ADAPTER_ALARM, about, entry.at, entry.message, weight=weight, what=what, order_id=entry.order_id
    )
