"""What people were asked to approve, and what they answered.

An approval is bound to a hash of what would be done: whoever approves says yes to exactly that. It is given by
distinct persons, and it is over once it is granted, refused, withdrawn or expired.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from quant_trading_system.core.event import Event


class ApprovalSubject(StrEnum):
    """What kind of thing is to be approved."""

    LIMITS = "limits"  # limits that let more through
    ORDER = "order"  # an order beyond a soft limit
    REBALANCE = "rebalance"  # a portfolio's trades


class ApprovalAnswer(StrEnum):
    """What a person says."""

    YES = "yes"
    NO = "no"


class ApprovalOutcome(StrEnum):
    """How an approval ended."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class ApprovalAsked(Event, frozen=True, kw_only=True, omit_defaults=True, tag="approval_asked"):
    """Something waits for people.

    Attributes:
        approval: its id, such as ``limits-3``.
        about: id of the thing itself where it has one.
        text: what would be done, in one line for people.
        content: hash of what would be done.
        needed: how many distinct persons have to say yes.
    """

    approval: str
    subject: ApprovalSubject
    text: str
    content: str
    asked_by: str
    needed: int
    expires_at: datetime
    about: str = ""


class ApprovalGiven(Event, frozen=True, kw_only=True, omit_defaults=True, tag="approval_given"):
    """A person said yes to `content`.

    Attributes:
        source: from where it was said: ``cli``, ``api`` or ``console``.
    """

    approval: str
    content: str
    by: str
    reason: str = ""
    source: str = ""


class ApprovalEnded(Event, frozen=True, kw_only=True, omit_defaults=True, tag="approval_ended"):
    """Nothing more can be said about it.

    Attributes:
        by: whose word ended it; empty when time did.
    """

    approval: str
    outcome: ApprovalOutcome
    by: str = ""
    reason: str = ""
    source: str = ""


AnyApprovalEvent = ApprovalAsked | ApprovalGiven | ApprovalEnded
