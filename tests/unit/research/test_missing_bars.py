"""A symbol that nobody trades for a while is held on; it is no fault of the feed."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Setup
from quant_trading_system.core.orders import Order, OrderSide, OrderType, TimeInForce
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.desk import UNHURRIED, limits_with
from tests.support.minute_bars import minute_bars

BUY, SELL = OrderSide.BUY, OrderSide.SELL
GONE = slice(70, 130)
"""An hour without a bar of the symbol that is held; the other one trades on."""


class Holder(Strategy):
    """Buys once, tries to sell while the symbol has no bars, and sells after that."""

    def on_bar(self, market: MarketView):
        side = {5: BUY, 100: SELL, 140: SELL}.get(market.bar)
        if side is not None:
            yield Order(
                symbol="AAA",
                side=side,
                quantity=Decimal(10),
                order_type=OrderType.MARKET,
                time_in_force=TimeInForce.DAY,
            )


def test_an_hour_without_bars_halts_nobody():
    whole = minute_bars(200, ("AAA", "BBB"))
    present = whole.present.copy()
    present[GONE, 0] = False
    prices = dataclasses.replace(whole, present=present)
    result = backtest(Holder(), prices, Setup(limits=limits_with(**UNHURRIED)))
    assert result.record.halts == []
    assert [fill.side for fill in result.record.fills] == [BUY, SELL]
    assert result.quality.rejections == {"max_quote_age_s": 1}
