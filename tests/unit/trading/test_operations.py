"""What people ask of a running engine: done once, through the gate, on record, and answered with the final effect."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.approval_events import ApprovalAnswer
from quant_trading_system.core.basket_commands import CheckBasket
from quant_trading_system.core.commands import (
    AnswerApproval,
    ArmStrategy,
    Cancel,
    CancelAll,
    CancelParent,
    Check,
    DisarmStrategy,
    Flatten,
    Halt,
    PauseParent,
    PlaceOrder,
    ProposeLimits,
    Reconcile,
    ReduceParent,
    ReplaceOrder,
    Result,
    ResumeParent,
    SpeedUpParent,
    StartParent,
    StopLevel,
)
from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.operator_events import OperatorActed, OperatorAnswered, StrategySwitched
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.core.ticket import Ticket
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.trading.operations import Operations
from quant_trading_system.trading.strategy import Strategy
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.operator import Operator, request
from tests.support.orders import buy, sell

D = Decimal


class Idle(Strategy):
    """Says nothing."""

    name = "idle"

    def on_bar(self, market):
        return ()


def ticket(quantity: str = "10", side: OrderSide = OrderSide.BUY, **fields) -> PlaceOrder:
    return PlaceOrder(symbol="KO", side=side, quantity=D(quantity), **fields)


def resting(limit: str = "99.50") -> PlaceOrder:
    return ticket(order_type=OrderType.LIMIT, limit_price=D(limit))


def confirming(operator: Operator) -> Operator:
    """The broker carries out every cancel at once."""
    operator.account.broker.cancel_answers.extend(["confirm"] * 20)
    return operator


# -- orders


def test_a_manual_order_goes_through_the_gate_and_is_answered_when_it_has_filled():
    operator = Operator()
    operator.account.broker.answers.append("fill")
    answer = operator.ask(ticket())
    assert (answer.result, answer.status) == (Result.DONE, "filled")
    assert answer.message == f"{answer.order_id} is filled: buy 10 KO, market, day, 10 filled at 100.0000"
    assert operator.account.portfolio.position("KO").quantity == 10


def test_a_resting_order_is_answered_when_the_broker_has_shown_it():
    operator = Operator()
    answer = operator.ask(resting())
    assert (answer.result, answer.status) == (Result.DONE, "working")
    assert operator.account.record(answer.order_id).order.limit_price == D("99.50")


def test_what_the_gate_refuses_is_answered_with_rule_limit_and_actual():
    operator = Operator()
    answer = operator.ask(ticket("101"))
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")
    assert (answer.limit, answer.actual) == (D(10_000), D("10101.01"))
    assert operator.account.broker.orders == []


def test_what_the_broker_refuses_is_a_refusal_with_its_words():
    operator = Operator()
    operator.account.broker.answers.append("reject")
    answer = operator.ask(ticket())
    assert (answer.result, answer.status) == (Result.REFUSED, "rejected")
    assert "insufficient buying power" in answer.message


def test_an_order_without_an_answer_is_pending_and_never_sent_twice():
    operator = Operator()
    operator.account.broker.answers.append("time_out")
    answer = operator.ask(ticket(), "in-doubt-1")
    assert (answer.result, answer.status) == (Result.PENDING, "in_doubt")
    assert "never send it again" in answer.message
    assert operator.ask(ticket(), "in-doubt-1") == answer
    assert len(operator.account.broker.placed) == 1


def test_an_order_that_cannot_exist_is_refused_with_the_field():
    answer = Operator().ask(ticket(order_type=OrderType.LIMIT))
    assert (answer.result, answer.message) == (Result.REFUSED, "limit_price: a simple limit order needs limit_price")


def test_a_halted_engine_still_answers():
    operator = confirming(Operator())
    working = operator.ask(resting())
    operator.account.kill_switch.activate("a drill")
    answer = operator.ask(ticket("5"))
    assert (answer.result, answer.rule) == (Result.REFUSED, "kill_switch")
    assert "a drill" in answer.message
    assert operator.ask(Cancel(order_id=working.order_id)).status == "canceled"


def test_the_what_if_tells_what_the_gate_would_say_and_leaves_no_trace():
    operator = Operator()
    before = len(operator.account.journal.events)
    good = operator.ask(Check(symbol="KO", side=OrderSide.BUY, quantity=D(10)))
    assert (good.result, good.message) == (Result.DONE, "would be sent: buy 10 KO, market, day")
    assert good.decision is not None
    assert good.decision.plan.expected_price == D("100.00")
    assert all(check.passed for check in good.decision.checks)
    bad = operator.ask(Check(symbol="KO", side=OrderSide.BUY, quantity=D(101)))
    assert (bad.result, bad.rule) == (Result.REFUSED, "max_position_pct")
    assert bad.message.startswith("would be refused: max_position_pct")
    assert len(operator.account.journal.events) == before
    assert operator.account.reserved == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"order_type": "limit", "limit_price": D("99.50")}, "buy 10 KO, limit at 99.5, day"),
        ({"order_type": "stop", "stop_price": D(101)}, "buy 10 KO, stop at 101, day"),
        (
            {"order_type": "stop_limit", "stop_price": D(101), "limit_price": D(102)},
            "buy 10 KO, stop at 101, limit at 102, day",
        ),
        ({"order_type": "trailing_stop", "trail_percent": D(2)}, "buy 10 KO, trailing stop, percent 2, day"),
        (
            {
                "order_type": "limit",
                "limit_price": D(99),
                "order_class": "bracket",
                "take_profit": {"limit_price": "120"},
                "stop_loss": {"stop_price": "90", "limit_price": "89"},
            },
            "buy 10 KO, limit at 99, day, take profit at 120, stop loss at 90, stop loss limit at 89",
        ),
    ],
)
def test_the_what_if_names_every_price(fields, words):
    asked = {"symbol": "KO", "side": "buy", "quantity": "10", **fields}
    answer = Operator().ask(msgspec.convert(asked, Check))
    assert answer.message == f"would be sent: {words}"


def test_a_cancel_is_answered_when_the_broker_has_confirmed_it():
    operator = Operator()
    placed = operator.ask(resting())
    operator.news = lambda: operator.account.broker.cancels and operator.account.broker.cancelled(placed.order_id)
    answer = operator.ask(Cancel(order_id=placed.order_id, reason="changed my mind"))
    assert (answer.result, answer.status) == (Result.DONE, "canceled")
    asked = [e for e in operator.account.journal.of(OrderEvent) if e.reason == "changed my mind (anna)"]
    assert asked, "the reason and the person are on record"


def test_a_cancel_without_a_confirmation_is_answered_with_what_is_known():
    operator = Operator()
    placed = operator.ask(resting())
    answer = operator.ask(Cancel(order_id=placed.order_id))
    assert (answer.result, answer.status) == (Result.PENDING, "working")
    assert "has not confirmed it" in answer.message


def test_a_fill_that_wins_the_race_is_told_as_such():
    operator = Operator()
    placed = operator.ask(resting())
    operator.news = lambda: (
        operator.account.record(placed.order_id).status.is_open
        and operator.account.broker.fill(placed.order_id, 10, "99.50")
    )
    answer = operator.ask(Cancel(order_id=placed.order_id))
    assert (answer.result, answer.status) == (Result.REFUSED, "filled")
    assert "it filled before the cancel arrived" in answer.message
    again = operator.ask(Cancel(order_id=placed.order_id))
    assert (again.result, again.message) == (Result.REFUSED, f"{placed.order_id} is filled; there is nothing to cancel")


def test_an_unknown_order_is_named_with_what_to_do_next():
    answer = Operator().ask(Cancel(order_id="nobody-1-0"))
    assert (answer.result, answer.message) == (
        Result.REFUSED,
        "no order nobody-1-0 is on our books; `qts orders` lists them",
    )


def test_all_orders_of_a_scope_are_cancelled_and_the_others_left_alone():
    operator = confirming(Operator())
    account = operator.account
    mine = account.working(buy(5, limit="99.00"))
    other = account.working(buy(5, "PEP", limit="99.00"))
    answer = operator.ask(CancelAll(symbol="KO"))
    assert (answer.result, answer.orders) == (Result.DONE, (mine.order_id,))
    assert other.status is OrderStatus.WORKING
    assert operator.ask(CancelAll()).orders == (other.order_id,)
    assert operator.ask(CancelAll()).message == "nothing was open"


def test_exits_can_be_kept():
    operator = confirming(Operator())
    operator.account.hold("KO", 20)
    entry = operator.account.working(buy(5, "PEP", limit="99.00"))
    exit_ = operator.account.working(sell(20, limit="101.00"))
    assert operator.ask(CancelAll(keep_exits=True)).orders == (entry.order_id,)
    assert exit_.status is OrderStatus.WORKING


def test_what_is_not_confirmed_is_named():
    operator = Operator()
    left = operator.account.working(buy(5, limit="99.00"))
    answer = operator.ask(CancelAll())
    assert (answer.result, answer.message) == (
        Result.PENDING,
        f"0 of 1 have ended; not confirmed yet: {left.order_id}",
    )


def test_a_replace_is_answered_with_the_id_of_the_new_order():
    operator = Operator()
    placed = operator.ask(resting())
    answer = operator.ask(ReplaceOrder(order_id=placed.order_id, limit_price=D("99.60")))
    assert (answer.result, answer.order_id) == (Result.DONE, f"{placed.order_id}.r1")
    assert operator.account.record(answer.order_id).order.limit_price == D("99.60")
    old = operator.ask(ReplaceOrder(order_id=placed.order_id, limit_price=D("99.70")))
    assert old.result is Result.REFUSED
    assert f"{answer.order_id} has taken its place; replace that one" in old.message


def test_a_replacement_that_the_gate_refuses_leaves_the_order_as_it_is():
    operator = Operator()
    placed = operator.ask(resting())
    answer = operator.ask(ReplaceOrder(order_id=placed.order_id, quantity=D(101)))
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")
    assert answer.message.endswith(f"{placed.order_id} works on as it is")
    assert operator.account.record(placed.order_id).status is OrderStatus.WORKING


# -- once


def test_the_same_key_acts_once_and_gets_the_same_answer():
    operator = Operator()
    first = operator.ask(resting(), "one-intention")
    assert operator.ask(resting(), "one-intention") == first
    assert len(operator.account.broker.placed) == 1


def test_the_same_key_for_another_command_is_refused():
    operator = Operator()
    operator.ask(resting(), "one-intention")
    answer = operator.ask(resting("99.00"), "one-intention")
    assert answer.result is Result.REFUSED
    assert answer.message == "the key one-intention was used for another command; give a new intention a new key"


def test_two_at_the_same_time_share_one_answer_also_when_the_first_hangs_up():
    operator = Operator()

    async def twice() -> None:
        first = asyncio.ensure_future(operator.operations.carry_out(request(resting(), "one-intention")))
        await asyncio.sleep(0)
        first.cancel()
        answer = await operator.asked(resting(), "one-intention")
        assert answer.result is Result.DONE

    asyncio.run(twice())
    assert len(operator.account.broker.placed) == 1


class Recorded:
    """The journal of a test as something that can be looked up."""

    def __init__(self, account: Account) -> None:
        self.journal = MemoryJournal()
        for event, cause in zip(account.journal.events, account.journal.causes, strict=True):
            self.journal.append(event, cause)


def test_after_a_restart_the_same_key_gets_the_same_answer():
    operator = Operator()
    answer = operator.ask(resting(), "one-intention")
    later = Operator(Account(), Recorded(operator.account).journal)
    assert later.ask(resting(), "one-intention") == answer
    assert later.ask(resting("98.00"), "one-intention").result is Result.REFUSED
    assert later.account.broker.placed == []


def test_what_a_crash_left_without_an_answer_is_not_done_again():
    operator = Operator()
    answer = operator.ask(resting(), "one-intention")
    recorded = Recorded(operator.account).journal
    crashed = MemoryJournal()
    for entry in recorded.entries():
        if not isinstance(entry.event, OperatorAnswered):
            crashed.append(entry.event, None)
    later = Operator(Account(), crashed)
    told = later.ask(resting(), "one-intention")
    assert (told.result, told.order_id) == (Result.FAILED, answer.order_id)
    assert "the engine ended while it carried out place_order" in told.message
    assert later.account.broker.placed == []


# -- on record


def test_what_was_asked_is_on_record_before_its_effect_and_the_outcome_after():
    operator = Operator()
    answer = operator.ask(resting(), "one-intention")
    events = operator.account.journal.events
    acted = next(n for n, e in enumerate(events) if isinstance(e, OperatorActed))
    order = next(n for n, e in enumerate(events) if isinstance(e, OrderEvent))
    answered = next(n for n, e in enumerate(events) if isinstance(e, OperatorAnswered))
    assert acted < order < answered
    assert operator.account.journal.causes[order] == operator.account.journal.causes[answered] == acted + 1
    event = events[acted]
    assert (event.principal, event.source, event.command) == ("anna", "cli", "place_order")
    assert event.concerns == answer.order_id
    assert event.fields["limit_price"] == "99.50"
    assert events[answered].outcome == answer


def test_nothing_new_is_begun_without_a_record_but_cancels_pass():
    operator = confirming(Operator())
    placed = operator.ask(resting())
    operator.account.journal.cannot_append = True
    refused = operator.ask(ticket("5"))
    assert refused.result is Result.REFUSED
    assert "it cannot be recorded, so nothing was done" in refused.message
    operator.ask(Cancel(order_id=placed.order_id))
    assert operator.account.broker.cancels == [placed.order_id]


# -- the account


def test_a_halt_is_answered_when_every_cancel_is_confirmed():
    operator = confirming(Operator())
    operator.ask(resting())
    answer = operator.ask(Halt(reason="investigating"))
    assert (answer.result, answer.status) == (Result.DONE, "halted")
    assert answer.message.endswith("every order is cancelled")
    state = operator.account.kill_switch.state
    assert (state.level, state.reason, state.by) == (HaltLevel.HALTED, "investigating", "anna")


def test_reducing_lets_exits_work():
    operator = confirming(Operator())
    operator.account.hold("KO", 10)
    exit_ = operator.account.working(sell(10, limit="101.00"))
    answer = operator.ask(Halt(reason="less risk", level=StopLevel.REDUCING))
    assert (answer.result, answer.status) == (Result.DONE, "reducing")
    assert exit_.status is OrderStatus.WORKING


def test_flattening_is_answered_when_flat():
    operator = confirming(Operator())
    operator.account.hold("KO", 10)
    operator.account.broker.answers.append("fill")
    answer = operator.ask(Flatten(reason="out of here"))
    assert (answer.result, answer.status) == (Result.DONE, "flattening")
    assert answer.message.endswith("every position is closed")
    assert operator.account.portfolio.positions == {}


def test_a_flattening_that_takes_longer_says_where_it_stands():
    operator = Operator()
    operator.account.hold("KO", 10)
    answer = operator.ask(Flatten(reason="out of here"))
    assert answer.result is Result.PENDING
    assert "1 orders are open, 1 positions are held" in answer.message


def test_a_part_is_halted_and_the_rest_works_on():
    operator = confirming(Operator())
    covered, beside = (
        operator.account.working(buy(10, limit="99.00")),
        operator.ask(
            PlaceOrder(
                symbol="PEP", side=OrderSide.BUY, quantity=D(10), order_type=OrderType.LIMIT, limit_price=D("99.00")
            )
        ),
    )
    answer = operator.ask(Halt(reason="bad news", symbol="ko"))
    assert (answer.result, answer.status) == (Result.DONE, "halted")
    assert answer.message.startswith("HALTED symbol KO since ")
    assert covered.status is OrderStatus.CANCELED
    assert operator.account.record(beside.order_id).status is OrderStatus.WORKING
    assert not operator.account.kill_switch.is_active()
    assert operator.ask(PlaceOrder(symbol="KO", side=OrderSide.BUY, quantity=D(1))).rule == "kill_switch"


def test_a_part_is_flattened_and_the_rest_is_kept():
    operator = confirming(Operator())
    operator.account.hold("KO", 10)
    operator.account.hold("PEP", 10)
    operator.account.broker.answers.append("fill")
    answer = operator.ask(Flatten(reason="bad news", symbol="KO"))
    assert (answer.result, answer.status) == (Result.DONE, "flattening")
    assert sorted(operator.account.portfolio.positions) == ["PEP"]


def test_a_part_of_an_account_that_is_halted_already_has_nothing_left_to_do():
    operator = confirming(Operator())
    operator.ask(Halt(reason="investigating"))
    answer = operator.ask(Halt(reason="bad news", symbol="KO"))
    assert answer.result is Result.DONE


# -- baskets


def test_a_basket_is_judged_as_a_whole_and_nothing_goes_on_record():
    operator = Operator()
    before = len(operator.account.journal.events)
    tickets = tuple(Ticket(symbol="KO", side=OrderSide.BUY, quantity=D(size), repeat=True) for size in (60, 40))
    answer = operator.ask(CheckBasket(orders=tickets))
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")
    assert [(line.passes, line.takes_risk) for line in answer.basket] == [(True, True), (False, True)]
    assert operator.ask(CheckBasket(orders=tickets[:1])).result is Result.DONE
    assert len(operator.account.journal.events) == before
    assert operator.account.reserved == {}


# -- parent orders


def started(operator: Operator, **changes) -> str:
    answer = operator.account.system.desk.start(twap_parent("60", 6, **changes))
    return answer.order.parent_id


def test_a_parent_is_planned_started_and_told_with_its_end():
    operator = Operator()
    answer = operator.ask(
        StartParent(symbol="KO", side=OrderSide.BUY, quantity=D(60), algorithm="twap", minutes=30, limit_price=D(101))
    )
    assert (answer.result, answer.status) == (Result.DONE, "working")
    state = operator.account.system.desk.state_of(answer.parent_id)
    assert state.order.limits.price == D(101)
    assert (state.order.end - state.order.start).total_seconds() == 30 * 60
    assert operator.account.journal.of(OperatorActed)[0].command == "start_parent"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"algorithm": "magic"}, "'magic' is none of adaptive, auto"),
        ({"algorithm": "iceberg"}, "iceberg needs one"),
        ({"algorithm": "iceberg", "display": D(5)}, "an iceberg needs a price limit"),
        ({"symbol": "NOPE"}, "NOPE is not in the universe"),
        ({"algorithm": "auto"}, "one order is the better way"),
        ({"quantity": D("0.5")}, "quantity"),
    ],
)
def test_a_parent_that_cannot_be_is_refused_with_the_reason(fields, said):
    given = {"symbol": "KO", "side": OrderSide.BUY, "quantity": D(60), "algorithm": "twap", **fields}
    answer = Operator().ask(StartParent(**given))
    assert answer.result is Result.REFUSED
    assert said in answer.message


def test_an_iceberg_shows_what_it_is_told_to():
    operator = Operator()
    answer = operator.ask(
        StartParent(
            symbol="KO", side=OrderSide.BUY, quantity=D(60), algorithm="iceberg", display=D(7), limit_price=D("99.90")
        )
    )
    assert answer.result is Result.DONE
    operator.account.step()
    assert [order.quantity for order in operator.account.broker.orders] == [7]


def test_a_parent_beyond_a_limit_is_refused_as_a_whole():
    answer = Operator().ask(StartParent(symbol="KO", side=OrderSide.BUY, quantity=D(101), algorithm="twap"))
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")


def test_pause_resume_speed_up_reduce_and_cancel():
    operator = confirming(Operator())
    parent_id = started(operator)
    operator.account.step()
    paused = operator.ask(PauseParent(parent_id=parent_id))
    assert (paused.result, paused.status) == (Result.DONE, "paused")
    assert operator.account.orders.open_orders() == []
    assert operator.ask(SpeedUpParent(parent_id=parent_id, factor=D(2))).result is Result.DONE
    assert operator.ask(ReduceParent(parent_id=parent_id, quantity=D(40))).result is Result.DONE
    assert operator.ask(ResumeParent(parent_id=parent_id)).status == "working"
    assert operator.ask(ResumeParent(parent_id=parent_id)).result is Result.REFUSED
    ended = operator.ask(CancelParent(parent_id=parent_id))
    assert (ended.result, ended.status) == (Result.DONE, "cancelled")
    assert operator.ask(CancelParent(parent_id=parent_id)).message.startswith(f"no parent order {parent_id} is open")


def test_a_pause_that_is_not_confirmed_says_how_much_is_out():
    operator = Operator()
    parent_id = started(operator)
    operator.account.step()
    answer = operator.ask(PauseParent(parent_id=parent_id))
    assert (answer.result, answer.message) == (Result.PENDING, "paused; the cancel of 10 shares is not confirmed yet")


def test_cancelling_a_slice_says_that_its_parent_goes_on():
    operator = confirming(Operator())
    parent_id = started(operator)
    operator.account.step()
    answer = operator.ask(Cancel(order_id=f"{parent_id}-1"))
    assert f"`qts algo cancel {parent_id}` stops that" in answer.message


def test_cancelling_all_stops_parents_so_that_no_slice_follows():
    operator = confirming(Operator())
    parent_id = started(operator)
    operator.account.step()
    answer = operator.ask(CancelAll())
    assert answer.result is Result.DONE
    assert set(answer.orders) == {f"{parent_id}-1", parent_id}
    assert operator.account.system.desk.is_idle


# -- strategies


def test_a_disarmed_strategy_is_not_heard_its_entries_go_and_its_exits_stay():
    operator = confirming(Operator(Account(strategies=[Idle()])))
    account = operator.account
    account.hold("KO", 10)
    entry = account.working(buy(5, "PEP", limit="99.00", strategy="idle"))
    exit_ = account.working(sell(10, limit="101.00", strategy="idle"))
    answer = operator.ask(DisarmStrategy(strategy="idle", reason="it misbehaves"))
    assert (answer.result, answer.status) == (Result.DONE, "disarmed")
    assert account.system.engine.strategies == {"idle": False}
    assert (entry.status, exit_.status) == (OrderStatus.CANCELED, OrderStatus.WORKING)
    assert operator.ask(ArmStrategy(strategy="idle")).status == "armed"
    assert account.system.engine.strategies == {"idle": True}
    assert operator.ask(ArmStrategy(strategy="idle")).message == "idle was armed already"


def test_disarming_holds_over_restarts_as_the_journal_says():
    operator = Operator(Account(strategies=[Idle()]))
    operator.ask(DisarmStrategy(strategy="idle", reason="it misbehaves"))
    (event,) = operator.account.journal.of(StrategySwitched)
    assert (event.strategy, event.armed, event.by, event.reason) == ("idle", False, "anna", "it misbehaves")
    books = replay(Recorded(operator.account).journal).projection
    assert books.disarmed == {"idle": "it misbehaves"}
    later = Account(strategies=[Idle()])
    later.system.engine.were_disarmed(books.disarmed)
    assert later.system.engine.strategies == {"idle": False}


def test_a_strategy_that_does_not_run_is_named_with_those_that_do():
    answer = Operator(Account(strategies=[Idle()])).ask(DisarmStrategy(strategy="momentum"))
    assert (answer.result, answer.message) == (Result.REFUSED, "no strategy momentum runs here; there are idle")


# -- the rest


def test_without_a_reconciler_nothing_is_compared():
    assert Operator().ask(Reconcile()).result is Result.REFUSED


def test_a_handler_that_breaks_is_answered_and_the_engine_goes_on():
    operator = Operator()

    async def broken(command, act):
        raise ZeroDivisionError("a bug")

    operator.operations.add(Reconcile, broken)
    answer = operator.ask(Reconcile())
    assert answer.result is Result.FAILED
    assert "ZeroDivisionError('a bug')" in answer.message
    assert operator.ask(resting()).result is Result.DONE


def test_the_end_of_the_engine_leaves_nothing_running():
    operator = Operator()

    async def end() -> None:
        waiting = asyncio.ensure_future(operator.operations.carry_out(request(Halt(reason="x"))))
        await asyncio.sleep(0)
        await operator.operations.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(end())
    assert isinstance(operator.operations, Operations)


# -- limits


POSITION = "risk.max_position_pct"


def test_a_tighter_limit_is_in_force_for_the_next_order():
    operator = Operator()
    answer = operator.ask(ProposeLimits(values={"orders.max_order_quantity": "9"}, why="earnings"))
    assert (answer.result, answer.message) == (
        Result.DONE,
        "in force now: orders.max_order_quantity from 100000 to 9",
    )
    assert operator.ask(ticket()).rule == "max_order_quantity"


def test_a_looser_limit_waits_for_a_person_who_saw_what_it_is():
    operator = Operator()
    governance = operator.account.system.governance
    answer = operator.ask(ProposeLimits(values={POSITION: "0.12"}, why="quiet market"))
    assert (answer.result, governance.limits.max_position_pct) == (Result.PENDING, D("0.1"))
    assert answer.message == "limits-1 waits for 1 to approve it: risk.max_position_pct from 0.1 to 0.12"
    (view,) = governance.approvals.waiting
    wrong = operator.ask(AnswerApproval(approval="limits-1", answer=ApprovalAnswer.YES, content="another"))
    assert (wrong.result, governance.limits.max_position_pct) == (Result.REFUSED, D("0.1"))
    right = operator.ask(AnswerApproval(approval="limits-1", answer=ApprovalAnswer.YES, content=view.content))
    assert (right.result, governance.limits.max_position_pct) == (Result.DONE, D("0.12"))


def test_a_no_is_final_and_a_raise_has_an_end():
    operator = Operator()
    governance, now = operator.account.system.governance, operator.account.clock.now()
    operator.ask(ProposeLimits(values={POSITION: "0.12"}, why="more", until=now + timedelta(hours=1)))
    answer = operator.ask(AnswerApproval(approval="limits-1", answer=ApprovalAnswer.NO, reason="too much"))
    assert answer.message == "limits-1 is refused; what is in force stays"
    assert governance.approvals.waiting == []
    again = operator.ask(ProposeLimits(values={POSITION: "0.05"}, why="less", until=now + timedelta(hours=1)))
    assert (again.result, "not looser" in again.message) == (Result.REFUSED, True)
