"""A full disk stops what is new and nothing else: cancels, halts and fills go on record from the reserve."""

import asyncio
import errno
import os
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.approval_events import ApprovalEnded, ApprovalGiven, ApprovalOutcome
from quant_trading_system.core.events import (
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    SignalEvent,
)
from quant_trading_system.core.exceptions import JournalFull, JournalUnavailable
from quant_trading_system.core.halt_events import CancelsConfirmed
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal import reserve as reserve_module
from quant_trading_system.journal.reserve import RESERVE_SUFFIX, SLICES, Reserve, adds_risk, is_full
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.verify import verify

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))
PAGE = 4096
RESERVE = 64 * PAGE


def halted(reason: str = "x" * 400) -> KillSwitchEvent:
    return KillSwitchEvent(
        at=AT, level=HaltLevel.HALTED, reason=reason, trigger=HaltTrigger.MANUAL, by="anna", activation=1
    )


def sent(*, reduce_only: bool = False) -> OrderEvent:
    order = Order(
        symbol="KO",
        side=OrderSide.SELL,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        reduce_only=reduce_only,
    )
    return OrderEvent(
        at=AT, order_id="run-1-0", symbol="KO", status=OrderStatus.SENT, trigger=OrderTrigger.SEND, order=order
    )


CANCEL_ASKED = OrderEvent(
    at=AT, order_id="run-1-0", symbol="KO", status=OrderStatus.WORKING, pending=PendingRequest.CANCEL
)
SIGNAL = SignalEvent(at=AT, signal=Signal(at=AT, symbol="KO", direction=Direction.LONG, strength=Decimal(1)))


class SmallDisk(sqlite3.Connection):
    """A disk on which the journal and its reserve share `pages`: what the reserve gives up, the journal gets."""

    pages = 80

    def __init__(self, path):
        super().__init__(path, isolation_level=None, check_same_thread=False)
        self.reserve = path.with_name(path.name + RESERVE_SUFFIX)

    def execute(self, sql, *values):
        if sql == "BEGIN IMMEDIATE":
            taken = self.reserve.stat().st_size // PAGE if self.reserve.exists() else 0
            super().execute(f"PRAGMA max_page_count = {self.pages - taken}")
        return super().execute(sql, *values)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def crowded(monkeypatch):
    """No room to make a reserve whole again, until the test says so."""
    has_room = [False]
    real = os.fstatvfs

    def fstatvfs(descriptor):
        found = list(real(descriptor))
        if not has_room[0]:
            found[4] = 0  # f_bavail
        return os.statvfs_result(found)

    monkeypatch.setattr(reserve_module.os, "fstatvfs", fstatvfs)
    return has_room


def fill_up(journal: SqliteJournal) -> int:
    """Append and sync until the disk was full once; how many entries that took."""
    for number in range(1, 500):
        journal.append(halted())
        journal.sync()
        if not journal._reserve.is_whole:
            return number
    raise AssertionError("the disk did not fill")


def use_up(journal: SqliteJournal) -> None:
    for _ in range(2000):
        journal.append(halted())
        journal.sync()


@pytest.fixture
def full(path, crowded):
    """A journal whose disk has just become full; `full.warnings` are the lines that people were told."""
    crowded[0] = True
    journal = SqliteJournal(path, KEY, reserve=RESERVE, connect=SmallDisk)
    crowded[0] = False
    journal.warnings = []  # type: ignore[attr-defined]
    journal.on_warning(journal.warnings.append)  # type: ignore[attr-defined]
    fill_up(journal)
    yield journal
    journal.close()


@pytest.mark.fault("disk-full")
def test_a_full_disk_refuses_what_is_new_and_records_what_stops(full):
    for event in (sent(), SIGNAL):
        with pytest.raises(JournalFull, match=r"nothing new is begun.*make room"):
            full.append(event)
    before = full.head[0]
    confirmed = CancelsConfirmed(at=AT, activation=1, orders=("run-1-0",), seconds=Decimal(1))
    for event in (CANCEL_ASKED, halted("a person"), confirmed, sent(reduce_only=True)):
        full.append(event)
        full.sync()
    assert full.durable_seq == before + 4
    assert [entry.event for entry in full.entries(before + 1)][1] == halted("a person")
    assert verify(full.path, KEY).is_sound


def test_people_are_told_once_when_it_is_full_and_once_when_there_is_room(full, crowded):
    assert len(full.warnings) == 1
    assert "is full; no new order leaves" in full.warnings[0]
    full.append(CANCEL_ASKED)
    full.sync()
    assert len(full.warnings) == 1
    crowded[0] = True
    asyncio.run(full.durable())
    assert len(full.warnings) == 2
    assert "has room again, and the reserve is whole" in full.warnings[1]


@pytest.mark.parametrize("group_commit", [False, True])
def test_with_room_again_orders_are_recorded_again_although_nothing_else_happened(path, crowded, group_commit):
    crowded[0] = True
    with SqliteJournal(path, KEY, reserve=RESERVE, connect=SmallDisk, group_commit=group_commit) as journal:
        crowded[0] = False
        fill_up(journal)
        asyncio.run(journal.durable())
        with pytest.raises(JournalFull):
            journal.append(sent())
        crowded[0] = True
        asyncio.run(journal.durable())
        journal.append(sent())
        assert (path.parent / "journal.db.reserve").stat().st_size == RESERVE


@pytest.mark.fault("disk-full")
def test_a_reserve_that_is_used_up_ends_the_journal_with_everything_durable_kept(full):
    with pytest.raises(JournalUnavailable, match="stays closed to this process"):
        use_up(full)
    acknowledged = full.durable_seq
    report = verify(full.path, KEY)
    assert report.is_sound
    assert report.entries == acknowledged


def test_the_reserve_is_given_away_in_slices(path):
    reserve = Reserve(path, RESERVE)
    kept = path.with_name("journal.db.reserve")
    assert (reserve.is_whole, kept.stat().st_size, kept.stat().st_mode & 0o777) == (True, RESERVE, 0o600)
    assert kept.stat().st_blocks * 512 >= RESERVE
    lengths = []
    while reserve.release():
        lengths.append(kept.stat().st_size)
    assert lengths == [RESERVE - RESERVE // SLICES * n for n in range(1, SLICES + 1)]
    assert reserve.refill()
    assert kept.stat().st_size == RESERVE
    reserve.close()
    reserve.close()


def test_a_journal_without_a_reserve_has_nothing_to_give(path):
    reserve = Reserve(path, 0)
    assert (reserve.is_whole, reserve.release(), reserve.refill()) == (True, False, True)
    assert not path.with_name("journal.db.reserve").exists()


def test_an_account_may_start_on_a_full_disk_and_sends_nothing_new(path, crowded):
    """What it holds must be watched, and what is working can be cancelled."""
    with SqliteJournal(path, KEY, reserve=RESERVE) as journal:
        told = []
        journal.on_warning(told.append)
        assert "has no room for the reserve; no new order leaves until it has" in told[0]
        with pytest.raises(JournalFull):
            journal.append(sent())
        journal.append(CANCEL_ASKED)
        journal.sync()


def test_a_reserve_that_others_may_write_is_refused(path):
    path.with_name("journal.db.reserve").touch()
    path.with_name("journal.db.reserve").chmod(0o666)
    with pytest.raises(JournalUnavailable, match="open to other users"):
        SqliteJournal(path, KEY, reserve=RESERVE)


def test_somebody_who_was_faster_leaves_the_reserve_for_later(path, monkeypatch):
    def none_left(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(reserve_module, "_allocate", none_left)
    reserve = Reserve(path, RESERVE)
    assert not reserve.is_whole
    monkeypatch.setattr(reserve_module, "_allocate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"):
        reserve.refill()
    reserve.close()


def test_where_blocks_cannot_be_reserved_they_are_written(path, monkeypatch):
    monkeypatch.delattr(reserve_module.os, "posix_fallocate")
    reserve = Reserve(path, RESERVE)
    assert path.with_name("journal.db.reserve").stat().st_blocks * 512 >= RESERVE
    reserve.close()


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, ""), True),
        (OSError(errno.EDQUOT, ""), True),
        (OSError(errno.EIO, ""), False),
        (OSError(errno.EROFS, ""), False),
        (sqlite3.OperationalError("disk is full"), False),  # without SQLite's code it is only a word
        (ValueError(), False),
    ],
)
def test_only_a_lack_of_room_counts_as_full(error, full):
    assert is_full(error) is full


@pytest.mark.parametrize(
    ("event", "new"),
    [
        (sent(), True),
        (sent(reduce_only=True), False),
        (msgspec.structs.replace(sent(), trigger=OrderTrigger.ADOPT), False),
        (SIGNAL, True),
        (CANCEL_ASKED, False),
        (halted(), False),
        (ApprovalGiven(at=AT, approval="limits-1", content="c", by="Ana"), True),
        (ApprovalEnded(at=AT, approval="limits-1", outcome=ApprovalOutcome.REFUSED), False),
    ],
)
def test_what_begins_something_new(event, new):
    assert adds_risk(event) is new
