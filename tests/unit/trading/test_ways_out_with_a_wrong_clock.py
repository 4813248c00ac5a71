"""While this machine's clock is wrong, ways out leave on fresh quotes, no way in does, and no stale quote serves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import HaltLevel
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.schedule import twap_schedule
from quant_trading_system.trading.liquidation import emergency_liquidate
from quant_trading_system.trading.live_loop import LiveLoop
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account
from tests.support.market import NOON, JumpingClock
from tests.support.orders import buy, sell
from tests.support.scripted_statement import seen_position
from tests.support.timed_broker import TimedScene, reconciled

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
WRONG = [
    6 * SECOND,
    -6 * SECOND,
    20 * SECOND,
    -20 * SECOND,
    HOUR,
    -HOUR,
    timedelta(hours=9),
    -timedelta(hours=9),
    timedelta(days=3),
    -timedelta(days=3),
]
SET_WRONG = pytest.mark.parametrize("wrong", WRONG, ids=str)


class NoBars:
    """No bar ends."""

    async def finished(self) -> None:
        return None


def holding(symbol: str = "KO", shares: int = 10) -> TimedScene:
    scene = reconciled()
    hold(scene, symbol, shares)
    return scene


def hold(scene: TimedScene, symbol: str = "KO", shares: int = 10) -> None:
    """A position on both sides, with a fresh quote."""
    scene.account.hold(symbol, shares)
    scene.theirs.positions = [seen_position(symbol, shares)]
    scene.account.offer()


def a_turn_later(scene: TimedScene, seconds: int = 1) -> None:
    """Time passes, quotes come in, and the engine looks around."""
    asyncio.run(scene.clock.advance(seconds * SECOND))
    scene.account.offer()
    scene.reconciler.feel_pulse()
    asyncio.run(scene.account.system.engine.on_watch())


@pytest.mark.fault("clock-differs")
@SET_WRONG
def test_a_way_out_leaves_and_a_way_in_does_not(wrong):
    scene = holding()
    scene.wall.jump = wrong
    assert scene.verdict(buy(1)) is Rule.RECONCILED, "found out at once, before the next turn"
    assert scene.verdict(sell(3)) is None
    scene.wall.jump = timedelta(0)
    scene.reconciler.feel_pulse()
    assert scene.verdict(buy(2, symbol="PEP")) is None, "set right, it goes on by itself"


@SET_WRONG
def test_a_quote_that_came_before_the_clock_was_moved_is_as_fresh_as_it_was(wrong):
    scene = holding()
    scene.wall.jump = wrong
    assert scene.verdict_now(sell(1)) is None
    scene.wall.jump = wrong / 2
    assert scene.verdict_now(sell(2)) is None
    scene.wall.jump = timedelta(0)
    assert scene.verdict_now(sell(3)) is None


@SET_WRONG
def test_a_quote_that_is_too_old_serves_for_nothing(wrong):
    scene = holding()
    scene.wall.jump = wrong
    asyncio.run(scene.clock.advance(16 * SECOND))
    assert scene.verdict_now(sell(1)) is Rule.MAX_QUOTE_AGE
    scene.account.board.put("KO", "99.99", "100.01", received_age=16 * SECOND)
    assert scene.verdict_now(sell(1)) is Rule.MAX_QUOTE_AGE
    scene.account.offer()
    assert scene.verdict_now(sell(1)) is None


@SET_WRONG
def test_a_liquidation_sends_what_is_held_and_ends_flat(wrong):
    scene = holding()
    scene.wall.jump = wrong
    scene.account.kill_switch.activate("get out", level=HaltLevel.FLATTENING)
    a_turn_later(scene)
    a_turn_later(scene)
    sent = scene.account.broker.orders
    assert [(order.symbol, order.side, order.quantity) for order in sent] == [("KO", OrderSide.SELL, Decimal(10))]


@SET_WRONG
def test_an_emergency_liquidation_needs_no_clock_of_ours(wrong):
    scene = holding()
    scene.wall.jump = wrong

    async def pause(span: timedelta) -> None:
        await scene.clock.advance(span)
        scene.account.offer()

    async def get_out() -> None:
        system = scene.account.system
        await emergency_liquidate(
            system.kill_switch, system.halt, reason="get out", authorized_by="Ana", pause=pause, give_up_after=3
        )

    asyncio.run(get_out())
    assert [order.side for order in scene.account.broker.orders] == [OrderSide.SELL]


def test_a_liquidation_waits_for_the_exchange_and_not_for_our_clock():
    scene = holding()
    scene.wall.move_to(NOON.replace(hour=2) + timedelta(days=1))
    scene.wall.jump = timedelta(hours=-6)
    scene.account.kill_switch.activate("get out", level=HaltLevel.FLATTENING)
    a_turn_later(scene)
    a_turn_later(scene)
    assert scene.account.broker.orders == [], "by our clock the exchange is open"


def worked_by_an_algorithm(wrong: timedelta) -> list[str]:
    """What an exit that an algorithm works sends within twenty minutes."""
    scene = holding(shares=100)
    account = scene.account
    loop = LiveLoop(account.system, NoBars(), run="run", reconciler=scene.reconciler)
    start = ManualClock.now(scene.wall)
    schedule = twap_schedule(Decimal(100), start, start + HOUR, 10, Decimal(1))
    order = twap_parent("100", side=OrderSide.SELL, start=start, end=start + HOUR, schedule=schedule)
    account.system.desk.start(order)
    scene.wall.jump = wrong
    for _ in range(40):
        asyncio.run(scene.clock.advance(30 * SECOND))
        account.offer()
        asyncio.run(loop.turn())
    return [f"{order.quantity} {order.limit_price}" for order in account.broker.orders]


@pytest.mark.parametrize("wrong", [wrong for wrong in WRONG if wrong > timedelta(0)], ids=str)
def test_an_algorithm_works_an_exit_as_if_our_clock_were_right(wrong):
    """A clock that is behind halts the account, and with it what algorithms do."""
    expected = worked_by_an_algorithm(timedelta(0))
    assert expected
    assert worked_by_an_algorithm(wrong) == expected


@pytest.mark.parametrize("wrong", [-SECOND / 10, -SECOND, -5 * SECOND], ids=str)
def test_a_clock_that_is_behind_by_less_than_is_held_against_it_lets_a_way_out_pass(wrong):
    """Every quote that is as young as that bears a time that is still to come."""
    scene = holding()
    scene.wall.jump = wrong
    assert scene.verdict(buy(1)) is Rule.MAX_QUOTE_AGE
    assert scene.verdict(sell(1)) is None


def test_a_stamp_that_no_clock_explains_serves_for_nothing():
    scene = holding()
    scene.account.board.put("KO", "99.99", "100.01", age=-5.1 * SECOND, received_age=timedelta(0))
    assert scene.verdict_now(sell(1)) is Rule.MAX_QUOTE_AGE


@SET_WRONG
def test_before_the_brokers_clock_could_be_read_ours_is_all_there_is(wrong):
    """New risk is shut then; and a way out leaves as soon as it could."""
    scene = TimedScene()
    scene.broker.is_mute = True
    scene.wall.jump = wrong
    asyncio.run(scene.start())
    hold(scene)
    assert scene.verdict(buy(1)) is Rule.RECONCILED
    assert (scene.verdict(sell(1)) is None) is (abs(wrong) < 15 * SECOND and wrong > timedelta(0))
    scene.broker.is_mute = False
    asyncio.run(scene.after(35))
    assert scene.verdict(buy(1)) is Rule.RECONCILED
    assert scene.verdict(sell(2)) is None


@SET_WRONG
def test_a_start_with_a_wrong_clock_knows_better_after_its_first_look(wrong):
    scene = TimedScene()
    scene.wall.jump = wrong
    asyncio.run(scene.start())
    hold(scene)
    assert scene.broker.asked == 2, "nothing bears the first answer out, so it is asked for once more"
    assert scene.verdict(sell(1)) is None
    assert scene.verdict(buy(1)) is Rule.RECONCILED


@SET_WRONG
def test_without_an_answer_the_brokers_time_goes_on(wrong):
    scene = holding()
    scene.broker.is_mute = True
    scene.wall.jump = wrong
    asyncio.run(scene.after(900))
    assert scene.verdict(sell(1)) is None


@pytest.mark.fault("broker-clock-jumps")
@SET_WRONG
def test_a_clock_of_the_broker_that_jumps_once_holds_no_way_out_up(wrong):
    scene = holding()
    scene.broker.off = wrong
    scene.reconciler.look_now()
    asyncio.run(scene.after(3))
    asked = scene.broker.asked
    assert scene.verdict(sell(1)) is None
    assert scene.verdict(buy(1)) is Rule.RECONCILED
    assert "the time that was known; it is not believed before it says so again" in scene.said[-1]
    scene.broker.off = timedelta(0)
    asyncio.run(scene.after(35))
    assert scene.broker.asked > asked
    assert scene.verdict(buy(2, symbol="PEP")) is None


def test_an_approval_and_the_last_look_at_it_go_by_one_clock():
    """The decision bears the time by which its age is told, also where the market's is another one."""
    scene = holding()
    scene.wall.jump = HOUR
    record = scene.account.working(sell(1))
    assert record.sent_at == scene.wall.now()
    assert record.acknowledged_at - record.sent_at == timedelta(0)


def test_a_day_that_began_while_our_clock_was_behind_is_the_day_of_the_exchange():
    """Otherwise a restart would open it once more, and forgive its losses."""
    scene = reconciled()
    scene.wall.jump = -5 * HOUR
    loop = LiveLoop(scene.account.system, NoBars(), run="run", reconciler=scene.reconciler)
    asyncio.run(loop.turn())
    session = scene.account.system.ports.calendar.session_at(NOON)
    assert scene.account.system.monitor.opened_at >= session.open


def test_an_account_whose_broker_tells_no_time_goes_by_its_own_clock():
    account = Account(clock=JumpingClock(NOON))
    account.hold("KO", 10)
    account.clock.jump = HOUR
    account.offer()
    assert account.submit(sell(1)).rule is Rule.MAX_QUOTE_AGE
