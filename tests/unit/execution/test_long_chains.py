"""Orders that are changed again and again, as one that follows the market for weeks: nothing grows with that."""

from __future__ import annotations

import asyncio
import random
import sys
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.execution.broker import Execution
from quant_trading_system.execution.order_life import OrderLives
from quant_trading_system.execution.order_manager import OrderManager, Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.journal.replay import replay
from tests.support.desk import Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy
from tests.support.restart import Life

D = Decimal
MANY = sys.getrecursionlimit() + 200
PRICES = [D(cents) / 100 for cents in range(9500, 9900)]
ROOMY = {
    "max_repeated_orders": 10_000,
    "max_replaces_per_minute": 10_000,
    "max_orders_per_minute": 10_000,
    "max_messages_per_minute": 10_000,
    "max_orders_per_day": 10_000,
    "max_notional_per_minute": D(10) ** 9,
    "max_notional_per_day": D(10) ** 9,
}


def changed_often(orders: OrderManager, times: int = MANY) -> str:
    """Change the order `run-1-0` so many times; the id of the one that has its place in the end."""
    last = "run-1-0"
    for number in range(1, times + 1):
        answer = asyncio.run(orders.replace(last, limit_price=PRICES[number % len(PRICES)]))
        assert answer == Placed(f"run-1-0.r{number}", OrderStatus.WORKING)
        last = answer.order_id
    return last


def test_an_order_may_be_changed_any_number_of_times():
    account = Account(limits=limits_with(**ROOMY))
    account.working(buy(10, limit="99.00"))
    last = changed_often(account.orders)
    account.broker.fill(last, 4, 95)
    assert account.record(last).leaves == 6
    assert account.reserved == {last: D(6)}


def test_the_id_of_a_change_is_found_without_a_look_at_all_before_it(monkeypatch):
    account = Account(limits=limits_with(**ROOMY))
    account.working(buy(10, limit="99.00"))
    looked_up: list[str] = []
    is_known = OrderLives.is_known
    monkeypatch.setattr(OrderLives, "is_known", lambda self, name: looked_up.append(name) or is_known(self, name))
    assert changed_often(account.orders, 20) == "run-1-0.r20"
    assert len(looked_up) == 20


def test_changes_that_were_refused_have_ids_of_their_own():
    account = Account(limits=limits_with(**{**ROOMY, "max_order_quantity": D(12)}))
    account.working(buy(10, limit="99.00"))
    for number in (1, 2):
        answer = asyncio.run(account.orders.replace("run-1-0", quantity=D(13)))
        assert isinstance(answer, Rejection)
        assert answer.order_id == f"run-1-0.r{number}"
    assert asyncio.run(account.orders.replace("run-1-0", quantity=D(12))).order_id == "run-1-0.r3"
    assert asyncio.run(account.orders.replace("run-1-0.r3", quantity=D(11))).order_id == "run-1-0.r4"


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_process_that_starts_again_takes_up_such_an_order(forgetful):
    life = Life(forgetful=forgetful)
    life.limits = limits_with(**ROOMY)
    system = life.begin()
    life.submit(buy(10, limit="99.00"))
    life.broker.fill("run-1-0", 3, 95)
    last = changed_often(system.orders)
    life.broker.fill(last, 4, 95)
    again = life.again()
    record = again.orders.order(last)
    assert record is not None
    assert (record.chain_filled, record.leaves) == (7, 3)
    assert replay(life.journal).agrees


class Plain:
    """What an order and those whose places it took have filled, added up anew each time."""

    def __init__(self, record: OrderRecord, older: Plain | None) -> None:
        self.record, self.older = record, older

    @property
    def filled(self) -> Decimal:
        own = self.record.filled + self.record.filled_before
        return own if self.older is None else own + self.older.filled


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_what_a_chain_has_filled_is_the_sum_of_its_orders(seed):
    """Fills come late and are taken back, and a change that was tried in vain is followed by another."""
    chance = random.Random(seed)
    orders = [Plain(_record(0), None)]
    orders[0].record.filled_before = D(chance.choice([0, 5]))
    for number in range(1, 40):
        one = chance.choice(orders)
        what = chance.random()
        if what < 0.4:
            new = Plain(_record(number), chance.choice([orders[-1], one]))
            assert new.older is not None
            new.record.follow(new.older.record)
            orders.append(new)
        elif what < 0.8 or not one.record.executions:
            end = one.record.booked_to + chance.randrange(1, 4)
            one.record.book(_execution(f"e{number}", end - one.record.booked_to, end))
        else:
            booked = chance.choice(list(one.record.executions.values()))
            one.record.correct(msgspec.structs.replace(booked, quantity=D(chance.randrange(3))))
        assert [one.record.chain_filled for one in orders] == [one.filled for one in orders]


def _record(number: int) -> OrderRecord:
    return OrderRecord(buy(100, limit="99.00").with_id(f"run-1-0.r{number}"), D(100))


def _execution(name: str, quantity: Decimal, end: Decimal) -> Execution:
    return Execution(execution_id=name, quantity=quantity, price=D(99), cumulative_quantity=end, at=NOON)
