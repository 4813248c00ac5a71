"""What a person should look at, as the journal tells: halts, breaks, failed strategies, broken limits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from quant_trading_system.app.readings.alert_kinds import KINDS, AlertKind, Weight
from quant_trading_system.core.approval_events import ApprovalAsked, ApprovalEnded
from quant_trading_system.core.book_events import BreakClosed, BreakOpened, GroupAlarm
from quant_trading_system.core.breaks import Break, Severity
from quant_trading_system.core.events import (
    AnyEvent,
    HaltLevel,
    KillSwitchEvent,
    RiskEvent,
    RiskEventKind,
    StrategyStopped,
    WatchdogActed,
)
from quant_trading_system.core.limit_events import LimitsFileRefused
from quant_trading_system.journal.projection import Difference

KEPT = 500


class AlertLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened.

    Attributes:
        seq: the entry that tells of it; `order_id`: the order that it is about, if any.
        key: the same for all that is told about one matter.
        is_over: the matter has ended.
        what: a few words; `detail`: one sentence.
        runbook: where it says what this means and what to do.
    """

    seq: int
    at: datetime
    kind: AlertKind
    weight: Weight
    what: str
    detail: str
    key: str
    is_over: bool = False
    order_id: str = ""
    runbook: str = ""


def alert_line(
    kind: AlertKind,
    about: str,
    at: datetime,
    detail: str,
    *,
    of: AlertKind | None = None,
    seq: int = 0,
    weight: Weight | None = None,
    what: str = "",
    order_id: str = "",
) -> AlertLine:
    """An alert of `kind` about one thing; with `of`, it ends the alert of that kind."""
    usual = KINDS[kind]
    return AlertLine(
        seq=seq,
        at=at,
        kind=kind,
        weight=weight or usual.weight,
        what=what or usual.what,
        detail=detail,
        key=f"{of or kind}:{about}" if about else (of or kind).value,
        is_over=of is not None,
        order_id=order_id,
        runbook=kind.runbook,
    )


class AlertFold:
    """The newest alerts, oldest first.

    Attributes:
        counts: of all that were read, by weight.
    """

    def __init__(self) -> None:
        self.lines: deque[AlertLine] = deque(maxlen=KEPT)
        self.counts: Counter[Weight] = Counter()
        self._makers: dict[type, Callable[[Any], AlertLine | None]] = {
            KillSwitchEvent: self._halt,
            BreakOpened: self._opened,
            BreakClosed: self._closed,
            GroupAlarm: self._group,
            StrategyStopped: self._strategy,
            WatchdogActed: self._watchdog,
            RiskEvent: self._risk,
            LimitsFileRefused: self._limits_file,
            ApprovalAsked: self._asked,
            ApprovalEnded: self._ended,
        }

    def take(self, seq: int, event: AnyEvent) -> None:
        """The next entry."""
        maker = self._makers.get(type(event))
        line = None if maker is None else maker(event)
        if line is not None:
            self._keep(msgspec.structs.replace(line, seq=seq))

    def differ(self, at: datetime, difference: Difference) -> None:
        """An entry contradicts the books."""
        self._keep(alert_line(AlertKind.JOURNAL_DAMAGED, str(difference.seq), at, str(difference), seq=difference.seq))

    def _keep(self, line: AlertLine) -> None:
        self.lines.append(line)
        self.counts[line.weight] += 1

    def _halt(self, event: KillSwitchEvent) -> AlertLine:
        about = str(event.activation) if event.scope.is_account else f"{event.scope}:{event.activation}"
        if event.level is HaltLevel.RUNNING:
            told = f"reset by {event.by}: {event.reason}"
            return alert_line(AlertKind.RESUMED, about, event.at, told, of=AlertKind.HALTED)
        what = f"kill switch: {event.level.name.lower()}" + ("" if event.scope.is_account else f" for {event.scope}")
        return alert_line(AlertKind.HALTED, about, event.at, f"{event.reason} (by {event.by})", what=what)

    def _opened(self, event: BreakOpened) -> AlertLine:
        weight = Weight.WARNING if event.found.severity is Severity.NOTICE else None
        return alert_line(AlertKind.BREAK_OPENED, _named(event.found), event.at, str(event.found), weight=weight)

    def _closed(self, event: BreakClosed) -> AlertLine:
        about = _named(event.found)
        return alert_line(AlertKind.BREAK_CLOSED, about, event.at, str(event.found), of=AlertKind.BREAK_OPENED)

    def _group(self, event: GroupAlarm) -> AlertLine:
        kind = AlertKind.EXITS_MISSING if event.reason else AlertKind.EXITS_RESTORED
        of = None if event.reason else AlertKind.EXITS_MISSING
        told = event.reason or event.symbol
        return alert_line(kind, event.order_id, event.at, told, of=of, order_id=event.order_id)

    def _strategy(self, event: StrategyStopped) -> AlertLine:
        what = f"strategy {event.strategy} was stopped"
        return alert_line(AlertKind.STRATEGY_STOPPED, event.strategy, event.at, event.error, what=what)

    def _watchdog(self, event: WatchdogActed) -> AlertLine:
        return alert_line(AlertKind.WATCHDOG_ACTED, str(event.epoch), event.at, event.what)

    def _risk(self, event: RiskEvent) -> AlertLine | None:
        if event.reason not in (RiskEventKind.LIMIT_BREACHED, RiskEventKind.LIMIT_NEARED):
            return None
        numbers = f"{event.rule}: {event.actual} against a limit of {event.limit}"
        kind = AlertKind.LIMIT_NEARED if event.reason is RiskEventKind.LIMIT_NEARED else AlertKind.LIMIT_BROKEN
        return alert_line(kind, event.rule, event.at, numbers, order_id=event.order_id)

    def _limits_file(self, event: LimitsFileRefused) -> AlertLine:
        return alert_line(AlertKind.LIMITS_FILE_REFUSED, event.name, event.at, f"no limit changes: {event.why}")

    def _asked(self, event: ApprovalAsked) -> AlertLine:
        told = f"{event.text} (asked by {event.asked_by}, until {event.expires_at:%Y-%m-%d %H:%M})"
        return alert_line(AlertKind.APPROVAL_WAITING, event.approval, event.at, told)

    def _ended(self, event: ApprovalEnded) -> AlertLine:
        told = f"{event.approval} {event.outcome.value} {event.by}".rstrip()
        of = AlertKind.APPROVAL_WAITING
        return alert_line(AlertKind.APPROVAL_ENDED, event.approval, event.at, told, of=of)


def _named(found: Break) -> str:
    return f"{found.kind.value}:{found.subject}"
