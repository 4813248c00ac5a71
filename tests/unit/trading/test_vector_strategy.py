"""Strategies that speak for all bars at once: the same run as bar by bar, and no look at the future."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from quant_trading_system import VectorStrategy
from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.core.exceptions import StrategyError
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market import scratch
from quant_trading_system.market.history_view import HistoryView
from quant_trading_system.risk.portfolio import Portfolio
from quant_trading_system.trading.strategy import MarketView, Strategy
from quant_trading_system.trading.vector_strategy import speaking_bars
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars

CALM = {"max_consecutive_losses": 1000, "max_drawdown_pct": Decimal("0.9"), "max_slippage_bps": Decimal(1000)}
LIMITS = limits_with(**UNHURRIED | CALM)


class Trend(VectorStrategy):
    """A tenth of equity in what stands higher than twenty bars ago."""

    def targets(self, closes):
        wanted = np.full(closes.shape, np.nan)
        wanted[20:] = np.where(closes[20:] > closes[:-20], 0.1, 0.0)
        return wanted


class Always(VectorStrategy):
    def targets(self, closes):
        return np.full(closes.shape, 0.05)


class Silent(Strategy):
    def on_bar(self, market: MarketView):
        return None


def told(result) -> list[bytes]:
    return [entry.body for entry in result.account.journal.entries()]


def test_planned_and_asked_bar_by_bar_leave_the_same_journal():
    prices = minute_bars(1200, ("AAA", "BBB"), seed=5)
    planned = backtest(Trend(), prices, Setup(limits=LIMITS, first_bar=100))
    stepped = backtest(Trend(), prices, Setup(limits=LIMITS, first_bar=100), watch=lambda _: None)
    assert told(planned) == told(stepped)
    assert len(planned.record.fills) > 20


def test_one_that_was_never_asked_to_plan_says_the_same():
    prices = minute_bars(60, ("AAA", "BBB"), seed=5)
    asked, planned = Trend(), Trend()
    planned.plan(prices.closes_as_float())
    portfolio = Portfolio(Decimal(1000))
    for bar in range(60):
        view = MarketView(HistoryView(prices, bar), portfolio, "Trend", bar + 1)
        assert list(asked.on_bar(view)) == list(planned.on_bar(view))


def test_only_bars_with_something_to_say_are_asked(monkeypatch):
    asked = []
    inner = Trend.on_bar

    def counted(self, market):
        asked.append(market.bar)
        return inner(self, market)

    monkeypatch.setattr(Trend, "on_bar", counted)
    prices = minute_bars(780, seed=5)
    backtest(Trend(), prices, Setup(limits=LIMITS))
    assert len(asked) < 400
    assert asked == sorted(set(asked))


def test_what_holds_already_when_the_run_begins_is_said_at_its_first_bar():
    prices = minute_bars(120, seed=5)
    result = backtest(Always(), prices, Setup(limits=LIMITS, first_bar=50))
    (fill,) = result.record.fills
    assert (fill.side, fill.symbol) == (OrderSide.BUY, "AAA")
    assert fill.at < prices.time_at(53)


def test_beside_a_strategy_of_bars_everybody_is_asked_at_every_bar():
    prices = minute_bars(50)
    assert speaking_bars([Trend(), Silent()], prices, 0) is None
    assert speaking_bars([Silent()], prices, 0) is None
    both = speaking_bars([Trend(), Always()], prices, 0)
    assert both is not None
    assert both[0]


def test_a_look_into_the_future_is_refused():
    class Seer(VectorStrategy):
        def targets(self, closes):
            return np.where(np.roll(closes, -1, axis=0) > closes, 0.1, 0.0)

    with pytest.raises(StrategyError, match=r"Seer wants something else for the first .* look into the future"):
        backtest(Seer(), minute_bars(100), Setup(limits=LIMITS))


def test_answers_of_another_shape_or_size_are_refused():
    class Short(VectorStrategy):
        def targets(self, closes):
            return closes[1:]

    class Greedy(VectorStrategy):
        def targets(self, closes):
            return np.full(closes.shape, 1.5)

    closes = minute_bars(50).closes_as_float()
    with pytest.raises(StrategyError, match=r"Short answers with the shape \(49, 1\)"):
        Short().plan(closes)
    with pytest.raises(StrategyError, match="Greedy wants more than all of the equity"):
        Greedy().plan(closes)
    with pytest.raises(StrategyError, match="needs a method targets"):
        VectorStrategy().plan(closes)


def test_targets_that_fail_are_told_with_their_line():
    """There is no run without them; an author who changes what is shown sees which line did it."""

    class Careless(VectorStrategy):
        def targets(self, closes):
            closes[0] = 1.0
            return closes

    with pytest.raises(
        StrategyError, match=r"Careless could not say its targets: ValueError: .*read-only \(line \d+ of test_vec"
    ):
        backtest(Careless(), minute_bars(50), Setup(limits=LIMITS))


def test_bars_are_counted_whether_they_are_asked_or_not():
    seen: list[int] = []

    class Late(VectorStrategy):
        def targets(self, closes):
            wanted = np.full(closes.shape, np.nan)
            wanted[70:] = 0.1
            return wanted

        def on_bar(self, market):
            seen.append(market.bar)
            return super().on_bar(market)

    backtest(Late(), minute_bars(100), Setup(limits=LIMITS, first_bar=10))
    assert seen[:2] == [1, 61]


def test_wishes_over_many_blocks_of_rows_are_those_over_one(monkeypatch):
    random = np.random.default_rng(1)
    closes = random.uniform(50, 60, (500, 3))
    said = np.where(random.random(closes.shape) < 0.8, np.nan, random.integers(-1, 2, closes.shape) / 4)

    class Said(VectorStrategy):
        def targets(self, closes):
            return said[: len(closes)]

    whole, parts = Said(), Said()
    changes = whole.plan(closes)
    monkeypatch.setattr(scratch, "CELLS_AT_ONCE", 21)
    assert np.array_equal(parts.plan(closes), changes)
    assert np.array_equal(parts._planned, whole._planned, equal_nan=True)
    held = np.full(3, np.nan)
    for row, wanted in enumerate(said):
        now = np.where(np.isnan(wanted), held, wanted)
        assert changes[row] == any(a != b and a == a for a, b in zip(now, held, strict=True))
        held = now
