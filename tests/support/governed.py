"""The governed limits of one account, its journal and its clock; a restart reads the journal anew."""

from __future__ import annotations

import msgspec

from quant_trading_system.config.loader import default_limits, limits_as_text, limits_from_text
from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.approval_events import AnyApprovalEvent
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import RunStarted
from quant_trading_system.core.limit_events import AnyLimitEvent
from quant_trading_system.journal.projection import Projection
from quant_trading_system.risk.limit_changes import starting_limits
from quant_trading_system.risk.limits_governance import LimitsGovernance, Settled
from tests.support.list_journal import ListJournal
from tests.support.market import NOON

PEOPLE = ("Ana", "Ben", "Cid")


def limits_with(**changes: object) -> RiskLimits:
    """The shipped limits with some others among them and three people to approve, as a file would give them."""
    changed = msgspec.structs.replace(default_limits(), **({"authorized_approvers": PEOPLE} | changes))  # type: ignore[arg-type]
    return limits_from_text(limits_as_text(changed), "the test", contradictory=True)


class Governed:
    """What a start, an edited file and people do to the limits of an account.

    Attributes:
        settled: what became of the file at the last start.
        swaps: the limits that were told as in force since.
    """

    def __init__(self, file: RiskLimits | None = None, *, is_live: bool = True) -> None:
        self.journal, self.clock, self.is_live = ListJournal(), ManualClock(NOON), is_live
        self.start(limits_with() if file is None else file)

    def start(self, file: RiskLimits) -> None:
        """A process begins with what the journal says and with a file."""
        books = self.books()
        book, wanted = books.limits.book, limits_as_text(file)
        texts = starting_limits(book.approved, book.raised, wanted, self.clock.now())
        started = RunStarted(
            at=self.clock.now(),
            run="run",
            mode="live",
            strategies=(),
            seed=0,
            version="0",
            limits=texts,
            limits_version="",
            universe=(),
        )
        self.journal.append(started)
        books.apply(len(self.journal.events), started)
        was_granted = any(proposal.granted for proposal in book.proposals.values())
        self.governance = LimitsGovernance(
            books.limits,
            books.approvals,
            record=self.record,
            clock=self.clock,
            is_live=self.is_live,
            defaults=file,
        )
        self.swaps: list[RiskLimits] = []
        self.governance.on_change(self.swaps.append)
        self.settled = self.edit(file)
        if not was_granted:
            assert limits_as_text(self.limits) == texts  # what the run has on record is what is in force

    def edit(self, file: RiskLimits) -> Settled:
        """Somebody changes the limits file while the engine runs."""
        return self.governance.read_file(file, by="desk", name="limits.yaml")

    def record(self, event: AnyApprovalEvent | AnyLimitEvent) -> int:
        return self.journal.append(event)

    def books(self) -> Projection:
        """What the journal says."""
        books = Projection()
        found = [d for seq, event in enumerate(self.journal.events, 1) for d in books.apply(seq, event)]
        assert found == []
        return books

    @property
    def limits(self) -> RiskLimits:
        """In force now."""
        return self.governance.limits

    def approve(self, approval: str, by: str) -> bool:
        """`by` says yes to what is asked for."""
        content = self.governance.approvals.find(approval).content
        return self.governance.approve(approval, by=by, content=content)
