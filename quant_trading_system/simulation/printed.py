"""What others trade in a simulated market, as the tape of an exchange would tell."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from quant_trading_system.core.clock import Clock
from quant_trading_system.simulation.market import SimulatedMarket


def stand_still(market: SimulatedMarket, moment: datetime) -> None:
    """Nothing has moved since the present step of `market`: its quotes stand still, as of `moment`."""
    market._stands = moment
    market._quotes.clear()


class SimulatedVolume:
    """Counts the shares of others; our own trades are not among them."""

    counts_own = False

    def __init__(self, market: SimulatedMarket, clock: Clock) -> None:
        """Count in `market`, up to now by `clock`."""
        self._market = market
        self._clock = clock

    def printed(self, symbol: str) -> Decimal | None:
        """Shares since the first step, within a step evenly; None for an unknown symbol."""
        market, now = self._market, self._clock.now()
        column, frame, ahead = market._columns.get(symbol), market._frame, market._ahead
        if column is None or frame is None:
            return None
        printed = Decimal(market._printed.item(column))
        if ahead is None or now <= frame.step.at:
            return printed
        part = min((now - frame.step.at) / (ahead.step.at - frame.step.at), 1.0)
        return printed + Decimal(int(frame.volume.item(column) * part))
