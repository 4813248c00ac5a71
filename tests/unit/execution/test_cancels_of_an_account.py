"""Cancels of all that is open on an account: many go with one request, and each is asked for in some way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.exceptions import BrokerRejected, JournalUnavailable, OutcomeUnknown
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.order_state import OrderStatus, PendingRequest
from quant_trading_system.execution.cancelling import FEW, MAX_ASKS, TRUSTED
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.order_store import OrderRecord
from tests.support.desk import UNHURRIED, Account, limits_with
from tests.support.orders import buy


class Desk(Account):
    """An account that may have many orders open, and what its order manager tells a person."""

    def __init__(self) -> None:
        super().__init__(limits=limits_with(**UNHURRIED, max_open_orders_per_symbol=100))
        self.notices: list[Notice] = []
        self.orders.lives.watch.on_notice(self.notices.append)

    def wait(self, seconds: float) -> None:
        """Time passes, and the engine tends its orders."""
        asyncio.run(self.clock.advance(timedelta(seconds=seconds)))
        self.offer()
        asyncio.run(self.orders.tend())

    def turn(self, seconds: float) -> None:
        """Time passes, and the engine carries a halt further, too."""
        self.wait(seconds)
        asyncio.run(self.system.halt.advance())


def crowded(desk: Desk, count: int) -> list[OrderRecord]:
    """So many orders that work at the broker."""
    return [desk.working(buy(1, limit=f"{90 - n // 10}.{n % 10}0")) for n in range(count)]


def venue_ids(records: list[OrderRecord]) -> frozenset[str]:
    """The broker's own ids of orders."""
    return frozenset(record.venue_order_id for record in records)


def halt(desk: Desk, level: HaltLevel = HaltLevel.HALTED, **scope: Any) -> None:
    """Halt the account, or a part of it, and take the first step of what that demands."""
    desk.kill_switch.activate("stop", level=level, **scope)
    asyncio.run(desk.system.halt.advance())


@pytest.mark.parametrize("level", [HaltLevel.HALTED, HaltLevel.FLATTENING])
def test_a_halt_of_the_account_cancels_many_orders_with_one_request(level):
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)
    before = desk.system.checker.traffic.in_all().messages
    halt(desk, level)
    assert (desk.broker.calls.count("cancel all"), desk.broker.cancels) == (1, [])
    assert desk.system.checker.traffic.in_all().messages == before + 1
    assert all(record.pending is PendingRequest.CANCEL for record in records)
    asked = [
        event
        for event in desk.journal.events
        if isinstance(event, OrderEvent) and event.pending is PendingRequest.CANCEL
    ]
    assert [event.order_id for event in asked] == [record.order_id for record in records]


def test_few_orders_are_cancelled_one_by_one_by_a_halt_too():
    desk = Desk()
    records = crowded(desk, FEW)
    halt(desk)
    assert desk.broker.cancels == [record.order_id for record in records]
    assert "cancel all" not in desk.broker.calls


@pytest.mark.parametrize(
    ("level", "scope"), [(HaltLevel.REDUCING, {}), (HaltLevel.HALTED, {"scope": HaltScope(symbol="KO")})]
)
def test_a_halt_that_leaves_something_alone_cancels_no_orders_but_its_own(level, scope):
    desk = Desk()
    records = crowded(desk, FEW + 5)
    halt(desk, level, **scope)
    assert desk.broker.cancels == [record.order_id for record in records]
    assert "cancel all" not in desk.broker.calls


def test_what_the_broker_does_not_take_on_with_all_and_what_it_has_not_shown_is_cancelled_singly():
    desk = Desk()
    records = crowded(desk, FEW + 5)
    desk.broker.answers.append("time_out")
    unseen = desk.record(desk.submit(buy(10, limit="60.00")).order_id)
    desk.broker.cancels_all = venue_ids(records[2:])
    desk.broker.cancel_answers.extend(["confirm", "refuse", "silent"])
    halt(desk)
    assert desk.broker.cancels == [records[0].order_id, records[1].order_id, unseen.order_id]
    assert (records[0].status, records[1].pending, unseen.pending) == (
        OrderStatus.CANCELED,
        PendingRequest.NONE,
        PendingRequest.CANCEL,
    )


@pytest.mark.parametrize("error", [OutcomeUnknown("no answer"), BrokerRejected("not for you")])
def test_when_all_cannot_be_cancelled_at_once_each_is_cancelled_by_itself(error):
    desk = Desk()
    records = crowded(desk, FEW + 5)
    desk.broker.cancels_all = error
    halt(desk)
    assert desk.broker.cancels == [record.order_id for record in records]


def test_many_cancels_that_seem_lost_are_asked_for_again_with_one_request():
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)
    halt(desk)
    desk.turn(4)
    assert desk.broker.calls.count("cancel all") == 1
    desk.turn(1)
    assert (desk.broker.calls.count("cancel all"), desk.broker.cancels) == (2, [])


def test_a_broker_that_takes_on_all_and_does_nothing_is_asked_for_each():
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)
    halt(desk)
    for _ in range(TRUSTED):
        assert desk.broker.cancels == []
        desk.turn(5)
    assert desk.broker.cancels == [record.order_id for record in records]


def test_while_the_broker_takes_no_requests_few_are_asked_for_and_all_as_soon_as_it_does():
    """Hundreds of requests that are refused would only hold up the one that counts."""
    desk = Desk()
    records = crowded(desk, FEW + 30)
    desk.broker.cancels_all = None
    halt(desk)
    assert desk.broker.cancels == [record.order_id for record in records[:FEW]]
    desk.broker.cancels_all = venue_ids(records)
    desk.turn(5)
    assert (desk.broker.calls.count("cancel all"), len(desk.broker.cancels)) == (2, FEW)


def test_a_cancel_of_all_that_waits_for_its_line_while_the_halt_is_reset_does_not_leave():
    """It would take along what is sent from then on; those of the halt are asked for singly."""
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)

    async def story() -> None:
        desk.kill_switch.activate("stop")
        halting = asyncio.ensure_future(desk.system.halt.advance())
        while "cancel all" not in desk.broker.calls:
            await asyncio.sleep(0)
        desk.kill_switch.reset("Ana", "a test")
        await halting

    asyncio.run(story())
    assert desk.broker.cancels == [record.order_id for record in records]


def test_after_a_halt_is_reset_lost_cancels_are_asked_for_singly_and_new_orders_stay():
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)
    halt(desk)
    desk.kill_switch.reset("Ana", "a test")
    desk.working(buy(1, limit="60.00"))
    desk.wait(60)
    assert desk.broker.calls.count("cancel all") == 1
    assert desk.broker.cancels == [record.order_id for record in records]
    for _ in range(MAX_ASKS):
        desk.wait(60)
    assert [notice.kind for notice in desk.notices].count(NoticeKind.CANCEL_LOST) == len(records)


def test_an_order_that_is_to_replace_another_one_is_cancelled_with_all():
    desk = Desk()
    records = crowded(desk, FEW)
    asyncio.run(desk.orders.replace(records[0].order_id, quantity=Decimal(2)))
    desk.broker.cancels_all = venue_ids([*records[1:], *filter(None, [records[0].newer])])
    crowded_more = desk.working(buy(1, limit="60.00"))
    halt(desk)
    assert desk.broker.cancels == [crowded_more.order_id]


def test_when_cancels_of_all_cannot_be_recorded_they_are_asked_for_all_the_same():
    desk = Desk()
    records = crowded(desk, FEW + 1)
    desk.broker.cancels_all = venue_ids(records)
    desk.kill_switch.activate("stop")
    desk.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        asyncio.run(desk.orders.cancel_account([record.order_id for record in records], "stop"))
    assert desk.broker.calls.count("cancel all") == 1
