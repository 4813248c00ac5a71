"""Orders as Alpaca knows them, and the one table that says which combinations are legal.

An `Order` is an intention: frozen, exact, and valid in itself from the moment it exists. What depends on
an instrument, the account or the time of day is the gate's business.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from quant_trading_system.core.exceptions import InvalidNumber, InvalidOrder
from quant_trading_system.core.ids import LONGEST_TAG, MAX_CLIENT_ORDER_ID, is_tag
from quant_trading_system.core.numbers import ONE, ZERO, positive


class OrderSide(StrEnum):
    """FIX tag 54."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is OrderSide.BUY else -1

    @property
    def opposite(self) -> OrderSide:
        """The other side."""
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class OrderType(StrEnum):
    """FIX tag 40, in Alpaca's words."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(StrEnum):
    """FIX tag 59, in Alpaca's words."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    OPG = "opg"
    CLS = "cls"


AUCTIONS = frozenset({TimeInForce.OPG, TimeInForce.CLS})
"""Times in force of orders that trade at an auction's price."""


class OrderClass(StrEnum):
    """Simple orders, and groups whose legs depend on each other."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


class LegalCombination(NamedTuple):
    """One row of the table: what a class and type of order may be combined with.

    Attributes:
        prices: the order carries exactly the fields of one of these groups, in the order of `Order`.
    """

    time_in_force: frozenset[TimeInForce]
    fractional: frozenset[TimeInForce]
    extended_hours: frozenset[TimeInForce]
    prices: frozenset[tuple[str, ...]]


_DAY, _GTC, _IOC, _FOK, _OPG, _CLS = TimeInForce
_RESTING = frozenset({_DAY, _GTC})
_ANY = frozenset(TimeInForce)
_ONLY_DAY = frozenset({_DAY})
_NONE: frozenset[TimeInForce] = frozenset()
_SIMPLE = OrderClass.SIMPLE


def _row(
    in_force: frozenset[TimeInForce], fractional: frozenset[TimeInForce], extended: frozenset[TimeInForce], *prices: str
) -> LegalCombination:
    return LegalCombination(in_force, fractional, extended, frozenset(tuple(group.split()) for group in prices))


LEGAL_COMBINATIONS: dict[tuple[OrderClass, OrderType], LegalCombination] = {
    # class, type                                    time in force  fractional  extended   prices it carries
    (OrderClass.SIMPLE, OrderType.MARKET): _row(_ANY, _ONLY_DAY, _NONE, ""),
    (OrderClass.SIMPLE, OrderType.LIMIT): _row(_ANY, _ONLY_DAY, _RESTING, "limit_price"),
    (OrderClass.SIMPLE, OrderType.STOP): _row(_RESTING, _ONLY_DAY, _NONE, "stop_price"),
    (OrderClass.SIMPLE, OrderType.STOP_LIMIT): _row(_RESTING, _ONLY_DAY, _NONE, "limit_price stop_price"),
    (OrderClass.SIMPLE, OrderType.TRAILING_STOP): _row(_RESTING, _NONE, _NONE, "trail_price", "trail_percent"),
    (OrderClass.BRACKET, OrderType.MARKET): _row(_RESTING, _NONE, _NONE, "take_profit stop_loss"),
    (OrderClass.BRACKET, OrderType.LIMIT): _row(_RESTING, _NONE, _NONE, "limit_price take_profit stop_loss"),
    (OrderClass.OTO, OrderType.MARKET): _row(_RESTING, _NONE, _NONE, "take_profit", "stop_loss"),
    (OrderClass.OTO, OrderType.LIMIT): _row(_RESTING, _NONE, _NONE, "limit_price take_profit", "limit_price stop_loss"),
    (OrderClass.OCO, OrderType.LIMIT): _row(_RESTING, _NONE, _NONE, "take_profit stop_loss"),
}
"""Alpaca's rules for US stocks; whatever has no row here cannot be built."""


class TakeProfit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The profitable exit of a bracket, OCO or OTO group: a limit order."""

    limit_price: Decimal

    def __post_init__(self) -> None:
        _make_positive(self, "limit_price", "take_profit.")


class StopLoss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The protective exit of a group: a stop order, or a stop-limit when `limit_price` is given."""

    stop_price: Decimal
    limit_price: Decimal | None = None

    def __post_init__(self) -> None:
        _make_positive(self, "stop_price", "stop_loss.")
        if self.limit_price is not None:
            _make_positive(self, "limit_price", "stop_loss.")


EXTERNAL = "external"
"""The strategy of orders that a person or the broker placed; no strategy of ours is credited with them."""


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One order to buy or sell, checked against `LEGAL_COMBINATIONS` when it is made.

    Numbers may be given as `Decimal`, `int` or text, never as float.

    Attributes:
        quantity: shares, above zero; or `notional` in dollars instead, never both.
        trail_price: dollars, `trail_percent`: percent (1 is 1 %); exactly one of them for a trailing stop.
        client_order_id: empty lets the order manager give the next id of the run.
        strategy: who wants it; survives to every report.
        reduce_only: refuse it unless it shrinks the position in the worst case.
        repeat: declares that an identical order within the duplicate window is meant.
        tag: a name that whoever gives the order knows it by; stays with it, its exits and what takes its place.

    Raises:
        InvalidOrder: names the field that is missing, superfluous or contradictory.

    >>> Order(symbol="KO", side=OrderSide.BUY, quantity=Decimal(10),
    ...       order_type=OrderType.MARKET, time_in_force=TimeInForce.DAY).signed_quantity
    Decimal('10')
    """

    symbol: str
    side: OrderSide
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Decimal = ZERO
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    client_order_id: str = ""
    strategy: str = ""
    reduce_only: bool = False
    repeat: bool = False
    tag: str = ""

    def __post_init__(self) -> None:
        _require_words(self)
        _require_size(self)
        carried = _carried_prices(self)
        for field in carried:
            _require_positive(self, field)
        _require_legal(self, carried)

    @property
    def signed_quantity(self) -> Decimal:
        """Shares: positive buys, negative sells."""
        return self.quantity if self.side is OrderSide.BUY else -self.quantity

    @property
    def is_fractional(self) -> bool:
        """True for dollar orders and for parts of a share."""
        return self.notional is not None or bool(self.quantity % ONE)

    def with_id(self, client_order_id: str) -> Order:
        """The same order under another client order id.

        Raises:
            InvalidOrder: the id is too long, or not printable ASCII.
        """
        named: Order = self.__copy__()  # type: ignore[attr-defined]  # everything else has been checked
        msgspec.structs.force_setattr(named, "client_order_id", client_order_id)
        _require_identity(named)
        return named

    def signed_by(self, strategy: str) -> Order:
        """The same order as the wish of `strategy`."""
        if self.strategy == strategy:
            return self
        signed: Order = self.__copy__()  # type: ignore[attr-defined]
        msgspec.structs.force_setattr(signed, "strategy", strategy)
        return signed


_ENUMS: tuple[tuple[str, type[StrEnum]], ...] = (
    ("side", OrderSide),
    ("order_type", OrderType),
    ("time_in_force", TimeInForce),
    ("order_class", OrderClass),
)
_ENUM_TYPES = tuple(enum for _, enum in _ENUMS)
_PRICES = ("limit_price", "stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss")
_price_values = attrgetter(*_PRICES)
_LEG_MARK = len(".tp")
_SYMBOLS = 4096  # so many are known again without a look at their letters
_UNPRICED = (None,) * len(_PRICES)
_LEGS = {"take_profit": TakeProfit, "stop_loss": StopLoss}


def _require_words(order: Order) -> None:
    given = (type(order.side), type(order.order_type), type(order.time_in_force), type(order.order_class))
    if given != _ENUM_TYPES:
        for field, enum in _ENUMS:
            msgspec.structs.force_setattr(order, field, _member(field, enum, getattr(order, field)))
    symbol = order.symbol
    if type(symbol) is not str or not _is_symbol(symbol):
        raise InvalidOrder("symbol", f"{symbol!r} is not a symbol")
    if order.client_order_id != "":
        _require_identity(order)
    if order.tag != "" and not is_tag(order.tag):
        raise InvalidOrder("tag", f"at most {LONGEST_TAG} printable characters")


@lru_cache(_SYMBOLS)
def _is_symbol(text: str) -> bool:
    return 0 < len(text) <= 32 and text.isprintable() and " " not in text


def _require_identity(order: Order) -> None:
    identity, longest = order.client_order_id, MAX_CLIENT_ORDER_ID
    if order.order_class is not _SIMPLE:
        longest -= _LEG_MARK  # the ids of its legs begin with it
    if type(identity) is not str or len(identity) > longest or not (identity.isascii() and identity.isprintable()):
        raise InvalidOrder("client_order_id", f"at most {longest} printable ASCII characters")


def _member(field: str, enum: type[StrEnum], value: Any) -> StrEnum:
    try:
        return enum(value)
    except ValueError:
        raise InvalidOrder(field, f"{value!r} is none of {', '.join(enum)}") from None


def _require_size(order: Order) -> None:
    if order.notional is None:
        quantity: object = order.quantity
        if quantity is None or quantity is ZERO:  # the default: neither was given
            raise InvalidOrder("quantity", "give quantity (shares) or notional (dollars)")
        _make_positive(order, "quantity")
        return
    if order.quantity:
        raise InvalidOrder("notional", "give quantity (shares) or notional (dollars), not both")
    msgspec.structs.force_setattr(order, "quantity", ZERO)  # also for None and other ways to say no quantity
    _make_positive(order, "notional")


def _carried_prices(order: Order) -> tuple[str, ...]:
    if _price_values(order) == _UNPRICED:
        return ()
    return tuple([field for field in _PRICES if getattr(order, field) is not None])


def _require_positive(order: Order, field: str) -> None:
    leg = _LEGS.get(field)
    if leg is None:
        _make_positive(order, field)
    elif type(getattr(order, field)) is not leg:
        raise InvalidOrder(field, f"give a {leg.__name__}")


def _make_positive(owner: msgspec.Struct, field: str, place: str = "") -> None:
    value = getattr(owner, field)
    try:
        number = positive(value)
    except InvalidNumber as error:
        raise InvalidOrder(place + field, str(error)) from None
    if number is not value:
        msgspec.structs.force_setattr(owner, field, number)


def _require_legal(order: Order, carried: tuple[str, ...]) -> None:
    legal = LEGAL_COMBINATIONS.get((order.order_class, order.order_type))
    if legal is None:
        raise InvalidOrder("order_type", f"{order.order_type} is not possible in an order of class {order.order_class}")
    if order.time_in_force not in legal.time_in_force:
        _refuse_time(order, "a", legal.time_in_force)
    if order.time_in_force not in legal.fractional and order.is_fractional:
        _refuse_time(order, "a fractional or dollar", legal.fractional)
    if order.extended_hours and order.time_in_force not in legal.extended_hours:
        _refuse_time(order, "an extended-hours", legal.extended_hours)
    if carried not in legal.prices:
        _refuse_prices(order, carried, legal.prices)


def _refuse_time(order: Order, kind: str, allowed: frozenset[TimeInForce]) -> None:
    what = f"{kind} {order.order_class} {order.order_type} order"
    if not allowed:
        raise InvalidOrder("order_type", f"{what} does not exist")
    raise InvalidOrder("time_in_force", f"{what} must be {' or '.join(sorted(allowed))}, not {order.time_in_force}")


def _refuse_prices(order: Order, carried: tuple[str, ...], allowed: frozenset[tuple[str, ...]]) -> None:
    what = f"a {order.order_class} {order.order_type} order"
    possible, needed = set().union(*allowed), set(_PRICES).intersection(*allowed)
    for field in _PRICES:
        if field in carried and field not in possible:
            raise InvalidOrder(field, f"{what} takes no {field}")
        if field in needed and field not in carried:
            raise InvalidOrder(field, f"{what} needs {field}")
    choice = [field for field in _PRICES if field in possible - needed]
    raise InvalidOrder(choice[0], f"{what} takes exactly one of {' and '.join(choice)}")
