"""Positions whose quote has not changed are not valued anew, and are worth the same as if they were."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.market.quotes import Quote, QuoteBoard
from quant_trading_system.market.sessions import AlwaysOpen
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.marking import Marking
from tests.support.desk import hold, limits_with
from tests.support.market import NOON

D = Decimal
SYMBOLS = ("KO", "MO", "PEP", "XOM")


class Desk:
    """Four symbols with quotes, and what is held of them."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.portfolio = Portfolio(D(100_000))
        self.board = QuoteBoard()
        self.monitor = RiskMonitor(
            limits=limits_with(),
            portfolio=self.portfolio,
            kill_switch=KillSwitch(latch=MemoryLatch(), clock=self.clock),
            clock=self.clock,
            emit=lambda _: None,
        )
        self.marked: list[str] = []
        self._mark_all = self.portfolio.mark_all
        self.portfolio.mark_all = self._count  # type: ignore[method-assign]
        self.marking = self.new()

    def new(self) -> Marking:
        """A marking that has seen nothing yet."""
        return Marking(self.portfolio, self.board, self.monitor, AlwaysOpen(), self.clock)

    def _count(self, prices: Sequence[tuple[str, Decimal]]) -> None:
        self.marked += [symbol for symbol, _ in prices]
        self._mark_all(prices)

    def values(self) -> tuple[object, ...]:
        """What marking tells others."""
        portfolio, monitor = self.portfolio, self.monitor
        marks = {symbol: portfolio.position(symbol).mark for symbol in SYMBOLS}
        return marks, portfolio.equity, portfolio.gross_worst, monitor.feed_silence, monitor.clock_behind, self.marked


def _happens(desk: Desk, chance: random.Random) -> None:
    kind, symbol = chance.randrange(9), chance.choice(SYMBOLS)
    bid = D(10_000 + chance.randrange(-300, 300)) / 100
    if kind < 4:
        now = desk.clock.now()
        ask = bid + D(chance.choice(["0.01", "0.02", "5", "0", "-1"]))
        last = chance.choice([None, bid, D(100), D(90), D(110), D("NaN")])
        at = now + timedelta(seconds=chance.choice([-1, 0, 0, 0, 20]))
        desk.board.publish(Quote(symbol, bid, ask, at, now, last))
    elif kind == 4:
        hold(desk.portfolio, symbol, chance.choice([-2, -1, 1, 2]), str(bid))
    elif kind == 5:
        desk.clock.move_to(desk.clock.now() + timedelta(seconds=chance.choice([1, 3, 70])))
    elif kind == 6:
        limits = {"max_spread_pct": D(chance.choice(["0.001", "0.1"])), "max_quote_deviation_pct": D("0.01")}
        desk.monitor.use_limits(limits_with(**limits))
    elif kind == 7:
        desk.board.trade(symbol, bid)
    else:
        desk.portfolio.mark(symbol, bid)  # somebody else does, too


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_marks_are_those_of_one_who_looks_at_every_quote_each_time(seed):
    known, anew = Desk(), Desk()
    chances = random.Random(seed), random.Random(seed)
    for _ in range(80):
        for desk, chance in zip((known, anew), chances, strict=True):
            _happens(desk, chance)
        known.marking.mark()
        anew.new().mark()
        assert known.values() == anew.values()


def test_one_quote_touches_one_position_of_many(monkeypatch):
    desk = Desk()
    for symbol in SYMBOLS:
        hold(desk.portfolio, symbol, 1, 100)
        desk.board.publish(Quote(symbol, D(100), D(101), NOON, NOON))
    desk.marking.mark()
    assert desk.marked == list(SYMBOLS), "in the order of their names"
    flaws = []
    monkeypatch.setattr(Quote, "flaw", property(lambda quote: flaws.append(quote.symbol)))
    desk.board.publish(Quote("MO", D(99), D(100), NOON, NOON))
    desk.marking.mark()
    desk.marking.mark()
    assert flaws == ["MO"]
    assert desk.marked == [*SYMBOLS, "MO"]
