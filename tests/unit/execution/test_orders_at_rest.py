"""Whether every open order waits at the broker is known without a look at each of them."""

from __future__ import annotations

from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.execution.order_store import OrderRecord, OrderStore
from tests.support.orders import buy


def open_order(store: OrderStore, number: int) -> OrderRecord:
    order = buy(1, limit="90.00").with_id(f"o-{number}")
    record = OrderRecord(order, order.quantity, status=OrderStatus.SENT)
    store.add(record)
    return record


def test_orders_rest_when_the_broker_has_all_of_them_and_nothing_is_asked():
    store = OrderStore()
    assert store.is_at_rest
    first, second = open_order(store, 1), open_order(store, 2)
    assert not store.is_at_rest
    first.status = OrderStatus.WORKING
    assert not store.is_at_rest
    second.status = OrderStatus.PARTIALLY_FILLED
    assert store.is_at_rest


def test_a_request_and_a_doubt_end_the_rest_and_so_does_a_new_order():
    store = OrderStore()
    first, second = open_order(store, 1), open_order(store, 2)
    first.status = second.status = OrderStatus.WORKING
    assert store.is_at_rest
    first.pending = PendingRequest.CANCEL
    store.stir(first)
    assert not store.is_at_rest
    first.status = OrderStatus.CANCELED
    store.settle(first)
    assert store.is_at_rest
    second.status = OrderStatus.IN_DOUBT
    store.settle(second)
    assert not store.is_at_rest
    second.status = OrderStatus.WORKING
    assert store.is_at_rest
    open_order(store, 3)
    assert not store.is_at_rest


def test_what_is_asked_of_a_finished_order_disturbs_nobody():
    store = OrderStore()
    record = open_order(store, 1)
    record.status = OrderStatus.FILLED
    store.settle(record)
    record.pending = PendingRequest.CANCEL
    store.stir(record)
    assert store.is_at_rest
