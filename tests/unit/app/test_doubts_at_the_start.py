"""Orders that never arrived, at a start: asked for as often as it takes, however many the rate limit lets through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from quant_trading_system.app.live import DOUBT_PATIENCE, LiveAccount
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.exceptions import BrokerTimeout
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.execution.doubts import ABSENT_AFTER, MISSES
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.rate_limit import Lane, RateLimiter
from quant_trading_system.simulation.storm.virtual_time import VirtualClock, VirtualLoop
from tests.support.desk import UNHURRIED, Account, limits_with
from tests.support.market import NOON
from tests.support.orders import buy

PER_MINUTE = 20


class LoopClock(ManualClock):
    """The time of a loop on which nothing sleeps."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(NOON)
        self._true = VirtualClock(loop, NOON)

    def now(self):
        return self._true.now()

    def monotonic(self) -> float:
        return self._true.monotonic()

    async def sleep(self, span: timedelta) -> None:
        await self._true.sleep(span)


class Start:
    """A start with orders in doubt of an earlier process, at a broker with a rate limit that knows none of them."""

    def __init__(self, loop: VirtualLoop, orders: int, *, is_mute: bool = False) -> None:
        self.clock = LoopClock(loop)
        limits = limits_with(**UNHURRIED, max_open_orders_per_symbol=1_000)
        self.account = Account(limits=limits, clock=self.clock)
        self.asked: Counter[str] = Counter()
        self.given_up: list[float] = []
        self.is_mute = is_mute
        self._loop = loop
        self._limiter = RateLimiter(self.clock, per_minute=PER_MINUTE)
        self.account.broker.answers += ["silent"] * orders
        self.records = [loop.run_until_complete(self._sent(number)) for number in range(orders)]
        for record in self.records:
            self.account.orders.lives.step(record, OrderTrigger.TIME_OUT)
            record.left_at = None
        self.account.broker.find = self._find

    async def _sent(self, number: int) -> OrderRecord:
        answer = await self.account.orders.submit(buy(1, limit=f"98.{number:02}"))
        return self.account.record(answer.order_id)

    async def _find(self, order_id: str) -> None:
        await self._limiter.admit(Lane.ORDERS)
        await self.clock.sleep(timedelta(seconds=10 if self.is_mute else 0.1))
        self.asked[order_id] += 1
        if self.is_mute:
            self._limiter.lost()
            raise BrokerTimeout("no answer in time", order_id)
        self._limiter.heard(404, {"x-ratelimit-limit": str(PER_MINUTE)})

    def settle(self) -> timedelta:
        """How long the start waited for them."""
        rest = [None] * 5
        live = LiveAccount(None, None, None, "run", self.account.system, *rest, lambda _: None)
        began = self.clock.monotonic()
        self._loop.run_until_complete(live._settle_doubts())
        return timedelta(seconds=self.clock.monotonic() - began)

    @property
    def statuses(self) -> set[OrderStatus]:
        return {record.status for record in self.records}


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_a_few_orders_that_never_arrived_are_given_up_within_the_patience(loop):
    start = Start(loop, 5)
    assert ABSENT_AFTER <= start.settle() <= DOUBT_PATIENCE
    assert start.statuses == {OrderStatus.ABSENT}


def test_more_orders_than_the_rate_limit_lets_through_get_as_many_questions_as_it_takes(loop):
    """Given up after one question each, they would be in doubt at the next start again, and at each one after that."""
    start = Start(loop, 40)
    took = start.settle()
    assert start.statuses == {OrderStatus.ABSENT}
    assert set(start.asked.values()) == {MISSES}
    assert DOUBT_PATIENCE < took <= timedelta(minutes=40 * MISSES / PER_MINUTE + 2)


def test_a_broker_that_does_not_answer_is_waited_for_no_longer_than_before(loop):
    start = Start(loop, 10, is_mute=True)
    assert DOUBT_PATIENCE < start.settle() <= DOUBT_PATIENCE + timedelta(minutes=2)
    assert start.statuses == {OrderStatus.IN_DOUBT}
    assert max(start.asked.values()) < MISSES
