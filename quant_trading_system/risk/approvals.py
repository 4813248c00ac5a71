"""Asking people, and counting what they say: distinct persons, each for exactly what would be done.

An approval is bound to a hash of its content: what people were shown is what is done, or nothing is. Everything
is durable in the journal before it counts, so a restart neither loses a word nor adds one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from hashlib import blake2b

from quant_trading_system.core.approval_events import (
    AnyApprovalEvent,
    ApprovalAsked,
    ApprovalEnded,
    ApprovalGiven,
    ApprovalOutcome,
    ApprovalSubject,
)
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ApprovalRefused
from quant_trading_system.core.wording import one_line
from quant_trading_system.journal.approval_fold import ApprovalFold, ApprovalView

Listener = Callable[[ApprovalView, ApprovalEnded], None]


def content_hash(*parts: object) -> str:
    """Twelve hexadecimal digits that change with every one of `parts`."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=6).hexdigest()


class Approvals:
    """What waits for people in one account.

    >>> from quant_trading_system.core.clock import ManualClock
    >>> from datetime import UTC, datetime
    >>> clock = ManualClock(datetime(2026, 1, 5, 15, tzinfo=UTC))
    >>> approvals = Approvals(ApprovalFold(), record=lambda event: 1, clock=clock, authorized=lambda: ("Ana", "Ben"))
    >>> asked = approvals.ask(ApprovalSubject.LIMITS, text="max_position_pct from 0.10 to 0.12",
    ...     content=content_hash("max_position_pct", "0.12"), asked_by="Ana", needed=2, lasts=timedelta(hours=1))
    >>> approvals.give(asked.approval, by="Ana", content=asked.content)
    False
    >>> approvals.give(asked.approval, by="Ben", content=asked.content)
    True
    """

    def __init__(
        self,
        fold: ApprovalFold,
        *,
        record: Callable[[AnyApprovalEvent], int],
        clock: Clock,
        authorized: Callable[[], Collection[str]],
    ) -> None:
        """Go on from `fold`, which is taken over.

        Args:
            record: writes an event durably into the journal, and gives its number.
            authorized: who may approve now; empty means any named person.
        """
        self._fold = fold
        self._record = record
        self._clock = clock
        self._authorized = authorized
        self._listeners: list[Listener] = []

    @property
    def waiting(self) -> list[ApprovalView]:
        """All that has not ended, oldest first."""
        return list(self._fold.book.waiting.values())

    def on_ended(self, listener: Listener) -> None:
        """Tell `listener` of every approval that ends, after that is on record."""
        self._listeners.append(listener)

    def find(self, approval: str) -> ApprovalView:
        """The approval of that id.

        Raises:
            ApprovalRefused: none of that id waits.
        """
        view = self._fold.book.waiting.get(approval)
        if view is None:
            raise ApprovalRefused(f"no approval {approval} is waiting; `qts approvals list` shows those that are")
        return view

    def next_id(self, subject: ApprovalSubject) -> str:
        """The id that the next approval will have; ids are never used twice."""
        return f"{subject}-{self._fold.book.asked + 1}"

    def require_askable(self, asked_by: str, needed: int) -> None:
        """Refuse a question that nobody asks, or that can never be granted.

        Raises:
            ApprovalRefused: it is not said who asks, or there are not so many persons who may approve.
        """
        if not asked_by.strip():
            raise ApprovalRefused("say who asks: an approval names a person or a part of the system")
        allowed = self._authorized()
        persons = {_person(name) for name in allowed}
        if allowed and len(persons) < needed:
            raise ApprovalRefused(
                f"{needed} persons have to approve this, and only {len(persons)} may: {', '.join(allowed)}"
            )

    def ask(
        self,
        subject: ApprovalSubject,
        *,
        text: str,
        content: str,
        asked_by: str,
        needed: int,
        lasts: timedelta,
        about: str = "",
    ) -> ApprovalView:
        """Ask `needed` persons for a yes to `content` within `lasts`.

        Raises:
            ApprovalRefused: as `require_askable`.
        """
        asked_by = one_line(asked_by)
        self.require_askable(asked_by, needed)
        now = self._clock.now()
        event = ApprovalAsked(
            at=now,
            approval=self.next_id(subject),
            subject=subject,
            text=one_line(text),
            content=content,
            asked_by=asked_by,
            needed=max(needed, 1),
            expires_at=now + lasts,
            about=about,
        )
        self._apply(event)
        return self._fold.book.waiting[event.approval]

    def give(self, approval: str, *, by: str, content: str, reason: str = "", source: str = "") -> bool:
        """Say yes to `content`; True when that was the last yes needed.

        Args:
            content: the hash of what the person was shown.

        Raises:
            ApprovalRefused: the person may not approve or has done so, the content is another, or it has expired.
        """
        view, by = self._open(approval), one_line(by)
        self._require_authority(by)
        if content != view.content:
            raise ApprovalRefused(f"{approval} is about {view.content}, not about {content}; look at it again")
        if any(_person(consent.by) == _person(by) for consent in view.given):
            raise ApprovalRefused(f"{by} has approved {approval} already; {self._missing(view)} more persons have to")
        given = ApprovalGiven(
            at=self._clock.now(), approval=approval, content=content, by=by, reason=one_line(reason), source=source
        )
        self._apply(given)
        if self._missing(view):
            return False
        self._end(view, ApprovalOutcome.GRANTED, by, reason, source)
        return True

    def refuse(self, approval: str, *, by: str, reason: str, source: str = "") -> None:
        """Say no, for good.

        Raises:
            ApprovalRefused: nobody is named, the person may not approve, or nothing of that id waits.
        """
        view, by = self._open(approval), one_line(by)
        self._require_authority(by)
        self._end(view, ApprovalOutcome.REFUSED, by, reason, source)

    def withdraw(self, approval: str, *, by: str, reason: str, source: str = "") -> None:
        """Take the question back, whoever asked it: less is done afterwards, never more.

        Raises:
            ApprovalRefused: nothing of that id waits.
        """
        self._end(self._open(approval), ApprovalOutcome.WITHDRAWN, one_line(by), reason, source)

    def expire(self) -> None:
        """End what has waited too long; call it at every turn, without anything to do it costs next to nothing."""
        if not self._fold.book.waiting:
            return
        now = self._clock.now()
        for view in self.waiting:
            if now >= view.expires_at:
                self._end(view, ApprovalOutcome.EXPIRED, "", f"nobody decided by {view.expires_at:%Y-%m-%d %H:%M:%S}")

    def _open(self, approval: str) -> ApprovalView:
        self.expire()
        return self.find(approval)

    def _missing(self, view: ApprovalView) -> int:
        """Persons who still have to say yes; a yes counts while its person may approve."""
        allowed = {_person(name) for name in self._authorized()}
        persons = {_person(consent.by) for consent in view.given}
        return max(view.needed - len(persons & allowed if allowed else persons), 0)

    def _require_authority(self, by: str) -> None:
        if not by:
            raise ApprovalRefused("an approval needs the name of the person who decides")
        allowed = self._authorized()
        if allowed and _person(by) not in {_person(name) for name in allowed}:
            raise ApprovalRefused(f"{by} is not on the list of authorized_approvers")

    def _end(self, view: ApprovalView, outcome: ApprovalOutcome, by: str, reason: str, source: str = "") -> None:
        ended = ApprovalEnded(
            at=self._clock.now(),
            approval=view.approval,
            outcome=outcome,
            by=by,
            reason=one_line(reason),
            source=source,
        )
        self._apply(ended)
        for listener in self._listeners:
            listener(view, ended)

    def _apply(self, event: AnyApprovalEvent) -> None:
        self._fold.apply(self._record(event), event)


def _person(name: str) -> str:
    """One person, however the name is spelt."""
    return " ".join(name.split()).casefold()
