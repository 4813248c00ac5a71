"""Bars per second of a backtest on the whole road, journal included."""

from __future__ import annotations

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.market.bundled import load_sp500
from quant_trading_system.research.strategies import BuyAndHold, Momentum


def test_a_portfolio_of_twenty_stocks_over_two_years(benchmark, capsys):
    prices = load_sp500()
    prices = prices.between(prices.time_at(len(prices) - 504), prices.time_at(len(prices) - 1))
    benchmark.pedantic(lambda: backtest(Momentum(lookback=126), prices), rounds=5, warmup_rounds=1)
    _tell(capsys, benchmark, len(prices), len(prices.symbols))


def test_one_stock_over_its_whole_history(benchmark, capsys):
    prices = load_sp500(symbols=["KO"])
    benchmark.pedantic(lambda: backtest(BuyAndHold(), prices), rounds=3, warmup_rounds=1)
    _tell(capsys, benchmark, len(prices), 1)


def _tell(capsys, benchmark, bars: int, symbols: int) -> None:
    seconds = benchmark.stats.stats.median
    with capsys.disabled():
        print(f"\n{bars / seconds:,.0f} bars a second, {bars * symbols / seconds:,.0f} bars of one symbol a second")
