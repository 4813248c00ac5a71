"""What can be read at the venue: orders, executions, positions, the account and its past. Reading changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import msgspec

from quant_trading_system.core.orders import OrderSide
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account, EquityPoint, VenueAccount, VenuePosition
from quant_trading_system.simulation.activities import Activity, ActivityLog, ActivityQuery
from quant_trading_system.simulation.admission import not_found
from quant_trading_system.simulation.books import LedgerEntry, dollars
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.trading_hours import expires_at
from quant_trading_system.simulation.venue_orders import VenueFill, VenueOrder

OPEN, ALL = "open", "all"


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders are wanted; the default is the fifty open ones that came last.

    Attributes:
        status: ``open``, ``closed`` or ``all``.
        after, until: exclusive bounds of the time of submission.
        symbols: empty for all; `side`: None for both.
        nested: legs are shown under their leader only, and a group counts as its leader does.
        before_id, after_id: exclusive bounds by the venue's order id, empty for none.
    """

    status: str = OPEN
    after: datetime | None = None
    until: datetime | None = None
    ascending: bool = False
    symbols: frozenset[str] = frozenset()
    side: OrderSide | None = None
    nested: bool = False
    limit: int = 50
    before_id: str = ""
    after_id: str = ""

    def wants(self, live: LiveOrder) -> bool:
        """The order passes every filter but those by id and nesting."""
        if self.status != ALL and live.is_open is not (self.status == OPEN):
            return False
        if self.symbols and live.order.symbol not in self.symbols:
            return False
        if self.side is not None and live.order.side is not self.side:
            return False
        at = live.submitted_at
        return (self.after is None or at > self.after) and (self.until is None or at < self.until)


class VenueRecords:
    """The read side of a venue."""

    def __init__(
        self, calendar: Calendar, orders: OrderIndex, groups: Groups, account: Account, activities: ActivityLog
    ) -> None:
        self._calendar = calendar
        self._orders = orders
        self._groups = groups
        self._account = account
        self._activities = activities

    # -- orders ---------------------------------------------------------------------------------------------------

    def find(self, client_order_id: str) -> VenueOrder | None:
        """The order of the customer's id, open or finished; None when there never was one."""
        live = self._orders.find(client_order_id)
        return None if live is None else self._groups.show(live)

    def get(self, venue_order_id: str) -> VenueOrder:
        """The order of the venue's id, open or finished.

        Raises:
            VenueRefusal: 404, there never was one.
        """
        return self._groups.show(self._live(venue_order_id))

    def orders(self, query: OrderQuery | None = None) -> tuple[VenueOrder, ...]:
        """The orders that are wanted, newest first unless the query says otherwise.

        Raises:
            VenueRefusal: a bound of the query is no order.
        """
        query = query or OrderQuery()
        found: list[VenueOrder] = []
        for live in self._in_sequence(query):
            if query.wants(live) and not (query.nested and not self._groups.leads(live)):
                found.append(self._groups.show(live))
                if len(found) == query.limit:
                    break
        return tuple(found)

    def _in_sequence(self, query: OrderQuery) -> Iterator[LiveOrder]:
        candidates = self._orders.open_orders() if query.status == OPEN else self._orders.all_orders()
        before = self._live(query.before_id).number if query.before_id else len(self._orders) + 1
        after = self._live(query.after_id).number if query.after_id else 0
        in_sequence = iter(candidates) if query.ascending else reversed(candidates)
        return (live for live in in_sequence if after < live.number < before)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that is not final, oldest first."""
        return tuple(self._groups.show(live) for live in self._orders.open_orders())

    def symbols_with_orders(self) -> tuple[str, ...]:
        """The symbols whose quotes can make something happen."""
        return self._orders.symbols()

    @property
    def has_extended_orders(self) -> bool:
        """Some order may trade outside the regular session."""
        return self._orders.extended > 0

    def expires_at(self, order: VenueOrder) -> datetime:
        """When an order ends if nothing ends it before.

        Raises:
            MarketDataError: the calendar does not reach so far.
        """
        return expires_at(order.order, order.submitted_at, self._calendar)

    def executions(self, client_order_id: str) -> tuple[VenueFill, ...]:
        """The executions of an order, oldest first; none for an id that nobody used."""
        live = self._orders.find(client_order_id)
        return () if live is None else tuple(fill for fill in live.fills if fill.quantity)  # busted ones have none

    # -- the account ----------------------------------------------------------------------------------------------

    def positions(self) -> tuple[VenuePosition, ...]:
        """Every position that is not flat, valued at the latest prices."""
        return self._account.positions(self._orders.reserved_shares)

    def position(self, symbol: str) -> VenuePosition:
        """The position in one symbol.

        Raises:
            VenueRefusal: 404, there is none.
        """
        for position in self.positions():
            if position.symbol == symbol:
                return position
        raise not_found("position does not exist")

    def account(self) -> VenueAccount:
        """Cash, equity and buying power at the latest prices."""
        return self._account.summary(self._orders.reserved_money)

    def activities(self, query: ActivityQuery | None = None) -> tuple[Activity, ...]:
        """Executions and charges, newest first unless the query says otherwise."""
        return self._activities.rows(query or ActivityQuery())

    def equity_history(self) -> tuple[EquityPoint, ...]:
        """What the account was worth at every close, and whenever `note_equity` was called; oldest first."""
        return self._account.equity_history()

    @property
    def total_fees(self) -> Decimal:
        """Dollars charged since the beginning."""
        return dollars(self._account.books.fees)

    def statement(self) -> tuple[LedgerEntry, ...]:
        """Every trade with the cash after it, for audits."""
        return self._account.books.statement()

    def _live(self, venue_order_id: str) -> LiveOrder:
        live = self._orders.get(venue_order_id)
        if live is None:
            raise not_found(f"order not found for {venue_order_id}")
        return live
