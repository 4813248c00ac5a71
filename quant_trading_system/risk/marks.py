"""The price at which a position is valued: the last trade, as far as the quote bears it out."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.config.risk_params import RiskLimits
from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.positions import Position
from quant_trading_system.market.quotes import Quote


def mark_of(quote: Quote, position: Position, limits: RiskLimits) -> Decimal | None:
    """Dollars a share; None where nobody knows the price, so that the last known one stays.

    The last trade may be long ago, so it counts within bid and ask. A quote that the gate would not believe, further
    than `max_quote_deviation_pct` from the last trade, makes the account poorer at once, and never richer.
    """
    last = quote.last
    if last is None or not last.is_finite() or last <= ZERO:
        return quote.mid if quote.ask - quote.bid <= limits.max_spread_pct * quote.mid else None
    if quote.bid <= last <= quote.ask:
        return last
    price = min(max(last, quote.bid), quote.ask)
    limit, known = limits.max_quote_deviation_pct, position.mark
    if limit is None or known is None or abs(price - last) <= limit * last:
        return price
    return None if position.quantity * (price - known) > 0 else price
