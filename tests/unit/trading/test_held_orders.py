"""Beyond a soft limit a person is asked: exactly this order, once, at about this price, and the gate judges it anew."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.approval_events import (
    ApprovalAnswer,
    ApprovalAsked,
    ApprovalEnded,
    ApprovalOutcome,
    ApprovalSubject,
)
from quant_trading_system.core.commands import AnswerApproval, Outcome, PlaceOrder, ReplaceOrder, Result
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.exceptions import ApprovalRefused
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.trading.held_orders import HeldOrders
from tests.support.desk import Account, limits_with
from tests.support.operator import Operator
from tests.support.restart import Life

D = Decimal
SOFT = ("max_order_notional 500",)


def operator_with(soft: tuple[str, ...] = SOFT, **limits: Any) -> Operator:
    return Operator(Account(limits=limits_with(soft_limits=soft, **limits)))


def ticket(quantity: str = "6", **fields: Any) -> PlaceOrder:
    return PlaceOrder(
        **{"symbol": "KO", "side": OrderSide.BUY, "quantity": D(quantity), "repeat": True} | fields,
    )


def waiting(operator: Operator) -> list[ApprovalView]:
    return operator.account.system.governance.approvals.waiting


def says(operator: Operator, answer: ApprovalAnswer = ApprovalAnswer.YES, **fields: Any) -> Outcome:
    (view,) = waiting(operator)
    command = {"approval": view.approval, "answer": answer, "content": view.content, "reason": "seen"} | fields
    return operator.ask(AnswerApproval(**command))


def events(operator: Operator, kind: type[Any]) -> list[Any]:
    return [event for event in operator.account.journal.events if isinstance(event, kind)]


def test_an_order_beyond_a_soft_limit_waits_for_a_person():
    operator = operator_with()
    answer = operator.ask(ticket())
    assert (answer.result, answer.status, answer.rule) == (Result.PENDING, "denied", "soft_limits")
    assert (answer.actual, answer.limit) == (D("600.06"), D(500))
    assert "order-1 waits for 1 to approve it" in answer.message
    assert operator.account.broker.orders == []
    (asked,) = events(operator, ApprovalAsked)
    assert (asked.subject, asked.asked_by, asked.needed) == (ApprovalSubject.ORDER, "anna", 1)
    assert asked.about == answer.order_id
    assert asked.text == (
        "buy 6 KO, market, day: soft_limits: buy KO: 600.06 USD, limit 500 USD "
        "(needs approval: beyond the soft limit of max_order_notional)"
    )
    assert asked.expires_at == asked.at + timedelta(seconds=900)


def test_after_the_yes_a_fresh_order_goes_down_the_whole_road():
    operator = operator_with()
    denied = operator.ask(ticket())
    operator.account.broker.answers.append("fill")
    answer = says(operator)
    assert (answer.result, answer.status) == (Result.DONE, "filled")
    assert answer.message == (
        f"order-1 is approved: {answer.order_id} is filled: buy 6 KO, market, day, 6 filled at 100.0000"
    )
    assert answer.order_id not in ("", denied.order_id)
    assert operator.account.record(denied.order_id).status is OrderStatus.DENIED
    decision = next(event.decision for event in events(operator, OrderEvent) if event.order_id == answer.order_id)
    assert decision is not None
    assert decision.plan is not None
    assert decision.plan.approval == "order-1"
    (found,) = [check for check in decision.checks if check.rule is Rule.SOFT_LIMITS]
    assert (found.passed, found.actual, found.limit) == (True, D("600.06"), D(500))
    assert found.detail == "max_order_notional: approved as order-1"
    assert [ended.outcome for ended in events(operator, ApprovalEnded)] == [ApprovalOutcome.GRANTED]


def test_the_hard_limits_stay_where_they_are():
    operator = operator_with()
    operator.ask(ticket("60"))
    operator.account.hold("KO", 60)
    answer = says(operator)
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")
    assert operator.account.broker.orders == []
    assert operator.ask(ticket("101")).rule == "max_position_pct"
    assert waiting(operator) == []


def test_an_approval_lets_one_order_through_and_no_second_one():
    operator = operator_with()
    operator.ask(ticket())
    operator.account.broker.answers.append("fill")
    says(operator)
    assert operator.ask(ticket()).result is Result.PENDING
    assert [view.approval for view in waiting(operator)] == ["order-2"]


def test_nothing_is_sent_while_the_account_is_halted():
    operator = operator_with()
    operator.ask(ticket())
    operator.account.kill_switch.activate("a drill")
    assert says(operator).rule == "kill_switch"
    assert operator.account.broker.orders == []


def test_a_no_is_final():
    operator = operator_with()
    operator.ask(ticket())
    assert says(operator, ApprovalAnswer.NO).result is Result.DONE
    assert (waiting(operator), operator.account.broker.orders) == ([], [])


def test_the_yes_is_to_what_was_shown():
    operator = operator_with()
    operator.ask(ticket())
    answer = says(operator, content="123456789abc")
    assert answer.result is Result.REFUSED
    assert len(waiting(operator)) == 1


def test_a_price_that_has_moved_is_another_order():
    operator = operator_with(price_collar_pct=D("0.02"))
    operator.ask(ticket())
    offer = operator.account.offer
    operator.account.offer = lambda: offer("102.99", "103.01")  # type: ignore[method-assign]
    operator.account.offer()
    answer = says(operator)
    assert (answer.result, answer.rule) == (Result.REFUSED, "soft_limits")
    assert "the price has moved by more than price_collar_pct since order-1 was asked for" in answer.message


def test_a_soft_limit_that_was_not_shown_is_not_waived():
    operator = operator_with(("max_order_notional 500", "max_portfolio_positions 1"))
    operator.ask(ticket())
    operator.account.hold("XOM", 1)
    answer = says(operator)
    assert answer.rule == "soft_limits"
    assert "order-1 does not cover max_portfolio_positions" in answer.message


def test_two_persons_where_two_are_needed():
    operator = operator_with(soft_limit_approvals=2)
    operator.ask(ticket())
    assert says(operator).result is Result.PENDING
    assert "has approved order-1 already" in says(operator).message
    assert operator.account.broker.orders == []


def test_who_may_not_approve_does_not():
    operator = operator_with(authorized_approvers=("Ben",))
    operator.ask(ticket())
    assert "anna is not on the list" in says(operator).message
    assert operator.account.broker.orders == []


def test_where_nobody_can_be_asked_that_is_said():
    operator = operator_with(authorized_approvers=("Ben",), soft_limit_approvals=2)
    answer = operator.ask(ticket())
    assert answer.result is Result.REFUSED
    assert "nobody can be asked: 2 persons have to approve this, and only 1 may" in answer.message


def test_no_approval_of_an_order_where_nobody_would_send_it():
    operator = operator_with()
    operator.ask(ticket())
    (view,) = waiting(operator)
    governance = operator.account.system.governance
    governance.sends_orders = False
    with pytest.raises(ApprovalRefused, match="no engine takes it from here"):
        governance.approve(view.approval, by="Ana", content=view.content)
    assert waiting(operator) == [view]


def changed(operator: Operator, quantity: str = "6") -> tuple[str, Outcome]:
    """A working order of 4 shares, and what came of changing its quantity."""
    working = operator.ask(ticket("4", order_type=OrderType.LIMIT, limit_price=D("99.5")))
    return working.order_id, operator.ask(ReplaceOrder(order_id=working.order_id, quantity=D(quantity)))


def test_a_change_beyond_a_soft_limit_waits_and_the_order_works_on():
    operator = operator_with()
    working, answer = changed(operator)
    assert (answer.result, answer.rule) == (Result.PENDING, "soft_limits")
    assert f"{working} works on as it is; order-1 waits for 1 to approve it" in answer.message
    assert operator.account.record(working).status is OrderStatus.WORKING
    (asked,) = events(operator, ApprovalAsked)
    assert asked.text.startswith(f"buy 6 KO, limit at 99.5, day, in the place of {working}: soft_limits")


def test_a_change_and_a_new_order_that_would_be_like_it_are_two_questions():
    """Whoever says yes to six more shares has not said yes to six instead of four, nor of another four."""
    operator = operator_with()
    changed(operator)
    changed(operator)
    operator.ask(ticket("6", order_type=OrderType.LIMIT, limit_price=D("99.5")))
    assert [view.approval for view in waiting(operator)] == ["order-1", "order-2", "order-3"]
    assert len({view.content for view in waiting(operator)}) == 3


@pytest.mark.parametrize("trail", [{"trail_price": D(5)}, {"trail_percent": D(4)}])
def test_a_changed_trail_is_the_one_that_was_approved(trail):
    operator = operator_with()
    (kind,) = trail
    working = operator.ask(ticket("4", order_type=OrderType.TRAILING_STOP, **{kind: D(6)}))
    operator.ask(ReplaceOrder(order_id=working.order_id, quantity=D(6), trail=trail[kind]))
    answer = says(operator)
    assert answer.result is Result.DONE, answer.message
    order = operator.account.record(answer.order_id).order
    assert (order.quantity, order.trail_price, order.trail_percent) == (
        6,
        trail.get("trail_price"),
        trail.get("trail_percent"),
    )


def test_after_the_yes_the_change_takes_the_place_of_the_open_order():
    operator = operator_with()
    working, _ = changed(operator)
    answer = says(operator)
    assert answer.result is Result.DONE, answer.message
    assert f"has taken the place of {working}" in answer.message
    new = operator.account.record(answer.order_id)
    assert (new.replaces, new.order.quantity, new.order.limit_price) == (working, 6, D("99.5"))
    assert new.status is OrderStatus.WORKING
    assert operator.account.record(working).status is OrderStatus.REPLACED


@pytest.mark.parametrize("answer", [ApprovalAnswer.NO, None])
def test_without_a_yes_the_open_order_stays_as_it_is(answer):
    operator = operator_with()
    working, _ = changed(operator)
    if answer is None:
        operator.account.clock.move_to(operator.account.clock.now() + timedelta(seconds=900))
        operator.account.offer()
        operator.account.system.governance.approvals.expire()
    else:
        says(operator, answer)
    assert waiting(operator) == []
    assert operator.account.record(working).status is OrderStatus.WORKING
    assert operator.account.record(working).order.quantity == 4


def test_a_change_of_an_order_that_has_ended_is_not_sent():
    operator = operator_with()
    working, _ = changed(operator)
    operator.account.broker.fill(working, 4, "99.5")
    answer = says(operator)
    assert answer.result is Result.REFUSED
    assert f"{working} cannot be replaced: it is filled" in answer.message
    assert len(operator.account.broker.orders) == 1


def test_the_hard_limits_judge_a_change_again():
    operator = operator_with()
    changed(operator)
    operator.account.hold("KO", 97)
    assert says(operator).rule == "max_position_pct"


def test_a_change_that_waits_is_there_after_a_restart():
    life = Life()
    life.limits, life.is_governed = limits_with(soft_limits=SOFT), True
    before = HeldOrders(life.begin())
    small = order_of("4")
    placed = life.submit(msgspec.structs.replace(small, order_type=OrderType.LIMIT, limit_price=D("99.5")))
    refused = asyncio.run(before._system.orders.replace(placed.order_id, quantity=D(6)))
    view = before.ask(refused)
    system = life.again()
    assert [one.approval for one in system.governance.approvals.waiting] == [view.approval]
    asyncio.run(HeldOrders(system).send(view, None))  # it changes that order, and places no second one
    assert [(one.replaces, one.order.quantity) for one in life.broker.replacements] == [(placed.order_id, 6)]
    assert life.broker.placed == []


def test_a_question_that_waits_is_there_after_a_restart_and_sends_what_was_shown():
    life = Life()
    life.limits, life.is_governed = limits_with(soft_limits=SOFT), True
    before = HeldOrders(life.begin())
    refused = life.submit(order_of("6"))
    assert isinstance(refused, Rejection)
    asked = before.ask(refused)
    system = life.again()
    (view,) = system.governance.approvals.waiting
    assert (view.approval, view.about, view.content) == (asked.approval, refused.order_id, asked.content)
    order, answer = asyncio.run(HeldOrders(system).send(view, None))
    assert isinstance(answer, Placed)
    assert order == order_of("6")


def test_nothing_is_sent_for_an_order_that_is_not_on_the_books():
    operator = operator_with()
    operator.ask(ticket())
    (view,) = waiting(operator)
    view.about = "lost"
    with pytest.raises(ApprovalRefused, match="the order lost is not on the books; nothing was sent"):
        asyncio.run(operator.operations._held.send(view, None))
    assert operator.account.broker.orders == []


# -- strategies


def order_of(quantity: str, strategy: str = "s") -> Order:
    return Order(
        symbol="KO",
        side=OrderSide.BUY,
        quantity=D(quantity),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        strategy=strategy,
        repeat=True,
    )


def given(operator: Operator, quantity: str, strategy: str = "s") -> None:
    """The strategy writes out an order."""
    asyncio.run(operator.account.system.path.send_as_given(order_of(quantity, strategy)))


def test_a_strategy_is_asked_for_once_however_often_it_wants_the_same():
    operator = operator_with()
    for _ in range(3):
        given(operator, "6")
    assert [(view.approval, view.asked_by) for view in waiting(operator)] == [("order-1", "s")]


def test_what_a_strategy_wants_now_takes_the_place_of_what_it_wanted_before():
    operator = operator_with()
    given(operator, "6")
    given(operator, "6", "other")
    given(operator, "7")
    assert [view.approval for view in waiting(operator)] == ["order-2", "order-3"]
    assert [ended.outcome for ended in events(operator, ApprovalEnded)] == [ApprovalOutcome.WITHDRAWN]


def test_what_was_declined_is_not_asked_for_again_until_the_answer_is_old():
    operator = operator_with()
    given(operator, "6")
    operator.account.clock.move_to(operator.account.clock.now() + timedelta(seconds=899))
    operator.account.offer()
    says(operator, ApprovalAnswer.NO)
    operator.account.clock.move_to(operator.account.clock.now() + timedelta(seconds=899))
    operator.account.offer()
    given(operator, "6")
    assert waiting(operator) == []
    operator.account.clock.move_to(operator.account.clock.now() + timedelta(seconds=1))
    operator.account.offer()
    given(operator, "6")
    assert len(waiting(operator)) == 1


def test_an_order_that_was_approved_keeps_the_name_of_its_strategy():
    operator = operator_with()
    given(operator, "6")
    operator.account.broker.answers.append("fill")
    answer = says(operator)
    assert operator.account.record(answer.order_id).order.strategy == "s"


def test_an_order_that_differs_in_its_tag_alone_is_not_asked_for_again_and_the_approved_one_keeps_its_own():
    operator = operator_with()
    path = operator.account.system.path
    for bar in (1, 2):
        asyncio.run(path.send_as_given(msgspec.structs.replace(order_of("6", "s"), tag=f"bar {bar}")))
    assert [view.approval for view in waiting(operator)] == ["order-1"]
    answer = says(operator)
    assert operator.account.record(answer.order_id).order.tag == "bar 1"


def test_within_its_soft_limits_nobody_is_asked():
    operator = operator_with()
    given(operator, "4")
    assert (waiting(operator), len(operator.account.broker.orders)) == ([], 1)
