"""What the executions of all accounts do to the prices of the venue: everybody sees it, and it is kept."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from quant_trading_system.simulation.alpaca_server.bars import MINUTE_NS
from quant_trading_system.simulation.alpaca_server.live_market import LiveMarket
from quant_trading_system.simulation.alpaca_server.tape import Doing, Intervention
from quant_trading_system.simulation.realism import MarketImpact, Window


class Footprint:
    """Moves the tape after executions; a window of the temporary impact is a minute."""

    def __init__(self, market: LiveMarket, impact: MarketImpact) -> None:
        self._market = market
        self._impact = impact

    def window(self, symbol: str) -> Window:
        """The minute of the latest price, with all that trades in it."""
        tick = self._market.tick(symbol)
        if tick is None:
            return Window(0, None)
        minute = tick.at // MINUTE_NS
        ticks = self._market.tape.ticks(symbol, self._market.today)
        begin, end = np.searchsorted(ticks.at, [minute * MINUTE_NS, (minute + 1) * MINUTE_NS]).tolist()
        return Window(minute, Decimal(int(ticks.size[begin:end].sum())))

    def press(self, symbol: str, shares: Decimal) -> None:
        """Displace all later prices, measured against the volume of the day."""
        day = self._market.tape.paths.summary(symbol, self._market.today)
        parts = 0 if day is None else self._impact.displacement(shares, Decimal(day.volume))
        if parts:
            self._market.tape.intervene(symbol, Intervention(self._market.now_ns, Doing.PUSH, by=parts))
            self._market.reprice(symbol)
