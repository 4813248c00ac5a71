"""A parent order beyond a soft limit is asked about once; its slices stay within what was approved."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.approval_events import ApprovalAnswer, ApprovalAsked, ApprovalEnded, ApprovalOutcome
from quant_trading_system.core.commands import AnswerApproval, Outcome, Result, StartParent
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.journal.approval_fold import ApprovalView
from quant_trading_system.trading.held_orders import HeldOrders
from quant_trading_system.trading.planning import ExecutionPolicy
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account, limits_with
from tests.support.operator import Operator
from tests.support.orders import buy
from tests.support.restart import Life

D = Decimal
SOFT = ("max_position_notional 3000",)
"""Sixty shares at a hundred are beyond it, and so is every slice of them, because the room of the whole is kept."""


def operator_with(soft: tuple[str, ...] = SOFT, **limits: Any) -> Operator:
    return Operator(Account(limits=limits_with(soft_limits=soft, **limits)))


def wanted(operator: Operator, **changes: Any) -> Outcome:
    given = {"symbol": "KO", "side": OrderSide.BUY, "quantity": D(60), "algorithm": "twap", "minutes": 30, **changes}
    return operator.ask(StartParent(**given))


def waiting(operator: Operator) -> list[ApprovalView]:
    return operator.account.system.governance.approvals.waiting


def says(operator: Operator, answer: ApprovalAnswer = ApprovalAnswer.YES) -> Outcome:
    (view,) = waiting(operator)
    return operator.ask(AnswerApproval(approval=view.approval, answer=answer, content=view.content, reason="seen"))


def later(operator: Operator, span: timedelta) -> None:
    account = operator.account
    account.clock.move_to(account.clock.now() + span)
    account.offer()
    account.step()


def test_a_parent_beyond_a_soft_limit_waits_for_a_person():
    operator = operator_with()
    answer = wanted(operator, limit_price=D(101))
    assert (answer.result, answer.rule) == (Result.PENDING, "soft_limits")
    assert "order-1 waits for 1 to approve it" in answer.message
    assert operator.account.system.desk.is_idle
    (asked,) = operator.account.journal.of(ApprovalAsked)
    assert asked.text.startswith("buy 60 KO, twap at 101, day: soft_limits: buy KO: 6060 USD, limit 3000 USD")


def test_after_the_yes_the_parent_begins_and_its_slices_ask_nobody():
    operator = operator_with()
    wanted(operator)
    answer = says(operator)
    assert (answer.result, answer.status) == (Result.DONE, "working")
    assert answer.message.startswith("order-1 is approved: ")
    account, slices = operator.account, []
    for _ in range(12):
        later(operator, timedelta(minutes=3))
        for order in account.broker.orders[len(slices) :]:
            slices.append(order)
            account.broker.fill(order.client_order_id, order.quantity, "100")
    assert account.portfolio.position("KO").quantity == 60
    assert len(slices) > 2
    sent = [event for event in account.journal.of(OrderEvent) if event.order_id == slices[-1].client_order_id]
    (found,) = [check for check in sent[0].decision.checks if check.rule is Rule.SOFT_LIMITS]
    assert (found.passed, found.detail) == (True, "max_position_notional: approved as order-1")
    assert len(account.journal.of(ApprovalAsked)) == 1


def test_a_parent_that_was_approved_goes_on_beside_the_next_one():
    operator = operator_with()
    for symbol in ("KO", "PEP"):
        wanted(operator, symbol=symbol)
        assert says(operator).result is Result.DONE
    later(operator, timedelta(minutes=3))
    assert sorted(order.symbol for order in operator.account.broker.orders) == ["KO", "PEP"]


def test_one_algorithm_and_another_are_two_questions():
    operator = operator_with()
    for algorithm in ("twap", "vwap"):
        wanted(operator, algorithm=algorithm)
    assert len({view.content for view in waiting(operator)}) == 2


def test_a_soft_limit_that_was_not_shown_stops_the_slices():
    operator = operator_with((*SOFT, "max_open_orders 1"))
    wanted(operator)
    assert says(operator).result is Result.DONE
    operator.account.portfolio.reserve("another", "XOM", D(1), D(100))
    later(operator, timedelta(minutes=1))
    assert operator.account.broker.orders == []
    refused = [event.decision for event in operator.account.journal.of(OrderEvent) if event.decision is not None][-1]
    assert refused.refused_by is Rule.SOFT_LIMITS
    assert "order-1 does not cover max_open_orders" in refused.checks[-1].detail


def test_the_approval_of_a_parent_is_for_nothing_else():
    operator = operator_with()
    wanted(operator)
    parent_id = says(operator).parent_id
    plan = operator.account.system.desk.plans()[0][1]
    submit = operator.account.orders.submit
    for order, named in (
        (buy(61, client_order_id="more"), plan),
        (buy(40, client_order_id="beside"), msgspec.structs.replace(plan, parent="")),
        (buy(40, client_order_id="other"), msgspec.structs.replace(plan, parent="run-p9")),
        (buy(40, client_order_id="strange", strategy="s"), plan),
    ):
        answer = asyncio.run(submit(order, plan=named))
        assert isinstance(answer, Rejection), order.client_order_id
        soft = next(check for check in answer.checks if check.rule is Rule.SOFT_LIMITS)
        assert soft.detail == "order-1 is no approval of this order"
    assert parent_id


def test_a_no_begins_nothing():
    operator = operator_with()
    wanted(operator)
    assert says(operator, ApprovalAnswer.NO).result is Result.DONE
    assert operator.account.system.desk.is_idle


def test_hard_limits_judge_the_parent_again():
    operator = operator_with()
    wanted(operator)
    operator.account.hold("KO", 50)
    answer = says(operator)
    assert (answer.result, answer.rule) == (Result.REFUSED, "max_position_pct")
    assert operator.account.system.desk.is_idle


def test_when_no_algorithm_can_take_it_any_more_nothing_begins():
    operator = operator_with(soft_limit_expiry_s=D(80_000))
    wanted(operator, minutes=5)
    operator.account.offer = lambda: None  # type: ignore[method-assign]
    later(operator, timedelta(hours=20))
    answer = says(operator)
    assert answer.result is Result.REFUSED
    assert operator.account.system.desk.is_idle


def test_a_parent_that_a_strategy_wrote_out_is_asked_about_once():
    operator = operator_with()
    path = operator.account.system.path
    for _ in range(3):
        path.start_as_given(twap_parent("60", 6, strategy="s"))
    assert [(view.approval, view.asked_by) for view in waiting(operator)] == [("order-1", "s")]
    assert says(operator).result is Result.DONE
    (state,) = operator.account.system.desk.parents()
    assert (state.order.strategy, state.quantity) == ("s", 60)


# -- restarts


def life() -> Life:
    made = Life()
    made.limits, made.is_governed = limits_with(soft_limits=SOFT), True
    return made


def test_an_approved_parent_goes_on_after_a_restart_and_asks_nobody():
    made = life()
    made.policy = ExecutionPolicy(after_crash=AfterCrash.RESUME)
    system = made.begin()
    held = HeldOrders(system)
    refused = system.desk.start(twap_parent("60", 6))
    view = held.ask(refused, again=lambda: system.desk.as_given(twap_parent("60", 6)))
    begun = held.start(view, None)
    assert not isinstance(begun, Rejection), begun.message
    again = made.again()
    HeldOrders(again)
    asyncio.run(again.engine.on_step())
    assert [order.client_order_id for order in made.broker.orders] == [f"{begun.order.parent_id}-1"]


def test_a_parent_that_waited_is_withdrawn_by_a_restart():
    made = life()
    system = made.begin()
    refused = system.desk.start(twap_parent("60", 6))
    HeldOrders(system).ask(refused, again=lambda: None)
    again = made.again()
    HeldOrders(again)
    assert again.governance.approvals.waiting == []
    ended = [entry.event for entry in made.journal.entries(kinds=("approval_ended",))]
    assert [one.outcome for one in ended if isinstance(one, ApprovalEnded)] == [ApprovalOutcome.WITHDRAWN]


def test_no_yes_for_a_parent_that_cannot_be_planned():
    made = life()
    system = made.begin()
    held = HeldOrders(system)
    view = held.ask(system.desk.start(twap_parent("60", 6)), again=lambda: None)
    with pytest.raises(Exception, match="no algorithm can take it now; nothing was begun"):
        held.start(view, None)
    other = held.ask(system.desk.start(twap_parent("55", 5)), again=lambda: system.desk.as_given(twap_parent("60", 6)))
    with pytest.raises(Exception, match="not what was shown; nothing was begun"):
        held.start(other, None)
