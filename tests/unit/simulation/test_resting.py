"""At how many of the coming steps an order does nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.resting import Path, follow, quiet_steps

D = Decimal
BUY, SELL = OrderSide.BUY, OrderSide.SELL
LIMIT, STOP, STOP_LIMIT, TRAILING = OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP
AT = datetime(2025, 3, 3, 15, tzinfo=UTC)


def path(*last: str, spread: str = "0.02") -> Path:
    middle = np.array([int(D(price) * 1_000_000) for price in last], dtype=np.int64)
    half = int(D(spread) * 500_000)
    return Path(middle, middle - half, middle + half)


def resting(side: OrderSide, kind: OrderType, in_force: TimeInForce = TimeInForce.DAY, **prices: Decimal) -> LiveOrder:
    order = Order(symbol="KO", side=side, quantity=D(5), order_type=kind, time_in_force=in_force, **prices)
    live = LiveOrder(order, 1, "v-1", AT, AT, status=OrderStatus.WORKING, stop=order.stop_price)
    live.rested = kind is LIMIT
    return live


def steps(live: LiveOrder, prices: Path, *, through: bool = False) -> int:
    return quiet_steps(live, prices, through=through)


@pytest.mark.parametrize(
    ("side", "limit", "last", "touch", "through"),
    [
        (BUY, "9.99", ("10.10", "10.00", "9.97", "9.95"), 2, 2),  # asks 10.11, 10.01, 9.98, 9.96
        (BUY, "9.98", ("10.10", "10.00", "9.97", "9.95"), 2, 3),
        (BUY, "9.95", ("10.10", "10.00", "9.97", "9.95"), 4, 4),
        (SELL, "10.01", ("9.90", "10.00", "10.03", "10.05"), 2, 2),  # bids 9.89, 9.99, 10.02, 10.04
        (SELL, "10.02", ("9.90", "10.00", "10.03", "10.05"), 2, 3),
        (SELL, "10.05", ("9.90", "10.00", "10.03", "10.05"), 4, 4),
    ],
)
def test_a_limit_rests_until_the_other_side_reaches_it(side, limit, last, touch, through):
    live = resting(side, LIMIT, limit_price=D(limit))
    assert steps(live, path(*last)) == touch
    assert steps(live, path(*last), through=True) == through


@pytest.mark.parametrize(
    ("side", "stop", "last", "quiet"),
    [
        (BUY, "10.05", ("10.00", "10.04", "10.05", "9.00"), 2),
        (BUY, "10.06", ("10.00", "10.04", "10.05", "9.00"), 4),
        (SELL, "9.95", ("10.00", "9.96", "9.95", "11.00"), 2),
        (SELL, "9.94", ("10.00", "9.96", "9.95", "11.00"), 4),
    ],
)
@pytest.mark.parametrize("kind", [STOP, STOP_LIMIT])
def test_a_stop_rests_until_a_trade_reaches_it(side, stop, last, quiet, kind):
    prices = {"stop_price": D(stop)} | ({"limit_price": D(stop)} if kind is STOP_LIMIT else {})
    assert steps(resting(side, kind, **prices), path(*last)) == quiet


@pytest.mark.parametrize(
    ("side", "trail", "last"),
    [
        (SELL, {"trail_price": D("0.50")}, ("10.00", "10.40", "10.20", "9.95", "9.89", "9.00")),
        (SELL, {"trail_percent": D(5)}, ("10.00", "10.40", "10.20", "9.95", "9.87", "9.00")),
        (BUY, {"trail_price": D("0.50")}, ("10.00", "9.60", "9.80", "10.05", "10.11", "11.00")),
        (BUY, {"trail_percent": D(5)}, ("10.00", "9.60", "9.80", "10.05", "10.09", "11.00")),
    ],
)
def test_a_trailing_stop_is_never_passed_by_and_follows_what_was_passed_over(side, trail, last):
    live, stepped = (resting(side, TRAILING, **trail) for _ in range(2))
    for one in (live, stepped):
        one.follow(D("10.00"))
    quiet = steps(live, path(*last))
    assert quiet == 4
    follow(live, path(*last[:quiet]))
    for price in last[:quiet]:
        stepped.follow(D(price))
    assert (live.high_water_mark, live.stop) == (stepped.high_water_mark, stepped.stop)


def test_a_trailing_stop_that_has_seen_no_trade_is_not_at_rest():
    assert steps(resting(SELL, TRAILING, trail_price=D(1)), path("10.00")) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"status": OrderStatus.SENT},
        {"cancel_requested_at": AT},
        {"replaced_by": 2},
        {"rested": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_order_of_which_something_is_to_come_is_not_at_rest(change):
    live = resting(BUY, LIMIT, limit_price=D(5))
    assert steps(live, path("10.00", "10.00")) == 2
    for name, value in change.items():
        setattr(live, name, value)
    assert steps(live, path("10.00", "10.00")) == 0


def test_a_market_order_that_finds_nothing_is_not_at_rest():
    assert steps(resting(BUY, OrderType.MARKET), path("10.00")) == 0


def test_orders_for_auctions_wait_for_them():
    closing = resting(SELL, OrderType.MARKET, TimeInForce.CLS)
    assert steps(closing, path("10.00", "10.00")) == 2
    opening = resting(SELL, OrderType.MARKET, TimeInForce.OPG)
    assert steps(opening, path("10.00", "10.00")) == 0
    opening.status = OrderStatus.HELD
    assert steps(opening, path("10.00", "10.00")) == 2


def test_of_the_exits_that_wait_only_the_stop_looks_at_prices():
    profit, loss = resting(SELL, LIMIT, limit_price=D(11)), resting(SELL, STOP, stop_price=D("9.50"))
    for leg in (profit, loss):
        leg.passive, leg.status = True, OrderStatus.HELD
    assert steps(profit, path("10.00", "12.00", "9.00")) == 3
    assert steps(loss, path("10.00", "12.00", "9.00")) == 2
