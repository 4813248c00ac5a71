"""The limits of an account that goes on: what its journal says was approved, and what its limits file says now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from quant_trading_system.config.loader import limits_as_text, limits_from_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.approval_events import ApprovalAsked, ApprovalEnded, ApprovalGiven
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.events import AnyEvent, RunStarted
from quant_trading_system.core.limit_events import LimitChange, LimitsFileRefused, LimitsRaised, LimitsSet, RaiseEnded
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.store import Journal
from quant_trading_system.risk.limit_changes import starting_limits
from quant_trading_system.risk.limits_governance import LimitsGovernance, Settled
from quant_trading_system.trading.limits_swap import durable_record

SHIPPED = "the shipped risk_params.yaml"


def limits_at_start(books: Projection, file: RiskLimits, now: datetime) -> RiskLimits:
    """What is in force when a run begins: never looser than what was approved, whatever the file says."""
    book = books.limits.book
    texts = starting_limits(book.approved, book.raised, limits_as_text(file), now)
    return limits_from_text(texts, "the limits in force", contradictory=True)


def governance_of(
    books: Projection, journal: Journal, clock: Clock, *, file: RiskLimits, is_live: bool
) -> LimitsGovernance:
    """The limits as `books` have them; every change goes into `journal`, and marks its entries from then on."""
    governance = LimitsGovernance(
        books.limits,
        books.approvals,
        record=durable_record(journal),
        clock=clock,
        is_live=is_live,
        defaults=file,
    )
    journal.set_config(governance.limits.version)
    governance.on_change(lambda limits: journal.set_config(limits.version))
    return governance


def begin_governed(
    started: RunStarted,
    books: Projection,
    journal: Journal,
    clock: Clock,
    *,
    file: RiskLimits,
    name: str,
    by: str,
    is_live: bool,
) -> tuple[LimitsGovernance, Settled]:
    """Take up the limits of a run that has begun on record, and read what the limits file wants.

    Args:
        file: as read; `name`: how it is called on record; `by`: who answers for it.
    """
    books.limits.begin_run(started)
    governance = governance_of(books, journal, clock, file=file, is_live=is_live)
    return governance, governance.read_file(file, by=by, name=name)


def told(event: AnyEvent) -> str:
    """One line about a change of limits or an approval, for people; empty for every other event."""
    match event:
        case LimitsSet(changes=changes, by=by, approval=approval):
            how = f"approved as {approval}" if approval else "at once"
            return f"limits: {_list(changes)}, by {by}, {how}"
        case LimitsRaised(changes=changes, until=until):
            return f"limits raised until {until:%Y-%m-%d %H:%M:%S} UTC: {_list(changes)}"
        case RaiseEnded(keys=keys, reason=reason):
            return f"no longer raised: {', '.join(keys)} ({reason})"
        case LimitsFileRefused(name=name, why=why):
            return f"{name} is not understood, so no limit changes: {why}"
        case ApprovalAsked(approval=approval, needed=needed, text=text):
            return f"{approval} waits for {needed} to approve it: {text}; see `qts approvals list`"
        case ApprovalGiven(approval=approval, by=by):
            return f"{approval}: {by} says yes"
        case ApprovalEnded(approval=approval, outcome=outcome, by=by, reason=reason):
            return f"{approval} was {outcome}{f' by {by}' if by else ''}{f': {reason}' if reason else ''}"
        case _:
            return ""


def told_settled(settled: Settled) -> Iterator[str]:
    """What people should know of a limits file beyond what goes on record: that nobody could be asked."""
    if settled.not_asked:
        yield f"limits: {_list(settled.waiting)}: looser, so not in force, and nobody was asked: {settled.not_asked}"


def _list(changes: tuple[LimitChange, ...]) -> str:
    return "; ".join(map(str, changes))
