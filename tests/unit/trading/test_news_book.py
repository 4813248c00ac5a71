"""Strategies hear what becomes of their orders: fills, corrections and ends, in turn, each once, over restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import FillEvent, StrategyStopped
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.core.strategy_events import StrategyTold
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.trading.news_book import HeardJournal
from quant_trading_system.trading.order_wishes import EndedOrder
from quant_trading_system.trading.strategy import MarketView
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.listener import Listener
from tests.support.market import NOON, moment
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.unit.trading.test_trading_engine import HISTORY, MONDAY, TUESDAY, Says

D = Decimal
GTC = TimeInForce.GTC


class Floor:
    """An account at Monday noon with a strategy that listens and one that does not; bars end that day and the next."""

    def __init__(self) -> None:
        self.mine, self.deaf = Listener(), Says(name="deaf")
        self.account = Account(strategies=[self.mine, self.deaf])
        self.broker = self.account.broker

    def bar(self, index: int = MONDAY) -> list[str]:
        """A bar ends; what the strategy was told at it."""
        before = len(self.mine.heard)
        self.account.system.engine.on_bar(HistoryView(HISTORY, index))
        return self.mine.words[before:]

    def working(self, order: Order, strategy: str = "mine") -> str:
        return self.account.working(order.signed_by(strategy)).order_id

    @property
    def through(self) -> list[int]:
        return [event.through for event in self.account.journal.of(StrategyTold)]


# -- what is told ----------------------------------------------------------------------------------------------------


def test_fills_are_told_at_the_end_of_the_bar_before_it_in_their_turn_and_once():
    floor = Floor()
    first = floor.working(buy(10, limit="99.00", tag="first"))
    second = floor.working(buy(5, limit="98.00"))
    floor.broker.fill(second, "5", "98.00")
    floor.broker.fill(first, "4", "99.00", fee="0.02")
    floor.broker.fill(first, "6", "98.90")
    assert floor.mine.heard == [], "nothing is told between bars"
    assert floor.bar() == ["fill 5", "fill 4", "fill 6", "bar 1"]
    assert floor.bar(TUESDAY) == ["bar 2"]
    assert floor.mine.fills == floor.account.journal.of(FillEvent)
    told = floor.mine.fills[1]
    assert (told.order_id, told.symbol, told.side, told.tag) == (first, "KO", OrderSide.BUY, "first")
    assert (told.quantity, told.price, told.fee, told.at) == (D(4), D("99.00"), D("0.02"), NOON)


def test_orders_of_others_are_told_to_nobody_else():
    floor = Floor()
    floor.broker.fill(floor.working(buy(1, limit="99.00"), strategy="deaf"), "1", "99.00")
    floor.broker.cancelled(floor.working(buy(1, limit="99.00"), strategy=""))
    assert floor.bar() == ["bar 1"]


def test_a_refused_order_is_told_with_the_check_and_the_reason():
    floor = Floor()
    refusal = floor.account.submit(buy(1_000_000, strategy="mine", tag="fat finger"))
    assert floor.bar() == ["denied 1-0", "bar 1"]
    (ended,) = floor.mine.ended
    assert (ended.status, ended.rule, ended.tag) == (OrderStatus.DENIED, Rule.MAX_QUANTITY, "fat finger")
    assert ended.reason == refusal.message
    assert "limit" in ended.reason


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [("reject", "rejected", "insufficient buying power"), ("not_sent", "unsent", "connection refused")],
)
def test_an_order_that_the_broker_rejects_or_never_gets_is_told(answer, status, reason):
    floor = Floor()
    floor.broker.answers.append(answer)
    floor.account.submit(buy(10, strategy="mine"))
    assert floor.bar() == [f"{status} 1-0", "bar 1"]
    assert (floor.mine.ended[0].rule, floor.mine.ended[0].reason) == (None, reason)


def test_an_order_that_ends_in_part_is_told_after_its_fill_with_what_was_asked_of_it():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00", time_in_force=GTC))
    floor.broker.fill(order_id, "4", "99.00")
    asyncio.run(floor.account.orders.cancel(order_id, "strategy mine: enough"))
    floor.account.clock.move_to(NOON + timedelta(minutes=1))
    floor.broker.cancelled(order_id)
    assert floor.bar() == ["fill 4", "canceled 1-0", "bar 1"]
    assert floor.mine.ended == [
        EndedOrder(
            order_id=order_id,
            at=NOON + timedelta(minutes=1),
            symbol="KO",
            side=OrderSide.BUY,
            status="canceled",
            quantity=D(10),
            filled=D(4),
            reason="strategy mine: enough",
            order_type=buy(1, limit="1").order_type,
            time_in_force=GTC,
            limit_price=D("99.00"),
        )
    ]


def test_an_order_that_fills_wholly_or_is_replaced_has_not_ended_and_its_heir_tells_of_the_chain():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00", tag="patient"))
    floor.broker.fill(order_id, "4", "99.00")
    answer = asyncio.run(floor.account.orders.replace(order_id, limit_price=D("99.50")))
    floor.broker.replaced(order_id, answer.order_id)
    assert floor.bar() == ["fill 4", "bar 1"]
    floor.broker.report(answer.order_id, OrderTrigger.EXPIRE, reason="the session ended")
    assert floor.bar(TUESDAY) == ["expired 1-0.r1", "bar 2"]
    (ended,) = floor.mine.ended
    assert (ended.replaces, ended.filled, ended.tag, ended.reason) == (order_id, D(4), "patient", "the session ended")


def test_a_change_that_is_refused_is_told_and_names_the_order_that_works_on():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    asyncio.run(floor.account.orders.replace(order_id, quantity=D(1_000_000)))
    assert floor.bar() == ["denied 1-0.r1", "bar 1"]
    assert floor.mine.ended[0].replaces == order_id
    assert [order.order_id for order in floor.account.orders.open_orders()] == [order_id]


def test_exits_name_their_group_and_bear_the_tag_of_its_entry():
    floor = Floor()
    exits = {"take_profit": TakeProfit(limit_price=D(120)), "stop_loss": StopLoss(stop_price=D(80))}
    leader = floor.working(buy(5, order_class=OrderClass.BRACKET, tag="dip", **exits))
    floor.broker.fill(leader, "5", "100")
    for kind in ("tp", "sl"):
        floor.broker.accept(f"{leader}.{kind}")
    floor.broker.fill(f"{leader}.tp", "5", "120")
    floor.broker.cancelled(f"{leader}.sl")
    assert floor.bar() == ["fill 5", "fill 5", "canceled 1-0.sl", "bar 1"]
    assert [fill.tag for fill in floor.mine.fills] == ["dip", "dip"]
    assert (floor.mine.ended[0].group, floor.mine.ended[0].tag) == (leader, "dip")


def test_a_parent_is_told_as_a_whole_and_the_ends_of_its_slices_are_not():
    floor = Floor()
    state = floor.account.system.desk.start(twap_parent("60", 6, strategy="mine", tag="slow"))
    floor.account.step()
    (child,) = floor.account.orders.open_orders()
    floor.broker.fill(child.order_id, "4", "100.00")
    floor.account.system.desk.cancel(state.order.parent_id, "enough")
    floor.account.step()
    floor.broker.cancelled(child.order_id)
    floor.account.step()
    parent = state.order.parent_id
    assert floor.bar() == ["fill 4", f"cancelled {parent.partition('-')[2]}", "bar 1"]
    (ended,) = floor.mine.ended
    assert (ended.order_id, ended.algorithm, ended.quantity, ended.filled) == (parent, "twap", D(60), D(4))
    assert (ended.reason, ended.tag, floor.mine.fills[0].tag) == ("enough", "slow", "slow")


def test_a_parent_that_the_gate_refuses_is_told_like_an_order():
    floor = Floor()
    floor.account.system.desk.start(twap_parent("600000", 6, strategy="mine", tag="slow"))
    assert floor.bar() == ["denied 1-0", "bar 1"]
    assert (floor.mine.ended[0].rule, floor.mine.ended[0].tag) == (Rule.MAX_QUANTITY, "slow")


def test_an_execution_that_the_broker_takes_back_is_told_as_a_correction():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00", tag="first"))
    floor.broker.fill(order_id, "4", "99.00")
    floor.bar()
    floor.account.orders.lives.restate(floor.account.record(order_id), ())
    assert floor.bar(TUESDAY) == ["corrected to 0", "bar 2"]
    told = floor.mine.heard[-2]
    assert (told.was_quantity, told.was_price, told.tag) == (D(4), D("99.00"), "first")


def test_an_end_that_the_broker_repeats_is_told_once():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.broker.cancelled(order_id)
    floor.broker.report(order_id, OrderTrigger.EXPIRE)
    assert floor.bar() == ["canceled 1-0", "bar 1"]
    floor.broker.cancelled(order_id)
    assert floor.bar(TUESDAY) == ["bar 2"]


def test_a_late_fill_in_the_same_bar_takes_the_place_of_an_end_that_was_none():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.broker.cancelled(order_id)
    floor.broker.fill(order_id, "10", "99.00")
    assert floor.bar() == ["fill 10", "bar 1"]


def test_what_comes_after_the_end_of_a_bar_is_told_at_the_next_one():
    """A live engine is told of a bar seconds after it has ended, a backtest at that moment: both tell the same."""
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    floor.account.clock.move_to(moment("2024-01-08T21:00"))
    floor.broker.fill(order_id, "4", "99.00")
    floor.account.clock.move_to(moment("2024-01-08T21:00:00.000001"))
    floor.broker.report(order_id, OrderTrigger.EXPIRE)
    floor.account.clock.move_to(moment("2024-01-08T21:00:05"))
    assert floor.bar() == ["fill 4", "bar 1"]
    assert floor.bar(TUESDAY) == ["expired 1-0", "bar 2"]


# -- what it says to that --------------------------------------------------------------------------------------------


def at_first(told: type) -> Callable[[object], bool]:
    """True for the first thing of that kind."""
    seen: list[object] = []

    def is_first(what: object) -> bool:
        if isinstance(what, told):
            seen.append(what)
        return isinstance(what, told) and len(seen) == 1

    return is_first


def test_what_a_hook_says_takes_the_same_road_as_what_on_bar_says():
    floor, is_fill = Floor(), at_first(FillEvent)
    bought = floor.working(buy(10, limit="99.00"))
    other = floor.working(buy(5, "PEP", limit="90.00"))
    floor.broker.fill(bought, "10", "99.00")

    def answers(told: object, market: MarketView) -> Iterable[object]:
        if is_fill(told):
            yield sell(10, limit="105.00", tag="way out")
            yield market.cancel(other, reason="one at a time")
        elif isinstance(told, int):
            yield market.long("XOM", weight="0.05", tag="of the bar")

    floor.mine.answers = answers
    floor.bar()
    floor.account.step()
    assert floor.broker.cancels == [other]
    sent = [(order.symbol, order.tag, order.strategy) for order in floor.broker.orders[2:]]
    assert sent == [("KO", "way out", "mine"), ("XOM", "of the bar", "mine")]


@pytest.mark.parametrize("wrong", [7, "KO"])
def test_a_hook_that_says_what_is_not_understood_stops_its_strategy(wrong):
    floor = Floor()
    floor.broker.fill(floor.working(buy(1, limit="99.00")), "1", "99.00")
    floor.mine.answers = lambda told, _: [wrong] if isinstance(told, FillEvent) else ()
    floor.bar()
    (stopped,) = floor.account.journal.of(StrategyStopped)
    assert stopped.error.startswith("TypeError: mine returned something of type")


def test_a_hook_that_fails_stops_its_strategy_and_the_rest_is_told_when_it_is_armed_again():
    floor = Floor()
    order_id = floor.working(buy(10, limit="99.00"))
    for _ in range(3):
        floor.broker.fill(order_id, "2", "99.00")

    def fails(told: object, _: MarketView) -> Iterable[object]:
        if isinstance(told, FillEvent):
            raise ValueError("no")
        return ()

    floor.mine.answers = fails
    assert floor.bar() == ["fill 2"], "neither the fills behind it nor the bar"
    assert [stop.strategy for stop in floor.account.journal.of(StrategyStopped)] == ["mine"]
    assert floor.account.system.engine.strategies == {"mine": False, "deaf": True}
    floor.broker.fill(order_id, "2", "98.00")
    assert floor.bar(TUESDAY) == []
    floor.mine.answers = lambda _told, _market: ()
    floor.account.system.engine.arm("mine", "Ana", "repaired")
    assert floor.bar(TUESDAY + 1) == ["fill 2", "fill 2", "fill 2", "bar 3"]


def test_who_does_not_listen_pays_nothing():
    account = Account(strategies=[Says(name="deaf")])
    assert account.system.ports.journal is account.journal
    listening = Floor()
    assert isinstance(listening.account.system.ports.journal, HeardJournal)
    listening.deaf.bars.clear()
    listening.bar()
    assert listening.deaf.bars == [1]


def test_a_single_strategy_may_be_given_a_hook():
    deaf = Says(name="deaf")
    told: list[object] = []
    deaf.on_fill = lambda fill, _market: told.append(fill)
    account = Account(strategies=[deaf])
    account.broker.fill(account.working(buy(1, limit="99.00", strategy="deaf")).order_id, "1", "99.00")
    account.system.engine.on_bar(HistoryView(HISTORY, MONDAY))
    assert told == account.journal.of(FillEvent)


# -- how far it was told, on record -----------------------------------------------------------------------------------


def test_it_is_on_record_once_how_far_a_strategy_was_told():
    floor = Floor()
    floor.bar()
    floor.bar()
    assert floor.through == [1]
    floor.broker.fill(floor.working(buy(1, limit="99.00")), "1", "99.00")
    last = len(floor.account.journal.events)
    floor.bar(TUESDAY)
    floor.bar(TUESDAY)
    assert floor.through == [1, last]


def test_what_is_said_to_a_fill_leaves_after_the_entry_that_it_was_told():
    """Until then it is forgotten by a crash, and so the fill is to be told again."""
    floor, is_fill = Floor(), at_first(FillEvent)
    floor.broker.fill(floor.working(buy(1, limit="99.00")), "1", "99.00")
    floor.mine.answers = lambda told, _: [sell(1, limit="105.00")] if is_fill(told) else ()
    floor.bar()
    assert floor.through == []
    floor.account.step()
    kinds = [type(event).__name__ for event in floor.account.journal.events]
    assert kinds.count("StrategyTold") == 1
    assert kinds.index("StrategyTold") < kinds.index("OrderEvent", kinds.index("FillEvent") + 3)


# -- restarts ---------------------------------------------------------------------------------------------------------


class Lives:
    """Processes of one account, each with a strategy that knows nothing of those before."""

    def __init__(self, *, forgetful: bool = True) -> None:
        self.life, self.mine = Life(forgetful=forgetful), Listener()
        self.life.strategies = (self.mine,)
        self.life.begin()

    def again(self) -> None:
        self.mine = Listener()
        self.life.strategies = (self.mine,)
        self.life.again()

    def bar(self, index: int = MONDAY) -> list[str]:
        before = len(self.mine.heard)
        self.life.system.engine.on_bar(HistoryView(HISTORY, index))
        return self.mine.words[before:]

    def working(self, *orders: Order) -> list[str]:
        return [self.life.submit(order.signed_by("mine")).order_id for order in orders]


@pytest.mark.parametrize("forgetful", [True, False])
def test_what_happened_since_the_last_bar_and_while_nobody_ran_is_told_at_the_first_bar(forgetful):
    lives = Lives(forgetful=forgetful)
    told, untold, ends, late = lives.working(*(buy(n, limit="99.00", tag=f"of {n}") for n in (1, 2, 3, 4)))
    lives.life.broker.fill(told, "1", "99.00")
    assert lives.bar() == ["fill 1", "bar 1"]
    lives.life.broker.fill(untold, "2", "99.00")
    lives.life.broker.cancelled(ends)
    lives.again()
    lives.life.broker.fill(late, "4", "99.00")
    assert lives.mine.heard == []
    assert lives.bar() == ["fill 2", "canceled 3-0", "fill 4", "bar 1"]
    assert [fill.tag for fill in lives.mine.fills] == ["of 2", "of 4"]
    assert lives.mine.ended[0].tag == "of 3"
    assert lives.bar(TUESDAY) == ["bar 2"]
    lives.again()
    assert lives.bar() == ["bar 1"]


def test_an_order_of_an_earlier_process_ends_in_the_next_one_and_is_told_with_its_check_or_reason():
    lives = Lives()
    (order_id,) = lives.working(buy(5, limit="99.00", tag="old"))
    lives.bar()
    lives.again()
    lives.life.broker.report(order_id, OrderTrigger.EXPIRE, reason="the session ended")
    lives.life.broker.report(order_id, OrderTrigger.CANCEL)
    assert lives.bar() == ["expired 1-0", "bar 1"]
    assert (lives.mine.ended[0].tag, lives.mine.ended[0].reason) == ("old", "the session ended")
    lives.life.submit(buy(1_000_000, strategy="mine"))
    lives.again()
    assert lives.bar() == ["denied 2-0", "bar 1"]
    assert lives.mine.ended[0].rule is Rule.MAX_QUANTITY


def test_an_end_that_was_told_is_not_told_again_when_the_broker_repeats_it_before_a_restart():
    lives = Lives()
    (order_id,) = lives.working(buy(5, limit="99.00"))
    lives.life.broker.cancelled(order_id)
    assert lives.bar() == ["canceled 1-0", "bar 1"]
    lives.life.broker.report(order_id, OrderTrigger.EXPIRE)
    lives.again()
    assert lives.bar() == ["bar 1"]


def test_what_was_told_in_vain_is_told_again():
    """The answer waited for the exchange, or for the next price, when the process ended."""
    lives = Lives()
    (order_id,) = lives.working(buy(5, limit="99.00"))
    lives.bar()
    lives.life.broker.fill(order_id, "5", "99.00")
    out = sell(5, limit="105.00", tag="way out")
    lives.mine.answers = lambda told, _: [out] if isinstance(told, FillEvent) else ()
    assert lives.bar(TUESDAY) == ["fill 5", "bar 2"]
    lives.again()
    lives.mine.answers = lambda told, _: [out] if isinstance(told, FillEvent) else ()
    assert lives.bar() == ["fill 5", "bar 1"]
    asyncio.run(lives.life.system.engine.on_step())
    assert [order.tag for order in lives.life.broker.orders] == ["way out"]
    lives.again()
    assert lives.bar() == ["bar 1"]


def test_who_listens_for_the_first_time_is_told_nothing_of_the_past():
    lives = Lives()
    lives.life.strategies = (Says(name="mine"),)
    lives.life.again()
    lives.working(buy(5, limit="99.00"))
    lives.life.broker.fill(lives.life.system.orders.orders()[0].order_id, "2", "99.00")
    lives.again()
    assert lives.bar() == ["bar 1"]


def test_who_was_disarmed_all_the_time_is_told_when_armed_again_also_after_a_restart():
    lives = Lives()
    (order_id,) = lives.working(buy(5, limit="99.00"))
    lives.bar()
    lives.life.system.engine.disarm("mine", "Ana", "to look at it")
    lives.life.broker.fill(order_id, "5", "99.00")
    assert lives.bar(TUESDAY) == []
    lives.again()
    assert lives.bar() == []
    lives.life.system.engine.arm("mine", "Ana", "all is well")
    assert lives.bar() == ["fill 5", "bar 2"]


def test_slices_of_an_earlier_process_are_not_told_of_and_its_parent_is():
    lives = Lives()
    desk = lives.life.system.desk
    state = desk.start(twap_parent("60", 6, strategy="mine", tag="slow"))
    asyncio.run(lives.life.system.engine.on_step())
    (child,) = lives.life.system.orders.open_orders()
    lives.bar()
    lives.again()
    asyncio.run(lives.life.system.engine.on_step())
    lives.life.broker.cancelled(child.order_id)
    asyncio.run(lives.life.system.engine.on_step())
    assert lives.bar() == [f"cancelled {state.order.parent_id.partition('-')[2]}", "bar 1"]
    assert lives.mine.ended[0].tag == "slow"


def test_the_books_of_a_listener_replay_to_what_they_are():
    lives = Lives()
    (order_id,) = lives.working(buy(5, limit="99.00", tag="kept"))
    lives.life.broker.fill(order_id, "2", "99.00")
    lives.bar()
    lives.life.journal.append(lives.life.system.engine.state())
    assert replay(lives.life.journal).agrees
    lives.again()
    (open_order,) = lives.life.system.orders.open_orders()
    assert open_order.order.tag == "kept"


def test_what_comes_at_the_close_is_told_with_the_bar_and_what_comes_of_the_close_at_the_next_one():
    """As in a backtest without latency, in which the last price of a bar and the end of the session are one moment."""
    mine = Listener()
    account = Account(strategies=[mine], clock=ManualClock(moment("2024-01-08T20:00")))
    order_id = account.working(buy(5, limit="99.00", strategy="mine")).order_id
    account.clock.move_to(moment("2024-01-08T21:00"))
    account.broker.fill(order_id, "2", "99.00")
    account.system.engine.end_session()
    account.broker.report(order_id, OrderTrigger.EXPIRE)
    account.system.engine.on_bar(HistoryView(HISTORY, MONDAY))
    assert mine.words == ["fill 2", "bar 1"]
    account.system.engine.on_bar(HistoryView(HISTORY, TUESDAY))
    assert mine.words[2:] == ["expired 1-0", "bar 2"]
