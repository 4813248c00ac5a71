"""Every kind of alert, how urgent it is, and where its runbook stands."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

RUNBOOKS = "docs/operations.md"


class Weight(StrEnum):
    """How urgent an alert is."""

    PAGE = "page"  # wake somebody: both groups are told at once
    CRITICAL = "critical"  # trading has stopped, or the books cannot be trusted
    WARNING = "warning"  # somebody must act, and trading goes on
    INFO = "info"  # it is over, or only worth knowing


class AlertKind(StrEnum):
    """What happened; the value is the heading of its runbook."""

    HALTED = "halted"
    HALT_INCOMPLETE = "halt_incomplete"
    RESUMED = "resumed"
    BREAK_OPENED = "break_opened"
    BREAK_CLOSED = "break_closed"
    EXITS_MISSING = "exits_missing"
    EXITS_RESTORED = "exits_restored"
    LIMIT_NEARED = "limit_neared"
    LIMIT_BROKEN = "limit_broken"
    LIMITS_FILE_REFUSED = "limits_file_refused"
    STRATEGY_STOPPED = "strategy_stopped"
    WATCHDOG_ACTED = "watchdog_acted"
    WATCHDOG_GONE = "watchdog_gone"
    ENGINE_GONE = "engine_gone"
    ORDER_IN_DOUBT = "order_in_doubt"
    RECONCILIATION_OLD = "reconciliation_old"
    LINE_DOWN = "line_down"
    ADAPTER_ALARM = "adapter_alarm"
    APPROVAL_WAITING = "approval_waiting"
    APPROVAL_ENDED = "approval_ended"
    DISK_FULL = "disk_full"
    CLOCK_WRONG = "clock_wrong"
    JOURNAL_DAMAGED = "journal_damaged"
    TEST = "test"

    @property
    def runbook(self) -> str:
        """Where it says what this means and what to do."""
        return f"{RUNBOOKS}#{self.value}"


class Usual(NamedTuple):
    """How a kind is told, where nothing else is said."""

    weight: Weight
    what: str


K, W = AlertKind, Weight
KINDS: dict[AlertKind, Usual] = {
    K.HALTED: Usual(W.PAGE, "the kill switch is active"),
    K.HALT_INCOMPLETE: Usual(W.PAGE, "orders still work after a halt"),
    K.RESUMED: Usual(W.INFO, "orders may leave again"),
    K.BREAK_OPENED: Usual(W.CRITICAL, "our books and the broker's differ"),
    K.BREAK_CLOSED: Usual(W.INFO, "a difference is gone"),
    K.EXITS_MISSING: Usual(W.PAGE, "exits are not in order"),
    K.EXITS_RESTORED: Usual(W.INFO, "exits are in order again"),
    K.LIMIT_NEARED: Usual(W.WARNING, "a limit is near"),
    K.LIMIT_BROKEN: Usual(W.CRITICAL, "a risk limit was broken"),
    K.LIMITS_FILE_REFUSED: Usual(W.WARNING, "a limits file is not understood"),
    K.STRATEGY_STOPPED: Usual(W.WARNING, "a strategy was stopped"),
    K.WATCHDOG_ACTED: Usual(W.PAGE, "the watchdog acted"),
    K.WATCHDOG_GONE: Usual(W.CRITICAL, "no watchdog"),
    K.ENGINE_GONE: Usual(W.PAGE, "the engine is gone"),
    K.ORDER_IN_DOUBT: Usual(W.CRITICAL, "the fate of an order is unknown"),
    K.RECONCILIATION_OLD: Usual(W.WARNING, "the books were not compared for long"),
    K.LINE_DOWN: Usual(W.CRITICAL, "a line to the broker is down or silent"),
    K.ADAPTER_ALARM: Usual(W.WARNING, "the engine noticed something"),
    K.APPROVAL_WAITING: Usual(W.WARNING, "something waits for approval"),
    K.APPROVAL_ENDED: Usual(W.INFO, "an approval ended"),
    K.DISK_FULL: Usual(W.PAGE, "the disk is full"),
    K.CLOCK_WRONG: Usual(W.CRITICAL, "a clock is wrong"),
    K.JOURNAL_DAMAGED: Usual(W.PAGE, "the journal cannot be believed"),
    K.TEST: Usual(W.INFO, "this is a test"),
}
"""Every kind with its usual weight and words."""
