"""What `qts reconcile` sees from a journal alone, and what it takes over on a person's word."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.reconcile_report import Comparison, require_same_account, take_over
from quant_trading_system.core.book_events import ActivitiesCovered, BreakOpened
from quant_trading_system.core.breaks import ActivityKind, Break, BreakKind, Severity
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import CashMoved, PositionAdopted, RiskEvent
from quant_trading_system.core.exceptions import ConfigurationError, NotReconciled
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.latch import MemoryLatch
from tests.support.desk import Account
from tests.support.market import NOON
from tests.support.orders import buy
from tests.support.scripted_statement import ScriptedStatements, as_seen, entry, seen_order, seen_position

D = Decimal


class Books:
    """The journal of an account that was traded and is not any more."""

    def __init__(self) -> None:
        self.account = Account()
        self.theirs = ScriptedStatements(self.account)
        self.clock = ManualClock(NOON + timedelta(minutes=10))

    def journal(self) -> MemoryJournal:
        journal = MemoryJournal(b"k" * 32)
        for event in self.account.journal.events:
            journal.append(event)
        return journal

    def report(self, journal: MemoryJournal | None = None):
        return self._over(Comparison(journal or self.journal(), self.theirs, self.clock).report())[0]

    def take_over(self, journal: MemoryJournal):
        return self._over(
            take_over(journal, MemoryLatch(), self.theirs, self.clock, person="Ana", reason="ticket 4711")
        )

    def _over(self, work):
        async def story():
            task = asyncio.ensure_future(work)
            while not task.done():
                await asyncio.sleep(0)
                await self.clock.advance(timedelta(seconds=1))
            return await task

        return asyncio.run(story())


def test_books_that_agree_have_an_empty_report():
    books = Books()
    record = books.account.working(buy(3, limit="99.00"))
    books.theirs.orders = [as_seen(record)]
    report = books.report()
    assert (report.breaks, report.is_clean, report.cash) == ((), True, D(100000))


def test_a_break_has_both_sides_and_the_age_that_the_engine_has_given_it():
    books = Books()
    found = Break(kind=BreakKind.POSITION, subject="KO", symbol="KO", ours="0", theirs="5")
    books.account.journal.append(BreakOpened(at=NOON, found=found, first_seen=NOON))
    books.theirs.positions = [seen_position("KO", 5), seen_position("PEP", -1)]
    books.theirs.cash = D(99_997)
    known, fresh, cash = books.report().breaks
    assert (known.subject, known.ours, known.theirs, known.difference) == ("KO", "0", "5", 5)
    assert known.age_s is not None
    assert known.age_s >= 600
    assert (fresh.subject, fresh.age_s) == ("PEP", None)
    assert (cash.kind, cash.severity, cash.difference) == (BreakKind.CASH, Severity.NOTICE, -3)


def test_what_is_gone_at_the_second_look_is_not_reported():
    books = Books()
    books.theirs.positions = [seen_position("KO", 5)]
    books.theirs.between = books.theirs.positions.clear
    assert books.report().breaks == ()
    assert books.theirs.looks == ["full", "full"]


def test_entries_that_cash_lacks_are_listed():
    books = Books()
    covered = ActivitiesCovered(at=NOON, activity_ids=("old",), reason="before")
    books.account.journal.append(covered)
    books.theirs.entries = [entry("old", "-1"), entry("new", "-2"), entry("split", "0", None, "SPLIT")]
    assert [e.activity_id for e in books.report().unbooked] == ["new", "split"]


def test_positions_and_cash_are_taken_over_with_name_reason_and_baselines():
    books = Books()
    books.theirs.positions = [seen_position("KO", 5)]
    books.theirs.cash = D(99_500)
    books.theirs.entries = [entry("1", "-25", None, "REORG"), entry("2", "4", ActivityKind.DIVIDEND, "DIV")]
    journal = books.journal()
    assert books.take_over(journal).taken_over == ("KO", "cash")
    events = [e.event for e in journal.entries()]
    (adopted,) = [event for event in events if isinstance(event, PositionAdopted)]
    assert (adopted.quantity, adopted.approved_by, adopted.reason) == (5, "Ana", "ticket 4711")
    moved = [event for event in events if isinstance(event, CashMoved)][-1]
    assert (moved.amount, moved.reason) == (-500, "the broker's cash, taken over by Ana: ticket 4711")
    (covered,) = [event for event in events if isinstance(event, ActivitiesCovered)]
    assert covered.activity_ids == ("1", "2")
    numbers = [event for event in events if isinstance(event, RiskEvent)][-1]
    assert (numbers.daily_pnl, numbers.current_drawdown, numbers.equity) == (0, 0, 100_000)
    assert books.report(journal).breaks == ()


def test_a_second_take_over_changes_nothing():
    books = Books()
    books.theirs.positions = [seen_position("KO", 5)]
    journal = books.journal()
    books.take_over(journal)
    entries = journal.head[0]
    assert books.take_over(journal).taken_over == ()
    assert journal.head[0] == entries


def test_nothing_is_taken_over_by_hand_that_an_engine_takes_over_from_executions():
    """Otherwise the shares would be booked twice."""
    books = Books()
    books.theirs.orders = [seen_order("by hand", 5)]
    books.theirs.positions = [seen_position("KO", 5)]
    journal = books.journal()
    entries = journal.head[0]
    with pytest.raises(NotReconciled, match="foreign_order by hand"):
        books.take_over(journal)
    assert journal.head[0] == entries


def test_a_journal_without_an_account_is_refused():
    with pytest.raises(ConfigurationError, match="no account yet"):
        Comparison(MemoryJournal(b"k" * 32), Books().theirs, ManualClock(NOON))


def test_keys_of_another_account_are_refused(tmp_path):
    require_same_account(tmp_path, "b")
    (tmp_path / "account_id").write_text("a\n")
    require_same_account(tmp_path, "a")
    with pytest.raises(ConfigurationError, match="keeps account a, these keys belong to b"):
        require_same_account(tmp_path, "b")
