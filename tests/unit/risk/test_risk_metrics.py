"""Value at risk, its back-tests, drawdown, daily profit and concentration against independently computed numbers."""

from __future__ import annotations

from decimal import Decimal
from math import sqrt
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quant_trading_system.core.exceptions import InvalidNumber, MarketDataError
from quant_trading_system.risk.metrics import (
    Drawdown,
    current_drawdown,
    daily_pnl,
    daily_return,
    drawdown_series,
    gross_exposure,
    herfindahl,
    max_drawdown,
    net_exposure,
    position_concentration,
    sector_exposure,
    var_95,
)
from quant_trading_system.risk.value_at_risk import (
    cornish_fisher_cvar,
    cornish_fisher_var,
    cornish_fisher_z,
    diversified_var,
    historical_cvar,
    historical_var,
    interpolated_var,
    moments,
    parametric_cvar,
    parametric_var,
)
from quant_trading_system.risk.var_tests import christoffersen, kupiec

Value = TypeVar("Value")
approx: Any = pytest.approx


def known(value: Value | None) -> Value:
    """A number that must be there."""
    assert value is not None
    return value


RETURNS = [
    0.012, -0.008, 0.004, -0.021, 0.017, 0.006, -0.011, 0.009, 0.002, -0.015, 0.013, -0.003, 0.007,
    -0.006, 0.019, -0.024, 0.005, 0.010, -0.001, -0.013, 0.016, 0.003, -0.009, 0.008, -0.018,
]  # fmt: skip
MEASURES = [
    (historical_var, 0.021, 0.018),
    (interpolated_var, 0.0204, 0.0168),
    (historical_cvar, 0.0234, 0.0216),
    (parametric_var, 0.0202042310680156, 0.0157240129864095),
    (parametric_cvar, 0.0253572440981159, 0.0215623434805418),
    (cornish_fisher_var, 0.0216321466692064, 0.0171187551901655),
    (cornish_fisher_cvar, 0.0257030732340235, 0.022459629025564),
]


@pytest.mark.parametrize(("measure", "at_95", "at_90"), MEASURES, ids=[m[0].__name__ for m in MEASURES])
def test_measures_of_25_daily_returns(measure, at_95, at_90):
    assert measure(RETURNS, "0.95") == approx(at_95, rel=1e-7)
    assert measure(RETURNS, Decimal("0.90")) == approx(at_90, rel=1e-7)


def test_moments_of_25_daily_returns():
    """Deviation with n - 1, skewness and kurtosis with n."""
    assert moments(np.array(RETURNS)) == approx(
        (8e-5, 0.0123319368578771, -0.348387720743635, -0.943376993340422), rel=1e-7
    )


def test_the_rank_of_100_losses_at_95_percent_is_the_95th_smallest():
    """The sixth worst of 100 returns; a rank from binary floats would silently take the fifth."""
    returns = [-n / 1000 for n in range(1, 101)]
    assert var_95(returns) == 0.095
    assert historical_cvar(returns, "0.95") == approx((0.096 + 0.097 + 0.098 + 0.099 + 0.100) / 5)


@pytest.mark.parametrize("measure", [m[0] for m in MEASURES])
@pytest.mark.parametrize(("count", "confidence", "known"), [
    (0, "0.95", False), (19, "0.95", False), (20, "0.95", True), (9, "0.90", False), (10, "0.90", True),
    (99, "0.99", False), (100, "0.99", True),
])  # fmt: skip
def test_too_few_returns_give_no_number(measure, count, confidence, known):
    """Below ⌈1/(1 - c)⌉ observations the tail is empty; unknown is None and never 0."""
    returns = (RETURNS * 4)[:count]
    assert (measure(returns, confidence) is not None) is known


@pytest.mark.parametrize("measure", [m[0] for m in MEASURES])
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_a_return_that_is_not_finite_is_refused(measure, broken):
    with pytest.raises(InvalidNumber, match="return 3 is not a finite number"):
        measure([*RETURNS[:3], broken, *RETURNS[3:]], "0.95")


@pytest.mark.parametrize("confidence", ["0", "1", "95", "-0.95", 0.95, "NaN", "high"])
def test_a_confidence_that_is_none_is_refused(confidence):
    with pytest.raises(InvalidNumber):
        historical_var(RETURNS, confidence)


def test_a_table_of_returns_is_refused():
    with pytest.raises(InvalidNumber, match=r"shape \(5, 5\)"):
        var_95(np.array(RETURNS).reshape(5, 5))


def test_a_portfolio_that_only_gained_has_a_negative_value_at_risk():
    assert var_95([0.01 + n / 1000 for n in range(20)]) == approx(-0.011)


def test_returns_that_never_vary():
    """Nothing divides by a variance of zero."""
    steady = [0.001] * 30
    assert var_95(steady) == -0.001
    assert cornish_fisher_var(steady, "0.95") == approx(-0.001)
    assert historical_cvar([0.0] * 20, "0.95") == 0
    assert str(var_95([0.0] * 20)) == "0.0"


def test_cornish_fisher_quantile_of_a_published_example():
    """Mean 3.2, deviation 5.6, skewness 2, kurtosis 3 at 90 %: the R package Dowd prints 4.145348."""
    quantile = 3.2 + 5.6 * cornish_fisher_z(-1.2815515655446004, 2, 0)
    assert -quantile == approx(4.145348, abs=1e-6)


def test_outside_its_domain_cornish_fisher_gives_no_number():
    """One crash in a calm year: the moved quantile falls again before the tail, so it is none."""
    assert cornish_fisher_var([0.001] * 250 + [-0.5], "0.95") is None
    assert cornish_fisher_cvar([0.001] * 250 + [-0.5], "0.95") is None
    assert known(historical_cvar([0.001] * 250 + [-0.5], "0.95")) > 0


def test_two_risks_that_partly_cancel():
    """RiskMetrics prints 1.168 for stand-alone values 0.999 and 0.932 with a correlation of -0.27."""
    assert diversified_var([0.999, 0.932], [[1, -0.27], [-0.27, 1]]) == approx(1.16783914988324, abs=1e-9)


SAMPLES = st.lists(st.floats(-0.5, 0.5), min_size=20, max_size=120)


@given(SAMPLES, st.sampled_from(["0.90", "0.95"]))
def test_the_mean_of_the_tail_is_never_less_than_its_edge(returns, confidence):
    edge, mean = historical_var(returns, confidence), historical_cvar(returns, confidence)
    assert known(mean) >= known(edge) - 1e-12


@given(SAMPLES)
def test_historical_var_is_the_smallest_loss_that_covers_the_confidence(returns):
    """The definition itself, counted instead of ranked."""
    losses = sorted(-value for value in returns)
    covering = [loss for loss in losses if 20 * sum(other <= loss for other in losses) >= 19 * len(losses)]
    assert var_95(returns) == min(covering)


@given(SAMPLES, st.floats(0.1, 10))
def test_risk_scales_with_the_position(returns, factor):
    assume(np.std(returns) > 1e-6)
    for measure in (historical_var, historical_cvar, parametric_var, parametric_cvar):
        scaled = measure([factor * value for value in returns], "0.95")
        assert scaled == approx(factor * measure(returns, "0.95"), rel=1e-9, abs=1e-12)


def test_kupiec_rejects_20_exceptions_in_a_year():
    statistic, p_value = known(kupiec(252, 20, "0.95"))
    assert statistic == approx(3.9125508275532, rel=1e-8)
    assert p_value == approx(0.0479268010000881, rel=1e-8)


def test_kupiec_at_the_edges():
    assert kupiec(0, 0, "0.95") is None
    assert kupiec(100, 5, "0.95") == (0, 1)
    assert known(kupiec(250, 0, "0.99")).statistic == approx(-500 * np.log(0.99))
    assert known(kupiec(3, 3, "0.95")).statistic == approx(-6 * np.log(0.05))
    for observations, exceptions in ((2, 3), (2, -1), (-1, 0)):
        with pytest.raises(InvalidNumber):
            kupiec(observations, exceptions, "0.95")


def test_christoffersen_sees_clusters_that_kupiec_cannot():
    """Five exceptions in 100 days are the right number; five in a row are the wrong pattern."""
    scattered = [day % 20 == 10 for day in range(100)]
    clustered = [40 <= day < 45 for day in range(100)]
    assert kupiec(100, sum(clustered), "0.95") == (0, 1)
    assert known(christoffersen(scattered, "0.95")).p_value > 0.5
    # transitions of the cluster: 93 calm-calm, 1 calm-hit, 1 hit-calm, 4 hit-hit
    together = 94 * np.log(94 / 99) + 5 * np.log(5 / 99)
    apart = 93 * np.log(93 / 94) + np.log(1 / 94) + np.log(0.2) + 4 * np.log(0.8)
    statistic, p_value = known(christoffersen(clustered, "0.95"))
    assert statistic == approx(-2 * (together - apart))
    assert p_value == approx(np.exp(together - apart))
    assert p_value < 1e-5


def test_christoffersen_needs_two_periods():
    assert christoffersen([], "0.95") is None
    assert christoffersen([True], "0.95") is None
    assert known(christoffersen([False, False], "0.95")).statistic == approx(-4 * np.log(0.95))


def test_p_values_agree_with_the_chi_squared_distribution():
    stats = pytest.importorskip("scipy.stats")
    result = known(kupiec(252, 20, "0.95"))
    assert result.p_value == approx(stats.chi2.sf(result.statistic, 1))
    clustered = known(christoffersen([day < 3 for day in range(60)], "0.95"))
    assert clustered.p_value == approx(stats.chi2.sf(clustered.statistic, 2))


EQUITY = ["100000", "103000", "98880", "101000", "96820", "104030", "99868.80", "106000"]


def test_drawdown_of_eight_equity_points():
    curve = [Decimal(value) for value in EQUITY]
    assert max_drawdown(curve) == Drawdown(approx(0.06, abs=1e-12), peak=1, trough=4, recovery=5)
    assert current_drawdown(curve) == 0
    assert drawdown_series([100.0, 95.0, 90.0, 99.0]) == approx([0, 0.05, 0.10, 0.01], abs=1e-12)


def test_the_first_equity_is_the_first_peak():
    assert max_drawdown([100, 95, 90, 99]) == Drawdown(approx(0.10), peak=0, trough=2, recovery=None)
    assert current_drawdown([100, 95, 90, 99]) == approx(0.01)


def test_an_equity_that_never_fell():
    assert max_drawdown([100, 100, 101]) == Drawdown(0, peak=0, trough=0, recovery=0)
    assert max_drawdown([7]) == Drawdown(0, peak=0, trough=0, recovery=0)


def test_the_peak_is_where_the_fall_began():
    """After days on one level the fall starts with the last of them."""
    assert max_drawdown([100, 110, 110, 99, 110]) == Drawdown(approx(0.1), peak=2, trough=3, recovery=4)


def test_no_equity_has_no_drawdown():
    assert current_drawdown([]) is None
    assert max_drawdown([]) is None


@pytest.mark.parametrize("curve", [[0, 1], [-5, 1], [1, float("nan")], [1, float("inf")]])
def test_an_equity_curve_that_is_none_is_refused(curve):
    with pytest.raises(InvalidNumber):
        max_drawdown(curve)


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=50))
def test_maximum_drawdown_is_the_worst_of_all_pairs(curve):
    worst = max(1 - low / high for i, high in enumerate(curve) for low in curve[i:])
    found = known(max_drawdown(curve))
    assert found.depth == approx(worst, abs=1e-12)
    assert 1 - curve[found.trough] / curve[found.peak] == approx(found.depth, abs=1e-12)


def test_daily_profit_leaves_out_money_that_came_or_went():
    """A withdrawal of 8 000 is no loss; a deposit hides none."""
    assert daily_pnl(Decimal("489250.00"), Decimal("500000.00"), Decimal("-8000.00")) == Decimal("-2750.00")
    assert daily_return(Decimal("489250.00"), Decimal("500000.00"), Decimal("-8000.00")) == Decimal("-0.0055")
    assert daily_pnl(Decimal(105), Decimal(100), Decimal(10)) == Decimal(-5)
    assert daily_return(Decimal(105), Decimal(0)) is None


POSITIONS = {"A": Decimal(30000), "B": Decimal(-20000), "C": Decimal(10000)}
SECTORS = {"A": "Tech", "B": "Tech", "C": "Energy"}
EQUITY_NOW = Decimal(100000)


def test_concentration_of_two_longs_and_a_short():
    assert position_concentration(POSITIONS, EQUITY_NOW) == Decimal("0.3")
    assert gross_exposure(POSITIONS, EQUITY_NOW) == Decimal("0.6")
    assert net_exposure(POSITIONS, EQUITY_NOW) == Decimal("0.2")
    assert sector_exposure(POSITIONS, SECTORS, EQUITY_NOW) == {"Tech": Decimal("0.5"), "Energy": Decimal("0.1")}
    assert float(known(herfindahl(POSITIONS))) == approx(0.388888888888889, abs=1e-12)


def test_a_large_short_is_the_concentration():
    assert position_concentration({"A": Decimal(10), "B": Decimal(-40)}, Decimal(100)) == Decimal("0.4")


def test_exposure_of_nothing_is_zero_and_concentration_of_nothing_is_unknown():
    assert position_concentration({}, EQUITY_NOW) == gross_exposure({}, EQUITY_NOW) == net_exposure({}, EQUITY_NOW) == 0
    assert herfindahl({}) is None
    assert sector_exposure({}, {}, EQUITY_NOW) == {}


@pytest.mark.parametrize("equity", [Decimal(0), Decimal(-1)])
def test_without_equity_exposures_are_unknown(equity):
    assert position_concentration(POSITIONS, equity) is None
    assert gross_exposure(POSITIONS, equity) is None
    assert net_exposure(POSITIONS, equity) is None
    assert sector_exposure(POSITIONS, SECTORS, equity) is None


def test_a_symbol_without_a_sector_is_refused():
    with pytest.raises(MarketDataError, match="B has no sector"):
        sector_exposure(POSITIONS, {"A": "Tech"}, EQUITY_NOW)


def test_libraries_agree_on_real_prices():
    """Twenty real stocks, five years: an independent library finds the same tail and the same drawdown."""
    datasets = pytest.importorskip("skfolio.datasets")
    measures = pytest.importorskip("skfolio.measures")
    prices = datasets.load_sp500_dataset().iloc[-1260:]
    for symbol in ("AAPL", "JPM", "XOM"):
        closes = prices[symbol].to_numpy()
        returns = closes[1:] / closes[:-1] - 1
        assert historical_cvar(returns, "0.95") == approx(measures.cvar(returns, beta=0.95), rel=1e-9)
        assert parametric_var(returns, "0.95") == approx(
            1.6448536269514722 * returns.std(ddof=1) - returns.mean(), rel=1e-9
        )
        assert interpolated_var(returns, "0.95") == approx(-np.quantile(returns, 0.05), rel=1e-9)
        peaks = np.maximum.accumulate(closes)
        assert known(max_drawdown(closes)).depth == approx(((peaks - closes) / peaks).max(), rel=1e-12)
        assert sqrt(252) * moments(returns).deviation == approx(sqrt(252 * returns.var(ddof=1)), rel=1e-12)
