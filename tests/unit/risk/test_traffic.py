"""Counting what leaves: windows on the monotonic clock, the exchange's day, runaways, and all of it after a restart."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rejection, Rule
from quant_trading_system.execution.notices import NoticeKind
from quant_trading_system.execution.order_manager import Placed
from quant_trading_system.journal.replay import replay
from quant_trading_system.risk.traffic import Past, Traffic
from quant_trading_system.trading import resume
from tests.support.desk import Account, limits_with
from tests.support.market import CALENDAR, NOON, JumpingClock, moment
from tests.support.orders import buy, sell
from tests.support.restart import STARTED, Life

ORDER = buy(1, strategy="momentum")
VALUE = Decimal("100.01")


def traffic(clock: ManualClock | None = None) -> tuple[Traffic, ManualClock]:
    clock = clock or ManualClock(NOON)
    return Traffic(clock, CALENDAR, Decimal(60)), clock


def send(counted: Traffic, times: int = 1) -> None:
    for _ in range(times):
        counted.sent(ORDER, VALUE, ORDER.quantity, is_replace=False, takes_risk=True)


def lately(counted: Traffic) -> tuple[int, Decimal]:
    left = counted.in_all()
    return left.orders, left.notional


# -- windows and days ----------------------------------------------------------------------------------------------


def test_a_window_slides_and_does_not_jump():
    """No minute holds more than its limit, wherever it begins; thirty seconds on, the later orders still count."""
    counted, clock = traffic()
    send(counted, 2)
    clock.move_to(NOON + timedelta(seconds=30))
    send(counted, 3)
    assert lately(counted) == (5, 5 * VALUE)
    clock.move_to(NOON + timedelta(seconds=60))
    assert lately(counted) == (3, 3 * VALUE)
    clock.move_to(NOON + timedelta(seconds=90))
    assert lately(counted) == (0, 0)
    assert counted.in_all().day_orders == 5


@pytest.mark.parametrize("after_us", [15_000, 1_055_000, 4_100_000])
def test_what_left_exactly_a_minute_ago_counts_no_more_whatever_floats_make_of_it(after_us):
    counted, clock = traffic()
    sent = NOON + timedelta(microseconds=after_us)
    clock.move_to(sent)
    send(counted)
    clock.move_to(sent + timedelta(seconds=60) - timedelta(microseconds=1))
    assert counted.in_all().orders == 1
    clock.move_to(sent + timedelta(seconds=60))
    left = counted.in_all()
    assert (left.orders, left.repeats) == (0, 0)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1), timedelta(hours=1), timedelta(days=3650)])
def test_a_wall_clock_that_jumps_forgives_nothing(jump):
    clock = JumpingClock(NOON)
    counted, _ = traffic(clock)
    send(counted, 4)
    clock.jump = jump
    clock.move_to(NOON + timedelta(seconds=59))
    left = counted.in_all()
    assert (left.orders, left.repeats, left.day_orders, left.day_notional) == (4, 4, 4, 4 * VALUE)


def test_the_day_is_the_exchanges_and_ends_with_extended_hours():
    """20:00 in New York is 01:00 UTC in winter; midnight of either clock changes nothing."""
    counted, clock = traffic()
    send(counted)
    for text, orders in [("2024-01-09T00:59:59", 1), ("2024-01-09T01:00", 0)]:
        clock.move_to(moment(text))
        assert counted.in_all().day_orders == orders


def test_nothing_grows_with_what_has_left():
    counted, clock = traffic()
    for second in range(3_000):
        clock.move_to(NOON + timedelta(seconds=second))
        send(counted)
        counted.cancel_asked()
        counted.look()
    assert [len(counted.minute._requests), len(counted._repeats._events)] == [120, 60]


def test_asking_whether_it_may_leave_counts_nothing():
    account = Account()
    account.system.checker.check_order(buy(1, client_order_id="what-if"))
    assert account.system.checker.traffic.in_all().orders == 0


def test_cancels_are_counted_and_never_refused():
    account = Account(limits=limits_with(max_messages_per_minute=2, max_orders_per_minute=2))
    first, second = (account.working(buy(n, limit="99.00")).order_id for n in (1, 2))
    for order_id in (first, second):
        asyncio.run(account.orders.cancel(order_id, "a test"))
    assert account.system.checker.traffic.in_all().messages == 4
    assert [first, second] == account.broker.cancels
    answer = account.submit(buy(3, limit="99.00"))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_ORDERS_PER_MINUTE


# -- runaways ------------------------------------------------------------------------------------------------------


def runaway_account() -> Account:
    """A strategy that has sent three like orders, where three are allowed."""
    account = Account(limits=limits_with(max_repeated_orders=3))
    account.hold("KO", 50)
    for _ in range(3):
        assert isinstance(account.submit(msgspec.structs.replace(ORDER, repeat=True)), Placed)
    return account


def again(account: Account, order=ORDER) -> Rule | None:
    answer = account.submit(msgspec.structs.replace(order, repeat=True))
    return answer.rule if isinstance(answer, Rejection) else None


def test_a_runaway_is_stopped_told_and_stays_stopped():
    account = runaway_account()
    told = []
    account.orders.lives.watch.on_notice(told.append)
    assert again(account) is Rule.MAX_REPEATED_ORDERS
    assert [notice.kind for notice in told] == [NoticeKind.STRATEGY_DISARMED]
    account.clock.move_to(NOON + timedelta(hours=2))
    account.offer()
    assert again(account) is Rule.STRATEGY_ARMED
    assert again(account, buy(1, "XOM", strategy="momentum")) is Rule.STRATEGY_ARMED
    assert again(account, buy(1, "XOM", strategy="another")) is None
    assert again(account, sell(5, strategy="momentum")) is None  # a way out


def test_a_question_disarms_nobody():
    account = runaway_account()
    answer = account.system.checker.check_order(msgspec.structs.replace(ORDER, repeat=True))
    assert isinstance(answer, Rejection)
    assert account.system.checker.traffic.disarmed == {}


def test_only_a_persons_reset_arms_it_again():
    account = runaway_account()
    again(account)
    account.kill_switch.activate("who repeats itself?")
    account.kill_switch.reset(authorized_by="Ana", reason="the loop is fixed")
    assert again(account) is not Rule.STRATEGY_ARMED


# -- a restart -----------------------------------------------------------------------------------------------------


def test_a_restart_forgives_nothing(monkeypatch):
    """Counts and runaways are those of the process before, however small the pieces in which the journal is read."""
    life = Life()
    system = life.begin()
    for number in range(1, 5):
        life.submit(buy(number, limit="99.00", strategy="momentum"))
    life.submit(sell(1, limit="101.00", strategy="momentum"))  # refused: nothing is held
    asyncio.run(system.orders.cancel("run-2-0", "a test"))
    life.clock.move_to(NOON + timedelta(seconds=30))
    before = system.checker.traffic.in_all()
    assert (before.orders, before.messages, before.repeats, before.day_orders) == (4, 5, 4, 4)
    monkeypatch.setattr(resume, "PIECE", 3)
    assert life.again().checker.traffic.in_all() == before


def test_a_restart_on_the_next_day_counts_anew():
    life = Life()
    life.begin()
    life.submit(buy(1, limit="99.00"))
    life.clock.move_to(moment("2024-01-09T15:00"))
    left = life.again().checker.traffic.in_all()
    assert (left.orders, left.day_orders, left.day_notional) == (0, 0, 0)


def test_an_old_journal_needs_no_old_calendar():
    """An account that rested for longer than its calendar reaches back starts all the same."""
    life = Life()
    life.clock = ManualClock(moment("2023-06-01T17:00"))
    life.journal.append(msgspec.structs.replace(STARTED, at=life.clock.now()))
    life.clock.move_to(NOON)
    life.begin()
    assert life.again().checker.traffic.in_all().day_orders == 0


def test_a_runaway_stays_stopped_over_restarts_until_the_reset():
    life = Life()
    life.limits = limits_with(max_repeated_orders=1)
    life.begin()
    life.submit(ORDER)
    answer = life.submit(buy(2, strategy="momentum"))
    assert isinstance(answer, Rejection)
    assert answer.rule is Rule.MAX_REPEATED_ORDERS
    life.clock.move_to(moment("2024-01-09T15:00"))
    system = life.again()
    assert system.checker.traffic.disarmed == {"momentum": answer.message}
    system.kill_switch.activate("who repeats itself?")
    system.kill_switch.reset(authorized_by="Ana", reason="the loop is fixed")
    assert system.checker.traffic.disarmed == {}
    assert life.again().checker.traffic.disarmed == {}
    assert replay(life.journal).agrees


def test_arming_one_strategy_forgives_that_one_only():
    counted, _ = traffic()
    other = buy(1, strategy="reversion")
    for order in (ORDER, other):
        counted.sent(order, VALUE, order.quantity, is_replace=False, takes_risk=True)
        counted.disarm(order.strategy, "runaway")
    counted.rearm("momentum")
    assert counted.disarmed == {"reversion": "runaway"}
    assert (counted.repeats_of(ORDER), counted.repeats_of(other)) == (0, 1)


def test_what_left_after_the_wall_clock_was_set_back_is_young():
    """An entry from the future left just now, as far as anybody can tell."""
    counted, _ = traffic()
    counted.recall([Past(NOON + timedelta(hours=1), ORDER, VALUE)], {})
    assert counted.in_all().orders == 1


def test_orders_of_one_moment_are_forgotten_together():
    """Declared repeats that left at the same instant once broke the check that looked for duplicates later."""
    account = Account()
    for _ in range(3):
        account.submit(ORDER)
    account.clock.move_to(NOON + timedelta(minutes=5))
    account.offer()
    assert isinstance(account.submit(ORDER), Placed)


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1)], ids=["set back", "set forward"])
def test_whoever_sets_the_wall_clock_makes_no_order_a_repeat_and_forgives_none(jump):
    clock, order = JumpingClock(NOON), buy(1, repeat=False)
    account = Account(clock=clock)
    account.submit(order)
    clock.jump = jump

    def is_a_repeat() -> bool:
        checks = account.system.checker.check_order(order).decision.checks
        return not next(check.passed for check in checks if check.rule is Rule.DUPLICATE_ORDER)

    assert is_a_repeat()
    clock.move_to(NOON + timedelta(seconds=6))
    assert not is_a_repeat()
