"""Why the venue refuses an order before it exists, in the broker's order of questions, codes and words.

A refused order leaves no trace and its id is not used up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.books import UNIT, dollars, units
from quant_trading_system.simulation.matching import shares_for, sub_penny, trail
from quant_trading_system.simulation.venue_orders import LiveOrder, shares

MALFORMED = 40010001
FORBIDDEN = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000

_OPENING_AUCTION_CUT_OFF = timedelta(minutes=2)
_CLOSING_AUCTION_CUT_OFF = timedelta(minutes=10)
_LEAST_NOTIONAL = Decimal(1)
_SHORT_SALE_MARGIN = Decimal("1.03")
_OPENING = {OrderSide.BUY: "long buy", OrderSide.SELL: "short sell"}
_IMMEDIATE_TYPES = frozenset({OrderType.MARKET, OrderType.STOP})


class VenueRefusal(Exception):
    """The venue says no, synchronously.

    Attributes:
        code: the broker's number; `http`: the status that goes with it on the wire.
        details: further fields of the broker's answer.
    """

    def __init__(self, code: int, http: int, message: str, **details: str) -> None:
        super().__init__(message)
        self.code = code
        self.http = http
        self.message = message
        self.details = details


class Application(NamedTuple):
    """An order and everything that decides whether it is taken.

    Attributes:
        held: units of shares held, negative when short; `reserved`: those that open closing orders hold back.
        buying_power: money that opening orders may still use.
        trading: the session is open, so that the far side of the quote is the price to reckon with.
    """

    order: Order
    now: datetime
    calendar: Calendar
    instrument: Instrument | None
    id_is_used: bool
    quote: Quote | None
    held: int
    reserved: int
    open_orders: Iterable[LiveOrder]
    buying_power: int
    allow_short: bool
    trading: bool


class Admission(NamedTuple):
    """The order is taken.

    Attributes:
        closing: it shrinks the position.
        reserved: units of shares (closing) or money (opening) that it holds back.
    """

    closing: bool
    reserved: int


def admit(application: Application) -> Admission:
    """Ask every question in turn.

    Raises:
        VenueRefusal: the first one that the order does not pass.
    """
    for question in QUESTIONS:
        question(application)
    return _reserve_shares(application) if _is_closing(application) else _reserve_money(application)


def unsupported(order: Order) -> str:
    """What this venue does not offer at all, in words; empty for an order that it can take."""
    if order.order_class is not OrderClass.SIMPLE:
        return f"{order.order_class} orders are not supported; send a simple order"
    if order.extended_hours:
        return "extended hours are not supported; the regular session only"
    return ""


def _ask_support(application: Application) -> None:
    missing = unsupported(application.order)
    if missing:
        raise VenueRefusal(UNPROCESSABLE, 422, missing)


def _ask_prices(application: Application) -> None:
    order = application.order
    for field, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
        if price is not None and sub_penny(price):
            words = "sub-penny increment does not fulfill minimum pricing criteria"
            raise VenueRefusal(UNPROCESSABLE, 422, f"invalid {field} {price}. {words}")
    if order.notional is not None and order.notional < _LEAST_NOTIONAL:
        raise VenueRefusal(UNPROCESSABLE, 422, "notional amount must be >= 1.00")


def _ask_asset(application: Application) -> None:
    order, instrument = application.order, application.instrument
    if instrument is None:
        raise VenueRefusal(UNPROCESSABLE, 422, f'asset "{order.symbol}" not found')
    if not instrument.tradable:
        raise VenueRefusal(UNPROCESSABLE, 422, f'asset "{order.symbol}" is not tradable')
    if order.is_fractional and not instrument.fractionable:
        raise VenueRefusal(FORBIDDEN, 403, f'asset "{order.symbol}" is not fractionable')
    if application.quote is None:
        raise VenueRefusal(UNPROCESSABLE, 422, f'asset "{order.symbol}" has no quote')


def _ask_auction_times(application: Application) -> None:
    """Auctions take orders until shortly before they are held."""
    in_force, now, calendar = application.order.time_in_force, application.now, application.calendar
    if in_force is TimeInForce.OPG:
        if calendar.is_open(now) or calendar.next_open(now) - now < _OPENING_AUCTION_CUT_OFF:
            raise VenueRefusal(UNPROCESSABLE, 422, "opg orders are taken until 2 minutes before the open")
    elif in_force is TimeInForce.CLS:
        session = calendar.session_at(now)
        if session is not None and session.close - now < _CLOSING_AUCTION_CUT_OFF:
            raise VenueRefusal(UNPROCESSABLE, 422, "cls orders are taken until 10 minutes before the close")


def _ask_identity(application: Application) -> None:
    if application.id_is_used:
        raise VenueRefusal(MALFORMED, 422, "client_order_id must be unique")


def _ask_short_sale(application: Application) -> None:
    order, instrument = application.order, application.instrument
    if order.side is OrderSide.BUY or application.held > 0:
        return
    if not application.allow_short:
        raise VenueRefusal(FORBIDDEN, 403, "account is not allowed to short")
    if order.is_fractional:
        raise VenueRefusal(UNPROCESSABLE, 422, "fractional orders cannot be sold short")
    if instrument is not None and not instrument.shortable:
        raise VenueRefusal(UNPROCESSABLE, 422, f'asset "{order.symbol}" cannot be sold short')


def _ask_opposite_side(application: Application) -> None:
    """A long and a short position cannot be opened at the same time."""
    order = application.order
    if _is_closing(application):
        return
    for other in application.open_orders:
        if other.order.side is not order.side and not other.closing:
            new, old = _OPENING[order.side], _OPENING[other.order.side]
            raise VenueRefusal(FORBIDDEN, 403, f"cannot open a {new} while a {old} order is open")


def _ask_wash_trade(application: Application) -> None:
    """No order may trade with another one of the same account."""
    order = application.order
    for other in application.open_orders:
        reason = _wash_trade(order, other.order)
        if reason:
            raise VenueRefusal(
                FORBIDDEN,
                403,
                "potential wash trade detected. use complex orders",
                existing_order_id=other.venue_order_id,
                reject_reason=reason,
            )


def _wash_trade(order: Order, other: Order) -> str:
    if order.side is other.side or OrderType.TRAILING_STOP in (order.order_type, other.order_type):
        return ""
    if order.order_type in _IMMEDIATE_TYPES or other.order_type in _IMMEDIATE_TYPES:
        return "opposite side market/stop order exists"
    buy, sell = (order, other) if order.side is OrderSide.BUY else (other, order)
    assert buy.limit_price is not None
    assert sell.limit_price is not None
    return "opposite side limit order exists" if buy.limit_price >= sell.limit_price else ""


QUESTIONS: tuple[Callable[[Application], None], ...] = (
    _ask_support,
    _ask_prices,
    _ask_asset,
    _ask_auction_times,
    _ask_identity,
    _ask_short_sale,
    _ask_opposite_side,
    _ask_wash_trade,
)
"""In this order; reserving shares or money comes last."""


def _is_closing(application: Application) -> bool:
    buys = application.order.side is OrderSide.BUY
    return application.held < 0 if buys else application.held > 0


def _reserve_shares(application: Application) -> Admission:
    """A closing order holds back shares and cannot ask for more than there are: no order crosses zero."""
    order = application.order
    existing = abs(application.held)
    available = existing - application.reserved
    requested = units(order.quantity if order.notional is None else shares_for(order.notional, _price(application)))
    if requested > available:
        raise VenueRefusal(
            FORBIDDEN,
            403,
            f"insufficient qty available for order (requested: {shares(requested)}, available: {shares(available)})",
            symbol=order.symbol,
            existing_qty=shares(existing),
            available=shares(available),
            held_for_orders=shares(application.reserved),
        )
    return Admission(closing=True, reserved=requested)


def _reserve_money(application: Application) -> Admission:
    """An opening order holds back its value: at the limit or stop, else at the quote."""
    order = application.order
    if order.notional is not None:
        cost = units(order.notional) * UNIT
    else:
        cost = units(order.quantity) * units(_price(application))
    if cost > application.buying_power:
        raise VenueRefusal(
            FORBIDDEN,
            403,
            "insufficient buying power",
            symbol=order.symbol,
            buying_power=f"{dollars(application.buying_power):.2f}",
            cost_basis=f"{dollars(cost):f}",
        )
    return Admission(closing=False, reserved=cost)


def _price(application: Application) -> Decimal:
    """Dollars a share to reckon with, to nine decimals at most."""
    order, quote = application.order, application.quote
    assert quote is not None
    last = quote.last if quote.last is not None else quote.mid
    if order.side is OrderSide.SELL:
        ask = quote.ask if application.trading else last
        if _is_closing(application):
            return quote.bid if application.trading else last
        return max(order.limit_price or ask, ask * _SHORT_SALE_MARGIN)
    stop = order.stop_price
    if order.order_type is OrderType.TRAILING_STOP:
        stop = trail(order.side, None, last, trail_price=order.trail_price, trail_percent=order.trail_percent).stop
    return order.limit_price or stop or (quote.ask if application.trading else last)
