"""Whole workloads beside bare loops; orders, fills and equity must agree, so that nobody is fast by doing less.

Sizes are small ones unless `--full` is given: `make bench ARGS="-k workloads --full"`.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from tests.support import bare_loops
from tests.support.road import NOON, account
from tests.support.workloads import (
    PAST,
    EmaCross,
    EmaCrossVector,
    EveryBar,
    Protected,
    cents,
    heard,
    prices,
    quote_pairs,
    swept,
    told,
    traded,
)


@pytest.mark.parametrize(("fast", "slow", "seed"), [(10, 20, 1)])
def test_w1_ema_cross_of_one_symbol(against, size, fast, slow, seed):
    """A million minute bars, fees, one symbol."""
    bars = size(20_000, 1_000_000)
    history = prices(bars, seed=seed)
    rows = cents(history)
    done = against(
        lambda: told(traded(EmaCross(fast, slow), history)),
        lambda: bare_loops.crosses(rows, fast, slow), units=bars, unit="bar",
    )  # fmt: skip
    assert done.ours == done.bare


@pytest.mark.parametrize(("fast", "slow", "seed"), [(10, 20, 1)])
def test_w1v_ema_cross_that_is_asked_once(against, size, fast, slow, seed):
    """The bars, orders and equity of W1; the strategy says for all bars at once what it wants."""
    bars = size(20_000, 1_000_000)
    history = prices(bars, seed=seed)
    rows = cents(history)
    done = against(
        lambda: told(traded(EmaCrossVector(fast, slow), history)),
        lambda: bare_loops.crosses(rows, fast, slow), units=bars, unit="bar",
    )  # fmt: skip
    assert done.ours == done.bare


@pytest.mark.parametrize(("fast", "slow", "seed"), [(10, 20, 2)])
def test_w2_ema_cross_of_a_hundred_symbols(against, size, fast, slow, seed):
    """A hundred symbols of ten thousand bars each in one portfolio."""
    bars = size(200, 10_000)
    history = prices(bars, 100, seed=seed)
    rows = cents(history)
    done = against(
        lambda: told(traded(EmaCross(fast, slow), history)),
        lambda: bare_loops.crosses(rows, fast, slow), units=bars * 100, unit="bar",
    )  # fmt: skip
    assert done.ours == done.bare


def test_w3_a_market_order_on_every_bar(against, size):
    """A hundred thousand orders through the full gate."""
    bars = size(3_000, 100_000)
    history = prices(bars, seed=3)
    rows = cents(history)
    done = against(
        lambda: told(traded(EveryBar(bars), history)),
        lambda: bare_loops.every_bar(rows), units=bars, unit="order",
    )  # fmt: skip
    assert done.ours == done.bare


def test_w3b_limits_that_rest_and_are_cancelled(against, size):
    """Each rests far from the market, until it is cancelled."""
    orders = size(3_000, 50_000)  # with its cancels as many messages as the highest limit lets pass at one moment
    system, venue = account()
    far = Order(
        symbol="S0000", side=OrderSide.BUY, quantity=Decimal(1), order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, limit_price=Decimal("99.00"), repeat=True,
    )  # fmt: skip

    async def place_and_cancel() -> int:
        cancelled = 0
        for _ in range(orders):
            placed = await system.orders.submit(far)
            venue.run_until(NOON)
            await system.orders.cancel(placed.order_id)
            venue.run_until(NOON)
            cancelled += system.orders.order(placed.order_id).status.name == "CANCELED"
        return cancelled

    done = against(
        lambda: asyncio.run(place_and_cancel()), lambda: bare_loops.resting(orders), units=orders, unit="order"
    )
    assert done.ours == done.bare == orders


def test_w4_a_stop_that_rests_out_of_reach(against, size):
    """A position of which every step of the market could be the last."""
    bars = size(20_000, 1_000_000)
    history = prices(bars, seed=5)
    rows, stop = cents(history), int(history.close_micros.min()) // 20_000
    done = against(
        lambda: told(traded(Protected(Decimal(stop) / 100), history)),
        lambda: bare_loops.protected(rows, stop),
        units=bars,
        unit="bar",
    )
    assert done.ours == done.bare


def test_w5_quotes_to_a_strategy_that_does_nothing(against, size):
    """Each quote is published, and the engine takes its step."""
    pairs = quote_pairs(size(5_000, 1_000_000))
    done = against(heard(pairs), lambda: bare_loops.quotes(pairs), units=len(pairs), unit="quote")
    assert done.ours == done.bare


@pytest.mark.parametrize("jobs", [1, 2])
def test_w7_a_sweep_of_parameter_pairs(against, size, jobs):
    """A hundred pairs of means over the same bars, each a whole backtest with a journal."""
    many, bars = size(5, 10), size(2_000, 100_000)
    history = prices(bars, seed=4)
    rows = (history.close_micros // 10_000).tolist()  # a sweep trades from the first day on
    fasts, slows = range(5, 5 + many), range(20, 20 + many)
    done = against(
        lambda: swept(history, fasts, slows, jobs=jobs),
        lambda: [bare_loops.crosses(rows, fast, slow) for fast in fasts for slow in slows],
        units=(PAST + bars) * many * many,
        unit="bar",
    )
    assert done.ours == done.bare
