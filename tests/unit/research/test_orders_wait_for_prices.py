"""What is said at the end of a bar goes out with the next prices, also when a report comes before them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest

from quant_trading_system.app.backtesting import backtest
from quant_trading_system.app.bootstrap import Costs, Setup
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.time_axis import TimeAxis
from quant_trading_system.simulation.models import LatencyModel
from quant_trading_system.trading.strategy import MarketView, Strategy
from tests.support.minute_bars import minute_bars
from tests.support.workloads import market_order

SLOW = Setup(costs=Costs(latency=LatencyModel(order=timedelta(seconds=50), report=timedelta(seconds=20))))
"""The report of an order comes ten seconds after the end of the bar at whose opening it was sent."""
SHARES = Decimal(10)


class Twice(Strategy):
    """Buys at the ends of bars 5 and 6."""

    def on_bar(self, market: MarketView):
        if market.bar in (5, 6):
            yield market_order("AAA", OrderSide.BUY, SHARES)


def without(whole: PriceHistory, gone: slice) -> PriceHistory:
    """The history as if nobody had recorded these bars."""
    kept = [number for number in range(len(whole)) if number not in range(*gone.indices(len(whole)))]
    parts = (whole.axis.starts[kept], whole.axis.ends[kept], whole.axis.dates[kept])
    prices = ("close_micros", "present", "open_micros", "high_micros", "low_micros", "volume")
    return dataclasses.replace(
        whole, axis=TimeAxis(*parts, whole.axis.span), **{name: getattr(whole, name)[kept] for name in prices}
    )


@pytest.mark.parametrize("hole", [0, 1, 30])
def test_an_order_waits_for_the_next_bar(hole):
    history = without(minute_bars(60), slice(6, 6 + hole))
    result = backtest(Twice(), history, SLOW)
    sent = [record.sent_at for record in result.account.system.orders.orders()]
    assert sent == [history.bar("AAA", 5).start, history.bar("AAA", 6).start]
