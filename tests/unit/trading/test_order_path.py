"""From a wish to orders: size, difference, sells before buys, and no wish pursued longer than it makes sense."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.core.decisions import Rule, SizeSeen
from quant_trading_system.core.events import HaltLevel, OrderEvent, WishNotSized
from quant_trading_system.core.orders import OrderSide, OrderType, TimeInForce
from quant_trading_system.core.signals import Direction, Signal
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.position_sizer import Sizing, SizingRequest
from quant_trading_system.trading.order_path import OrderPath
from quant_trading_system.trading.planning import ExecutionPolicy, is_left_alone, plan_as_given, plan_order
from quant_trading_system.trading.pursuit import MOST_REFUSALS
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell
from tests.support.sizing import past_of

D = Decimal
MINUTE = timedelta(minutes=1)


def want(account: Account, symbol: str, weight: str, *, cause: int = 1) -> None:
    """Wish for a share of equity; below zero short, zero flat."""
    number = D(weight)
    direction = Direction.FLAT if not number else Direction.LONG if number > 0 else Direction.SHORT
    signal = Signal(symbol=symbol, direction=direction, at=NOON, source="test", weight=abs(number))
    path(account).want(signal, cause)


def path(account: Account) -> OrderPath:
    return account.system.path


def quote_of(account: Account) -> Quote:
    quote = account.board.quote("KO")
    assert quote is not None
    return quote


def walk(account: Account, times: int = 1) -> None:
    for _ in range(times):
        asyncio.run(path(account).walk((), account.clock.now()))


def sent(account: Account) -> list[str]:
    """Every order that reached the broker."""
    return [f"{order.side} {order.quantity} {order.symbol}" for order in account.broker.orders]


def fill_all(account: Account) -> None:
    for record in account.orders.open_orders():
        account.broker.fill(record.order_id, record.leaves, account.broker.price)


# -- target minus held -------------------------------------------------------------------------------------------

DIFFERENCES = """
held    weight   sent
0       0.05     buy 49 KO         # 5 000 dollars at the ask of 100.01
20      0.05     buy 29 KO
49      0.05     -
60      0.05     sell 11 KO
60      0        sell 60 KO
0       0        -
0       -0.05    sell 50 KO        # 5 000 dollars at the bid of 99.99
-20     -0.05    sell 30 KO
-60     0        buy 60 KO
-60     -0.05    buy 10 KO
45      0.05     -                 # four shares are worth less than half a percent of equity
1       0        sell 1 KO         # closing is never too small
20      1        buy 79 KO         # the position limit caps the wish
"""


@pytest.mark.parametrize("line", DIFFERENCES.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_the_order_is_the_difference_between_target_and_position(line):
    held, weight, *order = line.partition("#")[0].split()
    account = Account(limits=limits_with(allow_short=True))
    if D(held):
        account.hold("KO", held)
    want(account, "KO", weight)
    walk(account)
    assert sent(account) == ([] if order == ["-"] else [" ".join(order)])


def test_a_wish_is_pursued_until_it_is_reached():
    account = Account()
    want(account, "KO", "0.05")
    walk(account)
    assert not path(account).is_idle
    fill_all(account)
    walk(account)
    assert path(account).is_idle
    assert sent(account) == ["buy 49 KO"]


def test_an_open_order_is_waited_for():
    account = Account()
    want(account, "KO", "0.05")
    walk(account, times=3)
    assert sent(account) == ["buy 49 KO"]


def test_an_order_of_somebody_else_in_the_symbol_is_waited_for_too():
    account = Account()
    account.working(buy(10, limit="90.00"))
    want(account, "KO", "0.05")
    walk(account)
    assert (sent(account), account.broker.cancels) == (["buy 10 KO"], [])


def test_a_parent_of_somebody_else_in_the_symbol_is_waited_for_and_holds_up_no_other():
    account = Account()
    account.system.desk.start(twap_parent("60"))
    want(account, "KO", "0.03")
    want(account, "PEP", "0.05")
    walk(account)
    assert sent(account) == ["buy 49 PEP"]


@pytest.mark.parametrize("held", [30, 50])
def test_a_position_never_crosses_zero_in_one_order(held):
    """The second order is meant, also when it looks like the first one."""
    account = Account(limits=limits_with(allow_short=True))
    account.hold("KO", held)
    want(account, "KO", "-0.05")
    walk(account, times=2)
    assert sent(account) == [f"sell {held} KO"]
    fill_all(account)
    walk(account)
    assert sent(account) == [f"sell {held} KO", "sell 50 KO"]


def test_a_fill_that_the_books_have_lost_is_not_bought_again_and_again():
    """Only the second order of a turn may look like the first."""
    account = Account()
    want(account, "KO", "0.05")
    walk(account)
    fill_all(account)
    account.hold("KO", -49)
    walk(account, times=3)
    assert sent(account) == ["buy 49 KO"]
    assert refusals(account) == [Rule.DUPLICATE_ORDER]


def test_sells_go_first_and_buys_wait_for_them():
    """So that cash and room are there when they are needed."""
    account = Account()
    account.hold("XOM", 50)
    want(account, "KO", "0.05")
    want(account, "XOM", "0")
    walk(account, times=2)
    assert sent(account) == ["sell 50 XOM"]
    fill_all(account)
    walk(account)
    assert sent(account) == ["sell 50 XOM", "buy 49 KO"]


def test_buys_wait_for_sells_of_wishes_that_are_forgotten():
    account = Account()
    account.hold("XOM", 50)
    flat = Signal(symbol="XOM", direction=Direction.FLAT, at=NOON, source="test", expires_at=NOON + MINUTE)
    path(account).want(flat, 1)
    want(account, "KO", "0.05")
    walk(account)
    account.clock.move_to(NOON + MINUTE)
    account.offer("99.99", "100.01")
    walk(account)
    assert sent(account) == ["sell 50 XOM"]
    fill_all(account)
    walk(account)
    assert sent(account) == ["sell 50 XOM", "buy 49 KO"]


def test_buys_do_not_wait_for_a_short_position_to_be_covered():
    account = Account(limits=limits_with(allow_short=True))
    account.hold("XOM", -50)
    want(account, "XOM", "0")
    walk(account)
    want(account, "KO", "0.05")
    walk(account)
    assert sent(account) == ["buy 50 XOM", "buy 49 KO"]


def test_a_newer_wish_overtakes_the_earlier_one():
    account = Account()
    want(account, "KO", "0.05")
    walk(account)
    want(account, "KO", "0.02")
    fill_all(account)
    walk(account)
    assert sent(account) == ["buy 49 KO", "sell 30 KO"]


def test_a_newer_wish_does_not_end_with_the_order_of_the_earlier_one():
    """The first order is cancelled by somebody; the new wish waits for a sale elsewhere and is not forgotten."""
    account = Account()
    account.hold("XOM", 50)
    want(account, "KO", "0.05")
    walk(account)
    want(account, "KO", "0.02")
    want(account, "XOM", "0")
    account.broker.cancelled("run-1-0")
    walk(account)
    assert sent(account) == ["buy 49 KO", "sell 50 XOM"]
    fill_all(account)
    walk(account)
    assert sent(account)[-1] == "buy 19 KO"


ENDINGS = ["cancelled", "refused by the broker", "refused by the gate", "not sent"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_wish_whose_order_ended_otherwise_is_given_up(ending):
    """It is not sent again and again; the strategy may say it anew."""
    account = Account(limits=limits_with(max_order_quantity=D(40)) if ending == "refused by the gate" else None)
    if ending in {"refused by the broker", "not sent"}:
        account.broker.answers.append("reject" if "broker" in ending else "not_sent")
    want(account, "KO", "0.05")
    walk(account)
    if ending == "cancelled":
        account.broker.cancelled("run-1-0")
    walk(account, times=2)
    assert path(account).is_idle
    assert account.orders.count == 1


def test_a_wish_for_what_is_not_approved_is_given_up():
    account = Account()
    want(account, "TSLA", "0.05")
    walk(account)
    assert path(account).is_idle


@pytest.mark.parametrize("quote", [None, ("0", "100.01"), ("100.02", "100.01")])
def test_without_a_usable_quote_a_wish_waits(quote):
    account = Account()
    if quote is None:
        account.board._latest.clear()
    else:
        account.offer(*quote)
    want(account, "KO", "0.05")
    walk(account)
    assert (sent(account), account.orders.count) == ([], 0)
    account.offer()
    walk(account)
    assert sent(account) == ["buy 49 KO"]


def test_a_halt_ends_all_wishes_even_between_two_orders_of_one_walk():
    """The first sale fills at once and shows a loss beyond the limit; the second is not sent."""
    account = Account()
    account.hold("KO", 50)
    account.hold("XOM", 50)
    account.broker.answers.append("fill")
    account.broker.price = D(10)
    want(account, "KO", "0")
    want(account, "XOM", "0")
    account.portfolio.day_start_equity = D(100_200)
    account.system.monitor.use_limits(limits_with(max_daily_loss_pct=D("0.04")))
    walk(account)
    assert account.kill_switch.is_active()
    assert sent(account) == ["sell 50 KO"]
    assert account.orders.count == 1  # nor was it refused: nobody wanted it any more
    assert path(account).is_idle


def test_a_wish_that_is_overtaken_during_the_walk_is_not_sent():
    """While the first order was on the wire, the strategy changed its mind about the second symbol."""
    account = Account()
    account.hold("KO", 50)
    account.hold("XOM", 50)

    async def change_of_mind(approved) -> None:
        want(account, "XOM", "0.05")

    account.broker.answers.append(change_of_mind)
    want(account, "KO", "0")
    want(account, "XOM", "0")
    walk(account)
    assert sent(account) == ["sell 50 KO"]
    fill_all(account)
    walk(account)
    assert path(account).is_idle  # 50 shares are what 5 % of equity is worth, but for one
    assert sent(account) == ["sell 50 KO"]


def test_a_halt_refuses_the_wish_and_the_walk_goes_on():
    account = Account()
    account.hold("XOM", 50)
    account.kill_switch.activate("winding down", level=HaltLevel.REDUCING)
    want(account, "KO", "0.05")
    want(account, "XOM", "0")
    walk(account)
    assert sent(account) == ["sell 50 XOM"]


def test_wishes_can_be_given_up_by_symbol():
    account = Account()
    want(account, "KO", "0.05")
    want(account, "XOM", "0.05")
    path(account).give_up(["KO", "unknown"])
    walk(account)
    assert sent(account) == ["buy 49 XOM"]


def test_an_order_tells_the_signal_that_caused_it_and_how_it_is_worked():
    account = Account()
    want(account, "KO", "0.05", cause=1)
    walk(account)
    entry = next(i for i, event in enumerate(account.journal.events) if isinstance(event, OrderEvent))
    event: Any = account.journal.events[entry]
    assert account.journal.causes[entry] == 1
    assert event.order.strategy == "test"
    assert (event.decision.plan.choice, event.decision.plan.expected_price) == ("market", D("100.00"))


def test_an_exit_is_marked_as_one():
    """So that the gate refuses it if the position has meanwhile become smaller."""
    account = Account()
    account.hold("KO", 50)
    want(account, "KO", "0")
    walk(account)
    assert account.broker.orders[0].reduce_only


def test_an_order_given_by_a_strategy_walks_the_same_road():
    account = Account()
    asyncio.run(path(account).send_as_given(buy(10)))
    asyncio.run(path(account).send_as_given(buy(500)))
    assert sent(account) == ["buy 10 KO"]
    assert [record.rejection.rule for record in account.orders.orders() if record.rejection] == ["max_position_pct"]
    account.kill_switch.activate("a test")
    asyncio.run(path(account).send_as_given(sell(1)))
    assert sent(account) == ["buy 10 KO"]


# -- market or limit ------------------------------------------------------------------------------------------------

PLANS = """
bid      ask      change   order                   urgency   expected   slippage
99.90    100.10   +10      market                  0.5       100.00     10          # 20 basis points: still tight
99.89    100.11   +10      limit at 100.11         0.5       100.00     11          # a limit at the far side
99.89    100.11   -10      limit at 99.89          0.5       100.00     11
0.99     1.01     +10      limit at 1.01           0.5       1.00       100
"""


@pytest.mark.parametrize("line", PLANS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_a_wide_spread_makes_a_limit_order(line):
    account = Account()
    words = line.partition("#")[0].split()
    bid, ask, change = words[:3]
    urgency, expected, slippage = words[-3:]
    account.offer(bid, ask, "KO")
    order, plan = plan_order("KO", D(change), quote_of(account), ExecutionPolicy(), shrinks=False, strategy="test")
    limit = D(words[5]) if words[3] == "limit" else None
    assert (order.order_type, order.limit_price) == (OrderType(words[3]), limit)
    assert (order.side, order.quantity) == (OrderSide.BUY if D(change) > 0 else OrderSide.SELL, D(10))
    assert order.time_in_force is TimeInForce.DAY
    assert (plan.choice, plan.urgency) == (words[3], D(urgency))
    assert (plan.expected_price, plan.expected_slippage_bps) == (D(expected), D(slippage))


def test_an_exit_is_urgent():
    order, plan = plan_order("KO", D(-10), quote_of(Account()), ExecutionPolicy(), shrinks=True, strategy="test")
    assert order.reduce_only
    assert plan.urgency == 1


@pytest.mark.parametrize(("change", "limit"), [(10, "100.12"), (-10, "99.88")])
def test_a_limit_at_the_far_side_reaches_it_also_where_that_lies_between_two_ticks(change, limit):
    quote = msgspec.structs.replace(quote_of(Account()), bid=D("99.8855"), ask=D("100.1145"))
    order, plan = plan_order("KO", D(change), quote, ExecutionPolicy(), shrinks=False, strategy="test")
    assert order.limit_price == D(limit)
    assert str(plan.expected_slippage_bps) == "11.4"  # 11.45 basis points


AS_GIVEN = [  # the quote is 99.98 to 100.02
    (buy(1), "100.00", "2.0"),
    (sell(1), "100.00", "2.0"),
    (buy(1, limit="99.00"), "99.00", "0"),  # it waits at its limit
    (sell(1, limit="101.00"), "101.00", "0"),
    (buy(1, limit="100.00"), "100.00", "0"),
    (sell(1, limit="100.00"), "100.00", "0"),
    (buy(1, limit="100.02"), "100.00", "2.0"),  # it trades at once
    (sell(1, limit="99.98"), "100.00", "2.0"),
]


@pytest.mark.parametrize(("order", "price", "slippage"), AS_GIVEN)
def test_an_order_as_given_expects_its_limit_or_half_the_spread(order, price, slippage):
    account = Account()
    account.offer("99.98", "100.02")
    plan = plan_as_given(order, quote_of(account))
    assert (plan.expected_price, str(plan.expected_slippage_bps)) == (D(price), slippage)
    assert plan.urgency == (D("0.5") if order.limit_price else 1)


def test_of_a_quote_that_cannot_be_right_nothing_is_expected():
    account = Account()
    account.offer("100.02", "99.98")
    plan = plan_as_given(buy(1), quote_of(account))
    assert (plan.expected_price, plan.expected_slippage_bps) == (None, None)


def test_an_order_by_hand_says_so_and_expects_what_it_can():
    quote = Account().board.quote("KO")
    assert plan_as_given(buy(1), quote).why == "an order given by hand"
    assert plan_as_given(buy(1, strategy="mine"), quote).why == "the order was given with its type and price"
    assert plan_as_given(buy(1), None).expected_price is None
    assert plan_as_given(buy(1), quote).expected_price == D("100.00")


# -- sizing on the road ------------------------------------------------------------------------------------------


class Fixed:
    """A sizer that always answers the same."""

    def __init__(self, quantity: str, bound_by: str = "fixed") -> None:
        self.sizing = Sizing(quantity=D(quantity), bound_by=bound_by, detail="a test")
        self.asked: list[SizingRequest] = []

    def size(self, request: SizingRequest) -> Sizing:
        self.asked.append(request)
        return self.sizing


def fitting(sizer: Fixed, **limits: Any) -> Account:
    account = Account(sizer=sizer, limits=limits_with(**limits))
    path(account)._policy = ExecutionPolicy(fit_to_limits=True)
    return account


def unsized(account: Account) -> list[WishNotSized]:
    return [event for event in account.journal.events if isinstance(event, WishNotSized)]


def test_an_order_is_cut_to_the_room_and_its_record_says_so():
    account = fitting(Fixed("500"))
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == ["buy 99 KO"]
    decision = next(e.decision for e in account.journal.events if isinstance(e, OrderEvent) and e.decision)
    assert decision.plan is not None
    assert decision.plan.size == SizeSeen(target=D(500), bound_by="fixed", detail="a test", room_rule=Rule.MAX_POSITION)


def test_a_position_whose_sale_has_ended_keeps_its_room_from_then_on():
    sizer = Fixed("10")
    account = fitting(sizer)
    account.hold("XOM", 5)
    want(account, "XOM", "0")
    walk(account)
    (sale,) = account.orders.open_orders()
    account.broker.cancelled(sale.order_id)
    want(account, "KO", "0.1")
    walk(account)
    assert list(sizer.asked[-1].around.staying) == ["XOM"]


def test_without_room_nothing_is_sent_and_the_wish_is_on_record_once():
    account = fitting(Fixed("500"), max_portfolio_positions=1)
    account.hold("XOM", 1)
    for _ in range(2):
        want(account, "KO", "0.1")
        walk(account)
    assert sent(account) == []
    assert [(event.symbol, event.bound_by) for event in unsized(account)] == [("KO", "max_portfolio_positions")]


def test_without_the_policy_the_gate_is_asked_as_ever():
    account = Account(sizer=Fixed("500"))
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == []
    assert [e.reason for e in account.journal.events if isinstance(e, OrderEvent) and "max_position_pct" in e.reason]


def test_what_cannot_be_sized_is_left_as_it_is_and_told_once_until_it_can():
    sizer = Fixed("0", "missing")
    account = Account(sizer=sizer)
    account.hold("KO", 50)
    for _ in range(3):
        want(account, "KO", "0.1")
        walk(account)
    assert sent(account) == []
    assert len(unsized(account)) == 1
    sizer.sizing = Sizing(quantity=D(60), bound_by="fixed", detail="")
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == ["buy 10 KO"]
    fill_all(account)
    sizer.sizing = Sizing(quantity=D(0), bound_by="missing", detail="")
    want(account, "KO", "0.1")
    walk(account)
    assert len(unsized(account)) == 2


def test_a_position_too_small_to_open_is_told_once():
    account = Account(sizer=Fixed("4"))
    for _ in range(2):
        want(account, "KO", "0.1")
        walk(account)
    assert sent(account) == []
    words = "4 shares at 100 are worth less than 0.50% of equity"
    assert [(e.symbol, e.bound_by, e.detail) for e in unsized(account)] == [("KO", "min_trade_pct", words)]
    account.hold("KO", 50)
    path(account)._sizer = Fixed("51")
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == []
    assert len(unsized(account)) == 1, "a small change of what is held is left alone without words"


def test_a_size_of_zero_by_rule_closes_the_position():
    account = Account(sizer=Fixed("0", "kelly"))
    account.hold("KO", 50)
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == ["sell 50 KO"]


def test_a_wish_to_be_flat_closes_even_when_nothing_can_be_sized():
    account = Account(sizer=Fixed("0", "missing"), limits=limits_with(allow_short=True))
    account.hold("KO", -50)
    want(account, "KO", "0")
    walk(account)
    assert sent(account) == ["buy 50 KO"]


def test_sizers_see_the_account_and_everything_that_is_wanted():
    sizer = Fixed("10")
    account = Account(sizer=sizer)
    account.hold("XOM", 7)
    account.hold("PEP", 3)
    want(account, "KO", "0.1")
    wishes = [Signal(symbol=s, direction=Direction.LONG, at=NOON, source="test") for s in ("KO", "PEP")]
    asyncio.run(path(account).walk(wishes, account.clock.now()))
    around = sizer.asked[0].around
    assert [(w.signal.symbol, w.price) for w in around.wanted] == [("KO", D("100.01")), ("PEP", D("100.01"))]
    assert (around.held, around.staying, around.sectors) == (("PEP", "XOM"), {"XOM": D(700)}, {"XOM": "Energy"})
    assert (sizer.asked[0].signals, around.past, tuple(around.trades)) == (2, None, ())


def test_sizers_see_how_far_the_account_is_below_its_peak_and_the_bars_that_are_known():
    sizer, past = Fixed("10"), past_of({"KO": [0.01] * 3})
    account = Account(sizer=sizer)
    account.portfolio.peak_equity = D(125_000)
    path(account).see(past)
    want(account, "KO", "0.1")
    walk(account)
    around = sizer.asked[0].around
    assert (around.drawdown, around.past) == (D("0.2"), past)


def test_what_has_no_usable_quote_is_not_weighed_and_what_is_on_its_way_out_keeps_no_room():
    sizer = Fixed("10")
    account = Account(sizer=sizer)
    account.hold("XOM", 7)
    account.offer("100.01", "99.99", "PEP")
    want(account, "KO", "0.1")
    want(account, "XOM", "0")
    wishes = [Signal(symbol=s, direction=Direction.LONG, at=NOON, source="test") for s in ("KO", "PEP")]
    asyncio.run(path(account).walk(wishes, account.clock.now()))
    around = sizer.asked[0].around
    assert ([wanted.signal.symbol for wanted in around.wanted], around.staying) == (["KO"], {})


def test_a_single_share_is_bought_and_is_not_sold_for_want_of_a_size():
    account = Account(sizer=Fixed("1"), policy=ExecutionPolicy(min_trade_pct=D(0)))
    want(account, "KO", "0.1")
    walk(account)
    fill_all(account)
    path(account)._sizer = Fixed("0", "missing")
    want(account, "KO", "0.1", cause=2)
    walk(account)
    assert sent(account) == ["buy 1 KO"]


def test_a_newer_wish_stops_the_algorithm_of_the_earlier_one():
    account = Account()
    path(account).want(
        Signal(symbol="KO", direction=Direction.LONG, at=NOON, source="test", weight=D("0.05"), execution="twap"), 1
    )
    walk(account)
    desk = account.system.desk
    (parent,) = desk.parents()
    want(account, "KO", "0.05", cause=1)
    assert desk.is_open(parent.order.parent_id), "the same wish said again goes on"
    want(account, "KO", "0.02", cause=2)
    stopped = desk.state_of(parent.order.parent_id)
    assert stopped is not None
    assert (stopped.becomes, stopped.reason) == (ParentStatus.CANCELLED, "its wish was replaced by a newer one")


def test_wishes_of_one_strategy_are_given_up_without_those_of_another():
    account = Account()
    want(account, "KO", "0.05")
    other = Signal(symbol="PEP", direction=Direction.LONG, at=NOON, source="other", weight=D("0.05"))
    path(account).want(other, 2)
    path(account).give_up_source("test")
    walk(account)
    assert sent(account) == ["buy 49 PEP"]


def test_a_wish_for_a_symbol_outside_the_universe_is_refused_on_record_and_the_strategy_is_told():
    account = Account()
    told = []
    path(account).on_refused = lambda rejection, parent: told.append((rejection.rule, parent))
    want(account, "GME", "0.05")
    walk(account)
    (record,) = account.orders.orders()
    assert record.rejection is not None
    assert (record.order.side, record.order.symbol, sent(account)) == (OrderSide.BUY, "GME", [])
    assert told == [(record.rejection.rule, None)]
    assert path(account).is_idle


def test_a_strategy_is_told_what_the_gate_refuses_of_its_wishes():
    account = Account(limits=limits_with(max_order_quantity=D(40)))
    told = []
    path(account).on_refused = lambda rejection, parent: told.append((rejection.rule, parent))
    want(account, "KO", "0.05")
    walk(account)
    assert told == [(Rule.MAX_QUANTITY, None)]


def test_a_position_within_its_drift_band_is_left_alone():
    account = Account(sizer=Fixed("50"))
    path(account)._policy = ExecutionPolicy(drift_band=D("0.2"))
    account.hold("KO", 41)
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == []
    account.hold("KO", -1)
    want(account, "KO", "0.1")
    walk(account)
    assert sent(account) == ["buy 10 KO"], "at the edge of the band it is traded"


def test_a_short_position_within_its_drift_band_is_left_alone_too():
    policy = ExecutionPolicy(drift_band=D("0.2"), min_trade_pct=D("0.01"))
    for change, left in ((-9, True), (9, True), (-10, False), (10, False)):
        assert is_left_alone(D(change), D(-50), D(100), D(10_000), policy) is left
    assert is_left_alone(D(9), D(1), D(100), D(100_000), policy), "worth less than 1 % of equity"
    assert not is_left_alone(D(10), D(1), D(100), D(100_000), policy)


# -- a gate that is shut for a while -------------------------------------------------------------------------------


def refusals(account: Account) -> list[Rule]:
    records = account.orders.orders()
    return [record.rejection.rule for record in records if record.rejection is not None]


def test_a_wish_waits_while_the_books_are_compared_and_is_asked_again():
    account = Account()
    account.system.agreement.doubt("stream", "the order stream was lost")
    want(account, "KO", "0.05")
    walk(account, times=20)
    assert sent(account) == []
    assert refusals(account) == [Rule.RECONCILED], "once on record, not at every look"
    want(account, "KO", "0.05")  # the strategy says the same at the next bar
    walk(account)
    assert refusals(account) == [Rule.RECONCILED]
    account.system.agreement.trust("stream")
    account.offer("49.99", "50.01")
    walk(account)
    assert sent(account) == ["buy 99 KO"], "its size is that of the moment"


def test_a_wish_that_waits_expires_with_its_signal_and_ends_with_a_halt():
    account = Account()
    account.system.agreement.doubt("stream", "the order stream was lost")
    signal = Signal(symbol="KO", direction=Direction.LONG, at=NOON, source="test", expires_at=NOON + MINUTE)
    path(account).want(signal, 1)
    walk(account)
    assert not path(account).is_idle
    account.clock.move_to(NOON + MINUTE)
    account.system.agreement.trust("stream")
    walk(account)
    assert path(account).is_idle
    assert sent(account) == []


def test_a_wish_that_meets_a_shut_gate_again_and_again_is_given_up():
    account = Account()
    want(account, "KO", "0.05")
    for _ in range(MOST_REFUSALS + 3):
        account.system.agreement.doubt("stream", "the order stream was lost")
        walk(account)
        account.system.agreement.trust("stream")
        path(account)._is_put_off(path(account)._pursuits["KO"]) if not path(account).is_idle else None
    assert refusals(account) == [Rule.RECONCILED] * MOST_REFUSALS
    assert path(account).is_idle


def test_a_refusal_that_says_something_about_the_order_ends_the_wish():
    account = Account()
    account.offer("90.00", "110.00")
    want(account, "KO", "0.05")
    walk(account)
    assert path(account).is_idle
    assert refusals(account) != []
