"""What the order manager asks the broker about many orders: lists for most of them, ids for what no list shows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution.broker import LISTED_FROM
from quant_trading_system.execution.doubts import MISSES
from quant_trading_system.execution.order_store import OrderRecord
from tests.support.counted_calls import counted_calls
from tests.support.desk import UNHURRIED, Account, limits_with
from tests.support.orders import buy
from tests.support.scripted_broker import ScriptedBroker
from tests.support.scripted_statement import Reconciled, as_seen

D = Decimal
S = OrderStatus


def account_with(orders: int) -> tuple[Account, list[OrderRecord]]:
    """So many orders of which no answer came, at one moment."""
    account = Account(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=1_000))
    account.broker.answers += ["silent"] * orders
    records = [account.working(buy(1, limit=str(D(99) - D(number) / 100))) for number in range(orders)]
    for record in records:
        account.orders.lives.step(record, OrderTrigger.TIME_OUT)
    return account, records


def resolve(account: Account, records: list[OrderRecord]) -> list[str]:
    """The ids that are left to be asked for."""
    return asyncio.run(account.orders.resolve_listed(record.order_id for record in records))


def test_what_lists_show_is_settled_and_the_rest_is_left(monkeypatch):
    account, records = account_with(20)
    finds = counted_calls(monkeypatch, ScriptedBroker, "find")
    for record in records[:18]:
        account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.WORKING)
    filled = records[3].order_id
    account.broker.known[filled] = account.broker.seen(filled, S.FILLED, "1")
    account.broker.history[filled] = (account.broker.execution(filled, 1, "98.97"),)
    assert resolve(account, records) == [record.order_id for record in records[18:]]
    assert [record.status for record in records[2:5]] == [S.WORKING, S.FILLED, S.WORKING]
    assert account.portfolio.position("KO").quantity == 1
    assert finds == []


def test_that_a_list_does_not_show_an_order_is_no_denial():
    """However often and however late: only a question for its id can deny it."""
    account, records = account_with(LISTED_FROM)
    for _ in range(MISSES + 1):
        account.clock.move_to(account.clock.now() + timedelta(minutes=5))
        assert len(resolve(account, records)) == LISTED_FROM
    assert {(record.status, record.misses) for record in records} == {(S.IN_DOUBT, 0)}


@pytest.mark.parametrize(("orders", "is_mute"), [(LISTED_FROM - 1, False), (LISTED_FROM, True)])
def test_few_orders_and_lists_without_an_answer_leave_all_to_their_ids(orders, is_mute):
    account, records = account_with(orders)
    for record in records:
        account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.WORKING)
    account.broker.is_mute = is_mute
    assert resolve(account, records) == [record.order_id for record in records]
    assert {record.status for record in records} == {S.IN_DOUBT}


def test_the_first_reconciliation_asks_for_no_order_that_a_list_shows(monkeypatch):
    account, records = account_with(40)
    desk = Reconciled(account=account)
    finds = counted_calls(monkeypatch, ScriptedBroker, "find")
    for record in records:
        desk.theirs.shows(as_seen(record, status="working"))
    asyncio.run(desk.start())
    assert {record.status for record in records} == {S.WORKING}
    assert finds == []


def test_orders_that_are_gone_from_the_brokers_list_are_not_asked_for_one_by_one(monkeypatch):
    """The stream was down while all of them ended."""
    account, records = account_with(40)
    desk = Reconciled(account=account)

    async def story() -> None:
        for record in records:
            desk.theirs.shows(as_seen(record, status="working"))
        await desk.start()
        finds = counted_calls(monkeypatch, ScriptedBroker, "find")
        desk.theirs.orders.clear()
        for record in records:
            account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.EXPIRED)
        await desk.after(31)
        assert {record.status for record in records} == {S.EXPIRED}
        assert finds == []

    asyncio.run(story())
