"""Approvals as the entries give them: those that still wait for people, with what was said so far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from quant_trading_system.core.approval_events import (
    AnyApprovalEvent,
    ApprovalAsked,
    ApprovalEnded,
    ApprovalGiven,
    ApprovalSubject,
)


class Consent(msgspec.Struct, frozen=True):
    """One person's yes; `at` is when it was said."""

    by: str
    at: datetime
    reason: str = ""


class ApprovalView(msgspec.Struct, kw_only=True):
    """One approval that has not ended.

    Attributes:
        seq: the entry that asked for it.
        given: who said yes, in that order.

    The others are those of `ApprovalAsked`.
    """

    approval: str
    seq: int
    subject: ApprovalSubject
    about: str
    text: str
    content: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    needed: int
    given: list[Consent] = msgspec.field(default_factory=list)


class ApprovalBook(msgspec.Struct, kw_only=True):
    """What is known of approvals.

    Attributes:
        asked: how many were ever asked for; numbers the next one.
        waiting: those that have not ended, by id.
    """

    asked: int = 0
    waiting: dict[str, ApprovalView] = msgspec.field(default_factory=dict)


class ApprovalFold:
    """Every approval, by id while it waits: `book`."""

    def __init__(self, differ: Callable[[str, object, object], None] = lambda *_: None) -> None:
        """Begin without any; `differ` is told where an entry contradicts those before it."""
        self.book = ApprovalBook()
        self._differ = differ

    def apply(self, seq: int, event: AnyApprovalEvent) -> None:
        """Take in the next event about an approval."""
        if isinstance(event, ApprovalAsked):
            self._ask(seq, event)
            return
        view = self.book.waiting.get(event.approval)
        if view is None:
            self._differ(f"approval {event.approval}", event.__struct_config__.tag, "never asked for, or ended before")
        elif isinstance(event, ApprovalEnded):
            del self.book.waiting[event.approval]
        else:
            self._give(view, event)

    def _ask(self, seq: int, event: ApprovalAsked) -> None:
        self.book.asked += 1
        if event.approval in self.book.waiting:
            self._differ(f"approval {event.approval}", "asked for", "asked for in an earlier entry")
        self.book.waiting[event.approval] = ApprovalView(
            approval=event.approval,
            seq=seq,
            subject=event.subject,
            about=event.about,
            text=event.text,
            content=event.content,
            asked_by=event.asked_by,
            asked_at=event.at,
            expires_at=event.expires_at,
            needed=event.needed,
        )

    def _give(self, view: ApprovalView, event: ApprovalGiven) -> None:
        if event.content != view.content:
            self._differ(f"content of approval {event.approval}", event.content, view.content)
            return
        view.given.append(Consent(event.by, event.at, event.reason))
