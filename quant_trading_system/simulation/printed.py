"""What others trade in a simulated market, as the tape of an exchange would tell."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.market import SimulatedMarket


class SimulatedVolume:
    """Counts the shares of others; our own trades are not among them."""

    counts_own = False

    def __init__(self, market: SimulatedMarket, clock: Clock) -> None:
        """Count in `market`, up to now by `clock`."""
        self._market = market
        self._clock = clock

    def printed(self, symbol: str) -> Decimal | None:
        """Shares since the first step, within a step evenly; None for an unknown symbol."""
        return self._market.printed(symbol, self._clock.now())
