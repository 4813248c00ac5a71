"""What an operator should hear from the adapters: conditions that are no event of an order.

An adapter tells, whoever built it decides: put it in the log, raise an alert, halt.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec


class NoticeKind(StrEnum):
    """What happened."""

    STREAM_UP = "stream_up"
    STREAM_DOWN = "stream_down"
    STREAM_SILENT = "stream_silent"  # connected, but mute where something was due
    GAP = "gap"  # messages were lost; the history is read instead
    QUARANTINED = "quarantined"  # a message that cannot be believed or understood
    HANDLER_FAILED = "handler_failed"  # a listener raised on a message
    CORRECTED = "corrected"  # the broker took an execution back or changed it; the books follow its history
    FILL_MISSING = "fill_missing"  # the broker's history does not show shares that its order says are filled
    WRONG_ECHO = "wrong_echo"  # an answer describes another order than the one that was sent
    CREDENTIALS_REFUSED = "credentials_refused"
    SECOND_CONNECTION = "second_connection"  # the broker admits one connection, and somebody else has it
    LATE_ARRIVAL = "late_arrival"  # an order showed up after it was given up
    CANCEL_LOST = "cancel_lost"  # asked for many times, and the order is open still
    IN_DOUBT = "in_doubt"  # nobody knows whether an order is working
    OVERFILL = "overfill"  # more has filled than was asked for
    PROTECTION_MISSING = "protection_missing"  # an entry has filled, and no exit at the broker protects it
    LEG_LOST = "leg_lost"  # an exit of a group has ended by itself
    EXITS_TOO_LARGE = "exits_too_large"  # an exit could close more than its entry has filled
    BOTH_EXITS_FILLED = "both_exits_filled"  # the exits of a group have closed more than was there
    STRATEGY_DISARMED = "strategy_disarmed"  # the same decision again and again; it takes no more risk
    RATE_LIMITED = "rate_limited"
    LOCK_LOST = "lock_lost"  # somebody else may be sending for the account
    CLOCK = "clock"  # our clock or calendar is not the broker's
    WATCHDOG = "watchdog"  # nobody stops the account should the engine hang
    HOLDING_NOT_LISTED = "holding_not_listed"  # the broker lists a symbol no more that is held
    BREAK_OPENED = "break_opened"  # our books and the broker's differ
    BREAK_CLOSED = "break_closed"  # and agree again
    PARENT_STOPPED = "parent_stopped"  # an algorithm paused or failed by itself; a person decides how to go on
    NO_HISTORY = "no_history"  # the history could not be read; it is tried again


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One condition.

    Attributes:
        source: the part that tells, such as ``order stream``.
        order_id: the client order id that it concerns, empty for none.
    """

    kind: NoticeKind
    source: str
    message: str
    order_id: str = ""


Notify = Callable[[Notice], None]
"""Whoever is told."""
