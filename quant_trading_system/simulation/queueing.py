"""Where a resting limit order stands in the queue at its price, and when its turn comes.

The venue has no book of others. What is quoted at the touch when an order joins stands before it; nobody ahead
cancels, so the estimate is on the safe side. Half of what trades while the quote stands is taken to hit its
bid, half its ask. When the far side of the quote reaches the limit, the queue is gone and all that traded did
so at the limit. What is traded serves others first and ours in the order in which they came, each share once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.quotes import Quote

_HALF = Decimal("0.5")
_MICROSECOND = timedelta(microseconds=1)


class Flow(NamedTuple):
    """What has traded before the present quote.

    Attributes:
        quote: which stood then; `volume`: shares that traded while it did, None when unknown.
    """

    quote: Quote
    volume: Decimal | None


class Turn(NamedTuple):
    """What the queue gives to an order.

    Attributes:
        ahead: shares that are left before it, None while the market is elsewhere.
        fill: shares that it may trade, None for any number.
    """

    ahead: Decimal | None
    fill: Decimal | None


def joined(side: OrderSide, limit: Decimal, quote: Quote) -> Decimal | None:
    """Shares before an order that joins at its limit: none where it improves the quote, None where it is behind it."""
    near, size = (quote.bid, quote.bid_size) if side is OrderSide.BUY else (quote.ask, quote.ask_size)
    if limit == near:
        return size
    return ZERO if (limit > near) is (side is OrderSide.BUY) else None


def next_turn(
    side: OrderSide, limit: Decimal, ahead: Decimal | None, since: datetime, flow: Flow | None, quote: Quote
) -> Turn:
    """What became of an order that waits since `since` when `quote` comes.

    Args:
        ahead: shares before it until now.
        flow: None when nothing was seen before this quote.
    """
    far = quote.ask if side is OrderSide.BUY else quote.bid
    crossed = far <= limit if side is OrderSide.BUY else far >= limit
    if flow is None or flow.volume is None:
        return Turn(ZERO, None) if crossed else Turn(_where(side, limit, ahead, quote), ZERO)
    traded = flow.volume * _share(since, flow.quote.at, quote.at)
    if crossed:
        return Turn(ZERO, traded)
    if ahead is None or joined(side, limit, flow.quote) is None:  # others stood at a better price
        return Turn(_where(side, limit, ahead, quote), ZERO)
    hits = traded * _HALF
    return Turn(max(ahead - hits, ZERO), max(hits - ahead, ZERO))


def _where(side: OrderSide, limit: Decimal, ahead: Decimal | None, quote: Quote) -> Decimal | None:
    """Shares before an order that had no trade: the market may have come to its price just now."""
    return joined(side, limit, quote) if ahead is None else ahead


def _share(since: datetime, begun: datetime, now: datetime) -> Decimal:
    """The part of the time between two quotes that came after `since`."""
    length, waited = (now - begun) // _MICROSECOND, (now - max(since, begun)) // _MICROSECOND
    return Decimal(max(waited, 0)) / length if length > 0 else ZERO
