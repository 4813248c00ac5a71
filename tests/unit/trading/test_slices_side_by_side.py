"""Slices that leave at one moment: decided in their order, and none waits for the answer to another symbol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from quant_trading_system.app.live import AT_ONCE
from quant_trading_system.app.simulating import day_report
from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.execution.side_by_side import side_by_side
from quant_trading_system.risk.pre_trade import ApprovedOrder
from quant_trading_system.simulation.storm.plan import CALM, DayPlan
from quant_trading_system.trading import algo_desk
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account, limits_with

Wait = Callable[[ApprovedOrder], Awaitable[None]]


class Line:
    """The way to a broker that answers when it is told to."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.may_answer = asyncio.Event()
        account.broker.answers.extend([self._wait] * 20)

    async def _wait(self, approved: ApprovedOrder) -> None:
        await self.may_answer.wait()

    @property
    def asked(self) -> list[str]:
        """The symbols of the orders that have arrived."""
        return [order.symbol for order in self.account.broker.orders]


def account_with(*symbols: str, at_once: int = 8) -> Account:
    """One whose desk has a parent order for each of these symbols."""
    account = Account(limits=limits_with(max_orders_per_minute=1000), at_once=at_once)
    for symbol in symbols:
        answer = account.system.desk.start(twap_parent("30", 3, symbol=symbol))
        assert not isinstance(answer, Rejection), answer
    return account


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def decisions(account: Account) -> list[str]:
    """What was decided, in the order of the journal: steps of parents, and orders that were to leave."""
    found = []
    for event in account.journal.events:
        if isinstance(event, ParentEvent):
            found.append(event.parent_id)
        elif isinstance(event, OrderEvent) and event.trigger is OrderTrigger.SEND:
            found.append(f"send {event.order_id}")
    return found


def test_slices_of_different_symbols_leave_before_the_first_answer_comes():
    account = account_with("KO", "PEP", "XOM")

    async def run() -> None:
        line = Line(account)
        step = asyncio.ensure_future(account.system.desk.step())
        await turns()
        assert line.asked == ["KO", "PEP", "XOM"]
        line.may_answer.set()
        await step

    asyncio.run(run())
    assert [record.status for record in account.orders.open_orders()] == [OrderStatus.WORKING] * 3


def test_slices_of_one_symbol_leave_one_after_the_other():
    account = account_with("KO", "KO", "PEP")

    async def run() -> None:
        line = Line(account)
        step = asyncio.ensure_future(account.system.desk.step())
        await turns()
        assert line.asked == ["KO", "PEP"]
        line.may_answer.set()
        await step
        assert line.asked == ["KO", "PEP", "KO"]

    asyncio.run(run())


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_wait_at_the_same_time_than_may(at_once):
    account = account_with("KO", "PEP", "XOM", at_once=at_once)

    async def run() -> None:
        line = Line(account)
        step = asyncio.ensure_future(account.system.desk.step())
        await turns()
        assert line.asked == ["KO", "PEP", "XOM"][:at_once]
        line.may_answer.set()
        await step
        assert line.asked == ["KO", "PEP", "XOM"]

    asyncio.run(run())


def test_decisions_are_on_record_in_the_same_order_as_one_after_the_other():
    first, second = account_with("KO", "PEP", "XOM", at_once=1), account_with("KO", "PEP", "XOM", at_once=8)
    for account in (first, second):
        asyncio.run(account.system.desk.step())
    assert decisions(first) == decisions(second)
    assert len(decisions(first)) >= 6


def test_what_fails_for_one_symbol_keeps_no_other_from_leaving_and_is_raised(monkeypatch):
    account = account_with("KO", "PEP", "XOM")
    place = account.system.desk._place

    async def failing(parent, order) -> None:
        if order.symbol == "KO":
            raise JournalUnavailable("the disk is gone")
        await place(parent, order)

    monkeypatch.setattr(account.system.desk, "_place", failing)
    with pytest.raises(JournalUnavailable):
        asyncio.run(account.system.desk.step())
    assert [order.symbol for order in account.broker.orders] == ["PEP", "XOM"]


def test_a_step_that_is_given_up_leaves_every_order_that_was_on_its_way_in_doubt():
    account = account_with("KO", "PEP", "XOM")

    async def run() -> None:
        line = Line(account)
        step = asyncio.ensure_future(account.system.desk.step())
        await turns()
        assert len(line.asked) == 3
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)

    asyncio.run(run())
    assert [record.status for record in account.orders.open_orders()] == [OrderStatus.IN_DOUBT] * 3


def test_a_halt_stops_the_slices_that_have_not_left():
    account = account_with("KO", "PEP", "XOM", at_once=1)
    many = account_with("KO", "PEP", "XOM", at_once=2)

    async def run(one: Account) -> list[str]:
        line = Line(one)
        step = asyncio.ensure_future(one.system.desk.step())
        await turns()
        one.kill_switch.activate("a drill")
        line.may_answer.set()
        await step
        return line.asked

    assert asyncio.run(run(account)) == ["KO"]
    assert asyncio.run(run(many)) == ["KO", "PEP"]


def test_a_live_engine_lets_several_symbols_wait(monkeypatch):
    told: set[int] = set()

    async def noted(asks, at_once) -> None:
        told.add(at_once)
        await side_by_side(asks, at_once)

    monkeypatch.setattr(algo_desk, "side_by_side", noted)
    day = day_report(DayPlan(seed=1, kinds=("ops.parent",), minutes=CALM + 10))
    assert told == {AT_ONCE}
    assert not day.violations
