"""What losses count from: deposits make no high, and what is not known is no peak."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.risk.loss_bases import LossBases
from quant_trading_system.risk.portfolio import Portfolio
from tests.support.desk import hold
from tests.support.market import NOON

D = Decimal


def watched() -> tuple[Portfolio, LossBases]:
    """100 000 dollars, and the high of the last five minutes."""
    portfolio = Portfolio(D(100_000))
    bases = LossBases(portfolio, ManualClock(NOON), lambda: {})
    bases.look_back(D(300))
    return portfolio, bases


def test_what_an_earlier_process_saw_counts_without_what_was_paid_in():
    """Otherwise a deposit would look like a fall of its size, and halt the account."""
    portfolio, bases = watched()
    portfolio.move_cash(D(500))
    bases.recall(NOON - timedelta(minutes=1), D(100_700))
    equity, (*_, high) = bases.see()
    assert (equity, high) == (D(100_500), D(100_700))
    portfolio.move_cash(D(-500))
    assert bases.see()[1][-1] == D(100_200)


def test_what_was_paid_in_is_no_part_of_any_high():
    portfolio, bases = watched()
    bases.see()
    portfolio.move_cash(D(500))
    assert bases.see()[1][3:] == (D(100_500), D(100_500))
    assert bases.rest(D(100_500))[1] == D(100_500)


def test_where_single_prices_are_doubted_a_deposit_counts_once():
    portfolio, bases = watched()
    bases.doubt_single_prices()
    bases.see()
    portfolio.move_cash(D(500))
    bases.see()
    assert bases.worth() == D(100_500)


def test_what_equity_went_through_counts_like_what_was_seen():
    """Up to 101 000 at once, and lately 100 900, of which 500 were paid in."""
    portfolio, bases = watched()
    portfolio.move_cash(D(500))
    bases.went_through(D(101_000), [(0.0, D(100_900))])
    assert bases.see()[1][3:] == (D(101_000), D(100_900))
    assert bases.rest(D(100_500))[1] == D(100_900)
    bases.went_through(D(100_600), [(0.0, D(100_600))])
    assert bases.see()[1][3:] == (D(101_000), D(100_900))
    portfolio.move_cash(D(-500))
    assert bases.see()[1][3:] == (D(100_500), D(100_400))


def test_while_a_position_has_no_price_nothing_counts_and_no_peak_is_made():
    """It is valued at what it has cost; a peak from that would be one that the account never had."""
    portfolio, bases = watched()
    hold(portfolio, "KO", 10, 100)
    portfolio.adopt("XOM", D(10), D(1000))
    portfolio.mark("KO", D(200))
    assert bases.see()[1] == ()
    assert portfolio.peak_equity == D(101_000)  # of the account that was there, with the shares that came
    portfolio.mark("XOM", D(50))
    assert bases.see()[1][3] == D(101_500)
