"""A difference is one break however both sides move on, and a changed difference is told again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

from quant_trading_system.core.book_events import BreakOpened
from quant_trading_system.core.breaks import Break, BreakKind, Severity
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.execution.break_book import SECOND_LOOK, BreakBook
from quant_trading_system.risk.agreement import Agreement
from tests.support.list_journal import ListJournal
from tests.support.market import NOON


def cash(ours: str, theirs: str) -> Break:
    difference = Decimal(theirs) - Decimal(ours)
    return Break(
        kind=BreakKind.CASH,
        subject="cash",
        ours=ours,
        theirs=theirs,
        difference=difference,
        severity=Severity.SERIOUS if abs(difference) > 5 else Severity.NOTICE,
    )


class Scene:
    def __init__(self) -> None:
        self.clock, self.journal, self.told = ManualClock(NOON), ListJournal([]), list[str]()
        self.book = BreakBook(Agreement(), self.journal, self.clock, lambda found, _: self.told.append(found.theirs))

    def look(self, ours: str, theirs: str) -> None:
        asyncio.run(self.clock.advance(SECOND_LOOK + timedelta(seconds=1)))
        self.book.judge([cash(ours, theirs)], full=True)


def test_an_account_that_trades_meanwhile_hides_no_difference_and_is_told_of_it_once():
    scene = Scene()
    scene.look("1000.00", "996.80")
    scene.look("900.00", "896.80")
    scene.look("800.00", "796.80")
    assert scene.told == ["896.80"]
    assert scene.book.open[BreakKind.CASH, "cash"][0].theirs == "796.80", "what is shown is of now"


def test_a_difference_that_was_gone_in_between_begins_anew():
    """A fill that our books take a moment later than the broker's is no break, however often that happens."""
    scene = Scene()
    for _ in range(3):
        scene.look("1000.00", "996.80")
        scene.book.judge([], full=True)
    assert scene.told == []


def test_a_difference_that_grows_is_told_again():
    scene = Scene()
    for theirs in ("996.80", "996.80", "990.00", "990.00"):
        scene.look("1000.00", theirs)
    assert scene.told == ["996.80", "990.00"]
    assert sum(isinstance(event, BreakOpened) for event in scene.journal.events) == 2
