"""Time that passes by itself: whoever lets it pass sleeps until something is due, and is woken when that is earlier."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from quant_trading_system.simulation.alpaca_server.host import SETTLE_S, Host
from quant_trading_system.simulation.alpaca_server.venue_time import RunningClock, SteppedClock
from quant_trading_system.simulation.storm.virtual_time import VirtualClock, VirtualLoop
from tests.support.venue_front import ALICE, BOB, OPEN, RULES, scene

BEFORE = OPEN - timedelta(hours=2)
LIMIT = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "300", "time_in_force": "day"}


class Passing:
    """A venue whose time passes as fast as its loop has nothing to do.

    Attributes:
        turns: how often it looked what is due.
    """

    def __init__(self, loop: VirtualLoop, start: datetime) -> None:
        self.real = VirtualClock(loop, start)
        self.host = Host(scene(now=start), RunningClock(self.real, start), [ALICE], RULES)
        self.host.begin()
        self.venue = self.host.desks[0].venue
        self.turns = 0
        follow = self.host.follow

        async def counted() -> None:
            self.turns += 1
            await follow()

        self.host.follow = counted  # type: ignore[method-assign]

    async def pass_time(self, **span: float) -> None:
        await self.real.sleep(timedelta(**span))

    def order(self, **fields: object) -> str:
        identity = self.venue.submit_request({**LIMIT, **fields}).venue_order_id
        self.host.nudge()
        return identity


@pytest.fixture
def story():
    loop = VirtualLoop()

    def tell(start: datetime, told: Callable[[Passing], Awaitable[None]]) -> None:
        async def all_of_it() -> None:
            passing = Passing(loop, start)
            running = asyncio.create_task(passing.host.run())
            await passing.pass_time(milliseconds=10)
            await told(passing)
            running.cancel()

        loop.run_until_complete(all_of_it())

    yield tell
    loop.close()


def test_orders_reach_the_market_and_wake_nobody_who_waits_for_later_things(story):
    async def told(passing: Passing) -> None:
        passing.turns = 0
        for _ in range(20):
            identity = passing.order()
            await passing.pass_time(seconds=2 * SETTLE_S)
            assert passing.venue.get(identity).broker_status == "new"
        assert passing.turns == 0
        await passing.pass_time(minutes=3)
        assert passing.turns == 3

    story(OPEN, told)


def test_what_an_order_makes_due_earlier_is_not_slept_through(story):
    """In extended hours quotes are confirmed while somebody has an order for them, and not before."""

    async def told(passing: Passing) -> None:
        passing.turns = 0
        await passing.pass_time(minutes=5)
        assert passing.turns == 0
        passing.order(extended_hours=True)
        await passing.pass_time(seconds=31)
        assert passing.turns >= 2
        assert passing.host.now >= passing.host.clock.now() - timedelta(seconds=15)

    story(BEFORE, told)


def told_of(host: Host, clock: SteppedClock) -> list[object]:
    """What both accounts hear of orders that arrive together, a microsecond after each other."""
    heard: list[object] = []
    host.tell_orders_to(lambda account, report: heard.append((account, report())))
    host.begin()
    clock.leap_to(OPEN + timedelta(minutes=5, seconds=2))
    host.settle()
    for number, fields in enumerate(({}, {"limit_price": "900"}, {"symbol": "KO", "limit_price": "900"}, {"qty": "2"})):
        clock.leap_to(clock.now() + timedelta(microseconds=1))
        for desk in host.desks if number % 2 else host.desks[:1]:
            desk.venue.submit_request({**LIMIT, **fields, "client_order_id": f"{desk.key_id}-{number}"})
    clock.leap_to(clock.now() + timedelta(milliseconds=1))
    host.settle()
    assert host.now == clock.now()
    return heard


@pytest.mark.parametrize("accounts", [1, 2])
def test_messages_of_one_account_that_arrive_together_do_what_they_do_one_by_one(accounts, monkeypatch):
    def story() -> list[object]:
        clock = SteppedClock(OPEN)
        return told_of(Host(scene(), clock, [ALICE, BOB][:accounts], RULES), clock)

    together = story()
    monkeypatch.setattr(Host, "_concerns_one_account", lambda *_: False)
    assert together == story()
    assert len(together) >= 6
