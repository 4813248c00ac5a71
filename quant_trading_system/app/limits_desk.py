"""The limits of an account from its journal: what is in force, how that came about, and changing it.

While an engine runs it keeps the journal, so changes go through its door; while none runs, they are appended here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from quant_trading_system.app.account_files import JOURNAL_FILE
from quant_trading_system.app.governing import governance_of
from quant_trading_system.config.loader import default_limits, limits_as_text, limits_from_text
from quant_trading_system.config.reasons import shipped_reasons
from quant_trading_system.config.risk_keys import KEYS
from quant_trading_system.core.approval_events import ApprovalAsked, ApprovalEnded, ApprovalGiven, ApprovalOutcome
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.command import Source
from quant_trading_system.core.commands import AnswerApproval, AnyCommand, Outcome, ProposeLimits
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.exceptions import ConfigurationError, EngineNotRunning, JournalUnavailable
from quant_trading_system.core.limit_events import LimitChange, LimitsProposed, LimitsRaised, LimitsSet, RaiseEnded
from quant_trading_system.execution.credentials import TradingMode
from quant_trading_system.journal.approval_fold import ApprovalFold, ApprovalView
from quant_trading_system.journal.limits_fold import LimitsBook, LimitsFold
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.store import Journal, JournalSource
from quant_trading_system.risk.limit_changes import in_force
from quant_trading_system.risk.limits_governance import LimitsGovernance
from quant_trading_system.trading import operator_limits

_KINDS = (
    "run_started",
    "limits_set",
    "limits_proposed",
    "limits_raised",
    "raise_ended",
    "approval_asked",
    "approval_given",
    "approval_ended",
)


class Version(msgspec.Struct, kw_only=True):
    """Limits that were approved, and how they came to be.

    Attributes:
        number: from 1, oldest first; `version`: their hash.
        changes: against the version before it; empty for the first.
        approved_by: who said yes; empty where nobody had to.
    """

    number: int
    version: str
    at: datetime
    by: str
    why: str
    changes: tuple[LimitChange, ...]
    limits: dict[str, str]
    approved_by: tuple[str, ...] = ()
    source: str = ""


class LimitLine(msgspec.Struct, kw_only=True):
    """One limit as it stands.

    Attributes:
        in_force: now; `approved`: for good.
        raised_until: when a raise ends; None when it is not raised.
        pending: values that wait for people, each with the approval that it needs.
        why: the reason given for its latest change, else the reason of the shipped value.
    """

    key: str
    in_force: str
    approved: str
    raised_until: datetime | None
    pending: dict[str, str]
    why: str


class LimitsShown(msgspec.Struct, kw_only=True):
    """Every limit in force; `version`: their hash, as every verdict names it."""

    version: str
    limits: tuple[LimitLine, ...]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Approvals that have not ended at `at`, oldest first."""

    at: datetime
    approvals: tuple[ApprovalView, ...]


class Governed(msgspec.Struct, kw_only=True):
    """What a journal says about limits and approvals.

    Attributes:
        mode: of the last run; ``live`` means real money.
    """

    book: LimitsBook
    waiting: list[ApprovalView]
    versions: list[Version]
    mode: str


def version_named(versions: Sequence[Version], wanted: str) -> Version:
    """The version of that number or hash; the beginning of a hash is enough.

    Raises:
        ConfigurationError: there is none.
    """
    for version in reversed(versions):
        if wanted == str(version.number) or (len(wanted) >= 4 and version.version.startswith(wanted)):
            return version
    raise ConfigurationError(f"{wanted}: no such version of the limits; `qts limits history` lists them")


def limits_shown(governed: Governed, now: datetime) -> LimitsShown:
    """The limits of an account as they stand at `now`."""
    return LimitsShown(version=version_in_force(governed, now), limits=tuple(lines_of(governed, now)))


def waiting_at(governed: Governed, now: datetime) -> Waiting:
    """What waits for people at `now`."""
    return Waiting(at=now, approvals=tuple(view for view in governed.waiting if now < view.expires_at))


def read_governed(source: JournalSource) -> Governed:
    """Everything about limits and approvals in a journal; only their entries are read."""
    limits, approvals = LimitsFold(), ApprovalFold()
    versions: list[Version] = []
    said: dict[str, list[str]] = {}
    mode = ""
    for entry in source.entries(kinds=_KINDS):
        event = entry.event
        if isinstance(event, RunStarted):
            mode = event.mode
            _begin(limits, versions, event)
        elif isinstance(event, LimitsSet):
            limits.apply(event)
            versions.append(_version(len(versions) + 1, event, tuple(said.pop(event.approval, ()))))
        elif isinstance(event, LimitsProposed | LimitsRaised | RaiseEnded):
            limits.apply(event)
        elif isinstance(event, ApprovalAsked | ApprovalGiven | ApprovalEnded):
            approvals.apply(entry.seq, event)
            if isinstance(event, ApprovalGiven):
                said.setdefault(event.approval, []).append(event.by)
            elif isinstance(event, ApprovalEnded):
                limits.end_approval(event)
                if event.outcome is not ApprovalOutcome.GRANTED:
                    said.pop(event.approval, None)
    return Governed(book=limits.book, waiting=list(approvals.book.waiting.values()), versions=versions, mode=mode)


def lines_of(governed: Governed, now: datetime) -> list[LimitLine]:
    """Every limit as it stands at `now`, in the order of the file."""
    book = governed.book
    shipped = limits_as_text(default_limits())
    current = shipped | in_force(book.approved, book.raised, now)
    reasons = shipped_reasons()
    for version in governed.versions[1:]:
        reasons |= {change.key.partition(".")[2]: version.why for change in version.changes}
    found = []
    for key in KEYS:
        raised = book.raised.get(key.path)
        until = raised.until if raised is not None and now < raised.until else None
        pending = {p.approval: c.now for p in book.proposals.values() for c in p.changes if c.key == key.path}
        line = LimitLine(
            key=key.path,
            in_force=current[key.path],
            approved=book.approved.get(key.path, shipped[key.path]),
            raised_until=until,
            pending=pending,
            why=raised.why if raised is not None and until is not None else reasons[key.name],
        )
        found.append(line)
    return found


def version_in_force(governed: Governed, now: datetime) -> str:
    """The hash of the limits in force, as every verdict names it."""
    book = governed.book
    texts = limits_as_text(default_limits()) | in_force(book.approved, book.raised, now)
    return limits_from_text(texts, "the limits on record", contradictory=True).version


class Door(Protocol):
    """A way to a running engine."""

    async def ask(self, command: AnyCommand, *, key: str, principal: str, source: Source) -> Outcome:
        """Have `command` carried out, as `EngineDoor.ask`."""


async def change_limits(
    door: Door,
    directory: Path,
    command: ProposeLimits | AnswerApproval,
    by: str,
    source: Source,
    key: str,
    clock: Clock,
) -> Outcome:
    """Have a change made by the engine of an account, or here where none runs.

    Args:
        door: of the engine; `directory`: of its account.
        by: who answers for it; `source`: the way in.
        key: names the intention, so that a repeat acts once.

    Raises:
        JournalUnavailable: there is no journal, or it is kept by a process that takes no commands.
        ConfigurationError, ApprovalRefused: it cannot be done, and why.
    """
    try:
        return await door.ask(command, key=key, principal=by, source=source)
    except EngineNotRunning:
        with changing(directory, clock) as governance:
            if isinstance(command, ProposeLimits):
                return operator_limits.propose(governance, command, by, source)
            return operator_limits.answer(governance, command, by, source)


@contextmanager
def changing(directory: Path, clock: Clock) -> Iterator[LimitsGovernance]:
    """The governed limits of an account for which no engine runs; changes are durable at once.

    Raises:
        JournalUnavailable: there is no journal, or an engine keeps it.
    """
    from quant_trading_system.app.surroundings import open_journal

    path = directory / JOURNAL_FILE
    if not path.is_file():
        raise JournalUnavailable(f"{path}: no such journal; `qts trade` makes one, --name says which")
    journal: Journal = open_journal(directory)
    with journal:
        books = Projection()
        for entry in journal.entries(kinds=_KINDS):
            books.apply(entry.seq, entry.event)
        is_live = books.run is not None and books.run.mode == TradingMode.LIVE.value
        yield governance_of(books, journal, clock, file=default_limits(), is_live=is_live)


def _begin(limits: LimitsFold, versions: list[Version], event: RunStarted) -> None:
    before = limits.book.approved
    limits.begin_run(event)
    if limits.book.governed or (versions and limits.book.approved == before):
        return
    changes = tuple(
        LimitChange(key, before.get(key, ""), text) for key, text in event.limits.items() if before.get(key) != text
    )
    versions.append(
        Version(
            number=len(versions) + 1,
            version=event.limits_version,
            at=event.at,
            by="",
            why=f"run {event.run} began with them",
            changes=changes if before else (),
            limits=dict(event.limits),
            source="file",
        )
    )


def _version(number: int, event: LimitsSet, approved_by: tuple[str, ...]) -> Version:
    return Version(
        number=number,
        version=event.version,
        at=event.at,
        by=event.by,
        why=event.why,
        changes=event.changes,
        limits=event.limits,
        approved_by=approved_by,
        source=event.source,
    )
