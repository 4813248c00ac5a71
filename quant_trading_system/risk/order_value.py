"""What an order may become, in shares and dollars: at which price it is valued, and the worst case with it."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from quant_trading_system.core.numbers import ZERO
from quant_trading_system.core.orders import Order, OrderSide, OrderType
from quant_trading_system.market.quotes import Quote
from quant_trading_system.risk.checks.case import Case, Replaced

_NINE_DECIMALS = Decimal("1E-9")
_BUY, _MARKET, _TRAILING = OrderSide.BUY, OrderType.MARKET, OrderType.TRAILING_STOP


def price_of(order: Order, quote: Quote) -> Decimal:
    """Dollars a share at which the order's room is valued: the dearest price at which it could trade."""
    buying, kind = order.side is _BUY, order.order_type
    near = quote.ask if buying else quote.bid
    if kind is _MARKET:
        return near
    if order.limit_price is not None and buying:
        return order.limit_price
    if buying and kind is _TRAILING:
        return near + (order.trail_price or near * (order.trail_percent or ZERO) / 100)
    return max(near, order.limit_price or ZERO, order.stop_price or ZERO)


def shares_of(notional: Decimal, quote: Quote | None) -> Decimal:
    """The most that so many dollars can become; 0 without a usable quote."""
    if quote is None or quote.flaw:
        return ZERO
    return (notional / quote.bid).quantize(_NINE_DECIMALS, ROUND_CEILING)


def weigh(case: Case, quantity: Decimal, price: Decimal) -> None:
    """Look at the account with `quantity` shares of the order on top of all that is open, valued at `price`."""
    holding = case.holding
    signed = quantity if case.order.side is _BUY else -quantity
    case.quantity = case.whole = quantity
    case.value = quantity * price
    case.signed_quantity = signed
    case.exits = case.shrinks = holding.shrinks(signed)
    case.worst_quantity, case.worst_value = holding.worst_with(signed, price)
    case.added_value = case.worst_value - holding.worst_value


def weigh_replacement(case: Case, replaced: Replaced, price: Decimal) -> None:
    """Look at the account without the replaced order, and at the larger of the two on top of it."""
    order, old, holding = case.order, replaced.order, case.holding
    reserved = holding.orders.get(old.client_order_id)
    case.holding = holding.without(old.client_order_id)
    left = max(order.quantity - replaced.filled, ZERO)
    weigh(case, left, price)
    case.whole = order.quantity
    case.value = case.whole * price
    case.shrinks = case.exits or _only_takes_away(order, old, left, replaced.leaves)
    dearest = max(price, ZERO if reserved is None else reserved.price)
    most = max(left, replaced.leaves)
    case.worst_quantity, case.worst_value = case.holding.worst_with(most if order.side is _BUY else -most, dearest)
    case.added_value = case.worst_value - holding.worst_value


def _only_takes_away(order: Order, old: Order, left: Decimal, leaves: Decimal) -> bool:
    """Fewer shares at most, and nothing else but perhaps a limit that is harder to reach."""
    fixed = ("stop_price", "trail_price", "trail_percent", "time_in_force")
    if left > leaves or any(getattr(order, field) != getattr(old, field) for field in fixed):
        return False
    if order.limit_price is None or old.limit_price is None:
        return order.limit_price is old.limit_price
    buying = order.side is _BUY
    return order.limit_price <= old.limit_price if buying else order.limit_price >= old.limit_price
