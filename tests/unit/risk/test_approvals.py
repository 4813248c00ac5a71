"""Approvals: distinct persons, each for exactly what would be done, and over at a known moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalOutcome, ApprovalSubject
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import ApprovalRefused
from quant_trading_system.journal.projection import Projection
from quant_trading_system.risk.approvals import Approvals, content_hash
from tests.support.list_journal import ListJournal
from tests.support.market import NOON

HOUR = timedelta(hours=1)


class Desk:
    """Approvals of one account, and the journal that they leave behind."""

    def __init__(self, *people: str) -> None:
        self.journal, self.clock, self.people = ListJournal(), ManualClock(NOON), people
        self.ended: list[ApprovalEnded] = []
        self.restart()

    def restart(self) -> None:
        """Another process reads what this one has written."""
        fold = self.books().approvals
        self.approvals = Approvals(fold, record=self.journal.append, clock=self.clock, authorized=lambda: self.people)
        self.approvals.on_ended(lambda _, ended: self.ended.append(ended))

    def books(self) -> Projection:
        books = Projection()
        found = [d for seq, event in enumerate(self.journal.events, 1) for d in books.apply(seq, event)]
        assert found == []
        return books

    def ask(self, needed: int = 2, content: str = "c") -> str:
        asked = self.approvals.ask(
            ApprovalSubject.LIMITS, text="more", content=content, asked_by="Ana", needed=needed, lasts=HOUR
        )
        return asked.approval

    def give(self, approval: str, by: str, content: str = "c") -> bool:
        return self.approvals.give(approval, by=by, content=content)


def test_two_distinct_persons_grant_and_a_restart_between_them_changes_nothing():
    desk = Desk("Ana", "Ben")
    asked = desk.ask()
    assert desk.give(asked, "Ana") is False
    desk.restart()
    assert [view.given[0].by for view in desk.approvals.waiting] == ["Ana"]
    assert desk.give(asked, "Ben") is True
    assert [(e.outcome, e.by) for e in desk.ended] == [(ApprovalOutcome.GRANTED, "Ben")]
    assert desk.approvals.waiting == [] == list(desk.books().approvals.book.waiting)


@pytest.mark.parametrize("again", ["Ana Ruiz", "ana ruiz", " ANA  RUIZ ", "Ana\nRuiz"])
def test_one_person_counts_once_however_the_name_is_spelt(again: str):
    desk = Desk()
    asked = desk.ask()
    desk.give(asked, "Ana Ruiz")
    with pytest.raises(ApprovalRefused, match="has approved limits-1 already; 1 more"):
        desk.give(asked, again)


def test_a_person_who_is_not_on_the_list_decides_nothing():
    desk = Desk("Ana", "Ben")
    asked = desk.ask()
    for by in ("Cid", ""):
        with pytest.raises(ApprovalRefused):
            desk.give(asked, by)
        with pytest.raises(ApprovalRefused):
            desk.approvals.refuse(asked, by=by, reason="no")
    assert len(desk.journal.events) == 1


def test_a_yes_counts_only_while_its_person_may_approve():
    desk = Desk("Ana", "Ben", "Cid")
    asked = desk.ask()
    desk.give(asked, "Cid")
    desk.people = ("Ana", "Ben")
    assert desk.give(asked, "Ana") is False
    assert desk.give(asked, "Ben") is True


def test_a_yes_is_for_what_was_shown():
    desk = Desk()
    asked = desk.ask(needed=1)
    with pytest.raises(ApprovalRefused, match="limits-1 is about c, not about d"):
        desk.give(asked, "Ana", content="d")
    assert content_hash("a", "bc") != content_hash("ab", "c")


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_it_expires_at_its_moment_and_not_before(seconds: int):
    desk = Desk()
    asked = desk.ask(needed=1)
    desk.clock.move_to(NOON + HOUR + timedelta(seconds=seconds))
    if seconds < 0:
        desk.approvals.expire()
        assert desk.give(asked, "Ana") is True
        return
    with pytest.raises(ApprovalRefused, match="no approval limits-1 is waiting"):
        desk.give(asked, "Ana")
    assert [ended.outcome for ended in desk.ended] == [ApprovalOutcome.EXPIRED]


def test_refused_and_withdrawn_are_final():
    desk = Desk("Ana", "Ben")
    first, second = desk.ask(), desk.ask()
    desk.approvals.refuse(first, by="Ben", reason="too much")
    desk.approvals.withdraw(second, by="Ana", reason="not needed any more")
    assert [(e.outcome, e.by, e.reason) for e in desk.ended] == [
        (ApprovalOutcome.REFUSED, "Ben", "too much"),
        (ApprovalOutcome.WITHDRAWN, "Ana", "not needed any more"),
    ]
    for approval in (first, second):
        with pytest.raises(ApprovalRefused, match="is waiting"):
            desk.give(approval, "Ana")


def test_it_is_not_asked_for_what_can_never_be_granted():
    desk = Desk("Ana", "ana ")
    with pytest.raises(ApprovalRefused, match="2 persons have to approve this, and only 1 may"):
        desk.ask()
    with pytest.raises(ApprovalRefused, match="who asks"):
        desk.approvals.ask(ApprovalSubject.ORDER, text="", content="c", asked_by=" ", needed=1, lasts=HOUR)


def test_ids_are_never_used_twice():
    desk = Desk()
    desk.approvals.withdraw(desk.ask(), by="Ana", reason="")
    desk.restart()
    assert desk.ask() == "limits-2"


def test_what_was_not_recorded_does_not_count():
    desk = Desk()
    asked = desk.ask(needed=1)
    desk.journal.is_full = True
    with pytest.raises(Exception, match="the disk is full"):
        desk.give(asked, "Ana")
    desk.journal.is_full = False
    assert desk.give(asked, "Ana") is True


def test_entries_that_contradict_each_other_are_told():
    desk = Desk()
    asked = desk.ask(needed=1)
    desk.give(asked, "Ana")
    books = Projection()
    twice = [*desk.journal.events, desk.journal.events[1], desk.journal.events[0], desk.journal.events[0]]
    found = [str(d) for seq, event in enumerate(twice, 1) for d in books.apply(seq, event)]
    assert [text.split(":")[1].split(" is ")[0] for text in found] == [" approval limits-1"] * 2
