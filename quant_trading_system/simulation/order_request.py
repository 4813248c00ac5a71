"""From a request to an order: form first, then what fits together, each refused in the broker's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.ids import MAX_CLIENT_ORDER_ID
from quant_trading_system.core.numbers import MAX_DECIMALS, ZERO
from quant_trading_system.core.orders import Order, OrderClass, OrderType, StopLoss, TakeProfit, TimeInForce
from quant_trading_system.simulation.admission import malformed, unprocessable
from quant_trading_system.simulation.order_form import PRICES, Body, OrderForm, form_of
from quant_trading_system.simulation.questions import require_tick
from quant_trading_system.simulation.venue_orders import PositionIntent

_FINEST = Decimal(1).scaleb(-MAX_DECIMALS)
_SIMPLE = OrderClass.SIMPLE
_RESTING = frozenset({TimeInForce.DAY, TimeInForce.GTC})
_NO_STOP = frozenset({OrderType.MARKET, OrderType.LIMIT})
_NAMES = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop limit",
    OrderType.TRAILING_STOP: "trailing stop",
}
_OWN_PRICES = {
    OrderType.MARKET: frozenset[str](),
    OrderType.LIMIT: frozenset({"limit_price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"limit_price", "stop_price"}),
    OrderType.TRAILING_STOP: frozenset({"trail_price", "trail_percent"}),
}


def order_from(body: Body, ask_asset: Callable[[str], None]) -> tuple[Order, PositionIntent | None]:
    """The order that a request asks for, and what it means it for.

    Args:
        ask_asset: refuses symbols that cannot be traded.

    Raises:
        VenueRefusal: the first thing that is wrong with the request.
    """
    form = form_of(body)
    _require_fields(form)
    _require_sizes(form)
    ask_asset(form.symbol)
    _require_class(form)
    require_identity(form.client_order_id)
    try:
        return _order(form), form.intent
    except InvalidOrder as error:
        raise malformed(str(error)) from None


# -- what fits together ------------------------------------------------------------------------------------------------


def _require_fields(form: OrderForm) -> None:
    if not form.symbol:
        raise malformed("symbol is required")
    if form.quantity is None and form.notional is None:
        raise malformed("qty or notional is required")
    if form.quantity is not None and form.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if form.order_class is not OrderClass.OCO:
        require_own_prices(form.kind, form.prices)
    if form.order_class is not _SIMPLE:
        _require_exits(form)


def require_own_prices(kind: OrderType, prices: Mapping[str, Decimal]) -> None:
    """An order carries the prices of its type, all of them and no others.

    Raises:
        VenueRefusal: 40010001.
    """
    given, own = prices.keys(), _OWN_PRICES[kind]
    if given == own and kind is not OrderType.TRAILING_STOP:
        return
    if kind is OrderType.MARKET and given & {"limit_price", "stop_price"}:
        raise malformed("market orders require no stop or limit price")
    if kind is OrderType.TRAILING_STOP and len(given & own) != 1:
        raise malformed("trailing stop orders must specify one of trail_price or trail_percent")
    missing = own - given
    if missing and kind is OrderType.LIMIT:
        raise malformed("limit orders require a limit price")
    if missing and kind is OrderType.STOP:
        raise malformed("stop orders require a stop price")
    if missing and kind is OrderType.STOP_LIMIT:
        raise malformed("stop limit orders require both stop and limit price")
    for field in PRICES:
        if field in given - own:
            raise malformed(f"{_NAMES[kind]} orders must not have {field}")


def _require_exits(form: OrderForm) -> None:
    order_class = form.order_class
    if order_class is OrderClass.OTO:
        if (form.profit is None) is (form.loss is None):
            raise malformed("oto orders require either take_profit or stop_loss")
        return
    if form.profit is None:
        raise malformed(f"{order_class} orders require take_profit.limit_price")
    if form.loss is None:
        raise malformed(f"{order_class} orders require stop_loss.stop_price")


def _require_sizes(form: OrderForm) -> None:
    if form.quantity is not None:
        require_fine("qty", form.quantity)
        if form.quantity <= 0:
            raise unprocessable("qty must be > 0")
    if form.notional is not None and form.notional < 1:
        raise unprocessable("notional amount must be >= 1.00")
    if form.notional is not None and form.notional * 100 % 1:
        raise unprocessable("notional increment does not fulfill minimum pricing criteria")
    for field, price in form.prices.items():
        require_price(field, price)
    exits = (("take_profit.limit_price", form.profit), ("stop_loss.stop_price", form.loss),
             ("stop_loss.limit_price", form.loss_limit))  # fmt: skip
    for field, exit_price in exits:
        if exit_price is not None:
            require_price(field, exit_price)


def require_price(field: str, price: Decimal) -> None:
    """A price is above zero and on the tick; distances of trailing stops are above zero.

    Raises:
        VenueRefusal: 42210000.
    """
    if price <= 0:
        raise unprocessable(f"{field} must be > 0")
    if field.startswith("trail"):
        require_fine(field, price)
    else:
        require_tick(field, price)


def require_fine(field: str, value: Decimal) -> None:
    """A number has at most nine decimals.

    Raises:
        VenueRefusal: 42210000.
    """
    if value % _FINEST:
        raise unprocessable(f"{field} must have at most {MAX_DECIMALS} decimals")


def _require_class(form: OrderForm) -> None:
    simple = form.order_class is _SIMPLE
    if form.is_fractional:
        _require_fractional(form)
    if form.extended_hours and not (simple and form.kind is OrderType.LIMIT and form.in_force in _RESTING):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if not simple:
        _require_group(form)
    require_time_in_force(form.kind, form.in_force)


def _require_group(form: OrderForm) -> None:
    if form.order_class is OrderClass.OCO and form.kind is not OrderType.LIMIT:
        raise unprocessable("oco orders must be limit orders")
    if form.kind not in _NO_STOP:
        raise unprocessable(f"{form.order_class} orders must be market or limit orders")
    if form.in_force not in _RESTING:
        raise unprocessable(f"{form.order_class} orders must be DAY or GTC orders")


def require_time_in_force(kind: OrderType, in_force: TimeInForce) -> None:
    """Orders with a stop rest; all others may have any time in force.

    Raises:
        VenueRefusal: 42210000.
    """
    if kind not in _NO_STOP and in_force not in _RESTING:
        raise unprocessable(f"{_NAMES[kind]} orders must be DAY or GTC orders")


def _require_fractional(form: OrderForm) -> None:
    if form.order_class is not OrderClass.SIMPLE:
        raise unprocessable("fractional orders must be simple orders")
    if form.kind is OrderType.TRAILING_STOP:
        raise unprocessable("fractional orders must be market, limit, stop, or stop_limit orders")
    if form.in_force is not TimeInForce.DAY:
        raise unprocessable("fractional orders must be DAY orders")


def require_identity(client_order_id: str) -> None:
    """A client order id is short enough.

    Raises:
        VenueRefusal: 40010001.
    """
    if len(client_order_id) > MAX_CLIENT_ORDER_ID:
        raise malformed(f"client_order_id must be no more than {MAX_CLIENT_ORDER_ID} characters")


def _order(form: OrderForm) -> Order:
    return Order(
        symbol=form.symbol,
        side=form.side,
        order_type=form.kind,
        time_in_force=form.in_force,
        quantity=ZERO if form.quantity is None else form.quantity,
        notional=form.notional,
        extended_hours=form.extended_hours,
        order_class=form.order_class,
        take_profit=None if form.profit is None else TakeProfit(limit_price=form.profit),
        stop_loss=None if form.loss is None else StopLoss(stop_price=form.loss, limit_price=form.loss_limit),
        client_order_id=form.client_order_id,
        limit_price=form.prices.get("limit_price"),
        stop_price=form.prices.get("stop_price"),
        trail_price=form.prices.get("trail_price"),
        trail_percent=form.prices.get("trail_percent"),
    )
