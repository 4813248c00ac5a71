"""Execution algorithms: one step, a whole day of VWAP in virtual time, and a thousand parents at once."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.algo.advice import USUAL_PROFILE, PlanRequest
from quant_trading_system.execution.algo.almgren_chriss import ShortfallProblem, optimal_trajectory
from quant_trading_system.execution.algo.parent import Algorithm, ParentLimits, ParentOrder, ParentState, ParentStatus
from quant_trading_system.execution.algo.planner import plan_execution
from quant_trading_system.execution.algo.profile import VolumeForecast
from quant_trading_system.execution.algo.schedule import twap_schedule, weighted_schedule
from quant_trading_system.market.quotes import Quote
from quant_trading_system.trading.system import TradingSystem
from tests.support.algo_desk import CLOSE, MINUTE, OPEN, SECOND, SESSION, Desk, twap_parent
from tests.support.desk import UNHURRIED, limits_with
from tests.support.road import account

D = Decimal
SIX_HOURS = 360 * MINUTE


def vwap_parent(number: int = 0) -> ParentOrder:
    """Six hours in slices of five minutes."""
    fractions = USUAL_PROFILE.between(SESSION, OPEN, OPEN + SIX_HOURS, 72)
    return ParentOrder(
        parent_id=f"run-{number}", symbol=f"S{number:04}", side=OrderSide.BUY, quantity=D(72_000),
        algorithm=Algorithm.VWAP, start=OPEN, end=OPEN + SIX_HOURS, seed=number,
        schedule=weighted_schedule(D(72_000), OPEN, OPEN + SIX_HOURS, fractions),
        forecast=VolumeForecast(expected=tuple(D(int(part * 10_000_000)) for part in fractions)),
        limits=ParentLimits(participation=D("0.2")),
    )  # fmt: skip


def walk(order: ParentOrder) -> Desk:
    """The parent from start to end; every slice escalates."""
    desk = Desk(order)
    desk.run(CLOSE, passive_fills=False, volume_per_minute=30_000)
    assert desk.state.status is ParentStatus.COMPLETED
    return desk


def test_a_vwap_of_six_hours(benchmark):
    benchmark.group = "parents"
    desk = benchmark.pedantic(walk, args=(vwap_parent(),), rounds=5, warmup_rounds=1)
    benchmark.extra_info["steps"] = desk.steps


def test_a_thousand_parents_at_once(benchmark):
    """One step of each in turn, minute by minute, for an hour."""
    benchmark.group = "parents"

    def run() -> list[Desk]:
        desks = [Desk(vwap_parent(number)) for number in range(1_000)]
        for _ in range(60):
            for desk in desks:
                desk.volume += 30_000
                for action in desk.after(MINUTE).actions:
                    if hasattr(action, "order"):
                        desk.step(desk.fill(action.order.client_order_id))
        return desks

    desks = benchmark.pedantic(run, rounds=1)
    assert all(desk.traded > 0 for desk in desks)
    benchmark.extra_info["steps"] = sum(desk.steps for desk in desks)


def test_a_plan_of_all_alternatives(benchmark):
    benchmark.group = "planning"
    asked = PlanRequest(
        symbol="KO", side=OrderSide.BUY, quantity=D(100_000), mid=D(60), spread=D("0.02"), daily_volume=D(12_000_000),
        volatility=D("0.015"), now=OPEN, session=SESSION,
    )  # fmt: skip
    benchmark(plan_execution, asked)


def test_a_schedule_of_almgren_and_chriss(benchmark):
    benchmark.group = "planning"
    problem = ShortfallProblem(
        quantity=1e6, horizon=5.0, slices=78, volatility=0.95, temporary=2.5e-6, permanent=2.5e-7, risk_aversion=1e-6
    )
    benchmark(optimal_trajectory, problem)


def test_a_thousand_parents_in_one_engine(benchmark):
    """Twenty minutes of a thousand TWAPs through gate, order manager, venue and journal, a look every ten seconds."""
    benchmark.group = "parents"
    limits = limits_with(**UNHURRIED, max_open_orders_per_symbol=100, max_gross_exposure=D(1))

    def run() -> TradingSystem:
        system, venue = account(20, limits)
        clock, board = system.ports.clock, system.ports.quotes
        start = clock.now()
        for number in range(1_000):
            order = twap_parent("8", 4, 20, symbol=f"S{number % 20:04}", start=start, end=start + 20 * MINUTE,
                                schedule=twap_schedule(D(8), start, start + 20 * MINUTE, 4))  # fmt: skip
            assert isinstance(system.desk.start(order), ParentState)
        for tick in range(1, 125):
            clock.move_to(start + tick * 10 * SECOND)
            for symbol in system.universe:
                now = clock.now()
                quote = Quote(symbol, D("99.99"), D("100.01"), now, now, D(100), source="bench", sequence=tick)
                board.publish(quote)
            venue.run_until(clock.now())
            asyncio.run(system.engine.on_step())
        return system

    system = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["children"] = system.orders.count
    assert system.desk.is_idle
    assert sum(position.quantity for position in system.portfolio.positions.values()) == 8_000
