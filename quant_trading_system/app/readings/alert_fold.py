"""What a person should look at, as the journal tells: halts, breaks, failed strategies, broken limits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from quant_trading_system.core.book_events import BreakClosed, BreakOpened, GroupAlarm
from quant_trading_system.core.breaks import Severity
from quant_trading_system.core.events import (
    AnyEvent,
    HaltLevel,
    KillSwitchEvent,
    RiskEvent,
    RiskEventKind,
    StrategyStopped,
    WatchdogActed,
)
from quant_trading_system.journal.projection import Difference

KEPT = 500


class Weight(StrEnum):
    """How urgent an alert is."""

    CRITICAL = "critical"  # trading has stopped, or the books cannot be trusted
    WARNING = "warning"  # somebody must act, and trading goes on
    INFO = "info"  # it is over, or only worth knowing


class AlertLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        seq: the entry that tells of it; `order_id`: the order that it is about, if any.
        what: a few words; `detail`: one sentence.
    """

    seq: int
    at: datetime
    weight: Weight
    what: str
    detail: str
    order_id: str = ""


class AlertFold:
    """The newest alerts, oldest first.

    Attributes:
        counts: of all that were read, by weight.
    """

    def __init__(self) -> None:
        self.lines: deque[AlertLine] = deque(maxlen=KEPT)
        self.counts: Counter[Weight] = Counter()
        self._seq = 0
        self._makers: dict[type, Callable[[Any], AlertLine | None]] = {
            KillSwitchEvent: self._halt,
            BreakOpened: self._opened,
            BreakClosed: self._closed,
            GroupAlarm: self._group,
            StrategyStopped: self._strategy,
            WatchdogActed: self._watchdog,
            RiskEvent: self._risk,
        }

    def take(self, seq: int, event: AnyEvent) -> None:
        """The next entry."""
        self._seq = seq
        maker = self._makers.get(type(event))
        line = None if maker is None else maker(event)
        if line is not None:
            self._keep(line)

    def differ(self, at: datetime, difference: Difference) -> None:
        """An entry contradicts the books."""
        self._seq = difference.seq
        self._keep(self._line(at, Weight.CRITICAL, "the journal contradicts itself", str(difference)))

    def _keep(self, line: AlertLine) -> None:
        self.lines.append(line)
        self.counts[line.weight] += 1

    def _line(self, at: datetime, weight: Weight, what: str, detail: str, order_id: str = "") -> AlertLine:
        return AlertLine(seq=self._seq, at=at, weight=weight, what=what, detail=detail, order_id=order_id)

    def _halt(self, event: KillSwitchEvent) -> AlertLine:
        if event.level is HaltLevel.RUNNING:
            return self._line(event.at, Weight.INFO, "orders may leave again", f"reset by {event.by}: {event.reason}")
        what = f"kill switch: {event.level.name.lower()}"
        return self._line(event.at, Weight.CRITICAL, what, f"{event.reason} (by {event.by})")

    def _opened(self, event: BreakOpened) -> AlertLine:
        weight = Weight.WARNING if event.found.severity is Severity.NOTICE else Weight.CRITICAL
        return self._line(event.at, weight, "our books and the broker's differ", str(event.found))

    def _closed(self, event: BreakClosed) -> AlertLine:
        return self._line(event.at, Weight.INFO, "a difference is gone", str(event.found))

    def _group(self, event: GroupAlarm) -> AlertLine:
        if not event.reason:
            return self._line(event.at, Weight.INFO, "exits are in order again", event.symbol, event.order_id)
        return self._line(event.at, Weight.CRITICAL, "exits are not in order", event.reason, event.order_id)

    def _strategy(self, event: StrategyStopped) -> AlertLine:
        return self._line(event.at, Weight.WARNING, f"strategy {event.strategy} was stopped", event.error)

    def _watchdog(self, event: WatchdogActed) -> AlertLine:
        return self._line(event.at, Weight.CRITICAL, "the watchdog acted", event.what)

    def _risk(self, event: RiskEvent) -> AlertLine | None:
        if event.reason is not RiskEventKind.LIMIT_BREACHED:
            return None
        numbers = f"{event.rule}: {event.actual} against a limit of {event.limit}"
        return self._line(event.at, Weight.CRITICAL, "a risk limit was broken", numbers, event.order_id)
