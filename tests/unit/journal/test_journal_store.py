"""What every journal does, on the one that lives in memory; and who hears of it."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.events import CashMoved, FillEvent, OrderEvent, SignalEvent
from quant_trading_system.core.exceptions import JournalError
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.journal.entry import chained, genesis
from quant_trading_system.journal.keys import key_from_seed
from quant_trading_system.journal.store import LateJournal, MemoryJournal

AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
KEY = bytes(32)


def moved(dollars: int) -> CashMoved:
    return CashMoved(at=AT + timedelta(seconds=dollars), amount=Decimal(1), cash=Decimal(dollars), reason="deposit")


def accepted(order_id: str) -> OrderEvent:
    return OrderEvent(at=AT, order_id=order_id, symbol="KO", status=OrderStatus.WORKING, trigger=OrderTrigger.ACCEPT)


def filled(order_id: str) -> FillEvent:
    return FillEvent(
        at=AT,
        order_id=order_id,
        execution_id=f"{order_id}:1",
        symbol="KO",
        side=OrderSide.BUY,
        quantity=Decimal(1),
        price=Decimal(60),
        cumulative_quantity=Decimal(1),
    )


def test_entries_are_numbered_from_one_and_chained():
    journal = MemoryJournal(KEY)
    assert journal.head == (0, genesis(KEY).hex())
    journal.set_config("5f1c")
    assert [journal.append(moved(1)), journal.append(moved(2), cause=1)] == [1, 2]
    first, second = journal.entries()
    assert (first.seq, first.at, first.kind, first.cause, first.config) == (1, moved(1).at, "cash_moved", None, "5f1c")
    assert (second.cause, second.event) == (1, moved(2))
    text = "2024-01-02T14:30:02Z"
    assert second.digest == chained(first.digest, 2, text, "cash_moved", 1, "5f1c", None, second.body, KEY)
    assert journal.head == (2, second.digest.hex())


def test_the_same_events_under_the_same_key_give_the_same_head_on_every_machine():
    one, other = MemoryJournal(key_from_seed(7)), MemoryJournal(key_from_seed(7))
    for journal in (one, other):
        for dollars in range(5):
            journal.append(moved(dollars))
    assert one.head == other.head
    assert one.head == (5, "1a401b342829efc895b5e02b9ff67aea61db51189fc86b00b67b3bde863408b2")


def test_time_may_repeat_and_go_back_because_entries_replay_by_number():
    journal = MemoryJournal()
    for dollars in (5, 5, 1):
        journal.append(moved(dollars))
    assert [entry.at for entry in journal.entries()] == [moved(5).at, moved(5).at, moved(1).at]


@pytest.mark.parametrize("kind", [MemoryJournal, LateJournal])
@pytest.mark.parametrize("cause", [0, -1, 2, 3])
def test_only_an_earlier_entry_can_be_a_cause(cause, kind):
    journal = kind()
    journal.append(moved(1))
    with pytest.raises(JournalError, match=f"entry 2 cannot be caused by entry {cause}"):
        journal.append(moved(2), cause=cause)
    assert journal.head[0] == 1
    assert journal.append(moved(2), cause=1) == 2


def test_a_refused_event_leaves_no_trace():
    journal = MemoryJournal(KEY)
    journal.append(moved(1))
    before = journal.head
    with pytest.raises(JournalError, match="aware and in UTC"):
        journal.append(CashMoved(at=AT.replace(tzinfo=None), amount=Decimal(1), cash=Decimal(1), reason=""))
    assert journal.head == before
    assert journal.append(moved(2)) == 2


@pytest.mark.parametrize("version", ["x" * 65, "a\nb"])
def test_a_configuration_hash_is_short_and_printable(version):
    with pytest.raises(JournalError, match="is no configuration hash"):
        MemoryJournal().set_config(version)


def test_entries_are_read_from_a_number_on_and_by_kind():
    journal = MemoryJournal()
    for event in (moved(1), accepted("a"), moved(2), filled("a"), accepted("b")):
        journal.append(event)
    assert [entry.seq for entry in journal.entries(start=3)] == [3, 4, 5]
    assert [entry.seq for entry in journal.entries(kinds={"order", "fill"})] == [2, 4, 5]
    assert [entry.seq for entry in journal.entries(start=9)] == []
    assert journal.entry(4) == next(journal.entries(start=4))
    assert [journal.entry(seq) for seq in (0, 6, -1)] == [None, None, None]


@pytest.mark.parametrize("kind", [MemoryJournal, LateJournal])
def test_about_an_order_are_its_entries_and_the_signal_behind_the_first(kind):
    journal = kind()
    signal = Signal(symbol="KO", direction=Direction.LONG, at=AT)
    spoken = journal.append(SignalEvent(at=AT, signal=signal))
    between = journal.append(moved(1), cause=spoken)
    journal.append(accepted("a"), cause=between)
    journal.append(accepted("b"))
    journal.append(filled("a"))
    assert [entry.seq for entry in journal.about("a")] == [1, 3, 5]
    assert [entry.seq for entry in journal.about("b")] == [4]
    assert journal.about("c") == []


def test_listeners_hear_every_entry_in_order_until_they_leave():
    journal = MemoryJournal()
    heard = []
    leave = journal.subscribe(lambda seq, event: heard.append((seq, event)))
    journal.append(moved(1))
    journal.append(moved(2))
    leave()
    leave()
    journal.append(moved(3))
    assert heard == [(1, moved(1)), (2, moved(2))]


def test_listeners_hear_of_the_kinds_that_they_asked_for():
    journal, heard = MemoryJournal(), []
    leave = journal.subscribe(lambda seq, _: heard.append(("order", seq)), (OrderEvent,))
    journal.subscribe(lambda seq, _: heard.append(("fill", seq)), (FillEvent,))
    for event in (moved(1), accepted("o-1"), filled("o-1")):
        journal.append(event)
    leave()
    leave()
    journal.append(accepted("o-2"))
    journal.subscribe(lambda seq, _: heard.append(("all", seq)))
    journal.append(moved(2))
    assert heard == [("order", 2), ("fill", 3), ("all", 5)]


def test_a_listener_may_append_itself_and_all_hear_in_order():
    journal = MemoryJournal()
    heard = []
    journal.subscribe(lambda seq, event: journal.append(moved(100 + seq)) if seq < 3 else None)
    journal.subscribe(lambda seq, event: heard.append(seq))
    journal.append(moved(1))
    assert heard == [1, 2, 3]


def test_a_listener_that_fails_is_named_and_left_out_and_the_others_go_on(caplog):
    journal = MemoryJournal()
    heard = []

    def broken(seq, event):
        raise RuntimeError("no display")

    journal.subscribe(broken)
    journal.subscribe(lambda seq, event: heard.append(seq))
    with caplog.at_level(logging.CRITICAL):
        journal.append(moved(1))
        journal.append(moved(2))
    assert heard == [1, 2]
    assert [(listener, str(error)) for listener, error in journal.listener_failures] == [(broken, "no display")]
    assert len(caplog.records) == 1


def test_threads_append_without_gaps():
    journal = MemoryJournal(KEY)
    heard = []
    journal.subscribe(lambda seq, event: heard.append(seq))
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda dollars: journal.append(moved(dollars)), range(800)))
    assert sorted(numbers) == list(range(1, 801))
    assert heard == list(range(1, 801))


def test_memory_is_durable_at_once():
    with MemoryJournal() as journal:
        journal.append(moved(1))
        journal.sync()
        asyncio.run(journal.durable())
    assert journal.head[0] == 1
