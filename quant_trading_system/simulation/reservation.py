"""What an order holds back until it is done: shares when it closes, money when it opens."""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import OrderSide, OrderType
from quant_trading_system.simulation.admission import Admission, Application, forbidden
from quant_trading_system.simulation.books import UNIT, dollars, units
from quant_trading_system.simulation.live_orders import shares
from quant_trading_system.simulation.matching import shares_for, trail
from quant_trading_system.simulation.trading_hours import Phase

_SELL, _TRAILING_STOP, _REGULAR = OrderSide.SELL, OrderType.TRAILING_STOP, Phase.REGULAR
_SHORT_SALE_MARGIN = Decimal("1.03")


def reserve(application: Application) -> Admission:
    """What the order has to hold back.

    Raises:
        VenueRefusal: there are not so many shares, or there is not so much money.
    """
    return _reserve_shares(application) if application.is_closing else _reserve_money(application)


def _reserve_shares(application: Application) -> Admission:
    """A closing order holds back shares and cannot ask for more than there are: no order crosses zero."""
    order = application.order
    existing, reserved = abs(application.held), application.reserved
    available = existing - reserved
    requested = units(order.quantity if order.notional is None else shares_for(order.notional, _price(application)))
    if requested > available:
        raise forbidden(
            f"insufficient qty available for order (requested: {shares(requested)}, available: {shares(available)})",
            symbol=order.symbol,
            existing_qty=shares(existing),
            available=shares(available),
            held_for_orders=shares(reserved),
            related_orders=[other.venue_order_id for other in application.open_orders if other.closing],
        )
    return Admission(closing=True, reserved=requested)


def _reserve_money(application: Application) -> Admission:
    """An opening order holds back its value: at the limit or stop, else at the quote."""
    order = application.order
    if order.notional is not None:
        cost = units(order.notional) * UNIT
    else:
        cost = units(order.quantity) * units(_price(application))
    least = application.rules.least_fraction
    if least and order.is_fractional and cost < units(least) * UNIT:
        raise forbidden(f"cost basis must be >= minimal amount of order {plain(least)}")
    buying_power = application.buying_power
    if cost > buying_power:
        raise forbidden(
            "insufficient buying power",
            symbol=order.symbol,
            buying_power=plain(dollars(buying_power)),
            cost_basis=plain(dollars(cost)),
        )
    return Admission(closing=False, reserved=cost)


def _price(application: Application) -> Decimal:
    """Dollars a share to reckon with, to nine decimals at most."""
    order, quote = application.order, application.quote
    assert quote is not None
    bid, ask = quote.bid, quote.ask
    if application.phase is not _REGULAR:
        bid = ask = quote.mid if quote.last is None or application.phase is Phase.EXTENDED else quote.last
    if order.side is _SELL:
        return bid if application.is_closing else max(order.limit_price or ask, ask * _SHORT_SALE_MARGIN)
    stop = order.stop_price
    if order.order_type is _TRAILING_STOP:
        last = quote.mid if quote.last is None else quote.last
        stop = trail(order.side, None, last, trail_price=order.trail_price, trail_percent=order.trail_percent).stop
    return order.limit_price or stop or ask
