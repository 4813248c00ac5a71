"""One false price: it may halt, but it makes no peak, closes no position, and does not make the account richer."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.events import HaltLevel, HaltTrigger, RiskEvent, RiskEventKind
from quant_trading_system.risk.second_marks import AgreedEquity
from tests.support.desk import Account, limits_with
from tests.support.market import NOON

D = Decimal
SECOND = timedelta(seconds=1)


class Market:
    """Two symbols with quotes, and an account of which we say what it is worth."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.quoted = {"KO": NOON, "PEP": NOON}
        self.agreed = AgreedEquity(self.clock, lambda: dict(self.quoted))

    def look(self, equity: int, *quoted: str, after: int = 1) -> int:
        """Seconds later these symbols have new quotes; how much of `equity` can be believed, 100 being known."""
        self.clock.move_to(self.clock.now() + after * SECOND)
        self.quoted.update(dict.fromkeys(quoted, self.clock.now()))
        return int(self.agreed.see(D(equity), D(100)))


BOTH = ("KO", "PEP")


def test_a_gain_counts_once_later_quotes_of_everything_show_it_too():
    market = Market()
    assert market.look(110, *BOTH) == 100, "only seen once"
    assert market.look(112, "KO") == 100, "too soon"
    assert market.look(112, "KO") == 100, "PEP was not quoted again"
    assert market.look(112, "PEP") == 110, "the least on the way"
    assert market.look(115, *BOTH, after=3) == 112


def test_what_is_lost_is_believed_at_once():
    market = Market()
    for _ in range(3):
        market.look(110, *BOTH, after=3)
    assert market.look(90, "KO") == 90
    assert market.look(110, *BOTH, after=3) == 90, "two looks have to agree anew"
    assert market.look(110, *BOTH, after=3) == 110


@pytest.mark.parametrize("false_at", range(6))
def test_one_false_look_lifts_nothing_whenever_it_comes(false_at):
    market = Market()
    for number in range(12):
        seen = market.look(1000 if number == false_at else 100, *BOTH, after=2)
        assert seen == 100


def test_a_symbol_that_was_not_quoted_for_long_holds_up_nobody():
    """It was marked by that quote before; nothing about it is news."""
    market = Market()
    market.clock.move_to(NOON + timedelta(minutes=5))
    market.look(110, "KO")
    assert market.look(110, "KO", after=3) == 110


def test_a_symbol_that_is_sold_meanwhile_is_not_waited_for():
    market = Market()
    market.look(110, *BOTH)
    del market.quoted["PEP"]
    assert market.look(110, "KO", after=3) == 110


# -- a whole account ---------------------------------------------------------------------------------------------------


def doubting(**limits) -> Account:
    """A tenth of 100 000 dollars in KO at 100, looked at by the second, and no single price is believed."""
    account = Account(limits=limits_with(max_quote_deviation_pct=None, **limits))
    account.system.monitor.doubt_single_prices()
    account.hold("KO", 100)
    for _ in range(3):
        look(account, "100")
    return account


def look(account: Account, price: str) -> None:
    """Three seconds later KO is offered around `price`."""
    account.clock.move_to(account.clock.now() + 3 * SECOND)
    account.offer(str(D(price) - D("0.01")), str(D(price) + D("0.01")), "KO")
    account.step()


def test_a_tenfold_price_makes_no_peak_and_no_halt_when_it_is_gone():
    account = doubting()
    look(account, "1000")
    assert account.portfolio.equity == D(190_000)
    assert account.portfolio.peak_equity == D(100_000)
    for _ in range(3):
        look(account, "100")
    assert account.portfolio.peak_equity == D(100_000)
    assert not account.kill_switch.is_active(), account.kill_switch.reason


def test_a_price_that_stays_makes_a_peak():
    account = doubting()
    look(account, "110")
    assert account.portfolio.peak_equity == D(100_000)
    look(account, "112")
    assert account.portfolio.peak_equity == D(101_000), "the less of both"
    look(account, "112")
    look(account, "112")
    assert account.portfolio.peak_equity == D(101_200)


def test_a_tenth_of_a_price_halts_at_once_and_sells_nothing():
    account = doubting(halt_level=HaltLevel.FLATTENING)
    look(account, "10")
    assert account.kill_switch.level is HaltLevel.HALTED
    assert account.kill_switch.state.trigger is HaltTrigger.DAILY_LOSS
    for _ in range(3):
        look(account, "100")
    assert account.kill_switch.level is HaltLevel.HALTED, "nothing that later prices confirm"
    assert account.portfolio.position("KO").quantity == 100


def test_a_loss_that_stays_is_measured_from_the_peak_that_stayed():
    account = doubting(max_daily_loss_pct=D("0.99"), max_rapid_loss_pct=D("0.99"), max_drawdown_pct=D("0.05"))
    for price in ("160", "160", "160", "1000", "160"):
        look(account, price)
    assert account.portfolio.peak_equity == D(106_000)
    look(account, "107")  # 5 300 lost, which is 5 % of 106 000
    assert not account.kill_switch.is_active()
    look(account, "106.99")
    assert account.kill_switch.state.trigger is HaltTrigger.DRAWDOWN


# -- what a day begins and ends with ----------------------------------------------------------------------------------


@pytest.mark.parametrize("false", ["1000", "1"])
@pytest.mark.parametrize("what", ["close", "accepted loss"])
def test_one_false_price_at_the_close_is_no_basis_for_the_losses_of_the_next_day(false, what):
    account = doubting()
    monitor, portfolio = account.system.monitor, account.portfolio
    look(account, false)
    if what == "close":
        monitor.close_day()
        assert portfolio.closing_equity == D(100_000)
        monitor.open_day()
    else:
        monitor.rebase()
        assert portfolio.peak_equity == D(100_000)
    bases = (portfolio.day_start_equity, portfolio.week_start_equity, portfolio.month_start_equity)
    assert bases == (D(100_000),) * 3


def test_the_record_of_a_close_tells_the_same_as_the_next_day_counts_from():
    account = doubting()
    look(account, "1000")
    account.system.monitor.close_day()
    risks = (event for event in account.journal.events if isinstance(event, RiskEvent))
    closed = [event for event in risks if event.reason is RiskEventKind.DAY_CLOSED]
    assert [event.equity for event in closed] == [D(100_000)]


def test_a_deposit_between_the_looks_is_no_gain_and_is_not_lost():
    account = doubting()
    account.portfolio.move_cash(D(5_000))
    account.system.monitor.close_day()
    assert account.portfolio.closing_equity == D(105_000)


def test_a_price_that_two_looks_show_counts_at_the_close():
    account = doubting()
    look(account, "110")
    look(account, "110")
    account.system.monitor.close_day()
    assert account.portfolio.closing_equity == D(101_000)


def test_looks_of_long_ago_say_nothing_about_the_close():
    account = doubting()
    account.clock.move_to(account.clock.now() + timedelta(minutes=6))
    look(account, "110")
    account.system.monitor.close_day()
    assert account.portfolio.closing_equity == D(101_000)


def test_the_first_day_opens_once_three_looks_tell_what_the_account_is_worth():
    account = doubting()
    fresh = Account()
    monitor = fresh.system.monitor
    assert monitor.can_open_day, "recorded prices are believed at once"
    monitor.doubt_single_prices()
    fresh.hold("KO", 100)
    assert not monitor.can_open_day
    for price in ("1000", "100"):
        look(fresh, price)
        assert not monitor.can_open_day
    look(fresh, "100")
    assert monitor.can_open_day
    monitor.open_day()
    assert fresh.portfolio.day_start_equity == account.portfolio.equity


def test_the_first_day_does_not_wait_for_ever_for_quotes_that_do_not_come():
    account = Account()
    account.system.monitor.doubt_single_prices()
    account.hold("KO", 100)
    look(account, "100")
    assert not account.system.monitor.can_open_day
    account.clock.move_to(account.clock.now() + timedelta(minutes=1))
    assert account.system.monitor.can_open_day


def test_after_a_close_that_is_known_the_next_day_opens_at_once():
    account = doubting()
    account.system.monitor.close_day()
    account.clock.move_to(account.clock.now() + timedelta(hours=17))
    assert account.system.monitor.can_open_day


# -- quotes far from the last trade ------------------------------------------------------------------------------------


def marked(bid: str, ask: str, *, last: str, held: int = 100, limit: str | None = "0.20") -> Decimal:
    """Equity, of 100 000 dollars, after a quote that comes while the last trade was at `last`."""
    account = Account(limits=limits_with(max_quote_deviation_pct=None if limit is None else D(limit)))
    account.hold("KO", held)
    account.step()
    account.board.put("KO", bid, ask, last=last)
    account.step()
    return account.portfolio.equity


@pytest.mark.parametrize(
    ("bid", "ask", "equity"),
    [
        ("120", "120.02", "102000"),  # a fifth from the last trade exactly
        ("120.01", "120.03", "100000"),  # further: it makes nobody richer
        ("999.9", "1000.1", "100000"),
        ("79.98", "80", "98000"),
        ("9.99", "10", "91000"),  # a loss counts, however strange
    ],
)
def test_a_quote_that_the_gate_would_not_believe_makes_nobody_richer(bid, ask, equity):
    assert marked(bid, ask, last="100") == D(equity)


def test_it_is_the_same_for_a_short_position_the_other_way_round():
    assert marked("9.99", "10", last="100", held=-100) == D(100_000)
    assert marked("999.9", "1000.1", last="100", held=-100) == D(100_000) - 100 * D("899.9")


def test_a_price_that_has_traded_counts():
    assert marked("999.9", "1000.1", last="1000") == D(190_000)
    assert marked("999.9", "1000.1", last="100", limit=None) == D(189_990), "the limit is off"
