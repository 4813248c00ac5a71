"""The live risk numbers against independent computations: scipy, whole recomputation, sums by hand, REFERENCE cases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant_trading_system.core.clock import ManualClock
from quant_trading_system.core.decisions import Unit
from quant_trading_system.core.exceptions import JournalFull
from quant_trading_system.core.risk_now import LimitUse, RiskNow
from quant_trading_system.journal.codec import decode, encode
from quant_trading_system.journal.projection import Projection
from quant_trading_system.risk.kill_switch import KillSwitch
from quant_trading_system.risk.latch import MemoryLatch
from quant_trading_system.risk.limit_readings import Facts
from quant_trading_system.risk.limit_use import limit_uses
from quant_trading_system.risk.live_tail import LiveTail, _betas
from quant_trading_system.risk.monitor import RiskMonitor
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.risk.risk_book import EVERY_S, REMEMBERED_DAYS, Returns, RiskBook, backtest_of
from quant_trading_system.risk.stress import HISTORICAL, HYPOTHETICAL, Holding, Scenario, scenarios_for, stress_loss
from quant_trading_system.risk.value_at_risk import (
    historical_cvar,
    historical_var,
    monte_carlo_cvar,
    monte_carlo_var,
    parametric_var,
)
from tests.support.desk import hold, limits_with
from tests.support.market import NOON
from tests.support.steps import steps

D = Decimal
SYMBOLS = ("KO", "PEP", "XOM")
RETURNS = np.random.default_rng(7).normal(0, 0.01, (250, 3)) @ np.array([[1, 0.6, 0.2], [0, 1, 0.1], [0, 0, 1.5]])


class Measured:
    """100 000 dollars; a book that is measured by hand."""

    def __init__(self, returns=RETURNS, *, is_daily=True, **limits) -> None:
        self.clock = ManualClock(NOON)
        self.portfolio = Portfolio(D(100_000), {"KO": "Staples", "PEP": "Staples", "XOM": "Energy"})
        self.kill_switch = KillSwitch(latch=MemoryLatch(), clock=self.clock)
        self.monitor = RiskMonitor(
            limits=limits_with(**limits),
            portfolio=self.portfolio,
            kill_switch=self.kill_switch,
            clock=self.clock,
            emit=lambda event: None,
        )
        self.told: list[RiskNow] = []
        self.book = RiskBook(
            portfolio=self.portfolio,
            monitor=self.monitor,
            clock=self.clock,
            emit=self.told.append,
            returns=Returns(SYMBOLS, lambda bars: returns[-bars:], lambda bars: returns[-bars:], is_daily),
            uses=self.uses,
        )

    def uses(self):
        return limit_uses(Facts(self.monitor.limits, self.portfolio, self.monitor.measures()))


# -- Monte Carlo -------------------------------------------------------------------------------------------------------


def test_monte_carlo_agrees_with_the_student_t_that_it_draws_from():
    sample = stats.t.rvs(6, size=2000, random_state=3) * 0.01
    kurtosis = stats.kurtosis(sample)
    freedom = 4 + 6 / kurtosis
    scale = sample.std(ddof=1) * np.sqrt((freedom - 2) / freedom)
    for level in ("0.95", "0.99"):
        expected = -stats.t.ppf(1 - float(level), freedom, loc=sample.mean(), scale=scale)
        assert monte_carlo_var(sample, level, seed=1) == pytest.approx(expected, rel=0.05)
        assert monte_carlo_cvar(sample, level, seed=1) > monte_carlo_var(sample, level, seed=1)


def test_monte_carlo_of_thin_tails_is_nearly_the_parametric_one():
    sample = stats.norm.ppf((np.arange(500) + 0.5) / 500) * 0.01
    assert monte_carlo_var(sample, "0.95", seed=5) == pytest.approx(parametric_var(sample, "0.95"), rel=0.03)


def test_the_seed_decides_about_a_monte_carlo_and_nothing_else_does():
    sample = RETURNS[:, 0]
    assert monte_carlo_var(sample, "0.99", seed=1) == monte_carlo_var(sample, "0.99", seed=1)
    assert monte_carlo_var(sample, "0.99", seed=1) != monte_carlo_var(sample, "0.99", seed=2)
    assert monte_carlo_var(sample[:19], "0.95", seed=1) is None


# -- the tail of the book ----------------------------------------------------------------------------------------------

CHANGES = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(-50_000, 50_000)), min_size=1, max_size=30)


@given(CHANGES)
@settings(max_examples=50)
def test_differences_add_up_to_the_whole_computation(changes):
    """With gaps in the history, longs, shorts, and positions that are closed again."""
    returns = RETURNS.copy()
    returns[:40, 1] = np.nan
    returns[100:105, 2] = np.nan
    tail, values = LiveTail(SYMBOLS, lambda bars: returns[-bars:], bars=250), {}
    for symbol, dollars in changes:
        values[symbol] = D(dollars)
        tail.hold({name: value for name, value in values.items() if value})
    held = [i for i, symbol in enumerate(SYMBOLS) if values.get(symbol)]
    weights = np.array([float(values[SYMBOLS[i]]) for i in held])
    whole = returns[:, held]
    expected = (whole[~np.isnan(whole).any(axis=1)] @ weights) if held else np.zeros(250)
    assert tail.profits() == pytest.approx(expected, abs=1e-6)


class Hashed(str):
    """A symbol with a place of its own in sets, as another process would give it."""

    place: int

    def __hash__(self) -> int:
        return self.place


def test_the_last_bit_does_not_depend_on_the_order_of_sets():
    """Otherwise the same day, lived through by two processes, has two journals."""
    found = []
    for places in ((1, 2, 3), (3, 2, 1)):
        symbols = tuple(map(Hashed, SYMBOLS))
        for symbol, place in zip(symbols, places, strict=True):
            symbol.place = place
        tail = LiveTail(symbols, lambda bars: RETURNS[-bars:], bars=250)
        tail.hold(dict(zip(symbols, (D("10000.1"), D("-5000.7"), D("333.3")), strict=True)))
        found.append(tail.profits().tobytes())
    assert found[0] == found[1]


def test_who_holds_nothing_any_more_has_no_crumbs_at_risk():
    tail = LiveTail(SYMBOLS, lambda bars: RETURNS[-bars:], bars=250)
    for values in ({"KO": D("10000.1"), "XOM": D("-5000.7")}, {"KO": D("9876.54")}, {}):
        tail.hold(values)
    assert not tail.profits().any()
    assert set(tail.tail(seed=1).values()) == {D("0.00")}


def test_the_tail_is_that_of_the_past_profits_in_dollars():
    tail = LiveTail(SYMBOLS, lambda bars: RETURNS[-bars:], bars=250)
    tail.hold({"KO": D(10_000), "XOM": D(-5_000)})
    profits = RETURNS[:, [0, 2]] @ np.array([10_000, -5_000])
    told = tail.tail(seed=1)
    assert float(told["historical_var_95"]) == pytest.approx(historical_var(profits, "0.95"), abs=0.005)
    assert float(told["historical_es_99"]) == pytest.approx(historical_cvar(profits, "0.99"), abs=0.005)
    expected = -stats.norm.ppf(0.01, profits.mean(), profits.std(ddof=1))
    assert float(told["parametric_var_99"]) == pytest.approx(expected, abs=0.01)
    assert len(told) == 16


def test_what_has_no_history_has_no_tail():
    """An unknown risk must not look like no risk."""
    tail = LiveTail(SYMBOLS, lambda bars: RETURNS[-bars:], bars=250)
    tail.hold({"KO": D(10_000), "NEW": D(1)})
    assert tail.profits() is None
    assert set(tail.tail(seed=1).values()) == {None}
    assert tail.profits_with("KO", D(1)) is None
    tail.hold({"KO": D(10_000)})
    assert tail.profits() is not None


def test_the_tail_with_one_more_position_is_the_tail_of_both():
    tail = LiveTail(SYMBOLS, lambda bars: RETURNS[-bars:], bars=250)
    tail.hold({"KO": D(10_000)})
    assert tail.profits_with("XOM", D(-3_000)) == pytest.approx(RETURNS[:, [0, 2]] @ np.array([10_000, -3_000]))
    assert tail.profits() == pytest.approx(RETURNS[:, 0] * 10_000)


def test_a_new_bar_is_taken_in():
    history = [RETURNS[:100]]
    tail = LiveTail(SYMBOLS, lambda bars: history[0][-bars:], bars=250)
    tail.hold({"KO": D(10_000)})
    history[0] = RETURNS[:101]
    assert len(tail.profits()) == 100
    tail.next_bar()
    assert tail.profits() == pytest.approx(RETURNS[:101, 0] * 10_000)


def test_beta_is_the_slope_against_the_average_of_all():
    tail = LiveTail(SYMBOLS, lambda bars: RETURNS[-bars:], bars=250)
    expected = stats.linregress(RETURNS.mean(axis=1), RETURNS[:, 2]).slope
    assert float(tail.beta("XOM")) == pytest.approx(expected, abs=1e-6)
    assert tail.beta("NEW") is None
    assert LiveTail(SYMBOLS, lambda bars: RETURNS[:9], bars=250).beta("KO") is None


def test_betas_of_many_symbols_are_found_together():
    """After every bar all of them are: with thousands of symbols one by one holds up whatever else is due."""
    returns = np.random.default_rng(5).normal(0, 0.01, (250, 40))
    returns[3, 7] = np.nan  # which goes its own way
    found, market = _betas(returns), np.nanmean(returns, axis=1)
    for column in range(40):
        known = ~np.isnan(returns[:, column])
        slope = stats.linregress(market[known], returns[known, column]).slope
        assert found[column] == pytest.approx(slope, rel=1e-9)
    assert steps(lambda: _betas(returns[:, 8:])) < 32 * 100


# -- stress ------------------------------------------------------------------------------------------------------------

BOOK = {
    "KO": Holding(D(30_000), "Consumer Staples", D("0.5")),
    "AAPL": Holding(D(20_000), "Information Technology", D("1.2")),
    "XOM": Holding(D(-10_000), "Energy", None),
}
"""By hand: market exposure 15 000 + 24 000 − 10 000 = 29 000 dollars."""

LOSSES = {
    "1987-10-19": "5936.30",  # 0.2047 of 29 000
    "2008-10": "4912.60",
    "2008-10-15": "2618.70",
    "2020-03-16": "3474.20",
    "2020-02-19 to 2020-03-23": "9836.80",
    "rate shock": "3900.00",  # 30 000 · 0.5 · 8 % + 20 000 · 15 % − 10 000 · 3 %
    "single-name gap": "15000.00",  # KO halves
    "short squeeze": "11950.00",  # 39 000 · 5 %, and the short doubles
    "rally": "-2900.00",
}


@pytest.mark.parametrize("scenario", [*HISTORICAL, *HYPOTHETICAL], ids=lambda scenario: scenario.name)
def test_a_scenario_costs_what_a_hand_computes(scenario):
    assert stress_loss(BOOK, scenario) == D(LOSSES[scenario.name])


def test_a_scenario_in_which_nothing_gaps_looks_for_no_worst_gap():
    book = {f"S{number}": Holding(D(number + 1), "Energy", D("1.1")) for number in range(100)}
    rally = next(scenario for scenario in HYPOTHETICAL if scenario.name == "rally")
    assert steps(lambda: stress_loss(book, rally)) < 100 * 48


def test_every_sector_of_the_book_is_shocked_in_turn():
    names = [scenario.name for scenario in scenarios_for(BOOK)]
    assert names[-3:] == [f"sector shock: {name}" for name in ("Consumer Staples", "Energy", "Information Technology")]
    shock = scenarios_for(BOOK)[-3]
    assert stress_loss(BOOK, shock) == D("7500") + D("1200") - D("500")


def test_nothing_loses_more_than_all_and_an_empty_book_nothing():
    crash = Scenario(name="crash", what="a test", market=D("-0.9"))
    assert stress_loss({"A": Holding(D(100), "Unknown", D(3))}, crash) == D(100)
    assert all(stress_loss({}, scenario) == 0 for scenario in scenarios_for({}))


# -- the book ----------------------------------------------------------------------------------------------------------


@pytest.mark.control("risk numbers")
def test_the_numbers_of_a_book_with_longs_and_shorts():
    """R-CONC-1: A 30 000, B −20 000 (one sector), C 10 000, equity 100 000."""
    measured = Measured()
    for symbol, quantity in (("KO", 300), ("PEP", -200), ("XOM", 100)):
        hold(measured.portfolio, symbol, quantity, 100)
    now = measured.book.measure()
    assert (now.gross, now.net, now.long, now.short) == (D("0.6"), D("0.2"), D("0.4"), D("0.2"))
    assert (now.largest, now.position_concentration, now.herfindahl) == ("KO", D("0.3"), D("0.388889"))
    assert now.sectors == {"Staples": D("0.5"), "Energy": D("0.1")}
    assert now.bars == 250
    assert len(now.stress) == len(HISTORICAL) + len(HYPOTHETICAL) + 2
    assert decode(encode(now)) == now


def test_without_a_price_nothing_is_known():
    measured = Measured()
    measured.portfolio.adopt("KO", D(10), D(1000))
    now = measured.book.measure()
    assert (now.gross, now.net, now.beta, now.position_concentration) == (None,) * 4
    assert now.tail == {}
    assert now.stress == {}


def test_numbers_go_on_record_once_a_minute_and_not_when_the_disk_is_full():
    measured = Measured()
    for second in range(0, 181, 20):
        measured.clock.move_to(NOON + timedelta(seconds=second))
        measured.book.tick()
    assert [(now.at - NOON).total_seconds() for now in measured.told] == [0, EVERY_S, 2 * EVERY_S, 3 * EVERY_S]

    def full(now):
        raise JournalFull("no room")

    measured.book._emit = full
    measured.clock.move_to(NOON + timedelta(minutes=5))
    measured.book.tick()


def test_the_worst_stress_is_handed_to_the_monitor():
    measured = Measured(max_stress_loss_pct=D("0.1"))
    hold(measured.portfolio, "KO", 300, 100)
    measured.book.tick()
    measured.monitor.observe()
    assert measured.kill_switch.state.numbers["max_stress_loss_pct"] == "15000"


# -- forecasts against losses ------------------------------------------------------------------------------------------


def _day(measured: Measured, loss: str) -> None:
    measured.monitor.open_day()
    measured.portfolio.cash -= D(loss)
    measured.monitor.close_day()
    measured.book.close_day()
    measured.portfolio.cash += D(loss)


@pytest.mark.control("risk numbers")
def test_a_day_s_loss_is_held_against_the_forecast_of_the_day_before():
    measured = Measured()
    hold(measured.portfolio, "KO", 300, 100)
    for loss in ("9999", "0", "9999", "100"):
        _day(measured, loss)
    last = measured.told[-1]
    assert last.is_day_end
    assert last.record["historical_var_95"] == "010"  # the first day had no forecast
    again = Measured()
    again.book.restore(last)
    hold(again.portfolio, "KO", 300, 100)
    _day(again, "9999")
    assert again.told[-1].record["parametric_var_99"] == "0101"


def test_bars_that_are_no_days_make_no_forecast_of_a_day():
    measured = Measured(is_daily=False)
    hold(measured.portfolio, "KO", 300, 100)
    for _ in range(3):
        _day(measured, "9999")
    assert measured.told[-1].record == {}


def test_the_record_is_bounded():
    measured = Measured()
    measured.book._record = {"historical_var_95": "1" * REMEMBERED_DAYS}
    measured.book._forecast = {"historical_var_95": D(5000)}
    measured.book.close_day()
    record = measured.told[-1].record["historical_var_95"]
    assert (len(record), record[-1]) == (REMEMBERED_DAYS, "0")


def test_the_tests_of_a_forecast_are_those_of_the_papers():
    """R-VAR-5: 20 exceptions in 252 days at 95 %; and scipy's chi-squared gives the same p-value."""
    found = backtest_of("historical_var_95", "1" * 20 + "0" * 232)
    assert (found.days, found.exceptions) == (252, 20)
    assert found.kupiec.statistic == pytest.approx(3.912550828)
    assert found.kupiec.p_value == pytest.approx(stats.chi2.sf(found.kupiec.statistic, 1))
    assert found.christoffersen.p_value == pytest.approx(stats.chi2.sf(found.christoffersen.statistic, 2))
    assert found.christoffersen.p_value < 1e-6  # all in a row
    assert backtest_of("parametric_var_99", "") == (0, 0, None, None)


def test_the_journal_remembers_the_latest_numbers_and_the_last_day():
    measured = Measured()
    books = Projection()
    books.apply(1, msgspec.structs.replace(measured.book.measure(), is_day_end=True, record={"a_var_95": "1"}))
    books.apply(2, measured.book.measure())
    assert books.risk_now is not None
    assert not books.risk_now.is_day_end
    assert books.risk_day is not None
    assert books.risk_day.record == {"a_var_95": "1"}


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.control("risk numbers")
def test_what_is_used_of_every_limit():
    measured = Measured()
    hold(measured.portfolio, "KO", 50, 100)
    hold(measured.portfolio, "XOM", 40, 100)
    measured.portfolio.reserve("o-1", "KO", D(25), D(100))
    used = {use.rule: use for use in measured.uses()}
    assert used["max_position_pct"] == LimitUse("max_position_pct", D(7500), D(10_000), Unit.USD, "KO")
    assert (used["max_position_pct"].share, used["max_position_pct"].left) == (D("0.75"), D(2500))
    assert (used["max_portfolio_positions"].actual, used["max_gross_exposure"].actual) == (D(2), D(11_500))
    assert (used["max_sector_exposure"].of, used["max_sector_exposure"].actual) == ("Staples", D(7500))
    assert used["max_open_orders_per_symbol"].of == "KO"
    assert used["max_daily_loss_pct"].share == 0
    assert LimitUse("x", D(1), D(0), Unit.USD).share == 1


def test_shares_of_equity_mean_nothing_without_equity():
    measured = Measured()
    measured.portfolio.cash = D(-1)
    rules = {use.rule for use in measured.uses()}
    assert "max_position_pct" not in rules
    assert "max_consecutive_losses" in rules


def test_correlations_of_the_largest_positions_are_those_of_their_returns():
    measured = Measured()
    for symbol, shares in (("KO", 100), ("PEP", -300), ("XOM", 200)):
        hold(measured.portfolio, symbol, shares, 100)
    now = measured.book.measure()
    assert now.correlated == ("PEP", "XOM", "KO")
    pearson = np.corrcoef(RETURNS.T)
    column = {symbol: number for number, symbol in enumerate(SYMBOLS)}
    assert now.correlations[0] == ()
    for number, row in enumerate(now.correlations):
        for other, value in zip(now.correlated[:number], row, strict=True):
            expected = pearson[column[now.correlated[number]], column[other]]
            assert float(value) == pytest.approx(expected, abs=0.006)
    assert decode(encode(now)) == now


def test_too_few_common_bars_make_no_correlation():
    measured = Measured(RETURNS[:15])
    for symbol in ("KO", "PEP"):
        hold(measured.portfolio, symbol, 10, 100)
    assert measured.book.measure().correlations == ((), (None,))
