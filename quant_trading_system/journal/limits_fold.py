"""The limits of an account as the entries give them: approved for good, raised for a while, proposed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalOutcome
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.limit_events import (
    AnyLimitEvent,
    LimitChange,
    LimitsProposed,
    LimitsRaised,
    LimitsSet,
)


class Raised(msgspec.Struct, frozen=True):
    """The value of one limit until a moment."""

    value: str
    until: datetime
    approval: str
    by: str
    why: str


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that somebody wants; `granted` while they are approved and not yet in force.

    The others are those of `LimitsProposed`.
    """

    approval: str
    at: datetime
    changes: tuple[LimitChange, ...]
    by: str
    why: str
    until: datetime | None
    source: str
    granted: bool = False


class LimitsBook(msgspec.Struct, kw_only=True):
    """What is known of the limits.

    Attributes:
        approved: every limit that is approved for good, by ``section.key``; empty before the first run.
        governed: they were changed or raised since the first run, so that a run's own say nothing any more.
        raised: limits that are raised, by key.
        proposals: by the id of their approval.
    """

    approved: dict[str, str] = msgspec.field(default_factory=dict)
    governed: bool = False
    raised: dict[str, Raised] = msgspec.field(default_factory=dict)
    proposals: dict[str, Proposal] = msgspec.field(default_factory=dict)


class LimitsFold:
    """Everything about the limits: `book`."""

    def __init__(self) -> None:
        """Begin without any."""
        self.book = LimitsBook()

    def begin_run(self, event: RunStarted) -> None:
        """The limits of a run are the approved ones until the first change is on record."""
        if not self.book.governed:
            self.book.approved = dict(event.limits)

    def end_approval(self, event: ApprovalEnded) -> None:
        """A proposal that was granted stays until its limits are in force; any other is gone."""
        proposal = self.book.proposals.pop(event.approval, None)
        if proposal is not None and event.outcome is ApprovalOutcome.GRANTED:
            self.book.proposals[event.approval] = msgspec.structs.replace(proposal, granted=True)

    def apply(self, event: AnyLimitEvent) -> None:
        """Take in the next event about limits."""
        book = self.book
        if isinstance(event, LimitsSet):
            book.approved, book.governed = dict(event.limits), True
            book.proposals.pop(event.approval, None)
        elif isinstance(event, LimitsProposed):
            book.proposals[event.approval] = Proposal(
                approval=event.approval,
                at=event.at,
                changes=event.changes,
                by=event.by,
                why=event.why,
                until=event.until,
                source=event.source,
            )
        elif isinstance(event, LimitsRaised):
            book.proposals.pop(event.approval, None)
            book.governed = True
            for change in event.changes:
                book.raised[change.key] = Raised(change.now, event.until, event.approval, event.by, event.why)
        else:
            for key in event.keys:
                book.raised.pop(key, None)
