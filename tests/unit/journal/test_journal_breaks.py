"""What reconciliation leaves in a journal, folded and read back: breaks, entries beside trades, orders of others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from quant_trading_system.app.open_breaks import open_alarms, open_breaks
from quant_trading_system.core.book_events import (
    ActivitiesCovered,
    ActivityBooked,
    BreakClosed,
    BreakOpened,
    GroupAlarm,
)
from quant_trading_system.core.breaks import ActivityKind, Break, BreakKind
from quant_trading_system.core.events import CashMoved, OrderEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import EXTERNAL, Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.order_recall import record_from
from quant_trading_system.journal.keys import journal_key
from quant_trading_system.journal.projection import Projection
from quant_trading_system.journal.sqlite_store import SqliteJournal

D = Decimal
AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


def position_break(symbol: str, theirs: str) -> Break:
    return Break(kind=BreakKind.POSITION, subject=symbol, symbol=symbol, ours="0", theirs=theirs)


def opened(symbol: str, theirs: str) -> BreakOpened:
    return BreakOpened(at=AT, found=position_break(symbol, theirs), first_seen=AT - timedelta(seconds=2))


def closed(symbol: str, theirs: str) -> BreakClosed:
    return BreakClosed(at=AT, found=position_break(symbol, theirs), first_seen=AT - timedelta(seconds=2))


def booked(activity_id: str, kind: ActivityKind, amount: str, cash: str) -> ActivityBooked:
    return ActivityBooked(at=AT, activity_id=activity_id, activity=kind, word="X", amount=D(amount), cash=D(cash))


def folded(*events) -> tuple[Projection, list[str]]:
    books, found = Projection(), []
    for number, event in enumerate(events, 1):
        found += [difference.field for difference in books.apply(number, event)]
    return books, found


def test_what_is_open_is_what_was_opened_and_not_closed():
    books, found = folded(opened("KO", "5"), opened("PEP", "1"), opened("KO", "6"), closed("PEP", "1"))
    assert found == []
    assert [(b.subject, b.theirs) for b, _ in books.breaks.values()] == [("KO", "6")]


def test_a_break_that_is_closed_without_having_been_opened_is_a_contradiction():
    assert folded(closed("KO", "5"))[1] == ["break KO"]


def test_entries_beside_trades_move_cash_and_only_fees_are_fees():
    opening = CashMoved(at=AT, amount=D(1000), cash=D(1000), reason="opening balance")
    books, found = folded(
        opening,
        booked("1", ActivityKind.FEE, "-1.50", "998.50"),
        booked("2", ActivityKind.DIVIDEND, "4", "1002.50"),
        booked("3", ActivityKind.TRANSFER, "-2.50", "1000.00"),
    )
    assert found == []
    assert (books.cash, books.fees, books.opened) == (D(1000), D("1.50"), AT)
    assert books.activities == {"1", "2", "3"}
    assert not books.follows_activities


def test_an_entry_that_is_booked_twice_or_to_another_sum_is_a_contradiction():
    once = booked("1", ActivityKind.FEE, "-1", "-1")
    assert folded(once, booked("1", ActivityKind.FEE, "-1", "-2"))[1] == ["activity_id"]
    assert folded(booked("1", ActivityKind.FEE, "-1", "-3"))[1] == ["cash"]
    covered = ActivitiesCovered(at=AT, activity_ids=("1",), reason="before")
    books, found = folded(covered, once)
    assert (found, books.follows_activities) == (["activity_id"], True)


def test_an_order_of_somebody_else_is_recalled_with_the_room_of_its_limit():
    order = Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=D(7),
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=D(90),
        client_order_id="by hand",
        strategy=EXTERNAL,
    )
    event = OrderEvent(
        at=AT, order_id="by hand", symbol="KO", status=OrderStatus.WORKING, trigger=OrderTrigger.ADOPT, order=order
    )
    books, found = folded(event)
    assert (found, list(books.orders.open), books.run_orders) == ([], ["by hand"], 1)
    record = record_from([(1, event)])
    assert record is not None
    assert (record.status, record.leaves, record.room_price, record.order) == (OrderStatus.WORKING, 7, 90, order)


def test_open_breaks_are_read_from_a_file_and_a_file_that_is_none_is_said_so(tmp_path):
    path = tmp_path / "journal.sqlite3"
    assert open_breaks(path) == []
    journal = SqliteJournal(path, journal_key(path))
    for event in (opened("KO", "5"), opened("PEP", "1"), closed("PEP", "1")):
        journal.append(event)
    journal.sync()
    (line,) = open_breaks(path)
    assert line == "position KO: ours 0, the broker's 5, since 2024-01-02 14:29:58"
    journal.close()
    path.write_bytes(b"no journal")
    (line,) = open_breaks(path)
    assert line.startswith("unknown")


def test_alarms_about_exits_are_read_from_a_file_until_they_are_over(tmp_path):
    path = tmp_path / "journal.sqlite3"
    assert open_alarms(path) == []
    journal = SqliteJournal(path, journal_key(path))
    for order_id, reason in (("a", "10 KO: no exit"), ("b", "4 PEP: no exit"), ("a", "")):
        journal.append(GroupAlarm(at=AT, order_id=order_id, symbol="KO", reason=reason))
    journal.close()
    (line,) = open_alarms(path)
    assert line.startswith("4 PEP: no exit, since ")
