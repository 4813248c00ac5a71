"""Pure rules of matching, as tables."""

from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.matching import (
    available,
    elected,
    fill_price,
    marketable,
    shares_for,
    sub_penny,
    trail,
    whole_or_fraction,
)


def rows(table):
    return [line.split("#")[0].split() for line in table.strip().splitlines()[1:]]


def number(text):
    return None if text == "-" else Decimal(text)


MARKETABLE = """
side  limit  opposite  touch  through
buy   100    99.99     yes    yes
buy   100    100       yes    no
buy   100    100.01    no     no
sell  100    100.01    yes    yes
sell  100    100       yes    no
sell  100    99.99     no     no
"""


@pytest.mark.parametrize(("side", "limit", "opposite", "touch", "through"), rows(MARKETABLE))
def test_a_limit_order_trades_on_touch_or_only_when_the_quote_goes_through(side, limit, opposite, touch, through):
    terms = OrderSide(side), Decimal(limit), Decimal(opposite)
    assert marketable(*terms) is (touch == "yes")
    assert marketable(*terms, through=True) is (through == "yes")


ELECTED = """
side  stop  last    elected
buy   100   99.99   no
buy   100   100     yes
buy   100   107     yes
sell  100   100.01  no
sell  100   100     yes
sell  100   93      yes
"""


@pytest.mark.parametrize(("side", "stop", "last", "yes"), rows(ELECTED))
def test_a_stop_is_set_off_by_the_last_trade(side, stop, last, yes):
    assert elected(OrderSide(side), Decimal(stop), Decimal(last)) is (yes == "yes")


TRAIL = """
side  mark  last    price  percent  mark_after  stop
sell  -     100     1.50   -        100         98.50
sell  100   104     1.50   -        104         102.50
sell  104   101     1.50   -        104         102.50   # falls back: nothing moves
sell  100   103.33  -      2.5      103.33      100.74   # 100.74675 away from the market
buy   -     100     1.50   -        100         101.50
buy   100   96      1.50   -        96          97.50
buy   96    99      1.50   -        96          97.50
buy   100   96.66   -      2.5      96.66       99.08    # 99.0765 away from the market
"""


@pytest.mark.parametrize(("side", "mark", "last", "price", "percent", "mark_after", "stop"), rows(TRAIL))
def test_a_trailing_stop_follows_the_best_price(side, mark, last, price, percent, mark_after, stop):
    moved = trail(
        OrderSide(side), number(mark), Decimal(last), trail_price=number(price), trail_percent=number(percent)
    )
    assert moved == (Decimal(mark_after), Decimal(stop))


PRICES = """
side  price    adverse  limit  result
buy   100.02   0        -      100.02
buy   100.02   0.001    -      100.03    # up to the tick
buy   100.02   0.05     100.05 100.05    # never beyond the limit
buy   99.50    0        100    99.50     # price improvement
buy   0.5001   0.00001  -      0.5002    # below a dollar the tick is finer
sell  99.98    0        -      99.98
sell  99.98    0.001    -      99.97
sell  99.98    0.05     99.95  99.95
sell  100.50   0        100    100.50
sell  0.0002   0.5      -      0.0001    # a price is never zero
"""


@pytest.mark.parametrize(("side", "price", "adverse", "limit", "result"), rows(PRICES))
def test_executions_are_on_the_tick_and_within_the_limit(side, price, adverse, limit, result):
    assert fill_price(OrderSide(side), Decimal(price), Decimal(adverse), number(limit)) == Decimal(result)


AVAILABLE = """
wanted  budget  fractional  result
100     -       no          100
100     100     no          100
100     37.9    no          37
100     0.9     no          0
100     -5      no          0
1.5     0.7     yes         0.7
"""


@pytest.mark.parametrize(("wanted", "budget", "fractional", "result"), rows(AVAILABLE))
def test_the_budget_of_a_step_bounds_what_trades(wanted, budget, fractional, result):
    assert available(Decimal(wanted), number(budget), fractional=fractional == "yes") == Decimal(result)


def test_dollars_become_shares_cut_to_nine_decimals():
    assert shares_for(Decimal(100), Decimal(3)) == Decimal("33.333333333")
    assert whole_or_fraction(Decimal("2.9999999999"), fractional=True) == Decimal("2.999999999")
    assert whole_or_fraction(Decimal("2.99"), fractional=False) == 2


@pytest.mark.parametrize(
    ("price", "off"),
    [("1", False), ("290.10", False), ("290.100", False), ("290.101", True), ("0.1234", False), ("0.12345", True)],
)
def test_sub_penny_prices(price, off):
    assert sub_penny(Decimal(price)) is off
