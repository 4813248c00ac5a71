"""A rebalance asked of a running engine: shown first, approved where that is wanted, sells first, told as it is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quant_trading_system.core.approval_events import ApprovalAnswer, ApprovalEnded, ApprovalOutcome
from quant_trading_system.core.commands import AnswerApproval, CancelAll, Result
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.exceptions import InvalidCommand
from quant_trading_system.core.operator_events import OperatorAnswered
from quant_trading_system.core.order_state import OrderTrigger
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.core.rebalance_commands import PreviewRebalance, Rebalance
from quant_trading_system.trading.operations import Operations
from quant_trading_system.trading.planning import ExecutionPolicy
from tests.support.desk import Account, limits_with
from tests.support.operator import Operator
from tests.support.orders import buy

D = Decimal
TO_PEP = {"weights": {"PEP": D("0.05")}}
"""With 50 KO held: sell them, and buy 49 PEP at 100.01 for 5 % of 100 000 dollars."""


@pytest.fixture
def operator():
    found = Operator()
    found.account.hold("KO", 50)
    return found


def sent(operator: Operator) -> list[tuple[str, str, Decimal]]:
    return [(order.side.value, order.symbol, order.quantity) for order in operator.account.broker.orders]


def fill_all(operator: Operator) -> None:
    """The broker fills whatever it gets."""
    operator.account.broker.answers.extend(["fill"] * 10)


def test_a_preview_shows_trades_costs_and_risk_and_does_nothing(operator):
    events = len(operator.account.journal.events)
    seen = operator.ask(PreviewRebalance(**TO_PEP))
    assert seen.result is Result.DONE
    assert seen.message == "would sell 1 and buy 1, turnover 10.00%, cost $1.00"
    shown = seen.rebalance
    assert shown is not None
    assert [(trade.symbol, trade.change, trade.why) for trade in shown.trades] == [
        ("KO", -50, "closed"), ("PEP", 50, "to target"),
    ]  # fmt: skip
    assert (shown.trades[0].before, shown.trades[0].after, shown.trades[1].after) == (D("0.05"), 0, D("0.05"))
    assert shown.cash_before - shown.cash_after == D("0.50") * 2
    assert "no past days" in shown.risk_missing
    assert sent(operator) == []
    assert len(operator.account.journal.events) == events


def test_sells_leave_first_and_buys_once_they_have_filled(operator):
    broker = operator.account.broker
    turns: list[int] = []

    def news() -> None:
        turns.append(len(broker.orders))
        if len(turns) == 5:
            broker.fill(broker.orders[0].client_order_id, 50, "99.99")
        if len(broker.orders) == 2:
            broker.fill(broker.orders[1].client_order_id, broker.orders[1].quantity, "100.01")

    operator.news = news
    done = operator.ask(Rebalance(**TO_PEP))
    assert (done.result, done.message) == (Result.DONE, "rebalanced: 2 orders, turnover 10.00%")
    assert turns[:5] == [1] * 5, "the buy waits"
    assert sent(operator) == [("sell", "KO", 50), ("buy", "PEP", 49)], "planned again from the cash of the sale"
    assert set(operator.account.portfolio.positions) == {"PEP"}
    assert len(done.orders) == 2


def test_of_what_takes_new_risk_all_leaves_or_nothing_and_exits_leave_anyway(operator):
    fill_all(operator)
    done = operator.ask(Rebalance(weights={"PEP": D("0.2"), "XOM": D("0.03")}))
    assert done.result is Result.FAILED
    assert "PEP was refused, and with it all that takes new risk: max_position_pct" in done.message
    assert sent(operator) == [("sell", "KO", 50)]
    denied = [event for event in operator.account.journal.of(OrderEvent) if event.trigger is OrderTrigger.DENY]
    assert [(event.symbol, event.decision.refused_by) for event in denied] == [("PEP", Rule.MAX_POSITION)]


def test_the_trades_of_a_side_share_what_room_there_is():
    found = Operator(Account(limits=limits_with(max_gross_exposure=D("0.15"), max_position_pct=D("0.10"))))
    done = found.ask(Rebalance(weights={"PEP": D("0.08"), "XOM": D("0.08")}))
    assert done.result is Result.FAILED
    assert "with it all that takes new risk: max_gross_exposure" in done.message
    assert sent(found) == []


def test_a_sale_that_falls_short_is_not_spent(operator):
    broker = operator.account.broker

    def news() -> None:
        if len(broker.orders) == 1 and not broker.cancels:
            broker.fill(broker.orders[0].client_order_id, 20, "99.99")
            broker.cancels.append("by the exchange")
            broker.cancelled(broker.orders[0].client_order_id)

    operator.news = news
    done = operator.ask(Rebalance(**TO_PEP))
    assert done.result is Result.FAILED
    assert "sell 50 KO is canceled" in done.message
    assert sent(operator) == [("sell", "KO", 50)]


def test_whoever_cancels_everything_stops_the_rest(operator):
    import asyncio

    broker = operator.account.broker

    async def story():
        asked = asyncio.ensure_future(operator.asked(Rebalance(**TO_PEP)))
        while not broker.orders:
            await asyncio.sleep(0)
        broker.cancel_answers.append("confirm")
        stopped = await operator.asked(CancelAll())
        return stopped, await asked

    stopped, done = asyncio.run(story())
    assert stopped.result is Result.DONE
    assert done.result is Result.FAILED
    assert sent(operator) == [("sell", "KO", 50)]


def test_a_halt_stops_the_rest(operator):
    broker, switch = operator.account.broker, operator.account.kill_switch

    def news() -> None:
        if broker.orders and not switch.is_active():
            switch.activate("a person")
            broker.fill(broker.orders[0].client_order_id, 50, "99.99")

    operator.news = news
    done = operator.ask(Rebalance(**TO_PEP))
    assert done.result is Result.FAILED
    assert "kill switch" in done.message
    assert sent(operator) == [("sell", "KO", 50)]
    again = operator.ask(Rebalance(**TO_PEP))
    assert (again.result, again.rule) == (Result.REFUSED, "kill_switch")


def test_what_takes_longer_is_pending_and_the_same_key_tells_how_it_ended(operator):
    broker = operator.account.broker
    waiting = operator.ask_within_one_loop(
        Rebalance(**TO_PEP),
        then=lambda: [
            broker.answers.append("fill"),
            broker.fill(broker.orders[0].client_order_id, 50, "99.99"),
        ],
    )
    first, last = waiting
    assert first.result is Result.PENDING
    assert "under way: sell 1 and buy 1" in first.message
    assert last.result is Result.DONE
    answers = operator.account.journal.of(OperatorAnswered)
    assert [answer.outcome.result for answer in answers] == [Result.PENDING, Result.DONE]
    assert answers[0].key == answers[1].key


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"weights": {"GME": D("0.05")}}, "GME is not in the universe"),
        ({"weights": {"PEP": D("0.05")}, "execution": "quickly"}, "'quickly' is none of adaptive"),
        ({"weights": {"LOT": D("0.05")}}, "no sound and fresh quote of LOT"),
        ({"weights": {"PEP": D("0.05")}, "cash_kept": D(2)}, "cash kept 2 must be at least 0 and below 1"),
    ],
)
def test_what_cannot_be_planned_is_refused_before_anything_is_sent(operator, wanted, words):
    for command in (PreviewRebalance(**wanted), Rebalance(**wanted)):
        refused = operator.ask(command)
        assert refused.result is Result.REFUSED
        assert words in refused.message
    assert sent(operator) == []


def test_open_orders_are_in_the_way(operator):
    operator.account.working(buy(5, limit="90.00"))
    refused = operator.ask(Rebalance(**TO_PEP))
    assert "orders of KO are open; `qts cancel --symbol KO` first" in refused.message


def test_weights_are_finite_and_somebody_names_one():
    for weights in ({}, {"KO": D("NaN")}):
        with pytest.raises(InvalidCommand, match="weights: at least one symbol"):
            Rebalance(weights=weights)


def test_nothing_to_trade_is_done_at_once(operator):
    done = operator.ask(Rebalance(weights={"KO": D("0.05")}, drift_band=D("0.1")))
    assert (done.result, sent(operator)) == (Result.DONE, [])
    assert "nothing to trade" in done.message


def test_others_are_kept_where_that_is_said(operator):
    fill_all(operator)
    done = operator.ask(Rebalance(**TO_PEP, keep_others=True))
    assert done.result is Result.DONE
    assert set(operator.account.portfolio.positions) == {"KO", "PEP"}


def test_a_position_goes_flat_before_it_changes_sides():
    operator = Operator(Account(limits=limits_with(allow_short=True)))
    operator.account.hold("KO", 10)
    fill_all(operator)
    done = operator.ask(Rebalance(weights={"KO": D("-0.02")}))
    assert done.result is Result.DONE, done
    assert [side for side, _, _ in sent(operator)] == ["sell", "sell"]
    assert sent(operator)[0][2] == 10
    assert operator.account.portfolio.position("KO").quantity == -20


def test_an_algorithm_works_the_trades(operator):
    """The sale is a parent of its own, and the purchase waits for its last share."""
    broker = operator.account.broker

    def news() -> None:
        for record in operator.account.orders.open_orders():
            broker.fill(record.order_id, record.order.quantity - record.filled, "100")

    operator.news = news
    done, last = operator.ask_within_one_loop(Rebalance(**TO_PEP, execution="twap"), then=lambda: None, minutes=300)
    assert done.result is Result.PENDING
    assert last.result is Result.DONE
    parents = [event for event in operator.account.journal.of(ParentEvent) if event.begun is not None]
    assert [(parent.side, parent.symbol) for parent in parents] == [(OrderSide.SELL, "KO"), (OrderSide.BUY, "PEP")]
    assert set(operator.account.portfolio.positions) == {"PEP"}


# -- approval


@pytest.fixture
def governed():
    found = Operator(Account(policy=ExecutionPolicy(rebalance_approvals=1)))
    found.account.hold("KO", 50)
    return found


def approval_of(operator: Operator):
    (view,) = operator.account.system.governance.approvals.waiting
    return view


def test_where_people_must_approve_nothing_is_traded_before(governed):
    asked = governed.ask(Rebalance(**TO_PEP), "a-rebalance-1")
    assert asked.result is Result.PENDING
    view = approval_of(governed)
    assert view.text.startswith("rebalance to PEP 0.05: sell 1 and buy 1")
    assert sent(governed) == []
    fill_all(governed)
    yes = AnswerApproval(approval=view.approval, answer=ApprovalAnswer.YES, content=view.content)
    said, ended = governed.ask_within_one_loop(yes, then=lambda: None, last="a-rebalance-1", asked=Rebalance(**TO_PEP))
    assert said.result is Result.DONE
    assert ended.result is Result.DONE
    assert sent(governed) == [("sell", "KO", 50), ("buy", "PEP", 50)]


def test_a_no_ends_it(governed):
    governed.ask(Rebalance(**TO_PEP), "a-rebalance-2")
    view = approval_of(governed)
    governed.ask(AnswerApproval(approval=view.approval, answer=ApprovalAnswer.NO, reason="not today"))
    ended = governed.ask(Rebalance(**TO_PEP), "a-rebalance-2")
    assert ended.result is Result.REFUSED
    assert "is refused: not today; nothing was traded" in ended.message
    assert sent(governed) == []


def test_what_waited_when_the_engine_ended_is_withdrawn(governed):
    governed.ask(Rebalance(**TO_PEP))
    Operations(governed.account.system)
    assert governed.account.system.governance.approvals.waiting == []
    ended = governed.account.journal.of(ApprovalEnded)[-1]
    assert ended.outcome is ApprovalOutcome.WITHDRAWN
    assert "ask for it again" in ended.reason
