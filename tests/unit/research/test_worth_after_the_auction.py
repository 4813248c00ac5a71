"""What the closing auction bought is worth the last price from the close on, not what it has cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.sessions import TradingCalendar
from quant_trading_system.market.time_axis import daily_axis
from quant_trading_system.simulation.fees import FeeSchedule
from quant_trading_system.simulation.models import LatencyModel, SlippageModel
from quant_trading_system.trading.strategy import MarketView, Strategy

FIRST, DAYS, CASH, SHARES = date(2019, 3, 4), 3, Decimal(100_000), Decimal(20)
LAST = Decimal("100.0046")
"""Between two ticks: the auction buys at 100.01."""


class AtTheClose(Strategy):
    """Buys in the second day's closing auction."""

    def __init__(self) -> None:
        self.equity: list[Decimal] = []

    def on_bar(self, market: MarketView):
        self.equity.append(market.equity)
        if market.bar == 1:
            yield Order(
                symbol="AAA",
                side=OrderSide.BUY,
                quantity=SHARES,
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.CLS,
            )


def test_shares_of_the_auction_are_worth_the_last_price():
    calendar = TradingCalendar.nyse(FIRST, date(2019, 3, 29))
    days = np.array([day.date for day in calendar.sessions_between(FIRST, date(2019, 3, 29))][:DAYS], "datetime64[D]")
    closes = np.full((DAYS, 1), int(LAST * 10**6))
    history = PriceHistory(("AAA",), daily_axis(days, calendar), closes, np.ones((DAYS, 1), dtype=bool))
    costs = Costs(spread_bps=Decimal(0), fees=FeeSchedule.zero(), latency=LatencyModel(), slippage=SlippageModel())
    strategy = AtTheClose()
    result = backtest(strategy, history, Setup(cash=CASH, costs=costs))
    assert [fill.price for fill in result.record.fills] == [Decimal("100.01")]
    lost = SHARES * (Decimal("100.01") - LAST)
    assert list(result.record.equity) == [CASH, CASH, CASH - lost, CASH - lost]
    assert strategy.equity == [CASH, CASH - lost, CASH - lost]
