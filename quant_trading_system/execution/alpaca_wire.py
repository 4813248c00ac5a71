"""Orders to the bytes that Alpaca reads, and its answers to our words. Pure: nothing is sent from here.

Numbers travel as text, both ways exact to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from quant_trading_system.core.exceptions import InvalidOrder
from quant_trading_system.core.numbers import exact, plain, positive
from quant_trading_system.core.order_state import OrderStatus
from quant_trading_system.core.orders import Order, OrderClass, OrderSide
from quant_trading_system.execution.alpaca_models import (
    AlpacaAccount,
    AlpacaOrder,
    AlpacaPosition,
    FillActivity,
    TradeUpdate,
)
from quant_trading_system.execution.broker import BrokerAccount, BrokerOrder, BrokerPosition, Execution

T = TypeVar("T")

STATUSES: Mapping[str, OrderStatus] = MappingProxyType(
    {
        "accepted": OrderStatus.HELD,  # waits for the next session
        "accepted_for_bidding": OrderStatus.HELD,
        "held": OrderStatus.HELD,
        "pending_review": OrderStatus.HELD,
        "pending_new": OrderStatus.WORKING,
        "new": OrderStatus.WORKING,
        "pending_cancel": OrderStatus.WORKING,  # asked for is not done
        "pending_replace": OrderStatus.WORKING,
        "stopped": OrderStatus.WORKING,  # a fill is promised and not yet made
        "partially_filled": OrderStatus.PARTIALLY_FILLED,
        "suspended": OrderStatus.SUSPENDED,
        "done_for_day": OrderStatus.DONE_FOR_DAY,
        "calculated": OrderStatus.DONE_FOR_DAY,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELED,
        "expired": OrderStatus.EXPIRED,
        "rejected": OrderStatus.REJECTED,
        "replaced": OrderStatus.REPLACED,
    }
)
"""Alpaca's words for the life of an order. A word that is not here is `IN_DOUBT`: the order may be live."""

_PRICES = ("limit_price", "stop_price", "trail_price", "trail_percent")
_SELLING = frozenset({"sell", "sell_short"})


# -- to Alpaca -----------------------------------------------------------------------------------------------------


def order_body(order: Order) -> bytes:
    """The body of a new order.

    Raises:
        InvalidOrder: it has no client order id, without which it could never be looked up.
    """
    if not order.client_order_id:
        raise InvalidOrder("client_order_id", "an order needs its id before it is sent")
    body: dict[str, object] = {
        "symbol": order.symbol,
        "side": order.side,
        "type": order.order_type,
        "time_in_force": order.time_in_force,
        "client_order_id": order.client_order_id,
    }
    if order.notional is None:
        body["qty"] = plain(order.quantity)
    else:
        body["notional"] = plain(order.notional)
    for field in _PRICES:
        value = getattr(order, field)
        if value is not None:
            body[field] = plain(value)
    if order.extended_hours:
        body["extended_hours"] = True
    if order.order_class is not OrderClass.SIMPLE:
        _add_exits(body, order)
    return msgspec.json.encode(body)


def _add_exits(body: dict[str, object], order: Order) -> None:
    body["order_class"] = order.order_class
    if order.take_profit is not None:
        body["take_profit"] = {"limit_price": plain(order.take_profit.limit_price)}
    if order.stop_loss is not None:
        prices = {"stop_price": plain(order.stop_loss.stop_price)}
        if order.stop_loss.limit_price is not None:
            prices["limit_price"] = plain(order.stop_loss.limit_price)
        body["stop_loss"] = prices


def replace_body(before: AlpacaOrder, order: Order) -> bytes:
    """The body that turns `before` into `order`; only what differs is named, for Alpaca refuses more than that.

    Raises:
        InvalidOrder: the two differ in what cannot be replaced, in nothing, or `order` has the id of `before`.
    """
    _require_replaceable(before, order)
    changes: dict[str, object] = {}
    if order.quantity != before.qty:
        changes["qty"] = plain(order.quantity)
    if order.time_in_force != before.time_in_force:
        changes["time_in_force"] = order.time_in_force
    for field, name in zip(_PRICES, ("limit_price", "stop_price", "trail", "trail"), strict=True):
        value = getattr(order, field)
        if value is not None and value != getattr(before, field):
            changes[name] = plain(value)
    if not changes:
        raise InvalidOrder("limit_price", "the new order is the same as the old one; there is nothing to replace")
    return msgspec.json.encode({**changes, "client_order_id": order.client_order_id})


def _require_replaceable(before: AlpacaOrder, order: Order) -> None:
    if order.notional is not None or before.qty is None:
        raise InvalidOrder("notional", "an order in dollars cannot be replaced; cancel it and send another")
    if order.is_fractional and order.quantity != before.qty:
        raise InvalidOrder("quantity", "the quantity of a fractional order cannot be replaced")
    fixed = (("symbol", before.symbol), ("side", before.side), ("order_type", before.type))
    for field, value in fixed:
        if getattr(order, field) != value:
            raise InvalidOrder(field, f"a replacement keeps its {field}, which is {value}")
    if not order.client_order_id or order.client_order_id == before.client_order_id:
        raise InvalidOrder("client_order_id", "a replacement is an order of its own and needs an id of its own")


def moment_text(moment: datetime) -> str:
    """A time in a query: RFC 3339, UTC.

    Raises:
        ValueError: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; add tzinfo=UTC")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


# -- from Alpaca ---------------------------------------------------------------------------------------------------


def read_json(body: bytes | msgspec.Raw, model: type[T]) -> T:
    """`body` as `model`.

    Raises:
        msgspec.DecodeError: it is no JSON, or not of this shape; also its kind `ValidationError`.
    """
    decoder = _json_decoders.get(model)
    if decoder is None:
        decoder = _json_decoders[model] = msgspec.json.Decoder(model)
    found: T = decoder.decode(body)
    return found


def read_msgpack(body: bytes | msgspec.Raw, model: type[T]) -> T:
    """`body` as `model`; a double stands for its shortest decimal text.

    Raises:
        msgspec.DecodeError: it is no MessagePack, or not of this shape.
    """
    decoder = _msgpack_decoders.get(model)
    if decoder is None:
        decoder = _msgpack_decoders[model] = msgspec.msgpack.Decoder(model)
    found: T = decoder.decode(body)
    return found


_json_decoders: dict[object, msgspec.json.Decoder[Any]] = {}
_msgpack_decoders: dict[object, msgspec.msgpack.Decoder[Any]] = {}
"""Made once for every model; there are few."""


def status_of(order: AlpacaOrder) -> OrderStatus:
    """What is true of the order; whatever it waits for, it is partially filled once something has filled."""
    status = STATUSES.get(order.status, OrderStatus.IN_DOUBT)
    if order.filled_qty and (status is OrderStatus.WORKING or status is OrderStatus.HELD):
        return OrderStatus.PARTIALLY_FILLED
    return status


def broker_order(order: AlpacaOrder) -> BrokerOrder:
    """In the words of the order manager. A dollar order has no quantity until it has traded.

    Raises:
        ValueError: a side that nobody knows, or a quantity that is none.
    """
    filled = exact(order.filled_qty)
    return BrokerOrder(
        client_order_id=order.client_order_id,
        venue_order_id=order.id,
        symbol=order.symbol,
        side=side_of(order.side),
        status=status_of(order),
        quantity=filled if order.qty is None else exact(order.qty),
        filled_quantity=filled,
        average_price=order.filled_avg_price,
        legs=tuple(broker_order(leg) for leg in order.legs or ()),
    )


def side_of(word: str) -> OrderSide:
    """Alpaca's word for a side; the activities know a third one.

    Raises:
        ValueError: none of them.
    """
    return OrderSide.SELL if word in _SELLING else OrderSide(word)


def execution_of_update(update: TradeUpdate) -> Execution:
    """The execution that a fill reports.

    Raises:
        ValueError: quantity, price or time is missing, or is none.
    """
    moment = update.timestamp or update.at
    if update.qty is None or update.price is None or moment is None:
        raise ValueError("a fill without quantity, price or time")
    cumulative = positive(update.order.filled_qty)
    return Execution(
        execution_id=update.execution_id or f"{update.order.id}:{plain(cumulative)}",
        quantity=positive(update.qty),
        price=positive(update.price),
        cumulative_quantity=cumulative,
        at=moment.astimezone(UTC),
    )


def execution_of_fill(fill: FillActivity) -> Execution:
    """The execution that a row of the activities reports.

    Raises:
        ValueError: a quantity or price that is none.
    """
    return Execution(
        execution_id=fill.execution_id,
        quantity=positive(fill.qty),
        price=positive(fill.price),
        cumulative_quantity=positive(fill.cum_qty),
        at=fill.transaction_time.astimezone(UTC),
    )


def broker_position(position: AlpacaPosition) -> BrokerPosition:
    """In the words of the reconciliation; negative when short, whether or not Alpaca writes the sign.

    Raises:
        ValueError: a quantity that is none.
    """
    quantity = exact(position.qty)
    return BrokerPosition(
        symbol=position.symbol,
        quantity=-abs(quantity) if position.side == "short" else quantity,
        average_price=position.avg_entry_price,
        price=position.current_price,
    )


def broker_account(account: AlpacaAccount) -> BrokerAccount:
    """Cash and equity."""
    return BrokerAccount(account_id=account.id, cash=account.cash, equity=account.equity)


def difference(order: Order, answer: AlpacaOrder) -> str:
    """The first field in which an answer is not about `order`; empty when it is.

    The type does not count: the broker turns some stop orders into stop-limit orders.
    """
    sent: tuple[tuple[str, object, object], ...] = (
        ("client_order_id", order.client_order_id, answer.client_order_id),
        ("symbol", order.symbol, answer.symbol),
        ("side", order.side, answer.side),
        ("notional", order.notional, answer.notional),
        ("qty", None if order.notional is not None else order.quantity, answer.qty),
    )
    return next((name for name, ours, theirs in sent if ours != theirs), "")
