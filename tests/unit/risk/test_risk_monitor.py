"""What trips the kill switch by itself: daily loss, drawdown, losing streak; only beyond the limit, with numbers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, RiskEvent, RiskEventKind
from quant_trading_system.core.exceptions import ResetRefused
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from tests.support.desk import Account, hold, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell

D = Decimal


class Watched:
    """100 000 dollars, of which 10 000 are in KO at 100; the monitor watches."""

    def __init__(self, **limits) -> None:
        self.portfolio = Portfolio(D(100_000))
        hold(self.portfolio, "KO", 100, 100)
        self.kill_switch = KillSwitch(latch=MemoryLatch(), clock=ManualClock(NOON))
        self.events: list[RiskEvent] = []
        self.monitor = RiskMonitor(
            limits=limits_with(**limits),
            portfolio=self.portfolio,
            kill_switch=self.kill_switch,
            clock=ManualClock(NOON),
            emit=self.events.append,
        )

    def see_equity(self, dollars: str) -> None:
        """Let the price of KO make equity `dollars`, and let the monitor look."""
        self.portfolio.mark("KO", (D(dollars) - self.portfolio.cash) / 100)
        assert self.portfolio.equity == D(dollars)
        self.monitor.observe()


TRIGGERS = """
day start  peak     equity     trips
100000     100000   95000.01   -
100000     100000   95000      -              # 5 % exactly
100000     100000   94999.99   daily_loss
90000      100000   85500      -              # 5 % of the day's opening equity exactly
90000      100000   85499.99   daily_loss
85000      100000   85000      -              # 15 % of the peak exactly
85000      100000   84999.99   drawdown
100000     100000   84999.99   daily_loss     # both; the day's loss is told first
100000     100000   120000     -
"""


@pytest.mark.parametrize("line", TRIGGERS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_a_limit_trips_only_beyond_it(line):
    day_start, peak, equity, trips = line.partition("#")[0].split()
    watched = Watched()
    watched.portfolio.day_start_equity, watched.portfolio.peak_equity = D(day_start), D(peak)
    watched.portfolio.week_start_equity = watched.portfolio.month_start_equity = D(day_start)
    watched.see_equity(equity)
    assert watched.kill_switch.is_active() is (trips != "-")
    if trips != "-":
        assert watched.kill_switch.state.trigger is HaltTrigger(trips)


def test_the_halt_names_the_rule_with_both_numbers():
    watched = Watched()
    watched.see_equity("94000")
    state = watched.kill_switch.state
    assert state.reason == "max_daily_loss_pct: 6000 is beyond the limit of 5000"
    assert state.numbers == {"max_daily_loss_pct": "6000", "max_daily_loss_pct_limit": "5000", "equity": "94000"}
    assert (state.by, state.level) == ("risk monitor", HaltLevel.HALTED)


def test_the_switch_moves_before_the_breach_is_recorded():
    """A journal that fails must not keep the account from being stopped."""
    watched = Watched()
    recorded_before: list[int] = []
    watched.kill_switch.subscribe(lambda halt: recorded_before.append(len(watched.events)))
    watched.see_equity("94000")
    assert recorded_before == [0]
    breach = watched.events[0]
    assert (breach.reason, breach.rule) == (RiskEventKind.LIMIT_BREACHED, "max_daily_loss_pct")
    assert (breach.actual, breach.limit) == (D(6000), D(5000))
    assert (breach.daily_pnl, breach.current_drawdown) == (D(-6000), D("0.06"))


def test_both_limits_broken_make_one_activation_with_both_numbers():
    watched = Watched()
    watched.see_equity("80000")
    state = watched.kill_switch.state
    assert (state.activation, state.trigger) == (1, HaltTrigger.DAILY_LOSS)
    assert {"max_daily_loss_pct", "max_drawdown_pct"} <= set(state.numbers)
    assert "; max_drawdown_pct: 20000 is beyond the limit of 15000" in state.reason


def test_a_breach_is_told_once_however_often_the_market_moves():
    watched = Watched()
    for equity in ("94000", "93000", "92000"):
        watched.see_equity(equity)
    assert [event.rule for event in watched.events] == ["max_daily_loss_pct"]


def test_the_level_of_an_automatic_halt_is_a_limit_too():
    watched = Watched(halt_level=HaltLevel.REDUCING)
    watched.see_equity("94000")
    assert watched.kill_switch.level is HaltLevel.REDUCING


def test_a_person_s_halt_is_not_softened_by_a_trigger():
    watched = Watched(halt_level=HaltLevel.REDUCING)
    watched.kill_switch.activate("by hand", level=HaltLevel.HALTED)
    watched.see_equity("94000")
    assert watched.kill_switch.level is HaltLevel.HALTED
    assert watched.kill_switch.reason.startswith("by hand; max_daily_loss_pct")


def test_the_peak_only_rises():
    watched = Watched()
    for equity in ("101000", "104000", "102000"):
        watched.see_equity(equity)
    assert watched.portfolio.peak_equity == D(104_000)
    assert watched.portfolio.drawdown == D(2000)


# -- deposits and withdrawals --------------------------------------------------------------------------------------


def test_a_deposit_does_not_hide_a_loss():
    watched = Watched()
    watched.portfolio.move_cash(D(50_000))
    watched.see_equity("142499.99")  # the limit is 5 % of 150 000
    assert watched.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS
    assert watched.kill_switch.state.numbers["max_daily_loss_pct"] == "7500.01"


def test_a_withdrawal_trips_nothing():
    watched = Watched()
    watched.portfolio.move_cash(D(-40_000))
    watched.monitor.observe()
    assert not watched.kill_switch.is_active()
    assert watched.events == []
    assert (watched.portfolio.daily_pnl, watched.portfolio.drawdown) == (ZERO, ZERO)


def test_profit_and_loss_of_a_day_with_a_withdrawal():
    """500 000.00 at the prior close, 489 250.00 now, 8 000.00 withdrawn: a loss of 2 750.00, which is 0.55 %."""
    portfolio = Portfolio(D("500000.00"))
    hold(portfolio, "KO", 1000, 100)
    portfolio.move_cash(D("-8000.00"))
    portfolio.mark("KO", D("97.25"))
    assert portfolio.equity == D("489250.00")
    assert portfolio.daily_pnl == D("-2750.00")


# -- days ------------------------------------------------------------------------------------------------------------


def test_a_new_day_begins_at_zero_and_keeps_the_peak():
    watched = Watched(max_rapid_loss_pct=D(1))
    watched.see_equity("104000")
    watched.see_equity("100000")
    watched.monitor.close_day()
    watched.monitor.open_day()
    assert (watched.portfolio.daily_pnl, watched.portfolio.drawdown) == (ZERO, D(4000))
    closed, opened = watched.events
    assert (closed.reason, closed.day_start_equity) == (RiskEventKind.DAY_CLOSED, D(100_000))
    assert (opened.reason, opened.day_start_equity) == (RiskEventKind.DAY_OPENED, D(100_000))


# -- the losing streak -----------------------------------------------------------------------------------------------

STREAKS = """
limit  round trips                streak  trips
3      -1 -1 -1                   3       no      # three in a row are allowed
3      -1 -1 -1 -1                4       yes     # one more is not
3      -1 -1 -1 +1 -1 -1 -1       3       no
3      -1 -1 -1 0 -1              1       no      # nothing lost is no loss
1      -0.01                      1       no
1      -0.01 -0.01                2       yes
"""


@pytest.mark.parametrize("line", STREAKS.strip().splitlines()[1:], ids=lambda line: line.partition("#")[0].strip())
def test_losing_round_trips_in_a_row_are_counted(line):
    limit, *profits, streak, trips = line.partition("#")[0].split()
    watched = Watched(max_consecutive_losses=int(limit))
    for profit in profits:
        watched.monitor.round_trip_closed(D(profit))
    assert watched.portfolio.losing_streak == int(streak)
    assert watched.kill_switch.is_active() is (trips == "yes")
    if trips == "yes":
        state = watched.kill_switch.state
        assert state.trigger is HaltTrigger.LOSING_STREAK
        assert state.numbers["max_consecutive_losses"] == streak
        assert state.numbers["max_consecutive_losses_limit"] == limit


def test_a_round_trip_is_counted_when_the_position_is_closed_and_after_fees():
    """Part of a position closed is no round trip; a gain that the fees eat is a loss."""
    account = Account(limits=limits_with(max_consecutive_losses=100))
    _fill(account, buy(10), "100.00")
    _fill(account, sell(4), "99.00")
    assert account.portfolio.losing_streak == 0
    _fill(account, sell(6), "99.00")
    assert account.portfolio.losing_streak == 1
    _fill(account, buy(10), "100.00", fee="0.50")
    _fill(account, sell(10), "100.05", fee="0.50")
    assert account.portfolio.losing_streak == 2
    _fill(account, buy(10), "100.00")
    _fill(account, sell(10), "100.05")
    assert account.portfolio.losing_streak == 0


def _fill(account: Account, order, price: str, fee: str = "0") -> None:
    record = account.working(order)
    account.broker.fill(record.order_id, order.quantity, price, fee)


# -- restart and reset -------------------------------------------------------------------------------------------------


def test_a_restart_remembers_peak_day_start_and_streak():
    """They are in every risk event, so the last one on record is enough."""
    before = Watched()
    before.see_equity("110000")
    before.monitor.open_day()
    before.see_equity("106000")
    before.monitor.round_trip_closed(D(-1))
    last = before.monitor.numbers(RiskEventKind.RECALCULATED)
    after = Watched()
    after.monitor.restore(
        peak_equity=last.peak_equity, day_start_equity=last.day_start_equity, losing_streak=last.losing_streak
    )
    assert after.portfolio.peak_equity == D(110_000)
    assert after.portfolio.day_start_equity == D(110_000)
    assert after.portfolio.losing_streak == 1
    after.see_equity("104499.99")
    assert after.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS


def test_after_a_reset_the_accepted_loss_is_the_new_beginning():
    account = Account()
    account.hold("KO", 1000)
    account.offer("89.99", "90.01")
    account.step()
    assert account.kill_switch.is_active()
    with pytest.raises(ResetRefused, match="the cause persists"):
        account.kill_switch.reset("ann", "the loss is explained")
    account.kill_switch.reset("ann", "the loss is explained", accept_loss=True)
    assert account.portfolio.day_start_equity == account.portfolio.peak_equity == D(90_000)
    assert account.portfolio.losing_streak == 0
    assert account.journal.of(RiskEvent)[-1].reason is RiskEventKind.REBASED
    account.step()
    assert not account.kill_switch.is_active()
    account.offer("85.49", "85.50")
    account.step()
    assert account.kill_switch.state.activation == 2


def test_a_fill_is_followed_by_its_risk_numbers():
    account = Account()
    order_id = account.working(buy(10)).order_id
    account.broker.fill(order_id, 10, "100.00", fee="1.25")
    numbers = account.journal.of(RiskEvent)[-1]
    assert (numbers.reason, numbers.order_id) == (RiskEventKind.RECALCULATED, order_id)
    assert (numbers.equity, numbers.daily_pnl) == (D("99998.75"), D("-1.25"))
    assert numbers.current_drawdown == D("0.000012")


# -- closing positions takes a second mark ---------------------------------------------------------------------------


def flattening_account() -> Account:
    account = Account(limits=limits_with(halt_level=HaltLevel.FLATTENING))
    account.hold("KO", 1000)
    account.offer()
    account.step()
    return account


@pytest.mark.fault("prices-jump")
def test_one_bad_mark_halts_and_closes_nothing():
    account = flattening_account()
    account.offer("9.99", "10.01", "KO")  # a spike for one tick
    account.step()
    assert account.kill_switch.level is HaltLevel.HALTED
    account.clock.move_to(account.clock.now() + timedelta(seconds=5))
    account.step()  # the same quote again is no second opinion
    assert account.kill_switch.level is HaltLevel.HALTED
    account.offer()
    account.step()
    account.offer("9.99", "10.01", "KO")  # another single spike begins anew
    account.step()
    assert account.kill_switch.level is HaltLevel.HALTED
    assert account.broker.orders == []


def test_a_loss_that_later_marks_confirm_closes_positions():
    account = flattening_account()
    account.offer("89.99", "90.01", "KO")
    account.step()
    assert account.kill_switch.level is HaltLevel.HALTED
    account.clock.move_to(account.clock.now() + timedelta(seconds=2))
    account.offer("89.98", "90.00", "KO")
    account.step()
    assert account.kill_switch.level is HaltLevel.FLATTENING
    assert "confirmed by second marks" in account.kill_switch.reason
    assert [order.symbol for order in account.broker.orders] == ["KO"]
