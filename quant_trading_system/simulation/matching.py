"""When an order trades and at what price, as pure functions of the order's terms and the market.

Prices are dollars a share. The venue decides for the whole market: its customer's orders never move the quote.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from quant_trading_system.core.orders import OrderSide

_BUY = OrderSide.BUY
_CENT = Decimal("0.01")
_SUB_PENNY = Decimal("0.0001")
_DOLLAR = Decimal(1)
_NANO = Decimal("1E-9")
_HUNDRED = Decimal(100)


def marketable(side: OrderSide, limit: Decimal, opposite: Decimal, *, through: bool = False) -> bool:
    """A limit order can trade against the opposite side of the quote.

    Args:
        opposite: the ask for a buy, the bid for a sell.
        through: the quote must be better than the limit, for then the whole queue at the limit has traded.
    """
    if through:
        return opposite < limit if side is OrderSide.BUY else opposite > limit
    return opposite <= limit if side is OrderSide.BUY else opposite >= limit


def elected(side: OrderSide, stop: Decimal, last: Decimal) -> bool:
    """A stop order is set off by the last trade: a buy at or above its stop, a sell at or below it."""
    return last >= stop if side is OrderSide.BUY else last <= stop


class Trailing(NamedTuple):
    """Where a trailing stop stands.

    Attributes:
        high_water_mark: the best price for its owner since it was sent (a sell follows the highest).
        stop: the price that sets it off.
    """

    high_water_mark: Decimal
    stop: Decimal


def trail(
    side: OrderSide,
    high_water_mark: Decimal | None,
    last: Decimal,
    *,
    trail_price: Decimal | None,
    trail_percent: Decimal | None,
) -> Trailing:
    """Follow the market with a trailing stop: it only ever moves closer to the market.

    Args:
        high_water_mark: None for an order that has seen no trade yet.
        trail_price: dollars; or `trail_percent`: per cent of the high-water mark. Exactly one is given.

    Returns:
        The stop is rounded to whole cents, away from the market.
    """
    best = max if side is OrderSide.SELL else min
    mark = last if high_water_mark is None else best(high_water_mark, last)
    distance = trail_price if trail_price is not None else mark * (trail_percent or Decimal(0)) / _HUNDRED
    if side is OrderSide.SELL:
        return Trailing(mark, (mark - distance).quantize(_CENT, ROUND_FLOOR))
    return Trailing(mark, (mark + distance).quantize(_CENT, ROUND_CEILING))


def fill_price(side: OrderSide, price: Decimal, adverse: Decimal, limit: Decimal | None) -> Decimal:
    """The price of an execution: `price` plus slippage, on the tick against the customer, never beyond the limit.

    Args:
        adverse: slippage, dollars a share, at least 0.
    """
    if side is _BUY:
        raw = price + adverse
        rounded = raw.quantize(_tick(raw), ROUND_CEILING)
        return rounded if limit is None else min(rounded, limit)
    raw = price - adverse
    rounded = max(raw.quantize(_tick(raw), ROUND_FLOOR), _SUB_PENNY)
    return rounded if limit is None else max(rounded, limit)


def to_nearest_tick(amount: Decimal, price: Decimal) -> Decimal:
    """An amount of dollars a share on the tick of `price`, the nearer one."""
    return amount.quantize(_tick(price), ROUND_HALF_EVEN)


def shares_for(notional: Decimal, price: Decimal) -> Decimal:
    """Shares that `notional` dollars buy at `price`, cut to nine decimals."""
    return (notional / price).quantize(_NANO, ROUND_DOWN)


def whole_or_fraction(quantity: Decimal, *, fractional: bool) -> Decimal:
    """What can be traded of `quantity`: whole shares, or nine decimals of a share for fractional orders."""
    return quantity.quantize(_NANO if fractional else _DOLLAR, ROUND_DOWN)


def available(wanted: Decimal, budget: Decimal | None, *, fractional: bool) -> Decimal:
    """Shares of `wanted` that the market has for us.

    Args:
        budget: shares that are left for us in this step of the market; None when there is no cap.
    """
    if budget is None or wanted <= budget:
        return wanted
    return whole_or_fraction(max(budget, Decimal(0)), fractional=fractional)


def sub_penny(price: Decimal) -> bool:
    """The price has digits below the tick: a cent from one dollar up, a hundredth of a cent below."""
    return price % _tick(price) != 0


def _tick(price: Decimal) -> Decimal:
    return _CENT if price >= _DOLLAR else _SUB_PENNY
