"""A month of one stock with known volumes, and a backtest that trades it in slices."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np

from quant_trading_system.app.backtesting import BacktestResult, run_account
from quant_trading_system.app.bootstrap import Setup, simulated_account
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.trading.strategy import Strategy

CALENDAR = TradingCalendar.nyse(date(2023, 1, 1), date(2023, 3, 1))
DAYS = [session.date for session in CALENDAR.sessions_between(date(2023, 1, 3), date(2023, 1, 25))]


def history(volume: int = 20_000) -> PriceHistory:
    """KO around 100 dollars, with `volume` shares a day."""
    moves = np.random.default_rng(1).normal(0, 0.01, len(DAYS))
    closes = (1e8 * np.cumprod(1 + moves)).astype(np.int64)[:, None] // 10_000 * 10_000
    axis = daily_axis(np.array(DAYS, dtype="datetime64[D]"), CALENDAR)
    return PriceHistory(("KO",), axis, closes, np.ones_like(closes, dtype=bool), volume=np.full_like(closes, volume))


class InAndOut(Strategy):
    """Buys on the tenth day as it is told, and sells on the thirteenth without a word."""

    def __init__(self, execution: str = "vwap") -> None:
        self.execution = execution

    def on_bar(self, market):
        if market.bar == 10:
            yield market.long("KO", weight="0.09", execution=self.execution)
        if market.bar == 13:
            yield market.flat("KO")


def trade(strategy: Strategy, volume: int = 20_000, **changes: object) -> BacktestResult:
    """Run it with a million dollars; the journal stays readable."""
    setup = replace(Setup(strategies=(strategy,), cash=Decimal(1_000_000)), **changes)
    return asyncio.run(run_account(simulated_account(history(volume), setup)))
