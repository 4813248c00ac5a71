"""Value at risk and shortfall of a book that is only asked about."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from quant_trading_system.risk import value_at_risk as measures
from quant_trading_system.risk.correlation import RollingCorrelations
from quant_trading_system.risk.gate_tail import GateTail

D = Decimal
RETURNS = np.random.default_rng(7).normal(0, 0.01, size=(250, 3))


def tail(returns: np.ndarray = RETURNS) -> GateTail:
    return GateTail(("KO", "PEP", "XOM"), lambda n: returns[-n:])


def test_the_numbers_are_those_of_the_past_profits_of_that_book():
    found = tail().of({"KO": D(1000), "XOM": D(-500)})
    assert found is not None
    profits = RETURNS @ np.array([1000, 0, -500])
    assert abs(float(found[0]) - measures.historical_var(profits, "0.95")) < 0.006
    assert abs(float(found[1]) - measures.historical_cvar(profits, "0.95")) < 0.006


def test_one_book_after_another_gives_what_each_gives_alone():
    asked, books = tail(), [{"KO": D(1000)}, {"KO": D(1000), "PEP": D(9)}, {"XOM": D(-7)}, {"KO": D(1000)}]
    assert [asked.of(book) for book in books] == [tail().of(book) for book in books]
    assert asked.of(books[0]) == tail().of(books[0])


def test_a_hedge_lowers_what_is_at_risk():
    same = np.repeat(RETURNS[:, :1], 3, axis=1)
    alone, hedged = tail(same).of({"KO": D(1000)}), tail(same).of({"KO": D(1000), "PEP": D(-600)})
    assert alone is not None
    assert hedged is not None
    assert hedged[0] < alone[0]


def test_without_past_returns_nothing_is_known():
    assert tail().of({"TSLA": D(1)}) is None
    assert tail(RETURNS[:10]).of({"KO": D(1)}) is None


def test_a_new_bar_counts_at_once():
    returns = RETURNS.copy()
    asked = tail(returns)
    before = asked.of({"KO": D(1000)})
    returns[-20:, 0] = -0.2
    assert asked.of({"KO": D(1000)}) == before
    asked.next_bar()
    after = asked.of({"KO": D(1000)})
    assert after is not None
    assert after[0] > D(100)


def test_the_source_of_correlations_tells_betas_and_tails_of_the_same_bars():
    returns = RETURNS.copy()
    source = RollingCorrelations(("KO", "PEP", "XOM"), lambda n: returns[-n:], window=60, min_observations=20)
    assert source.tail({"KO": D(1000)}) == tail(returns).of({"KO": D(1000)})
    assert source.beta("KO") == tail(returns).beta("KO")
    assert (source.beta("TSLA"), source.tail({"TSLA": D(1)})) == (None, None)
    before = source.tail({"KO": D(1000)})
    returns[-20:, 0] = -0.2
    assert source.tail({"KO": D(1000)}) == before
    source.next_bar()
    assert source.tail({"KO": D(1000)}) == tail(returns).of({"KO": D(1000)}) != before
