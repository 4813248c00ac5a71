"""What a sweep tells is what backtests of their own come to, and what SciPy makes of their days.

Written from docs/sweeps.md: every trial, every window of the walk-forward test and every judgement is done again.
"""

from __future__ import annotations

from datetime import date
from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.strategy_loading import StrategySource
from quant_trading_system.app.sweeping.pools import InProcess
from quant_trading_system.app.sweeping.sweep import Sweep, SweepPlan
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.research.sweep import Window

BEGIN, FIRST, LAST = date(2020, 1, 2), date(2020, 2, 3), date(2020, 5, 1)
SYMBOLS, CASH = ["KO", "XOM"], 100_000
FAST, SLOW = (1, 2, 3), (4, 9)
FOLDS, PURGE, EMBARGO = 2, 1, 2
CROSS = b"""
from quant_trading_system.trading.strategy import Strategy

class Cross(Strategy):
    def __init__(self, fast: int = 2, slow: int = 6):
        self.fast, self.slow, self.equity = fast, slow, []

    def on_bar(self, market):
        self.equity.append(float(market.equity))
        for symbol in market.symbols:
            closes = market.closes(symbol, self.slow)
            rising = closes[-self.fast:].mean() > closes.mean()
            yield market.long(symbol, weight="0.09") if rising else market.flat(symbol)
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    prices = load_sp500(BEGIN, LAST, symbols=SYMBOLS)
    plan = SweepPlan(
        source=StrategySource("cross.py:Cross", CROSS),
        params=("fast=1,2,3", "slow=4,9"),
        window=Window(FIRST, LAST),
        setup=Setup(universe=sp500_20()),
        folds=FOLDS,
        purge=PURGE,
        embargo=EMBARGO,
    )
    sweep = Sweep(plan, prices)
    return sweep.run(InProcess(sweep.work, prices), tmp_path_factory.mktemp("sweep"))


def daily(fast: int, slow: int, first: date, last: date) -> np.ndarray:
    """Daily returns of one backtest of these days."""
    prices = load_sp500(BEGIN, last, symbols=SYMBOLS)
    strategy = StrategySource("cross.py:Cross", CROSS).load()(fast=fast, slow=slow)
    backtest(strategy, prices, Setup(universe=sp500_20(), first_bar=prices.index_of(first)))
    equity = np.array([CASH, *strategy.equity])
    return equity[1:] / equity[:-1] - 1


@pytest.fixture(scope="module")
def table():
    """Of all trials, a column each."""
    return np.column_stack([daily(fast, slow, FIRST, LAST) for fast, slow in product(FAST, SLOW)])


def sharpe(returns: np.ndarray) -> np.ndarray:
    """A day's, of each column; all of them vary here."""
    return returns.mean(axis=0) / returns.std(axis=0)


def test_a_trial_has_the_days_of_its_backtest(swept, table):
    assert np.column_stack([one.returns for one in swept.outcomes]) == pytest.approx(table, abs=1e-12)
    of_a_year = table.mean(axis=0) / table.std(axis=0, ddof=1) * np.sqrt(252)
    assert [one.figures["sharpe"] for one in swept.outcomes] == pytest.approx(of_a_year)
    assert swept.verdict.ranked == tuple(np.argsort(-of_a_year, kind="stable"))


def test_the_best_sharpe_ratio_is_deflated_by_the_formula(swept, table):
    days, trials = table.shape
    each = sharpe(table)
    best = int(each.argmax())
    gamma, normal = np.euler_gamma, stats.norm
    luck = (1 - gamma) * normal.ppf(1 - 1 / trials) + gamma * normal.ppf(1 - 1 / (trials * np.e))
    benchmark = luck * each.std(ddof=1)
    skewness, kurtosis = stats.skew(table[:, best]), stats.kurtosis(table[:, best], fisher=False)
    spread = np.sqrt(1 - skewness * each[best] + (kurtosis - 1) / 4 * each[best] ** 2)
    found = swept.verdict.deflated
    assert found.benchmark == pytest.approx(benchmark * np.sqrt(252))
    assert found.probability == pytest.approx(normal.cdf((each[best] - benchmark) * np.sqrt(days - 1) / spread))


def test_overfitting_is_how_often_the_best_half_is_low_in_the_other(swept, table):
    days, trials = table.shape
    count = min(16, days // 5 // 2 * 2)
    length = days // count
    parts = np.split(table[days - count * length :], count)
    shares = []
    for half in combinations(range(count), count // 2):
        inside = np.concatenate([parts[part] for part in half])
        outside = np.concatenate([parts[part] for part in range(count) if part not in half])
        shares.append(stats.rankdata(sharpe(outside).round(12))[sharpe(inside).argmax()] / (trials + 1))
    assert swept.verdict.overfitting.probability == pytest.approx(np.mean(np.array(shares) <= 0.5))


def test_paths_hold_the_best_of_the_other_days(swept, table):
    groups = np.array_split(np.arange(len(table)), 6)
    held = {group: [] for group in range(6)}
    for tested in combinations(range(6), 2):
        near = {row for one in tested for row in range(groups[one][0] - PURGE, groups[one][-1] + 1 + PURGE + EMBARGO)}
        best = sharpe(table[[row for row in range(len(table)) if row not in near]]).argmax()
        for one in tested:
            held[one].append(table[groups[one], best])
    paths = [np.concatenate([held[group][path] for group in range(6)]) for path in range(5)]
    assert swept.verdict.paths == pytest.approx([sharpe(path) * np.sqrt(252) for path in paths])


def test_walk_forward_is_a_backtest_of_each_window(swept):
    days = [day for day in load_sp500(BEGIN, LAST, symbols=SYMBOLS).dates.tolist() if day >= FIRST]
    length, grid = len(days) // (FOLDS + 1), list(product(FAST, SLOW))
    earned = []
    for fold, found in enumerate(swept.walk_forward.folds):
        begin = len(days) - (FOLDS - fold) * length
        before = [daily(*numbers, days[0], days[begin - 1 - PURGE - EMBARGO]) for numbers in grid]
        best = grid[int(np.argmax([sharpe(one) for one in before]))]
        assert found.chosen.parameters == {"fast": str(best[0]), "slow": str(best[1])}
        earned.append(daily(*best, days[begin], days[begin + length - 1]))
        assert found.tested.returns == pytest.approx(earned[-1], abs=1e-12)
    joined = np.concatenate(earned)
    assert swept.walk_forward.total_return == pytest.approx(np.prod(1 + joined) - 1)
    assert swept.walk_forward.sharpe == pytest.approx(joined.mean() / joined.std(ddof=1) * np.sqrt(252))
