"""What an order costs the gate does not grow with what the account holds: counted in steps of the interpreter."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.risk import closest_bets
from quant_trading_system.risk.bets import Bets
from quant_trading_system.risk.checks.order import check_self_match
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.portfolio import Portfolio
from tests.support.desk import UNHURRIED, Desk, limits_with
from tests.support.orders import buy, sell
from tests.support.steps import steps
from tests.support.workloads import market_order

FEW, MANY = 30, 1000


class Ground:
    """A gate over an account that holds `count` symbols, long and short, some with an open order; others are quoted."""

    def __init__(self, count: int, *, gaps: bool, still: bool = False, bars: int = 60, others: int = 2) -> None:
        names = tuple(f"S{number:04d}" for number in range(count + others))
        returns = np.random.default_rng(5).normal(0, 0.01, (bars, len(names)))
        if gaps:
            returns[3, ::2] = math.nan
        if still:
            returns[:, 1::2] = 0
        self.desk = Desk(
            cash="100000000",
            universe=Universe([Instrument(symbol=name, sector="Staples") for name in names]),
            limits=limits_with(**UNHURRIED, max_portfolio_positions=10_000, max_correlation=Decimal(1)),
        )
        self.source = RollingCorrelations(names, lambda n: returns[-n:], window=60, min_observations=20)
        self.desk.checker._correlations = self.source
        for number, name in enumerate(names[:count]):
            self.desk.hold(name, 1 if number % 3 else -1, 10)
            if not number % 5:
                self.desk.portfolio.reserve(f"o{number}", name, Decimal(2), Decimal(10))
        for name in names[-2:]:
            self.desk.board.put(name, "99.99", "100.01")
        self.first, self.second = names[-2:]

    def judged(self) -> int:
        """Steps for an order that opens a position, when others of the same bar were judged before."""
        for symbol in (self.first, self.second):
            self.desk.check(market_order(symbol, OrderSide.SELL))
        order = market_order(self.second, OrderSide.BUY)
        return steps(lambda: self.desk.check(order))


MARKETS = {
    "moving": {"gaps": False},
    "with gaps": {"gaps": True},
    "half of it still": {"gaps": False, "still": True},
    "too young": {"gaps": False, "bars": 5},
}


@pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)
def test_judging_an_opening_order_asks_nothing_of_each_holding(market):
    few, many = (Ground(count, **market).judged() for count in (FEW, MANY))
    assert 500 < few
    assert abs(many - few) < MANY / 4  # another number of symbols may come near to the closest


def test_a_gate_that_walks_through_the_holdings_is_noticed(monkeypatch):
    """Otherwise the test above would say nothing."""

    def walk(_: object, symbol: str, __: int, bets: Bets) -> list[str]:
        return [other for other in bets.symbols if other != symbol and bets.side(other) is not None][:1]

    monkeypatch.setattr(RollingCorrelations, "closest", walk)
    few, many = (Ground(count, gaps=False).judged() for count in (FEW, MANY))
    assert many - few > MANY


def test_of_a_large_market_few_columns_are_looked_at():
    ground = Ground(FEW, gaps=False, others=MANY)
    ground.desk.check(market_order(ground.first, OrderSide.SELL))
    assert FEW < ground.source._bets_of_now()._seen.count < MANY * 2 / 3


def test_columns_that_are_asked_about_one_after_the_other_are_taken_in_together(monkeypatch):
    taken = []
    measure = closest_bets._Seen._measure
    monkeypatch.setattr(
        closest_bets._Seen, "_measure", lambda seen, some: (taken.append(len(some)), measure(seen, some))
    )
    ground, held = Ground(FEW, gaps=False, others=MANY), Bets()
    for number in range(MANY):
        list(ground.source.closest(f"S{number:04d}", 1, held))
        held.put(f"S{number:04d}", 1)
    assert len(taken) < 10
    assert MANY <= sum(taken) <= MANY + FEW


def test_booking_asks_nothing_of_other_holdings():
    def booked(count: int) -> int:
        portfolio: Portfolio = Ground(count, gaps=False).desk.portfolio
        portfolio.bets.along({"S0003": 0})

        def trade() -> None:
            portfolio.reserve("new", "S0003", Decimal(-5), Decimal(10))
            portfolio.apply_fill("new", "S0003", Decimal(-5), Decimal(10), Decimal(0))
            portfolio.release("new", "S0003")

        return steps(trade)

    assert booked(FEW) == booked(MANY)


def test_whether_the_other_side_is_being_opened_asks_nothing_of_each_open_order():
    def judged(count: int) -> int:
        desk = Desk(limits=limits_with(allow_short=True))
        for number in range(count):
            desk.portfolio.reserve(f"o{number}", "KO", Decimal(1), Decimal(99), buy(1, limit="99"))
        case = desk.checker.case_of(sell(1, limit="105"))
        case.shrinks = False
        answer = check_self_match(case)
        assert answer is not None
        assert not answer.passed
        return steps(lambda: check_self_match(case))

    assert judged(FEW) == judged(MANY)
