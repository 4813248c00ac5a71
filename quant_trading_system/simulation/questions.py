"""Why the venue refuses an order before it exists, in the broker's order of questions, codes and words.

A refused order leaves no trace and its id is not used up.
"""

from __future__ import annotations

from decimal import Decimal

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import plain
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import (
    Admission,
    Application,
    forbidden,
    malformed,
    unprocessable,
)
from quant_trading_system.simulation.group_rules import ask_group
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.matching import sub_penny
from quant_trading_system.simulation.reservation import reserve
from quant_trading_system.simulation.trading_hours import Phase, auction_closed
from quant_trading_system.simulation.venue_orders import PositionIntent

_LEAST_NOTIONAL = Decimal(1)
_BUY = OrderSide.BUY
_MARKET, _DAY, _SIMPLE = OrderType.MARKET, TimeInForce.DAY, OrderClass.SIMPLE
_OPENING = {OrderSide.BUY: "long buy", OrderSide.SELL: "short sell"}
_IMMEDIATE_TYPES = frozenset({OrderType.MARKET, OrderType.STOP})


def admit(application: Application) -> Admission:
    """Ask every question that the order gives reason for, in turn; reserving shares or money comes last.

    Raises:
        VenueRefusal: the first one that the order does not pass.
    """
    order = application.order
    if order.order_type is not _MARKET or order.notional is not None or application.in_group:
        _ask_prices(application)
    require_asset(order.symbol, application.instrument)
    if order.time_in_force is not _DAY:
        _ask_auction_times(application)
    if order.order_class is not _SIMPLE:
        ask_group(application)
    _ask_customer(application)
    if application.quote is None:
        raise unprocessable(f'asset "{order.symbol}" has no quote')
    if not application.is_closing:
        _ask_short_sale(application)
    if application.intent is not None:
        _ask_intent(application, application.intent)
    if application.orders.has_open(order.symbol):
        _ask_other_orders(application)
    return reserve(application)


def admit_passive(application: Application) -> Admission:
    """Ask what concerns an exit that waits in its group: it has no position to close yet, and holds nothing back.

    Raises:
        VenueRefusal: the first question that it does not pass.
    """
    _ask_prices(application)
    require_asset(application.order.symbol, application.instrument)
    _ask_customer(application)
    return Admission(closing=True, reserved=0)


def require_asset(symbol: str, instrument: Instrument | None) -> None:
    """Refuse what cannot be traded here.

    Raises:
        VenueRefusal: the symbol is unknown, no longer listed, or its trading is suspended.
    """
    if instrument is None:
        raise unprocessable(f'asset "{symbol}" not found')
    if not instrument.active:
        raise unprocessable(f'asset "{symbol}" is not active')
    if not instrument.tradable:
        raise unprocessable(f'asset "{symbol}" is not tradable')


def require_tick(field: str, price: Decimal) -> None:
    """Refuse a price with digits below the tick.

    Raises:
        VenueRefusal: names `field` and `price`.
    """
    if sub_penny(price):
        words = "sub-penny increment does not fulfill minimum pricing criteria"
        raise unprocessable(f"invalid {field} {plain(price)}. {words}")


def _ask_prices(application: Application) -> None:
    order = application.order
    if order.limit_price is not None:
        require_tick("limit_price", order.limit_price)
    if order.stop_price is not None:
        require_tick("stop_price", order.stop_price)
    if order.take_profit is not None:
        require_tick("take_profit.limit_price", order.take_profit.limit_price)
    if order.stop_loss is not None:
        require_tick("stop_loss.stop_price", order.stop_loss.stop_price)
        if order.stop_loss.limit_price is not None:
            require_tick("stop_loss.limit_price", order.stop_loss.limit_price)
    if order.notional is not None and order.notional < _LEAST_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")


def _ask_auction_times(application: Application) -> None:
    """Auctions take orders until shortly before they are held."""
    strict = application.rules.strict_auctions
    closed = auction_closed(application.order, application.now, application.calendar, strict=strict)
    if closed:
        raise unprocessable(closed)


def _ask_customer(application: Application) -> None:
    """What the customer has sent before or has switched off, and what the asset does not offer."""
    order, instrument, configuration = application.order, application.instrument, application.account.configuration
    if application.orders.find(order.client_order_id) is not None:
        raise malformed("client_order_id must be unique")
    if configuration.suspend_trade:
        raise forbidden("account not authorized to trade")
    if not order.is_fractional:
        return
    if not configuration.fractional_trading:
        raise forbidden("account is not allowed to trade fractions of shares")
    if instrument is not None and not instrument.fractionable:
        raise forbidden(f'asset "{order.symbol}" is not fractionable')


def _ask_short_sale(application: Application) -> None:
    order, instrument = application.order, application.instrument
    if order.side is _BUY:
        return
    if not application.account.may_short:
        raise forbidden("account is not allowed to short")
    if order.is_fractional:
        raise unprocessable("fractional orders cannot be sold short")
    if instrument is not None and not instrument.shortable:
        raise unprocessable(f'asset "{order.symbol}" cannot be sold short')


def _ask_intent(application: Application, specified: PositionIntent) -> None:
    inferred = PositionIntent.of(application.order.side, closing=application.is_closing)
    if specified is not inferred:
        raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {specified}")


def _ask_other_orders(application: Application) -> None:
    """What open orders in the symbol stand in the way of."""
    _ask_closing_for_dollars(application)
    _ask_opposite_side(application)
    _ask_wash_trade(application)


def _ask_closing_for_dollars(application: Application) -> None:
    """Outside the session nobody knows how many shares a sale for dollars takes, so it must be the only one."""
    if application.phase is Phase.REGULAR or not application.is_closing:
        return
    for other in application.open_orders:
        if other.closing and (application.order.notional is not None or other.order.notional is not None):
            raise forbidden("unable to open new notional orders while having open closing position orders")


def _ask_opposite_side(application: Application) -> None:
    """A long and a short position cannot be opened at the same time."""
    order = application.order
    if application.is_closing:
        return
    for other in application.opposite_orders:
        if not other.closing:
            new, old = _OPENING[order.side], _OPENING[other.order.side]
            raise forbidden(f"cannot open a {new} while a {old} order is open")


def _ask_wash_trade(application: Application) -> None:
    """No order may trade with another one of the same account, which would be on the other side."""
    order = application.order
    if application.in_group or order.order_type is OrderType.TRAILING_STOP:
        return
    for other in application.opposite_orders:
        reason = _wash_trade(order, other)
        if reason:
            raise forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=other.venue_order_id,
                reject_reason=reason,
            )


def _wash_trade(order: Order, existing: LiveOrder) -> str:
    other = existing.order
    if existing.order_class is not _SIMPLE or other.order_type is OrderType.TRAILING_STOP:
        return ""
    if order.order_type in _IMMEDIATE_TYPES or other.order_type in _IMMEDIATE_TYPES:
        return "opposite side market/stop order exists"
    buy, sell = (order, other) if order.side is OrderSide.BUY else (other, order)
    assert buy.limit_price is not None
    assert sell.limit_price is not None
    return "opposite side limit order exists" if buy.limit_price >= sell.limit_price else ""
