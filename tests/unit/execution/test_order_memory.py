"""Finished orders leave memory, and nothing changes by that: the journal answers for them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.exceptions import DuplicateOrderId, UnknownOrder
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord, OrderStore
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.sqlite_store import MAX_BUFFERED, SqliteJournal
from quant_trading_system.trading import system as system_module
from tests.support.orders import buy, sell
from tests.support.restart import Life

D = Decimal
REMEMBERED = 3


@pytest.fixture(params=["memory", "disk"])
def life(request, monkeypatch, tmp_path):
    """An account that keeps three finished orders in memory."""
    monkeypatch.setattr(system_module, "REMEMBERED", REMEMBERED)
    if request.param == "memory":
        yield Life(forgetful=True)
        return
    with SqliteJournal(tmp_path / "journal.db", bytes(32), batch=1) as journal:
        yield Life(forgetful=True, journal=journal)


def finish_others(life: Life, count: int = REMEMBERED + 1) -> None:
    for _ in range(count):
        life.trade(buy(1, repeat=True), "100.00")


def in_memory(life: Life) -> list[str]:
    return [record.order_id for record in life.system.orders.lives.store]


def test_only_the_last_finished_orders_stay_in_memory_and_all_are_counted(life):
    life.begin()
    first = life.submit(buy(1, limit="90.00")).order_id
    for _ in range(4):
        life.trade(buy(1, repeat=True), "100.00")
        life.trade(sell(1, repeat=True), "100.00")
    assert len(in_memory(life)) == REMEMBERED + 1
    assert first in in_memory(life)  # it is open
    assert life.system.orders.count == 9
    life.journal.append(life.system.engine.state())
    life.journal.sync()
    assert replay(life.journal).agrees
    assert len(life.system.tracker.round_trips) == REMEMBERED


def test_the_record_that_was_taken_back_last_is_the_one_that_is_open():
    store, order = OrderStore(), buy(1).with_id("run-1-0")
    for record in (OrderRecord(order, D(1)), OrderRecord(order, D(1))):
        record.status = OrderStatus.WORKING
        store.take_back(record)
    assert store.open_orders() == store.open_orders("KO") == [record]
    assert store.get("run-1-0") is record


def test_an_order_that_left_memory_reads_as_it_was(life):
    life.begin()
    order_id = life.submit(buy(10)).order_id
    life.broker.fill(order_id, 4, "100.00", fee="0.01")
    life.broker.fill(order_id, 6, "100.01", fee="0.02")
    before = life.system.orders.order(order_id)
    finish_others(life)
    assert order_id not in in_memory(life)
    after = life.system.orders.order(order_id)
    assert after is not before
    for name in type(before).__slots__:
        assert getattr(after, name) == getattr(before, name), name


def test_the_same_id_has_the_same_answer_however_long_ago_it_was(life):
    life.begin()
    order = buy(10, client_order_id="mine-1")
    placed = life.submit(order)
    life.broker.fill("mine-1", 10, "100.00")
    refused = buy(10, client_order_id="mine-2", symbol="NOPE")
    rejection = life.submit(refused)
    assert isinstance(rejection, Rejection)
    finish_others(life)
    assert not {"mine-1", "mine-2"} & set(in_memory(life))
    sent = len(life.broker.orders)
    assert life.submit(order) == Placed(placed.order_id, OrderStatus.FILLED, "")
    assert life.submit(refused) == rejection
    with pytest.raises(DuplicateOrderId) as caught:
        life.submit(msgspec.structs.replace(order, quantity=D(11)))
    assert "quantity" in str(caught.value)
    assert len(life.broker.orders) == sent


@pytest.mark.fault("sent-twice")
def test_the_same_id_has_the_same_answer_after_a_restart(life):
    """The broker would refuse it; we must not even ask."""
    life.begin()
    order = buy(10, client_order_id="mine-1")
    life.trade(order, "100.00")
    life.again()
    assert life.submit(order).status is OrderStatus.FILLED
    assert life.broker.orders == []


@pytest.mark.fault("fill-replayed")
def test_a_fill_that_is_told_again_is_not_booked_again(life):
    life.begin()
    order_id = life.submit(buy(10)).order_id
    execution = life.broker.fill(order_id, 10, "100.00")
    finish_others(life)
    held = life.system.portfolio.position("KO").quantity
    life.broker.tell_fill(order_id, execution)
    assert life.system.portfolio.position("KO").quantity == held
    assert not life.system.kill_switch.is_active()


@pytest.mark.fault("fill-after-cancel", "fill-replayed")
def test_a_late_fill_of_an_order_that_was_cancelled_long_ago_is_booked_once(life):
    life.begin()
    order_id = life.submit(buy(10, limit="99.00")).order_id
    life.broker.cancel_answers.append("confirm")
    asyncio.run(life.system.orders.cancel(order_id))
    finish_others(life)
    held, cash = life.system.portfolio.position("KO").quantity, life.system.portfolio.cash
    execution = life.broker.fill(order_id, 4, "99.00")
    finish_others(life)
    life.broker.tell_fill(order_id, execution)
    assert life.system.portfolio.position("KO").quantity == held + 4 + REMEMBERED + 1
    spent = 4 * D("99.00") + (REMEMBERED + 1) * D("100.02")
    assert life.system.portfolio.cash == cash - spent
    assert replay(life.journal).agrees


def test_a_cancel_of_what_ended_long_ago_is_left_alone_and_of_a_stranger_refused(life):
    life.begin()
    order_id = life.submit(buy(1)).order_id
    life.broker.fill(order_id, 1, "100.00")
    finish_others(life)
    asyncio.run(life.system.orders.cancel(order_id))
    assert f"cancel {order_id}" not in life.broker.calls
    with pytest.raises(UnknownOrder):
        asyncio.run(life.system.orders.cancel("nobody's"))


def test_orders_of_an_earlier_process_are_not_counted_twice(life):
    """The books of a run that ends say how many orders it had, and the entries must agree."""
    life.begin()
    life.submit(buy(10, limit="99.00"))
    life.again()
    life.trade(buy(1), "100.00")
    assert life.system.orders.count == 1
    life.journal.append(life.system.engine.state())
    life.journal.sync()
    assert replay(life.journal).agrees


def test_what_leaves_memory_is_durable_by_then():
    """It is looked up in what is durable: never do more entries wait for a sync than orders finish in between."""
    assert system_module.REMEMBERED >= MAX_BUFFERED
