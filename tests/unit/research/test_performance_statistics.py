"""Statistics of runs: cases computed by hand, edges without a number, and a second opinion on real prices."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_trading_system.core.events import FillEvent
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.research.performance import (
    DayReturn,
    DrawdownSpell,
    MonthReturn,
    PerformanceReport,
    RunRecord,
    daily_closes,
    growth_curve,
    statistics,
)

Value = TypeVar("Value")
approx: Any = pytest.approx
START = datetime(2024, 1, 30, 14, 30, tzinfo=UTC)


def known(value: Value | None) -> Value:
    """A number that must be there."""
    assert value is not None
    return value


def days(count: int, start: datetime = START) -> list[datetime]:
    """The start, and then one point a day, in the evening."""
    return [start, *(start.replace(hour=21) + timedelta(days=i) for i in range(count))]


def run(*equity, **others) -> RunRecord:
    """A run whose equity is given day by day, the start included."""
    return RunRecord(times=days(len(equity) - 1), equity=[Decimal(str(value)) for value in equity], **others)


def fill(quantity, price, side=OrderSide.BUY) -> FillEvent:
    number = Decimal(quantity)
    return FillEvent(
        at=START, order_id="r-1-1", execution_id="e", symbol="KO", side=side,
        quantity=number, price=Decimal(price), cumulative_quantity=number,
    )  # fmt: skip


def test_five_days_by_hand():
    """Returns +10 %, -10 %, 0 %, +20 %, -5 % on 100 dollars."""
    report = statistics(run(100, 110, 99, 99, "118.8", "112.86"))
    returns = [0.10, -0.10, 0.0, 0.20, -0.05]
    mean = 0.15 / 5
    deviation = sqrt(sum((value - mean) ** 2 for value in returns) / 4)
    assert report.days == 5
    assert report.net_profit == Decimal("12.86")
    assert report.total_return == approx(0.1286)
    assert report.cagr == approx(1.1286 ** (252 / 5) - 1)
    assert report.volatility == approx(deviation * sqrt(252))
    assert report.sharpe == approx(mean / deviation * sqrt(252))
    assert report.sortino == approx(mean / sqrt((0.01 + 0.0025) / 5) * sqrt(252))
    assert report.max_drawdown == approx(0.10)
    assert report.calmar == approx((1.1286 ** (252 / 5) - 1) / 0.10)
    assert report.current_drawdown == approx(0.05)
    assert report.best_day == DayReturn(date(2024, 2, 2), approx(0.20))
    assert report.worst_day == DayReturn(date(2024, 1, 31), approx(-0.10))
    assert report.var_95 is None


def test_the_risk_free_rate_is_taken_off_every_day():
    report = statistics(run(100, 101, 100, 102), risk_free=0.0504)
    excess = np.array([0.01, -1 / 101, 0.02]) - 0.0002
    assert report.sharpe == approx(excess.mean() / excess.std(ddof=1) * sqrt(252))
    assert report.sortino == approx(excess.mean() / sqrt(np.mean(np.minimum(excess, 0) ** 2)) * sqrt(252))


def test_drawdown_tells_its_dates_and_length():
    spell = statistics(run(100, 120, 90, 105, 120, 119)).drawdown
    assert spell == DrawdownSpell(
        depth=approx(0.25), peak=date(2024, 1, 30), trough=date(2024, 1, 31),
        recovered=date(2024, 2, 2), length_days=3,
    )  # fmt: skip


def test_a_drawdown_that_lasts_counts_to_the_end():
    spell = statistics(run(100, 90, 80, 85, 84)).drawdown
    assert spell is not None
    assert (spell.peak, spell.trough, spell.recovered) == (date(2024, 1, 30), date(2024, 1, 31), None)
    assert spell.length_days == 3


def test_the_drawdown_sees_the_points_within_a_day():
    """The daily series never fell, the account did."""
    times = [START, START + timedelta(hours=1), START + timedelta(hours=2), START + timedelta(days=1)]
    report = statistics(RunRecord(times=times, equity=[Decimal(v) for v in (100, 80, 100, 101)]))
    assert report.days == 2
    assert report.max_drawdown == approx(0.2)
    assert known(report.worst_day).value == 0


def test_daily_points_are_the_start_and_the_last_of_each_utc_date():
    hours = [0, 5, 9, 10, 33, 34, 58]
    midnight = datetime(2024, 3, 1, tzinfo=UTC)
    assert daily_closes([midnight + timedelta(hours=h) for h in hours]) == [0, 3, 5, 6]
    assert daily_closes([midnight]) == [0]
    assert daily_closes([midnight, midnight + timedelta(days=1)]) == [0, 1]


def test_months_compound_from_the_start():
    """January has one day, February the rest."""
    report = statistics(run(100, 102, 102, 104, 110))
    assert report.monthly == [
        MonthReturn(2024, 1, approx(0.02)),
        MonthReturn(2024, 2, approx(110 / 102 - 1)),
    ]


def test_deposits_are_no_gain_and_withdrawals_no_loss():
    """50 came on the second day and 30 went on the third; the positions gained 10 % and lost 10 %."""
    flows = [Decimal(v) for v in (1000, 0, 50, -30)]
    report = statistics(run(100, 110, 160, 114, flows=flows))
    assert report.total_return == approx(1.1 * 1.0 * 0.9 - 1)
    assert report.max_drawdown == approx(0.10)
    assert report.net_profit == Decimal(114 - 100 - 20)


def test_turnover_counts_both_sides_against_average_equity():
    """Two days, 300 dollars traded, equity 150 on average: 2 in two days, 252 in a year."""
    fills = [fill(10, "20"), fill(5, "20", OrderSide.SELL)]
    report = statistics(run(100, 150, 200, fills=fills, fees=Decimal("0.30"), slippage=Decimal("-0.15")))
    assert report.traded == Decimal(300)
    assert report.turnover == approx(300 / 150 * 252 / 2)
    assert report.costs == Decimal("0.15")
    assert report.costs_bps == approx(5.0)
    assert report.fills == 2


def test_round_trips():
    trips = [Decimal(v) for v in (30, -10, 0, 10, -20)]
    report = statistics(run(100, 110, round_trips=trips))
    assert report.trades == 5
    assert report.hit_rate == 0.4
    assert report.payoff == approx(20 / 15)
    assert report.profit_factor == approx(40 / 30)
    cents = statistics(run(100, 110, round_trips=[Decimal(v) for v in ("0.50", "-0.25", "0", "0.50")]))
    assert (cents.hit_rate, cents.payoff, cents.profit_factor) == (0.5, approx(2.0), approx(4.0))


@pytest.mark.parametrize(("trips", "hit_rate"), [([], None), ([5], 1.0), ([-5], 0.0), ([0], 0.0)])
def test_payoff_needs_winners_and_losers(trips, hit_rate):
    report = statistics(run(100, 101, round_trips=[Decimal(v) for v in trips]))
    assert (report.hit_rate, report.payoff) == (hit_rate, None)


def test_exposure_is_the_mean_of_all_points():
    assert statistics(run(100, 100, 100, gross_exposure=[0.0, 0.6, 0.9])).exposure == approx(0.5)


def test_the_start_alone_has_no_statistics():
    report = statistics(run(100))
    unknown = {name for name in PerformanceReport.__struct_fields__ if getattr(report, name) is None}
    assert unknown == {
        "total_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown", "current_drawdown",
        "drawdown", "var_95", "best_day", "worst_day", "turnover", "exposure", "hit_rate", "payoff", "profit_factor",
        "costs_bps", "benchmark",
    }  # fmt: skip
    assert report.days == report.net_profit == 0
    assert report.monthly == []


def test_one_day_has_a_return_but_nothing_annual():
    report = statistics(run(100, 103, fills=[fill(1, "50")]))
    assert report.total_return == approx(0.03)
    annual = (report.cagr, report.volatility, report.sharpe, report.sortino, report.calmar, report.turnover)
    assert annual == (None,) * 6


def test_a_flat_equity_has_no_ratios():
    """Nothing was risked, so nothing can be divided by it; a growth of zero is a fact."""
    report = statistics(run(*[100] * 30))
    assert (report.sharpe, report.sortino, report.calmar, report.drawdown) == (None,) * 4
    assert (report.cagr, report.volatility, report.max_drawdown, report.var_95) == (0, 0, 0, 0)


def test_the_same_gain_every_day_has_no_sharpe_ratio():
    """The spread is rounding; a ratio of ten thousand would be as well."""
    report = statistics(run(*[Decimal("1.001") ** day for day in range(60)]))
    assert report.sharpe is None
    assert report.cagr == approx(1.001**252 - 1)


def test_a_lost_account_is_lost():
    """Equity below zero is a loss of everything; what comes later is no recovery."""
    report = statistics(run(100, 50, -5, 10, 20))
    assert report.total_return == -1
    assert report.cagr == -1
    assert report.max_drawdown == 1
    assert report.days == 2
    assert known(report.worst_day).value == -1


def test_growth_that_fits_into_no_number_is_unknown():
    assert statistics(run(1, 1000, 1_000_000)).cagr is None


def test_benchmark_over_the_same_days():
    report = statistics(run(100, 110, 120, benchmark=[50.0, 60.0, 45.0], benchmark_name="S&P 500"))
    bench = known(report.benchmark)
    assert bench.name == "S&P 500"
    assert bench.total_return == approx(-0.1)
    assert bench.max_drawdown == approx(0.25)
    assert bench.cagr == approx(0.9**126 - 1)
    assert bench.sharpe == approx((0.2 - 0.25) / 2 / (0.45 / sqrt(2)) * sqrt(252))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"times": [], "equity": []}, "at least one point"),
        ({"equity": [Decimal(1)]}, "equity has 1 values for 3 times"),
        ({"gross_exposure": [0.1]}, "gross_exposure has 1 values for 3 times"),
        ({"flows": [Decimal(1)]}, "flows has 1 values for 3 times"),
        ({"benchmark": [1.0, 2.0]}, "benchmark has 2 values for 3 times"),
        ({"benchmark": [1.0, float("nan"), 2.0]}, "benchmark holds a value that is not a finite number"),
        ({"benchmark": [1.0, 0.0, 2.0]}, "prices of a benchmark must stay there"),
        ({"equity": [Decimal(1), Decimal("NaN"), Decimal(1)]}, "equity holds a value that is not a finite number"),
        ({"equity": [Decimal(0), Decimal(1), Decimal(1)]}, "must start above zero"),
        ({"times": [START, START, START + timedelta(days=1)]}, "times must rise"),
        ({"times": [START.replace(tzinfo=None), *days(1)]}, "times need a time zone"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(change, told):
    sound = {"times": days(2), "equity": [Decimal(100)] * 3}
    with pytest.raises(ValueError, match=told):
        RunRecord(**{**sound, **change})


def test_a_report_is_json():
    """It can be written, and read back as the same report."""
    report = statistics(
        run(100, 110, 105, benchmark=[1.0, 2.0, 3.0], fills=[fill(1, "5")], refusals={"max_drawdown_pct": 2})
    )
    text = msgspec.json.encode(report)
    assert msgspec.json.decode(text, type=PerformanceReport) == report
    assert b"NaN" not in text
    assert msgspec.json.decode(text)["refusals"] == {"max_drawdown_pct": 2}


EQUITIES = st.lists(st.decimals(1, 1000, places=2), min_size=3, max_size=60)


@given(EQUITIES)
def test_every_number_is_finite_or_unknown(equity):
    report = statistics(run(*equity))
    numbers = [getattr(report, name) for name in PerformanceReport.__struct_fields__]
    assert all(np.isfinite(value) for value in numbers if isinstance(value, float))


@given(EQUITIES)
def test_months_multiply_to_the_total_return(equity):
    report = statistics(run(*equity))
    together = np.prod([1 + item.value for item in report.monthly])
    assert together == approx(1 + known(report.total_return))


@given(EQUITIES, st.integers(2, 9))
def test_ratios_do_not_depend_on_the_size_of_the_account(equity, factor):
    small, large = statistics(run(*equity)), statistics(run(*(factor * value for value in equity)))
    for name in ("total_return", "volatility", "sharpe", "sortino", "max_drawdown"):
        of_small, of_large = getattr(small, name), getattr(large, name)
        assert of_small == of_large or of_large == approx(of_small, rel=1e-6, abs=1e-9)


@given(EQUITIES, st.data())
def test_a_deposit_on_any_day_changes_no_return(equity, data):
    """Money is added, and every later equity is scaled as the larger account would have been."""
    at = data.draw(st.integers(1, len(equity) - 1))
    share = data.draw(st.sampled_from([Decimal("0.5"), Decimal(2)]))
    flows = [Decimal(0)] * len(equity)
    flows[at] = equity[at] * share
    grown = [*equity[:at], *(value * (1 + share) for value in equity[at:])]
    without, with_flow = growth_curve(run(*equity)), growth_curve(run(*grown, flows=flows))
    assert with_flow == approx(without)


def test_a_second_opinion_on_real_prices():
    """The S&P 500 itself as the equity of a run: numpy and an independent library give the same statistics."""
    datasets = pytest.importorskip("skfolio.datasets")
    measures = pytest.importorskip("skfolio.measures")
    index = datasets.load_sp500_index().iloc[-1500:]
    closes = index.iloc[:, 0].to_numpy()
    times = [stamp.to_pydatetime().replace(hour=21, tzinfo=UTC) for stamp in index.index]
    report = statistics(RunRecord(times=times, equity=[Decimal(str(value)) for value in closes]))
    returns = np.diff(closes) / closes[:-1]
    assert report.days == len(returns)
    assert report.total_return == approx(closes[-1] / closes[0] - 1)
    assert report.cagr == approx(np.exp(np.log1p(returns).mean() * 252) - 1)
    assert report.volatility == approx(measures.standard_deviation(returns) * sqrt(252), rel=1e-6)
    assert report.sharpe == approx(measures.mean(returns) / measures.standard_deviation(returns) * sqrt(252), rel=1e-6)
    downside = sqrt((returns[returns < 0] ** 2).sum() / len(returns))
    assert report.sortino == approx(returns.mean() / downside * sqrt(252))
    assert report.max_drawdown == approx(measures.max_drawdown(measures.get_drawdowns(returns, compounded=True)))
    assert report.var_95 == approx(measures.value_at_risk(returns, beta=0.95))
    assert known(report.drawdown).peak == date(2020, 2, 19)
    assert known(report.drawdown).trough == date(2020, 3, 23)
    monthly = index.iloc[:, 0].resample("ME").last().pct_change().dropna()
    assert [item.value for item in report.monthly[1:]] == approx(monthly.to_list())
