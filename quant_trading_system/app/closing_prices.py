"""What a file of closing prices tells at one moment: quotes around the last close, and correlations up to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.market.history import PriceHistory
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.correlation import RollingCorrelations

HALF_SPREAD = Decimal("0.0002")
"""Distance of bid and ask from the close, fraction of it: the venue's usual spread."""
_CENT = Decimal("0.01")


def quotes_at(history: PriceHistory, symbols: Iterable[str], now: datetime, *, fresh: bool) -> list[Quote]:
    """A quote around the last close before `now`, for every symbol that has one.

    Args:
        fresh: stamp them with `now`, for an account that trades history; else with the time of the close.
    """
    past = history.between(history.dates[0].item(), now)
    quotes = []
    for symbol in sorted(set(symbols) & set(history.symbols)):
        for row in range(len(past) - 1, -1, -1):
            close = past.close(symbol, row)
            if close is not None:
                half = max((close * HALF_SPREAD).quantize(_CENT), _CENT)
                at = now if fresh else past.time_at(row)
                quotes.append(Quote(symbol, close - half, close + half, at, at, source="closing prices"))
                break
    return quotes


def correlations_at(history: PriceHistory, now: datetime, limits: RiskLimits) -> RollingCorrelations:
    """The correlations of the returns before `now`."""
    past = history.between(history.dates[0].item(), now)
    return RollingCorrelations(
        history.symbols,
        lambda bars: past.returns()[-bars:],
        window=limits.correlation_window,
        min_observations=limits.correlation_min_observations,
        within_days=lambda bars: past.returns_within_days(bars, len(past)),
    )
