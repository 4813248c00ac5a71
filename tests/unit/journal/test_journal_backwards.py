"""What is asked of the newest entries costs nothing for the older ones: entries that are read are counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest

from quant_trading_system.app.bootstrap import JOURNAL_FILE
from quant_trading_system.app.crash_loop import failed_starts
from quant_trading_system.app.order_list import OrderFilter, list_orders
from quant_trading_system.app.reset_facts import obstacles_on_record
from quant_trading_system.app.stopped_orders import strategies_on_record
from quant_trading_system.core.book_events import Reconciled
from quant_trading_system.core.events import HaltLevel, RiskEvent, RiskEventKind, RunFinished, StrategyStopped
from quant_trading_system.journal import sqlite_reader
from quant_trading_system.journal.backwards import first_since, newest_first
from quant_trading_system.journal.entry import Entry
from quant_trading_system.journal.keys import key_from_seed
from quant_trading_system.journal.store import JournalSource, MemoryJournal
from quant_trading_system.risk.halt_state import Halt
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.reset import ResetWish
from tests.support.counted_calls import counted_calls
from tests.support.demo_journal import CASH, Scribe

NOON = datetime(2024, 1, 8, 17, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Counted:
    """A journal, and how many entries were read from it."""

    def __init__(self, source: JournalSource) -> None:
        self.source = source
        self.reads = 0

    @property
    def head(self) -> tuple[int, str]:
        return self.source.head

    def entries(self, start: int = 1, kinds: Collection[str] | None = None) -> Iterator[Entry]:
        for entry in self.source.entries(start, kinds):
            self.reads += 1
            yield entry

    def entry(self, seq: int) -> Entry | None:
        self.reads += 1
        return self.source.entry(seq)

    def about(self, order_id: str, before: int = 2**31) -> list[Entry]:
        found = self.source.about(order_id, before)
        self.reads += len(found)
        return found


def journal_of(entries: int) -> MemoryJournal:
    """An entry a minute; every thousandth is of a rare kind, and the second one of a kind that never comes again."""
    journal = MemoryJournal(key_from_seed(1))
    for number in range(1, entries + 1):
        at = NOON + number * MINUTE
        if number == 2:
            journal.append(RunFinished(at=at, run="run", orders=0, fills=0))
        elif number % 1000 == 0:
            journal.append(StrategyStopped(at=at, strategy="test", error="no"))
        else:
            journal.append(Reconciled(at=at, occasion="timer", orders=0, fills=0, positions=0, cash=Decimal(number)))
    journal.sync()
    return journal


@pytest.fixture(scope="module")
def long() -> MemoryJournal:
    return journal_of(30_000)


@pytest.mark.parametrize("kinds", [None, ("reconciled",), ("strategy_stopped",), ("run_finished", "strategy_stopped")])
@pytest.mark.parametrize("below", [0, 1, 2, 3, 1_000, 1_001, 29_999])
def test_backwards_comes_what_forwards_comes(long, kinds, below):
    wanted = [entry.seq for entry in long.entries(kinds=kinds) if not below or entry.seq < below]
    assert [entry.seq for entry in newest_first(long, kinds, below)] == wanted[::-1]


def test_an_empty_journal_has_nothing_to_give():
    assert list(newest_first(MemoryJournal(key_from_seed(1)))) == []


def test_the_newest_entries_cost_what_is_asked_for(long):
    counted = Counted(long)
    assert [entry.seq for entry in islice(newest_first(counted, ("reconciled",)), 3)] == [29_999, 29_998, 29_997]
    assert counted.reads < 500


def test_one_old_entry_of_a_kind_is_found_without_reading_the_others(long):
    counted = Counted(long)
    assert [entry.seq for entry in newest_first(counted, ("run_finished",))] == [2]
    assert counted.reads == 1


def test_the_first_entry_since_a_moment_is_found_by_halves(long):
    counted = Counted(long)
    assert first_since(counted, NOON + timedelta(days=1) + 20_000 * MINUTE) == 20_000
    assert first_since(long, NOON) == 1
    assert first_since(long, NOON + timedelta(days=999)) == 30_001
    assert counted.reads <= 16


def test_a_start_looks_for_failed_ones_among_the_entries_of_a_day(long):
    counted = Counted(long)
    assert failed_starts(counted, NOON + 30_000 * MINUTE) == 0
    assert counted.reads < 1_500, "a day of entries, one a minute"


# -- in a file -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A journal of six hundred orders and as many measurements, the last of them a day's end at a loss."""
    scribe = Scribe(tmp_path_factory.mktemp("written"))
    scribe.begin("test")
    for number in range(600):
        scribe.send()
        scribe.journal.append(measured(scribe, RiskEventKind.RECALCULATED, CASH - number))
    scribe.write(measured(scribe, RiskEventKind.DAY_OPENED, CASH))
    scribe.write(measured(scribe, RiskEventKind.RECALCULATED, CASH / 2))
    yield scribe
    scribe.close()


def measured(scribe: Scribe, reason: RiskEventKind, equity: Decimal) -> RiskEvent:
    return RiskEvent(
        at=scribe.now,
        reason=reason,
        equity=equity,
        day_start_equity=CASH,
        peak_equity=CASH,
        daily_pnl=equity - CASH,
        current_drawdown=1 - equity / CASH,
    )


@pytest.fixture
def checked(monkeypatch):
    """How many entries were read and checked since the test began."""
    return counted_calls(monkeypatch, sqlite_reader, "is_authentic")


def test_the_newest_orders_are_listed_without_reading_the_older_ones(written, checked):
    newest = list_orders(written.journal, OrderFilter(), last=20)
    assert len(checked) < 700
    every = list_orders(written.journal, OrderFilter(), last=5_000)
    assert len(every) == 600
    assert newest == every[-20:]


def test_a_reset_reads_the_numbers_of_the_day_only(written, checked):
    path = written.journal.path.parent / JOURNAL_FILE
    halt = Halt(level=HaltLevel.HALTED, activation=1, reason="max_drawdown_pct")
    wish = ResetWish(halt=halt, by="ana", reason="looked at")
    found = obstacles_on_record(path, MemoryLatch())(wish)
    assert [line.split()[3] for line in found] == ["max_daily_loss_pct,", "max_drawdown_pct,"]
    assert len(checked) < 1_500


def test_who_wanted_an_order_is_looked_up_for_that_order(written, checked):
    path = written.journal.path.parent / JOURNAL_FILE
    assert strategies_on_record(path, ["run-7-0", "nobody's", "run-599-0"]) == {
        "run-7-0": "test",
        "run-599-0": "test",
    }
    assert len(checked) < 20
