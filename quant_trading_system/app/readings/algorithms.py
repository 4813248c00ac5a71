"""Parent orders: what was planned, what was done, and what it cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from quant_trading_system.app.parent_record import ParentRecord, record_of
from quant_trading_system.app.readings.execution_quality import ExecutionQuality, quality_of
from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.execution.algo.schedule import Schedule
from quant_trading_system.execution.parent_history import ParentHistory
from quant_trading_system.execution.tca_report import TcaReport, report_of


class Progress(msgspec.Struct, frozen=True):
    """So many shares by that time."""

    at: datetime
    quantity: Decimal


class AlgorithmReading(msgspec.Struct, frozen=True, kw_only=True):
    """One parent order.

    Attributes:
        record: what was known and asked at its start, and what became of it.
        planned: cumulative shares by time as its schedule says; empty for algorithms without one.
        done: cumulative shares by time as its fills say.
        ended: nothing more will be sent.
    """

    record: ParentRecord
    planned: tuple[Progress, ...]
    done: tuple[Progress, ...]
    ended: bool


def algorithms(follower: Follower) -> tuple[AlgorithmReading, ...]:
    """The newest parent orders, the newest first."""
    with follower.lock:
        return tuple(_reading(parent) for parent in reversed(follower.views.parents.parents.values()))


class Costs(TcaReport, frozen=True, kw_only=True):
    """What parent orders cost; `quality`: how well all orders of the run were executed."""

    quality: ExecutionQuality


def costs(follower: Follower) -> Costs:
    """What the newest parent orders cost, and how the orders of the run were executed."""
    with follower.lock:
        report = report_of(tuple(follower.views.parents.parents.values()))
        return Costs(**msgspec.structs.asdict(report), quality=quality_of(follower.views.quality))


def _reading(parent: ParentHistory) -> AlgorithmReading:
    done, total = [Progress(parent.first.at, ZERO)], ZERO
    for fill in sorted(parent.fills, key=lambda fill: fill.at):
        total += fill.quantity
        done.append(Progress(fill.at, total))
    return AlgorithmReading(
        record=record_of(parent), planned=_planned(parent.begun.order), done=tuple(done), ended=parent.last.ended
    )


def _planned(order: dict[str, Any]) -> tuple[Progress, ...]:
    plain = order.get("schedule")
    if plain is None:
        return ()
    schedule = msgspec.convert(plain, Schedule)
    points, total = [], ZERO
    for part in schedule.slices:
        points.append(Progress(part.start, total))
        total += part.quantity
    return (*points, Progress(schedule.end, total))
