"""From the parsed JSON of a request to fields of the right kind, or the broker's words about the first that is not.

Numbers may be text, integers or `Decimal`; whoever parses JSON makes no floats. Unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

import msgspec

from quant_trading_system.core.numbers import MAX_MAGNITUDE, ONE
from quant_trading_system.core.orders import OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.simulation.admission import malformed
from quant_trading_system.simulation.venue_orders import PositionIntent

Body = Mapping[str, object]
"""A JSON object."""

PRICES = ("limit_price", "stop_price", "trail_price", "trail_percent")

_SIMPLE = OrderClass.SIMPLE
_E = TypeVar("_E", bound=StrEnum)


class OrderForm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request whose fields are of the right kind; what it asks for may still be impossible.

    Attributes:
        prices: those that the order itself carries, by field; `profit`, `loss`, `loss_limit` those of its exits.
    """

    symbol: str
    side: OrderSide
    intent: PositionIntent | None
    kind: OrderType
    in_force: TimeInForce
    order_class: OrderClass
    quantity: Decimal | None
    notional: Decimal | None
    prices: dict[str, Decimal]
    profit: Decimal | None
    loss: Decimal | None
    loss_limit: Decimal | None
    extended_hours: bool
    client_order_id: str

    @property
    def is_fractional(self) -> bool:
        """For dollars, or for a part of a share."""
        return self.notional is not None or bool(self.quantity and self.quantity % ONE)


def form_of(body: Body) -> OrderForm:
    """The fields of a request for a new order.

    Raises:
        VenueRefusal: 40010001, the first field that is not of its kind.
    """
    side, intent = _side(body)
    kind = member(body, "type", OrderType, "invalid order type")
    in_force = member(body, "time_in_force", TimeInForce, "invalid time_in_force")
    order_class = member(body, "order_class", OrderClass, "invalid order_class", _SIMPLE)
    grouped = order_class is not _SIMPLE  # simple orders with exits are taken without them
    profit = _part(body, "take_profit") if grouped else {}
    loss = _part(body, "stop_loss") if grouped else {}
    prices = {field: price for field in PRICES if (price := number(body, field)) is not None}
    if grouped and order_class is OrderClass.OCO:
        prices.pop("limit_price", None)  # the take-profit says it
    return OrderForm(
        symbol=text(body, "symbol"),
        side=side,
        intent=intent,
        kind=kind,
        in_force=in_force,
        order_class=order_class,
        quantity=number(body, "qty"),
        notional=number(body, "notional"),
        prices=prices,
        profit=number(profit, "limit_price", "take_profit.") if profit else None,
        loss=number(loss, "stop_price", "stop_loss.") if loss else None,
        loss_limit=number(loss, "limit_price", "stop_loss.") if loss else None,
        extended_hours=_flag(body, "extended_hours"),
        client_order_id=text(body, "client_order_id"),
    )


def text(body: Body, field: str) -> str:
    """A text, empty when it is absent.

    Raises:
        VenueRefusal: it is something else.
    """
    value = body.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"invalid {field}")
    return value


def number(body: Body, field: str, place: str = "") -> Decimal | None:
    """A number, None when it is absent or empty.

    Raises:
        VenueRefusal: it is none, or none that an order can carry.
    """
    value = body.get(field)
    if value is None or value == "":
        return None
    try:
        return _finite(value)
    except ValueError:
        raise malformed(f"invalid {place}{field}") from None


def _finite(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("no number")
    if isinstance(value, str) and (len(value) > 64 or "_" in value or not value.isascii()):
        raise ValueError("Decimal reads more than it should")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise ValueError("no number") from None
    if not found.is_finite() or found.adjusted() >= MAX_MAGNITUDE:
        raise ValueError("out of range")
    return found


def member(body: Body, field: str, kind: type[_E], message: str, default: _E | None = None) -> _E:
    """A word of an enumeration.

    Raises:
        VenueRefusal: it is another word, or absent without a default.
    """
    value = body.get(field)
    if default is not None and (value is None or value == ""):
        return default
    try:
        return kind(str(value))
    except ValueError:
        raise malformed(message) from None


def _side(body: Body) -> tuple[OrderSide, PositionIntent | None]:
    intent = None
    if body.get("position_intent") is not None:
        intent = member(body, "position_intent", PositionIntent, "invalid position_intent")
    if intent is not None and body.get("side") is None:
        return intent.side, intent
    side = member(body, "side", OrderSide, "invalid side")
    if intent is not None and intent.side is not side:
        raise malformed(f"position_intent {intent} does not agree with side {side}")
    return side, intent


def _part(body: Body, field: str) -> Body:
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise malformed(f"invalid {field}")
    return value


def _flag(body: Body, field: str) -> bool:
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise malformed(f"invalid {field}")
    return bool(value)
