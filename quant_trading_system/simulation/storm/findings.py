"""What the auditor has looked at and what it found, in the order in which it happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

import msgspec

MOST_KEPT = 50
"""Violations of a day that are kept in words; the first one tells the story."""
_STORY = 40

Words = str | Callable[[], str]


class Violation(msgspec.Struct, frozen=True):
    """An invariant that did not hold.

    Attributes:
        at: the true time, UTC, ISO 8601.
        story: the last lines of the account and of the day before it.
    """

    invariant: str
    at: str
    what: str
    story: tuple[str, ...]


class Findings:
    """Counts checks and keeps what did not hold.

    Attributes:
        checks: how often each invariant was checked.
        story: what happened, one line each.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.checks: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self.story: list[str] = []
        self._now = now

    def tell(self, line: str) -> None:
        """Something happened."""
        self.story.append(f"{self._now():%H:%M:%S.%f}  {line}")

    def require(self, invariant: str, holds: object, what: Words) -> None:
        """The invariant was checked; if it does not hold, `what` says how that shows."""
        self.checks[invariant] += 1
        if not holds:
            self.report(invariant, what if isinstance(what, str) else what())

    def report(self, invariant: str, what: str) -> None:
        """The invariant does not hold."""
        self.tell(f"VIOLATION of {invariant}: {what}")
        if len(self.violations) < MOST_KEPT:
            self.violations.append(Violation(invariant, self._now().isoformat(), what, tuple(self.story[-_STORY:])))
