"""Regulatory fees: dated rates, rounding against the customer, caps."""

from datetime import date
from decimal import Decimal

import pytest

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.simulation.fees import (
    CONSOLIDATED_AUDIT_TRAIL,
    FINRA_TRADING_ACTIVITY,
    SEC_SECTION_31,
    FeeBreakdown,
    FeeSchedule,
    Rate,
)

BUY, SELL = OrderSide.BUY, OrderSide.SELL
ALPACA = FeeSchedule.alpaca()

CASES = """
side  quantity  price    day          sec     taf    cat
buy   100       50       2023-06-01   0       0      0        # buys were free before the audit trail was billed
sell  100       50       2023-06-01   0.04    0.02   0        # 5000 at 8.00 a million is exactly 4 cents; 1.45 cents up
sell  101       50       2023-06-01   0.05    0.02   0        # 4.04 cents up
sell  100000    10       2023-06-01   8.00    7.27   0        # the cap of the activity fee
sell  50138     10       2023-06-01   4.02    7.27   0        # one share above the last that is below the cap
sell  50137     10       2023-06-01   4.02    7.27   0        # 7.269865 up
sell  1000      200      2023-02-26   4.58    0.15   0        # the last day of 22.90 a million
sell  1000      200      2023-02-27   1.60    0.15   0        # the first day of 8.00
sell  1000      200      2021-12-31   1.02    0.12   0
sell  1000      200      2022-01-01   1.02    0.13   0
sell  1000      200      2025-06-02   0       0.17   0.05     # the SEC charged nothing
buy   1000      200      2025-06-02   0       0      0.05
buy   0.5       200      2025-08-01   0       0      0.01     # a fraction counts as a share
sell  1000      200      2026-05-04   4.12    0.20   0.03
sell  1000      200      1999-05-04   6.66    0.08   0        # before the first dated row
"""


@pytest.mark.parametrize("line", CASES.strip().splitlines()[1:])
def test_what_alpaca_passes_on(line):
    side, quantity, price, day, sec, taf, cat = line.split("#")[0].split()
    fee = ALPACA.fee(OrderSide(side), Decimal(quantity), Decimal(price), date.fromisoformat(day))
    assert fee == FeeBreakdown(Decimal(sec), Decimal(taf), Decimal(cat))
    assert fee.total == Decimal(sec) + Decimal(taf) + Decimal(cat)


def test_a_day_before_the_first_rate_is_charged_at_the_first_rate():
    schedule = FeeSchedule((Rate(date(2020, 1, 1), Decimal("0.001")), Rate(date(2021, 1, 1), Decimal("0.002"))), (), ())
    days = (date(2019, 12, 31), date(2020, 12, 31), date(2021, 1, 1))
    fees = [schedule.fee(SELL, Decimal(10), Decimal(100), day).sec for day in days]
    assert fees == [Decimal(1), Decimal(1), Decimal(2)]


def test_a_cap_is_the_most_that_one_execution_costs():
    schedule = FeeSchedule((), (Rate(date.min, Decimal("0.01"), Decimal("9.79")),), ())
    fees = [schedule.fee(SELL, Decimal(shares), Decimal(1), date(2026, 1, 2)).taf for shares in (978, 979, 980, 9000)]
    assert fees == [Decimal(fee) for fee in ("9.78", "9.79", "9.79", "9.79")]


def test_the_zero_schedule_charges_nothing():
    assert FeeSchedule.zero().fee(SELL, Decimal(10**6), Decimal(1000), date(2024, 6, 3)).total == 0


@pytest.mark.parametrize("table", [SEC_SECTION_31, FINRA_TRADING_ACTIVITY, CONSOLIDATED_AUDIT_TRAIL])
def test_every_table_begins_at_the_beginning_and_rises_in_time(table):
    days = [row.since for row in table]
    assert days[0] == date.min
    assert days == sorted(set(days))
    assert all(row.rate >= 0 and (row.cap is None or row.cap > 0) for row in table)
