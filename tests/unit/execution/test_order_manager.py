"""The way out: once, on record first, never past a halt; and whatever the broker then says, the books stay true."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import FillEvent, HaltLevel, HaltTrigger, KillSwitchEvent, OrderEvent
from quant_trading_system.core.exceptions import (
    BrokerRejected,
    DuplicateOrderId,
    JournalUnavailable,
    KillSwitchActiveError,
    KillSwitchIncomplete,
    OutcomeUnknown,
    UnknownOrder,
)
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest, RequestTrigger
from quant_trading_system.core.orders import Order, OrderType, TimeInForce
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.risk.checks import Case
from tests.support.desk import Account, limits_with, plant
from tests.support.orders import buy, sell
from tests.support.restart import Life

D = Decimal
S = OrderStatus


def journalled(account: Account, order_id: str) -> list[str]:
    """What the journal says about the life of one order."""
    return [f"{e.trigger or e.pending}→{e.status}" for e in account.journal.of(OrderEvent) if e.order_id == order_id]


# -- on record, then out -------------------------------------------------------------------------------------------


def test_an_order_is_durable_before_the_broker_hears_of_it():
    account = Account()
    answer = account.submit(buy(10))
    assert answer == Placed("run-1-0", S.WORKING)
    assert account.calls == ["durable 2", "place run-1-0"]
    first = account.journal.of(OrderEvent)[0]
    assert (first.trigger, first.status) == (OrderTrigger.SEND, S.SENT)
    assert first.order == buy(10, client_order_id="run-1-0")
    assert first.decision is not None
    assert first.decision.refused_by is None
    assert account.reserved == {"run-1-0": D(10)}


def test_the_later_entries_of_an_order_point_to_its_decision():
    account = Account()
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 10, "100.01")
    about = [
        (type(event).__name__, cause)
        for event, cause in zip(account.journal.events, account.journal.causes, strict=True)
        if getattr(event, "order_id", "") == record.order_id
    ]
    assert about[0] == ("OrderEvent", None)
    assert {cause for name, cause in about[1:] if name != "RiskEvent"} == {record.sent_seq}


def test_the_signal_that_led_to_an_order_is_its_cause():
    account = Account()
    asyncio.run(account.orders.submit(buy(10), cause=1))
    assert account.journal.causes[1] == 1


@pytest.mark.fault("write-fails")
def test_without_a_durable_record_nothing_is_sent():
    account = Account()
    account.journal.cannot_sync = True
    with pytest.raises(JournalUnavailable):
        account.submit(buy(10))
    assert account.broker.placed == []
    assert account.reserved == {}
    assert account.record("run-1-0").status is S.UNSENT


@pytest.mark.fault("write-fails")
def test_without_a_record_at_all_nothing_is_sent_or_reserved():
    account = Account()
    account.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        account.submit(buy(10))
    assert account.broker.placed == []
    assert account.reserved == {}


@pytest.mark.fault("task-cancelled")
def test_an_order_that_is_cancelled_while_its_record_is_written_is_not_sent(monkeypatch):
    """The task ends between the decision and the send: nothing left, and the record says so."""
    account = Account()

    async def main() -> None:
        never = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(account.journal, "durable", lambda: never)
        task = asyncio.create_task(account.orders.submit(buy(10)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert account.broker.placed == []
    assert account.reserved == {}
    assert journalled(account, "run-1-0") == ["send→sent", "not_sent→unsent"]


def test_a_refusal_is_on_record_and_takes_no_room():
    account = Account()
    answer = account.submit(buy(200))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_POSITION
    event = account.journal.of(OrderEvent)[0]
    assert (event.status, event.reason) == (S.DENIED, answer.message)
    assert event.decision == answer.decision
    assert (account.reserved, account.broker.placed) == ({}, [])


def test_ids_are_those_of_the_run_unless_the_order_has_one():
    account = Account()
    ids = [account.submit(order).order_id for order in (buy(1), buy(1, client_order_id="mine"), buy(1), buy(500))]
    assert ids == ["run-1-0", "mine", "run-2-0", "run-3-0"]
    assert [record.order_id for record in account.orders.orders()] == ids
    assert account.orders.count == 4


# -- the same intention twice is one order -------------------------------------------------------------------------


@pytest.mark.fault("sent-twice")
def test_the_same_order_twice_is_sent_once_and_answered_twice():
    account = Account()
    order = buy(10, client_order_id="a-1", repeat=False)
    first = account.submit(order)
    account.broker.fill("a-1", 10, "100.01")
    second = account.submit(order)
    assert (first, second) == (Placed("a-1", S.WORKING), Placed("a-1", S.FILLED))
    assert len(account.broker.placed) == 1


def test_a_refused_order_gets_the_same_refusal_again():
    account = Account()
    order = buy(200, client_order_id="a-1")
    first = account.submit(order)
    account.offer("9.99", "10.01")
    assert account.submit(order) is first
    assert len(account.journal.of(OrderEvent)) == 1


CHANGES = {
    "symbol": "PEP",
    "side": "sell",
    "quantity": D(11),
    "limit_price": D("99.00"),
    "time_in_force": TimeInForce.GTC,
    "strategy": "another",
    "reduce_only": True,
}


@pytest.mark.parametrize("field", CHANGES)
def test_one_id_for_two_orders_names_the_field_that_differs(field):
    account = Account()
    account.hold("KO", 50)
    order = buy(10, limit="100.00", client_order_id="a-1")
    account.submit(order)
    other = msgspec.structs.replace(order, **{field: CHANGES[field]})
    with pytest.raises(DuplicateOrderId, match=f"already used for an order with another {field}") as caught:
        account.submit(other)
    assert (caught.value.field, caught.value.order_id) == (field, "a-1")
    assert len(account.broker.placed) == 1


def test_numbers_written_differently_are_the_same_content():
    account = Account()
    account.submit(buy("10", limit="100.0", client_order_id="a-1"))
    assert isinstance(account.submit(buy("10.00", limit="100", client_order_id="a-1")), Placed)


@pytest.mark.fault("sent-twice")
def test_one_id_submitted_by_many_threads_is_sent_once():
    account = Account()
    order = buy(10, client_order_id="a-1")
    start, answers = threading.Barrier(8), []

    def submit() -> None:
        start.wait()
        answers.append(account.submit(order))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.order_id for answer in answers} == {"a-1"}
    assert len(answers) == 8
    assert len(account.broker.placed) == 1
    assert account.reserved == {"a-1": D(10)}


@pytest.mark.fault("sent-twice")
def test_one_id_submitted_by_many_tasks_is_sent_once():
    account = Account()

    async def main() -> list[Placed | Rejection]:
        return await asyncio.gather(*(account.orders.submit(buy(10, client_order_id="a-1")) for _ in range(20)))

    answers = asyncio.run(main())
    assert len(answers) == 20
    assert len(account.broker.placed) == 1


# -- the kill switch ------------------------------------------------------------------------------------------------


def test_a_halt_raises_with_its_reason_and_the_refusal_is_on_record():
    account = Account()
    account.kill_switch.activate("investigating")
    with pytest.raises(KillSwitchActiveError, match=r"^investigating$") as caught:
        account.submit(buy(10))
    assert caught.value.order_id == "run-1-0"
    event = account.journal.of(OrderEvent)[0]
    assert event.status is S.DENIED
    assert event.decision is not None
    assert event.decision.refused_by is Rule.KILL_SWITCH
    assert account.broker.placed == []


def test_an_order_refused_by_a_halt_stays_refused_under_its_id():
    account = Account()
    account.kill_switch.activate("investigating")
    for _ in range(2):
        with pytest.raises(KillSwitchActiveError):
            account.submit(buy(10, client_order_id="a-1"))
    account.kill_switch.reset("ann")
    with pytest.raises(KillSwitchActiveError, match="investigating"):
        account.submit(buy(10, client_order_id="a-1"))
    assert isinstance(account.submit(buy(10, client_order_id="a-2")), Placed)


def _halt_while_checking(account: Account, case: Case) -> None:
    account.kill_switch.activate("set while the gate was busy")


@pytest.mark.fault("halt-between-check-and-send")
def test_a_halt_between_check_and_send_stops_the_order():
    """The last question is asked again when everything else is settled."""
    account = Account()
    plant(account.system.checker, Rule.BUYING_POWER, lambda case: _halt_while_checking(account, case))
    with pytest.raises(KillSwitchActiveError, match="set while the gate was busy"):
        account.submit(buy(10))
    assert (account.broker.placed, account.reserved) == ([], {})
    assert account.record("run-1-0").status is S.DENIED
    rejection = account.record("run-1-0").rejection
    assert rejection is not None
    assert rejection.rule is Rule.KILL_SWITCH


@pytest.mark.fault("halt-between-check-and-send")
def test_a_halt_while_the_record_is_written_stops_the_order(monkeypatch):
    """Writing takes time; the switch is asked once more right before the broker."""
    account = Account()
    write = account.journal.durable

    async def halt_then_write() -> None:
        account.kill_switch.activate("set while the disk was busy")
        await write()

    monkeypatch.setattr(account.journal, "durable", halt_then_write)
    with pytest.raises(KillSwitchActiveError, match="set while the disk was busy") as caught:
        account.submit(buy(10))
    assert caught.value.order_id == "run-1-0"
    assert (account.broker.placed, account.reserved) == ([], {})
    assert journalled(account, "run-1-0") == ["send→sent", "not_sent→unsent"]


def sent_while_another_comes_to_be_in_doubt(monkeypatch, account: Account, order: Order, other: Order) -> Placed:
    """The answer to an order whose record is still being written when the answer to another one is lost."""
    account.broker.answers.append("time_out")
    write, written = account.journal.durable, asyncio.Event()

    async def slow_once() -> None:
        monkeypatch.setattr(account.journal, "durable", write)
        await written.wait()
        await write()

    async def run() -> Placed:
        monkeypatch.setattr(account.journal, "durable", slow_once)
        waiting = asyncio.ensure_future(account.orders.submit(order))
        await asyncio.sleep(0)
        lost = await account.orders.submit(other)
        assert isinstance(lost, Placed), lost
        assert lost.status is OrderStatus.IN_DOUBT
        written.set()
        answer = await waiting
        assert isinstance(answer, Placed), answer
        return answer

    return asyncio.run(run())


def test_an_order_beside_which_another_comes_to_be_in_doubt_does_not_leave(monkeypatch):
    """Both were judged at one moment, when nothing was in doubt; the disk is slow for one of them."""
    account = Account()
    answer = sent_while_another_comes_to_be_in_doubt(monkeypatch, account, buy(10), buy(9))
    assert answer.status is OrderStatus.UNSENT
    assert answer.reason == "the fate of run-2-0 is unknown"
    assert [order.quantity for order in account.broker.orders] == [9]
    assert account.reserved == {"run-2-0": D(9)}


@pytest.mark.parametrize("symbol", ["KO", "PEP"])
def test_doubt_holds_up_neither_ways_out_nor_other_symbols(monkeypatch, symbol):
    account = Account()
    account.hold("KO", 20)
    order = sell(5) if symbol == "KO" else buy(5, symbol="PEP")
    answer = sent_while_another_comes_to_be_in_doubt(monkeypatch, account, order, sell(6))
    assert answer.status is OrderStatus.WORKING


def test_a_way_out_passes_where_the_level_allows_it():
    account = Account()
    account.hold("KO", 10)
    account.kill_switch.activate("winding down", level=HaltLevel.REDUCING)
    assert isinstance(account.submit(sell(10)), Placed)
    with pytest.raises(KillSwitchActiveError):
        account.submit(buy(1))


# -- the broker's answers -------------------------------------------------------------------------------------------

ANSWERS = """
answer                  status     room    in doubt
accept                  working    10      no
silent                  sent       10      no
fill                    filled     -       no
reject                  rejected   -       no
not_sent                unsent     -       no
time_out                in_doubt   10      yes
accept_then_time_out    working    10      no      # the stream was faster than the answer that got lost
fill_then_time_out      filled     -       no
"""


@pytest.mark.parametrize("line", ANSWERS.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_what_an_answer_means_for_an_order(line):
    answer, status, room, in_doubt = line.partition("#")[0].split()
    account = Account()
    account.broker.answers.append(answer)
    placed = account.submit(buy(10))
    assert isinstance(placed, Placed)
    assert placed.status == account.record("run-1-0").status == S(status)
    assert account.reserved == ({} if room == "-" else {"run-1-0": D(room)})
    assert [r.in_doubt for _, r in account.portfolio.reservations()] == ([] if room == "-" else [in_doubt == "yes"])


@pytest.mark.fault("request-lost", "answer-lost")
def test_a_timeout_freezes_the_symbol_and_is_never_sent_again():
    account = Account()
    account.broker.answers.append("time_out")
    first = account.submit(buy(10, client_order_id="a-1"))
    assert first == Placed("a-1", S.IN_DOUBT, "no answer in 5 s")
    again = account.submit(buy(10, client_order_id="a-1"))
    assert again == first
    assert len(account.broker.placed) == 1
    refused = account.submit(buy(1))
    assert isinstance(refused, Rejection)
    assert refused.rule is Rule.IN_DOUBT
    assert isinstance(account.submit(buy(1, "PEP")), Placed)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ConnectionResetError(), KillSwitchActiveError("late")])
@pytest.mark.fault("answer-unreadable")
def test_an_answer_that_nobody_understands_leaves_doubt(error):
    """An exception is no proof that nothing left; the room is kept and the caller hears of it."""
    account = Account()
    account.broker.answers.append(error)
    with pytest.raises(type(error)):
        account.submit(buy(10))
    assert account.record("run-1-0").status is S.IN_DOUBT
    assert account.reserved == {"run-1-0": D(10)}


def test_a_refusal_in_the_answer_does_not_undo_what_the_stream_has_shown():
    """Such as "this id exists already": the order works, so its room stays taken."""
    account = Account()

    async def accept_then_refuse(approved) -> None:
        account.broker.accept(approved.order.client_order_id)
        raise BrokerRejected("client_order_id must be unique", approved.order.client_order_id)

    account.broker.answers.append(accept_then_refuse)
    assert account.submit(buy(10)) == Placed("run-1-0", S.WORKING)
    assert account.reserved == {"run-1-0": D(10)}


@pytest.mark.fault("task-cancelled")
def test_an_order_whose_task_is_cancelled_on_the_wire_is_in_doubt():
    account = Account()

    async def main() -> None:
        asked = asyncio.Event()

        async def never_answer(approved) -> None:
            asked.set()
            await asyncio.get_running_loop().create_future()

        account.broker.answers.append(never_answer)
        task = asyncio.create_task(account.orders.submit(buy(10)))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert account.record("run-1-0").status is S.IN_DOUBT
    assert account.reserved == {"run-1-0": D(10)}


def test_no_lock_is_held_while_the_broker_is_asked():
    account = Account()
    free: list[bool] = []

    def take_and_release() -> None:
        free.append(account.portfolio.lock.acquire(timeout=5))
        if free[0]:
            account.portfolio.lock.release()

    async def look(approved) -> None:
        thread = threading.Thread(target=take_and_release)
        thread.start()
        thread.join()

    account.broker.answers.append(look)
    account.submit(buy(10))
    assert free == [True]


@pytest.mark.fault("rejected-after-acceptance")
def test_a_late_refusal_gives_the_room_back_once():
    """Accepted first, refused by the exchange seconds later; the message comes twice."""
    account = Account()
    record = account.working(buy(10))
    account.submit(buy(5))
    for _ in range(2):
        account.broker.report(record.order_id, OrderTrigger.REJECT, reason="halted")
    assert (record.status, record.reason) == (S.REJECTED, "halted")
    assert account.reserved == {"run-2-0": D(5)}
    assert account.portfolio.gross_worst == D("500.05")


# -- doubt is resolved by asking -----------------------------------------------------------------------------------


def _in_doubt(account: Account, order: Order | None = None) -> OrderRecord:
    account.broker.answers.append("time_out")
    account.submit(order or buy(10))
    record = account.orders.orders()[-1]
    assert record.status is S.IN_DOUBT
    return record


def _resolve(account: Account, record: OrderRecord) -> OrderStatus:
    return asyncio.run(account.orders.resolve(record.order_id))


@pytest.mark.fault("answer-lost")
def test_an_order_in_doubt_is_found_by_its_id():
    account = Account()
    record = _in_doubt(account)
    account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.WORKING)
    assert _resolve(account, record) is S.WORKING
    assert record.venue_order_id == "venue-run-1-0"
    assert [r.in_doubt for _, r in account.portfolio.reservations()] == [False]
    assert isinstance(account.submit(buy(1)), Placed)


@pytest.mark.fault("answer-lost-and-filled")
def test_an_order_in_doubt_that_filled_meanwhile_is_booked_from_the_history():
    account = Account()
    record = _in_doubt(account)
    executions = tuple(account.broker.execution(record.order_id, 5, "100.01") for _ in range(2))
    account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.FILLED, "10")
    account.broker.history[record.order_id] = executions
    assert _resolve(account, record) is S.FILLED
    assert account.portfolio.position("KO").quantity == 10
    assert account.reserved == {}
    account.broker.tell_fill(record.order_id, executions[1])  # the stream wakes up, late
    assert account.portfolio.position("KO").quantity == 10


def test_nothing_is_settled_before_every_fill_is_in_the_history():
    """The broker's history may trail behind its order; the room stays taken until they agree."""
    account = Account()
    record = _in_doubt(account)
    executions = [account.broker.execution(record.order_id, 5, "100.01") for _ in range(2)]
    account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.FILLED, "10")
    account.broker.history[record.order_id] = (executions[0],)
    assert _resolve(account, record) is S.IN_DOUBT
    assert account.reserved == {record.order_id: D(5)}
    account.broker.history[record.order_id] = tuple(executions)
    assert _resolve(account, record) is S.FILLED
    assert account.portfolio.position("KO").quantity == 10


@pytest.mark.fault("lookup-denies")
def test_one_negative_answer_settles_nothing():
    account = Account()
    record = _in_doubt(account)
    assert _resolve(account, record) is S.IN_DOUBT
    assert account.reserved == {record.order_id: D(10)}


@pytest.mark.fault("request-lost")
def test_an_order_that_the_broker_denies_again_and_again_is_given_up_and_watched():
    account = Account()
    record = _in_doubt(account)
    for _ in range(5):
        assert _resolve(account, record) is S.IN_DOUBT  # too young: the request may be on its way
    account.clock.move_to(account.clock.now() + timedelta(minutes=2))
    assert _resolve(account, record) is S.ABSENT
    assert account.reserved == {}
    account.broker.fill(record.order_id, 4, "100.01")  # it was there after all
    assert record.status is S.PARTIALLY_FILLED
    assert account.reserved == {record.order_id: D(6)}


def test_denials_count_only_when_nothing_came_between():
    account = Account()
    record = _in_doubt(account)
    account.clock.move_to(account.clock.now() + timedelta(minutes=5))
    assert [_resolve(account, record) for _ in range(2)] == [S.IN_DOUBT] * 2
    assert _resolve(account, record) is S.ABSENT


@pytest.mark.fault("lookup-denies")
def test_no_answer_is_not_a_negative_answer():
    account = Account()
    record = _in_doubt(account)
    account.broker.is_mute = True
    with pytest.raises(OutcomeUnknown):
        _resolve(account, record)
    assert record.status is S.IN_DOUBT


@pytest.mark.parametrize("status", [S.CANCELED, S.EXPIRED, S.REJECTED])
def test_an_order_in_doubt_that_ended_gives_its_room_back(status):
    account = Account()
    record = _in_doubt(account)
    account.broker.known[record.order_id] = account.broker.seen(record.order_id, status)
    assert _resolve(account, record) is status
    assert account.reserved == {}


def test_an_order_in_doubt_shows_itself_in_the_stream():
    account = Account()
    record = _in_doubt(account)
    account.broker.fill(record.order_id, 4, "100.01")
    assert record.status is S.PARTIALLY_FILLED
    assert account.reserved == {record.order_id: D(6)}
    assert isinstance(account.submit(buy(1)), Placed)


def test_resolving_an_order_that_nobody_sent():
    with pytest.raises(UnknownOrder, match="no order x is on our books"):
        asyncio.run(Account().orders.resolve("x"))


# -- fills, in whatever order ---------------------------------------------------------------------------------------


@pytest.mark.fault("fill-before-answer")
def test_a_fill_before_the_acknowledgement_is_booked():
    account = Account()
    account.broker.answers.append("silent")
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 4, "100.00")
    account.broker.accept(record.order_id)
    assert (record.status, record.filled) == (S.PARTIALLY_FILLED, D(4))
    account.broker.fill(record.order_id, 6, "100.01")
    account.broker.accept(record.order_id)
    assert (record.status, record.filled) == (S.FILLED, D(10))
    assert record.average_price == D("100.006")
    assert account.portfolio.cash == D("100000") - D("1000.06")


@pytest.mark.fault("fill-twice")
def test_a_fill_told_twice_is_booked_once():
    account = Account()
    record = account.working(buy(10))
    execution = account.broker.fill(record.order_id, 4, "100.00", fee="0.10")
    account.broker.tell_fill(record.order_id, execution)
    assert (record.filled, record.fees, account.portfolio.fees) == (D(4), D("0.10"), D("0.10"))
    assert len(account.journal.of(FillEvent)) == account.system.tracker.fills == 1


@pytest.mark.fault("fill-twice")
def test_a_fill_told_under_another_name_is_known_by_its_interval():
    """The stream and the history may name one execution differently; both say how far the order had got."""
    account = Account()
    record = account.working(buy(10))
    execution = account.broker.fill(record.order_id, 4, "100.00")
    account.broker.tell_fill(record.order_id, msgspec.structs.replace(execution, execution_id="another name"))
    assert (record.filled, account.portfolio.position("KO").quantity) == (D(4), D(4))


def test_a_fill_whose_history_counts_otherwise_is_known_by_its_name():
    account = Account()
    record = account.working(buy(10))
    execution = account.broker.fill(record.order_id, 4, "100.00")
    account.broker.tell_fill(record.order_id, msgspec.structs.replace(execution, cumulative_quantity=D(5)))
    assert (record.filled, account.portfolio.position("KO").quantity) == (D(4), D(4))


@pytest.mark.fault("fills-out-of-order")
def test_fills_out_of_order_add_up():
    account = Account()
    record = account.working(buy(10))
    parts = [
        account.broker.execution(record.order_id, shares, price) for shares, price in ((3, 100), (5, 101), (2, 99))
    ]
    for part in (parts[2], parts[0], parts[1]):
        account.broker.tell_fill(record.order_id, part)
    assert (record.status, record.filled) == (S.FILLED, D(10))
    assert account.portfolio.position("KO").cost == 3 * 100 + 5 * 101 + 2 * 99
    assert account.reserved == {}


def test_a_fill_that_came_by_the_history_still_ends_the_order():
    """The history told the last execution first; the stream's word that it was the last one is not lost."""
    account = Account()
    record = account.working(buy(10))
    execution = account.broker.execution(record.order_id, 10, "100.00")
    account.broker.known[record.order_id] = account.broker.seen(record.order_id, S.PARTIALLY_FILLED, "10")
    account.broker.history[record.order_id] = (execution,)
    assert _resolve(account, record) is S.PARTIALLY_FILLED
    account.broker.tell_fill(record.order_id, execution)
    assert (record.status, record.filled) == (S.FILLED, D(10))
    assert account.reserved == {}


@pytest.mark.fault("fill-after-cancel")
def test_a_fill_after_the_cancel_is_booked():
    """Both crossed in flight: the order stays cancelled, the position moves."""
    account = Account()
    record = account.working(buy(10))
    account.broker.cancelled(record.order_id)
    assert account.reserved == {}
    account.broker.fill(record.order_id, 4, "100.00")
    assert (record.status, record.filled) == (S.CANCELED, D(4))
    assert account.portfolio.position("KO").quantity == 4
    assert account.portfolio.gross_worst == 400
    account.broker.fill(record.order_id, 6, "100.00")
    assert (record.status, account.portfolio.position("KO").quantity) == (S.FILLED, D(10))


@pytest.mark.fault("overfill")
def test_an_overfill_is_real_and_therefore_booked():
    account = Account()
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 12, "100.00")
    assert (record.status, record.filled, record.leaves) == (S.FILLED, D(12), D(0))
    assert account.portfolio.position("KO").quantity == 12
    assert account.reserved == {}


def test_an_order_ends_once_for_those_who_listen():
    account = Account()
    ended: list[str] = []
    account.orders.on_settled(lambda record: ended.append(record.order_id))
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 10, "100.00")
    account.broker.cancelled(record.order_id)
    account.submit(buy(500))  # refused by the gate: it never began
    assert ended == ["run-1-0"]


def test_a_halt_that_a_fill_sets_off_and_that_cannot_be_told_still_books_the_fill():
    """The order's own life goes on first; then the caller hears what went wrong."""
    account = Account()
    record = account.working(buy(10))
    account.portfolio.day_start_equity = D(200_000)
    account.kill_switch.subscribe(_deaf)
    with pytest.raises(KillSwitchIncomplete, match="a listener failed"):
        account.broker.fill(record.order_id, 10, "100.00")
    assert account.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS
    assert (record.status, account.portfolio.position("KO").quantity) == (S.FILLED, D(10))
    assert account.reserved == {}


def _deaf(_: KillSwitchEvent) -> None:
    raise RuntimeError("deaf")


@pytest.mark.fault("order-of-our-make")
def test_a_stranger_s_order_halts_everything():
    """Somebody else sends for this account, or our record is incomplete; either way, stop."""
    account = Account()
    account.broker.accept("not-ours")
    state = account.kill_switch.state
    assert (state.level, state.trigger, state.by) == (HaltLevel.HALTED, HaltTrigger.INTEGRITY, "order manager")
    assert "not-ours" in state.reason
    with pytest.raises(KillSwitchActiveError):
        account.submit(buy(1))


def test_a_stranger_s_order_stops_more_than_was_stopped_before():
    """An account that is winding down may still send exits; whose they would be is not known any more."""
    account = Account()
    account.kill_switch.activate("winding down", level=HaltLevel.REDUCING)
    account.broker.accept("not-ours")
    assert account.kill_switch.level is HaltLevel.HALTED
    assert "not-ours" in account.kill_switch.reason


# -- cancelling -----------------------------------------------------------------------------------------------------


def _cancel(account: Account, record: OrderRecord, reason: str = "") -> None:
    asyncio.run(account.orders.cancel(record.order_id, reason))


def test_a_cancel_that_was_asked_for_has_not_happened_yet():
    account = Account()
    record = account.working(buy(10))
    _cancel(account, record, "changed my mind")
    assert (record.status, record.pending) == (S.WORKING, PendingRequest.CANCEL)
    assert account.reserved == {record.order_id: D(10)}
    account.broker.cancelled(record.order_id)
    assert (record.status, record.pending) == (S.CANCELED, PendingRequest.NONE)
    assert account.reserved == {}
    assert journalled(account, record.order_id)[-2:] == ["cancel→working", "cancel→canceled"]


@pytest.mark.fault("fill-races-cancel")
def test_a_cancel_refused_because_the_order_has_filled_is_no_error(monkeypatch):
    account = Account()
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 10, "100.00")
    _cancel(account, record)
    assert account.broker.cancels == []

    second = account.working(buy(10, "PEP"))
    account.broker.cancel_answers.append("refuse")
    monkeypatch.setattr(account.broker, "cancel", _fill_then(account, account.broker.cancel))
    _cancel(account, second)
    assert (second.status, second.pending) == (S.FILLED, PendingRequest.NONE)


def _fill_then(account: Account, cancel):
    async def fill_first(order_id: str, _: str) -> None:
        account.broker.fill(order_id, 10, "100.00")
        await cancel(order_id)

    return fill_first


def test_after_a_restart_the_broker_is_told_when_the_open_orders_were_sent():
    """By its own ids, as far as it has shown them; its lists are read from there."""
    life = Life()
    system = life.begin()
    life.submit(buy(5, limit="99.00"))
    life.broker.accept("run-1-0")
    life.clock.move_to(life.clock.now() + timedelta(seconds=5))
    life.broker.answers.append("time_out")
    life.submit(buy(5, "PEP", limit="99.00"))
    first = system.orders.order("run-1-0")
    assert first is not None
    life.again()
    assert life.broker.sent_before == {"venue-run-1-0": first.sent_at}


def test_a_part_that_fills_while_a_cancel_is_under_way_leaves_it_under_way():
    account = Account()
    record = account.working(buy(10))
    asyncio.run(account.orders.cancel(record.order_id, "a test"))
    account.broker.fill(record.order_id, 4, 100)
    assert (record.status, record.pending) == (S.PARTIALLY_FILLED, PendingRequest.CANCEL)
    account.broker.cancelled(record.order_id)
    assert (record.status, record.pending) == (S.CANCELED, PendingRequest.NONE)


@pytest.mark.fault("cancel-refused")
def test_a_cancel_refused_leaves_the_order_working():
    account = Account()
    record = account.working(buy(10))
    account.broker.cancel_answers.append("refuse")
    _cancel(account, record)
    assert (record.status, record.pending) == (S.WORKING, PendingRequest.NONE)


def test_a_cancel_refused_in_the_stream_and_in_the_answer_is_refused_once(monkeypatch):
    account = Account()
    record = account.working(buy(10))
    account.broker.cancel_answers.append("refuse")
    refuse = account.broker.cancel

    async def tell_first(order_id: str, _: str) -> None:
        account.broker.report(order_id, request=RequestTrigger.REFUSED, reason="not cancelable")
        await refuse(order_id)

    monkeypatch.setattr(account.broker, "cancel", tell_first)
    _cancel(account, record)
    assert (record.status, record.pending) == (S.WORKING, PendingRequest.NONE)


@pytest.mark.fault("cancel-lost")
def test_a_cancel_without_an_answer_stays_pending():
    account = Account()
    record = account.working(buy(10))
    account.broker.cancel_answers.append("time_out")
    _cancel(account, record)
    assert (record.status, record.pending) == (S.WORKING, PendingRequest.CANCEL)


@pytest.mark.fault("fill-races-cancel")
def test_a_partly_filled_order_keeps_what_filled():
    account = Account()
    record = account.working(buy(10))
    account.broker.fill(record.order_id, 4, "100.00")
    account.broker.cancel_answers.append("confirm")
    _cancel(account, record)
    assert (record.status, record.filled) == (S.CANCELED, D(4))
    assert account.portfolio.position("KO").quantity == 4
    assert account.reserved == {}


@pytest.mark.fault("cancel-in-doubt")
def test_an_order_in_doubt_can_be_cancelled():
    account = Account()
    record = _in_doubt(account)
    account.broker.cancel_answers.append("refuse")  # the broker does not know it, yet
    _cancel(account, record)
    assert (record.status, record.pending) == (S.IN_DOUBT, PendingRequest.CANCEL)


@pytest.mark.parametrize("failing", ["journal", "halt"])
def test_a_cancel_passes_whatever_else_fails(failing):
    account = Account()
    record = account.working(buy(10))
    account.broker.cancel_answers.append("silent")
    if failing == "halt":
        account.kill_switch.activate("a test")
        _cancel(account, record)
    else:
        account.journal.cannot_append = True
        with pytest.raises(JournalUnavailable):
            _cancel(account, record)
    assert account.broker.cancels == [record.order_id]


@pytest.mark.fault("halt-unrecorded")
def test_cancelling_all_goes_on_past_a_failing_journal():
    account = Account()
    for symbol in ("KO", "PEP", "XOM"):
        account.working(buy(1, symbol))
    account.journal.cannot_append = True
    with pytest.raises(JournalUnavailable):
        asyncio.run(account.orders.cancel_all("a test"))
    assert account.broker.cancels == ["run-1-0", "run-2-0", "run-3-0"]


def test_cancelling_all_may_spare_the_exits_and_other_symbols():
    account = Account()
    account.hold("KO", 10)
    entry, way_out, other = account.working(buy(5)), account.working(sell(4)), account.working(buy(1, "PEP"))
    asked = asyncio.run(account.orders.cancel_all("a test", "KO", keep_exits=True))
    assert asked == (entry.order_id,)
    assert asyncio.run(account.orders.cancel_all("a test")) == (entry.order_id, way_out.order_id, other.order_id)


def test_cancelling_what_nobody_sent():
    with pytest.raises(UnknownOrder, match="no order x is on our books"):
        asyncio.run(Account().orders.cancel("x"))


# -- what is told about an order ------------------------------------------------------------------------------------


def test_latency_runs_from_sending_to_the_broker_s_first_word():
    """A timeout is no acknowledgement."""
    account = Account()
    record = _in_doubt(account)
    assert (record.sent_at, record.acknowledged_at) == (account.clock.now(), None)
    asyncio.run(account.clock.advance(_span("0.25")))
    account.broker.accept(record.order_id)
    assert record.acknowledged_at == account.clock.now()
    account.broker.answers.append("not_sent")
    account.submit(buy(1, "PEP"))
    assert account.record("run-2-0").acknowledged_at is None


def _span(seconds: str):
    return timedelta(seconds=float(seconds))


def test_an_order_carries_the_limits_of_its_type():
    """The room of a stop order is its stop; that of a trailing stop the quote."""
    account = Account(limits=limits_with(price_collar_pct=D("0.5")))
    account.working(buy(10, order_type=OrderType.STOP, stop_price=D(120)))
    assert account.portfolio.gross_worst == 1200


def test_open_orders_are_those_that_may_trade():
    account = Account()
    working, other = account.working(buy(1)), account.working(buy(1, "PEP"))
    filled = account.working(buy(1, "XOM"))
    account.broker.fill(filled.order_id, 1, "100.00")
    assert account.orders.open_orders() == [working, other]
    assert account.orders.open_orders("PEP") == [other]
    assert account.orders.order("nobody") is None
