"""The customer's desk at the venue: new orders, changes, cancels, closing of positions, settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

import msgspec

from quant_trading_system.core.clock import Clock
from quant_trading_system.core.instruments import Instrument
from quant_trading_system.core.numbers import ONE
from quant_trading_system.core.orders import Order, OrderClass, OrderSide, OrderType, TimeInForce
from quant_trading_system.market.sessions import Calendar
from quant_trading_system.simulation.account import Account
from quant_trading_system.simulation.account_rules import AccountConfiguration, AccountRules
from quant_trading_system.simulation.activities import ActivityLog
from quant_trading_system.simulation.admission import Application, VenueRefusal, malformed, not_found, unprocessable
from quant_trading_system.simulation.books import decimal_of, units
from quant_trading_system.simulation.exchange import Exchange
from quant_trading_system.simulation.group_rules import members_of
from quant_trading_system.simulation.groups import Groups
from quant_trading_system.simulation.live_orders import LiveOrder
from quant_trading_system.simulation.order_form import Body
from quant_trading_system.simulation.order_index import OrderIndex
from quant_trading_system.simulation.order_request import order_from
from quant_trading_system.simulation.questions import admit, admit_passive, require_asset
from quant_trading_system.simulation.records import VenueRecords
from quant_trading_system.simulation.replacing import changed, require_group_fits, require_replaceable
from quant_trading_system.simulation.venue_orders import PositionIntent, VenueOrder

_BUY, _SIMPLE = OrderSide.BUY, OrderClass.SIMPLE
_NANO = Decimal("1E-9")
_HUNDRED = Decimal(100)


class CancelOutcome(NamedTuple):
    """What became of the request to cancel one of all orders; `refusal` is None when it was taken."""

    venue_order_id: str
    refusal: VenueRefusal | None


class ClosingOutcome(NamedTuple):
    """What became of the request to close one of all positions: an order, or a refusal."""

    symbol: str
    order: VenueOrder | None
    refusal: VenueRefusal | None


class OrderDesk(VenueRecords):
    """Takes what a customer asks for, or refuses it with a `VenueRefusal`."""

    def __init__(
        self,
        clock: Clock,
        calendar: Calendar,
        instruments: Mapping[str, Instrument],
        rules: AccountRules,
        *,
        orders: OrderIndex,
        groups: Groups,
        account: Account,
        activities: ActivityLog,
        exchange: Exchange,
    ) -> None:
        super().__init__(calendar, orders, groups, account, activities)
        self._clock = clock
        self._instruments = instruments
        self._rules = rules
        self._exchange = exchange

    # -- orders ---------------------------------------------------------------------------------------------------

    def submit(self, order: Order, intent: PositionIntent | None = None) -> VenueOrder:
        """Take an order. It reaches the matching after the latency; its fate is told to the subscribers.

        Args:
            intent: refuse it unless it means that for the position.

        Raises:
            VenueRefusal: the order was not taken and leaves no trace.
        """
        live = self.take(order, intent)
        return self._groups.show(live) if live.group else self._orders.show(live)

    def take(self, order: Order, intent: PositionIntent | None = None) -> LiveOrder:
        """The same for whoever need not be shown the order: as the venue works it, to be read only.

        Raises:
            VenueRefusal: as `submit`.
        """
        now = self._now()
        grouped = order.order_class is not _SIMPLE
        admission = admit(self._application(order, now, intent=intent, in_group=grouped))
        if not grouped:
            live = self._orders.new(order, now)
            self._orders.add(live, closing=admission.closing, reserved=admission.reserved)
        else:
            live, *legs = members = self._orders.new_group(members_of(order), now)
            self._orders.add(live, closing=admission.closing, reserved=admission.reserved)
            for leg in legs:
                self._orders.add(leg, closing=True, reserved=0)
            self._groups.form(members, order.order_class)
        self._exchange.send(live, now)
        return live

    def submit_request(self, body: Body) -> VenueOrder:
        """Take an order as the parsed JSON of a request asks for it; see `submit`.

        Raises:
            VenueRefusal: the first thing that is wrong with it.
        """
        order, intent = order_from(body, lambda symbol: require_asset(symbol, self._instruments.get(symbol)))
        return self.submit(order, intent)

    def replace(self, venue_order_id: str, body: Body) -> VenueOrder:
        """Ask for a change of quantity, prices or time in force; gives the order that will take the other's place.

        It takes effect after the latency, unless the old order is finished by then. Until then the larger of the
        two holds back money or shares.

        Raises:
            VenueRefusal: the change is not possible, or there is none; the old order stays as it is.
        """
        now = self._now()
        old = self._live(venue_order_id)
        require_replaceable(old, self._orders.show(old).broker_status)
        terms = changed(old, body)
        require_group_fits(self._groups, old, terms)
        remaining = msgspec.structs.replace(terms, quantity=terms.quantity - old.filled)
        application = self._application(remaining, now, in_group=old.group != 0, replaced=old)
        admission = (admit_passive if old.passive else admit)(application)
        new = self._orders.new(terms, now)
        new.order_class = old.order_class
        new.claim = 0 if old.closing else admission.reserved // units(remaining.quantity)
        self._orders.add(new, closing=old.closing, reserved=max(admission.reserved - old.reserved, 0))
        self._exchange.amend(old, new, now)
        return self._groups.show(new)

    def cancel(self, client_order_id: str) -> None:
        """Ask for a cancel. It takes effect after the latency, unless the order is finished by then.

        Raises:
            VenueRefusal: unknown order, or one that is finished or of which something else is asked already.
        """
        live = self._orders.find(client_order_id)
        if live is None:
            raise not_found(f"order not found for {client_order_id}")
        self._cancel(live)

    def cancel_order(self, venue_order_id: str) -> None:
        """Like `cancel`, by the venue's own id."""
        self._cancel(self._live(venue_order_id))

    def cancel_all(self) -> tuple[CancelOutcome, ...]:
        """Ask for the cancel of every open order; those that are being cancelled already count as taken."""
        outcomes = []
        for live in self._orders.open_orders():
            refusal = None
            try:
                if live.cancel_requested_at is None:
                    self._cancel(live)
            except VenueRefusal as error:
                refusal = error
            outcomes.append(CancelOutcome(live.venue_order_id, refusal))
        return tuple(outcomes)

    def _cancel(self, live: LiveOrder) -> None:
        if not live.is_open:
            raise unprocessable(f'order is already in "{self._orders.show(live).broker_status}" state')
        if live.cancel_requested_at is not None:
            raise unprocessable("order pending cancel")
        if live.replaced_by:
            raise unprocessable("order pending replace")
        self._exchange.recall(live, self._now())

    def close_position(
        self, symbol: str, *, quantity: Decimal | None = None, percentage: Decimal | None = None
    ) -> VenueOrder:
        """Send a market order that closes a position, all of it unless `quantity` or `percentage` says less.

        Args:
            percentage: above 0, at most 100; gives whole shares unless the position is fractional.

        Raises:
            VenueRefusal: there is no such position, or its shares are promised to other orders.
        """
        return self.submit(self._closing_order(symbol, quantity, percentage))

    def close_all_positions(self, *, cancel_orders: bool = False) -> tuple[ClosingOutcome, ...]:
        """Send a market order for every position.

        Args:
            cancel_orders: end every open order first, at once; otherwise promised shares make closing fail.
        """
        if cancel_orders:
            self._exchange.cancel_at_once(self._now(), "cancelled to close all positions")
        return tuple(self._closed(symbol) for symbol in self._account.books.holdings())

    def _closed(self, symbol: str) -> ClosingOutcome:
        try:
            return ClosingOutcome(symbol, self.close_position(symbol), None)
        except VenueRefusal as refusal:
            return ClosingOutcome(symbol, None, refusal)

    @property
    def configuration(self) -> AccountConfiguration:
        """What the customer has set."""
        return self._account.configuration

    def configure(self, body: Body) -> AccountConfiguration:
        """Change settings; what is null or unknown stays.

        Raises:
            VenueRefusal: a value is not possible; nothing has changed.
        """
        try:
            self._account.configuration = self._account.configuration.changed(body)
        except ValueError as error:
            raise malformed(str(error)) from None
        return self._account.configuration

    def _closing_order(self, symbol: str, quantity: Decimal | None = None, percentage: Decimal | None = None) -> Order:
        held = decimal_of(self._account.books.quantity(symbol))
        if not held:
            known = symbol in self._instruments
            raise not_found("position does not exist" if known else f"symbol not found: {symbol}")
        return Order(
            symbol=symbol,
            side=OrderSide.SELL if held > 0 else OrderSide.BUY,
            order_type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity=_part_of(abs(held), quantity, percentage),
        )

    # -- inside ---------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        """The clock's time, or the exchange's when that has run ahead."""
        now, reached = self._clock.now(), self._exchange.time
        return now if reached is None or now > reached else reached

    def _application(
        self,
        order: Order,
        now: datetime,
        *,
        intent: PositionIntent | None = None,
        in_group: bool = False,
        replaced: LiveOrder | None = None,
    ) -> Application:
        symbol = order.symbol
        view = self._exchange.look_up(symbol)
        held = self._account.books.quantity(symbol)
        return Application(
            order=order,
            intent=intent,
            now=now,
            calendar=self._calendar,
            instrument=self._instruments.get(symbol),
            quote=None if view is None else view.quote,
            held=held,
            orders=self._orders,
            account=self._account,
            rules=self._rules,
            phase=self._exchange.phase(now),
            in_group=in_group,
            is_closing=held < 0 if order.side is _BUY else held > 0,
            replaced=replaced,
        )


def _part_of(held: Decimal, quantity: Decimal | None, percentage: Decimal | None) -> Decimal:
    """How much of a position is to be closed, shares."""
    if quantity is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    if percentage is not None:
        if not 0 < percentage <= _HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        whole = not held % ONE
        quantity = (held * percentage / _HUNDRED).quantize(ONE if whole else _NANO, ROUND_DOWN)
    if quantity is None:
        return held
    if quantity <= 0 or quantity % _NANO:
        raise unprocessable("qty must be > 0 and have at most 9 decimals")
    return quantity
