"""The limits in force, and what waits for people's approval, as the journal has them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from quant_trading_system.app.readings.follower import Follower
from quant_trading_system.config.loader import default_limits, limits_as_text, limits_from_text
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.risk.limit_changes import in_force


class LimitLine(msgspec.Struct, frozen=True, kw_only=True):
    """One key of `risk_params.yaml`.

    Attributes:
        value: as text, as it is on record; `unit`: what it counts; `allowed`: the range of the key, if it has one.
        raised_until: when a raise of it ends; None while it is not raised.
    """

    key: str
    section: str
    name: str
    value: str
    unit: str
    meaning: str
    allowed: str
    raised_until: datetime | None = None


class PendingApproval(msgspec.Struct, frozen=True, kw_only=True):
    """Something that waits for people, for instance a looser limit.

    Attributes:
        approval: its id; `text`: what would be done; `content`: hash of exactly that, part of every yes.
        needed: how many distinct persons have to say yes; `given`: who has.
    """

    approval: str
    subject: str
    text: str
    content: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    needed: int
    given: tuple[str, ...]


class LimitsReading(msgspec.Struct, frozen=True, kw_only=True):
    """All limits; empty before the first run. `pending`: what waits for approval, oldest first."""

    version: str
    lines: tuple[LimitLine, ...]
    pending: tuple[PendingApproval, ...] = ()


def limits_in_force(follower: Follower) -> dict[str, str]:
    """Every limit by ``section.key``, at the time of the last entry; empty before the first run."""
    with follower.lock:
        book, at = follower.books.limits.book, follower.books.at
        return {} if at is None or not book.approved else in_force(book.approved, book.raised, at)


def limits_reading(follower: Follower) -> LimitsReading:
    """The limits in force, in the order of the file."""
    with follower.lock:
        recorded, raised = limits_in_force(follower), dict(follower.books.limits.book.raised)
        version, pending = _version(follower, recorded), _pending(follower)
    lines = (
        LimitLine(
            key=key.path,
            section=key.section,
            name=key.name,
            value=recorded[key.path],
            unit=key.unit,
            meaning=key.meaning,
            allowed="" if key.range is None else str(key.range),
            raised_until=raised[key.path].until if key.path in raised else None,
        )
        for key in KEYS
        if key.path in recorded
    )
    return LimitsReading(version=version, lines=tuple(lines), pending=pending)


def _version(follower: Follower, recorded: dict[str, str]) -> str:
    """The hash that every verdict names."""
    run = follower.books.run
    if not follower.books.limits.book.governed:
        return "" if run is None else run.limits_version
    texts = limits_as_text(default_limits()) | recorded
    return limits_from_text(texts, "the limits on record", contradictory=True).version


def _pending(follower: Follower) -> tuple[PendingApproval, ...]:
    return tuple(
        PendingApproval(
            approval=view.approval,
            subject=view.subject.value,
            text=view.text,
            content=view.content,
            asked_by=view.asked_by,
            asked_at=view.asked_at,
            expires_at=view.expires_at,
            needed=view.needed,
            given=tuple(consent.by for consent in view.given),
        )
        for view in follower.books.approvals.book.waiting.values()
    )
