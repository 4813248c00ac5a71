"""Strategies and their own orders: they see those that are open, cancel and change them, and touch no others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from quant_trading_system.app.decision_record import decision_record
from quant_trading_system.app.live_parts import narrate
from quant_trading_system.core.events import HaltLevel, OrderEvent, StrategyStopped
from quant_trading_system.core.exceptions import JournalFull, StrategyError
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger, PendingRequest
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.trading.order_wishes import CancelWish, OpenOrder, ReplaceWish
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.market import NOON, moment
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.unit.trading.test_trading_engine import HISTORY, KEEPERS, MONDAY, reachable

D = Decimal


class Asks(Strategy):
    """Says at a bar what it was told to say, by a function of what it sees."""

    def __init__(self, name: str = "mine") -> None:
        self.name = name
        self.says: Callable[[MarketView], Iterable[object]] = lambda _: ()
        self.saw: tuple[OpenOrder, ...] = ()

    def on_bar(self, market: MarketView) -> Iterable[Any]:
        self.saw = market.open_orders()
        return self.says(market)


class Floor:
    """An account at noon with two strategies, of which one is ours."""

    def __init__(self) -> None:
        self.mine, self.other = Asks(), Asks("other")
        self.account = Account(strategies=[self.mine, self.other])

    def bar(self, says: Callable[[MarketView], object] = lambda _: None, of: Asks | None = None) -> None:
        """A bar ends, and the strategy answers with one wish or with a list of them."""

        def said(market: MarketView) -> Iterable[object]:
            wish = says(market)
            return () if wish is None else wish if isinstance(wish, list) else [wish]

        self.mine.says = self.other.says = lambda _: ()
        (of or self.mine).says = said
        self.account.system.engine.on_bar(HistoryView(HISTORY, MONDAY))

    def working(self, order: Order, strategy: str = "mine") -> str:
        return self.account.working(order.signed_by(strategy)).order_id

    @property
    def stopped(self) -> list[str]:
        return [event.error for event in self.account.journal.of(StrategyStopped)]

    @property
    def asked(self) -> list[OrderEvent]:
        return [event for event in self.account.journal.of(OrderEvent) if event.asks_for_cancel]


def first(market: MarketView) -> OpenOrder:
    return market.open_orders()[0]


# -- what is seen ----------------------------------------------------------------------------------------------------


def test_a_strategy_sees_its_own_open_orders_oldest_first():
    floor = Floor()
    older = floor.working(buy(10, limit="99.00", time_in_force=TimeInForce.GTC))
    floor.working(buy(5, "PEP", limit="98.00"), strategy="other")
    newer = floor.working(buy(7, "XOM", limit="97.00"))
    gone = floor.working(buy(1, limit="96.00"))
    floor.account.broker.fill(older, "4", "99.00")
    floor.account.broker.cancelled(gone)
    floor.bar()
    assert [order.order_id for order in floor.mine.saw] == [older, newer]
    assert [order.symbol for order in floor.other.saw] == ["PEP"]
    assert floor.mine.saw[0] == OpenOrder(
        order_id=older,
        symbol="KO",
        side=OrderSide.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=D(10),
        filled=D(4),
        leaves=D(6),
        notional=None,
        limit_price=D("99.00"),
        stop_price=None,
        trail_price=None,
        trail_percent=None,
        status=OrderStatus.PARTIALLY_FILLED,
        pending=PendingRequest.NONE,
        placed_at=NOON,
        order_class=OrderClass.SIMPLE,
        group="",
    )
    of_symbols: list[int] = []
    floor.bar(lambda market: of_symbols.extend(len(market.open_orders(one)) for one in ("KO", "PEP", "XOM")))
    assert of_symbols == [1, 0, 1]


@pytest.mark.parametrize("ask", [MarketView.open_orders, MarketView.open_parents])
def test_a_symbol_that_is_none_of_the_run_stops_the_strategy_that_asks_for_its_orders(ask):
    """It would find none at every bar, and give one more each time."""
    floor = Floor()
    floor.bar(lambda market: [*ask(market, "KO"), *ask(market, "ko")])
    (error,) = floor.stopped
    assert error.startswith("StrategyError: ko is not among the symbols of this run")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (first, "an OpenOrder, which is a picture of an order; yield market.cancel(…) or market.replace(…) of it"),
        (MarketView.open_orders, "a tuple among its wishes; yield what is in it one by one"),
        (lambda _: 7, "something of type int; only signals, orders, cancels and changes are understood"),
    ],
)
def test_what_is_no_wish_stops_the_strategy_with_words_that_say_what_would_be_one(said, words):
    floor = Floor()
    floor.working(buy(1, limit="99.00"))
    floor.bar(said)
    (error,) = floor.stopped
    assert error.startswith(f"TypeError: mine returned {words}")


def test_an_order_that_is_on_its_way_or_in_doubt_is_seen_too():
    floor = Floor()
    floor.account.broker.answers.extend(["silent", "time_out"])
    floor.working(buy(1, limit="99.00"))
    floor.working(buy(2, "PEP", limit="99.00"))
    floor.bar()
    assert [order.status for order in floor.mine.saw] == [OrderStatus.SENT, OrderStatus.IN_DOUBT]


def test_exits_name_the_order_that_leads_them():
    floor = Floor()
    leader = floor.working(
        buy(
            5,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfit(limit_price=D("120")),
            stop_loss=StopLoss(stop_price=D("80")),
        )
    )
    floor.bar()
    assert [(order.order_class, order.group) for order in floor.mine.saw] == [
        (OrderClass.BRACKET, ""),
        (OrderClass.SIMPLE, leader),
        (OrderClass.SIMPLE, leader),
    ]


def test_the_order_that_leads_an_oco_group_shows_the_limit_of_its_take_profit():
    floor = Floor()
    floor.account.hold("KO", 5)
    floor.working(
        sell(
            5,
            order_type=OrderType.LIMIT,
            order_class=OrderClass.OCO,
            take_profit=TakeProfit(limit_price=D("120")),
            stop_loss=StopLoss(stop_price=D("80")),
        )
    )
    floor.bar()
    assert [(order.limit_price, order.stop_price) for order in floor.mine.saw] == [(D("120"), None), (None, D("80"))]


def test_a_view_cannot_be_changed_and_does_not_change():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar()
    with pytest.raises(AttributeError):
        floor.mine.saw[0].limit_price = D(1)
    floor.account.broker.fill(order_id, "10", "99.00")
    assert (floor.mine.saw[0].leaves, floor.mine.saw[0].status) == (D(10), OrderStatus.WORKING)


def test_behind_open_orders_nobody_can_be_reached_who_could_send_one():
    floor = Floor()
    views: list[object] = []
    floor.working(buy(10, limit="99.00"))
    floor.account.system.desk.start(twap_parent("60", 6, strategy="mine"))
    floor.account.step()
    floor.bar(lambda market: views.append((market, market.open_orders(), market.open_parents())))
    keys = [type(each).__name__ for each in reachable(views[0]).values() if isinstance(each, KEEPERS)]
    assert keys == []


def test_a_parent_is_seen_whole_and_its_slices_are_not():
    floor = Floor()
    state = floor.account.system.desk.start(twap_parent("60", 6, strategy="mine"))
    floor.account.system.desk.start(twap_parent("60", 6, symbol="PEP", strategy="other"))
    floor.account.step()
    assert floor.account.orders.open_orders("KO"), "a slice works"
    seen: list[object] = []
    floor.bar(lambda market: seen.append((market.open_orders(), market.open_parents(), market.open_parents("PEP"))))
    orders, (parent,), of_pep = seen[0]
    assert (orders, of_pep) == ((), ())
    assert (parent.parent_id, parent.symbol, parent.algorithm) == (state.order.parent_id, "KO", "twap")
    assert (parent.quantity, parent.filled, parent.leaves, parent.status) == (D(60), D(0), D(60), "working")


def test_what_a_share_has_cost_on_average():
    floor = Floor()
    floor.account.hold("KO", 10, "99.50")
    floor.account.hold("KO", 20, "101.00")
    seen: list[object] = []
    floor.bar(lambda market: seen.extend([market.average_price("KO"), market.average_price("PEP")]))
    assert seen == [D("100.50"), None]


@pytest.mark.parametrize("ask", ["position", "average_price", "close"])
def test_a_symbol_that_nobody_knows_is_a_mistake_of_the_strategy(ask):
    floor = Floor()
    floor.bar(lambda market: getattr(market, ask)("TYPO"))
    assert floor.stopped[0].startswith("StrategyError: TYPO is not among the symbols of this run (line ")


def test_a_symbol_without_prices_that_is_held_is_known():
    floor = Floor()
    floor.account.hold("TSLA", 3, "200")
    seen: list[object] = []
    floor.bar(lambda market: seen.extend([market.position("TSLA"), market.average_price("TSLA")]))
    assert seen == [D(3), D("200.00")]


# -- cancels ---------------------------------------------------------------------------------------------------------


def test_a_cancel_is_asked_for_at_the_next_step_and_is_on_record_with_strategy_and_reason():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.cancel(first(market), reason="the gap\nhas closed"))
    assert not floor.account.system.engine.is_quiet
    assert floor.account.broker.cancels == []
    floor.account.broker.cancel_answers.append("confirm")
    floor.account.step()
    assert floor.account.broker.cancels == [order_id]
    assert [event.reason for event in floor.asked] == ["strategy mine: the gap has closed"]
    assert floor.account.record(order_id).status is OrderStatus.CANCELED
    assert floor.account.system.engine.is_idle
    floor.bar()
    assert floor.mine.saw == ()


def test_an_id_serves_as_well_as_a_view_and_a_reason_is_not_needed():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.cancel(order_id))
    asyncio.run(floor.account.system.engine.withdraw())
    assert floor.account.broker.cancels == [order_id]
    assert floor.asked[0].reason == "strategy mine: no reason given"


def test_a_cancel_passes_while_the_exchange_is_closed():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00", time_in_force=TimeInForce.GTC))
    floor.account.clock.move_to(moment("2024-01-08T21:00"))
    floor.bar(lambda market: [market.cancel(order_id), buy(1, "PEP")])
    floor.account.step()
    assert floor.account.broker.cancels == [order_id]
    assert len(floor.account.broker.placed) == 1


@pytest.mark.parametrize("level", [HaltLevel.REDUCING, HaltLevel.HALTED])
def test_a_cancel_passes_while_a_halt_is_active_also_one_that_came_after_it_was_said(level):
    floor = Floor()
    floor.account.hold("KO", 10)
    order_id = floor.working(sell(10, limit="101.00"))
    floor.bar(lambda market: [market.cancel(order_id), buy(1, "PEP")])
    floor.account.kill_switch.activate("enough", level=level)
    floor.account.step()
    assert floor.account.broker.cancels[0] == order_id
    assert floor.asked[0].reason == "strategy mine: no reason given"
    assert len(floor.account.broker.placed) == 1, "what was said beside it is given up"


def test_an_order_that_has_ended_meanwhile_is_no_error_and_nothing_is_sent():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.cancel(first(market)))
    floor.account.broker.fill(order_id, "10", "99.00")
    floor.account.step()
    floor.bar(lambda market: [market.cancel(order_id), market.replace(order_id, limit_price="98.00")])
    floor.account.step()
    assert (floor.account.broker.cancels, floor.account.broker.replacements) == ([], [])
    assert (floor.stopped, floor.asked) == ([], [])


def test_a_cancel_that_is_pending_is_not_asked_for_again_by_saying_it_again():
    """The order manager asks again when one seems lost; a strategy that repeats itself does not hurry it."""
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    for _ in range(3):
        floor.bar(lambda market: [market.cancel(one) for one in market.open_orders()])
        floor.account.step()
    assert floor.account.broker.cancels == [order_id]
    assert floor.mine.saw[0].pending is PendingRequest.CANCEL


def test_a_cancel_that_was_refused_can_be_said_again():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.account.broker.cancel_answers.extend(["refuse", "confirm"])
    for _ in range(2):
        floor.bar(lambda market: market.cancel(first(market)))
        floor.account.step()
    assert floor.account.broker.cancels == [order_id, order_id]
    assert floor.account.record(order_id).status is OrderStatus.CANCELED


def test_many_cancels_are_asked_for_side_by_side():
    floor = Floor()
    ids = [floor.working(buy(1, limit=f"{90 + n}.00")) for n in range(5)]
    floor.bar(lambda market: [market.cancel(one, reason=one.order_id) for one in market.open_orders()])
    floor.account.step()
    assert floor.account.broker.cancels == ids


def test_cancels_come_first_whatever_the_turn_in_which_they_were_said():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: [buy(10, limit="99.50"), market.cancel(order_id)])
    floor.account.calls.clear()
    floor.account.broker.cancel_answers.append("confirm")
    floor.account.step()
    asked = [call for call in floor.account.calls if call.startswith(("cancel", "place"))]
    assert asked == [f"cancel {order_id}", "place run-2-0"]


def test_until_the_broker_confirms_the_cancel_the_old_order_counts_beside_a_new_one():
    floor = Floor()
    order_id = floor.working(buy(90, limit="99.00"))
    floor.bar(lambda market: [market.cancel(order_id), buy(90, limit="99.50")])
    floor.account.step()
    assert [record.status for record in floor.account.orders.orders()] == [OrderStatus.WORKING, OrderStatus.DENIED]
    floor.account.broker.cancelled(order_id)
    floor.bar(lambda _: buy(90, limit="99.50"))
    floor.account.step()
    assert [record.status for record in floor.account.orders.orders()][-1] is OrderStatus.WORKING


def test_a_wish_whose_order_is_taken_back_is_dropped_until_it_is_said_again():
    floor = Floor()
    floor.account.broker.answers.append("accept")
    floor.bar(lambda market: market.long("KO", weight="0.05"))
    floor.account.step()
    floor.account.broker.cancel_answers.append("confirm")
    floor.bar(lambda market: market.cancel(first(market)))
    floor.account.step()
    floor.account.step()
    assert (len(floor.account.broker.placed), floor.account.system.engine.is_idle) == (1, True)
    floor.bar(lambda market: market.long("KO", weight="0.06"))
    floor.account.step()
    assert len(floor.account.broker.placed) == 2


def test_one_leg_can_be_taken_back():
    floor = Floor()
    leader = floor.working(
        buy(5, order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=D("80")), time_in_force=TimeInForce.GTC)
    )
    floor.bar(lambda market: [market.cancel(one) for one in market.open_orders() if one.group == leader])
    floor.account.step()
    assert floor.account.broker.cancels == [f"{leader}.sl"]


def test_a_parent_is_stopped_with_the_reason_of_its_strategy():
    floor = Floor()
    state = floor.account.system.desk.start(twap_parent("60", 6, strategy="mine"))
    floor.account.step()
    floor.bar(lambda market: [market.cancel(one, reason="too slow") for one in market.open_parents()])
    floor.account.step()
    stopped = floor.account.system.desk.state_of(state.order.parent_id)
    assert (stopped.status, stopped.reason) == (ParentStatus.STOPPING, "strategy mine: too slow")
    assert len(floor.account.broker.cancels) == 1
    floor.bar(lambda market: market.cancel(state.order.parent_id, reason="once more"))
    floor.account.broker.cancelled(floor.account.broker.cancels[0])
    floor.account.step()
    floor.bar(lambda market: market.cancel(state.order.parent_id))
    floor.account.step()
    assert floor.account.system.desk.state_of(state.order.parent_id).status is ParentStatus.CANCELLED
    assert floor.stopped == []


def test_a_parent_that_ends_before_its_cancel_is_asked_for_is_left_alone():
    floor = Floor()
    state = floor.account.system.desk.start(twap_parent("60", 6, strategy="mine"))
    floor.bar(lambda market: market.cancel(market.open_parents()[0]))
    floor.account.system.desk.cancel(state.order.parent_id, "somebody else was faster")
    asyncio.run(floor.account.system.desk.step())
    assert not floor.account.system.desk.is_open(state.order.parent_id)
    floor.account.step()
    assert floor.account.broker.cancels == []


def test_a_strategy_that_is_disarmed_cancels_no_more():
    """Its exits stay: whoever has disarmed it decides about them."""
    floor = Floor()
    floor.account.hold("KO", 10)
    order_id = floor.working(sell(10, limit="101.00"))
    floor.bar(lambda market: [market.cancel(order_id), market.replace(order_id, limit_price="102.00")])
    floor.account.system.engine.disarm("mine", by="Ana", reason="odd")
    floor.account.step()
    assert (floor.account.broker.cancels, floor.account.broker.replacements) == ([], [])


def test_a_full_journal_holds_up_no_cancel(monkeypatch):
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    state = floor.account.system.desk.start(twap_parent("60", 6, symbol="PEP", strategy="mine"))
    append = floor.account.journal.append

    def full(event, cause=None):
        if isinstance(event, OrderEvent):
            return append(event, cause)
        raise JournalFull("no room")

    def says(market: MarketView) -> list[object]:
        return [market.long("XOM"), market.cancel(state.order.parent_id), market.cancel(order_id)]

    monkeypatch.setattr(floor.account.journal, "append", full)
    floor.bar(says)
    asyncio.run(floor.account.system.engine.withdraw())
    assert floor.account.broker.cancels == [order_id]


# -- whose order it is ------------------------------------------------------------------------------------------------


WRONG: dict[str, tuple[Callable[[Floor, MarketView], object], str]] = {
    "another strategy's": (
        lambda floor, market: market.cancel(floor.other_id),
        "run-1-0 is no order of mine; a strategy cancels and replaces its own alone",
    ),
    "another strategy's, changed": (
        lambda floor, market: market.replace(floor.other_id, limit_price=5),
        "run-1-0 is no order of mine; a strategy cancels and replaces its own alone",
    ),
    "another strategy's, built by hand": (
        lambda floor, _: CancelWish(order_id=floor.other_id, strategy="other"),
        "run-1-0 is no order of mine; a strategy cancels and replaces its own alone",
    ),
    "another strategy's parent": (
        lambda floor, market: market.cancel(floor.parent_id),
        "run-2 is no order of mine; a strategy cancels and replaces its own alone",
    ),
    "none": (lambda _, market: market.cancel("run-1-O"), "there is no order 'run-1-O' that mine could cancel"),
    "nothing of the kind": (lambda _, market: market.cancel(17), "cancel takes an open order or its id, not a int"),
    "an order that was written out": (
        lambda _, market: market.cancel(buy(1)),
        "cancel takes an open order or its id, not a Order",
    ),
    "no change": (lambda floor, market: market.replace(floor.own_id), "say what is to change: quantity, limit_price"),
    "a change in floating point": (
        lambda floor, market: market.replace(floor.own_id, limit_price=98.5),
        "limit_price: 98.5 is a float",
    ),
    "a change below zero": (
        lambda floor, _: ReplaceWish(order_id=floor.own_id, quantity=-1),
        "quantity: -1 must be above zero",
    ),
    "a field that its type has not": (
        lambda floor, market: market.replace(floor.own_id, stop_price="98"),
        "cannot be replaced: stop_price: ",
    ),
    "a change of a parent": (
        lambda floor, market: market.replace(floor.own_parent, quantity=5),
        "run-4 cannot be replaced: it is a parent order; cancel it and give another",
    ),
    "a change of an order with exits": (
        lambda floor, market: market.replace(floor.leader, quantity=4),
        "cannot be replaced: its legs hang on it",
    ),
    "a change of an exit": (
        lambda floor, market: market.replace(f"{floor.leader}.sl", stop_price=81),
        "; cancel it, which ends its group, and send another",
    ),
    "a slice": (lambda floor, market: market.cancel(floor.slice_id), "is a slice of run-4, which may send another"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_strategy_that_touches_what_it_may_not_is_stopped_and_nothing_is_sent(case):
    wrong, words = WRONG[case]
    floor = Floor()
    floor.other_id = floor.working(buy(1, limit="99.00"), strategy="other")
    floor.parent_id = floor.account.system.desk.start(twap_parent("60", 6, strategy="other")).order.parent_id
    floor.own_id = floor.working(buy(1, limit="98.00"))
    floor.own_parent = floor.account.system.desk.start(
        twap_parent("60", 6, symbol="PEP", strategy="mine")
    ).order.parent_id
    floor.leader = floor.working(
        buy(5, "XOM", limit="98.00", order_class=OrderClass.OTO, stop_loss=StopLoss(stop_price=D("80")))
    )
    floor.account.step()
    floor.slice_id = f"{floor.own_parent}-1"
    before = len(floor.account.broker.placed)
    floor.bar(lambda market: [market.cancel(floor.own_id), wrong(floor, market)])
    floor.account.step()
    (error,) = floor.stopped
    assert error.startswith("StrategyError: ")
    assert words in error
    assert floor.account.broker.cancels == [floor.slice_id], "what a stopped strategy began is stopped, as ever"
    assert (len(floor.account.broker.placed), floor.account.broker.replacements) == (before, [])


def test_a_view_without_an_account_shows_no_orders():
    view = MarketView(HistoryView(HISTORY, MONDAY), Account().portfolio, "mine", 1)
    assert (view.open_orders(), view.open_parents()) == ((), ())
    assert view.cancel("run-1-0", reason="why") == CancelWish(order_id="run-1-0", reason="why")
    with pytest.raises(StrategyError, match="replace takes an open order or its id"):
        view.replace(None, quantity=1)


# -- changes ----------------------------------------------------------------------------------------------------------


def test_a_replace_goes_through_the_gate_and_keeps_the_intent():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.replace(first(market), limit_price="99.50", quantity=12))
    floor.account.step()
    (change,) = floor.account.broker.replacements
    assert (change.replaces, change.order.limit_price, change.order.quantity) == (order_id, D("99.50"), D(12))
    floor.bar()
    (seen,) = floor.mine.saw
    assert (seen.order_id, seen.limit_price, seen.quantity) == (f"{order_id}.r1", D("99.50"), D(12))


def test_the_first_id_of_an_order_names_it_after_any_number_of_changes():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    for limit in ("99.10", "99.20"):
        floor.bar(lambda market, limit=limit: market.replace(order_id, limit_price=limit))
        floor.account.step()
    assert [change.replaces for change in floor.account.broker.replacements] == [order_id, f"{order_id}.r1"]
    floor.bar(lambda market: market.cancel(order_id))
    floor.account.step()
    assert floor.account.broker.cancels == [f"{order_id}.r2"]


def test_what_an_order_is_like_already_is_not_asked_for():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: [market.replace(order_id, limit_price="99.00", quantity=10)])
    floor.account.step()
    assert (floor.account.broker.replacements, floor.account.broker.cancels, floor.stopped) == ([], [], [])
    assert floor.account.system.engine.is_quiet


@pytest.mark.parametrize(("quantity", "filled"), [("6", "6"), ("3", "6"), ("8", "9")])
def test_an_order_that_has_filled_as_far_as_it_is_to_fills_no_more(quantity, filled):
    """Some of it may fill between the bar and the change; the rest is never left to fill beyond what is wanted."""
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    if quantity != "8":
        floor.account.broker.fill(order_id, filled, "99.00")
    floor.bar(lambda market: market.replace(first(market), quantity=quantity, limit_price="99.10"))
    if quantity == "8":
        floor.account.broker.fill(order_id, filled, "99.00")
    floor.account.step()
    assert (floor.account.broker.replacements, floor.account.broker.cancels, floor.stopped) == ([], [order_id], [])
    (asked,) = floor.asked
    assert asked.reason == f"strategy mine: {filled} shares have filled, and no more are wanted"
    floor.bar(lambda market: market.replace(order_id, quantity=quantity))
    floor.account.step()
    assert floor.account.broker.cancels == [order_id], "a cancel is pending"


def test_a_replace_waits_until_the_exchange_is_open():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00", time_in_force=TimeInForce.GTC))
    floor.account.clock.move_to(moment("2024-01-08T21:00"))
    floor.bar(lambda market: market.replace(order_id, limit_price="98.00"))
    floor.account.step()
    assert floor.account.broker.replacements == []
    floor.account.clock.move_to(moment("2024-01-09T14:30"))
    floor.account.offer()
    floor.account.step()
    assert len(floor.account.broker.replacements) == 1


def test_a_replace_waits_while_the_broker_owes_an_answer_and_the_latest_one_counts():
    floor = Floor()
    floor.account.broker.answers.append("silent")
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.replace(first(market), limit_price="99.10"))
    floor.account.step()
    floor.bar(lambda market: market.replace(first(market), limit_price="99.20"))
    floor.account.step()
    assert floor.account.broker.replacements == []
    assert not floor.account.system.engine.is_quiet
    floor.account.broker.accept(order_id)
    floor.account.step()
    assert [change.order.limit_price for change in floor.account.broker.replacements] == [D("99.20")]


def test_a_replace_that_the_gate_refuses_leaves_the_order_as_it_is():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.replace(first(market), quantity=100_000))
    floor.account.step()
    denied = [event for event in floor.account.journal.of(OrderEvent) if event.trigger is OrderTrigger.DENY]
    assert [event.replaces for event in denied] == [order_id]
    assert floor.account.record(order_id).status is OrderStatus.WORKING
    assert floor.stopped == []


def test_a_replace_is_refused_during_a_halt_and_given_up_by_one():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: market.replace(order_id, quantity=20))
    floor.account.kill_switch.activate("enough", level=HaltLevel.REDUCING)
    floor.account.step()
    assert [event for event in floor.account.journal.of(OrderEvent) if event.trigger is OrderTrigger.DENY] == []
    other = Floor()
    other_id = other.working(buy(10, limit="99.00"))
    other.account.kill_switch.activate("enough", level=HaltLevel.REDUCING)
    other.bar(lambda market: market.replace(other_id, quantity=20))
    other.account.step()
    assert (floor.account.broker.replacements, other.account.broker.replacements) == ([], [])


def test_a_cancel_and_a_replace_of_one_order_are_a_cancel():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.bar(lambda market: [market.replace(order_id, limit_price="98.00"), market.cancel(order_id)])
    floor.account.step()
    floor.account.step()
    assert (floor.account.broker.cancels, floor.account.broker.replacements) == ([order_id], [])
    assert floor.account.system.engine._wishes.given == []


def test_a_trailing_stop_can_be_drawn_closer():
    floor = Floor()
    floor.account.hold("KO", 10)
    floor.working(sell(10, order_type=OrderType.TRAILING_STOP, trail_percent=D(5)))
    floor.bar(lambda market: market.replace(first(market), trail=3))
    floor.account.step()
    assert floor.account.broker.replacements[0].order.trail_percent == 3


# -- a new process ----------------------------------------------------------------------------------------------------


def test_after_a_restart_the_orders_of_the_earlier_process_are_seen_and_can_be_cancelled():
    life, mine = Life(), Asks()
    life.strategies = (mine,)
    life.begin()
    ours = life.submit(buy(10, limit="99.00", time_in_force=TimeInForce.GTC, strategy="mine")).order_id
    life.submit(buy(5, "PEP", limit="99.00", strategy="other"))
    bar = HistoryView(HISTORY, MONDAY)
    mine.says = lambda market: [market.cancel(ours, reason="never asked for")]
    life.system.engine.on_bar(bar)
    system = life.again()
    mine.says = lambda _: ()
    system.engine.on_bar(bar)
    (seen,) = mine.saw
    assert (seen.order_id, seen.limit_price, seen.leaves, seen.placed_at) == (ours, D("99.00"), D(10), NOON)
    assert life.broker.cancels == [], "a cancel that was said and not asked for is forgotten; the order is seen again"
    mine.says = lambda market: [market.cancel(one, reason="the day is over") for one in market.open_orders()]
    system.engine.on_bar(bar)
    life.broker.cancel_answers.append("confirm")
    asyncio.run(system.engine.withdraw())
    assert life.broker.cancels == [ours]
    assert replay(life.journal).projection.orders.open.keys() == {r.order_id for r in system.orders.open_orders()}
    mine.says = lambda market: [market.cancel(ours)]
    system.engine.on_bar(bar)
    assert system.engine.strategies == {"mine": True}
    record = decision_record(life.journal, ours)
    answers = {answer.question: answer.answer for answer in record.steps[4]}
    assert answers["Why was a cancel asked for?"] == "strategy mine: the day is over"


# -- what people are told ---------------------------------------------------------------------------------------------


def test_a_cancel_of_a_strategy_is_told_and_one_of_the_engine_is_not():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    parent_id = floor.account.system.desk.start(twap_parent("60", 6, symbol="PEP", strategy="mine")).order.parent_id
    floor.account.step()
    floor.bar(lambda market: [market.cancel(order_id, reason="the gap has closed"), market.cancel(parent_id)])
    floor.account.step()
    told: list[str] = []
    for event in floor.account.journal.events:
        if isinstance(event, OrderEvent | ParentEvent):
            narrate(event, told.append)
    assert told == [
        f"cancel asked for by strategy mine: the gap has closed ({order_id})",
        f"cancel asked for by strategy mine: no reason given ({parent_id})",
        f"cancel asked for by strategy mine: no reason given ({parent_id}-1)",
    ]


def test_a_leg_that_the_broker_made_smaller_while_its_cancel_is_pending_was_not_asked_again():
    event = OrderEvent(
        at=NOON, order_id="run-1-0.sl", symbol="KO", status=OrderStatus.WORKING, pending=PendingRequest.CANCEL
    )
    assert event.asks_for_cancel
    assert not msgspec.structs.replace(event, quantity=D(3)).asks_for_cancel
