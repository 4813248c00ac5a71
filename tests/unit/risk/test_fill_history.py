"""What past fills mean for the next order: settlement, day trades, and results of the day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import FillCorrected, FillEvent
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.risk import fill_history
from quant_trading_system.risk.fill_history import FillHistory, settlement_date
from tests.support.market import moment

D = Decimal
NYSE = TradingCalendar.nyse(date(2023, 9, 1), date(2024, 12, 31))
DAY = timedelta(days=1)


class Fills:
    """Fills one after the other, with the position that they make."""

    def __init__(self, start: str = "2024-01-08T15:00") -> None:
        self.clock = ManualClock(moment(start))
        self.history = FillHistory(NYSE, self.clock)
        self.held: dict[str, Decimal] = {}

    def fill(
        self, quantity: int, price: str = "10", *, symbol: str = "KO", realized: str = "0", fee: str = "0"
    ) -> None:
        """Positive buys, negative sells."""
        symbol = "KO"
        self.held[symbol] = self.held.get(symbol, D(0)) + quantity
        self.history.take(
            FillEvent(
                at=self.clock.now(),
                order_id="o",
                execution_id="e",
                symbol=symbol,
                side=OrderSide.BUY if quantity > 0 else OrderSide.SELL,
                quantity=D(abs(quantity)),
                price=D(price),
                cumulative_quantity=D(abs(quantity)),
                fee=D(fee),
                position_quantity=self.held[symbol],
                realized_pnl=D(realized),
                strategy="Trend",
            )
        )

    def go(self, moment_text: str) -> None:
        self.clock.move_to(moment(moment_text))


@pytest.mark.parametrize(
    ("traded", "settles"),
    [
        (date(2024, 1, 8), date(2024, 1, 9)),
        (date(2024, 1, 5), date(2024, 1, 8)),  # over a weekend
        (date(2024, 1, 12), date(2024, 1, 16)),  # Martin Luther King Jr. Day
        (date(2024, 10, 11), date(2024, 10, 15)),  # Columbus Day: the exchange trades, nothing settles
        (date(2024, 10, 14), date(2024, 10, 15)),
        (date(2024, 11, 8), date(2024, 11, 12)),  # Veterans Day
    ],
)
def test_a_trade_settles_on_the_next_business_day(traded: date, settles: date) -> None:
    assert settlement_date(traded, NYSE) == settles


def test_proceeds_settle_on_the_next_day_and_purchases_bring_none():
    fills = Fills()
    fills.fill(10, "10")
    assert fills.history.unsettled == 0
    fills.fill(-4, "11", fee="0.50")
    assert fills.history.unsettled == D("43.50")
    fills.go("2024-01-08T23:30")
    assert fills.history.unsettled == D("43.50")
    fills.go("2024-01-09T14:30")
    assert fills.history.unsettled == 0


def test_the_proceeds_of_a_friday_settle_on_monday():
    fills = Fills("2024-10-11T15:00")  # before Columbus Day
    fills.fill(10)
    fills.fill(-10, "10")
    fills.go("2024-10-14T15:00")
    assert fills.history.unsettled == 100
    fills.fill(3)
    fills.fill(-3, "10")
    assert fills.history.unsettled == 130
    fills.go("2024-10-15T15:00")
    assert fills.history.unsettled == 0


def test_what_a_correction_adds_is_unsettled_and_what_it_takes_away_stays_so():
    fills = Fills()
    fills.fill(10)
    fills.fill(-10, "10")

    def corrected(quantity: str, price: str) -> None:
        fills.history.take(
            FillCorrected(
                at=fills.clock.now(),
                order_id="o",
                execution_id="e",
                symbol="KO",
                side=OrderSide.SELL,
                was_quantity=D(10),
                was_price=D(10),
                quantity=D(quantity),
                price=D(price),
                realized_pnl=D(5),
                strategy="Trend",
            )
        )

    corrected("10", "12")
    assert fills.history.unsettled == 120
    corrected("0", "0")
    assert fills.history.unsettled == 120
    assert fills.history.realized_today("Trend") == 10


def test_day_trades_count_what_was_closed_and_what_may_have_to_be():
    fills = Fills()
    assert fills.history.day_trades("KO") == 1  # should it be opened and closed
    fills.fill(10)
    assert (fills.history.day_trades("KO"), fills.history.day_trades("PEP")) == (1, 2)
    fills.fill(-10)
    assert (fills.history.day_trades("KO"), fills.history.day_trades("PEP")) == (2, 2)
    fills.fill(10)
    fills.go("2024-01-09T15:00")
    fills.fill(-10)  # held over night: no day trade
    assert fills.history.day_trades("KO") == 2


def test_selling_short_and_covering_on_one_day_is_a_day_trade_and_so_is_one_through_zero():
    fills = Fills()
    fills.fill(-10)
    fills.fill(10)
    assert fills.history.day_trades("KO") == 2
    fills.fill(10)
    fills.fill(-20)  # closes one and opens another
    assert fills.history.day_trades("KO") == 3


def test_a_day_trade_is_forgotten_after_five_sessions():
    fills = Fills("2024-01-08T15:00")
    fills.fill(10)
    fills.fill(-10)
    fills.go("2024-01-12T15:00")  # the fifth session
    counted = fills.history.day_trades("KO")
    fills.go("2024-01-17T15:00")
    assert (counted, fills.history.day_trades("KO")) == (2, 1)


def test_the_results_of_a_day_are_those_of_that_day():
    fills = Fills()
    fills.fill(10, fee="1")
    fills.fill(-10, realized="-30", fee="1")
    assert fills.history.realized_today("Trend") == -32
    assert fills.history.realized_today("Other") == 0
    fills.go("2024-01-09T15:00")
    assert fills.history.realized_today("Trend") == 0


def test_days_beyond_the_window_leave_memory():
    fills = Fills()
    for number in range(30):
        fills.go(f"2024-{2 + number // 28:02}-{1 + number % 28:02}T15:00")
        fills.fill(1)
    assert fills.history.day_trades() == 1
    assert len(fills.history._days) == 6


@pytest.mark.parametrize("step", ["0:20", "29:00"])
def test_fills_that_nobody_asks_about_are_few_and_lose_nothing(monkeypatch, step):
    monkeypatch.setattr(fill_history, "_MOST_WAITING", 7)
    hours, minutes = map(int, step.split(":"))
    lazy, asked = Fills(), Fills()
    for number in range(100):
        for fills in (lazy, asked):
            fills.clock.move_to(fills.clock.now() + timedelta(hours=hours, minutes=minutes))
            fills.fill((1, 2, -3, -1, 1)[number % 5], realized=str(number), fee="0.25")
        assert len(lazy.history._waiting) <= 7
        answer = asked.history.unsettled, asked.history.day_trades("KO"), asked.history.realized_today("Trend")
        assert not asked.history._waiting
    assert answer == (lazy.history.unsettled, lazy.history.day_trades("KO"), lazy.history.realized_today("Trend"))
    assert answer[1] > 0


def test_a_fill_of_a_day_that_no_calendar_knows_changes_nothing():
    fills = Fills()
    fills.clock._now = datetime.fromisoformat("2020-01-06T15:00+00:00")
    fills.fill(-10)
    fills.clock._now = moment("2024-01-08T15:00")
    assert fills.history.unsettled == 0
