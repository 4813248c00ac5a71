"""The strategies that ship with the package: short enough to read, and each does on real prices what it says."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

import msgspec
import pytest

from quant_trading_system.app.backtesting import BacktestResult, backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.app.strategy_loading import SHIPPED, load_strategy
from quant_trading_system.core.instruments import Universe
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.market.universes import sp500_20
from quant_trading_system.research import strategies
from quant_trading_system.research.strategies import (
    Learned,
    MeanReversion,
    Momentum,
    Pairs,
    RiskParity,
    VolatilityManaged,
)
from quant_trading_system.trading.strategy import Strategy
from tests.support.desk import limits_with

SYMBOLS = ["AAPL", "AMD", "BAC", "CVX", "JNJ", "JPM", "KO", "MSFT", "PEP", "XOM"]


@cache
def prices():
    return load_sp500(date(2018, 1, 2), date(2021, 8, 31), SYMBOLS)


def run(strategy: Strategy, **changes) -> BacktestResult:
    first = prices().index_of(date(2021, 1, 4))
    return backtest(strategy, prices(), Setup(**{"universe": sp500_20(), "first_bar": first, **changes}))


def filled(result: BacktestResult):
    return result.record.fills


@pytest.mark.parametrize("path", sorted(Path(strategies.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_a_strategy_fits_on_a_screen(path: Path):
    assert path.read_text(encoding="utf-8").count("\n") < 60


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_strategy_trades_real_prices_and_does_not_fail(name):
    result = run(load_strategy(name))
    assert result.stopped == ()
    assert filled(result)
    assert result.record.halts == []
    assert all(fill.strategy == SHIPPED[name].name for fill in filled(result))


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_shipped_strategy_takes_prices_from_their_first_bar_on(name):
    """Without a past, nothing is divided by nothing: a warning of numpy would fail this test."""
    result = backtest(
        load_strategy(name), load_sp500(date(2018, 1, 2), date(2018, 2, 28), SYMBOLS), Setup(universe=sp500_20())
    )
    assert result.stopped == ()


@pytest.mark.parametrize("strategy", [*(cls() for cls in SHIPPED.values()), Momentum(hold=7), Learned(hold=7)])
def test_a_share_that_no_decimal_writes_out_stops_no_strategy(strategy):
    few = load_sp500(date(2018, 1, 2), date(2020, 1, 31), SYMBOLS[:7])
    first = few.index_of(date(2019, 12, 2))
    assert backtest(strategy, few, Setup(universe=sp500_20(), first_bar=first)).stopped == ()


def test_the_library_is_what_ships():
    assert sorted(cls.__name__ for cls in SHIPPED.values()) == strategies.__all__


def test_mean_reversion_buys_after_a_fall_and_leaves_at_the_average():
    result = run(MeanReversion())
    closes = {symbol: prices().closes_as_float()[:, prices().column_of(symbol)] for symbol in SYMBOLS}
    for fill in filled(result):
        day = prices().index_of(fill.at.date())  # decided at the close of the day before
        recent = closes[fill.symbol][day - 20 : day]
        assert (recent[-1] < recent.mean()) == (fill.side is OrderSide.BUY)


def test_pairs_hold_one_leg_or_two():
    long_only = run(Pairs())
    assert all(quantity >= 0 for quantity in held_at_the_end(long_only))
    both = run(Pairs(short=True), limits=limits_with(allow_short=True), universe=shortable())
    assert any(fill.side is OrderSide.SELL and fill.position_quantity < 0 for fill in filled(both))


def held_at_the_end(result: BacktestResult):
    return [position.quantity for position in result.account.system.portfolio.positions.values()]


def shortable():
    return Universe(msgspec.structs.replace(instrument, shortable=True) for instrument in sp500_20().values())


def test_the_volatility_managed_portfolio_holds_less_when_it_is_wild():
    """In March 2020 much less than in the calm of a year before."""
    history = load_sp500(date(2018, 1, 2), date(2020, 4, 30), SYMBOLS)
    setup = Setup(
        universe=sp500_20(),
        first_bar=history.index_of(date(2019, 12, 2)),
        limits=limits_with(max_correlation=1, max_weekly_loss_pct=1, max_monthly_loss_pct=1),
    )
    exposure = backtest(VolatilityManaged(), history, setup).record.gross_exposure
    assert max(exposure[:40]) > 0.8
    assert min(exposure[80:]) < 0.3


def test_risk_parity_gives_the_calmest_the_most_and_leaves_small_drift_alone():
    result = run(RiskParity(), limits=limits_with(max_correlation=1, max_position_pct=1, max_sector_exposure=1))
    bought = {f.symbol: f.quantity * f.price for f in filled(result)[: len(SYMBOLS)]}
    assert float(bought["JNJ"]) > 1.5 * float(bought["BAC"])
    assert float(bought["JNJ"]) > 1.5 * float(bought["AMD"])
    assert len(filled(result)) < 3 * len(SYMBOLS)
