"""The life of an order as a table: what is not listed cannot happen.

Two independent parts. *Life* says what is true at the broker; *request* says what we have asked for and
not yet heard back. A cancel that was accepted for processing is a request, not a cancelled order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from quant_trading_system.core.exceptions import InvalidTransition


class OrderStatus(StrEnum):
    """What is true of the order at the broker, as far as the evidence goes.

    Attributes:
        is_open: the order may trade, as far as we know, so limits count it in full.
        is_terminal: nothing more is expected, though a late fill proven by the broker is still booked.
    """

    is_open: bool
    is_terminal: bool

    CREATED = "created"
    DENIED = "denied"  # our own gate said no; it never left us
    SENT = "sent"  # on record as sending; no answer yet
    UNSENT = "unsent"  # proof that no byte left us
    IN_DOUBT = "in_doubt"  # may be live: ask by client order id, never send again
    ABSENT = "absent"  # proven not to be there, and watched for ever
    HELD = "held"  # waits at the broker for its parent or its session
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    SUSPENDED = "suspended"
    DONE_FOR_DAY = "done_for_day"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"  # the broker said no
    REPLACED = "replaced"


class OrderTrigger(StrEnum):
    """What can happen to the life of an order."""

    DENY = "deny"
    ADOPT = "adopt"  # somebody else's order, seen at the broker
    SEND = "send"
    NOT_SENT = "not_sent"
    TIME_OUT = "time_out"
    FIND_ABSENT = "find_absent"
    HOLD = "hold"
    ACCEPT = "accept"
    REJECT = "reject"
    FILL_PART = "fill_part"
    FILL_LAST = "fill_last"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REPLACE = "replace"
    SUSPEND = "suspend"
    FINISH_DAY = "finish_day"
    BUST_PART = "bust_part"  # the broker took executions back, and some are left
    BUST_ALL = "bust_all"


class PendingRequest(StrEnum):
    """What we asked of a working order and have not heard back about."""

    NONE = "none"
    CANCEL = "cancel"
    REPLACE = "replace"


class RequestTrigger(StrEnum):
    """What can happen to a pending request."""

    ASK_CANCEL = "ask_cancel"
    ASK_REPLACE = "ask_replace"
    REFUSED = "refused"
    SETTLED = "settled"  # the order's life changed so that nothing is pending any more


S, T = OrderStatus, OrderTrigger

_TERMINAL = frozenset({S.DENIED, S.UNSENT, S.ABSENT, S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED})
_ENDED = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED})  # at the broker
_OPEN = frozenset({S.SENT, S.IN_DOUBT, S.HELD, S.WORKING, S.PARTIALLY_FILLED, S.SUSPENDED, S.DONE_FOR_DAY})
for _status in S:  # plain attributes: nothing is asked more often
    _status.is_open, _status.is_terminal = _status in _OPEN, _status in _TERMINAL

BROKER_WORDS: Mapping[OrderTrigger, OrderStatus] = {
    T.HOLD: S.HELD,
    T.ACCEPT: S.WORKING,
    T.REJECT: S.REJECTED,
    T.FILL_PART: S.PARTIALLY_FILLED,
    T.FILL_LAST: S.FILLED,
    T.CANCEL: S.CANCELED,
    T.EXPIRE: S.EXPIRED,
    T.REPLACE: S.REPLACED,
    T.SUSPEND: S.SUSPENDED,
    T.FINISH_DAY: S.DONE_FOR_DAY,
}
"""What only the broker can say of an order, and what is true of it then."""


def _rows(status: OrderStatus, *triggers: OrderTrigger) -> dict[tuple[OrderStatus, OrderTrigger], OrderStatus]:
    return {(status, trigger): BROKER_WORDS[trigger] for trigger in triggers}


TRANSITIONS: Mapping[tuple[OrderStatus, OrderTrigger], OrderStatus] = MappingProxyType(
    {
        (S.CREATED, T.DENY): S.DENIED,
        (S.CREATED, T.SEND): S.SENT,
        (S.CREATED, T.ADOPT): S.WORKING,  # until the broker says more, it may trade
        (S.SENT, T.NOT_SENT): S.UNSENT,
        (S.SENT, T.TIME_OUT): S.IN_DOUBT,
        **_rows(S.SENT, *BROKER_WORDS),  # answers may skip steps: the first word can be the last fill
        **_rows(S.IN_DOUBT, *BROKER_WORDS),
        (S.IN_DOUBT, T.FIND_ABSENT): S.ABSENT,
        **_rows(S.ABSENT, *BROKER_WORDS),  # late evidence: a request can arrive after we gave up on it
        **_rows(S.HELD, *BROKER_WORDS),
        **_rows(S.WORKING, *BROKER_WORDS),  # REJECT: accepted first, refused by the exchange seconds later
        **_rows(S.SUSPENDED, *BROKER_WORDS),
        **_rows(S.DONE_FOR_DAY, *BROKER_WORDS),
        **_rows(S.PARTIALLY_FILLED, T.FILL_PART, T.FILL_LAST, T.CANCEL, T.EXPIRE, T.REPLACE, T.SUSPEND, T.FINISH_DAY),
        (S.PARTIALLY_FILLED, T.ACCEPT): S.PARTIALLY_FILLED,  # the acknowledgement came after the first fill
        (S.PARTIALLY_FILLED, T.HOLD): S.PARTIALLY_FILLED,
        (S.PARTIALLY_FILLED, T.REJECT): S.REJECTED,  # the rest was refused; what filled stays ours
        # The stream was faster than an answer that never came: what it told stands.
        **{(s, T.TIME_OUT): s for s in (_OPEN - {S.SENT}) | _ENDED},
        # Terminal states absorb what overtook them or follows late; fills still move the position.
        **{(s, t): s for s in _ENDED for t in BROKER_WORDS if t is not T.FILL_LAST},
        **{(s, T.FILL_LAST): S.FILLED for s in _ENDED - {S.REPLACED}},
        (S.REPLACED, T.FILL_LAST): S.REPLACED,  # a late fill of the old leg counts against the same intent
        # A recorded correction is the only way out of an end: what is not filled any more will not trade any more.
        **{(s, t): s for s in (_OPEN - {S.SENT}) | _ENDED | {S.ABSENT} for t in (T.BUST_PART, T.BUST_ALL)},
        (S.PARTIALLY_FILLED, T.BUST_ALL): S.WORKING,
        (S.FILLED, T.BUST_PART): S.CANCELED,
        (S.FILLED, T.BUST_ALL): S.CANCELED,
    }
)

REQUESTS: Mapping[tuple[PendingRequest, RequestTrigger], PendingRequest] = MappingProxyType(
    {
        (PendingRequest.NONE, RequestTrigger.ASK_CANCEL): PendingRequest.CANCEL,
        (PendingRequest.NONE, RequestTrigger.ASK_REPLACE): PendingRequest.REPLACE,
        (PendingRequest.NONE, RequestTrigger.SETTLED): PendingRequest.NONE,
        (PendingRequest.CANCEL, RequestTrigger.ASK_CANCEL): PendingRequest.CANCEL,
        (PendingRequest.CANCEL, RequestTrigger.REFUSED): PendingRequest.NONE,
        (PendingRequest.CANCEL, RequestTrigger.SETTLED): PendingRequest.NONE,
        (PendingRequest.REPLACE, RequestTrigger.ASK_CANCEL): PendingRequest.CANCEL,  # stopping outranks changing
        (PendingRequest.REPLACE, RequestTrigger.REFUSED): PendingRequest.NONE,
        (PendingRequest.REPLACE, RequestTrigger.SETTLED): PendingRequest.NONE,
    }
)


def advance(status: OrderStatus, trigger: OrderTrigger) -> OrderStatus:
    """The status that follows.

    Raises:
        InvalidTransition: the table has no row for this pair.
    """
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise InvalidTransition(f"an order that is {status} does not expect {trigger}") from None


def advance_request(pending: PendingRequest, trigger: RequestTrigger) -> PendingRequest:
    """The pending request that follows.

    Raises:
        InvalidTransition: for instance a second replace while one is pending.
    """
    try:
        return REQUESTS[pending, trigger]
    except KeyError:
        raise InvalidTransition(f"with {pending} pending, {trigger} is not possible") from None
