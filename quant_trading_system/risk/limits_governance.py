"""The limits of an account as a governed thing: tighter at once, looser only after people have approved it.

What is in force follows from the journal alone: the limits approved last, and raises whose time is not over. A
limits file, a flag or a restart is a wish: what of it is tighter is taken over at once and for good, what of it
lets more through waits for as many persons as the limits demand, and the tighter value holds meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quant_trading_system.config.loader import limits_as_text, limits_from_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.approval_events import (
    AnyApprovalEvent,
    ApprovalEnded,
    ApprovalOutcome,
    ApprovalSubject,
)
from quant_trading_system.core.clock import Clock
from quant_trading_system.core.exceptions import ApprovalRefused
from quant_trading_system.core.limit_events import (
    AnyLimitEvent,
    LimitChange,
    LimitsProposed,
    LimitsRaised,
    LimitsSet,
    RaiseEnded,
)
from quant_trading_system.core.wording import one_line
from quant_trading_system.journal.approval_fold import ApprovalFold, ApprovalView
from quant_trading_system.journal.limits_fold import LimitsFold, Proposal
from quant_trading_system.risk.approvals import Approvals, content_hash
from quant_trading_system.risk.limit_changes import Texts, changed, in_force, split, tightened_keys

FILE = "file"
"""The source of what a limits file says."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a wish for other limits.

    Attributes:
        at_once: in force now; `waiting`: in force once it is approved.
        approval: what people are asked, None when nothing waits.
        not_asked: why nobody could be asked for what waits; empty otherwise.
    """

    at_once: tuple[LimitChange, ...] = ()
    waiting: tuple[LimitChange, ...] = ()
    approval: ApprovalView | None = None
    not_asked: str = ""


class LimitsGovernance:
    """Keeps the limits of one account, and says what is in force.

    Attributes:
        approvals: all approvals of the account.
        limits: in force now; the version that every verdict names is theirs.
        sends_orders: somebody here sends the orders that people approve.
    """

    def __init__(
        self,
        limits: LimitsFold,
        approvals: ApprovalFold,
        *,
        record: Callable[[AnyApprovalEvent | AnyLimitEvent], int],
        clock: Clock,
        is_live: bool,
        defaults: RiskLimits,
    ) -> None:
        """Go on from what the journal says.

        Args:
            limits, approvals: as folded; taken over.
            record: writes an event durably into the journal, and gives its number.
            is_live: real money is moved; decides how many persons have to approve.
            defaults: limits of which nothing is on record, because they are new.

        Raises:
            ConfigurationError: the limits on record cannot be read.
        """
        self._defaults = limits_as_text(defaults)
        self._fold = limits
        self._record = record
        self._clock = clock
        self.is_live = is_live
        self.sends_orders = False
        self._listeners: list[Callable[[RiskLimits], None]] = []
        self.limits = self._in_force()
        self.approvals = Approvals(
            approvals, record=record, clock=clock, authorized=lambda: self.limits.authorized_approvers
        )
        self.approvals.on_ended(self._ended)
        for proposal in self.pending:
            if proposal.granted:  # and then the process ended
                self._put_in_force(proposal)
            elif proposal.approval not in approvals.book.waiting:  # it ended before anybody was asked
                del self._fold.book.proposals[proposal.approval]

    @property
    def approved(self) -> Texts:
        """Every limit that is approved for good, by ``section.key``."""
        return self._fold.book.approved

    @property
    def pending(self) -> list[Proposal]:
        """Proposals that wait for people, oldest first."""
        return list(self._fold.book.proposals.values())

    def on_change(self, listener: Callable[[RiskLimits], None]) -> None:
        """Tell `listener` of other limits, at the moment at which they are in force."""
        self._listeners.append(listener)

    # -- wishes --------------------------------------------------------------------------------------------------

    def read_file(self, limits: RiskLimits, *, by: str, name: str) -> Settled:
        """A limits file says what is wanted: at a start, or because somebody has changed it.

        What a file asked for earlier and does not ask for any more is withdrawn.

        Raises:
            ConfigurationError: what is approved and what the file says cannot be in force together.
        """
        wanted = limits_as_text(limits)
        keep = _proposed(split(self.approved, wanted).waiting, None)
        for proposal in self.pending:
            if proposal.source == FILE and _proposed(proposal.changes, proposal.until) != keep:
                self.approvals.withdraw(proposal.approval, by=by, reason="the limits file does not ask for it any more")
        return self._want(wanted, by=by, why=f"{name} says so", source=FILE)

    def propose(self, values: Mapping[str, str], *, by: str, why: str, source: str = "") -> Settled:
        """Want other values, by ``section.key``; of keys that are not named nothing changes.

        Raises:
            ConfigurationError: a key or a value is none, or they contradict each other.
            ApprovalRefused: it is not said who wants it or why, nothing would change, or those who could approve
                what waits are too few; what is tighter is in force all the same.
        """
        by, why = _named(by, why)
        settled = self._want(self._with(values), by=by, why=why, source=source)
        if not settled.at_once and not settled.waiting:
            raise ApprovalRefused("these are the approved values already; nothing would change")
        if settled.not_asked:
            raise ApprovalRefused(settled.not_asked)
        return settled

    def raise_until(
        self, values: Mapping[str, str], until: datetime, *, by: str, why: str, source: str = ""
    ) -> Settled:
        """Want looser values until a moment; afterwards the approved ones hold again by themselves.

        Raises:
            ConfigurationError, ApprovalRefused: as for `propose`; or a value is not looser, or the time is over, or it
                is too far away.
        """
        by, why = _named(by, why)
        now, longest = self._clock.now(), _span(self.limits.max_raise_s)
        if not now < until <= now + longest:
            raise ApprovalRefused(
                f"a raise ends within {longest} from now (max_raise_s), not at {until:%Y-%m-%d %H:%M:%S}"
            )
        parts = split(self.approved, self._with(values))
        if parts.at_once or not parts.waiting:
            named = ", ".join(change.key for change in parts.at_once) or ", ".join(values)
            raise ApprovalRefused(
                f"{named}: not looser than what is approved; `qts limits propose` changes it for good"
            )
        return Settled(waiting=parts.waiting, approval=self._ask(parts.waiting, by, why, until, source))

    def approve(self, approval: str, *, by: str, content: str, reason: str = "", source: str = "") -> bool:
        """Say yes; True when that was the last yes needed, and looser limits are in force now.

        Raises:
            ApprovalRefused: as `Approvals.give`; or it is about an order, and nobody here would send it.
        """
        if self.approvals.find(approval).subject is ApprovalSubject.ORDER and not self.sends_orders:
            raise ApprovalRefused(f"{approval} is about an order, and no engine takes it from here: `qts trade` first")
        return self.approvals.give(approval, by=by, content=content, reason=reason, source=source)

    def tend(self) -> None:
        """Let end what time has ended; call it at every turn."""
        self.approvals.expire()
        raised = self._fold.book.raised
        if not raised:
            return
        now = self._clock.now()
        over = tuple(sorted(key for key, item in raised.items() if now >= item.until))
        if over:
            self._apply(RaiseEnded(at=now, keys=over, reason="its time is over"))
            self._swap()

    # -- inside --------------------------------------------------------------------------------------------------

    def _with(self, values: Mapping[str, str]) -> dict[str, str]:
        """The approved limits with some others among them, checked as a file is."""
        return limits_as_text(
            limits_from_text(self._defaults | changed(self.approved, ()) | dict(values), "this change")
        )

    def _want(self, wanted: Texts, *, by: str, why: str, source: str) -> Settled:
        parts = split(self.approved, wanted)
        if parts.at_once:
            self._tighten(parts.at_once, by, why, source)
        if not parts.waiting:
            return Settled(at_once=parts.at_once)
        try:
            asked = self._ask(parts.waiting, by, why, None, source)
        except ApprovalRefused as refusal:
            return Settled(at_once=parts.at_once, waiting=parts.waiting, not_asked=str(refusal))
        return Settled(at_once=parts.at_once, waiting=parts.waiting, approval=asked)

    def _tighten(self, changes: tuple[LimitChange, ...], by: str, why: str, source: str) -> None:
        after = changed(self.approved, changes)
        version = _version(after)
        keys = tightened_keys(changes)
        for proposal in self.pending:
            if keys & {change.key for change in proposal.changes}:
                self.approvals.withdraw(proposal.approval, by=by, reason="the limits have become tighter since")
        now = self._clock.now()
        if ended := tuple(sorted(keys & self._fold.book.raised.keys())):
            self._apply(RaiseEnded(at=now, keys=ended, reason="the limit has become tighter"))
        self._apply(LimitsSet(at=now, version=version, changes=changes, limits=after, by=by, why=why, source=source))
        self._swap()

    def _ask(
        self, changes: tuple[LimitChange, ...], by: str, why: str, until: datetime | None, source: str
    ) -> ApprovalView:
        content = _proposed(changes, until)
        for proposal in self.pending:
            if _proposed(proposal.changes, proposal.until) == content:
                return self.approvals.find(proposal.approval)
        limits = self.limits
        needed = limits.live_loosening_approvals if self.is_live else limits.paper_loosening_approvals
        if needed > 1 and not limits.authorized_approvers:
            raise ApprovalRefused(
                f"{needed} persons have to approve looser limits, and nobody is named: write their names into "
                "authorized_approvers of the limits file; naming the first ones takes effect at once"
            )
        now, lasts = self._clock.now(), _span(limits.approval_expiry_s)
        self.approvals.require_askable(by, needed)
        proposed = LimitsProposed(
            at=now,
            approval=self.approvals.next_id(ApprovalSubject.LIMITS),
            changes=changes,
            by=by,
            why=why,
            until=until,
            source=source,
        )
        self._apply(proposed)
        return self.approvals.ask(
            ApprovalSubject.LIMITS,
            text=_told(changes, until),
            content=content,
            asked_by=by,
            needed=needed,
            lasts=lasts if until is None else min(lasts, until - now),
        )

    def _ended(self, view: ApprovalView, ended: ApprovalEnded) -> None:
        if view.subject is not ApprovalSubject.LIMITS:
            return
        self._fold.end_approval(ended)
        if ended.outcome is ApprovalOutcome.GRANTED:
            self._put_in_force(self._fold.book.proposals[view.approval])

    def _put_in_force(self, proposal: Proposal) -> None:
        now, changes = self._clock.now(), proposal.changes
        if proposal.until is not None:
            self._apply(
                LimitsRaised(
                    at=now,
                    approval=proposal.approval,
                    changes=changes,
                    until=proposal.until,
                    by=proposal.by,
                    why=proposal.why,
                )
            )
        else:
            after = changed(self.approved, changes)
            version = _version(after)
            self._apply(
                LimitsSet(
                    at=now,
                    version=version,
                    changes=changes,
                    limits=after,
                    by=proposal.by,
                    why=proposal.why,
                    approval=proposal.approval,
                    source=proposal.source,
                )
            )
        self._swap()

    def _in_force(self) -> RiskLimits:
        texts = self._defaults | in_force(self.approved, self._fold.book.raised, self._clock.now())
        return limits_from_text(texts, "the limits on record", contradictory=True)

    def _swap(self) -> None:
        limits = self._in_force()
        if limits == self.limits:
            return
        self.limits = limits
        for listener in self._listeners:
            listener(limits)

    def _apply(self, event: AnyLimitEvent) -> None:
        self._record(event)
        self._fold.apply(event)


def _named(by: str, why: str) -> tuple[str, str]:
    by, why = one_line(by), one_line(why)
    if not by or not why:
        raise ApprovalRefused("say who wants other limits and why; both go on record")
    return by, why


def _version(texts: Texts) -> str:
    return limits_from_text(texts, "the limits after this change", contradictory=True).version


def _span(seconds: Decimal) -> timedelta:
    return timedelta(microseconds=int(seconds * 1_000_000))


def _proposed(changes: tuple[LimitChange, ...], until: datetime | None) -> str:
    """The hash to which an approval of these changes is bound."""
    return content_hash(*(part for change in changes for part in (change.key, change.was, change.now)), until)


def _told(changes: tuple[LimitChange, ...], until: datetime | None) -> str:
    told = "; ".join(map(str, changes))
    return told if until is None else f"{told}; until {until:%Y-%m-%d %H:%M:%S} UTC"
