"""Every automatic trigger at its boundary: a warning before the limit, the limit passes, one step beyond it halts.

The first part tries the table, the others what feeds it: weeks and months, windows, answers, fills, feed, broker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.breaks import Break, BreakKind, Owner
from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, KillSwitchEvent, RiskEvent, RiskEventKind
from quant_trading_system.core.exceptions import NotSent
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import TimeInForce
from quant_trading_system.risk.agreement import Agreement
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.triggers import TRIGGERS, Answer, AverageCost, Measure, RecentHigh, Tally
from tests.support.desk import Account, hold, limits_with
from tests.support.market import NOON
from tests.support.orders import buy, sell

D = Decimal
MINUTE = timedelta(minutes=1)


class Watched:
    """100 000 dollars, of which 10 000 are in KO at 100; all limits far away but those named."""

    def __init__(self, start: datetime = NOON, **limits) -> None:
        far = {
            "max_daily_loss_pct": D(1),
            "max_weekly_loss_pct": D(1),
            "max_monthly_loss_pct": D(1),
            "max_drawdown_pct": D(1),
            "max_rapid_loss_pct": D(1),
        }
        self.clock = ManualClock(start)
        self.portfolio = Portfolio(D(100_000))
        hold(self.portfolio, "KO", 100, 100)
        self.kill_switch = KillSwitch(latch=MemoryLatch(), clock=self.clock)
        self.events: list[RiskEvent] = []
        self.agreement = Agreement()
        self.monitor = RiskMonitor(
            limits=limits_with(**{**far, **limits}),
            portfolio=self.portfolio,
            kill_switch=self.kill_switch,
            clock=self.clock,
            emit=self.events.append,
            agreement=self.agreement,
        )

    def see_equity(self, dollars: str) -> None:
        self.portfolio.mark("KO", (D(dollars) - self.portfolio.cash) / 100)
        self.monitor.observe()

    def answers(self, *, taken: int = 0, refused: int = 0, none: int = 0) -> None:
        for answer, count in ((Answer.TAKEN, taken), (Answer.REFUSED, refused), (Answer.NONE, none)):
            for _ in range(count):
                self.monitor.answered(answer)
        self.monitor.observe()

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.reason.value, event.rule) for event in self.events if event.rule]


def _lose(watched: Watched, loss: Decimal) -> None:
    watched.monitor.observe()
    watched.see_equity(str(100_000 - loss))


def _streak(watched: Watched, length: Decimal) -> None:
    watched.monitor.restated(int(length))


def _slip(watched: Watched, bps: Decimal) -> None:
    for _ in range(20):
        watched.monitor.slipped(bps, D(10_000))
    watched.monitor.observe()


def _refuse(watched: Watched, rate: Decimal) -> None:
    watched.answers(refused=int(rate * 1000), taken=1000 - int(rate * 1000))


def _errors(watched: Watched, count: Decimal) -> None:
    watched.answers(none=int(count), taken=50)


def _stress(watched: Watched, dollars: Decimal) -> None:
    watched.monitor.stress_loss = dollars
    watched.monitor.observe()


def _differ(watched: Watched, share: Decimal) -> None:
    watched.monitor.compare_equity(D(100_000) * 2)
    watched.monitor.observe()
    assert not watched.kill_switch.is_active()  # one look alone says little
    watched.monitor.compare_equity(D(100_000) * (1 - share))
    watched.monitor.observe()


def _mute(watched: Watched, seconds: Decimal) -> None:
    watched.monitor.feed_silence = seconds
    watched.monitor.observe()


def _behind(watched: Watched, seconds: Decimal) -> None:
    watched.monitor.clock_behind = seconds
    watched.monitor.observe()


def _lost(watched: Watched, seconds: Decimal) -> None:
    watched.agreement.doubt("stream", "the order stream was lost")
    watched.monitor.observe()
    watched.clock.move_to(watched.clock.now() + timedelta(seconds=int(seconds)))
    watched.monitor.observe()


CASES: dict[str, tuple[object, Callable[[Watched, Decimal], None], str, str, str]] = {
    "max_daily_loss_pct": (D("0.05"), _lose, "4000.01", "5000", "5000.01"),
    "max_weekly_loss_pct": (D("0.05"), _lose, "4000.01", "5000", "5000.01"),
    "max_monthly_loss_pct": (D("0.05"), _lose, "4000.01", "5000", "5000.01"),
    "max_drawdown_pct": (D("0.05"), _lose, "4000.01", "5000", "5000.01"),
    "max_rapid_loss_pct": (D("0.05"), _lose, "4000.01", "5000", "5000.01"),
    "max_consecutive_losses": (10, _streak, "9", "10", "11"),
    "max_slippage_bps": (D(100), _slip, "80.01", "100", "100.01"),
    "max_rejection_rate": (D("0.5"), _refuse, "0.401", "0.5", "0.501"),
    "max_broker_errors": (5, _errors, "5", "5", "6"),
    "max_stress_loss_pct": (D("0.5"), _stress, "40000.01", "50000", "50000.01"),
    "max_equity_difference_pct": (D("0.02"), _differ, "0.0161", "0.02", "0.020001"),
    "max_feed_silence_s": (D(300), _mute, "241", "300", "301"),
    "max_clock_skew_s": (D(5), _behind, "4.001", "5", "5.001"),
    "max_broker_silence_s": (D(600), _lost, "481", "600", "601"),
}
"""Rule → its limit, how to bring the account there, and numbers that warn, are the limit, and trip."""


@pytest.mark.control("triggers")
def test_every_trigger_has_its_case():
    assert set(CASES) == {trigger.rule for trigger in TRIGGERS}


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: trigger.rule)
@pytest.mark.control("triggers")
def test_a_trigger_trips_only_beyond_its_limit_and_warns_before_it(trigger):
    limit, bring, near, at, beyond = CASES[trigger.rule]
    calm = Watched(**{trigger.rule: limit})
    bring(calm, D(at) * D("0.4") // 1 if D(at) > 5 else D(0))
    assert calm.told == []
    for number in (near, at):
        warned = Watched(**{trigger.rule: limit})
        bring(warned, D(number))
        assert not warned.kill_switch.is_active()
        assert warned.told == [("limit_neared", trigger.rule)]
    tripped = Watched(**{trigger.rule: limit})
    bring(tripped, D(beyond))
    state = tripped.kill_switch.state
    assert state.trigger is trigger.halt
    assert state.reason.startswith(f"{trigger.rule}: ")
    assert D(state.numbers[trigger.rule]) > D(state.numbers[f"{trigger.rule}_limit"])
    assert tripped.events[-1].reason is RiskEventKind.LIMIT_BREACHED


def test_a_warning_comes_once_a_day():
    watched = Watched(max_daily_loss_pct=D("0.05"))
    for equity in ("95900", "99000", "95800"):
        watched.see_equity(equity)
    assert watched.told == [("limit_neared", "max_daily_loss_pct")]
    watched.monitor.open_day()
    watched.see_equity("91500")  # 4 300 of the 4 790 that the new day may lose
    assert watched.told == [("limit_neared", "max_daily_loss_pct")] * 2


def test_new_limits_hold_from_the_next_look_on():
    watched = Watched(max_daily_loss_pct=D("0.05"))
    watched.see_equity("97000")
    watched.monitor.use_limits(limits_with(max_daily_loss_pct=D("0.02")))
    watched.monitor.observe()
    assert watched.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS


# -- weeks and months --------------------------------------------------------------------------------------------------

FRIDAY = datetime(2024, 1, 26, 14, 30, tzinfo=UTC)
DAYS = """
day opened           week begins at   month begins at
2024-01-26 (Friday)  100000           100000
2024-01-29 (Monday)  98000            100000
2024-01-31           98000            100000
2024-02-01           98000            96000
2024-02-05 (Monday)  95000            96000
"""


def test_weeks_and_months_begin_with_their_first_trading_day():
    watched = Watched(FRIDAY)
    closes = iter(("98000", "97000", "96000", "95000", "94000"))
    for line in DAYS.strip().splitlines()[1:]:
        day, *_, week, month = line.split()
        watched.clock.move_to(datetime.fromisoformat(day).replace(hour=14, minute=30, tzinfo=UTC))
        watched.monitor.open_day()
        assert (watched.portfolio.week_start_equity, watched.portfolio.month_start_equity) == (D(week), D(month))
        watched.see_equity(next(closes))
        watched.monitor.close_day()


def test_a_loss_spread_over_days_trips_the_week_and_not_the_day():
    watched = Watched(FRIDAY.replace(day=22), max_daily_loss_pct=D("0.05"), max_weekly_loss_pct=D("0.08"))
    for day, equity in ((22, "96000"), (23, "92500"), (24, "91999.99")):
        watched.clock.move_to(FRIDAY.replace(day=day))
        watched.monitor.open_day()
        assert not watched.kill_switch.is_active()
        watched.see_equity(equity)
        watched.monitor.close_day()
    assert watched.kill_switch.state.trigger is HaltTrigger.WEEKLY_LOSS


def test_deposits_and_withdrawals_move_what_every_loss_counts_from():
    watched = Watched(max_weekly_loss_pct=D("0.05"), max_monthly_loss_pct=D("0.05"), max_rapid_loss_pct=D("0.05"))
    watched.monitor.observe()
    watched.portfolio.move_cash(D(-40_000))
    watched.monitor.observe()
    assert not watched.kill_switch.is_active()
    watched.see_equity("56999.99")  # 5 % of 60 000
    numbers = watched.kill_switch.state.numbers
    assert {numbers[rule] for rule in ("max_weekly_loss_pct", "max_monthly_loss_pct", "max_rapid_loss_pct")} == {
        "3000.01"
    }


def test_a_restart_remembers_week_and_month():
    """They stand in every risk event; a journal from before this limit gives the day's."""
    before = Watched(FRIDAY)
    before.monitor.open_day()
    before.see_equity("97000")
    before.monitor.close_day()
    before.clock.move_to(FRIDAY + timedelta(days=3))
    before.monitor.open_day()
    last = before.monitor.numbers(RiskEventKind.RECALCULATED)
    after = Watched(FRIDAY + timedelta(days=3, hours=1), max_monthly_loss_pct=D("0.05"))
    after.monitor.restore(
        peak_equity=last.peak_equity,
        day_start_equity=last.day_start_equity,
        week_start_equity=last.week_start_equity,
        month_start_equity=last.month_start_equity,
        losing_streak=0,
        opened_at=before.monitor.opened_at,
    )
    assert after.portfolio.week_start_equity == D(97_000)
    after.see_equity("94999.99")
    assert after.kill_switch.state.trigger is HaltTrigger.MONTHLY_LOSS
    old = Watched()
    old.monitor.restore(peak_equity=D(110_000), day_start_equity=D(90_000), losing_streak=0)
    assert old.portfolio.week_start_equity == old.portfolio.month_start_equity == D(90_000)


# -- rapid loss --------------------------------------------------------------------------------------------------------


def test_a_slow_loss_is_no_rapid_one():
    watched = Watched(max_rapid_loss_pct=D("0.02"), rapid_loss_window_s=D(300))
    for minute in range(0, 60, 2):
        watched.clock.move_to(NOON + minute * MINUTE)
        watched.see_equity(str(100_000 - 300 * minute))
    assert not watched.kill_switch.is_active()
    watched.see_equity(str(100_000 - 300 * 58 - 1500))
    assert watched.kill_switch.state.trigger is HaltTrigger.RAPID_LOSS


def test_what_was_lost_during_a_short_restart_counts_as_rapid():
    watched = Watched(max_rapid_loss_pct=D("0.02"))
    watched.monitor.restore(
        peak_equity=D(100_000), day_start_equity=D(100_000), losing_streak=0, last_seen=(NOON - MINUTE, D(100_000))
    )
    watched.see_equity("97999")
    assert watched.kill_switch.state.trigger is HaltTrigger.RAPID_LOSS


def test_a_gap_over_night_is_no_rapid_loss():
    watched = Watched(max_rapid_loss_pct=D("0.02"))
    watched.monitor.restore(
        peak_equity=D(100_000),
        day_start_equity=D(100_000),
        losing_streak=0,
        last_seen=(NOON - timedelta(hours=17), D(100_000)),
    )
    watched.see_equity("97000")
    assert not watched.kill_switch.is_active()


def test_while_a_position_has_no_price_our_equity_is_compared_with_nobody_s():
    """The broker knows the price, so the two differ by what it has gained; that is no fault in the books."""
    watched = Watched()
    watched.portfolio.adopt("XOM", D(100), D(1000))
    for _ in range(2):
        watched.monitor.compare_equity(D(150_000))
        watched.monitor.observe()
    assert not watched.kill_switch.is_active()
    watched.portfolio.mark("XOM", D(10))
    for _ in range(2):
        watched.monitor.compare_equity(D(150_000))
        watched.monitor.observe()
    assert watched.kill_switch.is_active()


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1000)), min_size=1, max_size=80))
def test_the_recent_high_is_never_too_low_and_never_older_than_its_grace(steps):
    """Against a window that keeps everything."""
    high, seen, at = RecentHigh(D(300)), [], 0.0
    for pause, value in steps:
        at += pause
        seen.append((at, value))
        found = high.see(at, D(value))
        assert found >= max(v for t, v in seen if at - t <= 300)
        assert found <= max(v for t, v in seen if at - t <= 320)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 1000), st.sampled_from([None, 60, 300, 1800])), max_size=80)
)
def test_no_change_of_the_window_forgets_what_the_new_one_reaches_back_to(steps):
    """Whatever was seen counts for the span of now, and no longer than its grace and that of the window before."""
    high, seen, at, span, since = RecentHigh(D(300)), [], 0.0, 300, 0.0
    for pause, value, window in steps:
        at += pause
        since, coarse = max(since, at - span), max(span, window or 0) / 30
        if window is not None:
            span = window
            high.look_back(D(span))
        seen = [(t, v, max(grace, coarse)) for t, v, grace in seen] + [(at, value, span / 30)]
        found = high.see(at, D(value))
        assert found >= max(v for t, v, _ in seen if t >= max(at - span, since))
        assert found <= max(v for t, v, grace in seen if at - t <= span * 32 / 30 + 2 * grace)


def test_a_shorter_window_counts_a_high_that_it_reaches_and_none_that_it_does_not():
    high = RecentHigh(D(3600))  # in parts of two minutes
    high.see(119.0, D(100))
    high.see(3600.0, D(80))
    high.look_back(D(300))
    assert high.see(3605.0, D(80)) == 80, "nothing has fallen within five minutes"
    high = RecentHigh(D(3600))
    high.see(119.0, D(100))
    high.look_back(D(300))
    assert high.see(400.0, D(80)) == 100, "it was there 281 seconds ago"
    assert high.see(440.0, D(80)) == 80


def test_windows_are_bounded_however_much_happens():
    high, tally, cost = RecentHigh(D(300)), Tally(D(300)), AverageCost(20)
    for i in range(30_000):
        high.see(i / 100, D(30_000 - i))
        tally.add(i / 1000, bad=True)
        cost.add(D(1), D(100))
    assert len(high._falling) <= 32
    assert len(tally._seen) == 10_000
    assert tally.counts(30.0) == (10_000, 10_000)
    assert len(cost._latest) == 20


def test_an_account_that_is_halted_is_looked_at_while_time_alone_changes_what_limits_see():
    """The high that it fell from goes by steps: what is left of the fall may be a warning."""
    watched = Watched(max_rapid_loss_pct=D("0.003"), rapid_loss_window_s=D(300))
    watched.monitor.observe()
    for seconds, dollars in ((100, "99950"), (10, "99690"), (1, "99690")):
        watched.clock.move_to(watched.clock.now() + timedelta(seconds=seconds))
        watched.see_equity(dollars)
    assert watched.told == [("limit_breached", "max_rapid_loss_pct")]
    assert not watched.monitor.stays_calm(D(99_690), D(99_690))
    watched.clock.move_to(NOON + 5 * MINUTE + timedelta(seconds=20))
    watched.monitor.observe()
    assert watched.told[1:] == [("limit_neared", "max_rapid_loss_pct")]
    watched.clock.move_to(NOON + 8 * MINUTE)
    watched.monitor.observe()
    assert watched.monitor.stays_calm(D(99_690), D(99_690)), "nothing is left of it"


def test_an_account_that_is_halted_is_looked_at_while_refusals_age():
    """Good answers leave the window as well as bad ones, and the share of refusals rises."""
    watched = Watched(max_daily_loss_pct=D("0.001"), rejection_min_orders=5, rejection_window_s=D(300))
    watched.see_equity("99800")
    watched.answers(taken=10)
    watched.clock.move_to(NOON + 2 * MINUTE)
    watched.answers(refused=4, taken=1)
    watched.monitor.observe()
    assert watched.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS
    assert not watched.monitor.stays_calm(D(99_800), D(99_800))
    watched.clock.move_to(NOON + 6 * MINUTE)
    watched.monitor.observe()
    assert "max_rejection_rate" in watched.kill_switch.state.numbers
    assert not watched.monitor.stays_calm(D(99_800), D(99_800))
    watched.clock.move_to(NOON + 8 * MINUTE)
    watched.monitor.observe()
    watched.monitor.observe()
    assert watched.monitor.stays_calm(D(99_800), D(99_800)), "all of them are forgotten"


# -- answers of the broker ---------------------------------------------------------------------------------------------


def test_refusals_are_counted_only_within_the_window_and_from_enough_orders_on():
    watched = Watched()
    watched.answers(refused=9)
    assert not watched.kill_switch.is_active()
    watched.clock.move_to(NOON + 6 * MINUTE)
    watched.answers(refused=5, taken=5)
    assert not watched.kill_switch.is_active()
    watched.answers(refused=1)
    assert watched.kill_switch.state.trigger is HaltTrigger.REJECTION_RATE
    assert watched.kill_switch.state.numbers["max_rejection_rate"] == "0.545455"


def test_an_order_that_is_refused_after_it_was_taken_counts_once():
    tally = Tally(D(300))
    tally.add(0.0, bad=False)
    tally.add(1.0, bad=True, new=False)
    assert tally.counts(2.0) == (1, 1)
    assert tally.counts(300.5) == (1, 1)  # its first part has left the window


def test_orders_that_the_broker_refuses_or_does_not_answer_are_counted_on_the_road():
    account = Account(limits=limits_with(rejection_min_orders=3, max_broker_errors=1, duplicate_window_s=D(0)))
    account.broker.answers.append("reject")
    account.submit(buy(1))
    assert account.system.monitor._orders._refusals.counts(account.clock.monotonic()) == (1, 1)
    account.broker.answers.append("time_out")
    account.submit(buy(2))
    assert account.system.monitor._orders._errors.counts(account.clock.monotonic())[1] == 1
    account.submit(buy(3, symbol="XOM"))
    assert account.system.monitor._orders._refusals.counts(account.clock.monotonic()) == (2, 1)


def test_an_order_that_our_own_pace_holds_back_is_no_error_of_the_broker():
    account = Account(limits=limits_with(max_broker_errors=1, duplicate_window_s=D(0)))

    def send_unsent(error: NotSent) -> None:
        account.broker.answers.append(error)
        assert account.submit(buy(1)).status is OrderStatus.UNSENT
        account.system.monitor.observe()

    for _ in range(3):
        send_unsent(NotSent("the broker's rate limit is used up for the next 23 s", held_back=True))
    send_unsent(NotSent("no connection in time"))
    assert not account.kill_switch.is_active()
    send_unsent(NotSent("no connection in time"))
    assert account.kill_switch.state.trigger is HaltTrigger.BROKER_ERRORS


# -- fills -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "price", "points"), [(buy, "101.02", "100.9899"), (sell, "98.98", "101.0101")], ids=["buys", "sales"]
)
def test_market_orders_that_fill_far_from_their_quotes_halt_the_account(order, price, points):
    account = Account(limits=limits_with(slippage_fills=2, duplicate_window_s=D(0), max_daily_loss_pct=D(1)))
    account.hold("KO", 20)
    for _ in range(2):
        assert not account.kill_switch.is_active()
        order_id = account.working(order(10)).order_id
        account.broker.fill(order_id, 10, price)  # 99.99 to 100.01 was the quote
    state = account.kill_switch.state
    assert state.trigger is HaltTrigger.SLIPPAGE
    assert state.numbers["max_slippage_bps"] == points


@pytest.mark.parametrize("order", [buy, sell], ids=["buys", "sales"])
def test_fills_that_are_better_than_their_quotes_are_no_slippage(order):
    account = Account(limits=limits_with(slippage_fills=1, duplicate_window_s=D(0)))
    account.hold("KO", 20)
    order_id = account.working(order(10)).order_id
    account.broker.fill(order_id, 10, "98.98" if order is buy else "101.02")
    assert not account.kill_switch.is_active()


def test_an_auction_fills_at_its_own_price_and_has_no_quote_to_be_far_from():
    account = Account(limits=limits_with(slippage_fills=1, duplicate_window_s=D(0)))
    order_id = account.working(buy(10, time_in_force=TimeInForce.CLS)).order_id
    account.broker.fill(order_id, 10, "102")
    assert not account.kill_switch.is_active()


def test_limit_orders_fill_at_their_own_price_and_are_no_slippage():
    account = Account(limits=limits_with(slippage_fills=1, duplicate_window_s=D(0)))
    order_id = account.working(buy(10, limit="103")).order_id
    account.broker.fill(order_id, 10, "103")
    assert not account.kill_switch.is_active()


def test_the_average_cost_is_that_of_the_latest_fills():
    """A bad fill of last week does not hide among the good ones for ever, and neither does a lucky one."""
    for old in (D(100), D(-100)):
        average = AverageCost(2)
        average.add(old, D(5000))
        assert average.basis_points() is None
        for cost in (D(1), D(3)):
            average.add(cost, D(10_000))
        assert average.basis_points() == D(2)
        assert average.is_within(D(2))
        assert not average.is_within(D("1.99"))


# -- feed, clock, broker -----------------------------------------------------------------------------------------------


def test_a_feed_that_stops_while_something_is_held_halts_in_the_session():
    account = Account()
    account.hold("KO", 10)
    account.step()
    account.clock.move_to(NOON + timedelta(seconds=300))
    account.step()
    assert not account.kill_switch.is_active()
    account.clock.move_to(NOON + timedelta(seconds=301))
    account.step()
    assert account.kill_switch.state.trigger is HaltTrigger.STALE_FEED


def test_no_quotes_are_missed_while_nothing_is_held_or_the_exchange_is_closed():
    account = Account()
    account.clock.move_to(NOON + timedelta(minutes=30))
    account.step()
    assert not account.kill_switch.is_active()
    account.hold("KO", 10)
    account.offer()
    account.step()
    account.clock.move_to(NOON + timedelta(hours=10))
    account.step()
    assert not account.kill_switch.is_active()


def test_quotes_from_the_future_tell_that_our_clock_is_behind():
    account = Account()
    account.hold("KO", 10)
    account.board.put("KO", "99.99", "100.01", age=timedelta(seconds=-6))
    account.step()
    assert account.kill_switch.state.trigger is HaltTrigger.CLOCK_SKEW
    assert account.kill_switch.state.numbers["max_clock_skew_s"] == "6"


@pytest.mark.fault("price-senseless")
def test_one_quote_from_the_future_is_no_cause_for_ever():
    """Nothing else comes, as after the close: it halts, and a minute later nothing stands against a reset."""
    account = Account()
    account.hold("KO", 10)
    account.board.put("KO", "99.99", "100.01", age=timedelta(days=-400), received_age=timedelta())
    account.step()
    assert [found.trigger.halt for found in persisting(account.system.monitor)] == [HaltTrigger.CLOCK_SKEW]
    account.clock.move_to(NOON + timedelta(seconds=61))
    account.step()
    assert persisting(account.system.monitor) == ()
    account.kill_switch.reset(authorized_by="Ana", reason="one wrong stamp")
    account.step()
    assert not account.kill_switch.is_active()


def test_a_feed_that_goes_on_to_speak_from_the_future_halts_again_after_every_reset():
    account = Account()
    account.hold("KO", 10)
    for minute in range(1, 4):
        account.board.put("KO", "99.99", "100.01", age=timedelta(hours=-1), received_age=timedelta())
        account.step()
        assert account.kill_switch.state.trigger is HaltTrigger.CLOCK_SKEW
        account.clock.move_to(NOON + timedelta(seconds=61 * minute))
        account.step()
        account.kill_switch.reset(authorized_by="Ana", reason="try again")


def test_a_broker_that_gives_no_answers_is_lost_until_it_does():
    watched = Watched()
    gone = Break(kind=BreakKind.INCOMPLETE, subject="account", ours="not compared", theirs="-", owner=Owner.SYSTEM)
    watched.agreement.set_breaks([gone])
    watched.monitor.observe()
    watched.clock.move_to(NOON + timedelta(seconds=500))
    watched.agreement.set_breaks([])
    watched.monitor.observe()
    watched.agreement.set_breaks([gone])
    watched.monitor.observe()
    watched.clock.move_to(NOON + timedelta(seconds=1100))
    watched.monitor.observe()
    assert not watched.kill_switch.is_active()
    watched.clock.move_to(NOON + timedelta(seconds=1101))
    watched.monitor.observe()
    assert watched.kill_switch.state.trigger is HaltTrigger.BROKER_LOSS


# -- resets ------------------------------------------------------------------------------------------------------------


def persisting(monitor: RiskMonitor) -> tuple[Measure, ...]:
    """What would trip the switch again, whatever people accept."""
    return tuple(m for m in monitor.measures() if m.is_beyond and not m.trigger.is_forgiven)


def test_what_persists_is_told_and_what_a_person_accepts_is_not():
    watched = Watched(max_daily_loss_pct=D("0.05"))
    watched.see_equity("90000")
    watched.answers(none=6)
    watched.monitor.feed_silence = D(1000)
    assert [found.trigger.halt for found in persisting(watched.monitor)] == [
        HaltTrigger.BROKER_ERRORS,
        HaltTrigger.STALE_FEED,
    ]
    assert str(persisting(watched.monitor)[0]) == "max_broker_errors: 6 is beyond the limit of 5 count"
    watched.clock.move_to(NOON + 6 * MINUTE)
    watched.monitor.feed_silence = D(0)
    assert persisting(watched.monitor) == ()


def test_too_much_at_stake_lets_exits_leave():
    """Whoever holds too much must be able to sell it."""
    watched = Watched(halt_level=HaltLevel.HALTED)
    _stress(watched, D(60_000))
    assert watched.kill_switch.level is HaltLevel.REDUCING


def test_a_reset_begins_all_windows_anew():
    watched = Watched(max_rapid_loss_pct=D("0.05"))
    watched.answers(refused=10)
    watched.see_equity("90000")
    watched.kill_switch.reset("ann", "looked into it")
    watched.monitor.rebase()
    watched.monitor.observe()
    assert not watched.kill_switch.is_active()
    assert watched.portfolio.week_start_equity == watched.portfolio.month_start_equity == D(90_000)


def test_the_account_s_journal_holds_the_halt_before_the_breach():
    account = Account(limits=limits_with(max_rapid_loss_pct=D("0.01")))
    account.hold("KO", 100)
    account.step()
    account.offer("79.99", "80.01")
    account.step()
    [halt] = account.journal.of(KillSwitchEvent)
    assert halt.trigger is HaltTrigger.RAPID_LOSS
    assert any(event.rule == "max_rapid_loss_pct" for event in account.journal.of(RiskEvent))


def test_a_broker_is_heard_again_once_its_stream_is_back_and_questions_are_answered():
    agreement = Agreement()
    unanswered = Break(kind=BreakKind.INCOMPLETE, subject="account", ours="", theirs="")
    agreement.doubt("stream", "down")
    agreement.set_breaks([unanswered])
    assert agreement.broker_lost == "down"
    agreement.trust("stream")
    assert agreement.broker_lost == str(unanswered)
    agreement.set_breaks([])
    assert agreement.broker_lost == ""


@pytest.mark.parametrize("rule", ["max_daily_loss_pct", "max_weekly_loss_pct", "max_monthly_loss_pct"])
def test_what_a_day_begins_with_counts_at_once_though_everything_was_calm_just_before(rule):
    watched = Watched(**{rule: D("0.001")})
    for dollars in ("100100", "100000", "100000", "100000", "100000"):
        watched.see_equity(dollars)
    watched.portfolio.mark("KO", D(101))
    watched.monitor.open_day()
    assert not watched.kill_switch.is_active()
    watched.see_equity("99990")
    assert rule in watched.kill_switch.state.numbers
