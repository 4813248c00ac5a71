"""A restart forgives nothing and overlooks nothing while this machine's clock is wrong."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.reconciling import Reconciliation
from quant_trading_system.core.exceptions import BrokerTimeout, NotReconciled
from quant_trading_system.execution.statement import SeenActivity, SeenOrder, Statement
from quant_trading_system.journal.replay import replay
from quant_trading_system.market.market_clock import MarketClock, Reading
from quant_trading_system.trading.resume import latest_of
from tests.support.desk import NOON
from tests.support.market import JumpingClock
from tests.support.orders import buy, sell
from tests.support.restart import Life
from tests.support.scripted_broker import ScriptedBroker

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
SET_WRONG = pytest.mark.parametrize(
    "wrong", [20 * SECOND, -20 * SECOND, HOUR, -HOUR, 9 * HOUR, -9 * HOUR, 3 * DAY, -3 * DAY], ids=str
)


class TimedLife(Life):
    """One whose broker has told its time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = self.wall = JumpingClock(NOON)
        self.broker = ScriptedBroker(self.clock)
        self.market_clock = MarketClock(self.clock, self.limits)
        self.market_clock.hear(Reading(NOON, self.clock.monotonic(), timedelta()))


@SET_WRONG
def test_what_left_counts_as_before_whenever_our_clock_was_set(wrong):
    life = TimedLife()
    system = life.begin()
    life.trade(buy(30), "100.01")
    life.submit(buy(4, limit="99.00", strategy="momentum"))
    asyncio.run(life.clock.advance(90 * SECOND))
    life.wall.jump = wrong
    system.ports.quotes.put("KO", "99.99", "100.01")
    life.submit(sell(3, limit="101.00"))
    asyncio.run(life.clock.advance(10 * SECOND))
    before = system.checker.traffic.in_all()
    assert (before.orders, before.day_orders) == (1, 3)
    assert life.again().checker.traffic.in_all() == before


@SET_WRONG
def test_what_is_lost_over_a_restart_is_a_rapid_loss(wrong):
    life = TimedLife()
    system = life.begin()
    life.wall.jump = wrong
    life.trade(buy(50), "100.00")
    system.monitor.close_day()
    high = system.portfolio.equity
    after = life.again()
    asyncio.run(life.clock.advance(10 * SECOND))
    after.portfolio.mark("KO", Decimal(90))
    assert after.monitor._bases.see()[1][-1] == high


@SET_WRONG
def test_books_begin_on_record_at_the_time_of_the_market(wrong):
    """The broker's fills are held against it: those of before are in what the books began with."""
    life = TimedLife()
    life.wall.jump = wrong
    life.begin()
    assert replay(life.journal).projection.opened == NOON


class MuteStatements:
    """Notes from when on it is asked, and gives no answer."""

    def __init__(self) -> None:
        self.since: list[datetime] = []

    async def light(self) -> Statement:
        raise BrokerTimeout("no answer in 5 s")

    async def full(self, since: datetime) -> Statement:
        self.since.append(since)
        raise BrokerTimeout("no answer in 5 s")

    async def order(self, client_order_id: str) -> SeenOrder | None:
        return None

    async def activities(self, since: datetime) -> tuple[SeenActivity, ...]:
        return ()


@SET_WRONG
@pytest.mark.parametrize("is_set_right", [False, True])
def test_the_broker_is_asked_about_all_that_happened_since_the_last_entry(wrong, is_set_right):
    life = TimedLife()
    life.begin()
    asyncio.run(life.clock.advance(4 * DAY))
    last = life.market_clock.now()
    life.wall.jump = wrong
    life.submit(buy(1, limit="99.00"))
    books = replay(life.journal).projection
    asyncio.run(life.clock.advance(HOUR))
    life.wall.jump = timedelta(0) if is_set_right else wrong
    statements = MuteStatements()
    reconciliation = Reconciliation(life.again(), statements, books, lambda _: None, lambda _: None)
    with pytest.raises(NotReconciled):
        asyncio.run(reconciliation.start(""))
    assert statements.since[0] <= last


@pytest.mark.parametrize(
    ("stamp", "now", "ours", "latest"),
    [
        (-1, 0, 0, -1),  # both clocks agree
        (1, 0, 0, 0),  # set right since: nothing is still to come
        (8, 0, 9, -1),  # ahead then and now
        (-2, 0, 9, -2),  # right then, ahead now
        (-10, 0, -9, -1),  # behind then and now
        (-2, 0, -9, -2),  # right then, behind now
        (10, 0, 9, 0),  # neither explains it
    ],
)
def test_an_entry_is_as_young_as_it_may_be(stamp, now, ours, latest):
    found = latest_of(NOON + stamp * HOUR, NOON + now * HOUR, NOON + ours * HOUR)
    assert found == NOON + latest * HOUR
