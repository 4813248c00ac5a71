"""Cancels that get lost, orders that come late, fills that cannot be: nothing is forgotten, and nothing is believed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import FillEvent, HaltTrigger
from quant_trading_system.core.exceptions import JournalUnavailable
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.execution.cancelling import AT_ONCE, MAX_ASKS
from quant_trading_system.execution.notices import Notice, NoticeKind
from quant_trading_system.execution.order_store import OrderRecord
from tests.support.desk import Account
from tests.support.orders import buy, sell

D = Decimal
K, S, T = NoticeKind, OrderStatus, OrderTrigger


class Desk(Account):
    """An account, what its order manager tells a person, and time that passes."""

    def __init__(self) -> None:
        super().__init__()
        self.notices: list[Notice] = []
        self.orders.lives.watch.on_notice(self.notices.append)

    def wait(self, seconds: float) -> None:
        asyncio.run(self.clock.advance(timedelta(seconds=seconds)))
        self.offer()
        if self.orders.needs_tending:  # as the engine asks
            asyncio.run(self.orders.tend())

    def cancel(self, record: OrderRecord, reason: str = "") -> None:
        asyncio.run(self.orders.cancel(record.order_id, reason))

    def lost(self, quantity: int = 10) -> OrderRecord:
        """An order whose answer got lost."""
        self.broker.answers.append("time_out")
        answer = self.submit(buy(quantity, limit="99.00"))
        return self.record(answer.order_id)

    def submit_lost(self, symbol: str) -> OrderRecord:
        """The same in another symbol."""
        self.broker.answers.append("time_out")
        answer = self.submit(buy(10, symbol, limit="99.00"))
        return self.record(answer.order_id)

    def absent(self) -> OrderRecord:
        """An order that was given up."""
        record = self.lost()
        asyncio.run(self.clock.advance(timedelta(minutes=3)))
        for _ in range(3):
            asyncio.run(self.orders.resolve(record.order_id))
        assert record.status is S.ABSENT
        return record

    @property
    def told(self) -> list[NoticeKind]:
        return [notice.kind for notice in self.notices]


# -- cancels -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("cancel-lost")
def test_a_lost_cancel_is_asked_for_again_with_growing_pauses_and_never_shown_as_done():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    desk.cancel(record, "enough")
    asked = []
    for second in range(600):
        desk.wait(1)
        if len(desk.broker.cancels) > len(asked) + 1:
            asked.append(second + 1)
    assert asked[:4] == [5, 15, 35, 75]
    assert len(desk.broker.cancels) == MAX_ASKS
    assert (record.status, record.pending) == (S.WORKING, PendingRequest.CANCEL)
    assert desk.told == [K.CANCEL_LOST]
    assert "enough" in desk.notices[0].message


def test_a_cancel_of_an_order_that_has_just_taken_the_place_of_another_is_asked_for_once_more_and_not_twice():
    desk = Desk()
    old = desk.working(buy(10, limit="99.00"))
    desk.broker.answers.append("silent")
    asyncio.run(desk.orders.replace(old.order_id, limit_price=D("98.00")))
    new = old.newer
    desk.cancel(old, "enough")
    assert desk.broker.cancels == [old.order_id, new.order_id]
    desk.broker.replaced(old.order_id, new.order_id)
    desk.wait(1)
    assert desk.broker.cancels == [old.order_id, new.order_id, new.order_id]
    desk.wait(600)
    for _ in range(MAX_ASKS):
        desk.wait(600)
    assert desk.told == [K.CANCEL_LOST]


def test_a_cancel_is_not_asked_for_again_once_the_order_has_ended():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    desk.cancel(record)
    desk.broker.fill(record.order_id, 10, 99)
    desk.wait(300)
    assert desk.broker.cancels == [record.order_id]


@pytest.mark.fault("cancel-refused")
def test_a_refused_cancel_stays_wanted_and_is_tried_again():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    desk.broker.cancel_answers.extend(["refuse", "confirm"])
    desk.cancel(record)
    assert record.pending is PendingRequest.NONE
    desk.wait(1)
    assert len(desk.broker.cancels) == 1
    desk.wait(5)
    assert (len(desk.broker.cancels), record.status) == (2, S.CANCELED)


@pytest.mark.fault("cancel-in-doubt")
def test_a_cancel_of_an_order_in_doubt_is_carried_out_as_soon_as_it_is_seen():
    desk = Desk()
    record = desk.lost()
    desk.broker.cancel_answers.append("refuse")  # unknown order, says the broker
    desk.cancel(record)
    assert (record.status, record.pending) == (S.IN_DOUBT, PendingRequest.CANCEL)
    desk.wait(20)
    assert len(desk.broker.cancels) == 1
    desk.broker.accept(record.order_id)
    desk.broker.cancel_answers.append("confirm")
    desk.wait(0)
    assert (len(desk.broker.cancels), record.status) == (2, S.CANCELED)


def test_a_cancel_of_an_order_that_is_being_sent_is_remembered():
    desk = Desk()
    desk.broker.answers.append("silent")
    record = desk.record(desk.submit(buy(10, limit="99.00")).order_id)
    assert record.status is S.SENT
    desk.cancel(record)
    desk.broker.accept(record.order_id)
    desk.wait(0)
    assert desk.broker.cancels == [record.order_id] * 2


def test_a_cancel_reaches_both_legs_of_a_replace_that_is_pending():
    desk = Desk()
    old = desk.working(buy(10, limit="99.00"))
    desk.broker.answers.append("silent")
    asyncio.run(desk.orders.replace(old.order_id, quantity=D(12)))
    desk.cancel(old)
    new = desk.record(f"{old.order_id}.r1")
    assert desk.broker.cancels == [old.order_id, new.order_id]
    desk.broker.cancel_answers.append("confirm")
    desk.broker.replaced(old.order_id, new.order_id)
    desk.wait(0)
    assert (old.status, new.status) == (S.REPLACED, S.CANCELED)


def test_a_cancel_of_an_order_that_was_replaced_goes_to_the_one_in_its_place():
    desk = Desk()
    old = desk.working(buy(10, limit="99.00"))
    asyncio.run(desk.orders.replace(old.order_id, quantity=D(12)))
    desk.cancel(old)
    assert desk.broker.cancels == [f"{old.order_id}.r1"]


def test_all_cancels_are_on_their_way_before_the_first_is_answered(monkeypatch):
    desk = Desk()
    symbols = ("KO", "PEP", "XOM")
    for number in range(15):
        desk.working(buy(1, symbols[number % 3], limit=f"9{number % 5}.00"))
    waiting, most = 0, 0
    answered: list[str] = []

    async def cancel(order_id: str, _: str) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        for _ in range(20):
            await asyncio.sleep(0)
        waiting -= 1
        answered.append(order_id)

    monkeypatch.setattr(desk.broker, "cancel", cancel)
    asked = asyncio.run(desk.orders.cancel_all("stop"))
    assert (most, len(answered), len(asked)) == (15, 15, 15)
    assert all(record.pending is PendingRequest.CANCEL for record in desk.orders.open_orders())


def test_no_more_cancels_than_allowed_wait_at_the_same_time(monkeypatch):
    desk = Desk()
    records = [OrderRecord(buy(1, client_order_id=f"o-{n}"), D(1)) for n in range(3 * AT_ONCE)]
    for record in records:
        record.status = S.WORKING
        desk.orders.lives.store.add(record)
        desk.orders.lives.store.settle(record)
    waiting, most = 0, 0

    async def cancel(_: str, __: str) -> None:
        nonlocal waiting, most
        waiting, most = waiting + 1, max(most, waiting + 1)
        await asyncio.sleep(0)
        waiting -= 1

    monkeypatch.setattr(desk.broker, "cancel", cancel)
    assert len(asyncio.run(desk.orders.cancel_all("stop"))) == 3 * AT_ONCE
    assert most == AT_ONCE


def test_a_broker_that_takes_no_time_is_asked_for_a_hundred_cancels_at_once_by_a_halt(monkeypatch):
    desk = Desk()
    for n in range(100):
        record = OrderRecord(buy(1, client_order_id=f"o-{n}"), D(1))
        record.status = S.WORKING
        desk.orders.lives.store.add(record)
        desk.orders.lives.store.settle(record)

    async def cancel(_: str, __: str) -> None:
        await desk.clock.sleep(timedelta(milliseconds=100))

    monkeypatch.setattr(desk.broker, "cancel", cancel)
    desk.kill_switch.activate("stop")

    async def halt() -> float:
        begun = desk.clock.monotonic()
        task = asyncio.create_task(desk.system.halt.advance())
        while not task.done():
            for _ in range(400):
                await asyncio.sleep(0)
            await desk.clock.advance(timedelta(milliseconds=10))
        await task
        return desk.clock.monotonic() - begun

    assert asyncio.run(halt()) <= 0.25


def test_when_one_cancel_cannot_be_recorded_the_others_are_asked_for_all_the_same():
    desk = Desk()
    for limit in ("99.00", "98.00", "97.00"):
        desk.working(buy(1, limit=limit))
    desk.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        asyncio.run(desk.orders.cancel_all("stop"))
    assert len(desk.broker.cancels) == 3


# -- late arrivals -------------------------------------------------------------------------------------------------


@pytest.mark.fault("request-late")
def test_an_order_that_arrives_after_it_was_given_up_is_adopted_and_cancelled():
    desk = Desk()
    record = desk.absent()
    desk.broker.accept(record.order_id)
    assert (record.status, desk.reserved) == (S.WORKING, {record.order_id: D(10)})
    desk.broker.cancel_answers.append("confirm")
    desk.wait(0)
    assert (record.status, desk.reserved, desk.told) == (S.CANCELED, {}, [K.LATE_ARRIVAL])


@pytest.mark.fault("request-late")
def test_fills_of_an_order_that_was_given_up_are_booked_and_the_rest_is_cancelled():
    desk = Desk()
    record = desk.absent()
    desk.broker.fill(record.order_id, 4, 99)
    desk.broker.cancel_answers.append("confirm")
    desk.wait(0)
    assert (record.status, record.filled, desk.portfolio.position("KO").quantity) == (S.CANCELED, D(4), D(4))


def test_a_whole_fill_of_an_order_that_was_given_up_leaves_nothing_to_cancel():
    desk = Desk()
    record = desk.absent()
    desk.broker.fill(record.order_id, 10, 99)
    desk.wait(60)
    assert (record.status, desk.broker.cancels, desk.told) == (S.FILLED, [], [K.LATE_ARRIVAL])


# -- doubt ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault("request-lost")
def test_an_order_in_doubt_freezes_its_symbol_then_warns_then_halts_the_account():
    desk = Desk()
    record = desk.lost()
    refused = desk.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert refused.rule is Rule.IN_DOUBT
    desk.wait(59)
    assert desk.told == []
    desk.wait(1)
    desk.wait(1)
    assert desk.told == [K.IN_DOUBT]
    assert not desk.kill_switch.is_active()
    desk.wait(239)
    assert desk.kill_switch.state.trigger is HaltTrigger.INTEGRITY
    assert record.order_id in desk.kill_switch.reason


@pytest.mark.fault("wall-clock-jumps")
def test_a_wall_clock_that_jumps_makes_no_doubt_older_and_no_cancel_due(monkeypatch):
    desk = Desk()
    working = desk.working(buy(5, limit="99.00"))
    lost = desk.submit_lost("PEP")
    desk.broker.is_mute = True
    desk.cancel(working)
    true = desk.clock.now
    monkeypatch.setattr(desk.clock, "now", lambda: true() + timedelta(hours=1))
    desk.wait(1)
    assert (desk.told, desk.kill_switch.is_active()) == ([], False)
    assert desk.broker.cancels == [working.order_id]
    desk.broker.is_mute = False
    for _ in range(3):
        asyncio.run(desk.orders.resolve(lost.order_id))
    assert lost.status is S.IN_DOUBT


def test_an_order_that_was_found_again_halts_nothing():
    desk = Desk()
    record = desk.lost()
    desk.broker.accept(record.order_id)
    desk.wait(400)
    assert (desk.told, desk.kill_switch.is_active()) == ([], False)


# -- fills that should not be ---------------------------------------------------------------------------------------


@pytest.mark.fault("overfill")
def test_an_overfill_is_booked_told_and_freezes_the_symbol_for_new_risk():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    desk.broker.fill(record.order_id, 12, 99)
    assert (record.filled, desk.portfolio.position("KO").quantity) == (D(12), D(12))
    assert desk.told == [K.OVERFILL]
    refused = desk.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert (refused.rule, "12 of 10" in refused.message) == (Rule.IN_DOUBT, True)
    desk.working(sell(12))
    desk.working(buy(1, "PEP"))


def test_two_legs_that_fill_more_than_their_intent_are_an_overfill():
    desk = Desk()
    old = desk.working(buy(10, limit="99.00"))
    asyncio.run(desk.orders.replace(old.order_id, quantity=D(12)))
    desk.broker.fill(old.order_id, 5, 99)
    assert desk.told == []
    desk.broker.fill(f"{old.order_id}.r1", 12, 99)
    assert desk.told == [K.OVERFILL]


@pytest.mark.parametrize(
    "flaw", [{"quantity": D(0)}, {"quantity": D("NaN")}, {"price": D(-1)}, {"price": D("Infinity")}, {"price": D(5000)}]
)
@pytest.mark.fault("fill-senseless")
def test_a_fill_that_cannot_be_is_set_apart_and_its_order_is_looked_up(flaw):
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    true = desk.broker.execution(record.order_id, 10, 99)
    desk.broker.tell_fill(record.order_id, msgspec.structs.replace(true, **flaw))
    assert (record.status, record.filled, desk.portfolio.positions, desk.told) == (S.WORKING, D(0), {}, [K.QUARANTINED])
    desk.broker.known[record.order_id] = desk.broker.seen(record.order_id, S.FILLED, "10")
    desk.broker.history[record.order_id] = (true,)
    desk.wait(0)
    assert (record.status, record.filled, record.average_price) == (S.FILLED, D(10), D(99))


def test_an_absurd_price_that_the_history_confirms_is_booked():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    absurd = desk.broker.execution(record.order_id, 10, "0.01")
    desk.broker.tell_fill(record.order_id, absurd)
    desk.broker.is_mute = True
    desk.wait(0)
    assert record.filled == 0
    desk.broker.is_mute = False
    desk.broker.known[record.order_id] = desk.broker.seen(record.order_id, S.FILLED, "10")
    desk.broker.history[record.order_id] = (absurd,)
    desk.wait(0)
    assert (record.filled, record.average_price) == (D(10), D("0.01"))


# -- a journal that is gone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [4, 10])
@pytest.mark.fault("write-fails")
def test_when_the_journal_is_gone_books_and_order_move_together(quantity):
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    ended: list[str] = []
    desk.orders.on_settled(lambda settled: ended.append(settled.order_id))
    desk.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        desk.broker.fill(record.order_id, quantity, 99)
    done = quantity == 10
    assert (record.filled, desk.portfolio.position("KO").quantity) == (D(quantity), D(quantity))
    assert record.status is (S.FILLED if done else S.PARTIALLY_FILLED)
    assert desk.reserved == ({} if done else {record.order_id: D(6)})
    assert ended == ([record.order_id] if done else [])
    assert desk.journal.of(FillEvent) == []


def test_losses_are_watched_when_the_journal_is_gone():
    desk = Desk()
    desk.hold("PEP", 200, 100)
    record = desk.working(buy(10, limit="99.00"))
    desk.portfolio.mark("PEP", D(50))
    desk.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        desk.broker.fill(record.order_id, 10, 99)
    assert desk.kill_switch.is_active()


@pytest.mark.fault("cancel-lost")
def test_a_broker_without_an_answer_leaves_a_cancel_pending():
    desk = Desk()
    record = desk.working(buy(10, limit="99.00"))
    desk.broker.cancel_answers.append("time_out")
    desk.cancel(record)
    assert record.pending is PendingRequest.CANCEL
