"""Parent orders in the engine: judged and reserved as a whole, sliced through the gate, stopped at once, taken up."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.decisions import Rejection
from quant_trading_system.core.events import HaltLevel, OrderEvent
from quant_trading_system.core.exceptions import InvalidTransition, KillSwitchActiveError, UnknownOrder
from quant_trading_system.core.halt_scope import HaltScope
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.core.parent_events import ParentEvent
from quant_trading_system.execution.algo.parent import ParentOrder, ParentStatus
from quant_trading_system.execution.algo.walker import AfterCrash
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.journal.replay import replay
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.trading import algo_desk
from quant_trading_system.trading.algo_market import AlgoMarket
from quant_trading_system.trading.planning import ExecutionPolicy
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell
from tests.support.restart import Life

D = Decimal
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def parent(quantity: str = "60", slices: int = 6, **changes) -> ParentOrder:
    return twap_parent(quantity, slices, **changes)


class Trader:
    """An account with one parent order on its desk."""

    def __init__(self, order: ParentOrder | None = None, **limits: object) -> None:
        self.account = Account(limits=limits_with(**limits))
        self.notices = []
        self.account.orders.lives.watch.on_notice(self.notices.append)
        self.desk = self.account.system.desk
        answer = self.desk.start(order or parent())
        assert not isinstance(answer, Rejection), answer
        self.id = answer.order.parent_id

    @property
    def state(self):
        state = self.desk.state_of(self.id)
        assert state is not None
        return state

    def after(self, span: timedelta = timedelta(0), *, fresh: bool = True) -> None:
        """Let time pass, with the same quotes as before, and let the engine look around."""
        self.account.clock.move_to(self.account.clock.now() + span)
        if fresh:
            self.account.offer()
        self.account.step()

    def fill(self, quantity: int | None = None) -> None:
        order = self.account.broker.orders[-1]
        self.account.broker.fill(order.client_order_id, quantity or order.quantity, "100")

    @property
    def open_children(self) -> list[str]:
        return [record.order_id for record in self.account.orders.open_orders()]


# -- beginning

WITHOUT_A_USUAL_VOLUME = """
wanted      slice  horizon  algorithm  minutes  slices
twap        5      -        twap       240      48        # noon to the close of 16:00 in New York
twap        2      -        twap       239      120       # short slices leave the last minute out
twap        5      30       twap       30       6
twap        7      30       twap       30       5         # the last one is shorter than planned
vwap        60     -        vwap       240      4
shortfall   60     -        twap       240      4         # it needs to know the volume
pov         60     -        twap       240      4         # nobody counts what others trade
"""


@pytest.mark.parametrize("line", WITHOUT_A_USUAL_VOLUME.strip().splitlines()[1:], ids=lambda line: line.split("#")[0])
def test_where_the_usual_volume_is_not_known_an_order_is_worked_by_the_clock(line):
    wanted, minutes, horizon, algorithm, length, slices = line.split("#")[0].split()
    policy = ExecutionPolicy(
        slice_length=int(minutes) * MINUTE, horizon=None if horizon == "-" else int(horizon) * MINUTE
    )
    planned = Account().system.desk.plan(buy(600, strategy="s"), wanted, policy)
    assert planned is not None
    schedule = planned.order.schedule
    assert schedule is not None
    assert (planned.order.algorithm, len(schedule.slices)) == (algorithm, int(slices))
    assert (schedule.start, schedule.end) == (NOON, NOON + int(length) * MINUTE)
    assert (schedule.quantity, planned.order.strategy) == (600, "s")


def test_a_parent_is_on_record_with_its_cost_and_its_room_before_the_first_slice_leaves():
    trader = Trader()
    account = trader.account
    assert account.reserved == {trader.id: 60}
    assert account.broker.orders == []
    (event,) = account.journal.of(ParentEvent)
    assert event.begun is not None
    assert event.begun.decision.plan is not None
    assert event.begun.decision.plan.parent == trader.id
    trader.after()
    (child,) = account.broker.orders
    assert (child.client_order_id, child.quantity, child.limit_price) == (f"{trader.id}-1", 10, D("99.99"))
    assert account.reserved == {trader.id: 50, f"{trader.id}-1": 10}
    sent = next(event for event in account.journal.of(OrderEvent) if event.order is not None)
    assert sent.decision is not None
    assert sent.decision.plan is not None
    assert sent.decision.plan.parent == trader.id
    recorded = [e for e in account.journal.events if isinstance(e, ParentEvent | OrderEvent)]
    assert isinstance(recorded[1], ParentEvent)  # its state with the child, before the child
    assert recorded[1].outstanding == 10


def test_the_gate_judges_a_parent_as_a_whole():
    account = Account()
    answer = account.system.desk.start(parent("101"))  # 10 101 dollars of 100 000; each slice alone would pass
    assert isinstance(answer, Rejection)
    assert answer.rule == "max_position_pct"
    assert account.reserved == {}
    assert account.system.desk.is_idle
    refused = account.orders.order(answer.order_id)
    assert refused is not None
    assert (refused.status, refused.order.quantity) == (OrderStatus.DENIED, 101)


def test_nobody_else_takes_the_room_of_a_parent():
    trader = Trader()
    assert isinstance(trader.account.submit(buy(41)), Rejection)  # with the 60 it would be 101 shares
    assert not isinstance(trader.account.submit(buy(39)), Rejection)


def test_children_take_their_room_out_of_that_of_the_parent():
    """A parent that fills its limit to the last share goes through."""
    trader = Trader(parent("99", slices=3))
    for _ in range(50):
        trader.after(MINUTE)
        if trader.open_children:
            trader.fill()
        assert sum(trader.account.reserved.values()) == 99 - trader.account.portfolio.position("KO").quantity
    assert trader.account.portfolio.position("KO").quantity == 99
    assert trader.state.status is ParentStatus.COMPLETED
    assert trader.account.reserved == {}
    assert replay_agrees(trader.account)


def test_a_cancelled_child_gives_its_room_back_to_its_parent():
    trader = Trader()
    trader.after()
    trader.fill(4)
    trader.after(7 * MINUTE)  # patience is over
    trader.account.broker.cancelled(f"{trader.id}-1")
    assert trader.account.reserved == {trader.id: 56}
    trader.after()
    assert [order.quantity for order in trader.account.broker.orders] == [10, 6]
    assert trader.account.broker.orders[-1].limit_price == D("100.01")


def test_a_seller_sells_what_is_held_and_an_exit_beside_it_may_not_sell_it_twice():
    trader = Trader.__new__(Trader)
    trader.account, trader.notices = Account(), []
    trader.account.hold("KO", 60)
    trader.desk = trader.account.system.desk
    order = parent(side=OrderSide.SELL, reduce_only=True)
    trader.id = trader.desk.start(order).order.parent_id
    assert isinstance(trader.account.submit(sell(1)), Rejection)
    trader.after()
    assert [str(order.side) for order in trader.account.broker.orders] == ["sell"]


# -- stopping


def test_the_kill_switch_stops_the_next_slice_and_gives_the_room_back():
    trader = Trader()
    trader.after()
    trader.account.kill_switch.activate("a drill", level=HaltLevel.HALTED)
    assert trader.account.reserved == {f"{trader.id}-1": 10}
    trader.after()
    assert trader.account.broker.cancels == [f"{trader.id}-1"]
    assert trader.state.status is ParentStatus.PAUSED
    trader.account.broker.cancelled(f"{trader.id}-1")
    for _ in range(20):
        trader.after(MINUTE)
    assert len(trader.account.broker.orders) == 1
    with pytest.raises(KillSwitchActiveError):
        trader.desk.resume(trader.id)


def test_after_a_reset_it_goes_on_only_when_told_and_when_the_gate_agrees():
    trader = Trader(probation_s=0)
    trader.after()
    trader.account.kill_switch.activate("a drill")
    trader.account.broker.cancelled(f"{trader.id}-1")
    trader.account.kill_switch.reset("anna", "over")
    trader.after(10 * MINUTE)  # it saw neither the halt nor its end while nobody looked
    assert trader.state.status is ParentStatus.PAUSED
    assert len(trader.account.broker.orders) == 1
    assert not isinstance(trader.account.submit(buy(50)), Rejection)
    assert isinstance(trader.desk.resume(trader.id), Rejection)  # its room is taken
    trader.account.broker.cancelled(trader.account.broker.orders[-1].client_order_id)
    assert trader.desk.resume(trader.id) is None
    trader.after()
    assert len(trader.account.broker.orders) == 3


def test_a_parent_begins_nothing_while_the_account_is_halted():
    account = Account()
    account.kill_switch.activate("a drill")
    with pytest.raises(KillSwitchActiveError):
        account.system.desk.start(parent())
    assert account.reserved == {}


def test_pause_resume_reduce_and_cancel():
    trader = Trader()
    trader.after()
    trader.desk.pause(trader.id, "lunch")
    trader.after()
    assert trader.account.broker.cancels == [f"{trader.id}-1"]
    trader.account.broker.cancelled(f"{trader.id}-1")
    trader.after(MINUTE)
    assert trader.account.reserved == {trader.id: 60}
    assert trader.desk.resume(trader.id) is None
    trader.desk.reduce_to(trader.id, D(30))
    assert trader.state.quantity == 30
    trader.after()
    assert sum(trader.account.reserved.values()) == 30
    trader.desk.cancel(trader.id, "enough")
    trader.after()
    trader.account.broker.cancelled(f"{trader.id}-2")
    trader.after()
    assert (trader.state.status, trader.state.reason) == (ParentStatus.CANCELLED, "enough")
    assert trader.account.reserved == {}
    assert trader.desk.is_idle
    with pytest.raises(UnknownOrder):
        trader.desk.cancel(trader.id, "again")


def three_parents() -> Trader:
    """KO is bought for alpha and PEP for beta; alpha's way out of XOM sells what is held."""
    trader = Trader(parent(strategy="alpha"))
    trader.account.hold("XOM", 60)
    for name, changes in (("run-8", {"symbol": "PEP", "strategy": "beta"}), ("run-9", {"symbol": "XOM"})):
        if name == "run-9":
            changes |= {"strategy": "alpha", "side": OrderSide.SELL, "reduce_only": True}
        assert not isinstance(trader.desk.start(parent(parent_id=name, **changes)), Rejection)
    return trader


def working(trader: Trader) -> list[str]:
    return [state.order.symbol for state in trader.desk.parents() if state.status is ParentStatus.WORKING]


def test_of_a_strategy_that_is_stopped_the_entries_stop_and_the_exits_go_on():
    trader = three_parents()
    trader.desk.cancel_of("alpha", "it failed")
    assert working(trader) == ["PEP", "XOM"]


def test_a_halt_of_a_symbol_stops_its_parents_and_no_others():
    trader = three_parents()
    trader.desk.cancel_covered(HaltScope(symbol="PEP"), "PEP is halted")
    assert working(trader) == ["KO", "XOM"]


def test_faster_is_faster():
    trader = Trader()
    trader.desk.speed_up(trader.id, D(2))
    assert trader.state.schedule is not None
    assert trader.state.schedule.end == NOON + 30 * MINUTE
    trader.desk.cancel(trader.id, "enough")
    with pytest.raises(InvalidTransition):
        trader.desk.speed_up(trader.id, D(2))


def test_a_stale_quote_takes_the_child_out_of_the_market_and_a_fresh_one_lets_it_go_on():
    trader = Trader()
    trader.after()
    trader.after(16 * SECOND, fresh=False)
    assert trader.account.broker.cancels == [f"{trader.id}-1"]
    trader.account.broker.cancelled(f"{trader.id}-1")
    trader.after(MINUTE, fresh=False)
    assert len(trader.account.broker.orders) == 1
    trader.after(SECOND)
    assert len(trader.account.broker.orders) == 2


def test_a_trading_halt_pauses(monkeypatch):
    trader = Trader()
    trader.after()
    trader.desk.market._is_halted = lambda symbol: symbol == "KO"
    trader.after(SECOND)
    trader.account.offer("99.97", "99.99")  # a change that makes it look
    trader.after(11 * SECOND)
    assert trader.account.broker.cancels == [f"{trader.id}-1"]


def test_a_child_in_doubt_counts_and_nothing_else_is_sent():
    trader = Trader()
    trader.account.broker.answers.append("time_out")
    trader.after()
    for _ in range(16):
        trader.after(15 * SECOND)
    assert len(trader.account.broker.orders) == 1
    assert trader.account.reserved == {trader.id: 50, f"{trader.id}-1": 10}
    trader.account.broker.fill(f"{trader.id}-1", 10, "100")
    trader.after()
    assert trader.state.filled == 10
    trader.after(7 * MINUTE)
    assert len(trader.account.broker.orders) == 2


def test_children_that_are_refused_in_a_row_pause_the_parent_and_a_person_is_told():
    trader = Trader()
    trader.account.broker.answers.extend(["reject"] * 3)
    for _ in range(4):
        trader.after(MINUTE)
    assert len(trader.account.broker.orders) == 3
    assert trader.state.status is ParentStatus.PAUSED
    assert [notice.kind for notice in trader.notices] == [NoticeKind.PARENT_STOPPED]
    assert "insufficient buying power" in trader.notices[0].message


def test_an_algorithm_that_raises_stops_its_parent_alone(monkeypatch):
    trader = Trader()
    other = trader.desk.start(parent(symbol="PEP"))
    trader.after()
    walk = algo_desk.walker.step

    def broken(state, now, market, reports=()):
        if state.order.symbol == "KO":
            raise ZeroDivisionError("planted")
        return walk(state, now, market, reports)

    monkeypatch.setattr(algo_desk.walker, "step", broken)
    trader.after(MINUTE)
    trader.account.broker.fill(f"{trader.id}-1", 3, "100")
    trader.after()
    assert set(trader.account.broker.cancels) == {f"{trader.id}-1"}
    trader.account.broker.cancelled(f"{trader.id}-1")
    trader.after()
    assert trader.state.status is ParentStatus.FAILED
    assert trader.state.filled == 3
    assert "ZeroDivisionError: planted" in trader.state.reason
    assert {notice.kind for notice in trader.notices} == {NoticeKind.PARENT_STOPPED}
    assert not any(order_id.startswith(trader.id) for order_id in trader.account.reserved)
    assert trader.desk.is_open(other.order.parent_id)
    assert replay_agrees(trader.account)


def test_at_the_end_of_its_time_the_rest_stays_untraded():
    trader = Trader()
    trader.after()
    trader.after(61 * MINUTE)
    trader.account.broker.cancelled(f"{trader.id}-1")
    trader.after()
    assert trader.state.status is ParentStatus.EXPIRED
    assert trader.account.journal.of(ParentEvent)[-1].ended
    assert trader.account.reserved == {}


def test_a_child_that_comes_back_after_its_parent_ended_is_cancelled():
    trader = Trader()
    trader.account.broker.answers.append("time_out")
    trader.after()
    for _ in range(3):
        trader.after(45 * SECOND)
        asyncio.run(trader.account.orders.resolve(f"{trader.id}-1"))
    trader.desk.cancel(trader.id, "enough")
    trader.after(SECOND)
    assert trader.state.status is ParentStatus.CANCELLED
    trader.account.broker.accept(f"{trader.id}-1")
    trader.after()
    assert trader.account.broker.cancels == [f"{trader.id}-1"]


# -- restarts


def started(policy: AfterCrash) -> tuple[Life, str]:
    life = Life()
    life.policy = ExecutionPolicy(after_crash=policy)
    system = life.begin()
    answer = system.desk.start(parent())
    assert not isinstance(answer, Rejection)
    return life, answer.order.parent_id


def step(life: Life) -> None:
    assert life.system is not None
    quotes = life.system.ports.quotes
    quotes.put("KO", "99.99", "100.01")
    asyncio.run(life.system.engine.on_step())


def test_after_a_crash_it_goes_on_from_what_is_filled_working_and_unknown():
    life, parent_id = started(AfterCrash.RESUME)
    step(life)
    life.broker.fill(f"{parent_id}-1", 4, "99.99")
    after = life.again()
    assert after.portfolio.position("KO").quantity == 4
    state = after.desk.state_of(parent_id)
    assert state is not None
    assert state.in_doubt
    assert {held.order_id: held.leaves for _, held in after.portfolio.reservations()} == {
        parent_id: 50,
        f"{parent_id}-1": 6,
    }
    step(life)
    state = after.desk.state_of(parent_id)
    assert (state.filled, state.outstanding, state.remaining) == (4, 6, 50)
    assert life.broker.orders == []  # the child that works is not sent again
    life.broker.cancelled(f"{parent_id}-1")
    life.clock.move_to(NOON + 10 * MINUTE)
    step(life)
    (child,) = life.broker.orders
    assert child.client_order_id == f"{parent_id}-2"
    assert after.desk.state_of(parent_id).filled == 4
    life.journal.append(after.engine.state())
    assert replay(life.journal).agrees


def test_after_a_crash_the_market_s_volume_is_counted_on_from_what_had_filled(monkeypatch):
    counted = []

    def baseline(self, symbol, before=0, filled=0):
        counted.append((symbol, before, filled))

    life, parent_id = started(AfterCrash.RESUME)
    step(life)
    life.broker.fill(f"{parent_id}-1", 4, "99.99")
    step(life)
    monkeypatch.setattr(AlgoMarket, "baseline", baseline)
    life.again()
    assert counted == [("KO", 0, 4)]


def test_after_a_crash_it_is_cancelled_unless_the_policy_says_otherwise():
    assert ExecutionPolicy().after_crash is AfterCrash.CANCEL
    life, parent_id = started(AfterCrash.CANCEL)
    step(life)
    after = life.again()
    step(life)
    assert life.broker.cancels == [f"{parent_id}-1"]
    life.broker.cancelled(f"{parent_id}-1")
    step(life)
    assert after.desk.state_of(parent_id).status is ParentStatus.CANCELLED
    assert list(after.portfolio.reservations()) == []


@pytest.mark.parametrize("policy", AfterCrash)
def test_a_paused_parent_stays_paused_over_a_crash_until_somebody_resumes_it(policy):
    life, parent_id = started(policy)
    step(life)
    life.system.desk.pause(parent_id, "lunch")
    life.broker.cancelled(f"{parent_id}-1")
    after = life.again()
    for minute in range(5):
        life.clock.move_to(NOON + minute * MINUTE)
        step(life)
    state = after.desk.state_of(parent_id)
    assert (state.status, state.reason) == (ParentStatus.PAUSED, "lunch")
    assert life.broker.orders == []
    assert after.desk.resume(parent_id) is None
    step(life)
    assert [order.client_order_id for order in life.broker.orders] == [f"{parent_id}-2"]


def test_what_was_decided_before_a_pause_does_not_leave_after_it(monkeypatch):
    trader = Trader()
    place = trader.desk._place

    async def paused_on_the_way(parent, order):
        trader.desk.pause(trader.id, "at the last moment")
        await place(parent, order)

    monkeypatch.setattr(trader.desk, "_place", paused_on_the_way)
    trader.after()
    assert trader.account.broker.orders == []
    assert (trader.state.status, trader.state.outstanding) == (ParentStatus.PAUSED, 0)


def test_a_halt_holds_over_a_crash_and_no_room_is_kept():
    life, parent_id = started(AfterCrash.RESUME)
    step(life)
    life.broker.cancelled(f"{parent_id}-1")
    life.system.kill_switch.activate("a drill")
    after = life.again()
    step(life)
    assert after.desk.state_of(parent_id).status is ParentStatus.PAUSED
    assert list(after.portfolio.reservations()) == []
    assert life.broker.orders == []


def test_a_slice_that_was_decided_on_and_never_sent_was_never_sent(monkeypatch):
    life, parent_id = started(AfterCrash.RESUME)

    async def crash(*_, **__):
        raise SystemExit

    monkeypatch.setattr(life.system.orders, "submit", crash)
    with pytest.raises(SystemExit):
        step(life)
    after = life.again()
    step(life)
    life.clock.move_to(NOON + MINUTE)
    step(life)
    assert [order.client_order_id for order in life.broker.orders] == [f"{parent_id}-2"]
    assert after.desk.state_of(parent_id).outstanding == 10


def test_ids_of_parents_and_orders_go_on_after_a_restart():
    life, parent_id = started(AfterCrash.CANCEL)
    life.again()
    assert life.submit(buy(1)).order_id.split("-")[1] > parent_id.split("-")[1]


# -- support


def replay_agrees(account: Account) -> bool:
    journal = MemoryJournal()
    for event, cause in zip(account.journal.events, account.journal.causes, strict=True):
        journal.append(event, cause)
    journal.append(account.system.engine.state())
    return replay(journal).agrees
