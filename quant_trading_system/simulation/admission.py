"""What the venue decides about before an order exists: the application, the refusal, the admission."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.orders import Order
from quant_trading_system.market.quotes import Quote
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account
from quant_trading_system.simulation.account_rules import AccountRules
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.trading_hours import Phase
from quant_trading_system.simulation.venue_orders import PositionIntent

MALFORMED = 40010001
FORBIDDEN = 40310000
NOT_FOUND = 40410000
UNPROCESSABLE = 42210000


class VenueRefusal(Exception):
    """The venue says no, synchronously.

    Attributes:
        code: the broker's number; `http`: the status that goes with it on the wire.
        extra: further fields of the broker's answer; all texts, but for lists of order ids.
    """

    def __init__(self, code: int, http: int, message: str, **extra: str | list[str]) -> None:
        super().__init__(message)
        self.code = code
        self.http = http
        self.message = message
        self.extra = extra


def malformed(message: str) -> VenueRefusal:
    """A field is missing, of a wrong form, or in conflict with another."""
    return VenueRefusal(MALFORMED, 422, message)


def unprocessable(message: str, **extra: str | list[str]) -> VenueRefusal:
    """Well formed, but not acceptable."""
    return VenueRefusal(UNPROCESSABLE, 422, message, **extra)


def forbidden(message: str, **extra: str | list[str]) -> VenueRefusal:
    """Not permitted for this account now."""
    return VenueRefusal(FORBIDDEN, 403, message, **extra)


def not_found(message: str) -> VenueRefusal:
    """There is no such thing."""
    return VenueRefusal(NOT_FOUND, 404, message)


class Application(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An order and everything that decides whether it is taken; what only some questions want is worked out for them.

    Attributes:
        intent: what the customer means it for, None when he does not say.
        quote: None when the symbol has no price.
        held: units of shares held, negative when short.
        orders, account: of the customer; `replaced`: the order whose place this one is to take, None for a new one.
        phase: decides which price of the quote an order is reckoned with.
        in_group: it is or will be a member of a group.
        is_closing: the order shrinks the position.
    """

    order: Order
    intent: PositionIntent | None
    now: datetime
    calendar: Calendar
    instrument: Instrument | None
    quote: Quote | None
    held: int
    orders: OrderIndex
    account: Account
    rules: AccountRules
    phase: Phase
    in_group: bool
    is_closing: bool
    replaced: LiveOrder | None = None

    @property
    def open_orders(self) -> Iterable[LiveOrder]:
        """The open orders of the symbol, oldest first, but for the one that is to be replaced."""
        return self._others(self.orders.open_in(self.order.symbol))

    @property
    def opposite_orders(self) -> Iterable[LiveOrder]:
        """Those of them on the other side."""
        return self._others(self.orders.open_against(self.order.symbol, self.order.side))

    @property
    def reserved(self) -> int:
        """Units of shares that open closing orders hold back, but for the one that is to be replaced."""
        shares, replaced = self.orders.reserved_shares(self.order.symbol), self.replaced
        return shares - replaced.reserved if replaced is not None and replaced.closing else shares

    @property
    def buying_power(self) -> int:
        """Money that opening orders may still use, with what the order to be replaced holds back."""
        money, replaced = self.orders.reserved_money, self.replaced
        if replaced is not None and not replaced.closing:
            money -= replaced.reserved
        return self.account.buying_power(money)

    def _others(self, orders: Iterable[LiveOrder]) -> Iterable[LiveOrder]:
        return orders if self.replaced is None else tuple(other for other in orders if other is not self.replaced)


class Admission(msgspec.Struct, frozen=True, gc=False):
    """The order is taken.

    Attributes:
        closing: it shrinks the position.
        reserved: units of shares (closing) or money (opening) that it holds back.
    """

    closing: bool
    reserved: int
