"""A backtest comes to the cent to what integer arithmetic says that never heard of a gate, a venue or a book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.config.loader import default_limits
from quant_trading_system.core.instruments import Instrument, Universe
from quant_trading_system.core.orders import Order, OrderSide
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.bare_loops import CASH_CENTS, TICK_CENTS
from tests.support.workloads import cents, market_order, prices, setup

BARS = 40


class Written(Strategy):
    """Sends the orders of a table: signed shares of each symbol at each bar."""

    def __init__(self, shares: np.ndarray) -> None:
        self.shares = shares

    def on_bar(self, market: MarketView) -> Iterable[Order]:
        for symbol, shares in zip(market.symbols, self.shares[market.bar - 1].tolist(), strict=True):
            if shares:
                side = OrderSide.BUY if shares > 0 else OrderSide.SELL
                yield market_order(symbol, side, Decimal(abs(shares)))


def written(seed: int, symbols: int, often: float) -> np.ndarray:
    """Even numbers of shares, now and then; no order turns a long position into a short one or back."""
    rng = np.random.default_rng(seed)
    shares = rng.integers(-60, 61, (BARS, symbols)) * 2 * (rng.random((BARS, symbols)) < often)
    shares[-1] = 0  # nobody would fill it
    held = np.zeros(symbols, dtype=np.int64)
    for row in shares:
        crosses = held * (held + row) < 0
        row[crosses] = -held[crosses]
        held += row
    return shares


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 7]), st.sampled_from([0.05, 0.3, 1.0]))
def test_equity_is_that_of_integer_cents(seed, symbols, often):
    history, shares = prices(BARS, symbols, seed=seed % 100), written(seed, symbols, often)
    rows = np.array(cents(history))
    account = setup()
    able = replace(
        account,
        limits=msgspec.structs.replace(account.limits or default_limits(), allow_short=True),
        universe=Universe(Instrument(symbol=symbol, shortable=True) for symbol in history.symbols),
    )
    result = backtest(Written(shares), history, able)
    assert (result.stopped, result.quality.rejections) == ((), {})
    paid = rows + np.where(shares > 0, TICK_CENTS, 0)
    fees = np.abs(shares).sum() // 2  # half a cent a share
    cash = CASH_CENTS - (paid * shares).sum() - fees
    assert result.statistics.fills == np.count_nonzero(shares)
    assert result.account.system.portfolio.equity * 100 == int(cash + (rows[-1] * shares.sum(axis=0)).sum())
