"""Fill rate, slippage, latency, rejection rate: worked cases, and nothing at all where there was no order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.decisions import ExecutionPlan, Rejection
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.execution.order_store import OrderRecord
from quant_trading_system.execution.quality import QualityNumbers, measure
from tests.support.desk import Account
from tests.support.market import NOON
from tests.support.orders import buy, order, sell

D = Decimal
S = OrderStatus


def record(
    quantity: int, filled: int, status: OrderStatus, *, latency_ms: int | None = None, side: str = "buy"
) -> OrderRecord:
    found = OrderRecord(order(side, quantity, client_order_id="a-1"), D(quantity))
    found.status, found.filled, found.sent_at = status, D(filled), NOON
    if latency_ms is not None:
        found.acknowledged_at = NOON + timedelta(milliseconds=latency_ms)
    return found


def traded(side: str, expected: str, price: str, quantity: int = 100) -> OrderRecord:
    found = record(quantity, quantity, S.FILLED, side=side)
    found.expected_price = D(expected)
    found.filled_value = D(price) * quantity
    return found


FIVE_ORDERS = [
    record(100, 100, S.FILLED, latency_ms=30),
    record(200, 200, S.FILLED, latency_ms=50),
    record(300, 0, S.REJECTED, latency_ms=10),
    record(400, 100, S.CANCELED, latency_ms=40),
    record(50, 50, S.FILLED, latency_ms=70),
]


def test_the_rates_and_latencies_of_the_five_orders_of_case_1():
    """Filled completely 3 of 5; 450 of 1 050 shares; one refused; nearest-rank percentiles."""
    numbers = measure(FIVE_ORDERS)
    assert numbers.fill_rate == D("0.6")
    assert numbers.quantity_fill_rate == D("0.428571")
    assert numbers.rejection_rate == D("0.2")
    assert (numbers.latency_ms, numbers.latency_p95_ms) == (D(40), D(70))
    assert (numbers.orders, numbers.submitted, numbers.filled) == (5, 5, 3)
    assert numbers.rejections == {"broker": 1}


SLIPPAGE = """
side   expected   filled   dollars a share   basis points
buy    50.00      50.03    0.03              6
sell   50.00      50.03    -0.03             -6            # better than expected is negative, never cut off
sell   12.40      12.31    0.09              72.580645
buy    12.40      12.31    -0.09             -72.580645
buy    50.00      50.00    0                 0
"""


@pytest.mark.parametrize("line", SLIPPAGE.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].rstrip())
def test_slippage_of_case_2_is_a_cost_when_positive_on_either_side(line):
    side, expected, price, dollars, basis_points = line.partition("#")[0].split()
    numbers = measure([traded(side, expected, price)])
    assert numbers.slippage_usd == D(dollars) * 100
    assert numbers.slippage == D(basis_points)


def test_slippage_of_several_orders_is_weighted_by_value():
    """3 dollars on 5 000 and -1 dollar on 1 000: 2 dollars on 6 000."""
    numbers = measure([traded("buy", "50.00", "50.03"), traded("sell", "10.00", "10.01")])
    assert (numbers.slippage_usd, numbers.slippage) == (D(2), D("3.333333"))


def test_an_order_without_an_expected_price_says_nothing_about_slippage():
    unknown = record(100, 100, S.FILLED)
    unknown.filled_value = D(5000)
    assert measure([unknown]).slippage is None
    assert measure([unknown, traded("buy", "50.00", "50.03")]).slippage == 6


def test_where_there_was_no_order_there_is_no_rate():
    """Neither 0 nor 100 %."""
    assert measure([]) == QualityNumbers(
        orders=0,
        submitted=0,
        filled=0,
        fill_rate=None,
        quantity_fill_rate=None,
        rejection_rate=None,
        slippage=None,
        slippage_usd=D(0),
        latency_ms=None,
        latency_p95_ms=None,
        rejections={},
    )


def test_an_order_that_never_left_counts_in_no_fill_rate():
    numbers = measure([record(100, 0, S.UNSENT), record(100, 100, S.FILLED)])
    assert (numbers.orders, numbers.submitted, numbers.fill_rate) == (2, 1, D(1))


def test_refusals_are_counted_by_the_rule_that_refused():
    account = Account()
    assert isinstance(account.submit(buy(500)), Rejection)
    assert isinstance(account.submit(buy(600)), Rejection)
    assert isinstance(account.submit(sell(1)), Rejection)
    account.broker.answers.append("reject")
    account.submit(buy(1))
    account.submit(buy(1))
    numbers = measure(account.orders.orders())
    assert numbers.rejections == {"broker": 1, "max_position_pct": 2, "sell_within_held": 1}
    assert (numbers.orders, numbers.submitted, numbers.rejection_rate) == (5, 2, D("0.8"))


def test_an_order_in_doubt_has_no_latency_yet():
    numbers = measure([record(100, 0, S.IN_DOUBT), record(100, 100, S.FILLED, latency_ms=20)])
    assert (numbers.latency_ms, numbers.latency_p95_ms) == (D(20), D(20))


def test_the_numbers_of_a_real_order():
    """The mid at the decision is 100.00; bought at 100.03 and 100.05."""
    account = Account()
    plan = ExecutionPlan(choice="market", why="a test", urgency=D(1), expected_price=D(100))
    asyncio.run(account.orders.submit(buy(40), plan=plan))
    account.broker.fill("run-1-0", 30, "100.03")
    account.broker.fill("run-1-0", 10, "100.05")
    numbers = measure(account.orders.orders())
    assert numbers.slippage_usd == D("1.40")
    assert numbers.slippage == D("3.5")
    assert numbers.fill_rate == 1


@pytest.mark.parametrize(
    ("count", "median", "p95"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (4, 2, 4), (20, 10, 19), (21, 11, 20)]
)
def test_percentiles_are_nearest_rank(count, median, p95):
    numbers = measure([record(1, 1, S.FILLED, latency_ms=ms) for ms in range(count, 0, -1)])
    assert (numbers.latency_ms, numbers.latency_p95_ms) == (D(median), D(p95))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(OrderSide)),
            st.decimals("1", "500", places=4),
            st.decimals("1", "500", places=4),
            st.integers(1, 1000),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_slippage_in_dollars_is_what_was_paid_more_than_expected(trades):
    records = [traded(side.value, str(expected), str(price), quantity) for side, expected, price, quantity in trades]
    paid = sum(side.sign * (price - expected) * quantity for side, expected, price, quantity in trades)
    assert measure(records).slippage_usd == paid
