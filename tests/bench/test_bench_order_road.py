"""Microseconds per order for the whole road without I/O, and the share of each layer."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from itertools import count

import pytest

from quant_trading_system.core.events import OrderEvent
from quant_trading_system.core.order_state import OrderStatus, OrderTrigger
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.journal.store import MemoryJournal
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.system import TradingSystem
from tests.support.road import NOON, account, order, quiet_venue

ROUNDS = 2_000
BUY, SELL = OrderSide.BUY, OrderSide.SELL


class Road:
    """Buys and sells one share in turn, on top of a position that stays open."""

    def __init__(self, symbols: int = 1, past_orders: int = 0) -> None:
        self.system, self.venue = account(symbols)
        self._count = 0
        asyncio.run(self._send(BUY, past_orders + 50))

    async def _send(self, side: OrderSide, times: int) -> None:
        for _ in range(times):
            await self.system.orders.submit(order("S0000", side))
            self.venue.run_until(NOON)

    def once(self) -> None:
        """One order down the whole road, to its fill and back into the books."""
        self._count += 1
        coroutine = self._send(BUY if self._count % 2 else SELL, 1)
        try:
            coroutine.send(None)  # nothing on this road waits, so no event loop is needed
        except StopIteration:
            return
        raise AssertionError("the road without I/O waited for something")


@pytest.mark.parametrize("symbols", [1, 500, 5_000])
def test_whole_road_by_symbols(benchmark, symbols):
    """Flat: no scan of anything that grows with the universe."""
    benchmark.group = "order road by symbols"
    benchmark.pedantic(Road(symbols).once, rounds=ROUNDS, warmup_rounds=200)


@pytest.mark.parametrize("past", [10, 10_000])
def test_whole_road_by_past_orders(benchmark, past):
    """Flat: finished orders cost nothing."""
    benchmark.group = "order road by past orders"
    benchmark.pedantic(Road(past_orders=past).once, rounds=ROUNDS, warmup_rounds=200)


def test_the_gate_alone(benchmark):
    benchmark.group = "gate"
    road = Road()
    asked = order("S0000", BUY).with_id("what-if")
    benchmark.pedantic(lambda: road.system.checker.check_order(asked), rounds=ROUNDS, warmup_rounds=200)


def test_share_of_each_layer(capsys):
    """Each layer on its own, with the work that one order gives it, beside the whole."""
    road = Road()
    whole = _median(road.once)
    parts = {
        "making the order": _median(lambda: order("S0000", BUY)),
        "gate": _gate(road.system),
        "journal": _journal(road.system),
        "books": _books(),
        "venue": _venue(),
    }
    with capsys.disabled():
        print(f"\nwhole road, one order: {whole:6.1f} us")
        for name, cost in parts.items():
            print(f"  {name:<18} {cost:6.1f} us  {cost / whole:5.0%}")
        rest = whole - sum(parts.values())
        print(f"  {'order manager, rest':<18} {rest:5.1f} us  {rest / whole:5.0%}")
    assert 0 < sum(parts.values()) < 2 * whole


def test_share_of_each_check(capsys):
    """What each question of the gate costs, dearest first, beside the whole gate."""
    checker = Road().system.checker
    asked = order("S0000", BUY).with_id("what-if")
    case = checker.case_of(asked)
    checker._gather(case)
    costs = {row.rule.value: _quantiles(lambda row=row: row.check(case)) for row in checker._checklist.questions}
    parts = {"whole gate": _quantiles(lambda: checker.check_order(asked)), **costs}
    with capsys.disabled():
        print("\n                               p50      p99")
        for name, (half, most) in sorted(parts.items(), key=lambda part: -part[1][0]):
            print(f"  {name:<26} {half:6.2f}   {most:6.2f} us")
    assert max(half for half, _ in costs.values()) < parts["whole gate"][0]


def _quantiles(work: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile of single runs, microseconds."""
    spans = sorted(_spans(work))
    return spans[len(spans) // 2] / 1000, spans[len(spans) * 99 // 100] / 1000


def _gate(system: TradingSystem) -> float:
    asked = order("S0000", BUY).with_id("what-if")
    return _median(lambda: system.checker.check_order(asked))


def _journal(system: TradingSystem) -> float:
    """The entries that the last order left, appended once more."""
    events = [entry.event for entry in system.ports.journal.about(system.orders.orders()[-1].order_id)]  # type: ignore[attr-defined]
    journal = MemoryJournal()

    def append() -> None:
        for event in events:
            journal.append(event)

    return _median(append)


def _books() -> float:
    portfolio, price = Portfolio(Decimal(1_000_000)), Decimal("100.01")
    portfolio.mark("S", price)

    def book() -> None:
        portfolio.reserve("o", "S", Decimal(1), price)
        portfolio.apply_fill("o", "S", Decimal(1), price, Decimal(0))
        portfolio.release("o", "S")

    return _median(book)


def _venue() -> float:
    """From the request to the fill, on top of a position that stays open."""
    venue, numbers = quiet_venue(), count()
    asked = {side: order("S0000", side) for side in (BUY, SELL)}
    for _ in range(50):
        venue.submit(_numbered(asked[BUY], next(numbers)))
        venue.run_until(NOON)

    def trade() -> None:
        number = next(numbers)
        venue.submit(_numbered(asked[SELL if number % 2 else BUY], number))
        venue.run_until(NOON)

    return _median(trade)


def _numbered(asked: Order, number: int) -> Order:
    return asked.with_id(f"venue-{number}")


def _median(work: Callable[[], object]) -> float:
    """Median microseconds of many single runs."""
    return statistics.median(_spans(work)) / 1000


def _spans(work: Callable[[], object]) -> list[int]:
    """Nanoseconds of each of many single runs."""
    for _ in range(200):
        work()
    spans = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        work()
        spans.append(time.perf_counter_ns() - begin)
    return spans


def test_the_layers_measured_are_those_of_a_real_order():
    """The journal share is that of a whole life: sent, accepted, filled."""
    road = Road()
    road.once()
    told = road.system.ports.journal.about(road.system.orders.orders()[-1].order_id)  # type: ignore[attr-defined]
    events = [entry.event for entry in told if isinstance(entry.event, OrderEvent)]
    assert [event.trigger for event in events] == [OrderTrigger.SEND, OrderTrigger.ACCEPT, OrderTrigger.FILL_LAST]
    assert events[-1].status is OrderStatus.FILLED
