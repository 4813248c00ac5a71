"""A feed that says nothing is told by a clock that nobody sets."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.market.sessions import AlwaysOpen, Calendar
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.marking import Marking
from tests.support.desk import hold, limits_with
from tests.support.market import CALENDAR, NOON, JumpingClock

D = Decimal
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


class Feed:
    """A position in KO and one in XOM, marked once a second."""

    def __init__(self, calendar: Calendar = CALENDAR) -> None:
        self.clock = JumpingClock(NOON)
        self.board = QuoteBoard()
        self.monitor = SimpleNamespace(limits=limits_with(), feed_silence=ZERO, clock_behind=ZERO)
        portfolio = Portfolio(D(100_000))
        for symbol in ("KO", "XOM"):
            hold(portfolio, symbol, 1, "100")
        self.marking = Marking(portfolio, self.board, self.monitor, calendar, self.clock)  # type: ignore[arg-type]
        self.hear("KO")
        self.hear("XOM")

    def hear(self, symbol: str) -> None:
        stamped = ManualClock.now(self.clock)  # by the exchange, whatever our clock says
        self.board.publish(Quote(symbol, D("99.99"), D("100.01"), stamped, self.clock.now()))
        self.marking.mark()

    def wait(self, span: timedelta) -> Decimal:
        """Mark every second; what the monitor is told in the end, seconds."""
        for _ in range(span // SECOND):
            self.clock.move_to(ManualClock.now(self.clock) + SECOND)
            self.marking.mark()
        return self.monitor.feed_silence


@pytest.mark.parametrize("quiet", [0, 30])
@pytest.mark.parametrize("jump", [-HOUR, -3 * HOUR, -MINUTE, HOUR, timedelta(0)])
def test_a_wall_clock_that_is_set_hides_no_mute_feed_and_makes_none_up(jump: timedelta, quiet: int) -> None:
    """Whether it has been quiet for a while, or a quote came just before."""
    feed = Feed()
    assert feed.wait(quiet * SECOND) == quiet
    feed.clock.jump = jump
    assert feed.wait(30 * SECOND) == quiet + 30


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_other_limits_are_no_news_of_a_mute_feed(jump: timedelta) -> None:
    feed = Feed()
    feed.wait(30 * SECOND)
    feed.clock.jump = jump
    feed.monitor.limits = limits_with()
    assert feed.wait(30 * SECOND) == 60


@pytest.mark.parametrize("jump", [-HOUR, -3 * HOUR])
def test_a_feed_that_speaks_after_the_clock_was_set_back_is_not_mute(jump: timedelta) -> None:
    feed = Feed()
    feed.wait(30 * SECOND)
    feed.clock.jump = jump
    for _ in range(60):
        feed.wait(SECOND)
        feed.hear("KO")
        assert feed.monitor.feed_silence == 0


@pytest.mark.parametrize("seed", range(10))
def test_however_often_the_clock_is_set_the_silence_is_the_true_one(seed: int) -> None:
    """Quotes wake the engine, which looks by itself every now and then; limits are swapped meanwhile."""
    chance, feed = random.Random(seed), Feed(AlwaysOpen())
    limits, heard = (limits_with(), limits_with()), ManualClock.now(feed.clock)
    for number in range(300):
        feed.clock.move_to(ManualClock.now(feed.clock) + timedelta(milliseconds=chance.choice([200, 1000, 3000])))
        if number % 100 < 60 and chance.random() < 0.3:
            feed.hear(chance.choice(["KO", "XOM"]))
            heard = ManualClock.now(feed.clock)
        if chance.random() < 0.05:
            feed.clock.jump = chance.choice([-10 * MINUTE, -5 * SECOND, timedelta(0), 10 * MINUTE, 24 * HOUR])
        if chance.random() < 0.05:
            feed.monitor.limits = chance.choice(limits)
        feed.marking.mark()
        assert abs(float(feed.monitor.feed_silence) - (ManualClock.now(feed.clock) - heard) / SECOND) <= 1


def test_what_is_quiet_over_night_is_counted_from_the_open() -> None:
    feed = Feed()
    feed.clock.move_to(NOON + timedelta(hours=21, minutes=35))  # 9:35 in New York on the next day
    feed.marking.mark()
    assert feed.monitor.feed_silence == 5 * 60
