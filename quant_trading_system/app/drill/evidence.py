"""What is kept of a drill: every rehearsal as JSON for whoever checks it later, and a table for people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from platform import node

import msgspec

from quant_trading_system import __version__
from quant_trading_system.app.drill.rehearsal import Rehearsal

JSON_FILE, TABLE_FILE = "drill.json", "drill.md"
_TIMES = ("latch set", "last cancel confirmed", "after the latch", "slowest", "flat")
_COLUMNS = ("way", "what was done", "passed", *_TIMES, "orders", "on the wire")
_PLACES = Decimal("0.001")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One drill.

    Attributes:
        began, ended: UTC. `host`, `cores`: where. `version`: of this program.
    """

    began: datetime
    ended: datetime
    host: str
    cores: int
    version: str
    passed: bool
    rehearsals: tuple[Rehearsal, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One way in the table: medians over its runs, seconds; None where there is nothing to measure.

    Attributes:
        latched, cancelled, flat: as `Figures`; `after_latch`: from the latch to the last confirmed cancel.
        slowest: `cancelled` of the slowest run.
        orders: that had to go, and `in_flight` that the venue took just after the latch, in all runs.
    """

    way: str
    does: str
    runs: int
    passed: int
    latched: Decimal | None
    cancelled: Decimal | None
    after_latch: Decimal | None
    slowest: Decimal | None
    flat: Decimal | None
    orders: int
    in_flight: int

    @property
    def times(self) -> tuple[Decimal | None, ...]:
        """In the order of the table's columns."""
        return self.latched, self.cancelled, self.after_latch, self.slowest, self.flat


def evidence_of(rehearsals: Sequence[Rehearsal], began: datetime, ended: datetime) -> Evidence:
    """Everything about one drill; it has passed when every rehearsal has."""
    return Evidence(
        began=began,
        ended=ended,
        host=node(),
        cores=os.cpu_count() or 1,
        version=__version__,
        passed=bool(rehearsals) and all(found.passed for found in rehearsals),
        rehearsals=tuple(rehearsals),
    )


def rows_of(rehearsals: Iterable[Rehearsal]) -> list[Row]:
    """The table, one row for each way."""
    by_way: dict[str, list[Rehearsal]] = {}
    for found in rehearsals:
        by_way.setdefault(found.way, []).append(found)
    return [_row(runs) for runs in by_way.values()]


def write_evidence(evidence: Evidence, place: Path) -> None:
    """Write both files into `place`, which must be there.

    Raises:
        OSError: it cannot be written.
    """
    (place / JSON_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(evidence), indent=1) + b"\n")
    (place / TABLE_FILE).write_text("\n".join(_told(evidence)) + "\n", encoding="utf-8")


def _row(runs: Sequence[Rehearsal]) -> Row:
    figures = [run.figures for run in runs if run.figures is not None]
    cancelled = [found.cancelled for found in figures if found.cancelled is not None]
    after = [found.cancelled - found.latched for found in figures if found.cancelled is not None]
    return Row(
        way=runs[0].way,
        does=runs[0].does,
        runs=len(runs),
        passed=sum(run.passed for run in runs),
        latched=_median([found.latched for found in figures]),
        cancelled=_median(cancelled),
        after_latch=_median(after),
        slowest=max(cancelled).quantize(_PLACES) if cancelled else None,
        flat=_median([found.flat for found in figures if found.flat is not None]),
        orders=sum(found.orders for found in figures),
        in_flight=sum(found.in_flight for found in figures),
    )


def _median(values: Sequence[Decimal]) -> Decimal | None:
    """The lower one of the two in the middle where there are two."""
    return sorted(values)[(len(values) - 1) // 2].quantize(_PLACES) if values else None


def _told(evidence: Evidence) -> Iterator[str]:
    yield "# Drill of the kill switch"
    yield ""
    verdict, when = "passed" if evidence.passed else "FAILED", f"{evidence.began:%Y-%m-%d %H:%M:%S}"
    yield f"{verdict}, {when} to {evidence.ended:%H:%M:%S} UTC, version {evidence.version}, on {evidence.host} with"
    yield f"{evidence.cores} cores. Times are seconds from the moment at which somebody began to stop orders, but for"
    yield "the time after the latch; medians over the runs. What was cancelled and closed is what the venue has booked."
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for row in rows_of(evidence.rehearsals):
        times = " | ".join("–" if t is None else str(t) for t in row.times)
        counts = f"{row.orders} | {row.in_flight}"
        yield f"| {row.way} | {row.does} | {row.passed} of {row.runs} | {times} | {counts} |"
    for found in evidence.rehearsals:
        yield ""
        yield f"## {found.way}, {found.at:%H:%M:%S}"
        yield ""
        if found.error:
            yield f"- could not be carried out: {found.error}"
        for check in found.checks:
            yield f"- {'passed' if check.passed else 'FAILED'}: {check.name}: {check.found}"
