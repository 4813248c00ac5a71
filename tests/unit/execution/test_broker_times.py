"""Our clock and calendar against the broker's: told, corrected, and no new risk beyond the bound."""

from __future__ import annotations

import asyncio
from copy import copy
from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.commands import Result, StartParent
from quant_trading_system.core.decisions import Rule
from quant_trading_system.core.events import RiskEvent, RiskEventKind
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.parent import ParentStatus
from quant_trading_system.execution.algo.schedule import twap_schedule
from quant_trading_system.execution.broker_times import BrokerTimes, told_times
from quant_trading_system.execution.notices import Notice
from quant_trading_system.market.market_clock import MarketClock
from quant_trading_system.market.quotes import QuoteBoard
from quant_trading_system.market.sessions import NEW_YORK, TradingCalendar
from quant_trading_system.trading.algo_market import AlgoMarket
from quant_trading_system.trading.live_loop import LiveLoop
from tests.support.algo_desk import twap_parent
from tests.support.desk import Account, limits_with
from tests.support.market import CALENDAR, NOON, JumpingClock, moment
from tests.support.operator import Operator
from tests.support.orders import buy, sell
from tests.support.timed_broker import TimedBroker, TimedScene, reconciled

TODAY = NOON.astimezone(NEW_YORK).date()


def test_nothing_that_adds_risk_is_sent_before_the_brokers_clock_was_read():
    scene = TimedScene()
    scene.broker.is_mute = True
    asyncio.run(scene.start())
    assert scene.verdict(buy(1)) is Rule.RECONCILED
    assert "the broker's clock has not been read yet" in scene.account.orders.orders()[-1].reason
    scene.broker.is_mute = False
    asyncio.run(scene.after(35))
    assert scene.verdict(buy(2)) is None


@pytest.mark.fault("clock-differs")
def test_a_wall_clock_that_is_moved_shuts_new_risk_at_the_next_turn_and_needs_no_request():
    scene = reconciled()
    scene.account.hold("KO", 10)
    asked = scene.broker.asked
    scene.account.clock.jump = timedelta(seconds=31)
    scene.reconciler.feel_pulse()
    assert scene.verdict(buy(1)) is Rule.RECONCILED
    reason = scene.account.system.agreement.doubts["clock"]
    assert "our clock is 31.0 s ahead of the broker's; max_clock_skew_s is 5" in reason
    assert scene.verdict(sell(3)) is None, "exits pass"
    assert scene.broker.asked == asked
    advice = "set this machine's clock (chrony, systemd-timesyncd)"
    assert [said for said in scene.said if not said.startswith("the broker's calendar")] == [
        f"our clock is 31.0 s ahead of the broker's; {advice}"
    ]
    scene.account.clock.jump = timedelta(seconds=5)
    scene.reconciler.feel_pulse()
    assert "clock" not in scene.account.system.agreement.doubts, "the bound itself passes"


def test_a_wall_clock_that_is_wrong_by_a_day_turns_no_day_and_forgives_no_loss():
    scene = reconciled()
    account, clock = scene.account, scene.account.clock
    loop = LiveLoop(account.system, NoBars(), run="run", reconciler=scene.reconciler)
    account.hold("KO", 100)
    asyncio.run(loop.turn())
    account.offer("94.99", "95.01")
    for wrong in (0, 1, -1, 0):
        clock.jump = timedelta(days=wrong)
        asyncio.run(loop.turn())
    assert account.portfolio.daily_pnl == -500
    opened = [event for event in account.journal.of(RiskEvent) if event.reason is RiskEventKind.DAY_OPENED]
    assert len(opened) == 1


@pytest.mark.parametrize("wrong", [timedelta(hours=5), timedelta(hours=-3)], ids=["ahead", "behind"])
def test_an_algorithm_goes_by_the_brokers_clock_while_ours_is_wrong(wrong):
    """Set forward it would end at once, and set back it would not end in time."""
    scene = reconciled()
    account, clock, desk = scene.account, scene.account.clock, scene.account.system.desk
    loop = LiveLoop(account.system, NoBars(), run="run", reconciler=scene.reconciler)
    account.hold("KO", 100)
    start, end = clock.now(), clock.now() + timedelta(hours=1)
    schedule = twap_schedule(Decimal(100), start, end, 10, Decimal(1))
    order = twap_parent("100", side=OrderSide.SELL, start=start, end=end, schedule=schedule)
    account.offer()
    parent = desk.start(order).order.parent_id
    asyncio.run(loop.turn())
    clock.jump = wrong
    asyncio.run(loop.turn())
    assert desk.state_of(parent).status in (ParentStatus.WORKING, ParentStatus.PAUSED)
    clock.move_to(end + timedelta(minutes=1))
    asyncio.run(loop.turn())
    assert desk.state_of(parent).status is ParentStatus.STOPPING


def test_a_parent_that_a_person_writes_out_while_our_clock_is_wrong_begins_and_ends_by_the_brokers():
    scene = reconciled()
    account, clock = scene.account, scene.account.clock
    account.hold("KO", 100)
    clock.jump = timedelta(seconds=31)
    scene.reconciler.feel_pulse()
    LiveLoop(account.system, NoBars(), run="run", reconciler=scene.reconciler)
    account.offer()
    command = StartParent(
        symbol="KO",
        side=OrderSide.SELL,
        quantity=Decimal(50),
        algorithm="iceberg",
        minutes=30,
        display=Decimal(10),
        limit_price=Decimal(99),
        reduce_only=True,
    )
    answer = Operator(account).ask(command)
    assert answer.result is Result.DONE
    order = account.system.desk.state_of(answer.parent_id).order
    assert order.start == ManualClock.now(clock)
    assert order.end - order.start == timedelta(minutes=30)


class NoBars:
    """No bar ends."""

    async def finished(self) -> None:
        return None


def test_planning_by_night_follows_a_close_that_was_moved():
    calendar = TradingCalendar(
        CALENDAR.sessions_between(CALENDAR.first_day, CALENDAR.last_day), CALENDAR.first_day, CALENDAR.last_day
    )
    clock = ManualClock(moment("2024-01-08T13:00"))
    market = AlgoMarket(quotes=QuoteBoard(), calendar=calendar, limits=limits_with(), clock=clock)
    usual = calendar.session_on(TODAY)
    assert market.session() == usual
    early = msgspec.structs.replace(usual, close=moment("2024-01-08T18:00"), is_half_day=True)
    calendar.correct([early], TODAY, TODAY)
    assert market.session() == early


def test_a_small_difference_is_told_once_and_shuts_nothing():
    scene = reconciled()
    for seconds in (2.5, 2.1, 1.5, 2.5):
        scene.account.clock.jump = -timedelta(seconds=seconds)
        scene.reconciler.feel_pulse()
    assert [words[:24] for words in scene.said] == ["our clock is 2.5 s behin"]
    assert "clock" not in scene.account.system.agreement.doubts


@pytest.mark.parametrize("travel", [(40, 0), (0, 40)])
def test_what_the_time_of_travel_explains_is_no_difference(travel):
    scene = TimedScene()
    scene.broker.travel = tuple(timedelta(seconds=part) for part in travel)
    asyncio.run(scene.start())
    assert "clock" not in scene.account.system.agreement.doubts
    assert scene.said == []


class Days:
    """A calendar of a few weeks, and what a broker says of it."""

    def __init__(self, changes: dict[date, tuple[str, str] | None]) -> None:
        self.calendar = TradingCalendar.nyse(TODAY - timedelta(days=20), TODAY + timedelta(days=20))
        clock = JumpingClock(NOON)
        broker = TimedBroker(clock, TradingCalendar.nyse(TODAY, TODAY + timedelta(days=20)))
        broker.days = changes
        told: list[Notice] = []
        times = BrokerTimes(broker, MarketClock(clock, limits_with()), self.calendar, told.append)
        asyncio.run(times.read())
        self.said = [notice.message for notice in told]


@pytest.mark.fault("session-changed")
def test_the_brokers_calendar_wins_over_the_librarys_and_the_difference_is_told():
    """An exchange that closes early today, and one that mourns next week."""
    mourning = TODAY + timedelta(days=8)
    days = Days({TODAY: ("09:30", "13:00"), mourning: None})
    assert days.calendar.session_on(mourning) is None
    today = days.calendar.session_on(TODAY)
    assert today is not None
    assert today.is_half_day
    assert not days.calendar.is_open(NOON.replace(hour=18))
    assert days.calendar.is_open(NOON.replace(hour=17))
    assert days.calendar.previous_session(TODAY).date < TODAY, "the days before are as they were"
    assert days.said == [
        f"the broker's calendar differs from the library's, and is followed: {words}"
        for words in (f"{TODAY} 09:30-13:00 instead of 09:30-16:00", f"{mourning} closed instead of 09:30-16:00")
    ]


@pytest.mark.parametrize(
    "hours", [("16:00", "09:30"), ("nine", "four"), None], ids=["backwards", "words", "no day at all"]
)
def test_a_calendar_without_sense_changes_nothing_and_is_told(hours):
    every = {TODAY + timedelta(days=number): None for number in range(15)} if hours is None else {TODAY: hours}
    days = Days(every)
    assert days.calendar.session_on(TODAY) is not None
    assert "is not understood" in days.said[0]


def test_the_bound_is_a_limit_of_the_file():
    assert Account().system.limits.max_clock_skew_s == Decimal(5)


def test_the_reason_for_no_new_risk_is_that_of_now():
    """A clock that is wrong is not one that was not read."""
    scene = TimedScene()
    scene.broker.is_mute = True
    asyncio.run(scene.start())
    scene.account.clock.jump = timedelta(hours=1)
    scene.broker.is_mute = False
    asyncio.run(scene.after(35))
    assert "our clock is 3600.0 s ahead" in scene.account.system.agreement.doubts["clock"]
    scene.account.clock.jump = timedelta(0)
    scene.broker.off = timedelta(hours=1)
    asyncio.run(scene.after(2))
    scene.reconciler.look_now()
    asyncio.run(scene.after(2))
    assert "the broker's clock is 3600.0 s ahead of" in scene.account.system.agreement.doubts["clock"]


def test_new_risk_is_shut_before_anybody_is_told():
    """Whoever listens may fail."""

    def fail(notice: Notice) -> None:
        raise OSError("nobody reads this")

    account = Account(clock=JumpingClock(NOON))
    agreement = account.system.agreement
    times = BrokerTimes(TimedBroker(account.clock, CALENDAR), account.market_clock, CALENDAR, fail)
    times.guard(agreement)
    asyncio.run(times.read())
    account.clock.jump = timedelta(hours=1)
    with pytest.raises(OSError, match="nobody"):
        times.look()
    assert "our clock is 3600.0 s ahead" in agreement.doubts["clock"]


@pytest.mark.parametrize("wrong", [timedelta(days=-3000), timedelta(days=-3), timedelta(days=60)], ids=str)
def test_a_calendar_lies_around_the_brokers_day_however_wrong_our_clock_is(wrong):
    account, asked = Account(clock=JumpingClock(NOON)), []
    account.clock.jump = wrong
    broker = TimedBroker(account.clock, CALENDAR)
    broker.days[TODAY] = ("09:30", "13:00")
    calendar = copy(CALENDAR)

    def around(day: date) -> TradingCalendar:
        asked.append(day)
        return calendar

    _, found = asyncio.run(told_times(broker, account.market_clock, around, lambda _: None))
    assert (asked, found) == ([NOON.date()], calendar)
    assert calendar.next_close(NOON) == moment("2024-01-08T18:00"), "corrected already"
