"""A replay gives the books that the engine had, or says where they part."""

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal, localcontext

import msgspec
import pytest

from quant_trading_system.core.events import (
    CashMoved,
    FillEvent,
    HaltLevel,
    HaltTrigger,
    KillSwitchEvent,
    OrderEvent,
    StateRecorded,
)
from quant_trading_system.core.exceptions import JournalDamaged
from quant_trading_system.core.order_state import OrderStatus as S
from quant_trading_system.core.order_state import OrderTrigger as T
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.journal import replay as replay_module
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_reader import JournalReader
from quant_trading_system.journal.sqlite_store import SqliteJournal
from quant_trading_system.journal.store import MemoryJournal

D = Decimal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(range(32))

STATE = StateRecorded(
    at=AT,
    open_orders={"run-2-0": "partially_filled/30"},
    positions={"KO": D(130)},
    costs={"KO": D("7830.00")},
    cash=D("92169.00"),
    realized_pnl=D(0),
    fees=D("1.00"),
    halt_level=HaltLevel.REDUCING,
    orders=3,
    fills=2,
)
"""What the books of the day below are."""


def order_event(order_id, status, trigger, filled=0, quantity=None):
    order = None
    if quantity is not None:
        order = Order(
            symbol="KO",
            side=OrderSide.BUY,
            quantity=D(quantity),
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
        )
    return OrderEvent(
        at=AT, order_id=order_id, symbol="KO", status=status, trigger=trigger, quantity_filled=D(filled), order=order
    )


def fill(order_id, quantity, price, position, cash, fee):
    return FillEvent(
        at=AT,
        order_id=order_id,
        execution_id=f"{order_id}:1",
        symbol="KO",
        side=OrderSide.BUY,
        quantity=D(quantity),
        price=D(price),
        cumulative_quantity=D(quantity),
        position_quantity=D(position),
        cash=D(cash),
        fee=D(fee),
    )


DAY = (
    CashMoved(at=AT, amount=D(100000), cash=D(100000), reason="opening balance"),
    order_event("run-1-0", S.SENT, T.SEND, quantity=100),
    fill("run-1-0", 100, "60.00", 100, "93999.50", "0.50"),
    order_event("run-1-0", S.FILLED, T.FILL_LAST, filled=100),
    order_event("run-2-0", S.SENT, T.SEND, quantity=200),
    fill("run-2-0", 30, "61.00", 130, "92169.00", "0.50"),
    order_event("run-2-0", S.PARTIALLY_FILLED, T.FILL_PART, filled=30),
    order_event("run-3-0", S.DENIED, T.DENY, quantity=5000),
    KillSwitchEvent(
        at=AT, level=HaltLevel.REDUCING, reason="-5 %", trigger=HaltTrigger.DAILY_LOSS, by="monitor", activation=1
    ),
)


def written(*events):
    journal = MemoryJournal(KEY)
    for event in (*DAY, *events):
        journal.append(event)
    return journal


def test_a_replay_gives_the_books_that_were_recorded():
    report = replay(written(STATE))
    assert report.differences == ()
    assert report.agrees
    assert (report.entries, report.states, report.projection.seq) == (10, 1, 10)
    assert report.projection.cash == STATE.cash


@pytest.mark.parametrize(
    ("field", "value", "named", "recorded", "folded"),
    [
        ("open_orders", {}, "order run-2-0", "not open", "partially_filled/30"),
        ("open_orders", {"run-2-0": "working/30"}, "order run-2-0", "working/30", "partially_filled/30"),
        (
            "open_orders",
            {"run-2-0": "partially_filled/31"},
            "order run-2-0",
            "partially_filled/31",
            "partially_filled/30",
        ),
        ("open_orders", {"run-2-0": "nonsense"}, "order run-2-0", "nonsense", "partially_filled/30"),
        ("positions", {"KO": D(131)}, "position KO", "131", "130"),
        ("positions", {}, "position KO", "0", "130"),
        ("costs", {"KO": D("7830.01")}, "cost KO", "7830.01", "7830.00"),
        ("cash", D("92169.000000001"), "cash", "92169.000000001", "92169.00"),
        ("realized_pnl", D("-0.01"), "realized_pnl", "-0.01", "0"),
        ("fees", D(0), "fees", "0", "1.00"),
        ("halt_level", HaltLevel.RUNNING, "halt_level", "0", "1"),
        ("orders", 2, "orders", "2", "3"),
        ("fills", 3, "fills", "3", "2"),
    ],
)
def test_every_field_that_differs_is_named_with_both_values(field, value, named, recorded, folded):
    report = replay(written(msgspec.structs.replace(STATE, **{field: value})))
    assert [(d.seq, d.field, d.recorded, d.folded) for d in report.differences] == [(10, named, recorded, folded)]
    assert not report.agrees


def test_numbers_are_compared_and_not_their_spelling():
    state = msgspec.structs.replace(
        STATE,
        open_orders={"run-2-0": "partially_filled/30.000"},
        cash=D("92169"),
        positions={"KO": D("130.0"), "XOM": D(0)},
    )
    assert replay(written(state)).agrees


def test_orders_that_nobody_opened_are_named():
    state = msgspec.structs.replace(STATE, open_orders={**STATE.open_orders, "run-9-0": "working/0"})
    assert [str(d) for d in replay(written(state)).differences] == [
        "entry 10: order run-9-0 is recorded as working/0, the entries give not open"
    ]


def test_an_order_event_that_claims_more_than_was_executed_is_named():
    """A fill was lost between the order's life and the books."""
    more = order_event("run-2-0", S.PARTIALLY_FILLED, T.FILL_PART, filled=50)
    assert [d.field for d in replay(written(more, STATE)).differences] == ["quantity_filled of run-2-0"]


def test_the_books_can_be_asked_as_of_any_entry():
    journal = written(STATE)
    quantities = [
        sum(position.quantity for position in replay(journal, until=seq).projection.positions.values())
        for seq in range(1, 11)
    ]
    assert quantities == [0, 0, 100, 100, 100, 130, 130, 130, 130, 130]
    assert replay(journal, until=3).entries == 3


def test_every_prefix_is_continued_to_the_same_books():
    """Replaying half and applying the rest is replaying all."""
    journal = written(STATE)
    for half in range(1, 10):
        books = replay(journal, until=half).projection
        for entry in journal.entries(start=half + 1):
            assert books.apply(entry.seq, entry.event) == []
        whole = replay(journal).projection
        assert (books.cash, books.fees, books.halt, books.orders.ended) == (
            whole.cash,
            whole.fees,
            whole.halt,
            whole.orders.ended,
        )
        assert books.orders.open == whole.orders.open


def test_the_report_is_bounded_and_the_count_is_not(monkeypatch):
    monkeypatch.setattr(replay_module, "MAX_DIFFERENCES", 3)
    wrong = msgspec.structs.replace(STATE, orders=0, fills=0)
    report = replay(written(wrong, wrong, wrong))
    assert (len(report.differences), report.difference_count) == (3, 6)


def test_a_replay_does_not_depend_on_the_digits_of_the_calling_thread():
    with localcontext() as context:
        context.prec = 3
        assert replay(written(STATE)).agrees


def test_disk_and_memory_replay_alike_and_damage_stops_a_replay(tmp_path):
    path = tmp_path / "journal.db"
    with SqliteJournal(path, KEY) as journal:
        for event in (*DAY, STATE):
            journal.append(event)
        journal.sync()
        assert replay(journal).agrees
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE entries SET config = 'x' WHERE seq = 3")
    connection.close()
    with JournalReader(path, KEY) as reader, pytest.raises(JournalDamaged, match="entry 3"):
        replay(reader)
